"""Assessments as JSON-able data and back: what the store keeps and the digest reads."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from riskwatch.assessment.types import Action, Assessment, Evidence, Grade, Scope, Step, Subject
from riskwatch.errors import StoreError

__all__ = ["from_payload", "plain", "to_payload"]


# Most of a payload: told by the type itself, which is quick to ask.
_AS_IS = frozenset({str, bool, int, type(None)})


def plain(value: object) -> Any:
    """Return ``value`` as JSON-able data: dates as ISO texts, enums as names or values, NaN as null, infinity as text.

    Raises
    ------
    TypeError
        If ``value`` holds something that JSON has no word for.
    """
    if type(value) in _AS_IS:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is dict:
        return {str(key): plain(one) for key, one in value.items()}
    if type(value) is list or type(value) is tuple:
        return [plain(one) for one in value]
    if isinstance(value, Grade):
        return value.name
    if isinstance(value, enum.StrEnum):
        return value.value
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dt.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    raise TypeError(f"plain: cannot write {type(value).__name__} as JSON")


@lru_cache(maxsize=256)
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def to_payload(assessment: Assessment) -> dict[str, Any]:
    """Return ``assessment`` as JSON-able data; :func:`from_payload` gives it back."""
    payload: dict[str, Any] = plain(assessment)
    return payload


def number(value: object) -> float:
    """Return a number written by :func:`plain`; null is NaN."""
    return math.nan if value is None else float(value)  # type: ignore[arg-type]  # plain wrote a number or its word


def from_payload(payload: Mapping[str, Any]) -> Assessment:
    """Return the assessment written by :func:`to_payload`.

    ``steps`` and ``facts`` keep lists where the original had tuples.

    Raises
    ------
    StoreError
        If the payload lacks a field or holds an unknown grade or scope.
    """
    try:
        return Assessment(
            subject=Subject(**payload["subject"]),
            as_of=dt.date.fromisoformat(payload["as_of"]),
            hazard=payload["hazard"],
            evidence=tuple(_evidence(one) for one in payload["evidence"]),
            severity=int(payload["severity"]),
            probability=payload["probability"],
            probability_range=_pair(payload["probability_range"]),
            risk=payload["risk"],
            risk_range=_pair(payload["risk_range"]),
            confidence=payload["confidence"],
            scope=Scope(payload["scope"]),
            scope_figures=dict(payload["scope_figures"]),
            grade=Grade[payload["grade"]],
            steps=tuple(
                Step(one["rule"], dict(one["inputs"]), one["outcome"], None if one["grade_after"] is None else Grade[one["grade_after"]])
                for one in payload["steps"]
            ),
            actions=tuple(_action(one) for one in payload["actions"]),
            facts=dict(payload["facts"]),
            what_would_change=tuple(dict(one) for one in payload["what_would_change"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(
            f"from_payload: this is no assessment as written by to_payload: {type(error).__name__}: {error}",
            hint="was it written by another version of riskwatch?",
        ) from error


def _pair(value: Any) -> Any:
    return None if value is None else (value[0], value[1])


def _evidence(one: Mapping[str, Any]) -> Evidence:
    numbers = {name: number(one[name]) for name in ("observed", "expected", "lower", "upper", "p_value", "q_value")}
    days = {name: dt.date.fromisoformat(one[name]) for name in ("period_start", "period_end")}
    return Evidence(**{**one, **numbers, **days})


def _action(one: Mapping[str, Any]) -> Action:
    due = one["due_on"]
    return Action(
        **{**one, "due_on": None if due is None else dt.date.fromisoformat(due), "legal_basis": tuple(dict(b) for b in one["legal_basis"])}
    )
