"""The commands; importing this package registers them."""

from __future__ import annotations

from riskwatch.cli.commands import project, quarantine, rates, run, warnings

__all__ = ["project", "quarantine", "rates", "run", "warnings"]
