"""Severity, probability and the risk R: the EU matrix, the population uplift, and what is assumed.

The matrix compares the probability itself with strict lower bounds: exactly 1/10 is not above 1/10.
A scenario is a severity with its probability; the risk of a concern is the highest over its scenarios, and where a tenfold change
of the probability changes it, a range is kept and expert judgement asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta, chi2

from riskwatch.assessment.rules import RISKS, Matrix, ProbabilityRules, SeverityRules, Uplift
from riskwatch.errors import RiskwatchError

__all__ = [
    "InjuryCluster",
    "RiskResult",
    "Scenario",
    "cluster_severity",
    "injury_scenario",
    "matrix_risk",
    "overall_risk",
    "poisson_interval",
    "proportion_interval",
    "severities",
    "severity_mix",
    "uplifted",
]


@dataclass(frozen=True, slots=True)
class Scenario:
    """How harm comes about: a severity and its probability over the life of the product.

    ``low`` and ``high`` are the limits of the interval for sampling error; ``estimated`` is False where ``probability`` is the
    working assumption.
    """

    name: str
    severity: int
    probability: float
    low: float
    high: float
    estimated: bool


@dataclass(frozen=True, slots=True)
class RiskResult:
    """The risk over all scenarios, its driver, and its range under a tenfold change of the probability."""

    risk: str
    driver: Scenario
    low: str
    high: str

    @property
    def uncertain(self) -> bool:
        """Whether the tenfold change moves the risk."""
        return self.low != self.risk or self.high != self.risk


def matrix_risk(severity: int, probability: float, matrix: Matrix) -> str:
    """Return the risk of one cell.

    Raises
    ------
    RiskwatchError
        If severity is not 1..4 or probability not within [0, 1].
    """
    if severity not in (1, 2, 3, 4):
        raise RiskwatchError(f"matrix_risk: severity must be 1, 2, 3 or 4, got {severity!r}")
    if not 0 <= probability <= 1:
        raise RiskwatchError(f"matrix_risk: probability must lie in [0, 1], got {probability!r}")
    row = next((index for index, bound in enumerate(matrix.bounds) if probability > bound), len(matrix.bounds))
    return matrix.cells[row][severity - 1]


def uplifted(risk: str, units_in_use: float, uplift: Uplift) -> str:
    """Return the risk after the uplift for the number of units in use."""
    for row in uplift.rows:
        if row.up_to is None or units_in_use <= row.up_to:
            return next(new for old, new in row.to.items() if old == risk)
    raise AssertionError("the last band has no limit")  # pragma: no cover - the rules guarantee it


def overall_risk(scenarios: Sequence[Scenario], matrix: Matrix, factor: float) -> RiskResult:
    """Return the highest risk over ``scenarios`` and its range where every probability is divided or multiplied by ``factor``."""

    def highest(scale: float) -> tuple[int, Scenario]:
        ranked = [(RISKS.index(matrix_risk(s.severity, min(1.0, s.probability * scale), matrix)), s) for s in scenarios]
        return max(ranked, key=lambda pair: (pair[0], pair[1].severity, pair[1].probability, pair[1].name))

    rank, driver = highest(1.0)
    return RiskResult(RISKS[rank], driver, RISKS[highest(1 / factor)[0]], RISKS[highest(factor)[0]])


# --- severity --------------------------------------------------------------------------------------------------------


def severities(rows: pd.DataFrame, rules: SeverityRules) -> npt.NDArray[np.int64]:
    """Return the severity 1-4 of each injury: the higher of what outcome and stated severity say, shape (rows,)."""
    size = len(rows)
    empty = pd.Series([""] * size, index=rows.index, dtype="object")
    outcome = rows["outcome"].astype("object") if "outcome" in rows.columns else empty
    stated = rows["severity"].astype("object") if "severity" in rows.columns else empty
    by_outcome = outcome.map(rules.outcomes).astype(np.float64).fillna(1.0).to_numpy()
    by_stated = stated.map(rules.stated).astype(np.float64)
    unstated = by_stated.isna().to_numpy()
    released = (outcome == "treated-released").to_numpy() & unstated
    by_outcome = np.where(released, rules.released_unstated, by_outcome)
    return np.asarray(np.maximum(by_outcome, by_stated.fillna(1.0).to_numpy()), dtype=np.int64)


def cluster_severity(levels: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], percentile: float) -> tuple[int, int]:
    """Return the weighted percentile (inverse of the distribution function: a level that occurs) and the maximum."""
    some = weights > 0
    if not some.any():
        raise RiskwatchError("cluster_severity: at least one person is needed, got none")
    order = np.argsort(levels[some], kind="stable")
    sorted_levels, cumulated = levels[some][order], np.cumsum(weights[some][order])
    at = int(np.searchsorted(cumulated, percentile * cumulated[-1] - 1e-9))
    return int(sorted_levels[at]), int(sorted_levels[-1])


# --- probability -----------------------------------------------------------------------------------------------------


def poisson_interval(count: float, coverage: float) -> tuple[float, float]:
    """Return the exact interval of a Poisson mean (Garwood 1936) from one count."""
    tail = (1 - coverage) / 2
    low = 0.0 if count <= 0 else float(chi2.ppf(tail, 2 * count) / 2)
    return low, float(chi2.ppf(1 - tail, 2 * count + 2) / 2)


def proportion_interval(failed: float, inspected: float, coverage: float) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper & Pearson 1934); 0/5 is not 0 %."""
    if not 0 <= failed <= inspected or inspected <= 0:
        raise RiskwatchError(f"proportion_interval: needs 0 <= failed <= inspected and inspected > 0, got {failed} of {inspected}")
    tail = (1 - coverage) / 2
    low = 0.0 if failed == 0 else float(beta.ppf(tail, failed, inspected - failed + 1))
    high = 1.0 if failed == inspected else float(beta.ppf(1 - tail, failed + 1, inspected - failed))
    return low, high


def injury_scenarios(
    levels: npt.NDArray[np.int64],
    persons: npt.NDArray[np.float64],
    estimate: npt.NDArray[np.float64],
    *,
    units: float | None,
    lifetime_years: float,
    observed_years: float,
    probability: ProbabilityRules,
    severity: SeverityRules,
) -> list[Scenario]:
    """Return the scenarios of a cluster of injuries: its percentile severity and its maximum.

    Parameters
    ----------
    levels, persons, estimate : array, shape (records,)
        Severity, persons seen, and persons that they stand for (weighted, or divided by the coverage of their source).
    units : float or None
        Units in use in the area; None where unknown: the working probability is then shared out by severity.
    lifetime_years, observed_years : float
        Life of the product and time over which the injuries were seen, years.
    """
    at_percentile, at_maximum = cluster_severity(levels, persons, severity.percentile)
    # Where the percentile is the maximum there is one scenario, not two.
    named = {at_maximum: "maximum", at_percentile: "percentile"}
    cluster = InjuryCluster(levels, persons, estimate, units, lifetime_years, observed_years)
    return [injury_scenario(cluster, level, f"injury-{name}", probability) for level, name in sorted(named.items())]


@dataclass(frozen=True, eq=False)
class InjuryCluster:
    """The injuries of a concern: arrays of shape (records,), units in use (None where unknown), and two lengths of time in years."""

    levels: npt.NDArray[np.int64]
    persons: npt.NDArray[np.float64]
    estimate: npt.NDArray[np.float64]
    units: float | None
    lifetime_years: float
    observed_years: float


def injury_scenario(cluster: InjuryCluster, level: int, name: str, rules: ProbabilityRules) -> Scenario:
    """Return the scenario of an injury at least as severe as ``level``."""
    reach = cluster.levels >= level
    seen, stands_for = float(cluster.persons[reach].sum()), float(cluster.estimate[reach].sum())
    if cluster.units is None:
        p = rules.working * seen / float(cluster.persons.sum())
        factor = rules.sensitivity_factor
        return Scenario(name, level, p, p / factor, min(1.0, p * factor), estimated=False)
    scale = stands_for / seen / cluster.units * cluster.lifetime_years / cluster.observed_years
    low, high = poisson_interval(seen, rules.interval)
    return Scenario(name, level, min(1.0, seen * scale), min(1.0, low * scale), min(1.0, high * scale), estimated=True)


def severity_mix(levels: npt.NDArray[np.int64], persons: npt.NDArray[np.float64], percentile: float) -> dict[int, float]:
    """Return how probable it is that the percentile of severity lies at each level that occurs.

    The percentile lies at or below level k where the share F(k) of injuries at or below k reaches it. With n persons at or below k and
    m above, F(k) has the posterior Beta(n + 1/2, m + 1/2) (Jeffreys prior), so P(level <= k) = P(F(k) >= percentile).
    """
    occurring = sorted({int(level) for level, count in zip(levels, persons, strict=True) if count > 0})
    if not occurring:
        raise RiskwatchError("severity_mix: at least one person is needed, got none")
    reached = [
        float(beta.sf(percentile, persons[levels <= level].sum() + 0.5, persons[levels > level].sum() + 0.5)) for level in occurring[:-1]
    ]
    # The share at or below a level only grows with it; the highest that occurs takes the rest.
    below = np.maximum.accumulate([0.0, *reached, 1.0])
    return {level: float(share) for level, share in zip(occurring, np.diff(below), strict=True) if share > 0}


def defect_scenario(failed: float, inspected: float, *, harm: float, level: int, coverage: float, random: bool) -> Scenario:
    """Return the scenario of a defect: its prevalence in samples times the assumed P(harm | defect).

    Prevalence in samples that were not drawn at random is an upper bound: such samples were aimed at failures.
    """
    low, high = proportion_interval(failed, inspected, coverage)
    name = "defect" if random else "defect-upper-bound"
    return Scenario(name, level, failed / inspected * harm, low * harm if random else 0.0, high * harm, estimated=random)


def bound_scenario(level: int, harm: float, *, name: str = "harm-upper-bound") -> Scenario:
    """Return the scenario used where no prevalence is known at all: every unit defective, P(harm | defect) as assumed."""
    return Scenario(name, level, harm, 0.0, harm, estimated=False)
