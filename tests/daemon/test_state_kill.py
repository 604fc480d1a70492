"""SIGKILL at every step of a save: what was kept last is whole, old or new."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers.places import TESTS

# Children of one small process are killed, so that each costs a millisecond.
AT_EVERY_CALL = """
import os, shutil, signal, sys
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from mppdbus.storage.atomic_file import AtomicFile
from helpers.state import decode_books, energy_data
from mppdbus.model.energy.ledger import Books

def data(kwh):
    return energy_data(Books(user=kwh, trackers=[kwh] * 30))

def child(file, last):
    calls, write = 0, os.write

    def byte_by_byte(handle, rest):
        return write(handle, rest[:1])

    def watch(frame, event, arg):
        nonlocal calls
        if event == "c_call":
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)

    os.write = byte_by_byte
    sys.setprofile(watch)
    file.save(data(3.0))
    sys.setprofile(None)
    os._exit(0)

root = Path(sys.argv[1])
found, partial = [], set()
for last in count(1):
    folder = root / str(last)
    folder.mkdir()
    file = AtomicFile(folder / "energy.json")
    file.previous.write_bytes(data(1.0))
    file.path.write_bytes(data(2.0))
    pid = os.fork()
    if pid == 0:
        child(file, last)
    _, status = os.waitpid(pid, 0)
    new = folder / "energy.json.new"
    partial.add(new.stat().st_size if new.exists() else -1)
    books = file.read(decode_books)
    found.append(books.user)
    if last % 25 == 0 or not os.WIFSIGNALED(status):
        file.save(data(books.user + 1))
        assert AtomicFile(file.path).read(decode_books).user == books.user + 1
    assert not list(folder.glob("*unreadable*")), "nothing was damaged"
    shutil.rmtree(folder)
    if not os.WIFSIGNALED(status):
        break
print(len(found), len(data(3.0)), len(partial), found.index(3.0))
print(sorted(set(found)), found == sorted(found))
"""

AT_ANY_TIME = """
import os, random, signal, sys, time
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from mppdbus.storage.atomic_file import AtomicFile
from helpers.state import decode_books, energy_data
from mppdbus.model.energy.ledger import Books

def save_for_ever(file, pipe):
    start = int((file.read(decode_books) or Books()).user)
    for number in count(start + 1):
        file.save(energy_data(Books(user=number, trackers=[0.5] * 500)))
        os.write(pipe, b"%d\\n" % number)

energy_data(Books())  # or each child would have to learn how
chance = random.Random(3)
file, kept, saves, between = AtomicFile(Path(sys.argv[1]) / "energy.json"), 0, 0, 0
for _ in range(100):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        save_for_ever(file, writer)
    os.close(writer)
    lines = os.fdopen(reader)
    said = [int(lines.readline()) for _ in range(chance.randrange(6))]
    time.sleep(chance.uniform(0, 0.004))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    said += [int(line) for line in lines]
    last = said[-1] if said else kept
    books = file.read(decode_books)
    found = int(books.user) if books else 0
    assert last <= found <= last + 1, (last, found)
    assert found >= kept
    between += found == last + 1
    saves += len(said)
    kept = found
assert not list(Path(sys.argv[1]).glob("*unreadable*"))
print(kept, saves, between)
"""


def run(script: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(TESTS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return done.stdout.splitlines()


def test_killed_before_every_call_and_every_byte(tmp_path: Path) -> None:
    first, second = run(AT_EVERY_CALL, tmp_path)
    kills, size, partial, renamed = first.split()
    assert int(kills) > int(size) > 100
    assert int(partial) >= int(size)  # every length of a half-written file was there
    assert second == "[2.0, 3.0] True"  # what was there, and then what was to come
    assert int(renamed) > int(size)


def test_killed_at_any_time_again_and_again(tmp_path: Path) -> None:
    (line,) = run(AT_ANY_TIME, tmp_path)
    kept, saves, _ = map(int, line.split())
    assert kept >= saves > 100
