"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import (
    anomalies,
    coverage,
    enterprises,
    indicators,
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
    "anomalies",
    "coverage",
    "enterprises",
    "indicators",
    "project",
    "quarantine",
    "rates",
    "report",
    "run",
    "trends",
    "warnings",
    "words",
]
