"""What the bits of a parallel status say, wherever a family shows them."""

from __future__ import annotations

import pytest

from helpers.frames import BY_ID
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.explain import explain
from mppdbus.protocol.queries import decode


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        ("f0034", "scc_ok scc_charging load_on"),
        ("f0139", "line_loss load_on"),
        ("f0353", "scc_ok scc_charging line_loss load_on"),
        ("f0413", "ac_charging load_on"),
        ("f0252", "ac_charging load_on"),  # QP2GS
    ],
)
def test_the_bits_of_a_parallel_status_are_named(frame: str, names: str) -> None:
    assert explain(BY_ID[frame].decode(), DIALECTS["pi30"])["flags"] == names.split()


@pytest.mark.parametrize(
    ("bits", "battery"),
    [
        ("11100010", []),
        ("11101010", ["battery_under"]),
        ("11110010", ["battery_open"]),
        ("11102010", ["battery_open"]),  # f0338: one digit in two characters
    ],
)
def test_a_parallel_status_names_the_state_of_the_battery(
    bits: str, battery: list[str]
) -> None:
    payload = BY_ID["f0413"].payload.replace(b"01000010", bits.encode())
    flags = explain(decode("QPGS1", payload), DIALECTS["pi41"])["flags"]
    charging = ["scc_ok", "ac_charging", "scc_charging"]
    assert flags == [*charging, "load_on", *battery]


def test_a_split_phase_unit_has_the_parallel_bits_in_its_status() -> None:
    """The recorded bits of its QPGS in the recorded QPIGS of another unit."""
    words = BY_ID["f0134"].payload.split()
    words[16] = BY_ID["f0413"].payload.split()[19]
    pi41 = DIALECTS["pi41"]
    reading = decode("QPIGS", b" ".join(words), pi41.queries)
    assert explain(reading, pi41)["flags"] == ["ac_charging", "load_on"]
    plain = decode("QPIGS", b" ".join(words))
    flags = explain(plain, DIALECTS["pi30"])["flags"]
    assert set(flags) == {"scc_charging", "configuration_changed"}
