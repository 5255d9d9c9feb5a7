"""farrington (1996): numbers of R surveillance, a case by hand, powers, refusals, incomplete periods, false alarms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.errors import DetectorError
from riskwatch.panel import Completeness, Panel

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = pd.read_csv(REFERENCE / "farrington.csv")
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])
FIRST = {
    (case["dataset"], case["unit"]): (case["first"], case["freq"])
    for case in json.loads((REFERENCE / "farrington_flexible_cases.json").read_text(encoding="utf-8"))["cases"]
}
FIELDS = ("expected", "lower", "upper", "p_value", "alarm", "reason")
WEEKS = pd.period_range("2015-01-05", periods=330, freq="W-SUN")


@pytest.mark.parametrize(
    ("key", "rows"),
    list(EXPECTED.groupby(["dataset", "unit", "years", "half_window", "power"])),
    ids=lambda part: "-".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_numbers_of_r_surveillance(key, rows):
    dataset, unit, years, half, power = key
    counts = np.array(COUNTS.loc[(dataset, unit)]["counts"].split(), float)[None]
    first, freq = FIRST[dataset, unit]
    panel = Panel(counts, pd.Index([unit]), pd.period_range(first or "2000-01-03", periods=counts.shape[1], freq=freq))
    judge = detector(
        "farrington",
        years_back=years,
        half_window=half,
        power=power,
        alpha=0.005,  # R: 0.01, two-sided
        limit_cases=0,
        min_years=1,
        zero_floor=0,
        year_match="calendar" if first else "fixed",
    )
    signals = judge.detect(panel, panel.periods[rows["t"] - 1])
    np.testing.assert_allclose(signals.upper[0], rows["upper"], rtol=1e-9)
    np.testing.assert_array_equal(signals.alarm[0], rows["alarm"] == 1)


@pytest.mark.parametrize(
    ("power", "exponent", "spread"),
    [("2/3", 2 / 3, lambda mean, tau: np.sqrt(4 / 9 * np.cbrt(mean) * tau)), ("1/2", 1 / 2, lambda _, tau: np.sqrt(tau / 4)),
     ("none", 1.0, lambda mean, tau: np.sqrt(mean * tau))],
)  # fmt: skip
def test_a_constant_series_by_hand(power, exponent, spread):
    """35 weeks with 12 cases each: the mean is 12, phi is 1, the variance of the log mean 1 / (35 x 12)."""
    observed = np.full((1, 330), 12.0)
    observed[0, -1] = 20.0
    signals = detector("farrington", power=power, alpha=0.01).detect(Panel(observed, pd.Index(["a"]), WEEKS))
    width = spread(12.0, 1 + 1 / 35)
    assert signals.expected[0, 0] == pytest.approx(12.0, rel=1e-9)
    assert signals.upper[0, 0] == pytest.approx((12.0**exponent + stats.norm.isf(0.01) * width) ** (1 / exponent), rel=1e-9)
    assert signals.lower[0, 0] == pytest.approx((12.0**exponent - stats.norm.isf(0.01) * width) ** (1 / exponent), rel=1e-9)
    assert signals.p_value[0, 0] == pytest.approx(stats.norm.sf((20.0**exponent - 12.0**exponent) / width), rel=1e-9)


def test_only_the_windows_around_the_anniversaries_matter():
    rng = np.random.default_rng(2)
    observed = rng.poisson(10, (1, 330)).astype(float)
    other = observed.copy()
    for year in range(1, 6):
        other[0, 329 - 52 * year - 15 - year : 329 - 52 * year - 5] = 500.0
    other[0, -48:-4] = 500.0
    before, after = (detector("farrington").detect(Panel(part, pd.Index(["a"]), WEEKS)) for part in (observed, other))
    assert before.upper[0, 0] == after.upper[0, 0]


@pytest.mark.parametrize(
    ("name", "parameters"), [("farrington", {}), ("farrington-flexible", {}), ("farrington-flexible", {"threshold_method": "delta"})]
)
def test_incomplete_periods(name, parameters):
    rng = np.random.default_rng(3)
    observed = rng.poisson(20, (24, 330)).astype(float)
    judge = detector(name, limit_cases=0, min_share=0.4, **parameters)

    def detect(share, error, counts=observed):
        shares, errors = np.ones((24, 330)), np.zeros((24, 330))
        shares[:, -1], errors[:, -1] = share, error
        return judge.detect(Panel(counts, pd.RangeIndex(24), WEEKS, completeness=Completeness(shares, errors)))

    plain = judge.detect(Panel(observed, pd.RangeIndex(24), WEEKS))
    whole = detect(1.0, 0.0)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(whole, field), getattr(plain, field), err_msg=field)
    half, unsure = detect(0.5, 0.0), detect(0.5, 0.2)
    np.testing.assert_allclose(half.expected, 0.5 * plain.expected)
    assert (half.upper < 0.8 * plain.upper).all()
    assert (unsure.upper > half.upper).all()
    assert set(detect(0.39, 0.0).reason_text.ravel()) == {"unripe"}
    # A period of the baseline that is not complete is left out, as if it were missing.
    shares, gaps = np.ones((24, 330)), observed.copy()
    shares[::2, 60:75], gaps[::2, 60:75] = 0.9, np.nan
    left_out = judge.detect(Panel(observed, pd.RangeIndex(24), WEEKS, completeness=Completeness(shares, np.zeros((24, 330)))))
    missing = judge.detect(Panel(gaps, pd.RangeIndex(24), WEEKS))
    assert not np.array_equal(left_out.expected, plain.expected)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(left_out, field), getattr(missing, field), err_msg=field)


def test_reasons():
    observed = np.full((4, 330), 5.0)
    observed[0, -4:] = [0, 0, 0, 4]
    observed[1, :200] = np.nan
    observed[2, -1] = np.nan
    signals = detector("farrington").detect(Panel(observed, pd.RangeIndex(4), WEEKS))
    assert signals.reason_text[:, 0].tolist() == ["too-few-cases", "too-short", "missing", ""]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"power": "3/4"}, "farrington: power must be one of 2/3, 1/2, none, got '3/4'"),
        ({"min_share": 0.0}, "farrington: min_share must be > 0.0, got 0.0"),
        ({"years_back": 2, "min_years": 3}, "farrington: min_years must be <= years_back (2), got 3"),
    ],
)
def test_parameter_messages(given, message):
    with pytest.raises(DetectorError) as caught:
        detector("farrington", **given)
    assert caught.value.message == message


def test_windows_of_two_years_must_not_overlap():
    months = Panel(np.ones((1, 99)), pd.Index(["a"]), pd.period_range("2010-01", periods=99, freq="M"))
    with pytest.raises(DetectorError, match=r"half_window must be <= 5 for a month year of 12 periods, got 6"):
        detector("farrington", half_window=6).detect(months)


@pytest.mark.parametrize(("phi", "lowest", "highest"), [(1.0, 0.003, 0.012), (2.0, 0.018, 0.040)])
def test_false_alarms_without_an_outbreak(phi, lowest, highest):
    """Nominal 0.5 %; with overdispersion the method alarms too often, as docs/detectors/farrington.md says and tabulates."""
    rng = np.random.default_rng(15)
    mean = np.full((4000, 313), 8.0)
    observed = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
    signals = detector("farrington").detect(Panel(observed.astype(float), pd.RangeIndex(4000), WEEKS[:313]))
    assert lowest < signals.alarm.mean() < highest
    assert 0.04 < np.mean(signals.p_value <= 0.05) < 0.12
