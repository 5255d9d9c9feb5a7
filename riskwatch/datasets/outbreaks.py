"""Weekly counts with and without outbreaks: the simulation study of Noufaily et al. (2013), for benchmarks and teaching.

Sources
-------
Noufaily, Enki, Farrington, Garthwaite, Andrews, Charlett (2013), Statistics in Medicine 32(7), 1206-1222: 42 scenarios of mean, dispersion,
trend and season, past outbreaks in the baseline and one outbreak in the last 49 of 624 weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.panel import Panel

__all__ = ["CURRENT_WEEKS", "SCENARIOS", "OutbreakStudy", "simulate_outbreaks"]

FloatArray = npt.NDArray[np.float64]

WEEKS = 624
CURRENT_WEEKS = 49
_PAST = (313, 575)  # weeks in which past outbreaks start, 1-based
_PAST_OUTBREAKS = 4
_GROUPS = (  # theta, phi, trend, gamma1, gamma2; each with and without trend, with 0, 1 and 2 harmonics (table of the paper)
    (0.1, 1.5, 0.0025, 0.6, 0.6),
    (-2.0, 2.0, 0.005, 0.1, 0.3),
    (1.5, 1.0, 0.003, 0.2, -0.4),
    (0.5, 5.0, 0.002, 0.5, 0.5),
    (2.5, 3.0, 0.001, 1.0, 0.1),
    (3.75, 1.1, 0.001, 0.1, -0.1),
    (5.0, 1.2, 0.0001, 0.05, 0.01),
)

SCENARIOS = pd.DataFrame(
    [
        (theta, phi, trend * with_trend, gamma1 * (harmonics > 0), gamma2 * (harmonics > 0), harmonics)
        for theta, phi, trend, gamma1, gamma2 in _GROUPS
        for with_trend in (0, 1)
        for harmonics in (0, 1, 2)
    ],
    columns=["theta", "phi", "beta", "gamma1", "gamma2", "harmonics"],
    index=pd.RangeIndex(1, 43, name="scenario"),
)
"""The 42 scenarios: log mean = theta + beta t + sum over j <= harmonics of gamma1 cos(2 pi j t / 52) + gamma2 sin(2 pi j t / 52)."""


@dataclass(frozen=True, eq=False)
class OutbreakStudy:
    """Simulated series with the truth about them.

    Attributes
    ----------
    panel : Panel
        Series by 624 weeks, with past outbreaks and one current outbreak each.
    twin : Panel
        The same series without the current outbreak.
    outbreak : array, shape (series, 624)
        Cases of the current outbreak.
    mean, phi : array, shapes (series, 624) and (series,)
        Mean and dispersion (variance / mean) without outbreaks.
    design : DataFrame
        One row per series: scenario, k_past, k_now, replicate.
    """

    panel: Panel
    twin: Panel
    outbreak: FloatArray
    mean: FloatArray
    phi: FloatArray
    design: pd.DataFrame


def _positive_poisson(rate: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw from a Poisson distribution conditioned on being positive, by inversion."""
    from scipy import stats  # noqa: PLC0415  # slow to import, and most users of this package never simulate

    zero = np.exp(-rate)
    uniform = zero + (1.0 - zero) * rng.random(rate.shape)
    return np.asarray(np.maximum(stats.poisson.ppf(uniform, rate), 1), dtype=np.int64)


def simulate_outbreaks(
    rng: np.random.Generator,
    *,
    replicates: int = 100,
    k_past: tuple[float, ...] = (0, 2, 3, 5, 10),
    k_now: tuple[float, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    scenarios: npt.ArrayLike | None = None,
) -> OutbreakStudy:
    """Simulate ``replicates`` series of each scenario; sizes of past and current outbreaks run through their full grid.

    An outbreak that starts in a week with standard deviation sd has a size drawn from a Poisson distribution with mean k sd, given that
    it is not 0, and each of its cases falls floor(X) weeks later, X lognormal(0, 0.5). Four outbreaks start in weeks 313 to 575, one in
    the last 49 weeks; cases beyond the end are lost.

    Parameters
    ----------
    rng : numpy.random.Generator
    replicates : int
        Series per scenario.
    k_past, k_now : tuple of float
        Sizes in standard deviations; a 0 in ``k_past`` means no past outbreaks.
    scenarios : sequence of int, optional
        Numbers of scenarios, by default all 42.
    """
    chosen = SCENARIOS if scenarios is None else SCENARIOS.loc[np.asarray(scenarios)]
    combination = np.arange(replicates) % (len(k_past) * len(k_now))
    design = pd.DataFrame(
        {
            "scenario": np.repeat(chosen.index.to_numpy(), replicates),
            "k_past": np.tile(np.asarray(k_past, dtype=np.float64)[combination // len(k_now)], len(chosen)),
            "k_now": np.tile(np.asarray(k_now, dtype=np.float64)[combination % len(k_now)], len(chosen)),
            "replicate": np.tile(np.arange(replicates), len(chosen)),
        }
    )
    theta, phi, beta, gamma1, gamma2, harmonics = (chosen[name].to_numpy().repeat(replicates) for name in chosen.columns)
    week = np.arange(1, WEEKS + 1)
    log_mean = theta[:, None] + beta[:, None] * week
    for j in (1, 2):
        wave = gamma1[:, None] * np.cos(2 * np.pi * j * week / 52) + gamma2[:, None] * np.sin(2 * np.pi * j * week / 52)
        log_mean += (harmonics >= j)[:, None] * wave
    mean = np.exp(log_mean)
    over = np.where(phi > 1, phi - 1, 1.0)[:, None]
    rate = np.where(phi[:, None] > 1, rng.gamma(mean / over) * over, mean)  # a gamma mixture of Poissons is negative binomial
    counts = rng.poisson(rate).astype(np.float64)
    deviation = np.sqrt(phi[:, None] * mean)

    def outbreak(low: int, high: int, k: FloatArray) -> FloatArray:
        cases = np.zeros_like(counts)
        start = rng.integers(low - 1, high, len(k))
        has = np.flatnonzero(k > 0)
        if has.size:
            size = _positive_poisson((k * deviation[np.arange(len(k)), start])[has], rng)
            row = np.repeat(has, size)
            at = start[row] + np.floor(rng.lognormal(0.0, 0.5, len(row))).astype(np.int64)
            inside = at < WEEKS
            np.add.at(cases, (row[inside], at[inside]), 1.0)
        return cases

    for _ in range(_PAST_OUTBREAKS):
        counts += outbreak(*_PAST, design["k_past"].to_numpy())
    current = outbreak(WEEKS - CURRENT_WEEKS + 1, WEEKS, design["k_now"].to_numpy())
    periods = pd.period_range("2010-01-04", periods=WEEKS, freq="W-SUN")
    index = pd.RangeIndex(len(design), name="series")
    return OutbreakStudy(Panel(counts + current, index, periods), Panel(counts, index, periods), current, mean, phi, design)
