"""Macro quality indicators in the digest, as data."""

from __future__ import annotations

from typing import Literal

from riskwatch.digest.parts import Part, Place, Text

__all__ = [
    "IndicatorLine",
    "IndicatorSection",
]


class IndicatorLine(Part):
    """One quality indicator of which there is something to say: it changed, its target is at risk, or its figures have stopped."""

    why: Literal["worse", "better", "changed", "at-risk", "lost"]
    code: str
    name: Text
    place: Place
    period: str
    preliminary: bool
    unit: Text
    decimals: int
    value: float
    lower: float | None
    upper: float | None
    # Difference to the same period of last year, to the nation and to the wider region that publishes the figure; null: unknown.
    year: float | None
    year_verdict: str
    national: float | None
    national_verdict: str
    wider: float | None
    wider_name: Text | None
    target: str
    op: str
    asked: float | None
    target_year: int | None
    chance: float | None
    missing_since: str


class IndicatorSection(Part):
    """宏观质量指标: at most a few lines; ``more`` counts those left out."""

    lines: tuple[IndicatorLine, ...]
    more: int
    recent_days: int
    indicators: int
    targets_scored: int
    targets_met: int
    targets_at_risk: int
    lost: int
