"""Which source types speak for one and the same thing, and independently: by hazard and by case."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from riskwatch.assessment.cases import Cases
from riskwatch.assessment.hazards import UNKNOWN
from riskwatch.assessment.rules import HazardCatalogue
from riskwatch.assessment.types import Step

__all__ = ["Tie", "groups_of", "hazards_of", "tie_of", "tie_step", "ties_of"]


@dataclass(frozen=True, slots=True)
class Tie:
    """What joins or parts two source types."""

    one: str
    other: str
    hazard: str  # "agrees" | "unknown" | "differs"
    shared: tuple[str, ...]
    cases: str  # "own cases" | "same cases" | "not compared"

    @property
    def holds(self) -> bool:
        """Whether the two count as two."""
        return self.hazard != "differs" and self.cases != "same cases"


def hazards_of(classes: Mapping[str, float], share: float) -> tuple[str, ...]:
    """Return the known hazard classes with at least ``share`` of the weight of known class, in alphabetical order."""
    known = {code: weight for code, weight in classes.items() if code != UNKNOWN and weight > 0}
    total = sum(known[code] for code in sorted(known))
    return tuple(code for code in sorted(known) if known[code] >= share * total)


def tie_of(one: Collection[str], other: Collection[str], catalogue: HazardCatalogue) -> tuple[str, tuple[str, ...]]:
    """Return "agrees", "unknown" or "differs" for the hazards of two sources, and what they share (themselves, or akin to each other)."""
    if not one or not other:
        return "unknown", ()
    shared = {
        code
        for a, b in itertools.product(one, other)
        for code in (a, b)
        if a == b or b in catalogue.classes[a].akin or a in catalogue.classes[b].akin
    }
    return ("agrees", tuple(sorted(shared))) if shared else ("differs", ())


def ties_of(
    types: Collection[str],
    profiles: Mapping[str, Mapping[str, float]],
    cases: Cases,
    streams: Mapping[str, Collection[str]],
    *,
    share: float,
    catalogue: HazardCatalogue,
) -> tuple[Tie, ...]:
    """Return the tie of every two source types.

    Parameters
    ----------
    types : collection of str
        Source types that speak for the concern.
    profiles : mapping of str to mapping of str to float
        Source type -> hazard class -> weight, from the records behind it.
    cases : Cases
        Cases across streams.
    streams : mapping of str to collection of str
        Source type -> its streams.
    """
    found = []
    for one, other in itertools.combinations(sorted(types), 2):
        hazard, shared = tie_of(hazards_of(profiles.get(one, {}), share), hazards_of(profiles.get(other, {}), share), catalogue)
        pairs = [(a, b) for a in sorted(streams.get(one, ())) for b in sorted(streams.get(other, ()))]
        compared = [pair for pair in pairs if all(cases.records.get(stream, 0) for stream in pair)]
        own = any(cases.independent(*pair) for pair in compared)
        found.append(Tie(one, other, hazard, shared, "not compared" if not compared else "own cases" if own else "same cases"))
    return tuple(found)


def groups_of(types: Collection[str], ties: Sequence[Tie]) -> list[tuple[str, ...]]:
    """Return the largest groups of source types in which every two hold together, biggest first, then alphabetical."""
    apart = {frozenset((tie.one, tie.other)) for tie in ties if not tie.holds}
    groups: list[tuple[str, ...]] = []
    names = sorted(types)
    for size in range(len(names), 0, -1):
        for group in itertools.combinations(names, size):
            whole = not any(frozenset(pair) in apart for pair in itertools.combinations(group, 2))
            if whole and not any(set(group) <= set(known) for known in groups):
                groups.append(group)
    return groups


def tie_step(ties: Sequence[Tie], group: Sequence[str]) -> Step:
    """Return the step that says what ties the source types, and which of them were counted together."""
    inputs: dict[str, object] = {
        f"{tie.one}+{tie.other}": {"hazard": tie.hazard, "shared": list(tie.shared), "cases": tie.cases} for tie in ties
    }
    parted = [f"{tie.one}, {tie.other}" for tie in ties if not tie.holds]
    why = f"not independent or not of one hazard: {'; '.join(parted)}" if parted else "nothing parts the sources"
    return Step("confidence.tie", {**inputs, "counted_together": list(group)}, why)
