"""The real list of Chinese food spot checks: hashed producers, many of them missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from riskwatch.enterprises import enterprise_history, persistence
from riskwatch.enterprises.rules import EnterpriseRules


def test_histories_of_a_real_list(real_data: Path, rules: EnterpriseRules):
    listed = pd.read_parquet(real_data / "cn_food_spotcheck" / "samples.parquet").drop_duplicates("sample_id")
    records = pd.DataFrame(
        {
            "source": "cn-food",
            "record_key": listed["sample_id"],
            "event_date": listed["publish_date"],
            "product": listed["cat_l2"],
            "producer": listed["producer"],
            "selection": listed["query_mode"].map({"all": "random"}).fillna("targeted"),
            "verdict": listed["failed"].map({True: "fail", False: "pass"}),
            "inspected": 1,
            "failed": listed["failed"].astype(int),
        }
    )
    found = enterprise_history(records, as_of=dt.date(2022, 7, 22), window_days=730)
    missing = listed["producer"].isna() | (listed["producer"] == "")
    assert found.unattributed == missing.sum()
    assert found.frame["samples"].sum() + found.unattributed == len(listed)
    assert len(found.frame) == listed.loc[~missing, "producer"].nunique()
    assert found.frame["enterprise"].str.startswith("cn-food/").all()
    rates = persistence(records, rules.shrinkage)
    lone = rates[(rates["samples"] == 1) & (rates["failed"] == 1)]
    assert len(lone) > 0
    assert (lone["shrunk"] < 1).all()
    assert (rates["lower"] <= rates["shrunk"]).all()
    assert (rates["shrunk"] <= rates["upper"]).all()
