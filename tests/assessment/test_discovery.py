import numpy as np
import pandas as pd
import pytest
from assessment_world import RULES, quiet, signal, twice
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.assessment.discovery import judge, q_values
from riskwatch.errors import DetectorError


def naive_q(p):
    """Benjamini-Hochberg by its definition: q_i is the smallest m p_(k) / k over k at or after the rank of i."""
    order = np.argsort(p, kind="stable")
    m = len(p)
    q = np.empty(m)
    for rank, i in enumerate(order, start=1):
        q[i] = min(min(1.0, m * p[order[k - 1]] / k) for k in range(rank, m + 1))
    return q


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=40))
def test_q_values_equal_the_definition(p):
    assert q_values(p) == pytest.approx(naive_q(np.array(p)), abs=1e-12)


def test_q_values_refuse_what_is_no_probability():
    with pytest.raises(DetectorError, match=r"p-values must lie in \[0, 1\], got 1.5 \(1 of 2 are wrong\)"):
        q_values([0.1, 1.5])
    with pytest.raises(DetectorError, match=r"\[0, 1\]"):
        q_values([np.nan])


def test_under_the_null_false_discoveries_are_as_rare_as_promised():
    """400 runs of 200 true nulls: a hit anywhere is a false discovery, in at most 5 % of runs (three standard errors allowed)."""
    random = np.random.default_rng(20261123)
    with_hits = 0
    for _ in range(400):
        p = random.uniform(size=200)
        with_hits += bool((q_values(p) < RULES.confidence.q_weak).any())
    assert with_hits / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_among_real_effects_the_false_share_stays_below_q():
    """200 runs of 180 nulls and 20 strong effects: mean false share among hits at most q, and nearly all effects found."""
    random = np.random.default_rng(7)
    shares, found = [], []
    for _ in range(200):
        p = np.concatenate([random.uniform(size=180), random.uniform(0, 1e-5, size=20)])
        hit = q_values(p) < 0.05
        shares.append(hit[:180].sum() / max(1, hit.sum()))
        found.append(hit[180:].mean())
    assert np.mean(shares) <= 0.05 + 3 * np.std(shares) / np.sqrt(200)
    assert np.mean(found) > 0.99


def test_only_an_excess_is_a_hit_and_windows_count_consecutive_alarms():
    fall = twice("scooters", observed=2, expected=10, p=1e-9)
    judged = judge(pd.DataFrame([*fall, *twice("heaters")]), RULES)
    by_product = judged.table.groupby("product")
    assert not by_product.get_group("scooters")["hit"].any()
    assert by_product.get_group("heaters")["windows"].tolist() == [1, 2]
    assert by_product.get_group("heaters")["newest"].tolist() == [False, True]
    assert (judged.tests, judged.alarms, judged.hits, judged.dropped) == (4, 2, 2, 0)


def test_a_gap_breaks_the_run_of_windows():
    rows = twice("heaters")
    rows[0] |= {"period_start": pd.Timestamp("2024-05-20"), "period_end": pd.Timestamp("2024-05-26")}
    assert judge(pd.DataFrame(rows), RULES).table["windows"].tolist() == [1, 1]


def test_alarms_of_a_method_that_looks_back_are_not_counted_twice():
    """Weekly alarms of a method that weighs three weeks: one window until the third week after the first alarm."""
    weeks = pd.date_range("2024-05-06", periods=7, freq="7D")
    rows = [signal("heaters") | {"period_start": day, "period_end": day + pd.Timedelta(days=6)} for day in weeks]
    frame = pd.DataFrame(rows)
    assert judge(frame, RULES).table["windows"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert judge(frame.assign(memory=3), RULES).table["windows"].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert judge(frame.assign(memory=3).iloc[::-1], RULES).table["windows"].tolist() == [1, 1, 1, 2, 2, 2, 3]


def test_rows_that_were_refused_are_no_tests():
    rows = [signal("heaters"), signal("dolls", reason="too-short", p=float("nan"))]
    assert judge(pd.DataFrame(rows), RULES).tests == 1


def test_weak_alarms_are_counted_and_dropped():
    rows = [signal("heaters", p=0.04), *(one for code in ("dolls", "kites", "scooters", "toys") for one in quiet(code, "", p=0.9))]
    judged = judge(pd.DataFrame(rows), RULES)
    # Five tests, each the first look at its only period: 5 x 0.04 / 0.75.
    assert judged.table.loc[judged.table["product"] == "heaters", "q_value"].item() == pytest.approx(0.2 / 0.75)
    assert (judged.alarms, judged.dropped) == (1, 1)


def test_missing_columns_and_repeated_series_are_named():
    with pytest.raises(DetectorError, match="missing: stream, source_type"):
        judge(pd.DataFrame([signal()]).drop(columns=["stream", "source_type"]), RULES)
    with pytest.raises(DetectorError, match="product 'heaters', region '', period 2024-06-10 is there twice"):
        judge(pd.DataFrame([signal("heaters"), signal("heaters")]), RULES)
