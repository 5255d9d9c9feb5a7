"""Effects of the kind of sampling on what a cell leads to expect, and binomial-baseline with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import detector
from riskwatch.detectors.label_mix import label_factors
from riskwatch.panel import Breakdown, Panel

MONTHS = pd.period_range("2021-01", periods=44, freq="M")
LABELS = ("random", "targeted")


def market(rng, series, *, odds=3.0, base=0.04, size=12.0, targeted=0.3, last=None):
    """Samples of two kinds; the targeted ones fail ``odds`` times as often, and how many are targeted changes from month to month.

    ``last``: share of the targeted among the samples of the newest month.
    """
    share = rng.beta(2.0 * targeted, 2.0 * (1.0 - targeted), (series, len(MONTHS)))
    if last is not None:
        share[:, -1] = last
    total = rng.poisson(size, (series, len(MONTHS)))
    some = rng.binomial(total, share)
    n = np.stack([total - some, some]).astype(float)
    rate = rng.beta(base * 60, (1 - base) * 60, (series, 1))
    high = odds * rate / (1 - rate + odds * rate)
    return np.stack([rng.binomial(n[0].astype(int), rate), rng.binomial(n[1].astype(int), high)]).astype(float), n


def panel(x, n, *, split=True):
    index = pd.MultiIndex.from_tuples(
        [(f"P{number:03d}", "", "", "item=lead") for number in range(x.shape[1])], names=["product", "industry", "region", "stratum"]
    )
    observed, exposure = x.sum(axis=0), n.sum(axis=0)
    parts = Breakdown("selection", LABELS, np.where(exposure > 0, x, 0.0), n) if split else None
    return Panel(np.where(exposure > 0, observed, np.nan), index, MONTHS, exposure, breakdown=parts)


def test_effects_that_were_put_in_come_out():
    x, n = market(np.random.default_rng(1), 120, odds=3.0)
    rows = np.arange(120)
    factors = label_factors(Breakdown("selection", LABELS, x, n), slice(0, 40), [rows])
    only = [factors[(n[label] == n.sum(axis=0)) & (n.sum(axis=0) > 0)] for label in (0, 1)]
    low, high = only[0].mean(), only[1].mean()
    # Odds of 3 at a share near 0.05.
    assert high / low == pytest.approx(2.75, rel=0.12)
    assert (factors[n.sum(axis=0) == 0] == 1.0).all()


def test_no_effect_where_all_are_of_one_label():
    x, n = market(np.random.default_rng(2), 20)
    n[1], x[1] = 0.0, 0.0
    factors = label_factors(Breakdown("selection", LABELS, x, n), slice(0, 40), [np.arange(20)])
    assert np.unique(np.round(factors[n[0] > 0], 12)).size == 1


def test_order_of_series_does_not_matter():
    x, n = market(np.random.default_rng(3), 30)
    order = np.random.default_rng(4).permutation(30)
    straight = label_factors(Breakdown("selection", LABELS, x, n), slice(0, 40), [np.arange(30)])
    turned = label_factors(Breakdown("selection", LABELS, x[:, order], n[:, order]), slice(0, 40), [np.arange(30)])
    np.testing.assert_array_equal(straight[order], turned)


def test_a_month_of_targeted_samples_is_no_rise():
    """Null: alarms at the nominal rate although all samples of the judged month are targeted; without the breakdown far more often."""
    rng = np.random.default_rng(5)
    method = detector("binomial-baseline", alpha=0.01, mid_p=True, guard_periods=3, window_periods=3)
    alarms = {True: 0, False: 0}
    judged = 0
    for _ in range(6):
        x, n = market(rng, 200, last=1.0)
        for split in alarms:
            found = method.detect(panel(x, n, split=split), periods=MONTHS[-1:])
            alarms[split] += int(found.alarm.sum())
        judged += int((found.reason == 0).sum())
    nominal = 0.01 * judged
    assert alarms[True] < nominal + 4 * np.sqrt(nominal)
    assert alarms[False] > 3 * nominal


def test_null_rate_is_nominal_with_mixed_samples():
    rng = np.random.default_rng(6)
    method = detector("binomial-baseline", alpha=0.02, mid_p=True, guard_periods=3, window_periods=3)
    alarms = judged = 0
    for _ in range(6):
        x, n = market(rng, 200)
        found = method.detect(panel(x, n), periods=MONTHS[-1:])
        alarms += int(found.alarm.sum())
        judged += int((found.reason == 0).sum())
    nominal = 0.02 * judged
    assert abs(alarms - nominal) < 4 * np.sqrt(nominal)
    assert alarms > 0


def test_all_kinds_together_see_what_each_alone_does_not():
    """Five failures over three kinds of sampling, each of them unremarkable."""
    x, n = market(np.random.default_rng(7), 60, base=0.02)
    n[:, 0, -1], x[:, 0, -1] = (20.0, 8.0), (3.0, 3.0)
    together = detector("binomial-baseline", alpha=0.005, guard_periods=3).detect(panel(x, n), periods=MONTHS[-1:])
    assert together.p_value[0, -1] < 0.005
    assert together.expected[0, -1] < 2.0
