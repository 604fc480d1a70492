"""What the writes of the past prove about the settings of a model and firmware; pure.

So families collect proof: `mppdbus settings --evidence` shows it, and a recording
carries it, without time, user or serial number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mppdbus.control.journal import WrittenSetting, same


class Proof(StrEnum):
    """What the writes of a setting prove, from the strongest to nothing."""

    READ_BACK = "read back"  # the inverter showed the new value
    ACK_ONLY = "ACK only"  # it acknowledged, and did not show it
    NAK = "NAK"  # it refused each one
    UNTESTED = "untested"


_ORDER = [*Proof]


@dataclass(frozen=True, slots=True)
class SettingEvidence:
    """The proof of one setting, and how many writes it rests on."""

    proof: Proof = Proof.UNTESTED
    writes: int = 0
    last: str = ""  # the local time of the last of these writes


NO_EVIDENCE = SettingEvidence()


def evidence_of(
    writes: Iterable[WrittenSetting], model: str, firmware: str
) -> dict[str, SettingEvidence]:
    """Return what the writes to units of a model with a firmware prove, by setting.

    `writes` are in the order of their time. A write that nobody answered, and whose
    value was not seen either, proves nothing.
    """
    found: dict[str, SettingEvidence] = {}
    for write in writes:
        proof = _proof(write)
        if (write.model, write.firmware) != (model, firmware):
            continue
        if proof is Proof.UNTESTED:
            continue
        so_far = found.get(write.setting, NO_EVIDENCE)
        stronger = min(so_far.proof, proof, key=_ORDER.index)
        count = so_far.writes * (so_far.proof is stronger) + (proof is stronger)
        last = write.time if proof is stronger else so_far.last
        found[write.setting] = SettingEvidence(stronger, count, last)
    return found


def for_recording(evidence: Mapping[str, SettingEvidence]) -> dict[str, str]:
    """Return the evidence as a recording keeps it: "read back, 3 writes"."""
    return {name: text(each) for name, each in sorted(evidence.items())}


def text(evidence: SettingEvidence) -> str:
    """Return evidence in words: "read back, 3 writes"."""
    if evidence.proof is Proof.UNTESTED:
        return f"{evidence.proof}"
    several = "s" if evidence.writes > 1 else ""
    return f"{evidence.proof}, {evidence.writes} write{several}"


def _proof(write: WrittenSetting) -> Proof:
    if same(write.observed, write.value):
        return Proof.READ_BACK
    if write.accepted:
        return Proof.ACK_ONLY
    return Proof.NAK if write.accepted is False else Proof.UNTESTED
