"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import indicators, project, quarantine, run, trends, warnings

__all__ = ["indicators", "project", "quarantine", "run", "trends", "warnings"]
