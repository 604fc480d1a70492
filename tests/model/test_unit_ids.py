"""The uids of units: by serial number, and by place where that is not unique."""

from __future__ import annotations

from mppdbus.model.unit_ids import choose_uid

PLAIN, AT_2 = "mppdbus_963323", "mppdbus_963323_at_usb_1_2_1_0"


def test_units_of_one_number_keep_their_names_in_any_order() -> None:
    first = choose_uid("963323", "usb 1-1:1.0", taken=(), kept=())
    second = choose_uid("963323", "usb 1-2:1.0", taken={first}, kept=())
    assert (first, second) == (PLAIN, AT_2)
    kept = {PLAIN, AT_2}
    assert choose_uid("963323", "usb 1-2:1.0", taken=(), kept=kept) == second
    assert choose_uid("963323", "usb 1-1:1.0", taken={second}, kept=kept) == first


def test_a_unit_keeps_its_name_at_another_port() -> None:
    for place in ("usb 1-1:1.0", "usb 1-3:1.0"):
        assert choose_uid("1", place, taken={"mppdbus_2"}, kept=()) == "mppdbus_1"


def test_a_unit_without_a_number_is_named_by_its_place() -> None:
    first = choose_uid(None, "usb 1-1:1.0", taken=(), kept=())
    assert first == "mppdbus_usb_1_1_1_0"
    other = choose_uid(None, "usb 1-1.1:0", taken={first}, kept=())
    assert other == "mppdbus_usb_1_1_1_0_2"
    tcp = choose_uid("", "10.0.0.5:8899", taken=(), kept=())
    assert tcp == "mppdbus_10_0_0_5_8899"
    assert choose_uid("?", "///", taken=(), kept=()) == "mppdbus_somewhere"
