"""Lifecycle: assessments to early warnings, with a reason for every change. Pure functions."""

from __future__ import annotations

from riskwatch.lifecycle.machine import advance
from riskwatch.lifecycle.types import STATES, EarlyWarning, Outcome, WarningEvent, fingerprint

__all__ = ["STATES", "EarlyWarning", "Outcome", "WarningEvent", "advance", "fingerprint"]
