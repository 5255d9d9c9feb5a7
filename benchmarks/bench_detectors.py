"""The detectors against R, loops over statsmodels and scipy that give the same limits; and studies of their false alarms.

With pytest: speed. RISKWATCH_BENCH_SERIES (default 20,000), RISKWATCH_BENCH_LOOP_SERIES for the loops (150) and for R (60).

python benchmarks/bench_detectors.py memory         # 100,000 series of 624 weeks: seconds and peak memory
python benchmarks/bench_detectors.py parity FOLDER  # each reference row of R surveillance in FOLDER/ref_surveillance_detail
python benchmarks/bench_detectors.py real FOLDER    # all NEISS products of FOLDER/neiss_youth_2011_2019
python benchmarks/bench_detectors.py calibration    # share of false alarms by mean and dispersion (some minutes)
python benchmarks/bench_detectors.py null           # the same for both Farrington methods: season, trend, level by level
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import size
from scipy import optimize, special, stats

from riskwatch.detectors import binomial_prior, binomial_scatter, blocks, detector
from riskwatch.detectors.baselines import reference_positions, seasonal_baseline
from riskwatch.panel import Panel

METHODS = ("nb-plugin", "muan", "delta", "nb-predictive")
SERIES, LOOP_SERIES, R_SERIES = size("SERIES", 20_000), size("LOOP_SERIES", 150), size("R_SERIES", 60)
PRIOR_GROUPS = size("PRIOR_GROUPS", 156)
FARRINGTON, BINOMIAL = "farrington-flexible, newest of 624 weeks", "binomial-baseline, newest week of two years"
PRIORS = "priors of groups of 75 siblings each"
GLM = "binomial-glm, newest of 75 months"
FARRINGTON_R = "farrington-flexible with R's standard errors, newest of 624 weeks"
CASES = [(5.0, 1.0), (5.0, 1.5), (0.3, 1.0), (0.3, 1.5)]
R_SCRIPT = """
suppressPackageStartupMessages(library(surveillance))
counts <- t(as.matrix(read.csv(commandArgs(TRUE)[1], header = FALSE)))
weeks <- sts(counts, frequency = 52, epoch = seq(as.Date("2012-01-02"), by = 7, length.out = nrow(counts)), epochAsDate = TRUE)
settings <- list(range = nrow(counts), b = 5, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, reweight = TRUE, weightsThreshold = 2.58,
                 alpha = 0.005, trend = TRUE, pThresholdTrend = 0.05, limit54 = c(0, 4), thresholdMethod = "nbPlugin", glmWarnings = FALSE)
cat("ready\\n")
invisible(readLines(file("stdin"), 1))
found <- suppressWarnings(farringtonFlexible(weeks, settings))
cat(format(as.vector(found@upperbound), digits = 17), "\\n")
"""


def weekly_panel(series, rng, mean=5.0, phi=1.0, weeks=624):
    periods = pd.period_range("2012-01-02", periods=weeks, freq="W-SUN")
    season = 1 + 0.3 * np.cos(2 * np.pi * np.arange(weeks) / 52.18)
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
    small = weekly_panel(LOOP_SERIES, np.random.default_rng(1), phi=1.5)

    def loop():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return one_by_one(small)

    theirs = measure(loop, group=FARRINGTON, name="peer: statsmodels loop, mean 5, phi 1.5", units=LOOP_SERIES, of="series")
    ours = detector("farrington-flexible", limit_cases=0, standard_errors="pearson").detect(small).upper[:, 0]
    assert np.mean(ours == theirs) >= 0.99


@pytest.mark.parametrize(("mean", "phi"), CASES)
def test_farrington(measure, mean, phi):
    large = weekly_panel(SERIES, np.random.default_rng(2), mean=mean, phi=phi)
    judge = detector("farrington-flexible", limit_cases=0, standard_errors="pearson")
    judge.detect(weekly_panel(10, np.random.default_rng(3)))
    name = f"riskwatch, mean {mean:g}, phi {phi:g}"
    signals = measure(lambda: judge.detect(large), group=FARRINGTON, name=name, units=SERIES, of="series", rounds=3)
    assert np.isfinite(signals.upper).mean() > 0.5


def test_farrington_floor(measure):
    """What a plain batched IRLS cannot do without: an exponential a period and pass, and the normal equations as a matrix product.

    Four fits of five passes; 238 baseline periods; the design has eleven columns, 66 pairs of them.
    """
    rng = np.random.default_rng(4)
    pairs, means = rng.random((66, 238)), rng.random((238, 1024))
    rounds = 20 * -(-SERIES // 1024)

    def work(where):
        for _ in range(where.start, where.stop):
            out = np.exp(means)
        return [out[0, : where.stop - where.start]]

    def plain():
        blocks.over_blocks(work, rounds, (np.empty(rounds),), 20)
        for _ in range(rounds):
            pairs @ means  # the library's own threads

    plain()
    name = "floor of a plain batched IRLS: its exponentials and products alone"
    measure(plain, group=FARRINGTON, name=name, units=SERIES, of="series", rounds=3)


def test_product(measure):
    square = np.random.default_rng(5).random((3000, 3000))
    square @ square
    measure(lambda: square @ square, group="machine", name="3,000 x 3,000 product, all threads", units=54, of="GFLOP", rounds=3)


def test_exponentials(measure):
    values = np.random.default_rng(5).random(100_000)

    def work(where):
        for _ in range(100):
            out = np.exp(values)
        return [out[: where.stop - where.start]]

    def exponentials():
        blocks.over_blocks(work, 8, (np.empty(8),), 1)

    measure(exponentials, group="machine", name="exponentials in cache, all threads", units=80, of="million", rounds=3)


def test_farrington_and_r(measure, tmp_path):
    """R fits the same series; starting R and loading the package is not counted."""
    if shutil.which("Rscript") is None:
        pytest.skip("no Rscript")
    small = weekly_panel(R_SERIES, np.random.default_rng(6), phi=1.5)
    np.savetxt(tmp_path / "counts.csv", small.observed, fmt="%d", delimiter=",")
    (tmp_path / "peer.R").write_text(R_SCRIPT, encoding="utf-8")
    command = ["Rscript", str(tmp_path / "peer.R"), str(tmp_path / "counts.csv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as peer:
        if peer.stdout.readline() != "ready\n":
            pytest.skip("R without the package surveillance")

        def fit():
            peer.stdin.write("go\n")
            peer.stdin.close()
            return np.array(peer.stdout.readline().split(), float)

        theirs = measure(fit, group=FARRINGTON_R, name="peer: R surveillance, mean 5, phi 1.5", units=R_SERIES, of="series")
    ours = detector("farrington-flexible", limit_cases=0, zero_floor=0).detect(small).upper[:, 0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize(("mean", "phi"), CASES)
def test_farrington_with_r_standard_errors(measure, mean, phi):
    large = weekly_panel(SERIES, np.random.default_rng(2), mean=mean, phi=phi)
    judge = detector("farrington-flexible", limit_cases=0)
    name = f"riskwatch, mean {mean:g}, phi {phi:g}"
    signals = measure(lambda: judge.detect(large), group=FARRINGTON_R, name=name, units=SERIES, of="series", rounds=3)
    assert np.isfinite(signals.upper).mean() > 0.5


def test_farrington_1996(measure):
    large = weekly_panel(SERIES, np.random.default_rng(2), phi=1.5)
    judge = detector("farrington", limit_cases=0)
    signals = measure(
        lambda: judge.detect(large), group="farrington, newest of 624 weeks", name="riskwatch", units=SERIES, of="series", rounds=3
    )
    assert np.isfinite(signals.upper).mean() > 0.99


def test_memory():
    """100,000 series of 624 weeks stay under 3 GB, the panel included, in a process of their own."""
    said = subprocess.run([sys.executable, __file__, "memory"], capture_output=True, text=True, check=True).stdout
    print(said)
    assert float(said.split("peak ")[1].split(" ")[0].replace(",", "")) < 3000


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
    rho = binomial_scatter.estimate_correlation(x, n)
    failed, total = binomial_prior.effective(x, n, rho)
    prior = binomial_prior.estimate_prior(failed, total, rho, judge.typical_rate, judge.typical_strength)
    a, b = binomial_prior.predictive(failed, total, prior)

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


def sparse_groups(groups, rng, siblings=75):
    """Test items of thin series: shares of 0.1 to 3 %, 10 to 300 inspections, most series without a failure; totals are fractions."""
    share = 10 ** rng.uniform(-3, -1.5, (groups, 1))
    months = rng.poisson(10 ** rng.uniform(-0.5, 1, (groups, siblings, 1)), (groups, siblings, 30)).astype(float)
    failed = rng.binomial(months.astype(int), rng.beta(5 * share, 5 * (1 - share), (groups, siblings))[..., None]).astype(float)
    parts = binomial_prior.effective(failed.reshape(-1, 30), months.reshape(-1, 30), 0.03)
    return *parts, list(np.arange(groups * siblings).reshape(groups, siblings))


def scipy_prior(x, n, centre):
    """Minimise the same loss of one group by L-BFGS-B with its gradient, to scipy's own tolerances; return point and loss."""

    def loss(point):
        mean, strength = special.expit(point[0]), np.exp(point[1])
        a, b = mean * strength, (1.0 - mean) * strength
        common = special.digamma(strength) - special.digamma(n + strength)
        by_a = (special.digamma(x + a) - special.digamma(a) + common).sum()
        by_b = (special.digamma(n - x + b) - special.digamma(b) + common).sum()
        away = (point - centre) / 2.0
        gradient = np.array([(by_a - by_b) * mean * (1.0 - mean) * strength, by_a * a + by_b * b])
        return away @ away / 2.0 - (special.betaln(x + a, n - x + b) - special.betaln(a, b)).sum(), away / 2.0 - gradient

    found = optimize.minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=[(-13.8, 13.8), (np.log(0.1), np.log(1e6))])
    return found.x, loss


def priors(failed, total, groups):
    return binomial_prior.estimate_priors(failed, total, groups, [0.03] * len(groups), rate=0.05, strength=20.0)


def test_priors_and_scipy_loop(measure):
    """No loss of ours is above the loop's, on the same groups."""
    failed, total, groups = sparse_groups(PRIOR_GROUPS, np.random.default_rng(1))
    centre = np.array([special.logit(0.05), np.log(20.0)])

    def loop():
        return [scipy_prior(failed[rows], total[rows], centre) for rows in groups]

    theirs = measure(loop, group=PRIORS, name="peer: scipy L-BFGS-B loop", units=len(groups), of="groups", rounds=3)
    for prior, (point, loss) in zip(priors(failed, total, groups), theirs, strict=True):
        ours = np.array([special.logit(prior.rate), np.log(prior.strength)])
        assert loss(ours)[0] <= loss(point)[0] + 1e-9
        assert np.abs(ours - point).max() < 0.01


def test_priors(measure):
    made = sparse_groups(PRIOR_GROUPS, np.random.default_rng(1))
    found = measure(lambda: priors(*made), group=PRIORS, name="riskwatch, all at once", units=PRIOR_GROUPS, of="groups", rounds=3)
    assert len(found) == PRIOR_GROUPS


def test_priors_one_by_one(measure):
    failed, total, groups = sparse_groups(PRIOR_GROUPS, np.random.default_rng(1))

    def loop():
        return [binomial_prior.estimate_prior(failed[rows], total[rows], 0.03, 0.05, 20.0) for rows in groups]

    found = measure(loop, group=PRIORS, name="riskwatch, a call for each", units=PRIOR_GROUPS, of="groups", rounds=3)
    assert found == priors(failed, total, groups)


def seasonal_inspections(series, rng):
    """Months of about 50 inspections, shares with a season and a trend."""
    month = np.arange(75)
    exposure = rng.poisson(50, (series, 75)) + 1.0
    logit = -2.9 + rng.normal(0, 0.5, (series, 1)) + 0.3 * np.cos(2 * np.pi * month / 12) + 0.05 * (month - 74) / 12
    failed = rng.binomial(exposure.astype(int), 1 / (1 + np.exp(-logit))).astype(float)
    return Panel(failed, pd.RangeIndex(series), pd.period_range("2019-01", periods=75, freq="M"), exposure)


def test_glm_and_statsmodels_loop(measure):
    """The loop fits level, trend and two waves to each series, once, without weights, siblings or scatter; its limit is binomial."""
    import statsmodels.api as sm

    panel = seasonal_inspections(LOOP_SERIES, np.random.default_rng(1))
    month = np.arange(75)
    waves = [wave(2 * np.pi * turns * month / 12) for turns in (1, 2) for wave in (np.cos, np.sin)]
    columns = np.column_stack([np.ones(75), month / 12, *waves])
    past = slice(14, 73)

    def loop():
        out = np.empty((LOOP_SERIES, 2))
        for at, (x, n) in enumerate(zip(panel.observed, panel.exposure, strict=True)):
            fitted = sm.GLM(np.column_stack([x[past], n[past] - x[past]]), columns[past], family=sm.families.Binomial()).fit()
            share = float(fitted.predict(columns[-1:])[0])
            out[at] = n[-1] * share, stats.binom.isf(0.005, int(n[-1]), share)
        return out

    theirs = measure(loop, group=GLM, name="peer: statsmodels GLM loop, one fit a series", units=LOOP_SERIES, of="series")
    ours = detector("binomial-glm").detect(panel)
    assert 0.9 < ours.expected.sum() / theirs[:, 0].sum() < 1.1
    assert np.corrcoef(ours.expected[:, 0], theirs[:, 0])[0, 1] > 0.6


def test_glm(measure):
    panel = seasonal_inspections(SERIES, np.random.default_rng(2))
    judge = detector("binomial-glm")
    judge.detect(seasonal_inspections(10, np.random.default_rng(3)))
    signals = measure(lambda: judge.detect(panel), group=GLM, name="riskwatch", units=SERIES, of="series")
    assert (signals.reason == 0).all()


def parity(folder):
    """Compare with every row of the detailed R reference; print the rows that differ by more than 1e-6."""
    import json

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


def memory(series=100_000):
    panel = Panel(
        np.random.default_rng(1).poisson(5.0, (series, 624)).astype(float),
        pd.RangeIndex(series),
        pd.period_range("2012-01-02", periods=624, freq="W-SUN"),
    )
    started = time.perf_counter()
    detector("farrington-flexible").detect(panel)
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{series:,} series in {took:.2f} s; peak {peak:,.0f} MB, of them {panel.observed.nbytes / 2**20:,.0f} MB the panel's counts")


def null(series=20_000):
    """Share of p-values at or below four levels without any outbreak; newest week of six years, level 0.5 % marks an alarm."""
    rng = np.random.default_rng(3)
    t = np.arange(313)
    shapes = {
        "level": np.ones(313),
        "season": np.exp(0.6 * np.cos(2 * np.pi * t / 52.18)),
        "trend": np.exp(0.002 * (t - 312)),
        "season, trend": np.exp(0.6 * np.cos(2 * np.pi * t / 52.18) + 0.002 * (t - 312)),
    }
    judges = [("farrington", {})] + [("farrington-flexible", {"threshold_method": name}) for name in METHODS]
    print("| data | mean | phi | detector | alarms | p <= 0.01 | p <= 0.05 | p <= 0.1 | judged |\n|---|--:|--:|---|--:|--:|--:|--:|--:|")
    for shape, curve in shapes.items():
        for mean, phi in ((1.0, 1.0), (10.0, 1.0), (10.0, 2.0), (100.0, 1.0), (100.0, 3.0)):
            periods = pd.period_range("2016-01-04", periods=313, freq="W-SUN")
            panel = Panel(counts(mean * curve * np.ones((series, 1)), phi, rng), pd.RangeIndex(series), periods)
            for name, given in judges:
                signals = detector(name, limit_cases=0, **given).detect(panel)
                p = signals.p_value[signals.reason == 0]
                shares = " | ".join(f"{np.mean(p <= level):.2%}" for level in (0.005, 0.01, 0.05, 0.1))
                label = ", ".join([name, *given.values()])
                print(f"| {shape} | {mean:g} | {phi:g} | {label} | {shares} | {p.size / series:.0%} |", flush=True)


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
    {"calibration": calibration, "memory": memory, "null": null, "parity": parity, "real": real}[sys.argv[1]](*sys.argv[2:])
