"""The real list of Chinese food spot checks: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskwatch.items import compare, item_table, read_limits, read_measured


@pytest.fixture(scope="module")
def listed(real_data: Path) -> pd.DataFrame:
    return pd.read_parquet(real_data / "cn_food_spotcheck" / "samples.parquet")


def test_no_number_is_made_up(listed):
    failing = listed[listed["failing_item"].notna()]
    values, limits = read_measured(failing["result"]), read_limits(failing["limit"], "<=")
    kinds = pd.Series(values.kind).value_counts()
    assert kinds["number"] >= 160
    text = failing["result"].fillna("").astype(str).to_numpy()
    # Every exponent that a web page lost, every list of five results and every plan is refused.
    for position, written in enumerate(text):
        if written.rstrip().endswith("×10") or written.count("CFU") > 1 or "，" in written:
            assert values.kind[position] in {"text", "several"}, written
    assert set(limits.kind[failing["limit"].fillna("").str.contains("n=5").to_numpy()]) == {"plan"}
    # Where both sides have the same unit written, every sample on the list fails by its own figures, but for what is misprinted there:
    # two acid values and one of aluminium within their limits, "salt > 0.1 %" under "< 20 %", and "99 %" written without its "at least".
    verdicts = compare(values, limits)
    same = (values.unit == limits.unit) & (values.unit != "")
    odd = failing[same & (verdicts != "fail")]
    assert same.sum() == 105
    assert sorted(odd["result"]) == ["2.2mg/g", "2.9mg/g", "61.1mg/kg", "96.2%", "＞0.1%"]


def test_items_of_the_real_list(listed):
    records = pd.DataFrame(
        {
            "record_id": listed["sample_id"],
            "event_date": listed["publish_date"],
            "product": listed["cat_l2"],
            "region": listed["sampled_adcode"],
            "producer": listed["producer"],
            "verdict": listed["failed"].map({True: "fail", False: "pass"}),
        }
    ).drop_duplicates("record_id")
    items = listed.loc[listed["failing_item"].notna(), ["sample_id", "failing_item"]]
    items = pd.DataFrame({"record_id": items["sample_id"], "item": items["failing_item"], "verdict": "fail"})
    table = item_table(records, items)
    assert table["failed"].sum() == len(items.drop_duplicates(["record_id", "item"]))
    assert table["tested"].isna().all()
    assert (table["share_lower"] <= table["share"]).all()
    assert (table["share"] <= table["share_upper"]).all()
