"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import anomalies, coverage, project, quarantine, run, warnings

__all__ = ["anomalies", "coverage", "project", "quarantine", "run", "warnings"]
