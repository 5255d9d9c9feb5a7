"""Names of spot-checked products: a name that fails surfaces without a code of its own, and chance is silent."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import detector
from riskwatch.dimensions import Tree
from riskwatch.texts import emerging, failing, term_panel
from riskwatch.texts.nodes import catch_alls, uncoded

UNTIL = dt.date(2025, 12, 31)
NAMES = ["儿童滑板车", "磁力积木", "电热水壶", "木制书柜", "硅胶奶嘴", "防风打火机", "棉毛内衣", "玻璃水杯", "电动牙刷", "瓷砖胶"]
COLOURS = ["红色", "豪华", "简易", "便携", "高级", "家用"]
FAILING = {"history_periods": 24, "min_history_periods": 0, "guard_periods": 3, "window_periods": 3, "mid_p": True, "pool_strata": True}


def tree():
    codes = ["P", "P1", "P9"]
    return Tree(
        "product", pd.Index(codes), np.array([-1, 0, 0]), np.array(["category", "product", "product"], dtype=object),
        np.array(["产品", "玩具", "其他产品"], dtype=object), np.array(["Products", "Toys", "Other products"], dtype=object),
        np.full(3, "NaT", "datetime64[D]"), np.full(3, "NaT", "datetime64[D]"), pd.DataFrame(index=codes),
    )  # fmt: skip


def samples(seed, size=4000, rate=0.04):
    rng = np.random.default_rng(seed)
    when = pd.Timestamp(UNTIL) - pd.to_timedelta(rng.integers(0, 730, size), unit="D")
    frame = pd.DataFrame(
        {
            "event_date": when,
            "product_name": [colour + name for colour, name in zip(rng.choice(COLOURS, size), rng.choice(NAMES, size), strict=True)],
            "producer": [f"E{number}" for number in rng.integers(0, 200, size)],
            "failed": (rng.random(size) < rate).astype(int),
            "product": "P1",
        }
    )
    return frame, rng


def new_name(rng, size, failures, producers=9):
    return pd.DataFrame(
        {
            "event_date": pd.Timestamp(UNTIL) - pd.to_timedelta(rng.integers(0, 28, size), unit="D"),
            "product_name": "反重力悬浮鞋",
            "producer": [f"E{number % producers}" for number in range(size)],
            "failed": [1] * failures + [0] * (size - failures),
            "product": "P9",
        }
    )


def judge(frame, rules, tokeniser, **more):
    found = term_panel(
        frame, field="product_name", rules=rules, tokeniser=tokeniser, trees={"product": tree()}, frequency="month", until=UNTIL,
        reporter="producer", counted="failed", **more,
    )  # fmt: skip
    return found, failing(
        found, detector("binomial-baseline", **FAILING), counted="failed", frequency="month", rules=rules, reporter="producer"
    )


def spoken(table):
    return {term for row in table.itertuples() for term in (row.term, *row.alike)}


def test_a_name_without_a_past_that_fails_surfaces_under_the_catch_all(rules, tokeniser):
    frame, rng = samples(1)
    frame = pd.concat([frame, new_name(rng, 12, 7)], ignore_index=True)
    _, table = judge(frame, rules, tokeniser)
    hits = table[table["alarm"] & (table["q_value"] < 0.05)]
    assert any("悬浮" in term for term in spoken(hits))
    assert all("悬浮" in term or "重力" in term or row.same_as for row in hits.itertuples() for term in [row.term])
    first = hits.iloc[0]
    assert first["product"] == "P9"
    assert first["records_now"] == 7
    assert first["share_now"] == pytest.approx(7 / 12)
    # What is expected of it is what names like it lead to expect.
    assert first["share_before"] == pytest.approx(0.04, abs=0.02)
    shuffled = judge(frame.sample(frac=1, random_state=3), rules, tokeniser)[1]
    pd.testing.assert_frame_equal(shuffled, table)


def test_more_samples_of_a_name_are_no_failures_and_one_producers_brand_is_no_word(rules, tokeniser):
    frame, rng = samples(2)
    many = pd.concat([frame, new_name(rng, 60, 2)], ignore_index=True)
    assert not judge(many, rules, tokeniser)[1]["alarm"].any()
    brand = pd.concat([frame, new_name(rng, 12, 7, producers=1)], ignore_index=True)
    assert not any("悬浮" in term for term in spoken(judge(brand, rules, tokeniser)[1]))


def test_chance_fails_names_at_most_at_its_rate(rules, tokeniser):
    tables = [judge(samples(50 + seed, 2500)[0], rules, tokeniser)[1] for seed in range(8)]
    p = np.concatenate([table["p_value"] for table in tables])
    assert len(p) > 100
    assert (p <= 0.05).mean() < 0.08
    assert sum(int((table["q_value"] < 0.05).sum()) for table in tables) == 0


def test_only_what_has_no_code(rules, tokeniser):
    assert catch_alls(tree(), rules.catch_all) == {"P9"}
    assert catch_alls(tree(), ("the",)) == set()  # "other" holds it, as no word of its own
    codes = pd.Series(["P1", "P9", None, "", "P1"], dtype="object")
    assert uncoded([codes], frozenset({"P9"})).tolist() == [False, True, True, True, False]
    assert uncoded([codes, pd.Series(["P9", "P1", None, "P9", ""], dtype="object")], frozenset({"P9"})).tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]
    frame, rng = samples(4)
    old = new_name(rng, 60, 60).assign(product_name="电动牙刷", event_date=frame["event_date"].iloc[:60].to_numpy())
    frame = pd.concat([frame, old, new_name(rng, 12, 12)], ignore_index=True)
    found = term_panel(
        frame[frame["failed"] == 1], field="product_name", rules=rules, tokeniser=tokeniser, trees={"product": tree()}, frequency="month",
        until=UNTIL, reporter="producer", only_uncoded=True,
    )  # fmt: skip
    assert len(found.records) == 72
    method = detector("log-odds-dirichlet", window_periods=3, guard_periods=3, min_history_periods=4, min_total=5, pool_strata=True)
    table = emerging(found, method, rules=rules)
    assert any("悬浮" in term for term in spoken(table[table["alarm"]]))
    assert not any("牙刷" in term for term in spoken(table[table["alarm"]]))


def test_nothing_to_read_is_no_error(rules, tokeniser):
    frame, _ = samples(5, 300)
    found, table = judge(frame, rules, tokeniser, only_uncoded=True)
    assert len(found.corpus.terms) == 0
    assert table.empty
