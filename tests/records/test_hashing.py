from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd

from riskwatch.records import SPOT_CHECK, content_hash

FRAME = pd.DataFrame(
    {
        "record_key": ["a", "b", "c"],
        "event_date": pd.to_datetime(["2021-01-01", "2021-01-02", None]),
        "product": pd.Categorical(["x", None, "y"]),
        "inspected": [1, 2, 3],
        "weight": [0.5, np.nan, -0.0],
        "denied": pd.array([True, False, None], dtype="boolean"),
    }
)


def test_known_numbers_so_that_stored_hashes_stay_valid():
    # If this test must change, every stored record will look corrected: write a migration.
    assert content_hash(FRAME).tolist() == EXPECTED


def test_the_same_in_another_process():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pandas as pd; from riskwatch.records import content_hash;"
        "print(content_hash(pd.DataFrame({'a': ['x', 'é', '汉']})).tolist())"
    )
    root = str(__import__("pathlib").Path(__import__("riskwatch").__file__).parents[1])
    output = subprocess.run(
        [sys.executable, "-c", code, root], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": "7"}
    ).stdout
    assert output.strip() == str(content_hash(pd.DataFrame({"a": ["x", "é", "汉"]})).tolist())


def test_row_order_column_order_and_dtype_do_not_matter():
    hashes = content_hash(FRAME)
    assert content_hash(FRAME.iloc[::-1]).tolist() == hashes[::-1].tolist()
    assert content_hash(FRAME[FRAME.columns[::-1]]).tolist() == hashes.tolist()
    other = FRAME.assign(
        product=FRAME["product"].astype("object"),
        inspected=FRAME["inspected"].astype(float),
        event_date=FRAME["event_date"].astype("datetime64[s]"),
        denied=FRAME["denied"].astype("Float64"),
        weight=[0.5, np.nan, 0.0],
        row_no=[7, 8, 9],
        known_on=pd.Timestamp("2021-05-05"),
    )
    assert content_hash(other).tolist() == hashes.tolist()
    assert content_hash(other.assign(stray=1), stream=SPOT_CHECK).tolist() == content_hash(FRAME, stream=SPOT_CHECK).tolist()


def test_a_new_optional_field_changes_nothing_until_it_has_a_value():
    assert content_hash(FRAME.assign(extra=None)).tolist() == content_hash(FRAME).tolist()
    assert (content_hash(FRAME.assign(extra="v")) != content_hash(FRAME)).all()


def test_every_field_counts_and_fields_are_not_interchangeable():
    base = content_hash(FRAME)
    for column in FRAME.columns:
        changed = FRAME.copy()
        changed[column] = changed[column].iloc[[1, 2, 0]].to_numpy() if column != "product" else pd.Categorical(["y", "x", None])
        assert (content_hash(changed) != base).all(), column
    two = pd.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    assert content_hash(two)[0] != content_hash(two)[1]


def test_items_count_without_order_and_by_owner():
    records = FRAME.assign(row_no=[1, 2, 3])
    items = pd.DataFrame({"record_key": ["a", "a", "b"], "item_no": [1, 2, 1], "item": ["p", "q", "p"], "row_no": [1, 1, 2]})
    hashes = content_hash(records, items)
    swapped = items.iloc[[1, 0, 2]].assign(item_no=[1, 2, 1])
    assert content_hash(records, swapped).tolist() == hashes.tolist()
    assert content_hash(records, items.drop(columns="row_no")).tolist() == hashes.tolist()
    plain = content_hash(records)
    assert (hashes != plain).tolist() == [True, True, False]
    doubled = pd.concat([items, items.iloc[[2]]])
    assert (content_hash(records, doubled) != hashes).tolist() == [False, True, False]


def test_an_empty_frame():
    assert content_hash(FRAME.iloc[:0], None).shape == (0,)


EXPECTED = [-3170418373963829867, 9006437661499367417, 852042483487596756]
