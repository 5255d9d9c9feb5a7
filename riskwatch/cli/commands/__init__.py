"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import project, quarantine, run, trends, warnings

__all__ = ["project", "quarantine", "run", "trends", "warnings"]
