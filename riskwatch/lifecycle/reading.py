"""What lifecycle reads off an assessment: how large, how grave, and the figures that a list of warnings shows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from riskwatch.assessment.payload import plain
from riskwatch.assessment.types import Assessment, Grade, Subject
from riskwatch.lifecycle.types import Series

__all__ = ["domain", "excess", "figures", "grave", "lower_probability", "newest", "series", "speaks_for", "subjects", "summary"]


def newest(assessment: Assessment) -> dt.date | None:
    """Return the end of the newest period in alarm; None where the assessment rests on a floor alone."""
    return max((e.period_end for e in assessment.evidence), default=None)


def series(assessment: Assessment) -> tuple[Series, ...]:
    """Return the series of the evidence: (model, stratum, product, industry, region)."""
    return tuple(sorted({(e.model, e.stratum, e.product, e.industry, e.region) for e in assessment.evidence}))


def excess(assessment: Assessment) -> float:
    """Return the largest excess of one series and period: a sum would grow with the number of series that happen to alarm."""
    return max((e.excess for e in assessment.evidence), default=0.0)


def grave(assessment: Assessment) -> float:
    """Return how many grave events (deaths, lethal items, failed rechecks) the assessment counts."""
    events = assessment.facts.get("floor_events", [])
    return float(sum(event["count"] for event in events if isinstance(event, Mapping))) if isinstance(events, list) else 0.0


def speaks_for(assessment: Assessment) -> tuple[Subject, ...]:
    """Return the subjects of the recorded events that the assessment speaks for (a death, a failed recheck)."""
    return subjects(assessment.facts.get("speaks_for"))


def subjects(listed: object) -> tuple[Subject, ...]:
    """Return the subjects of listed events, each once."""
    known = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, (list, tuple)) else []
    return tuple(sorted({Subject(str(one["kind"]), str(one["code"]), str(one.get("region", ""))) for one in known}))


def lower_probability(assessment: Assessment, grade: Grade) -> float:
    """Return how probable the levels below ``grade`` are together, by the assessment; 0 where it does not say."""
    shares = assessment.facts.get("grade_probability")
    if not isinstance(shares, Mapping) or not shares:
        return 0.0
    return math.fsum(float(share) for name, share in shares.items() if Grade[str(name)] < grade)


def domain(assessment: Assessment) -> str:
    """Return the domain whose rules graded the assessment; "" for the rules of all goods."""
    rule_set = assessment.facts.get("rule_set")
    return str(rule_set.get("domain") or "") if isinstance(rule_set, Mapping) else ""


def figures(assessment: Assessment) -> dict[str, Any]:
    """Return the figures of an event, JSON-able."""
    lead = assessment.evidence[0] if assessment.evidence else None
    found: dict[str, Any] = {
        "risk": assessment.risk,
        "confidence": assessment.confidence,
        "scope": assessment.scope.value,
        "severity": assessment.severity,
        "grave_events": grave(assessment),
        "proposed": assessment.grade.name,
        "grade_probability": assessment.facts.get("grade_probability", {}),
    }
    if lead is not None:
        found |= {
            "observed": lead.observed,
            "expected": lead.expected,
            "upper": lead.upper,
            "q_value": lead.q_value,
            "windows": lead.windows,
            "largest_excess": excess(assessment),
        }
    plain_figures: dict[str, Any] = plain(found)
    return plain_figures


def summary(assessment: Assessment) -> dict[str, Any]:
    """Return what a list of warnings shows, JSON-able; the whole assessment is stored by itself."""
    return {
        **figures(assessment),
        "as_of": assessment.as_of.isoformat(),
        "domain": domain(assessment),
        "place_now": assessment.subject.region,
        "hazard": assessment.hazard,
        "probability": assessment.probability,
        "risk_range": None if assessment.risk_range is None else list(assessment.risk_range),
        "name": assessment.facts.get("name", {}),
        "place": assessment.facts.get("place", {}),
        "review": assessment.facts.get("review", False),
        "cases_only": assessment.facts.get("cases_only", False),
        "events": [{"kind": one.kind, "code": one.code, "region": one.region} for one in speaks_for(assessment)],
        "evidence": len(assessment.evidence),
        "lead": plain(assessment.evidence[0]) if assessment.evidence else None,
        "due": [
            {"object": one.object, "stage": one.stage, "due_on": one.due_on.isoformat()}
            for one in assessment.actions
            if one.due_on is not None
        ],
    }
