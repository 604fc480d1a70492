"""Snapshots out of recorded or written replies, for the pure tests."""

from __future__ import annotations

from typing import cast

from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, SecondTracker, Warnings

RATINGS = (
    "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 0 1 2 9 "
    "01 0 0 54.0 0 1 000"
)


def qpigs(
    *,
    grid: float = 230.0,
    load: int = 500,
    apparent: int = 550,
    volts: float = 52.0,
    charge: int = 0,
    discharge: int = 0,
    bits: str = "00010000",
    more: str = "010",
    pv: int = 0,
    percent: int = 80,
) -> str:
    """Write a QPIGS of 21 words."""
    return (
        f"{grid:05.1f} {50.0 if grid > 30 else 0.0:04.1f} 230.0 50.0 {apparent:04d} "
        f"{load:04d} 011 380 {volts:05.2f} {charge:03d} {percent:03d} 0035 02.0 150.0 "
        f"00.00 {discharge:05d} {bits} 00 00 {pv:05d} {more}"
    )


def status(payload: str) -> GeneralStatus:
    return cast("GeneralStatus", decode("QPIGS", payload.encode()))


def warnings(*bits: int, length: int = 36) -> Warnings:
    text = "".join("1" if i in bits else "0" for i in range(length))
    return cast("Warnings", decode("QPIWS", text.encode()))


def second(payload: str) -> SecondTracker:
    return cast("SecondTracker", decode("QPIGS2", payload.encode()))


def ratings(payload: str = RATINGS) -> Ratings:
    return cast("Ratings", decode("QPIRI", payload.encode()))


def online(
    payload: str,
    mode: str = "L",
    *,
    trackers: int | None = 1,
    pv2: str | None = None,
    warned: tuple[int, ...] = (),
    with_ratings: bool = True,
) -> Snapshot:
    return Snapshot(
        online=True,
        identity=Identity(serial="96332405100123", model="VMIII-5000"),
        status=status(payload),
        second=second(pv2) if pv2 else None,
        trackers=trackers,
        mode=mode,
        warnings=warnings(*warned),
        ratings=ratings() if with_ratings else None,
    )
