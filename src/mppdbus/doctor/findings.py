"""Judges facts by a table of causes. Pure.

The rank of a cause is its place in the table: what comes first explains what follows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mppdbus.doctor.facts import Facts


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of trouble.

    `what` says it in plain words. `evidence` returns the facts that speak for it, in
    words; nothing if it does not apply. `help` is the one command that helps, or a
    thing to do; it may depend on the facts. A `remark` is no trouble: it tells what
    cannot be had, or what is worth knowing.
    """

    name: str
    what: str
    evidence: Callable[[Facts], Sequence[str]]
    help: str | Callable[[Facts], str]
    remark: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that the facts speak for."""

    name: str
    what: str
    evidence: tuple[str, ...]
    help: str
    remark: bool
    rank: int

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.what}: {'; '.join(self.evidence)}. What helps: {self.help}"

    def record(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self)


def judge(facts: Facts, causes: Iterable[Cause]) -> list[Finding]:
    """Return what the facts speak for, the likeliest first, remarks last."""
    found = []
    for rank, cause in enumerate(causes):
        if evidence := tuple(filter(None, cause.evidence(facts))):
            advice = cause.help if isinstance(cause.help, str) else cause.help(facts)
            found.append(
                Finding(cause.name, cause.what, evidence, advice, cause.remark, rank)
            )
    return sorted(found, key=order)


def order(finding: Finding) -> tuple[bool, int]:
    """Return the key by which findings are sorted."""
    return finding.remark, finding.rank


def merged(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings of several inverters without repetitions."""
    once = {(one.name, one.evidence): one for one in found}
    return sorted(once.values(), key=order)


def troubles(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are no remarks."""
    return [one for one in found if not one.remark]
