"""Bad rows wait with field, rule and value; a retry stores what has become good and nothing else."""

from __future__ import annotations

import csv
import datetime as dt
import json

import openpyxl
import pyarrow as pa
import pytest

from riskwatch.errors import StoreError
from riskwatch.store import IngestCounts
from riskwatch.store.export import safe_cell, write_table
from tests.store.conftest import NOW, parsed, rejections, spot_checks

RAW = pa.table({"编号": ["A1", "A2", "A3"], "不合格": ["1", "两", "=cmd|' /C calc'!A0"]})
LATER = NOW + dt.timedelta(days=2)


@pytest.fixture
def loaded(store, load):
    bad = rejections((2, "failed", "integer", "两", "not a number"), (3, "failed", "integer", RAW["不合格"][2].as_py(), "not a number"))
    assert load(parsed(spot_checks(["A1"], 1, "2024-02-01"), rejected=bad), RAW) == IngestCounts(new=1, rejected=2)
    return store


def test_an_entry_names_row_field_rule_and_value(loaded):
    entry = loaded.list_quarantine().iloc[0]
    assert entry[["source", "file", "row_no", "field", "rule", "value", "message", "state"]].tolist() == [
        "spot",
        "file-1.csv",
        2,
        "failed",
        "integer",
        "两",
        "not a number",
        "open",
    ]
    assert json.loads(entry["raw"]) == {"编号": "A2", "不合格": "两"}
    assert loaded.list_quarantine("elsewhere").empty
    assert list(loaded.list_quarantine("elsewhere").columns) == list(loaded.list_quarantine().columns)


def test_a_value_of_a_million_characters_is_cut_in_the_list_and_whole_in_the_raw_landing(store, load):
    long = "x" * 1_000_000
    load(parsed(spot_checks([]), rejected=rejections((1, "task", "length", long, "too long"))), pa.table({"t": [long]}))
    assert store.list_quarantine()["value"].str.len().tolist() == [400]
    assert store.read_raw(1)["t"][0].as_py() == long


def test_retry_after_a_fix_stores_the_mended_rows_and_resolves_them(loaded, load):
    # Meanwhile the good row of the same file was corrected: the retry must not bring its old content back.
    load(spot_checks(["A1"], 5))
    asked = []

    def parse(landed, raw):
        asked.append((landed.source, landed.first_row, raw.equals(RAW)))
        again = rejections((3, "failed", "integer", "=cmd", "not a number"))
        return parsed(spot_checks(["A1", "A2"], [1, 2], "2024-02-01"), rejected=again)

    vintage = loaded.data_vintage("spot_check")
    counts = loaded.retry_quarantine(parse, arrived_at=LATER)
    assert asked == [("spot", 1, True)]
    assert (counts.resolved, counts.remaining, counts.records) == (1, 1, IngestCounts(new=1))
    frame = loaded.read_records("spot_check", ["record_key", "failed"])
    assert dict(zip(frame["record_key"], frame["failed"], strict=True)) == {"A1": 5, "A2": 2}
    assert loaded.list_quarantine()[["row_no", "state"]].to_numpy().tolist() == [[3, "retried"]]
    resolved = loaded.list_quarantine(states=["resolved"])
    assert resolved["resolved_at"].tolist() == ["2024-05-03T04:00:00.000000Z"]
    assert loaded.data_vintage("spot_check") != vintage
    again = loaded.retry_quarantine(parse, arrived_at=LATER)
    assert (again.resolved, again.remaining, again.records) == (0, 1, IngestCounts())


def test_a_row_whose_first_fault_is_mended_may_show_another(loaded):
    def parse(landed, raw):
        rows = rejections((2, "region", "unknown", "9", "no such region"), (3, "failed", "integer", "=cmd", "not a number"))
        return parsed(spot_checks(["A1"], 1, "2024-02-01"), rejected=rows)

    counts = loaded.retry_quarantine(parse, arrived_at=LATER)
    assert (counts.resolved, counts.remaining) == (1, 1)
    waiting = loaded.list_quarantine().set_index("row_no")
    assert waiting["field"].to_dict() == {2: "region", 3: "failed"}


def test_a_mended_item_row_brings_the_record_that_it_belongs_to(store, load):
    raw = pa.table({"no": ["A1", "A1", "B1"]})
    load(parsed(spot_checks(["B1"], 0, "2024-02-01", first_row=3), rejected=rejections((2, "measured", "number", "?", "bad"))), raw)

    def parse(landed, raw):
        return parsed(spot_checks(["A1", "B1"], [1, 7], "2024-02-01").assign(row_no=[1, 3]), merged=[(2, 1)])

    assert store.retry_quarantine(parse, arrived_at=LATER).records == IngestCounts(new=1)
    frame = store.read_records("spot_check", ["record_key", "failed"])
    assert dict(zip(frame["record_key"], frame["failed"], strict=True)) == {"B1": 0, "A1": 1}


def test_a_resolved_row_that_is_bad_again_opens_again(loaded, load):
    loaded.retry_quarantine(lambda landed, raw: parsed(spot_checks(["A1", "A2", "A3"], 1, "2024-02-01")), arrived_at=LATER)
    assert loaded.list_quarantine().empty
    load(parsed(spot_checks([]), rejected=rejections((2, "failed", "integer", "两", "not a number"))), RAW)
    assert loaded.list_quarantine()[["row_no", "state"]].to_numpy().tolist() == [[2, "open"]]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_holds_no_formula(loaded, tmp_path, ending):
    path = tmp_path / f"quarantine.{ending}"
    assert loaded.export_quarantine(path) == 2
    if ending == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    else:
        book = openpyxl.load_workbook(path)
        cells = [cell for row in book.active.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells if cell.value is not None} <= {"s", "inlineStr"}
        rows = [["" if value is None else value for value in row] for row in book.active.iter_rows(values_only=True)]
        book.close()
    header, *body = rows
    assert header[-2:] == ["raw: 不合格", "raw: 编号"]
    assert [row[header.index("value")] for row in body] == ["两", "'=cmd|' /C calc'!A0"]
    assert [row[header.index("raw: 不合格")] for row in body] == ["两", "'=cmd|' /C calc'!A0"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+86 431", "'+86 431"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("--1", "'--1"),
        ("-12.5", "-12.5"),
        (-3, "-3"),
        ("<0.01", "<0.01"),
        (None, ""),
        (float("nan"), ""),
        ("a\x00b", "a\ufffdb"),
    ],
)
def test_safe_cell(value, expected):
    assert safe_cell(value) == expected


def test_an_export_to_another_kind_of_file_is_refused(loaded, tmp_path):
    with pytest.raises(StoreError, match=r'the ending must be ".csv" or ".xlsx", got ".pdf"'):
        loaded.export_quarantine(tmp_path / "q.pdf")
    with pytest.raises(StoreError, match="Cannot write"):
        write_table(loaded.list_quarantine(), tmp_path / "none" / "q.csv")
