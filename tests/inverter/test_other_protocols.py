"""What is no PI30 is named, not called damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.commands import command
from mppdbus.errors import CorruptReply, OtherProtocol, UnknownLayout
from mppdbus.inverter.link import Link
from mppdbus.protocol.framing import Flaw, Frame, ResponseFramer, encode_reply
from mppdbus.protocol.other_protocols import foreign
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty
from mppdbus.simulator.unit.recording import Recording
from mppdbus.transport import open_transport

NAMED = "a REVO's QALL reply, intact"


def qall(words: int = 18) -> bytes:
    """The reply of a simulated REVO; of fewer words, with a sum of its own."""
    request = b"QALL"
    sent = simulate("revo-5500", scene="pause").respond(request + sum_of(request), 0.0)
    assert sent is not None
    cut = b" ".join(sent.data[:-2].split()[:words])
    assert words < 18 or sent.data == cut + sum_of(cut) + b"\r"
    return cut + sum_of(cut) + b"\r"


def sum_of(data: bytes) -> bytes:
    return bytes(((sum(data) + 1) & 0xFF,))


def framed(data: bytes) -> Frame:
    (frame,) = ResponseFramer().feed(data)
    return frame


def test_the_frame_alone_tells() -> None:
    assert framed(qall()).flaw is Flaw.SUM
    assert isinstance(foreign(framed(qall())), UnknownLayout)
    assert isinstance(foreign(framed(b"^0\x1b\xe3\r")), OtherProtocol)
    assert foreign(framed(qall(17))) is None  # too short to be sure
    assert foreign(framed(encode_reply("B"))) is None
    damaged = bytearray(qall())
    damaged[9] ^= 4
    assert foreign(framed(bytes(damaged))) is None


@pytest.mark.parametrize("form", ["QALL {hex}", "{hex}", "QALL: {text}", "{text}"])
def test_decode_names_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    data = qall()
    text = data[:-2].decode() + f"\\x{data[-2]:02x}\\r"
    line = tmp_path / "pasted"
    line.write_text(form.format(hex=data.hex(" "), text=text) + "\n")
    said = command(capsys, "decode", str(line))
    assert said.code == 1
    assert f"unknown-layout: {NAMED}" in said.out
    assert "corrupt" not in said.out


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (qall(), UnknownLayout, f"^QPIGS: {NAMED}"),
        (qall(17), CorruptReply, "no reply among them"),
        (b"^0\x1b\xe3\r", OtherProtocol, r"^QPIGS: the answer begins with \^"),
    ],
)
async def test_the_link_names_it(
    tmp_path: Path, reply: bytes, error: type[Exception], says: str
) -> None:
    simulator = simulate(pace=Pace.instant())
    simulator.source = Recording("other", {}, reply)
    link = Link("garage", patience=0.1)
    async with serve_pty(simulator, tmp_path / "tty"):
        url = f"serial:{tmp_path / 'tty'}"
        link.attach(await open_transport(url, link, baud=115200))
        try:
            with pytest.raises(error, match=says):
                await link.exchange("QPIGS", bytes)
        finally:
            await link.close()
