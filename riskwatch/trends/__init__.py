"""Slopes, change points, level and season, forecasts: what is slowly getting worse."""

from __future__ import annotations
