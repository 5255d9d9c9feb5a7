"""Macro quality indicators and targets: value, gap, trend, chance of attainment, fair comparison of regions."""

from __future__ import annotations
