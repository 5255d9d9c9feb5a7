"""The detectors against loops over statsmodels and scipy that give the same limits; and studies of their false alarms.

With pytest: speed. RISKWATCH_BENCH_SERIES (default 20,000), and RISKWATCH_BENCH_LOOP_SERIES for the loops (150).

python benchmarks/bench_detectors.py parity FOLDER  # each reference row of R surveillance in FOLDER/ref_surveillance_detail
python benchmarks/bench_detectors.py real FOLDER    # all NEISS products of FOLDER/neiss_youth_2011_2019
python benchmarks/bench_detectors.py calibration    # share of false alarms by mean and dispersion (some minutes)
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import size
from scipy import stats

from riskwatch.detectors import binomial_baseline, detector
from riskwatch.detectors.baselines import reference_positions, seasonal_baseline
from riskwatch.panel import Panel

METHODS = ("nb-plugin", "muan", "delta", "nb-predictive")
SERIES, LOOP_SERIES = size("SERIES", 20_000), size("LOOP_SERIES", 150)
FARRINGTON, BINOMIAL = "farrington-flexible, newest week of six years", "binomial-baseline, newest week of two years"


def weekly_panel(series, years, rng, mean=5.0, phi=1.0):
    periods = pd.period_range("2016-01-04", periods=52 * years + 1, freq="W-SUN")
    season = 1 + 0.3 * np.cos(2 * np.pi * np.arange(len(periods)) / 52.18)
    return Panel(counts(mean * season * np.ones((series, 1)), phi, rng), pd.RangeIndex(series), periods)


def counts(mean, phi, rng):
    """Poisson, or negative binomial with variance phi * mean."""
    if phi == 1:
        return rng.poisson(mean).astype(float)
    return rng.negative_binomial(mean / (phi - 1), 1 / phi).astype(float)


def one_by_one(panel, alpha=0.005):
    """Run the same algorithm with statsmodels, a series at a time."""
    import statsmodels.api as sm

    now = len(panel.periods) - 1
    design = seasonal_baseline(now, reference_positions(panel.periods, now, 5, "calendar"), half_window=3, guard=26, levels=10)
    part = np.searchsorted(design.starts, np.arange(len(design.rows)), side="right") - 1
    dummies = np.eye(len(design.starts))[part]
    with_trend = np.column_stack([dummies, design.rows - now])
    upper = np.empty(len(panel.index))
    for at, series in enumerate(panel.observed):
        y = series[design.rows]

        def fitted(x, y=y):
            first = sm.GLM(y, x, family=sm.families.Poisson()).fit()
            phi = max(first.pearson_chi2 / first.df_resid, 1)
            residual = 1.5 * (y ** (2 / 3) * first.mu ** (-1 / 6) - first.mu**0.5) / np.sqrt(phi * (1 - first.get_hat_matrix_diag()))
            raw = np.where(residual > 2.58, residual**-2.0, 1)
            again = sm.GLM(y, x, family=sm.families.Poisson(), var_weights=raw * len(y) / raw.sum()).fit(scale="X2")
            return again, max(again.pearson_chi2 / again.df_resid, 1)

        result, phi = fitted(with_trend)
        expected = np.exp(result.params[len(design.starts) - 1])
        if not (result.pvalues[-1] < 0.05 and expected <= y.max()):
            result, phi = fitted(dummies)
            expected = np.exp(result.params[-1])
        upper[at] = stats.poisson.ppf(1 - alpha, expected) if phi == 1 else stats.nbinom.ppf(1 - alpha, expected / (phi - 1), 1 / phi)
    return upper


def test_farrington_and_statsmodels_loop(measure):
    """The loop's limits are ours, on the same series."""
    small = weekly_panel(LOOP_SERIES, 6, np.random.default_rng(1))

    def loop():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return one_by_one(small)

    theirs = measure(loop, group=FARRINGTON, name="peer: statsmodels loop", units=LOOP_SERIES, of="series")
    ours = detector("farrington-flexible", limit_cases=0, standard_errors="pearson").detect(small).upper[:, 0]
    assert np.mean(ours == theirs) >= 0.99


@pytest.mark.parametrize(("mean", "phi"), [(5.0, 1.5), (0.3, 1.0)], ids=["mean-5", "mean-0.3"])
def test_farrington(measure, mean, phi):
    large = weekly_panel(SERIES, 6, np.random.default_rng(2), mean=mean, phi=phi)
    judge = detector("farrington-flexible", limit_cases=0, standard_errors="pearson")
    judge.detect(weekly_panel(10, 6, np.random.default_rng(3)))
    signals = measure(
        lambda: judge.detect(large), group=FARRINGTON, name=f"riskwatch, mean {mean:g}, phi {phi:g}", units=SERIES, of="series"
    )
    assert np.isfinite(signals.upper).mean() > 0.5


def inspections(series, rng):
    exposure = rng.poisson(8, (series, 120)).astype(float)
    failed = rng.binomial(exposure.astype(int), rng.beta(2, 38, (series, 1))).astype(float)
    return Panel(failed, pd.RangeIndex(series), pd.period_range("2021-01-04", periods=120, freq="W-SUN"), exposure)


def test_binomial_and_scipy_loop(measure):
    """The loop is spared the estimation: it gets the predictive distribution, and gives p-value and limit of each series."""
    panel = inspections(LOOP_SERIES * 4, np.random.default_rng(1))
    judge = detector("binomial-baseline")
    past = slice(len(panel.periods) - 1 - 4 - 104, len(panel.periods) - 1 - 4)
    x, n = panel.observed[:, past], panel.exposure[:, past]
    rho = binomial_baseline.estimate_correlation(x, n)
    failed, total = binomial_baseline.effective(x, n, rho)
    prior = binomial_baseline.estimate_prior(failed, total, rho, judge.typical_rate, judge.typical_strength)
    a, b = binomial_baseline.predictive(failed, total, prior)

    def loop():
        found = [stats.betabinom(int(m), p, q) for m, p, q in zip(panel.exposure[:, -1], a, b, strict=True)]
        return np.array([[d.sf(count - 1), d.isf(judge.alpha)] for d, count in zip(found, panel.observed[:, -1], strict=True)])

    theirs = measure(loop, group=BINOMIAL, name="peer: scipy loop, limits only", units=len(panel.index), of="series")
    signals = judge.detect(panel)
    judged = signals.reason[:, 0] == 0
    assert judged.mean() > 0.95
    assert np.allclose(signals.p_value[judged, 0], theirs[judged, 0], rtol=1e-6)
    assert np.mean(signals.upper[judged, 0] == theirs[judged, 1]) >= 0.99


def test_binomial(measure):
    panel = inspections(SERIES, np.random.default_rng(2))
    signals = measure(
        lambda: detector("binomial-baseline").detect(panel),
        group=BINOMIAL,
        name="riskwatch, estimation included",
        units=SERIES,
        of="series",
    )
    assert (signals.reason == 0).mean() > 0.95


def parity(folder):
    """Compare with every row of the detailed R reference; print the rows that differ by more than 1e-6."""
    import json
    from pathlib import Path

    reference = Path(__file__).parents[1] / "tests" / "reference"
    counts = pd.read_csv(reference / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])
    rows, worst = 0, dict.fromkeys(("upper", "expected", "p_value"), 0.0)
    for case in json.loads((reference / "farrington_flexible_cases.json").read_text())["cases"]:
        if "golden" in case["case"]:
            continue
        row = counts.loc[(case["dataset"], case["unit"])]
        population = np.array(row["population"].split(), float)[None] if row["population"] else None
        observed = np.array(row["counts"].split(), float)[None]
        periods = pd.period_range(case["first"] or "2000-01-03", periods=observed.shape[1], freq=case["freq"])
        theirs = pd.read_csv(Path(folder) / "ref_surveillance_detail" / f"ff_{case['case']}.csv")
        match = "calendar" if case["first"] else "fixed"
        judge = detector("farrington-flexible", **case["parameters"], min_years=1, zero_floor=0, year_match=match)
        ours = judge.detect(Panel(observed, pd.Index([0]), periods, population), periods[theirs["t"] - 1])
        refused = np.isnan(ours.upper[0]) & theirs["upperbound"].isna().to_numpy()
        for name, column in (("upper", "upperbound"), ("expected", "expected"), ("p_value", "pvalue")):
            mine, other = getattr(ours, name)[0], theirs[column].to_numpy()
            scale = 1.0 if name == "p_value" else np.maximum(np.abs(other), 1e-6)
            difference = np.where((mine == other) | refused, 0.0, np.abs(mine - other) / scale)
            worst[name] = max(worst[name], float(difference.max()))
            for at in np.flatnonzero(~(difference <= 1e-6)):
                print(f"{case['case']} t={theirs['t'][at]} {name}: {mine[at]!r}, R {other[at]!r}")
        rows += len(theirs)
    print(f"{rows} rows; largest difference: " + ", ".join(f"{name} {value:.1e}" for name, value in worst.items()))


def real(folder):
    """All products of the NEISS youth records, by month: time, share of small p-values, share of alarms."""
    from pathlib import Path

    records = pd.read_parquet(Path(folder) / "neiss_youth_2011_2019" / "injuries.parquet", columns=["prod1", "treatment_date_est"])
    months = pd.period_range("2011-01", "2019-12", freq="M")
    when = pd.to_datetime(records["treatment_date_est"]).dt.to_period("M")
    counts = pd.crosstab(records["prod1"], when).reindex(columns=months, fill_value=0)
    panel = Panel(counts.to_numpy(float), counts.index, months)
    started = time.perf_counter()
    signals = detector("farrington-flexible").detect(panel, months[48:])
    took = time.perf_counter() - started
    p = signals.p_value[signals.reason == 0]
    print(f"{panel.shape[0]} products, 60 months judged in {took:.1f} s; {len(p)} cells judged")
    print(f"p <= 0.05: {np.mean(p <= 0.05):.2%}, alarms {signals.alarm.sum() / len(p):.2%}")


def calibration(series=4000):
    rng = np.random.default_rng(2)
    print("Share of judged cells that alarm, no outbreak present; nominal 0.5 %. Panels with 5 full years before the judged period.")
    print(f"{'freq':8}{'mean':>8}{'phi':>5}" + "".join(f"{name:>15}" for name in (*METHODS, "judged")))
    for freq, length, years in (("W-SUN", 52, 6), ("M", 12, 5)):
        periods = pd.period_range("2016-01-04", periods=length * years + 1, freq=freq)
        season = 1 + 0.3 * np.cos(2 * np.pi * np.arange(len(periods)) / length)
        for mean in (0.2, 1.0, 5.0, 30.0, 1000.0):
            for phi in (1.0, 2.0):
                panel = Panel(counts(mean * season * np.ones((series, 1)), phi, rng), pd.RangeIndex(series), periods)
                shares, judged = [], 0.0
                for method in METHODS:
                    signals = detector("farrington-flexible", threshold_method=method).detect(panel)
                    ok = signals.reason == 0
                    shares.append(signals.alarm[ok].mean() if ok.any() else np.nan)
                    judged = ok.mean()
                print(f"{freq:8}{mean:8g}{phi:5g}" + "".join(f"{share:15.2%}" for share in shares) + f"{judged:15.0%}", flush=True)
    print("binomial-baseline: share of cells with p <= level; 3,000 series, true rates Beta(2, 38), correlation 0.03")
    for n_mean in (3, 10, 50, 500):
        exposure = rng.poisson(n_mean, (3000, 118)).astype(float)
        mu = rng.beta(2, 38, (3000, 1))
        size = 1 / 0.03 - 1
        rate = rng.beta(mu * size * np.ones_like(exposure), (1 - mu) * size * np.ones_like(exposure))
        failed = rng.binomial(exposure.astype(int), rate).astype(float)
        failed[exposure == 0] = np.nan
        panel = Panel(failed, pd.RangeIndex(3000), pd.period_range("2021-01-04", periods=118, freq="W-SUN"), exposure)
        for mid_p in (False, True):
            signals = detector("binomial-baseline", mid_p=mid_p).detect(panel, panel.periods[-4:])
            p = signals.p_value[signals.reason == 0]
            print(
                f"n ~ {n_mean:<4} mid_p {mid_p!s:5}"
                + "".join(f"   p<={level}: {np.mean(p <= level):.2%}" for level in (0.1, 0.05, 0.01, 0.005))
            )


if __name__ == "__main__":
    {"calibration": calibration, "parity": parity, "real": real}[sys.argv[1]](*sys.argv[2:])
