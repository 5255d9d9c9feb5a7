"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import (
    anomalies,
    coverage,
    enterprises,
    indicators,
    pairs,
    project,
    quarantine,
    rates,
    report,
    run,
    trends,
    warnings,
)

__all__ = [
    "anomalies",
    "coverage",
    "enterprises",
    "indicators",
    "pairs",
    "project",
    "quarantine",
    "rates",
    "report",
    "run",
    "trends",
    "warnings",
]
