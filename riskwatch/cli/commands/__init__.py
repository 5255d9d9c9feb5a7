"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import coverage, project, quarantine, run, warnings

__all__ = ["coverage", "project", "quarantine", "run", "warnings"]
