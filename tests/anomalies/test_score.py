"""Calibration on independent features, power on planted combinations, drivers, order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.anomalies import anomalies, score
from riskwatch.anomalies.features import blocks, robust_scale
from riskwatch.anomalies.score import permuted
from riskwatch.anomalies.table import FRAME
from tests.anomalies.conftest import profile_of, quick


def independent(seed, rows=150, columns=5):
    """Independent features of unlike shapes: heavy tails, skew, unlike scales."""
    rng = np.random.default_rng(seed)
    values = [
        rng.standard_t(3, rows),
        rng.gamma(1.5, 4.0, rows),
        rng.normal(5, 100, rows),
        rng.standard_t(5, rows),
        rng.lognormal(0, 1, rows),
    ]
    return np.column_stack(values[:columns])


def test_on_independent_features_p_values_are_uniform_and_false_discoveries_stay_at_the_level():
    """16 data sets of 100 rows without signal: every discovery is false, so the share of sets with any is the realised rate."""
    fast = {"permutations": 10, "covariance_rows": 60, "forest": {"trees": 12, "subsample": 64}}
    judged = [score(profile_of(independent(seed, rows=100)), quick(seed=seed, **fast)) for seed in range(16)]
    p = np.concatenate([found.p_value for found in judged])
    # Rows of one data set share a fit: the bounds are three standard errors of the mean over data sets.
    for level in (0.01, 0.05, 0.2, 0.5):
        shares = np.array([(found.p_value <= level).mean() for found in judged])
        assert abs(shares.mean() - level) <= 3 * shares.std(ddof=1) / np.sqrt(len(shares)) + 1e-3, level
    assert p.min() >= 1 / (1 + 10 * 100)
    assert sum((found.q_value <= 0.1).any() for found in judged) <= 4  # P(X >= 5) = 0.017 for 16 sets at 0.1


def test_unlike_amounts_of_data_do_not_make_anomalies():
    """Rows that rest on little data are noisier in every feature; exchanged within blocks only, they are no anomalies."""
    hits = {True: 0.0, False: 0.0}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        size = rng.uniform(1, 100, 300)
        values = rng.normal(size=(300, 5)) * np.where(size < 30, 3.0, 1.0)[:, None]
        for told in hits:
            found = score(profile_of(values, size=size if told else None), quick(seed=seed, permutations=10, covariance_rows=60))
            hits[told] += float((found.p_value <= 0.02).mean()) / 3
    assert hits[True] < 0.045
    assert hits[False] > 1.5 * hits[True]


@pytest.fixture(scope="module")
def planted():
    """Six rows extreme in four features at once, among two correlated and three plain ones."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(300, 5))
    values[:, 1] = 0.9 * values[:, 0] + np.sqrt(1 - 0.81) * values[:, 1]
    values[:6, 1:] = np.array([-3.5, 3.5, 3.5, 3.5]) + rng.normal(0, 0.2, (6, 4))
    values[:6, 0] = 3.0
    return values


def test_planted_combinations_are_found(planted):
    found = score(profile_of(planted), quick())
    hits = np.flatnonzero(found.q_value <= 0.1)
    assert set(range(6)) <= set(hits.tolist())
    assert len(hits) <= 8
    assert found.score[:6].min() > np.sort(found.score[6:])[-3]


def test_a_single_extreme_value_is_left_to_the_detectors():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(200, 5))
    values[0, 2] = 9.0
    assert score(profile_of(values), quick()).q_value[0] > 0.1


def test_drivers_name_what_was_planted_and_its_direction(planted):
    frame = anomalies(profile_of(planted), quick())
    assert list(frame.columns) == list(FRAME)
    top = frame.set_index("product").loc["P0000"]
    assert top["anomaly"]
    assert top["worse"]
    assert top["evidence"] == "C1"
    assert len(top["drivers_en"].split("; ")) == 3
    assert "feature 1 low (-" in top["drivers_en"]
    assert "特征1偏低（-" in top["drivers_zh"]
    assert frame["score"].is_monotonic_decreasing
    # The same figures as good news: not for the worse.
    good = anomalies(profile_of(np.abs(planted) * [1, 1, 1, 1, 1], harm=-1), quick()).set_index("product")
    assert not good.loc[[f"P{row:04d}" for row in range(6)], "worse"].any()


def test_the_same_seed_gives_the_same_answer_and_another_seed_nearly_so(planted):
    first, again = score(profile_of(planted), quick()), score(profile_of(planted), quick())
    np.testing.assert_array_equal(first.p_value, again.p_value)
    np.testing.assert_array_equal(first.drop, again.drop)
    other = score(profile_of(planted), quick(seed=8))
    assert np.corrcoef(first.score, other.score)[0, 1] > 0.97


def test_scale_and_shift_of_a_feature_do_not_matter(planted):
    changed = planted * [1.0, 100.0, 0.01, 5.0, 1.0] + [0.0, -7.0, 3.0, 1e3, 2.0]
    np.testing.assert_allclose(score(profile_of(planted), quick()).score, score(profile_of(changed), quick()).score, rtol=1e-6, atol=1e-8)


def test_missing_values_stand_at_the_median_and_hardly_known_rows_are_not_judged(planted):
    missing = np.zeros(planted.shape, dtype=bool)
    missing[10, :3] = True
    missing[20, :2] = True
    profile = profile_of(planted, missing=missing)
    assert (profile.values[missing] == 0).all()
    found = score(profile, quick())
    assert np.isnan(found.score[10])
    assert np.isfinite(found.score[20])
    frame = anomalies(profile, quick())
    assert "P0010" not in set(frame["product"])
    assert frame.set_index("product").loc["P0020", "missing"] == 2


def test_too_few_rows_or_features_are_not_judged():
    assert np.isnan(score(profile_of(independent(1, rows=12)), quick()).p_value).all()
    assert np.isnan(score(profile_of(independent(1, columns=1)), quick()).p_value).all()
    assert anomalies(profile_of(independent(1, rows=12)), quick()).empty


def test_permuting_keeps_single_values_blocks_and_what_is_missing():
    rng = np.random.default_rng(1)
    values, missing, block = rng.normal(size=(60, 3)), rng.random((60, 3)) < 0.2, np.repeat([0, 1, 2], 20)
    values[missing] = 0.0
    out = permuted(values, missing, block, rng)
    assert (out[missing] == 0).all()
    for number in range(3):
        for column in range(3):
            known = (block == number) & ~missing[:, column]
            assert sorted(out[known, column]) == sorted(values[known, column])
    assert not np.array_equal(out, values)


def test_robust_scale_is_that_of_the_median_and_of_strata():
    values = np.array([[1.0], [2.0], [3.0], [4.0], [100.0], [11.0], [12.0], [13.0], [14.0], [110.0]])
    stratum = np.repeat([0, 1], 5)
    scaled = robust_scale(values, stratum)[:, 0]
    np.testing.assert_allclose(scaled[:5], (values[:5, 0] - 3) / 1.4826)
    np.testing.assert_allclose(scaled[5:], scaled[:5])
    flat = robust_scale(np.array([[1.0], [1.0], [1.0], [1.0], [3.0]]), np.zeros(5, np.int64))[:, 0]
    np.testing.assert_allclose(flat, np.array([0, 0, 0, 0, 2]) / np.sqrt(4 / 5))
    assert np.isnan(robust_scale(np.full((3, 1), np.nan), np.zeros(3, np.int64))).all()


def test_blocks_hold_rows_of_like_size():
    size = np.random.default_rng(1).permutation(500).astype(float)
    number = blocks(size)
    assert np.bincount(number).tolist() == [50] * 10
    assert pd.Series(size).groupby(number).max().is_monotonic_increasing
    assert set(blocks(np.arange(30.0))) == {0}


def test_features_that_never_vary_or_are_hardly_known_are_left_out_and_said():
    values = independent(2)
    values[:, 1] = 4.0
    missing = np.zeros(values.shape, dtype=bool)
    missing[:100, 2] = True
    profile = profile_of(values, missing=missing)
    assert [feature.name for feature in profile.features] == ["f0", "f3", "f4"]
    assert profile.absent["f1"][1] == "the same in all rows"
    assert profile.absent["f2"][0] == "一半以上的行未知"
