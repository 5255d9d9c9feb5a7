"""How probable each grade is, given how uncertain its inputs are.

Uncertain are: the probability of each scenario (a log-normal whose median is the estimate and whose central interval is the printed
one, with a half of its own on each side), the level of severity of the cluster (posterior of the shares, see
:func:`riskwatch.assessment.risk.severity_mix`), the units in use (log-normal) and the q-values (log-normal error of the model,
common to all series). All are enumerated on quantile midpoints, exactly and without random numbers; rules that hold or do not hold
(lifts, lowers, caps, floors) are taken as known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from riskwatch.assessment.risk import Scenario
from riskwatch.assessment.rules import RISKS, GradingRules, Matrix, Uplift
from riskwatch.assessment.situation import Situation
from riskwatch.assessment.types import Grade, Step

__all__ = ["grade_distribution", "probability_step", "risk_ranks"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
POINTS = {"injury": 101, "defect": 31, "units": 31, "q": 101}
CENTRAL = 0.95  # interval that config's units_factor is about


@lru_cache(maxsize=16)
def _midpoints(count: int) -> FloatArray:
    """Return ``count`` standard normal values that stand for equal shares of probability."""
    found = np.asarray(norm.ppf((np.arange(count) + 0.5) / count), dtype=np.float64)
    found.flags.writeable = False  # the same for every concern
    return found


@lru_cache(maxsize=16)
def _half_width(share: float) -> float:
    """Return the standard normal value at which a central interval that holds ``share`` ends."""
    return float(norm.ppf((1 + share) / 2))


def risk_ranks(severity: int, probability: FloatArray, matrix: Matrix) -> IntArray:
    """Return the rank (0 L to 3 S) of each probability at one severity; bounds are strict, as in the matrix."""
    ascending = np.array(sorted(matrix.bounds))
    row = len(ascending) - np.searchsorted(ascending, probability, side="left")
    column = np.array([RISKS.index(cells[severity - 1]) for cells in matrix.cells], dtype=np.int64)
    return column[row]


def _uplifted(ranks: IntArray, units: FloatArray, uplift: Uplift) -> IntArray:
    limits = np.array([row.up_to for row in uplift.rows if row.up_to is not None], dtype=np.float64)
    to = np.array([[RISKS.index(row.to[risk]) for risk in RISKS] for row in uplift.rows], dtype=np.int64)
    return to[np.searchsorted(limits, units, side="left"), ranks]


def _draws(scenario: Scenario, z: FloatArray, rules: GradingRules) -> FloatArray:
    """Return the probability of a scenario at standard normal values ``z``."""
    unknown = rules.uncertainty.unknown_low
    high = max(scenario.high, scenario.probability)
    if high <= 0:
        return np.zeros_like(z)
    median = scenario.probability if scenario.probability > 0 else high / unknown
    low = scenario.low if scenario.low > 0 else min(median, high / unknown)
    quantile = _half_width(rules.probability.interval)
    below, above = math.log(median / low) / quantile, math.log(high / median) / quantile
    return np.asarray(np.minimum(1.0, median * np.exp(np.where(z < 0, below, above) * z)), dtype=np.float64)


def _risks(situation: Situation, scenarios: tuple[Scenario, ...], rules: GradingRules) -> dict[tuple[str, bool, bool], float]:
    """Return the probability of (risk, raised by the uplift, more units than the lift asks for)."""
    lifts, units = rules.lifts, situation.units
    injured = any(one.name.startswith("injury") for one in scenarios)
    checked = any(not one.name.startswith("injury") for one in scenarios)
    z_injury = _midpoints(POINTS["injury"] if injured else 1)[:, None, None]
    z_defect = _midpoints(POINTS["defect"] if checked else 1)[None, :, None]
    spread = math.log(rules.uncertainty.units_factor) / _half_width(CENTRAL)
    some = units is not None and spread > 0
    factor = np.exp(spread * _midpoints(POINTS["units"]))[None, None, :] if some else np.ones((1, 1, 1))
    shape = (z_injury.shape[0], z_defect.shape[1], factor.shape[2])
    ranks = np.full(shape, RISKS.index("S") if situation.presumed else 0, dtype=np.int64)
    for scenario in scenarios:
        injury = scenario.name.startswith("injury")
        p = _draws(scenario, z_injury if injury else z_defect, rules)
        if injury and scenario.estimated:
            p = np.minimum(1.0, p / factor)
        ranks = np.maximum(ranks, risk_ranks(scenario.severity, p, rules.matrix))
    many = np.zeros(shape, dtype=np.bool_)
    raised = np.zeros(shape, dtype=np.bool_)
    if units is not None:
        in_use = np.broadcast_to(units * factor, shape)
        many = in_use > lifts.units_in_use
        if situation.scope.value in rules.uplift.scopes:
            after = _uplifted(ranks, in_use, rules.uplift)
            raised, ranks = after != ranks, after
    counts = np.bincount((ranks * 4 + raised * 2 + many).ravel(), minlength=16) / ranks.size
    return {(RISKS[code // 4], bool(code // 2 % 2), bool(code % 2)): float(share) for code, share in enumerate(counts) if share > 0}


def _confidences(situation: Situation, rules: GradingRules) -> dict[str, float]:
    spread = rules.uncertainty.q_decades
    if not len(situation.signals.q) or spread == 0:
        return {situation.confidence(): 1.0}
    found: dict[str, float] = defaultdict(float)
    for shift in spread * _midpoints(POINTS["q"]):
        found[situation.confidence(float(shift))] += 1 / POINTS["q"]
    return dict(found)


def grade_distribution(situation: Situation) -> dict[str, float]:
    """Return grade -> probability, gravest first, grades of probability 0 left out; the sum is 1."""
    rules = situation.rules
    confidences = _confidences(situation, rules)
    parts: dict[Grade, list[float]] = defaultdict(list)
    for share, scenarios in situation.alternatives():
        for (risk, raised, many), by_risk in _risks(situation, scenarios, rules).items():
            units = situation.units
            if units is not None:
                units = max(units, rules.lifts.units_in_use + 1.0) if many else min(units, float(rules.lifts.units_in_use))
            for level, by_level in confidences.items():
                inputs = replace(situation.inputs, risk=risk, confidence=level, uplifted=raised, units_in_use=units)
                parts[situation.decided(inputs)].append(share * by_risk * by_level)
    total = math.fsum(value for values in parts.values() for value in values)
    return {grade.name: round(math.fsum(parts[grade]) / total, 6) for grade in sorted(parts, reverse=True) if math.fsum(parts[grade]) > 0}


def probability_step(distribution: dict[str, float], grade: Grade, rules: GradingRules) -> Step:
    """Return the step that stores the distribution."""
    inputs: dict[str, object] = {
        "q_decades": rules.uncertainty.q_decades,
        "units_factor": rules.uncertainty.units_factor,
        "interval": rules.probability.interval,
        **{f"p_{name}": share for name, share in distribution.items()},
    }
    return Step("grade.probability", inputs, f"{distribution.get(grade.name, 0.0):.0%} for {grade.name}")
