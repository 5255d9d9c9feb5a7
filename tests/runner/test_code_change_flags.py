"""Code changes reach the flags of a run: from the tree's dates, and from injury records of two years."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from riskwatch.assessment import GradingRules
from riskwatch.dimensions import load_trees
from riskwatch.runner.quality import reporter_state

CONFIG = Path(__file__).resolve().parents[2] / "config"
AS_OF = dt.date(2025, 6, 20)
PRODUCTS = """code,parent,level,name_zh,name_en,valid_from,valid_to
P01,,category,玩具,Toys,,
P0101,P01,product,塑胶玩具,Plastic toys,,
P0102,P01,product,电玩具,Electric toys,,
P0103,P01,product,新玩具,New toys,2025-02-01,
P0104,P01,product,旧玩具,Old toys,2020-02-01,
P02,,category,家电,Appliances,,
P0201,P02,product,电热水器,Water heaters,,
"""


def cards():
    """Twenty a month of every product until 2024 ends; then those of P0101 are written under P0102."""
    months = pd.date_range("2023-06-01", "2025-06-01", freq="MS")
    rows = [
        (product, month + pd.Timedelta(days=number % 18))
        for month in months
        for product in ("P0101", "P0102", "P0104", "P0201")
        for number in range(20)
    ]
    frame = pd.DataFrame(rows, columns=["product", "event_date"])
    frame["product"] = np.where((frame["product"] == "P0101") & (frame["event_date"] >= "2025-01-01"), "P0102", frame["product"])
    reporter = {"region": "220101", "hospital": "H", "laboratory": "L"}
    return frame.assign(known_at=frame["event_date"] + pd.Timedelta(days=1), **reporter)


def test_both_kinds_of_code_change_are_flags_of_a_run(tmp_path):
    (tmp_path / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    entry = SimpleNamespace(dimension="product", path="products.csv", format="tree", options={}, crosswalk=None)
    recalls = pd.DataFrame(columns=["product", "region", "ends_on", "completion", "event_date", "affected"])
    recalls = recalls.astype({"ends_on": "datetime64[s]", "event_date": "datetime64[s]", "completion": float, "affected": float})
    frames = {"injury": cards(), "spot_check": cards(), "recall": recalls}

    def read_records(stream, *, columns=None, as_of, since=None, until=None):
        return frames[stream] if columns is None else frames[stream][[name for name in columns if name != "record_id"]]

    ctx = SimpleNamespace(
        grading=GradingRules.model_validate(YAML(typ="safe").load((CONFIG / "grading.yaml").read_text(encoding="utf-8"))),
        as_of=AS_OF,
        trees=load_trees([entry], tmp_path, tmp_path),
        store=SimpleNamespace(read_records=read_records),
        definitions=SimpleNamespace(catalogue=lambda name: {}, profile="demo"),
    )
    flags = [flag for flag in reporter_state(ctx).flags if flag["kind"] == "code-change"]
    head = {"kind": "code-change", "stream": "injury", "since": "2025-01-01"}
    assert flags == [
        {**head, "product": "P0101", "other": "P0102"},
        {**head, "product": "P0102", "other": "P0101"},
        {"kind": "code-change", "product": "P0103", "since": "2025-02-01"},
    ]
