"""Which dialect an inverter speaks: clues, weighed; pure.

Every clue supports a family, with a weight (0 to 1) and a reason. Clues for the same
family are combined as independent evidence. Only a name (QMN) that no other family
uses decides against all other clues, because clones copy the number, the layouts and
the firmware of others.

A QPIRI of unknown length is of no known family: then weak clues count for nothing.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from math import prod

from mppdbus.protocol.boards import dialect_of_board
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import FAMILIES, MODEL_NUMBERS
from mppdbus.protocol.evidence import Clue, Evidence
from mppdbus.protocol.replies.settings import BoardVersion

NOMINAL = (12, 24, 36, 48)  # V; the batteries that PI30 inverters are made for
DECISIVE = 0.97  # weight of a name in QMN from which other evidence is ignored
SUREST = 0.99  # the highest confidence: never certain
STRONG = 0.5  # weight of a clue that counts also where QPIRI is of no known family
FALLBACK = "pi30"  # the family without clues
PROVING = 0.9  # of a clue that proves what the codes of a family mean on this unit
GUESSED = 0.25  # a clue of this weight is shown only if there is no other


@dataclass(frozen=True, slots=True)
class Identification:
    """What `identify` concludes; `reasons` are plain sentences, the strongest first.

    `confidence` is 0 to 1, `nominal_voltage` that of the battery in V. `strongest` is
    the weight of the best clue, such as a name: many weak ones make no proof.
    """

    dialect: Dialect
    confidence: float
    reasons: tuple[str, ...]
    family: str
    nominal_voltage: int | None
    strongest: float = 1.0

    @property
    def codes_proven(self) -> bool:
        """Whether the family's names of priorities are true for this unit."""
        return self.dialect.priorities_proven and self.strongest >= PROVING


def identify(evidence: Evidence) -> Identification:
    """Weigh all clues; without clues the result is plain PI30 with low confidence."""
    clues = clues_of(evidence)
    # Probability that all clues of a family are wrong.
    doubt = {name: prod(1.0 - c.weight for c in own) for name, own in clues.items()}
    named = _name_clue(evidence)
    decided = named is not None and named[1].weight >= DECISIVE
    # With equal evidence, the family with more models is more likely.
    likeliest = min(doubt, key=lambda name: (doubt[name], -len(FAMILIES[name].numbers)))
    best = named[0] if named and decided else likeliest
    rivals = () if decided else (doubt[name] for name in doubt if name != best)
    rival = min(rivals, default=1.0)
    own = sorted(clues[best], key=lambda clue: -clue.weight)
    reasons = [c.reason for c in own if len(own) == 1 or c.weight > GUESSED]
    name, *why = FAMILIES[best].variant(evidence) or (best,)
    board = getattr(evidence.other(BoardVersion), "board", "")
    by_board = dialect_of_board(name, board)
    if by_board is not None:
        why.append(f"QPRTL {board}: what its priorities mean is known")
    confidence = (1.0 - doubt[best]) * (1.0 - (1.0 - rival) / 3)
    return Identification(
        dialect=by_board or FAMILIES[name].dialect,
        confidence=min(round(confidence, 2), SUREST),
        reasons=(*reasons, *why),
        family=_title(evidence, best, name),
        nominal_voltage=_nominal(evidence),
        strongest=own[0].weight,
    )


def clues_of(evidence: Evidence) -> dict[str, list[Clue]]:
    """Return the clues of each family that has any; its number and name come first."""
    found: dict[str, list[Clue]] = defaultdict(list)
    number = evidence.model_number or ""
    for name, family in FAMILIES.items():
        if model := family.numbers.get(number):
            found[name].append(Clue(0.98, f"QGMN {number}: {model.name}"))
    if named := _name_clue(evidence):
        found[named[0]].append(named[1])
    strange = "QPIRI" in evidence.strange
    for name, family in FAMILIES.items():
        clues = [*family.clues(evidence)]
        if strange and name != FALLBACK:
            clues = [clue for clue in clues if clue.weight >= STRONG]
        if clues:
            found[name] += clues
    return dict(found)


def _name_clue(evidence: Evidence) -> tuple[str, Clue] | None:
    """Return the family whose pattern fits most of the name in QMN, and the clue."""
    name, best = evidence.model_name or "", None
    longest = 0
    for family, row in FAMILIES.items():
        for pattern, weight in row.names.items():
            fits = re.match(pattern, name)
            if fits and fits.end() > longest:
                longest, best = fits.end(), (family, Clue(weight, f"QMN {name}"))
    return best


def _title(evidence: Evidence, best: str, name: str) -> str:
    """Return the model of the QGMN number, unless that is one of another family."""
    number = evidence.model_number or ""
    for family in (FAMILIES[best], FAMILIES[name]):
        if model := family.numbers.get(number):
            return model.name
    return FAMILIES[name].dialect.title


def _nominal(evidence: Evidence) -> int | None:
    rated = getattr(evidence.ratings, "battery_rating_voltage", None)
    if rated in NOMINAL:
        return int(rated)
    model = MODEL_NUMBERS.get(evidence.model_number or "")
    return model.voltage if model else None
