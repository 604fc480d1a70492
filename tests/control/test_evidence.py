"""Evidence from the journal: of this model and firmware alone, the strongest counts."""

from __future__ import annotations

from dataclasses import replace

from mppdbus.control.evidence import Proof, evidence_of, for_recording
from mppdbus.control.journal import WrittenSetting

WRITE = WrittenSetting(
    time="2026-06-01T12:00:00.000+02:00",
    unit="9293",
    model="VMIII",
    firmware="72.70",
    setting="buzzer",
    command="PDa",
    old=1,
    value=0,
    by="command line, anna",
)
DONE = replace(WRITE, accepted=True, observed=0)
LOST_ACK = replace(WRITE, accepted=None, observed=0)
ACK_ONLY = replace(WRITE, accepted=True, observed=1)
REFUSED = replace(WRITE, accepted=False, observed=1)
OPEN = WRITE


def proof(*writes: WrittenSetting) -> tuple[Proof, int]:
    found = evidence_of(writes, "VMIII", "72.70")
    if "buzzer" not in found:
        return Proof.UNTESTED, 0
    return found["buzzer"].proof, found["buzzer"].writes


def test_the_strongest_write_counts_and_nothing_is_unlearned() -> None:
    assert proof() == (Proof.UNTESTED, 0)
    assert proof(OPEN) == (Proof.UNTESTED, 0)
    assert proof(REFUSED, REFUSED) == (Proof.NAK, 2)
    assert proof(REFUSED, ACK_ONLY) == (Proof.ACK_ONLY, 1)
    assert proof(ACK_ONLY, DONE, REFUSED) == (Proof.READ_BACK, 1)
    assert proof(DONE, LOST_ACK, ACK_ONLY) == (Proof.READ_BACK, 2)


def test_another_model_or_firmware_proves_nothing() -> None:
    assert proof(replace(DONE, firmware="72.71")) == (Proof.UNTESTED, 0)
    assert proof(replace(DONE, model="KING")) == (Proof.UNTESTED, 0)
    assert proof(replace(DONE, unit="of a friend")) == (Proof.READ_BACK, 1)


def test_a_recording_tells_nothing_about_the_owner() -> None:
    told = for_recording(evidence_of([DONE, DONE], "VMIII", "72.70"))
    assert told == {"buzzer": "read back, 2 writes"}
