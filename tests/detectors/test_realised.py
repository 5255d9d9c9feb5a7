"""Realised against nominal rates of alarms."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.detectors.realised import LEVELS, REALISED_COLUMNS, realised_rates
from riskwatch.errors import DetectorError


def test_counts_and_intervals():
    # R 4.3: binom.test(3, 20)$conf.int, binom.test(0, 20)$conf.int, binom.test(20, 20)$conf.int
    p = np.array([0.01, 0.02, 0.05] + [0.9] * 17)
    found = realised_rates(p.reshape(4, 5), levels=(0.05, 0.001, 0.95))
    assert tuple(found.columns) == REALISED_COLUMNS
    assert found["nominal"].tolist() == [0.001, 0.05, 0.95]
    assert found["alarms"].tolist() == [0, 3, 20]
    assert found["cells"].tolist() == [20, 20, 20]
    np.testing.assert_allclose(found["lower"], [0.0, 0.03207094, 0.83156654], atol=1e-8)
    np.testing.assert_allclose(found["upper"], [0.16843346, 0.37892680, 1.0], atol=1e-7)


def test_refused_cells_are_quiet():
    found = realised_rates([np.nan, np.nan, np.nan, 0.001], levels=[0.01])
    assert found["realised"].tolist() == [0.25]


def test_uniform_p_values_keep_their_level():
    rng = np.random.default_rng(4)
    hits = [
        ((found["lower"] <= found["nominal"]) & (found["nominal"] <= found["upper"])).to_numpy()
        for found in (realised_rates(rng.random(4000)) for _ in range(60))
    ]
    assert np.mean(hits) > 0.93
    assert np.shape(hits) == (60, len(LEVELS))


@pytest.mark.parametrize(
    ("values", "levels", "words"), [([], LEVELS, "at least one cell"), ([0.5], [0.0, 0.1], "strictly between 0 and 1, got 0")]
)
def test_what_cannot_be_answered(values, levels, words):
    with pytest.raises(DetectorError, match=words):
        realised_rates(values, levels=levels)
