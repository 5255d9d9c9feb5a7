"""What counts as a look, and that looks at a filling period together spend no more error than one test."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.assessment.families import look_shares
from riskwatch.runner.looks import KEY, SeenFigures, count_looks

START = dt.date(2025, 3, 1)


def day(counts, p=None):
    """One day's judgements of a series for each count."""
    size = len(counts)
    frame = pd.DataFrame(dict.fromkeys(KEY, [""] * size)).assign(product=np.arange(size).astype(str), period_start=START)
    return frame.assign(observed=np.asarray(counts, float), p_value=0.1 if p is None else p)


@pytest.mark.parametrize(
    ("seen", "looks"),
    [
        ([0, 0, 0], [1, 1, 1]),
        ([0, 1, 1], [1, 1, 1]),  # without a case there was nothing to find
        ([1, 3, 4], [1, 2, 3]),
        ([2, 2, 3], [1, 1, 2]),  # more inspections, the same failures
        ([3, 2, 3], [1, 2, 2]),  # corrected and corrected back
        ([2, 0, 1], [1, 1, 2]),
    ],
)
def test_a_look_is_a_number_of_cases(seen, looks):
    figures, before = SeenFigures(), day([0])[:0]
    for count, expected in zip(seen, looks, strict=True):
        now = day([count])
        assert count_looks(before, now).tolist() == figures.count(now).tolist() == [expected]
        before = pd.concat([before, now]) if len(before) else now


@pytest.mark.parametrize(("share", "samples"), [(0.02, 1), (0.02, 5), (0.1, 2), (0.1, 10), (0.3, 10)])
def test_a_month_without_signal_is_told_at_most_as_often_as_nominal(share, samples):
    """Twelve looks at 20,000 months that fill with samples: a p-value, divided by the share of its look, below the level on any of them."""
    rng = np.random.default_rng(11)
    inspected = rng.poisson(samples, (12, 20_000)).cumsum(axis=0)
    failed = rng.binomial(np.diff(inspected, axis=0, prepend=0), share).cumsum(axis=0)
    p = stats.binom.sf(failed - 1, inspected, share)
    figures = SeenFigures()
    looks = np.stack([figures.count(day(counts)) for counts in failed])
    for level in (0.05, 0.01):
        told = ((p / look_shares(looks, 0.75)) <= level).any(axis=0).mean()
        assert told <= level
        assert told > 0  # the looks spend what they may
