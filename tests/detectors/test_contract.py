"""What every registered detector must do, whatever its method."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import REASONS, Detector, detector, names
from riskwatch.detectors.contract import FIELDS
from riskwatch.errors import DetectorError
from riskwatch.panel import Geography, Panel


def same(left, right, rows=slice(None), columns=slice(None)):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name)[rows, columns], err_msg=name)


# Assume that counts spread no more than Poisson's or the binomial's; a series that does alarms rightly.
POISSON_ONLY = {"glr-poisson", "p-chart", "u-chart", "space-time-scan"}

# Compare a series with the series of other strata: a part of them is another table.
ACROSS_STRATA = {"gamma-poisson-shrinker"}

# Measure how differently siblings grow: three or four of them say nothing of that.
BY_SIBLINGS = {"growth-funnel"}

VARIANTS = [
    ("farrington-flexible", {"population_offset": True}),
    ("farrington-flexible", {"threshold_method": "delta"}),
    ("farrington-flexible", {"threshold_method": "muan", "seasonal_levels": 1}),
    ("farrington-flexible", {"threshold_method": "nb-predictive", "reweight": False}),
    ("farrington", {"power": "none"}),
    ("binomial-baseline", {"mid_p": True}),
    ("binomial-baseline", {"window_periods": 3, "mid_p": True}),
    ("binomial-baseline", {"window_periods": 2}),
    ("binomial-baseline", {"crossed_prior": True, "window_periods": 3}),
    ("binomial-glm", {"window_periods": 3, "mid_p": True}),
    ("p-chart", {"limits": "normal"}),
    ("u-chart", {"limits": "normal"}),
    ("laney-p", {"limits": "normal", "min_sigma_z": 0.0}),
    ("funnel", {"limits": "normal"}),
    ("funnel", {"adjustment": "additive"}),
    ("funnel", {"window_periods": 2}),
    ("growth-funnel", {"adjustment": "multiplicative", "years_back": 1, "min_total": 3}),
    ("growth-funnel", {"limits": "normal"}),
    ("cusum", {"statistic": "pearson-nb", "population_offset": True}),
    ("gamma-poisson-shrinker", {"window_periods": 2}),
    ("glr-nb", {"dispersion": "ml"}),
    ("ears-c2", {"distribution": "normal"}),
    ("ears-c3", {"population_offset": True}),
    ("ewma", {"population_offset": True}),
    ("sequential-nb", {"population_offset": True, "moving_season": True}),
    ("space-time-scan", {"model": "bernoulli", "replicates": 199}),
]


def how_many(judge, few):
    """Return how many series a small panel has: ``few``, or enough for a method that learns from siblings."""
    return 40 if judge.name in BY_SIBLINGS else few


class Located:
    """A detector that compares neighbours, shown panels whose series lie on a grid; everything else is its own."""

    def __init__(self, judge):
        self._judge = judge

    def __getattr__(self, name):
        return getattr(self._judge, name)

    def detect(self, panel, periods=None):
        numbers = [int("".join(filter(str.isdigit, str(key[0] if isinstance(key, tuple) else key))) or 0) for key in panel.index]
        codes = tuple(f"r{at:03d}" for at in range(1000))
        grid = np.column_stack([120 + np.arange(1000) % 31 / 5, 40 + np.arange(1000) // 31 / 7])
        where = Geography(codes, grid, np.asarray(numbers, dtype=np.int64))
        return self._judge.detect(dataclasses.replace(panel, geography=where), periods)


@pytest.fixture(params=[*((name, {}) for name in names()), *VARIANTS], ids=lambda pair: "-".join([pair[0], *pair[1]]))
def judge(request):
    name, parameters = request.param
    made = detector(name, **parameters)
    return Located(made) if getattr(made, "uses_geography", False) else made


def test_protocol_and_hash(judge):
    judge = judge.__dict__["_judge"] if isinstance(judge, Located) else judge
    assert isinstance(judge, Detector)
    same_again = dataclasses.replace(judge)
    assert judge == same_again
    assert judge.hash == same_again.hash
    assert judge.hash != dataclasses.replace(judge, alpha=0.01).hash
    assert judge.min_periods("day") >= judge.min_periods("week") >= judge.min_periods("month") > 1  # short histories count periods
    with pytest.raises(AttributeError):
        judge.alpha = 0.1


def test_shapes_and_refusals(judge, weeks):
    judged = weeks.periods[[-30, -2, -1]]
    signals = judge.detect(weeks, judged)
    for name in FIELDS:
        assert getattr(signals, name).shape == (40, 3)
    assert signals.periods.equals(judged)
    assert signals.index.equals(weeks.index)
    assert (signals.detector, signals.detector_hash) == (judge.name, judge.hash)
    judged_cells = signals.reason == 0
    assert 0.4 < judged_cells.mean() < 1.0
    for name in ("expected", "lower", "upper", "p_value"):
        np.testing.assert_array_equal(np.isnan(getattr(signals, name)), ~judged_cells, err_msg=name)
    assert not signals.alarm[~judged_cells].any()
    np.testing.assert_array_equal(signals.alarm[judged_cells], (signals.observed > signals.upper)[judged_cells])
    # The limit and the p-value tell the same story.
    np.testing.assert_array_equal(signals.alarm[judged_cells], (signals.p_value <= judge.alpha)[judged_cells])
    assert ((signals.lower <= signals.expected + 1) & (signals.expected - 1 <= signals.upper))[judged_cells].all()
    missing = np.isnan(signals.observed) & (signals.exposure > 0)
    assert missing.any()
    assert set(signals.reason_text[missing]) <= {"missing", "too-short"}


def test_default_is_the_newest_period(judge, weeks):
    same(judge.detect(weeks), judge.detect(weeks, weeks.periods[-3:]), columns=slice(2, 3))


def test_the_future_does_not_matter(judge, weeks):
    now = weeks.periods[-20]
    same(judge.detect(weeks.head(now)), judge.detect(weeks, weeks.periods[-20:-19]))


def test_order_of_series_does_not_matter(judge, weeks):
    order = np.random.default_rng(3).permutation(40)
    same(judge.detect(weeks.select(weeks.index[order])), judge.detect(weeks), rows=order)


def test_blocks_do_not_matter(judge):
    """Whatever block or neighbour a series falls in, its numbers keep their bits."""
    if judge.name in ACROSS_STRATA:
        pytest.skip("its tables span the strata: see test_order_and_tables_do_not_see_each_other")
    rng = np.random.default_rng(5)
    periods = pd.period_range("2016-01-04", periods=290, freq="W-SUN")
    exposure = rng.poisson(30, (600, 290)).astype(float)
    observed = rng.binomial(exposure.astype(int), rng.uniform(0.001, 0.5, (600, 1))).astype(float)
    index = pd.MultiIndex.from_arrays(
        [[f"{at:03d}" for at in range(600)], [f"g{at % 3}" for at in range(600)]], names=["product", "stratum"]
    )
    panel = Panel(observed, index, periods, exposure)
    whole = judge.detect(panel, periods[-2:])
    for stratum in ("g0", "g1", "g2"):  # series of a stratum stay together: some detectors learn from siblings
        mask = np.asarray(index.get_level_values("stratum") == stratum)
        same(judge.detect(panel.select(mask), periods[-2:]), whole, rows=mask)
    if judge.name.startswith("farrington"):
        for rows in (slice(0, 1), slice(599, 600), slice(17, 300)):
            same(judge.detect(panel.select(index[rows]), periods[-2:]), whole, rows=rows)


def test_short_history(judge, weeks):
    needed = judge.min_periods("week")
    short = judge.detect(weeks.head(weeks.periods[needed - 2]))
    assert set(short.reason_text.ravel()) <= {"too-short", "missing", "no-exposure"}
    assert "too-short" in short.reason_text
    assert (judge.detect(weeks.head(weeks.periods[needed + 5])).reason == 0).any()
    one = judge.detect(weeks.head(weeks.periods[0]))
    assert (one.reason != 0).all()


@pytest.mark.parametrize("value", [0.0, 1.0, 7.0, 1e9])
def test_constant_series(judge, value):
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    observed = np.full((how_many(judge, 3), 330), value)
    panel = Panel(observed, pd.RangeIndex(len(observed)), periods, np.maximum(10 * observed, 50.0))
    signals = judge.detect(panel)
    if value >= 7.0:
        assert (signals.reason == 0).all()
    assert not signals.alarm.any()
    assert np.nanmax(np.abs(signals.expected - value), initial=0) <= 1e-6 * value + 0.5


def test_a_jump_alarms_at_any_scale(judge):
    rng = np.random.default_rng(9)
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    for scale in (20.0, 1e4, 1e9):
        exposure = np.full((how_many(judge, 4), 330), np.floor(scale * 10))
        observed = np.floor(scale * rng.uniform(0.9, 1.1, exposure.shape))
        observed[1, -1] = 3 * scale
        signals = judge.detect(Panel(observed, pd.RangeIndex(len(observed)), periods, exposure))
        assert signals.alarm[1, 0], scale
        assert signals.alarm.sum() == 1 or judge.name in POISSON_ONLY, scale
        assert signals.p_value[1, 0] < 1e-4


def test_empty_panels(judge):
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    none = judge.detect(Panel(np.empty((0, 330)), pd.Index([]), periods, np.empty((0, 330))))
    assert none.p_value.shape == (0, 1)
    assert none.to_frame().empty
    with pytest.raises(DetectorError, match="the panel has no periods"):
        judge.detect(Panel(np.empty((1, 0)), pd.Index(["a"]), periods[:0], np.empty((1, 0))))


def test_all_missing(judge):
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    nothing = np.full((2, 330), np.nan)
    signals = judge.detect(Panel(nothing, pd.RangeIndex(2), periods, nothing))
    assert (signals.reason == REASONS.index("missing")).all() or (signals.reason == REASONS.index("too-short")).all()


def test_periods_must_be_of_the_panel(judge, weeks):
    with pytest.raises(DetectorError, match=r"periods must be periods of the panel \(2015-01-05/2015-01-11 to .*, W-SUN\), got 2031"):
        judge.detect(weeks, pd.period_range("2031-01-06", periods=1, freq="W-SUN"))
    yearly = Panel(np.ones((1, 9)), pd.Index(["a"]), pd.period_range("2010", periods=9, freq="Y"), np.ones((1, 9)))
    with pytest.raises(DetectorError, match="must be days"):
        judge.detect(yearly)


@pytest.mark.parametrize("freq", ["D", "4W-SUN", "M"])
def test_other_frequencies(judge, freq):
    length = {"D": 2300, "4W-SUN": 80, "M": 75}[freq]
    rng = np.random.default_rng(2)
    count = how_many(judge, 5)
    panel = Panel(
        rng.poisson(9, (count, length)).astype(float),
        pd.RangeIndex(count),
        pd.period_range("2015-01-05", periods=length, freq=freq),
        np.full((count, length), 99.0),
    )
    signals = judge.detect(panel, panel.periods[-5:])
    assert (signals.reason == 0).all()
    assert abs(signals.expected.mean() - 9) < 3


def test_to_frame(judge, weeks):
    frame = judge.detect(weeks, weeks.periods[-2:]).to_frame()
    assert list(frame.columns) == ["series", "period", "observed", "exposure", "expected", "lower", "upper", "p_value", "alarm", "reason"]
    assert len(frame) == 80
    assert frame["period"].dtype == "period[W-SUN]"
    assert frame["reason"].isin(REASONS).all()
