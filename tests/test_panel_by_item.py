"""Samples once for every item that their kind of goods is known to fail."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from riskwatch.panel.by_item import by_item

PATHS = {"P0101": ["P01", "P0101"], "P0102": ["P01", "P0102"], "P0201": ["P02", "P0201"]}


class _Tree(SimpleNamespace):
    def path(self, code):
        return PATHS[code]

    def __contains__(self, code):
        return code in PATHS


def frames():
    records = pd.DataFrame(
        {
            "record_id": [1, 2, 3, 4, 5, 6],
            "product": ["P0101", "P0101", "P0102", "P0201", "P0201", ""],
            "inspected": [1.0, 1.0, 1.0, 10.0, 1.0, 1.0],
            "failed": [1.0, 0.0, 1.0, 3.0, 0.0, 1.0],
        }
    )
    items = pd.DataFrame(
        {
            "record_id": [1, 1, 3, 4, 4, 4, 4, 3],
            "item": ["lead", "label", "lead ", "shock", "shock", "shock", "shock", "phthalates"],
            "verdict": ["fail", "fail", "fail", "fail", "fail", "fail", "fail", "pass"],
        }
    )
    return records, items


def made(records, items):
    return by_item(records, items, numerator="failed", product="product", tree=_Tree())


def test_items_of_a_branch_are_taken_as_tested_in_all_of_it():
    found = made(*frames())
    counts = found.groupby("item", observed=True)[["inspected", "failed"]].sum()
    # Lead and label in the three samples of P01; shock in the eleven of P02; what passed is no item, and goods of no branch have none.
    assert counts.loc["lead"].tolist() == [3.0, 2.0]
    assert counts.loc["label"].tolist() == [3.0, 1.0]
    assert counts.loc["shock"].tolist() == [11.0, 3.0]
    assert "phthalates" not in counts.index
    assert set(found["record_id"]) == {1, 2, 3, 4, 5}


def test_no_more_fail_an_item_than_failed():
    found = made(*frames())
    assert found.loc[(found["record_id"] == 4).to_numpy(), "failed"].tolist() == [3.0]  # four rows of three failed samples


def test_order_of_rows_does_not_matter():
    records, items = frames()
    straight = made(records, items).sort_values(["record_id", "item"]).reset_index(drop=True)
    turned = made(records.iloc[::-1], items.iloc[::-1]).sort_values(["record_id", "item"]).reset_index(drop=True)
    assert straight["failed"].tolist() == turned["failed"].tolist()
    assert straight["item"].astype(str).tolist() == turned["item"].astype(str).tolist()


def test_without_failures_there_is_nothing_to_count():
    records, items = frames()
    found = made(records, items.iloc[:0])
    assert found.empty
    assert "item" in found.columns
    assert np.issubdtype(found["failed"].dtype, np.number)
