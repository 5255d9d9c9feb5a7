"""Simulated records for demonstrations, tests and benchmarks (模拟数据), with the truth about what was injected."""

from __future__ import annotations

from riskwatch.datasets.hazard_list import default_hazards
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.outbreaks import OutbreakStudy, simulate_outbreaks
from riskwatch.datasets.province import SimulatedProvince, simulate_province
from riskwatch.datasets.random_hazards import expected_grade, random_hazards
from riskwatch.datasets.rate_study import RateStudy, simulate_rates

__all__ = [
    "Hazard",
    "OutbreakStudy",
    "RateStudy",
    "SimulatedProvince",
    "default_hazards",
    "expected_grade",
    "random_hazards",
    "simulate_outbreaks",
    "simulate_province",
    "simulate_rates",
]
