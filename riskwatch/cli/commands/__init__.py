"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import enterprises, project, quarantine, run, warnings

__all__ = ["enterprises", "project", "quarantine", "run", "warnings"]
