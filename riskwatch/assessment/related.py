"""Concerns with one cause: the same hazard in products of one category, or one failing item or producer behind several products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from riskwatch.assessment.hazards import UNKNOWN
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.types import Assessment, Grade, Step

__all__ = ["RULE", "Shared", "relate"]

RULE = "linking.common-cause"
"""Name of the step that is added."""


@dataclass(frozen=True, eq=False)
class Shared:
    """What a concern may have in common with others: codes that never leave the assessment."""

    items: frozenset[str] = frozenset()
    producers: frozenset[str] = frozenset()


def _why(one: tuple[Assessment, Shared], other: tuple[Assessment, Shared], paths: Mapping[str, TreePaths]) -> dict[str, object]:
    """Return what two concerns about products have in common; empty where that is not enough for one cause."""
    (first, a), (second, b) = one, other
    if first.hazard in ("", UNKNOWN) or first.hazard != second.hazard:
        return {}
    category = paths["product"].common([first.subject.code, second.subject.code])
    items, producers = sorted(a.items & b.items), len(a.producers & b.producers)
    if not (category or items or producers):
        return {}
    return {"category": category, "items": items[:3], "producers": producers}


def relate(pairs: Sequence[tuple[Assessment, Shared]], *, paths: Mapping[str, TreePaths], least: int) -> list[Assessment]:
    """Cross-reference concerns about products that have one cause; grade, confidence and scope stay as they are.

    Parameters
    ----------
    pairs : sequence of (Assessment, Shared)
        In the order in which they are told, gravest first. Only concerns that are graded (watch or higher) are related.
    paths : mapping of str to TreePaths
        ``product`` is read.
    least : int
        Concerns with one cause, from which on they are related.

    Returns
    -------
    list of Assessment
        As given; those with a common cause have ``facts["related"]``: ``cause`` (hazard, category, items, number of shared producers),
        ``lead`` (the first of them tells the cause) and ``subjects`` (kind, code and region of the others), and one more step.
    """
    able = [k for k, (one, _) in enumerate(pairs) if one.subject.kind == "product" and one.grade >= Grade.WATCH]
    why = {(i, j): found for i in able for j in able if i < j and (found := _why(pairs[i], pairs[j], paths))}
    group = {k: k for k in able}
    for i, j in sorted(why):
        low, high = sorted((group[i], group[j]))
        group = {k: low if mine == high else mine for k, mine in group.items()}
    out = [one for one, _ in pairs]
    for lead in sorted(set(group.values())):
        members = [k for k in able if group[k] == lead]
        if len(members) < least:
            continue
        links = [found for (i, j), found in sorted(why.items()) if group[i] == lead and group[j] == lead]
        cause = {
            "hazard": pairs[lead][0].hazard,
            "category": paths["product"].common([pairs[k][0].subject.code for k in members]),
            "items": sorted({str(item) for link in links for item in _listed(link["items"])})[:3],
            "producers": max(int(str(link["producers"])) for link in links),
        }
        for k in members:
            others = [pairs[m][0].subject for m in members if m != k]
            related = {
                "cause": cause,
                "lead": {"kind": "product", "code": pairs[lead][0].subject.code, "region": pairs[lead][0].subject.region},
                "subjects": [{"kind": one.kind, "code": one.code, "region": one.region} for one in others],
            }
            step = Step(RULE, related, f"{len(members)} concerns with one cause; told with {pairs[lead][0].subject.code}")
            out[k] = replace(out[k], facts={**out[k].facts, "related": related}, steps=(*out[k].steps, step))
    return out


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
