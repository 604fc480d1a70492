"""One connection to a D-Bus: its address, its socket, calls in and out."""

import asyncio
import fcntl
import logging
import os
import select
import termios
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import InvalidAddressError

from mppdbus.errors import BusAway, BusError
from mppdbus.venus.dbus.values import plain

log = logging.getLogger("mppdbus.bus")

DAEMON = "org.freedesktop.DBus"
ITEM = "com.victronenergy.BusItem"
CONNECT_TIMEOUT = 10.0  # s
CLOSE_TIMEOUT = 2.0  # s
BACKLOG_LIMIT = 5000  # messages that wait for a full socket

FAILED = "org.freedesktop.DBus.Error.Failed"

_CALL = MessageType.METHOD_CALL
_SIGNAL = MessageType.SIGNAL
_NO_REPLY = MessageFlag.NO_REPLY_EXPECTED.value
_SYSTEM_SOCKETS = ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket")


def bus_address(setting: str) -> str:
    """Return the address of "system", of "session", or of an address itself.

    Raises BusError where there is no session bus, or `setting` is none of the three.
    """
    if setting == "system":
        if address := os.environ.get("DBUS_SYSTEM_BUS_ADDRESS"):
            return address
        sockets = [path for path in _SYSTEM_SOCKETS if Path(path).exists()]
        return f"unix:path={(sockets or _SYSTEM_SOCKETS)[0]}"
    if setting == "session":
        if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            return address
        raise BusError(
            "there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set; start "
            'mppdbus under dbus-run-session, or choose the bus "system"'
        )
    if ":" in setting:
        return setting
    raise BusError(
        f'{setting!r} names no D-Bus; say "system", "session" or an address like '
        "unix:path=/run/dbus/system_bus_socket"
    )


class CallError(BusError):
    """A call was answered with an error, called `name`."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


@dataclass(frozen=True, slots=True)
class Request:
    """A method call to be sent."""

    destination: str
    path: str
    member: str
    signature: str = ""
    body: Sequence[Any] = ()
    interface: str = ITEM

    def message(self) -> Message:
        """Return it as dbus-fast sends it."""
        return Message(
            destination=self.destination,
            path=self.path,
            interface=self.interface,
            member=self.member,
            signature=self.signature,
            body=list(self.body),
        )


def to_bus(member: str, signature: str = "", *body: Any) -> Request:  # noqa: ANN401
    """Return a call of the bus itself."""
    return Request(DAEMON, "/org/freedesktop/DBus", member, signature, body, DAEMON)


def first(body: list[Any]) -> Any:  # noqa: ANN401
    """Return the first value of a reply, None if there is none."""
    return body[0] if body else None


class _Bus(MessageBus):
    """A MessageBus that mends three defects of dbus-fast.

    Older versions leave the socket open if connecting fails, and loop for ever if the
    bus hangs up during authentication. All of them may raise in `send` and drop the
    future, whose exception is then logged as never retrieved.
    """

    def __init__(self, address: str) -> None:
        try:
            super().__init__(bus_address=address)
        except OSError:
            _dispose(self)
            raise

    async def _auth_readline(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            chunk = await self._loop.sock_recv(self._sock, 1024)  # type: ignore[arg-type]
            if not chunk:
                raise EOFError("the bus hung up during authentication")
            line += chunk
        return line[:-2].decode()

    def send(  # type: ignore[override]
        self, msg: Message
    ) -> asyncio.Future[None]:
        """Send a message; the future has the error, if any."""
        msg.serial = msg.serial or self.next_serial()
        sending = self._loop.create_future()
        with suppress(OSError):  # just broken; `sending` may have the reason
            self._writer.schedule_write(msg, sending)  # type: ignore[union-attr]
        return sending


class Connection:
    """A connection that stays up when the bus reads slowly.

    dbus-fast closes a connection when the socket is full. So all messages pass here:
    each waits in a bounded backlog until the socket can take it whole.
    """

    def __init__(
        self,
        bus: MessageBus,
        on_call: Callable[["Connection", Message], bool] | None = None,
        on_signal: Callable[[Message], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._bus = bus
        self._on_call = on_call
        self._on_signal = on_signal
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._fd: int = bus._fd  # type: ignore[assignment] # noqa: SLF001
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._backlog: deque[Message] = deque()
        self._sending: asyncio.Future[None] = self._loop.create_future()
        self._sending.set_result(None)
        self._expected: dict[int, Callable[[Message | None], None]] = {}
        self.reason = "closed"
        bus.add_message_handler(self._receive)
        self._ending = asyncio.create_task(self._await_end())

    @classmethod
    async def open(
        cls,
        address: str,
        on_call: Callable[["Connection", Message], bool] | None = None,
        on_signal: Callable[[Message], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> Self:
        """Connect to the bus at `address`.

        `on_call` gets each method call and returns whether it has dealt with it;
        `on_signal` gets each signal, in order with the replies; `on_lost` is called
        when the connection has ended. They must not raise.
        Raises BusAway when there is no bus, or it refuses us now, and BusError for an
        invalid `address`.
        """
        bus: MessageBus | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                bus = _Bus(address)
                await bus.connect()
        except BaseException as error:
            if bus is not None:
                _dispose(bus)
            if not isinstance(error, Exception):  # cancelled
                raise
            kind = BusError if isinstance(error, InvalidAddressError) else BusAway
            why = str(error) or type(error).__name__
            raise kind(
                f"no D-Bus at {address}: {why}; start the bus, or name another one as "
                '"bus" under [dbus]'
            ) from error
        return cls(bus, on_call, on_signal, on_lost)

    @property
    def alive(self) -> bool:
        """True while messages can be sent."""
        return self._bus.connected

    @property
    def unique_name(self) -> str:
        """The name the bus gave this connection."""
        return str(self._bus.unique_name)

    @property
    def unread(self) -> bool:
        """True until the bus has read all that was sent, and when that is unknown."""
        if self._backlog or not self._sending.done():
            return True
        try:
            return any(fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4)))
        except OSError:
            return True

    async def close(self) -> None:
        """Hang up and wait until it is done."""
        self.abort()
        await asyncio.wait({self._ending}, timeout=CLOSE_TIMEOUT)

    def abort(self) -> None:
        """Hang up."""
        if self.alive:
            self._bus.disconnect()

    # Out

    def send(self, message: Message) -> None:
        """Send `message`, or keep it until the socket takes it; no error if lost."""
        self._backlog.append(message)
        self._send_backlog()
        if len(self._backlog) > BACKLOG_LIMIT:
            log.error("the bus has not read for %d messages: hang up", BACKLOG_LIMIT)
            self.abort()

    def _send_backlog(self) -> None:
        """Give dbus-fast the messages that the socket takes whole; keep the others.

        A Unix socket polls writable only while three quarters of its buffer are free.
        """
        if not self.alive:
            self._backlog.clear()
        while self._backlog:
            if (
                not self._sending.done()
            ):  # a large message is being sent: continue after it
                return
            if not self._poll.poll(0):
                self._loop.add_writer(self._fd, self._writable)
                return
            self._sending = self._bus.send(self._backlog.popleft())
            if self._sending.done():
                self._sending.exception()  # seen: `on_lost` will follow
            else:
                self._sending.add_done_callback(self._sent_late)

    def _writable(self) -> None:
        self._loop.remove_writer(self._fd)
        self._send_backlog()

    def _sent_late(self, sending: asyncio.Future[None]) -> None:
        if not sending.cancelled():
            sending.exception()
        self._send_backlog()

    def ask(self, message: Message, then: Callable[[Message | None], None]) -> None:
        """Send a call; `then` gets its reply, or None once the connection is lost."""
        message.serial = self._bus.next_serial()
        self._expected[message.serial] = then
        self.send(message)

    def call(
        self, request: Request, read: Callable[[list[Any]], Any] = first
    ) -> asyncio.Future[Any]:
        """Send a method call, and return a future with the result of `read`.

        `read` gets the plain values of the reply, in order with the signals; by default
        the first value is the answer. The future raises CallError for an error that
        comes back, BusError once the connection is lost, and what `read` raises.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()

        def settle(reply: Message | None) -> None:
            if answer.done():
                return  # the caller no longer waits
            try:
                answer.set_result(read(_checked(reply, request.member)))
            except Exception as error:  # noqa: BLE001 - for whoever waits
                answer.set_exception(error)
                answer.exception()  # no log entry if nobody waits any more

        if self.alive:
            self.ask(request.message(), settle)
        else:
            settle(None)
        return answer

    def reply(self, call: Message, signature: str, body: list[Any]) -> None:
        """Answer `call`, if it wants an answer."""
        if not call.flags.value & _NO_REPLY:
            self.send(Message.new_method_return(call, signature, body))

    def fail(self, call: Message, name: str, text: str) -> None:
        """Answer `call` with an error, if it wants an answer."""
        if not call.flags.value & _NO_REPLY:
            self.send(Message.new_error(call, name, text))

    # In

    def _receive(self, message: Message) -> bool:
        """Take a message from dbus-fast; it handles replies itself."""
        if message.message_type is not _CALL:
            then = self._expected.pop(message.reply_serial, None)
            if then is not None:
                then(message)
            elif self._on_signal is not None and message.message_type is _SIGNAL:
                self._on_signal(message)
            return False
        try:
            return self._on_call is not None and self._on_call(self, message)
        except Exception:  # whatever goes wrong here, the caller gets an answer
            log.exception("%s %s", message.path, message.member)
            self.fail(message, FAILED, "internal error, see the log of mppdbus")
            return True

    async def _await_end(self) -> None:
        try:
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - whatever ends it, it has ended
            self.reason = str(error) or "the bus hung up"
        finally:
            self._backlog.clear()
            _dispose(self._bus)
            expected, self._expected = self._expected, {}
            for then in expected.values():
                then(None)
            if self._on_lost is not None:
                self._on_lost()


def _checked(reply: Message | None, what: str) -> list[Any]:
    """Return the plain values of a reply; raises CallError or BusError."""
    if reply is None:
        raise BusError(f"{what}: the connection to the bus is lost")
    body: list[Any] = plain(reply.body)
    if reply.message_type is MessageType.ERROR:
        raise CallError(reply.error_name or "", str(body[0]) if body else "")
    return body


def _dispose(bus: MessageBus) -> None:
    """Close the socket of a dead connection, which older dbus-fast leaves open."""
    sock, stream = bus._sock, bus._stream  # noqa: SLF001
    if sock is None or stream is None or sock.fileno() < 0:
        return
    loop = asyncio.get_running_loop()
    loop.remove_reader(sock.fileno())
    loop.remove_writer(sock.fileno())
    with suppress(OSError, ValueError):
        stream.close()
    sock.close()
