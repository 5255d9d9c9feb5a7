"""Trends against loops over the libraries that give the same numbers; and studies of their levels and coverage.

With pytest: speed. RISKWATCH_BENCH_SERIES (default 20,000), RISKWATCH_BENCH_LOOP_SERIES for the loops (100).

python benchmarks/bench_trends.py levels     # shares of true nulls rejected: slopes, Mann-Kendall, change points (minutes)
python benchmarks/bench_trends.py coverage   # coverage of forecasts and levels, reliability of crossing probabilities
python benchmarks/bench_trends.py values     # trends of a few values: level and coverage
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pymannkendall
import pytest
import statsmodels.api as sm
from conftest import size
from statsmodels.tsa.statespace.structural import UnobservedComponents

from riskwatch.trends.changepoints import changepoints
from riskwatch.trends.design import design_of, years_of
from riskwatch.trends.forecast import forecast, interval, probability_of_level
from riskwatch.trends.level import levels
from riskwatch.trends.mann_kendall import mann_kendall
from riskwatch.trends.slope import slopes
from riskwatch.trends.values import values_trend

SERIES, LOOP_SERIES = size("SERIES", 20_000), size("LOOP_SERIES", 100)
SLOPE, RANKS, LEVEL = "slope of 60 months, season of two waves", "Mann-Kendall and Sen's slope, 60 months", "level and season, 60 months"


def months(count):
    return years_of(pd.period_range("2015-01", periods=count, freq="M"))


def counts(rng, series, periods, *, mean=8.0, rho=0.0, spread=0.3):
    """Counts about a level that is an autocorrelated process."""
    state = rng.normal(size=(series, periods))
    for at in range(1, periods):
        state[:, at] = rho * state[:, at - 1] + np.sqrt(1 - rho**2) * state[:, at]
    return rng.poisson(mean * np.exp(spread * state)).astype(float)


@pytest.fixture(scope="module")
def series():
    return counts(np.random.default_rng(1), SERIES, 60)


def test_slopes(measure, series):
    found = measure(lambda: slopes(series, months(60), harmonics=2), group=SLOPE, name="riskwatch", units=SERIES, of="series")
    assert np.isfinite(found.slope).all()


def test_slopes_loop(measure, series):
    columns = design_of(months(60), harmonics=2).columns

    def loop():
        return [sm.GLM(row, columns, family=sm.families.Poisson()).fit(scale="X2").bse[1] for row in series[:LOOP_SERIES]]

    found = measure(loop, group=SLOPE, name="peer: statsmodels GLM", units=LOOP_SERIES, of="series")
    np.testing.assert_allclose(found, slopes(series[:LOOP_SERIES], months(60), harmonics=2, errors="quasi").error, rtol=1e-6)


@pytest.mark.parametrize("treatment", ["none", "hamed-rao", "effective-size"])
def test_mann_kendall(measure, series, treatment):
    measure(lambda: mann_kendall(series, treatment=treatment), group=RANKS, name=f"riskwatch, {treatment}", units=SERIES, of="series")


def test_mann_kendall_loop(measure, series):
    def loop():
        return [pymannkendall.original_test(row).p for row in series[:LOOP_SERIES]]

    found = measure(loop, group=RANKS, name="peer: pymannkendall", units=LOOP_SERIES, of="series")
    np.testing.assert_allclose(found, mann_kendall(series[:LOOP_SERIES]).p_value, atol=1e-9)


def test_levels(measure, series):
    found = measure(lambda: levels(series, months(60), harmonics=2), group=LEVEL, name="riskwatch", units=SERIES, of="series")
    assert np.isfinite(found.value).all()


def test_levels_loop(measure, series):
    def loop():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for row in np.log(series[: LOOP_SERIES // 5] + 0.5):
                UnobservedComponents(row, level="llevel", freq_seasonal=[{"period": 12, "harmonics": 2}]).fit(disp=0)

    measure(loop, group=LEVEL, name="peer: statsmodels UnobservedComponents", units=LOOP_SERIES // 5, of="series")


def study_levels():
    rng = np.random.default_rng(2)
    names = ("periods", "correlation", "mean", "robust", "quasi", "newey-west")
    ranks = ("MK effective-size", "MK hamed-rao", "MK prewhitened", "MK none", "any change")
    print("| " + " | ".join((*names, *ranks)) + " |")
    print("|--:" * 11 + "|")
    for periods in (24, 36, 60, 104):
        for rho in (0.0, 0.3, 0.6):
            for mean in (2.0, 20.0):
                y, years = counts(rng, 2000, periods, mean=mean, rho=rho), months(periods)
                glm = [(slopes(y, years, harmonics=1, errors=how).p_value < 0.05).mean() for how in ("robust", "quasi", "newey-west")]
                how = ("effective-size", "hamed-rao", "prewhitened", "none")
                with np.errstate(all="ignore"):
                    ranks = [(mann_kendall(y, treatment=each).p_value < 0.05).mean() for each in how]
                steps = len(np.unique(changepoints(y[:300], years, harmonics=1, min_length=4).series)) / 300
                print(f"| {periods} | {rho} | {mean:g} | " + " | ".join(f"{share:.3f}" for share in (*glm, *ranks, steps)) + " |")


def study_coverage():
    rng = np.random.default_rng(3)
    years, steps = months(72), np.array([1, 3, 6, 12])
    season = 0.3 * np.cos(2 * np.pi * years)
    print("| mean | wander a year | sd of slopes | over-dispersion | h = 1 | 3 | 6 | 12 | level now |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    pairs = []
    for mean in (2.0, 20.0):
        for wander, slope, extra in ((0.0, 0.0, 0.0), (0.1, 0.0, 0.05), (0.3, 0.1, 0.1), (0.1, 0.2, 0.3), (0.6, 0.1, 0.05)):
            level = np.log(mean) + rng.normal(0, slope, (1000, 1)) * (years - years[30])
            level = level + rng.normal(0, wander / np.sqrt(12), (1000, 72)).cumsum(axis=1)
            burden = rng.gamma(1 / extra, extra, level.shape) if extra else 1.0
            y = rng.poisson(np.exp(level + season) * burden).astype(float)
            now = levels(y[:, :60], years[:60], harmonics=1)
            made = forecast(now, steps)
            low, high = interval(made, 0.95)
            actual, truth = y[:, 59 + steps], np.exp(level)
            inside = [
                *((actual >= low) & (actual <= high)).mean(axis=0),
                ((now.lower <= truth[:, 59]) & (truth[:, 59] <= now.upper)).mean(),
            ]
            print(f"| {mean:g} | {wander} | {slope} | {extra} | " + " | ".join(f"{share:.3f}" for share in inside) + " |")
            if slope:
                aim = 1.2 * truth[:, 47:48]
                pairs.append(np.column_stack([probability_of_level(made, aim)[:, 3], truth[:, 71] >= aim[:, 0]]))
    said, came = np.concatenate(pairs).T
    print("\n| probability said | mean | share that came | series |\n|---|--:|--:|--:|")
    for first, last in ((0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
        band = (said >= first) & (said < last)
        print(f"| {first} to {min(last, 1)} | {said[band].mean():.2f} | {came[band].mean():.2f} | {band.sum()} |")


def study_values():
    rng = np.random.default_rng(4)
    print("| values | correlation of the process | p < 0.05 | covered a year ahead | two years |\n|--:|---|--:|--:|--:|")
    for count in (4, 6, 8, 12):
        for rho in (0.0, 0.3, 0.6, 1.0):
            noise = rng.normal(size=(3000, count + 2))
            process = noise.cumsum(axis=1) * 0.5 if rho == 1 else noise.copy()
            for at in range(1, count + 2 if rho < 1 else 0):
                process[:, at] = rho * process[:, at - 1] + np.sqrt(1 - rho**2) * noise[:, at]
            values, times = process + 0.7 * rng.normal(size=process.shape), 2010.0 + np.arange(count + 2)
            found = values_trend(values[:, :count], np.full((3000, count), 0.7), times[:count], times[count:])
            inside = ((values[:, count:] >= found.lower) & (values[:, count:] <= found.upper)).mean(axis=0)
            name = "random walk" if rho == 1 else f"{rho}"
            print(f"| {count} | {name} | {(found.p_value < 0.05).mean():.3f} | {inside[0]:.3f} | {inside[1]:.3f} |")


if __name__ == "__main__":
    {"levels": study_levels, "coverage": study_coverage, "values": study_values}[sys.argv[1]]()
