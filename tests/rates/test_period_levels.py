"""Periods at one common mix: a change of what is sampled moves no level, a change within products does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import RateError
from riskwatch.rates import period_levels


def samples(rng, products, rate, n=4000):
    """Draw random samples of products (code to share) with failure rates (code to rate)."""
    codes = list(products)
    chosen = rng.choice(codes, n, p=[products[code] for code in codes])
    return pd.DataFrame(
        {
            "event_date": pd.Timestamp("2025-10-15"),
            "product": chosen,
            "industry": "C2452",
            "region": rng.choice(["220104", "220204", "220303"], n),
            "producer_region": "220104",
            "check_type": "provincial",
            "selection": "random",
            "channel": "production",
            "laboratory": "",
            "producer": [f"E{number}" for number in range(n)],
            "inspected": 1,
            "failed": (rng.random(n) < [rate[code] for code in chosen]).astype(int),
        }
    )


RATE = {"P0101": 0.20, "P0901": 0.02}


def test_a_changed_mix_moves_the_raw_rate_and_no_level(rules, trees):
    rng = np.random.default_rng(3)
    frames = {
        "now": samples(rng, {"P0101": 0.8, "P0901": 0.2}, RATE),
        "then": samples(rng, {"P0101": 0.2, "P0901": 0.8}, RATE),
    }
    raw = {name: frame["failed"].mean() for name, frame in frames.items()}
    found = period_levels(frames, trees, rules).set_index("period")
    assert raw["now"] - raw["then"] > 0.08
    assert abs(found.loc["now", "rate"] - found.loc["then", "rate"]) < 0.02
    # The common mix holds both products about equally: (0.20 + 0.02) / 2.
    assert found["rate"].to_numpy() == pytest.approx(0.11, abs=0.015)
    assert ((found["lower"] < 0.11) & (found["upper"] > 0.11)).all()


def test_worse_products_raise_the_level(rules, trees):
    rng = np.random.default_rng(4)
    mix = {"P0101": 0.5, "P0901": 0.5}
    frames = {"now": samples(rng, mix, {"P0101": 0.30, "P0901": 0.06}), "then": samples(rng, mix, RATE)}
    found = period_levels(frames, trees, rules).set_index("period")
    assert found.loc["now", "lower"] > found.loc["then", "upper"]


def test_order_of_rows_does_not_matter_and_empty_periods_are_left_out(rules, trees):
    rng = np.random.default_rng(5)
    frame = samples(rng, {"P0101": 0.5, "P0901": 0.5}, RATE, n=600)
    other = samples(rng, {"P0101": 0.5, "P0901": 0.5}, RATE, n=500)
    frames = {"now": frame, "then": other, "never": other.iloc[:0]}
    shuffled = {"now": frame.sample(frac=1, random_state=1), "then": other.sample(frac=1, random_state=2)}
    one, two = period_levels(frames, trees, rules), period_levels(shuffled, trees, rules)
    assert one["period"].tolist() == ["now", "then"]
    pd.testing.assert_frame_equal(one, two, rtol=1e-12)


def test_targeted_samples_alone_are_refused(rules, trees):
    frame = samples(np.random.default_rng(6), {"P0101": 1.0}, RATE, n=50).assign(selection="targeted")
    with pytest.raises(RateError, match="serves comparison"):
        period_levels({"now": frame}, trees, rules)
