"""Who speaks for a concern when concerns change shape, and what passes from one warning to another.

A category takes over from its products when several of them alarm together, and one product stands alone again when the others fall
quiet. The warning that no longer speaks for itself is absorbed: it keeps its identity, history, level and measures, and names the
warning that speaks for it. What readers rely on passes to that one: the day since when, and a level that does not fall by a change of
shape.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.types import Assessment, Grade, Subject
from riskwatch.lifecycle import reading as read
from riskwatch.lifecycle.types import EarlyWarning

__all__ = ["below", "explains", "match", "receive", "related", "speaker", "speakers", "with_members"]


def related(one: str, other: str, regions: TreePaths) -> bool:
    """Whether one region is the other, above it or below it."""
    return regions.within(one, other) or regions.within(other, one)


def below(one: Subject, other: Subject, paths: Mapping[str, TreePaths]) -> bool:
    """Whether ``one`` is the same as ``other``, a part of it, or what ``other`` explains (a place, by its product)."""
    if one.kind != other.kind:
        return other.kind == "product" or one.kind == "region"
    if one.code == other.code:
        return paths["region"].within(one.region, other.region)
    return paths[one.kind].within(one.code, other.code)


def explains(assessment: Assessment, subject: Subject, paths: Mapping[str, TreePaths]) -> bool:
    """Whether an assessment's alarms or events are about ``subject``: it is reported there."""
    regions = paths["region"]
    if not related(assessment.subject.region, subject.region, regions):
        return False
    if (assessment.subject.kind, assessment.subject.code) == (subject.kind, subject.code):
        return True
    if any(
        getattr(e, subject.kind) == subject.code
        and (subject.kind == "product" or not e.product)
        and related(e.region, subject.region, regions)
        for e in assessment.evidence
    ):
        return True
    return any(
        (one.kind, one.code) == (subject.kind, subject.code) and related(one.region, subject.region, regions)
        for one in read.speaks_for(assessment)
    )


def speaker(warning: EarlyWarning, assessments: Sequence[Assessment], among: Collection[int], paths: Mapping[str, TreePaths]) -> int | None:
    """Return the number of the assessment that speaks for a warning without one of its own; None for none.

    That is one whose alarms or events are about the warning's subject, else one that rests on a series or an event of the warning: a
    category of which one product is left lives on in that product; an absorbed one only where it is reported by name, else it would
    never recover. Events alone do not speak for a warning that rests on statistics. Of several the nearest place, then the gravest,
    then the first by subject.
    """
    regions = paths["region"]
    series = set(warning.series if warning.live else ())
    events = set(read.subjects(warning.summary.get("events")) if warning.live and not warning.series else ())
    found = []
    for number in among:
        one = assessments[number]
        if warning.series and not one.evidence:
            continue
        about = explains(one, warning.subject, paths)
        if not about and not series & set(read.series(one)) and not events & set(read.speaks_for(one)):
            continue
        distance = abs(len(regions.path(one.subject.region)) - len(regions.path(warning.subject.region)))
        found.append((not about, distance, -int(one.grade), one.subject, number))
    return min(found)[-1] if found else None


def match(warnings: Sequence[EarlyWarning], assessments: Sequence[Assessment], regions: TreePaths) -> dict[int, int]:
    """Return assessment number -> warning number: same kind and code, related region; the nearest pair first.

    At equal distance a live warning comes before an absorbed one, which speaks again only at warning level.
    """
    pairs = []
    for w, warning in enumerate(warnings):
        for a, assessment in enumerate(assessments):
            mine, theirs = warning.subject, assessment.subject
            if (mine.kind, mine.code) != (theirs.kind, theirs.code) or not related(mine.region, theirs.region, regions):
                continue
            if warning.live or assessment.grade >= Grade.IV:
                distance = abs(len(regions.path(mine.region)) - len(regions.path(theirs.region)))
                pairs.append((distance, not warning.live, -int(assessment.grade), warning.warning_id, a, w))
    taken: dict[int, int] = {}
    used: set[int] = set()
    for *_, a, w in sorted(pairs):
        if a not in taken and w not in used:
            taken[a] = w
            used.add(w)
    return taken


def speakers(
    numbers: Sequence[int],
    held: Sequence[EarlyWarning],
    assessments: Sequence[Assessment],
    taken: Mapping[int, int],
    paths: Mapping[str, TreePaths],
) -> dict[int, int]:
    """Return warning number -> number of the assessment at warning level that speaks for it now, of warnings without one of their own.

    ``taken`` is the answer of :func:`match`. A warning that dissolved, and whose parts speak for themselves again, goes to the gravest
    of them.
    """
    graded = [a for a, one in enumerate(assessments) if one.grade >= Grade.IV]
    found = {}
    for w in numbers:
        number = speaker(held[w], assessments, graded, paths)
        if number is None and held[w].live:
            parts = [a for a in graded if a in taken and held[taken[a]].covered_by == held[w].warning_id]
            order = [(-int(assessments[a].grade), -read.excess(assessments[a]), assessments[a].subject, a) for a in parts]
            number = min(order)[-1] if order else None
        if number is not None:
            found[w] = number
    return found


def receive(
    warning: EarlyWarning, givers: Sequence[EarlyWarning], subject: Subject, *, as_of: dt.date, paths: Mapping[str, TreePaths]
) -> EarlyWarning:
    """Return ``warning`` with what passes to it from the warnings that it takes over from.

    The level is the highest of all, with what its warning remembers of lower proposals, so that hysteresis goes on where it stood. A part
    of the day's ``subject`` hands on the day since when; a whole that dissolves does not make its part older.
    """
    if not givers:
        return warning
    heard = min((one.first_seen for one in givers if below(one.subject, subject, paths)), default=warning.first_seen)
    taken = replace(warning, first_seen=min(warning.first_seen, heard), handed_on=as_of)
    # Of those at the highest level the one that is furthest from falling.
    strongest = min(givers, key=lambda one: (-one.grade, one.lower_windows, one.warning_id))
    if strongest.grade <= warning.grade:
        return taken
    return replace(taken, grade=strongest.grade, lower_windows=strongest.lower_windows, lower_through=strongest.lower_through)


def with_members(warnings: Sequence[EarlyWarning]) -> list[EarlyWarning]:
    """Return the warnings, each with the ids of the absorbed ones that it speaks for."""
    members: dict[str, list[str]] = {}
    for one in warnings:
        if one.state == "absorbed":
            members.setdefault(one.covered_by, []).append(one.warning_id)
    return [replace(one, takes_over=tuple(sorted(members.get(one.warning_id, ())))) for one in warnings]
