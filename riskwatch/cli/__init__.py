"""The command line: ``riskwatch --help``."""

from __future__ import annotations

from riskwatch.cli.app import main

__all__ = ["main"]
