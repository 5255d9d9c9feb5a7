"""farrington-flexible: numbers of R surveillance, limits, offsets, gaps, calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import baselines, detector, parts, quasi_poisson, thresholds
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = {case["case"]: case for case in json.loads((REFERENCE / "farrington_flexible_cases.json").read_text())["cases"]}
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])
EXPECTED = pd.read_csv(REFERENCE / "farrington_flexible.csv")


def reference_panel(case):
    row = COUNTS.loc[(case["dataset"], case["unit"])]
    counts = np.array(row["counts"].split(), float)[None]
    population = np.array(row["population"].split(), float)[None] if row["population"] else None
    return Panel(
        counts,
        pd.Index([case["unit"]]),
        pd.period_range(case["first"] or "2000-01-03", periods=counts.shape[1], freq=case["freq"]),
        population,
    )


def reference_detector(case):
    match = "calendar" if case["first"] else "fixed"
    return detector("farrington-flexible", **case["parameters"], min_years=1, zero_floor=0, year_match=match)


@pytest.mark.parametrize("name", sorted(CASES))
def test_numbers_of_r_surveillance(name):
    case = CASES[name]
    panel = reference_panel(case)
    rows = EXPECTED[EXPECTED["case"] == name]
    signals = reference_detector(case).detect(panel, panel.periods[rows["t"] - 1])
    # R leaves out the limit where there are too few cases and (one row, muan after a season without cases) where it overflows.
    np.testing.assert_array_equal(np.isin(signals.reason_text[0], ["no-convergence", "too-few-cases"]), rows["upper"].isna())
    for column, rtol in (("upper", 1e-9), ("expected", 1e-9), ("p_value", 1e-8)):
        known = rows[column].notna().to_numpy() & rows["upper"].notna().to_numpy()
        np.testing.assert_allclose(getattr(signals, column)[0, known], rows.loc[known, column], rtol=rtol, atol=1e-12)
    np.testing.assert_array_equal(signals.alarm[0], rows["alarm"] == 1)


def test_every_row_of_two_series(real_data):
    """The other series: ``python benchmarks/bench_detectors.py parity``."""
    folder = real_data / "ref_surveillance_detail"
    rows = 0
    for name, case in CASES.items():
        if not name.startswith(("salmonella.agona__total", "rotaBB__total")) or "golden" in name:
            continue
        full = pd.read_csv(folder / f"ff_{name}.csv")
        panel = reference_panel(case)
        signals = reference_detector(case).detect(panel, panel.periods[full["t"] - 1])
        np.testing.assert_allclose(signals.upper[0], full["upperbound"], rtol=1e-6, err_msg=name)
        rows += len(full)
    assert rows == 480


def test_baseline_is_the_one_r_uses(real_data):
    for name, first, freq, (half, guard, levels) in (
        ("salmNewport", "2004-01-05", "W-SUN", (3, 26, 10)),
        ("salmonella.agona", None, "W-SUN", (3, 26, 10)),
        ("rotaBB", "2002-01-01", "M", (1, 3, 4)),
    ):
        table = pd.read_csv(real_data / "ref_surveillance_detail" / f"baseline_{name}__total.csv")
        periods = pd.period_range(first or "2000-01-03", periods=int(table["k"].max()), freq=freq)
        for now, rows in table.groupby("k"):
            references = baselines.reference_positions(periods, int(now) - 1, 5, "calendar" if first else "fixed")
            design = baselines.seasonal_baseline(int(now) - 1, references, half_window=half, guard=guard, levels=levels)
            part = np.searchsorted(design.starts, np.arange(len(design.rows)), side="right")
            ours = dict(zip((design.rows + 1).tolist(), part.tolist(), strict=True))
            assert ours == dict(zip(rows["index"], rows["seas"], strict=True))


def test_long_years_do_not_shift_the_season():
    periods = pd.period_range("2009-01-05", periods=700, freq="W-SUN")  # has the 53-week years 2009, 2015 and 2020
    for now in range(300, 700, 7):
        for year, position in enumerate(baselines.reference_positions(periods, now, 5, "calendar"), start=1):
            day = periods[now].start_time
            distance = abs((periods[position].start_time - day.replace(year=day.year - year, day=min(day.day, 28))).days)
            assert distance <= 3 + 3


def test_guard_keeps_a_rise_out_of_its_own_baseline():
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = np.random.default_rng(1).poisson(10, (1, 330)).astype(float)
    rise = observed.copy()
    rise[0, -26:-1] = 60
    judge = detector("farrington-flexible")
    before, after = (judge.detect(Panel(part, pd.Index(["a"]), periods)) for part in (observed, rise))
    assert before.upper[0, 0] == after.upper[0, 0]


def test_a_past_outbreak_is_weighed_down():
    rng = np.random.default_rng(4)
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = rng.poisson(10, (1, 330)).astype(float)
    observed[0, 330 - 1 - 52 - 3 : 330 - 1 - 52 + 3] += 50
    panel = Panel(observed, pd.Index(["a"]), periods)
    plain, weighed = (detector("farrington-flexible", reweight=flag).detect(panel).upper[0, 0] for flag in (False, True))
    assert weighed < 0.7 * plain


def test_offset_follows_the_exposure():
    rng = np.random.default_rng(6)
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    exposure = np.full((2, 330), 1000.0)
    exposure[:, -1] = [4000.0, 0.0]
    observed = rng.poisson(0.02 * exposure).astype(float)
    panel = Panel(observed, pd.Index(["a", "b"]), periods, exposure)
    signals = detector("farrington-flexible", population_offset=True).detect(panel)
    assert abs(signals.expected[0, 0] - 80) < 12
    assert signals.reason_text[:, 0].tolist() == ["", "no-exposure"]
    with pytest.raises(DetectorError, match="population_offset needs a panel with exposure, got none"):
        detector("farrington-flexible", population_offset=True).detect(Panel(observed, panel.index, periods))


def test_missing_is_not_zero():
    rng = np.random.default_rng(8)
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = rng.poisson(20, (1, 330)).astype(float)
    gaps, zeros = observed.copy(), observed.copy()
    hole = rng.choice(300, 60, replace=False)
    gaps[0, hole], zeros[0, hole] = np.nan, 0.0
    whole, missing, zero = (
        detector("farrington-flexible").detect(Panel(part, pd.Index(["a"]), periods)) for part in (observed, gaps, zeros)
    )
    assert abs(missing.expected[0, 0] - whole.expected[0, 0]) < 3
    assert missing.upper[0, 0] < zero.upper[0, 0]


def test_reasons():
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = np.full((4, 330), 5.0)
    observed[0, -4:] = [0, 0, 0, 4]  # 4 cases in the newest 4 weeks
    observed[1, :200] = np.nan
    observed[2, -1] = np.nan
    signals = detector("farrington-flexible").detect(Panel(observed, pd.RangeIndex(4), periods))
    assert signals.reason_text[:, 0].tolist() == ["too-few-cases", "too-short", "missing", ""]


@pytest.mark.parametrize("method", ["nb-plugin", "muan", "delta", "nb-predictive"])
def test_a_season_without_past_cases_can_still_be_judged(method):
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = np.zeros((1, 330))
    observed[0, ::26] = 2.0
    observed[0, np.r_[-160:-154, -58:-50, -108:-102, -214:-206, -266:-258]] = 0.0
    observed[0, -1] = 30.0
    signals = detector("farrington-flexible", threshold_method=method).detect(Panel(observed, pd.Index(["a"]), periods))
    assert signals.alarm.all()
    assert 0 < signals.expected[0, 0] < 0.1
    assert 0 <= signals.p_value[0, 0] < 1e-3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"years_back": 0}, "farrington-flexible: years_back must be >= 1, got 0"),
        ({"alpha": 0.5}, "farrington-flexible: alpha must be < 0.5, got 0.5"),
        ({"alpha": "0.01"}, "farrington-flexible: alpha must be a number, got '0.01'"),
        ({"reweight": 1}, "farrington-flexible: reweight must be true or false, got 1"),
        ({"limit_cases": True}, "farrington-flexible: limit_cases must be a whole number, got True"),
        ({"alpha": float("nan")}, "farrington-flexible: alpha must be a number, got nan"),
        ({"years_back": 2, "min_years": 3}, "farrington-flexible: min_years must be <= years_back (2), got 3"),
        (
            {"threshold_method": "nbPlugin"},
            "farrington-flexible: threshold_method must be one of nb-plugin, muan, delta, nb-predictive, got 'nbPlugin'",
        ),
        ({"half_windw": 3}, "farrington-flexible: unknown parameter 'half_windw'; did you mean 'half_window'?"),
    ],
)
def test_parameter_messages(given, message):
    with pytest.raises(DetectorError) as caught:
        detector("farrington-flexible", **given)
    assert caught.value.message == message


def test_all_findings_at_once_and_the_year_must_hold_its_parts():
    with pytest.raises(DetectorError) as caught:
        detector("farrington-flexible", years_back=0, alpha=2)
    assert len(caught.value.message.splitlines()) == 2
    monthly = Panel(np.ones((1, 99)), pd.Index(["a"]), pd.period_range("2010-01", periods=99, freq="M"))
    with pytest.raises(DetectorError, match="half_window 3 and seasonal_levels 10 leave 5 periods of a month year for 9 other parts"):
        detector("farrington-flexible", half_window=3, seasonal_levels=10).detect(monthly)


def test_batched_fit_against_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(12)
    starts = np.array([0, 30, 65, 80])
    time = rng.permutation(110).astype(float)
    y = rng.negative_binomial(3, 0.2, (110, 16)).astype(float)
    prior = (rng.random((110, 16)) < 0.9) * rng.uniform(0.3, 1.5, (110, 16))
    offset = np.log(rng.uniform(50, 150, (110, 16)))
    part = np.eye(4)[np.searchsorted(starts, np.arange(110), side="right") - 1]
    layout = parts.Layout.of(starts, time)
    counts = parts.Counts.of(layout, np.where(prior > 0, y, 0.0), (prior > 0).astype(float), np.exp(offset))
    row, column = np.nonzero(prior)
    weights = parts.Weights(np.ones(16), row, column, prior[row, column] - 1.0)
    for trend in (False, True):
        fitted = quasi_poisson.fit(counts, weights, trend=trend)
        phi, _ = quasi_poisson.pearson(counts, fitted, weights)
        assert fitted.converged.all()
        design = np.column_stack([part, time]) if trend else part
        for at in range(16):
            use = prior[:, at] > 0
            model = sm.GLM(y[use, at], design[use], sm.families.Poisson(), offset=offset[use, at], var_weights=prior[use, at]).fit(
                tol=1e-12
            )
            level = fitted.level[:, at] - fitted.slope[at] * layout.centre
            np.testing.assert_allclose(level, model.params[:4], rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(phi[at], model.pearson_chi2 / model.df_resid, rtol=1e-4)


def test_limits_are_exact():
    rng = np.random.default_rng(13)
    mean, phi = np.exp(rng.uniform(-6, 8, 3000)), 1 + np.where(rng.random(3000) < 0.3, 0, np.exp(rng.uniform(-7, 5, 3000)))
    q = thresholds.negative_binomial_quantile(0.995, mean, phi)
    assert (thresholds.negative_binomial_tail(q + 1, mean, phi) <= 0.005 * (1 + 1e-9)).all()
    assert (thresholds.negative_binomial_tail(q, mean, phi) > 0.005)[q > 0].all()
    y = rng.poisson(mean).astype(float)
    over = phi > 1.0
    np.testing.assert_allclose(
        thresholds.negative_binomial_tail(y[over], mean[over], phi[over]),
        stats.nbinom.sf(y[over] - 1, mean[over] / (phi[over] - 1), 1 / phi[over]),
        rtol=1e-7,
        atol=1e-300,
    )
    np.testing.assert_allclose(
        thresholds.negative_binomial_tail(y[~over], mean[~over], phi[~over]), stats.poisson.sf(y[~over] - 1, mean[~over]), rtol=1e-9
    )


@pytest.mark.parametrize(("phi", "highest"), [(1.0, 0.010), (2.0, 0.014)])
def test_false_alarms_without_an_outbreak(phi, highest):
    """Nominal 0.5 %; the figures of docs/detectors/farrington-flexible.md come from benchmarks/bench_detectors.py."""
    rng = np.random.default_rng(14)
    mean = np.full((6000, 313), 8.0)
    observed = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
    signals = detector("farrington-flexible").detect(
        Panel(observed.astype(float), pd.RangeIndex(6000), pd.period_range("2015-01-05", periods=313, freq="W-SUN"))
    )
    assert 0.0025 < signals.alarm.mean() < highest
    assert 0.03 < np.mean(signals.p_value <= 0.05) < 0.075


def test_hoverboards_2015(real_data):
    """Product 5042, ages 14 to 24: as of the end of each month of 2015, quiet before September, an alarm by November."""
    records = pd.read_parquet(real_data / "neiss_youth_2011_2019" / "injuries.parquet")
    records = records[((records["prod1"] == 5042) | (records["prod2"] == 5042)) & records["age_years"].between(14, 24)]
    months = pd.period_range("2011-01", "2015-12", freq="M")
    counts = pd.to_datetime(records["treatment_date_est"]).dt.to_period("M").value_counts().reindex(months, fill_value=0)
    panel = Panel(counts.to_numpy(float)[None], pd.Index(["5042"]), months)
    alarms = {str(month): bool(detector("farrington-flexible").detect(panel.head(month)).alarm[0, 0]) for month in months[-12:]}
    assert [month for month, alarm in alarms.items() if alarm] == ["2015-10", "2015-12"]
