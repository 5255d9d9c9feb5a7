"""Which items fail: counts by hand, exact intervals and tests against other software, calibration of the test for new items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from items_world import item_rows, samples
from scipy import stats

from riskwatch.items import item_table, new_items
from riskwatch.items.intervals import adjusted, exact_interval, fisher_greater


@pytest.fixture
def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    records = samples(
        [(number, f"2024-0{1 + number // 4}-10", "P01" if number % 2 else "P02", "fail" if number < 6 else "pass") for number in range(12)]
    )
    items = [
        (0, "铅", "1", "fail"),
        (0, "铅", "2", "fail"),
        (0, "小零件", "x", "fail"),
        (1, "铅", "1", "fail"),
        (2, "铅", "1", "fail"),
        (9, "铅", "0", "pass"),
    ]
    items += [(10, "铅", "", "not-tested"), (99, "铅", "1", "fail"), (3, "小零件", "x", "fail")]
    return records, item_rows(items)


def test_samples_are_counted_not_rows(world):
    records, items = world
    found = item_table(records, items, classifier={"铅": "chemical"}).set_index("item")
    # Sample 0 has two rows of lead and one of small parts; sample 10 was not tested, 99 is no sample of ours.
    assert found["failed"].to_dict() == {"铅": 3, "小零件": 2}
    assert found["hazard"].to_dict() == {"铅": "chemical", "小零件": "unknown"}
    assert (found["failing_samples"] == 6).all()
    # Lead was found within its limit in one sample, so four were tested; of small parts only failures are listed.
    assert found.loc["铅", "tested"] == 4.0
    assert found.loc["铅", "rate"] == 0.75
    assert np.isnan(found.loc["小零件", "tested"])
    assert found.loc["铅", ["products", "regions", "producers"]].tolist() == [2, 1, 3]


def test_by_product_adds_up(world):
    records, items = world
    split = item_table(records, items, by=["product"])
    assert split.groupby("item")["failed"].sum().to_dict() == {"铅": 3, "小零件": 2}
    assert split.drop_duplicates("product").set_index("product")["failing_samples"].to_dict() == {"P01": 3, "P02": 3}


def test_a_missing_producer_is_no_producer(world):
    records, items = world
    nobody = item_table(records.assign(producer=None), items)
    assert (nobody["producers"] == 0).all()
    assert nobody["producer_unknown"].tolist() == nobody["failed"].tolist()
    assert item_table(records.drop(columns="producer"), items)["producers"].tolist() == [0, 0]


def test_row_order_and_categories_change_nothing(world):
    records, items = world
    plain = item_table(records, items, by=["product"])
    other = item_table(
        records.sample(frac=1, random_state=1).astype({"product": "category", "verdict": "category", "producer": "category"}),
        items.sample(frac=1, random_state=2).astype({"item": "category", "verdict": "category"}),
        by=["product"],
    )
    pd.testing.assert_frame_equal(plain, other, check_dtype=False)


def test_nothing_failing_gives_an_empty_table(world):
    records, items = world
    assert item_table(records, items[:0]).empty
    assert new_items(records, items[:0], since="2024-03-01", baseline_since="2024-01-01").empty


def test_exact_intervals_are_those_of_r():
    """R 4: ``binom.test(x, n)$conf.int``."""
    expected = {
        (0, 5): (0.0, 0.5218237501),
        (1, 1): (0.025, 1.0),
        (2, 10): (0.0252107263, 0.5560954623),
        (5, 5): (0.4781762499, 1.0),
        (17, 350): (0.0285457630, 0.0766303126),
    }
    for (x, n), bounds in expected.items():
        low, high = exact_interval([x], [n])
        assert (low[0], high[0]) == pytest.approx(bounds, abs=1e-9)
    assert np.isnan(exact_interval([0], [0])).all()


R_FISHER = {
    (3, 12, 6, 155): 0.0188144765669,
    (1, 1, 0, 10): 0.0909090909091,
    (16, 40, 17, 354): 2.13023688394e-09,
    (0, 20, 3, 100): 1.0,
    (5, 60, 0, 400): 3.25219891291e-05,
}


def test_fisher_is_that_of_r():
    """R 4: ``fisher.test(matrix(c(x1, n1 - x1, x0, n0 - x0), 2), alternative = "greater")$p.value``."""
    for (x1, n1, x0, n0), expected in R_FISHER.items():
        assert fisher_greater([x1], [n1], [x0], [n0])[0] == pytest.approx(expected, rel=1e-9)


def test_the_test_for_new_items_is_calibrated():
    """Under equal rates no more than 5 % of the exact tests fall below 0.05, whatever the rate."""
    rng = np.random.default_rng(11)
    for rate in (0.01, 0.05, 0.2):
        now, before = rng.binomial(60, rate, 20_000), rng.binomial(400, rate, 20_000)
        p = fisher_greater(now, 60, before, 400)
        assert (p <= 0.05).mean() < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 20_000)


def test_false_discovery_rates_are_those_of_scipy():
    p = np.random.default_rng(3).random(40) ** 3
    np.testing.assert_allclose(adjusted(p), stats.false_discovery_control(p), rtol=1e-12)
    padded = np.concatenate([p, np.ones(10)])
    np.testing.assert_allclose(adjusted(p, 50), stats.false_discovery_control(padded)[:40], rtol=1e-12)


def test_a_new_item_is_found_and_an_old_one_is_not():
    rng = np.random.default_rng(5)
    days = pd.date_range("2023-01-01", periods=700, freq="D")
    records = samples([(k, str(day.date()), "P01", "pass") for k, day in enumerate(days)])
    old = [(int(k), "旧项目", "1", "fail") for k in rng.choice(700, 35, replace=False)]
    late = [(k, "新项目", "1", "fail") for k in range(660, 700, 8)]
    found = new_items(records, item_rows(old + late), since="2024-10-02", baseline_since="2023-01-01").set_index("item")
    assert found.loc["新项目", "new"]
    assert found.loc["新项目", ["failed", "failed_before"]].tolist() == [5, 0]
    assert found.loc["新项目", "samples"] + found.loc["新项目", "samples_before"] == 700
    assert found.loc["新项目", "q_value"] < 0.001
    assert np.isinf(found.loc["新项目", "ratio"])
    assert "旧项目" not in found.index or not found.loc["旧项目", "new"]
