"""Strata combined into one judgement of a subject."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.detectors.across_strata import across_strata, weighted_score
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

MONTHS = pd.period_range("2020-01", periods=40, freq="M")


def study(rng, subjects=300, share=0.05, more=None):
    keys = [(f"{at:03d}", "", "", f"selection={kind}") for kind in ("random", "targeted") for at in range(subjects)]
    n = np.vstack([rng.poisson(12, (subjects, 40)), rng.poisson(4, (subjects, 40))]).astype(float)
    if more is not None:
        n[subjects:, -1] *= more
    rate = np.repeat([share, 3 * share], subjects)[:, None] * rng.uniform(0.7, 1.3, (2 * subjects, 1))
    x = np.where(n > 0, rng.binomial(n.astype(int), np.broadcast_to(rate, n.shape)), np.nan)
    return Panel(x, pd.MultiIndex.from_tuples(keys, names=["product", "industry", "region", "stratum"]), MONTHS, n)


def test_score_against_scipy():
    p, weight = np.array([[0.03], [0.4], [0.2]]), np.array([[2.0], [1.0], [0.5]])
    assert weighted_score(p, weight)[0] == pytest.approx(stats.combine_pvalues(p[:, 0], "stouffer", weight[:, 0]).pvalue, rel=1e-12)
    p[2], weight[1] = np.nan, 0.0
    assert weighted_score(p, weight)[0] == pytest.approx(0.03)
    assert np.isnan(weighted_score(np.full((2, 1), np.nan), np.ones((2, 1))))[0]


def test_sums_and_strata():
    panel = study(np.random.default_rng(1))
    signals = detector("binomial-baseline", mid_p=True).detect(panel, MONTHS[-2:])
    frame = across_strata(signals)
    assert list(frame.columns) == ["product", "industry", "region", "period", "observed", "exposure", "expected", "strata", "p_value"]
    assert len(frame) == 600
    at = frame.iloc[1]
    assert (at["product"], at["period"]) == ("000", MONTHS[-1])
    assert at["observed"] == np.nansum(panel.observed[[0, 300], -1])
    assert frame["strata"].isin([0, 1, 2]).all()
    alone = frame[frame["strata"] == 1]
    assert len(alone) > 3  # a month without targeted samples: the p-value is that of the random ones
    row = alone.index[0]
    pair = signals.p_value[[row // 2, row // 2 + 300], row % 2]
    assert alone.iloc[0]["p_value"] == pytest.approx(np.nanmin(pair), rel=1e-9)


def test_order_does_not_matter():
    panel = study(np.random.default_rng(2), subjects=20)
    order = np.random.default_rng(3).permutation(40)
    straight, turned = (
        across_strata(detector("binomial-baseline").detect(part)).sort_values("product", ignore_index=True)
        for part in (panel, panel.select(panel.index[order]))
    )
    pd.testing.assert_frame_equal(straight, turned)


def test_realised_level_also_when_there_are_many_more_targeted_samples():
    for more in (None, 8):
        share = []
        for seed in range(8):
            signals = detector("binomial-baseline", mid_p=True).detect(study(np.random.default_rng(10 + seed), more=more))
            share.append((across_strata(signals)["p_value"] <= 0.05).mean())
        assert 0.025 < np.mean(share) < 0.065


def test_needs_strata():
    panel = Panel(np.ones((1, 40)), pd.Index(["a"]), MONTHS, np.full((1, 40), 9.0))
    with pytest.raises(DetectorError, match="across_strata: needs signals of a panel with a level"):
        across_strata(detector("binomial-baseline").detect(panel))
