"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import (
    actions,
    anomalies,
    coverage,
    deliver,
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
    words,
)

__all__ = [
    "actions",
    "anomalies",
    "coverage",
    "deliver",
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
    "words",
]
