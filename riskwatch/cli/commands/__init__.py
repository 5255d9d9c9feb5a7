"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import (
    actions,
    anomalies,
    audit,
    casework,
    backup,
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
    silences,
    schedule,
    trends,
    warnings,
    words,
)

__all__ = [
    "actions",
    "anomalies",
    "audit",
    "casework",
    "backup",
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
    "silences",
    "schedule",
    "trends",
    "warnings",
    "words",
]
