"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import (
    actions,
    anomalies,
    backup,
    coverage,
    enterprises,
    indicators,
    pairs,
    project,
    quarantine,
    rates,
    report,
    retention,
    run,
    trends,
    warnings,
    words,
)

__all__ = [
    "actions",
    "anomalies",
    "backup",
    "coverage",
    "enterprises",
    "indicators",
    "pairs",
    "project",
    "quarantine",
    "rates",
    "report",
    "retention",
    "run",
    "trends",
    "warnings",
    "words",
]
