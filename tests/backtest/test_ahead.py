"""What a count of warnings says of the weeks after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.backtest.ahead import ahead_of, block_counts, dispersion_of, rate_to_keep

REFERENCE = pd.read_csv(Path(__file__).parent.parent / "reference" / "ahead.csv")


@pytest.mark.parametrize("row", REFERENCE.to_dict("records"), ids=lambda row: f"{row['count']}-{row['weeks']}-{row['ahead']}")
def test_it_is_the_mixture_that_r_integrates(row: dict[str, float]) -> None:
    told = ahead_of(int(row["count"]), row["weeks"], row["budget"], ahead=row["ahead"], dispersion=1.0, within=0.25, level=0.95)
    assert (told.low * row["ahead"], told.high * row["ahead"]) == pytest.approx((row["low"], row["high"]))
    assert told.kept == pytest.approx(row["kept"], abs=1e-12)


@pytest.mark.parametrize("rate", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("weeks", [52, 104])
def test_the_interval_holds_its_level_and_the_chance_is_kept_as_often_as_said(rate: float, weeks: int) -> None:
    """Over draws of both the period and what follows; whole numbers and the prior leave a little over."""
    rng = np.random.default_rng(7)
    first, after = rng.poisson(rate * weeks, 4000), rng.poisson(rate * 26, 4000)
    of = {n: ahead_of(n, weeks, max(n, 1) / weeks, ahead=26, dispersion=1.0, within=0.25, level=0.9) for n in set(first.tolist())}
    told = [of[n] for n in first.tolist()]
    inside = np.mean([one.low * 26 - 1e-9 <= m <= one.high * 26 + 1e-9 for one, m in zip(told, after, strict=True)])
    assert 0.885 <= inside <= 0.96
    kept = [abs(m / 26 - n / weeks) <= 0.25 * n / weeks + 1e-9 for n, m in zip(first, after, strict=True)]
    assert np.mean([one.kept for one in told]) == pytest.approx(np.mean(kept), abs=0.025)


def test_clusters_widen_it_and_its_level_holds() -> None:
    """Hazards at random, each with a geometric number of warnings: the variance is 2 / p - 1 times the mean."""
    rng, p = np.random.default_rng(8), 0.5
    phi = 2 / p - 1
    clusters = rng.poisson(0.5, (3000, 130))
    weekly = clusters + rng.negative_binomial(np.maximum(clusters, 1), p) * (clusters > 0)
    assert weekly.var() / weekly.mean() == pytest.approx(phi, rel=0.05)
    first, after = weekly[:, :104].sum(axis=1).tolist(), weekly[:, 104:].sum(axis=1).tolist()
    inside = {}
    for dispersion in (phi, 1.0):
        of = {n: ahead_of(n, 104, 1.0, ahead=26, dispersion=dispersion, within=0.25, level=0.95) for n in set(first)}
        inside[dispersion] = sum(of[n].low * 26 - 1e-9 <= m <= of[n].high * 26 + 1e-9 for n, m in zip(first, after, strict=True))
    assert 0.93 <= inside[phi] / 3000 <= 0.975
    assert inside[1.0] / 3000 < 0.85
    found = [dispersion_of(one[:104].reshape(26, 4).sum(axis=1)) for one in weekly[:500]]
    assert np.mean(found) == pytest.approx(phi, rel=0.06)


def test_the_rate_to_keep_is_one_at_which_it_is_kept() -> None:
    for weeks, dispersion in ((52, 1.0), (104, 1.0), (104, 2.5)):
        rate = rate_to_keep(weeks, ahead=26, dispersion=dispersion, within=0.25, sure=0.9)
        chance = [
            ahead_of(round(r * weeks), weeks, r, ahead=26, dispersion=dispersion, within=0.25, level=0.95).kept
            for r in np.linspace(0.97, 1.03, 25) * rate
        ]
        assert np.mean(chance) == pytest.approx(0.9, abs=0.02)


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 13), st.randoms())
def test_blocks_hold_every_day_of_whole_blocks_in_any_order(days: list[int], weeks: int, random: object) -> None:
    first = np.datetime64("2024-01-03", "D")
    last = first + np.timedelta64(363, "D")
    given_days = first + np.array(days, dtype="timedelta64[D]")
    counts = block_counts(given_days, first, last, weeks)
    assert counts.size == 52 // weeks
    begin = 364 - counts.size * 7 * weeks
    assert counts.sum() == sum(begin <= day < 364 for day in days)
    random.shuffle(days)  # type: ignore[attr-defined]
    assert np.array_equal(counts, block_counts(first + np.array(days, dtype="timedelta64[D]"), first, last, weeks))


def test_blocks_end_with_the_period() -> None:
    first, last = np.datetime64("2024-01-03", "D"), np.datetime64("2024-02-27", "D")  # eight weeks
    days = np.array(["2024-01-03", "2024-01-30", "2024-01-31", "2024-02-27"], dtype="datetime64[D]")
    assert block_counts(days, first, last, 4).tolist() == [2, 2]
    assert block_counts(days, first, last, 3).tolist() == [2, 1]  # the oldest two weeks are in none
    assert block_counts(days[:0], first, last, 9).tolist() == []


def test_few_counts_tell_nothing_of_clusters() -> None:
    assert dispersion_of(np.array([7])) == dispersion_of(np.zeros(5, dtype=np.int64)) == dispersion_of(np.array([3, 3, 4])) == 1.0
    none = ahead_of(0, 104, 1.0, ahead=26, dispersion=1.0, within=0.25, level=0.95)
    assert none.low == 0.0
    assert none.high < 0.2
    assert none.kept < 1e-6
