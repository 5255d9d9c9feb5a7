"""What the reporting-delay model brings, and what the Spring Festival does to a baseline without regressors; on simulated data.

``python benchmarks/study_delay.py`` prints three tables (about two minutes on one core):

1. Level: realised rate of p <= alpha without any outbreak, by days since the end of the week, where delays differ between series and
   have to be learnt from what was known on the day.
2. Earliness: outbreaks of one week, found on which day, at the same rate of false alarms per series and week.
3. Festival: realised rate in festival weeks and in others, with and without the regressors.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from riskwatch.calendar import (
    HolidayCalendar,
    completeness,
    concentration,
    delay_distribution,
    period_index,
    period_scatter,
    reporting_triangle,
    spring_festival,
)
from riskwatch.detectors import detector
from riskwatch.detectors.signals import Signals
from riskwatch.detectors.thresholds import negative_binomial_tail
from riskwatch.panel import Completeness, Panel
from riskwatch.project import template_root

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SERIES, WEEKS, JUDGED, LONGEST = 200, 330, 60, 35
AGES = (1, 8, 15, 22)
DETECTOR = "farrington-flexible"


@dataclass(frozen=True)
class Reports:
    """Records of simulated weeks: series, last day of the week, day known; and each series' own delay distribution, (series, day)."""

    series: IntArray
    end: IntArray
    known: IntArray
    cdf: FloatArray
    mean: FloatArray


def simulate(seed: int, *, series: int = SERIES, weeks: int = WEEKS, phi: float = 1.5, alpha0: float = 15.0, rho: float = 0.03) -> Reports:
    """Draw weekly negative binomial counts with season, and delays: batches every seven days, heterogeneous between series and weeks."""
    rng = np.random.default_rng(seed)
    week = np.arange(weeks)
    level = rng.uniform(2.0, 25.0, (series, 1))
    mean = level * np.exp(0.4 * np.cos(2 * np.pi * (week / 52.18 - rng.uniform(0, 1, (series, 1)))))
    count = rng.poisson(rng.gamma(mean / (phi - 1.0), phi - 1.0))
    # Half of the records come the day after the week, the rest in weekly batches, few as late as five weeks.
    base = np.zeros(LONGEST + 1)
    base[[1, 8, 15, 22, 29, 35]] = [0.48, 0.31, 0.1, 0.06, 0.04, 0.01]
    on = base > 0
    own = rng.dirichlet(alpha0 * base[on], size=series)
    share = rng.standard_gamma(np.repeat(own[:, None, :], weeks, axis=1) * (1.0 / rho - 1.0)) + 1e-12
    share /= share.sum(axis=2, keepdims=True)
    split = rng.multinomial(count, share)
    delay = np.broadcast_to(np.flatnonzero(on), split.shape)
    end = np.broadcast_to((7 * week)[None, :, None], split.shape)
    owner = np.broadcast_to(np.arange(series)[:, None, None], split.shape)
    times = split.ravel()
    cdf = np.zeros((series, LONGEST + 1))
    cdf[:, on] = own
    ends, owners = np.repeat(end.ravel(), times), np.repeat(owner.ravel(), times)
    return Reports(owners, ends, ends + np.repeat(delay.ravel(), times), np.cumsum(cdf, axis=1), mean)


def panel_on(reports: Reports, now: int, *, complete: bool) -> Panel:
    """Build the panel of the weeks that ended by day ``now`` as known then, with its completeness learnt from the last two years."""
    series, weeks = len(reports.mean), now // 7 + 1
    seen = (reports.known <= now) & (reports.end <= now)
    owner, end, known = reports.series[seen], reports.end[seen], reports.known[seen]
    observed = np.bincount(owner * weeks + end // 7, minlength=series * weeks).reshape(series, weeks).astype(np.float64)
    periods = period_index("week", "2018-01-01", "2030-12-31")[:weeks]
    if not complete:
        return Panel(observed, pd.Index(range(series)), periods)
    recent = end >= now - 730
    owner, end, known = owner[recent], end[recent], known[recent]
    triangle = reporting_triangle(end, known, owner, n_series=series, now=now, max_delay=LONGEST)
    cdf = delay_distribution(triangle)
    ages = now - 7 * np.arange(weeks)
    young = np.flatnonzero(ages < LONGEST)
    part, doubt = completeness(triangle, ages[young], cdf, concentration(triangle, cdf))
    rho = period_scatter(end, known, owner, now=now, max_delay=LONGEST, ages=ages[young], share=part)
    share, error = np.ones(observed.shape), np.zeros(observed.shape)
    share[:, young], error[:, young] = part, np.sqrt(doubt**2 + rho * part * (1.0 - part))
    return Panel(observed, pd.Index(range(series)), periods, completeness=Completeness(share, error))


def _p(signals: Signals) -> FloatArray:
    return signals.p_value[:, 0]


def looks(seed: int, size: float) -> tuple[dict[int, FloatArray], dict[int, FloatArray], dict[int, FloatArray], dict[int, FloatArray]]:
    """Return p-values (series x week) by age: without and with an outbreak of ``size`` standard deviations; completed and as reported."""
    rng = np.random.default_rng([seed, 1])
    reports = simulate(seed)
    method = detector(DETECTOR, limit_cases=0, threshold_method="nb-predictive", min_share=0.1)
    out: tuple[dict[int, list[FloatArray]], ...] = tuple({age: [] for age in AGES} for _ in range(4))
    for week in range(WEEKS - JUDGED, WEEKS - 6, 3):
        extra = rng.poisson(size * np.sqrt(1.5 * reports.mean[:, week]))
        for age in AGES:
            now = 7 * week + age
            come = rng.binomial(extra, reports.cdf[:, age])
            for start, complete in ((0, True), (2, False)):
                panel = panel_on(reports, now, complete=complete)
                judged = panel.periods[week : week + 1]
                out[start][age].append(_p(method.detect(panel, judged)))
                observed = panel.observed.copy()
                observed[:, week] += come
                more = Panel(observed, panel.index, panel.periods, completeness=panel.completeness)
                out[start + 1][age].append(_p(method.detect(more, judged)))
    found = tuple({age: np.array(values).T for age, values in part.items()} for part in out)
    return found[0], found[1], found[2], found[3]


def level_and_earliness(seeds: range) -> None:
    """Print tables 1 and 2."""
    every = [looks(seed, 4.0) for seed in seeds]
    null, sick, raw_null, raw_sick = ({age: np.concatenate([run[part][age].ravel() for run in every]) for age in AGES} for part in range(4))
    print("1. rate of p <= alpha without outbreak, by days since the end of the week")
    print("   alpha   " + "".join(f"{age:>5} d   " for age in AGES))
    for alpha in (0.05, 0.01, 0.005):
        for name, values in (("completed", null), ("as reported", raw_null)):
            rates = [np.mean(values[age][np.isfinite(values[age])] <= alpha) for age in AGES]
            print(f"   {alpha:<7} " + "".join(f"{rate:>7.4f}   " for rate in rates) + name)
    cells = null[AGES[0]].size
    print(f"   {cells} cells for each age; refused on day {AGES[0]}: {np.mean(~np.isfinite(null[AGES[0]])):.1%}")
    print("2. outbreaks of one week found by day, at the same rate of false alarms per series and week (1%)")
    ripe = AGES.index(15)
    for name, calm, ill, which in (
        ("judged once, when 15 days old", raw_null, raw_sick, AGES[ripe : ripe + 1]),
        ("completed, on days 1, 8 and 15", null, sick, AGES[: ripe + 1]),
    ):
        quiet = np.min([np.nan_to_num(calm[age], nan=1.0) for age in which], axis=0)
        limit = np.quantile(quiet, 0.01)
        text, best = [], np.ones(cells)
        for age in which:
            best = np.minimum(best, np.nan_to_num(ill[age], nan=1.0))
            text.append(f"day {age}: {np.mean(best <= limit):.3f}")
        print(f"   {name:<32} " + ", ".join(text))


def _fit(y: FloatArray, design: FloatArray) -> FloatArray:
    """Fit log-linear means to all rows of ``y``; return coefficients, shape (series, column)."""
    beta = np.zeros((len(y), design.shape[1]))
    beta[:, 0] = np.log(y.mean(axis=1) + 0.1)
    for _ in range(25):
        mean = np.exp(np.clip(beta @ design.T, -20, 20))
        information = np.einsum("si,ij,ik->sjk", mean, design, design) + 1e-9 * np.eye(design.shape[1])
        beta += np.linalg.solve(information, ((y - mean) @ design)[..., None])[..., 0]
    return beta


def festival(seed: int, calendar: HolidayCalendar) -> None:
    """Print table 3: a quasi-Poisson regression with two harmonics and trend, each week judged with the eight years before it."""
    rng = np.random.default_rng(seed)
    periods = period_index("week", "2015-01-05", "2026-06-28")
    names, columns = spring_festival(periods, calendar)
    time = np.arange(len(periods)) / 52.18
    plain = np.stack([np.ones(len(periods)), time / 10, *(f(2 * np.pi * k * time) for k in (1, 2) for f in (np.cos, np.sin))], axis=1)
    effect = np.array([0.25, -0.6, 0.15])
    level = rng.uniform(5.0, 40.0, (1000, 1))
    mean = level * np.exp(0.3 * np.cos(2 * np.pi * time - rng.uniform(0, 6, (1000, 1))) + effect @ columns)
    phi = 1.4
    y = rng.poisson(rng.gamma(mean / (phi - 1), phi - 1)).astype(np.float64)
    near = columns.sum(axis=0) > 0
    judged = np.flatnonzero((periods.start_time >= "2023-01-01") & (near | (np.arange(len(periods)) % 4 == 0)))
    print("3. rate of p <= 0.01 without outbreak; effects " + ", ".join(f"{n} {e:+.2f}" for n, e in zip(names, effect, strict=True)))
    for name, design in (("without regressors", plain), ("with regressors", np.concatenate([plain, columns.T], axis=1))):
        p = np.empty((len(y), len(judged)))
        for k, now in enumerate(judged.tolist()):
            past = slice(now - 8 * 52, now)
            beta = _fit(y[:, past], design[past])
            fitted = np.exp(beta @ design[past].T)
            spread = np.maximum(((y[:, past] - fitted) ** 2 / fitted).sum(axis=1) / (fitted.shape[1] - design.shape[1]), 1.0)
            inverse = np.linalg.inv(np.einsum("si,ij,ik->sjk", fitted, design[past], design[past]))
            variance = spread * np.einsum("j,sjk,k->s", design[now], inverse, design[now])
            expected = np.exp(beta @ design[now])
            p[:, k] = negative_binomial_tail(y[:, now], expected, spread + expected * variance)
        phases = [columns[j, judged] > 0.5 for j in range(3)]
        rates = [np.mean(p[:, phase] <= 0.01) for phase in (*phases, ~near[judged])]
        print(
            f"   {name:<20} " + ", ".join(f"{n} {r:.4f}" for n, r in zip(("before", "holiday", "after", "other weeks"), rates, strict=True))
        )


def main() -> None:
    """Print the three tables."""
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    level_and_earliness(seeds)
    content = yaml.safe_load((template_root() / "config" / "holidays.yaml").read_text(encoding="utf-8"))
    festival(1, HolidayCalendar.from_config(content))


if __name__ == "__main__":
    main()
