"""Which day it is at the site."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mppdbus.host.clock import local_today, use_zone


@pytest.fixture
def _zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.usefixtures("_zone")
def test_the_day_of_the_site_follows_its_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = []
    for minutes, zone in enumerate(("UTC+13", "UTC-13", "UTC+13")):
        os.environ["TZ"] = zone
        monkeypatch.setattr(time, "time", lambda at=NOON + 60 * minutes: at)
        days.append(local_today().day)
    assert days == [28, 2, 28]


ZONES = {
    "Pacific/Kiritimati": 14,
    "Pacific/Pago_Pago": -11,
    "Asia/Kathmandu": 5.75,
    "/UTC": 0,
    "Europe/Berlin": 1,  # in winter
}


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize(("zone", "hours"), ZONES.items())
def test_the_zone_of_the_gx_with_and_without_zone_data(
    zone: str,
    hours: float,
    *,
    data: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if not data:
        monkeypatch.setenv("TZDIR", str(tmp_path))
    assert use_zone(zone) == ""
    assert time.localtime(NOON).tm_gmtoff == hours * 3600
    summer = time.localtime(NOON + 120 * 86400).tm_gmtoff
    assert summer == (7200 if zone == "Europe/Berlin" else hours * 3600)
    assert data or "tzdata" in os.environ["TZ"]


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize(
    "zone", ["Nowhere/Land", "", "../../etc/passwd", "Europe", "a\0"]
)
def test_an_unknown_zone_is_utc_and_said(zone: str) -> None:
    assert use_zone("Pacific/Kiritimati") == ""
    assert "UTC" in use_zone(zone)
    assert time.localtime(NOON).tm_gmtoff == 0


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("zone", ["UTC", "IST-5:30", "NPT-5:45", "<-0330>3:30"])
def test_the_day_begins_at_midnight_to_the_second(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ["TZ"] = zone
    time.tzset()
    midnight = datetime(2026, 3, 2).timestamp()  # noqa: DTZ001 - at the site
    days = []
    for at in (midnight - 59, midnight - 0.001, midnight, midnight - 1):
        monkeypatch.setattr(time, "time", lambda at=at: at)
        days.append(local_today().day)
    assert days == [1, 1, 2, 1]  # the last: a clock that was set back
