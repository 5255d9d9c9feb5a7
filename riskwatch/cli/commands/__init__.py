"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import anomalies, coverage, indicators, project, quarantine, report, run, trends, warnings

__all__ = ["anomalies", "coverage", "indicators", "project", "quarantine", "report", "run", "trends", "warnings"]
