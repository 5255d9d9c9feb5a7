"""Changes and differences with their uncertainty."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.indicators.comparison import Estimate, compare, difference, verdicts
from riskwatch.indicators.overview import band_of, overview
from riskwatch.indicators.values import binomial_interval, prepare
from tests.indicators.conftest import frame, record, years

# Newcombe (1998), Statistics in Medicine 17, 873-890, Table II, method 10: x1/n1 - x2/n2 and its 95% limits.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 10, -0.2775, 0.2775),
]


def of(x, n):
    return Estimate(np.array([x / n]), *binomial_interval(np.array([float(x)]), np.array([float(n)])))


@pytest.mark.parametrize(("x1", "n1", "x2", "n2", "low", "high"), NEWCOMBE)
def test_differences_of_shares_are_newcombes(x1, n1, x2, n2, low, high):
    found = difference(of(x1, n1), of(x2, n2))
    assert found.value[0] == pytest.approx(x1 / n1 - x2 / n2)
    assert [found.lower[0], found.upper[0]] == pytest.approx([low, high], abs=5e-5)


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 5), st.floats(0.1, 5))
def test_differences_of_normal_figures_are_the_usual_ones(a, b, error_a, error_b):
    z = 1.959963984540054
    one = Estimate(np.array([a]), np.array([a - z * error_a]), np.array([a + z * error_a]))
    other = Estimate(np.array([b]), np.array([b - z * error_b]), np.array([b + z * error_b]))
    found = difference(one, other)
    reach = z * np.hypot(error_a, error_b)
    assert [found.lower[0], found.upper[0]] == pytest.approx([a - b - reach, a - b + reach], abs=1e-9)
    back = difference(other, one)
    assert [-back.upper[0], -back.lower[0]] == pytest.approx([found.lower[0], found.upper[0]], abs=1e-9)


def test_verdicts():
    nan = np.nan
    found = verdicts(np.array([1.0, -1.0, 1.0, 1.0, nan]), np.array([0.5, -2.0, -0.1, nan, nan]), np.array([1.5, -0.5, 2.0, nan, nan]))
    assert found.tolist() == ["rise", "fall", "unchanged", "no-interval", ""]


def test_a_change_within_its_uncertainty_is_unchanged_and_calibrated(catalogue):
    """With nothing changed, about one comparison in twenty is called a change."""
    rng = np.random.default_rng(5)
    rows = []
    for place in range(600):
        for year in (2023, 2024):
            failed = int(rng.binomial(800, 0.93))
            rows.append(record("manufacturing-pass-rate", f"R{place}", f"{year}-12-31", 100 * failed / 800, numerator=failed, n=800))
    found = compare(prepare(frame(*rows), catalogue.indicators, catalogue.methods), catalogue.indicators)
    newest = found.loc[found["period"] == "2024", "year_verdict"]
    assert len(newest) == 600
    assert 0.02 < (newest != "unchanged").mean() < 0.08


def test_quarters_have_a_year_before_and_a_quarter_before(catalogue):
    ends = ["2023-09-30", "2023-12-31", "2024-03-31", "2024-06-30", "2024-09-30"]
    rows = [record("customer-satisfaction", "220000", end, 70.0 + 2 * place, kind="quarter", se=1.0) for place, end in enumerate(ends)]
    found = compare(prepare(frame(*rows), catalogue.indicators, catalogue.methods), catalogue.indicators).set_index("period")
    assert found.loc["2024Q3", ["year", "previous"]].tolist() == [8.0, 2.0]
    assert found.loc["2024Q3", ["year_verdict", "previous_verdict"]].tolist() == ["rise", "unchanged"]
    assert found.loc["2024Q1", "previous"] == 2.0
    assert np.isnan(found.loc["2023Q3", "previous"])
    # A missing quarter is not bridged.
    gap = compare(prepare(frame(*rows[:3], rows[4]), catalogue.indicators, catalogue.methods), catalogue.indicators).set_index("period")
    assert np.isnan(gap.loc["2024Q3", "previous"])
    assert gap.loc["2024Q3", "year"] == 8.0


def test_yearly_figures_have_no_period_before(catalogue):
    values = prepare(frame(*years("waste-treatment", "220000", [90, 92])), catalogue.indicators, catalogue.methods)
    found = compare(values, catalogue.indicators).set_index("period")
    assert found.loc["2020", "year"] == 2.0
    assert found.loc["2020", "year_verdict"] == "no-interval"
    assert found["previous"].isna().all()


def test_the_nation_is_from_records_or_else_the_published_figure(catalogue):
    rows = [
        record("manufacturing-pass-rate", "220000", "2024-12-31", 93.0, numerator=2418, n=2600),
        record("manufacturing-pass-rate", "220000", "2021-12-31", 93.0, numerator=2418, n=2600),
        record("manufacturing-pass-rate", "220000", "2023-12-31", 91.0, numerator=2366, n=2600),
        record("manufacturing-pass-rate", "CN", "2023-12-31", 93.7, numerator=28110, n=30000),
    ]
    found = compare(prepare(frame(*rows), catalogue.indicators, catalogue.methods), catalogue.indicators)
    own = found.loc[found["region"] == "220000"].set_index("period")
    assert own.loc["2024", "national_base"] == 93.93
    assert own.loc["2024", "national"] == pytest.approx(-0.93)
    assert own["national_source"].to_dict() == {"2021": "", "2023": "records", "2024": "reference"}
    assert own.loc["2023", "national_base"] == 93.7
    assert own.loc["2023", "national_verdict"] == "fall"
    # The published figure is taken as exact: the interval is that of the region alone.
    assert own.loc["2024", "national_upper"] - own.loc["2024", "national"] == pytest.approx(own.loc["2024", "upper"] - 93.0)
    nation = found.loc[found["region"] == "CN"]
    assert nation["national_verdict"].tolist() == [""]
    assert nation["national"].isna().all()


def test_overview_has_the_newest_of_each_series(catalogue):
    rows = [
        *years("quality-loss-rate", "220000", [1.9, 1.8, 1.7, 1.6, 1.5, 1.3], se=0.02),
        *years("customer-satisfaction", "222400", [70, 71, 72], se=0.5),
        *years("vehicle-scale", "220000", [200, 220, 230, 240, 250, 260]),
        *years("waste-treatment", "220000", [98, 98, 98, 98, 98, 97], se=0.1),
    ]
    values = prepare(frame(*rows), catalogue.indicators, catalogue.methods)
    found = overview(values, catalogue, as_of=dt.date(2025, 12, 31)).set_index(["indicator", "region"])
    assert found["judgement"].to_dict() == {
        ("quality-loss-rate", "220000"): "better",  # a fall, where lower is better
        ("customer-satisfaction", "222400"): "unchanged",
        ("vehicle-scale", "220000"): "no-interval",
        ("waste-treatment", "220000"): "worse",
    }
    assert found["lost"].to_dict() == {key: key[1] == "222400" for key in found.index}
    assert found.loc[("customer-satisfaction", "222400"), "missing_since"] == "2022"
    # 270 days after the end of 2025 nobody has the figures of 2025: those of 2024 are lost then, not a day before.
    for day, lost in ((dt.date(2026, 9, 27), False), (dt.date(2026, 9, 28), True)):
        later = overview(values, catalogue, as_of=day).set_index(["indicator", "region"])
        assert bool(later.loc[("waste-treatment", "220000"), "lost"]) is lost


@pytest.mark.parametrize(
    ("value", "names"), [(59, (None, None)), (74.99, ("none", "60–75")), (80, ("initial", "80–95")), (95, ("strong", "95–100"))]
)
def test_both_schemes_of_bands(catalogue, value, names):
    found = [band_of(value, catalogue.bands[key]) for key in ("competitiveness-2011", "competitiveness-2009")]
    assert tuple(band.label.en if band else None for band in found) == names
