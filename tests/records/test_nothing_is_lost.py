"""Whatever stands in the cells: each row is a record, is merged into one, or is rejected, and never two of these."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskwatch.records import RULES, content_hash, parse

TODAY = dt.date(2021, 12, 31)
HEADERS = {
    "抽样编号": ["S1", "S2", "S3", "", None, "S4"],
    "抽样日期": ["2021-03-05", "2021/3/6", "20210307", "2021-02-30", "1970-01-01", "2030-01-01", ""],
    "产品代码": ["0101", "0102", "0201", "9999", "", None],
    "地区": ["220102", "220381", "220171", "999999", ""],
    "方式": ["随机", "重点", "random", "?", ""],
    "产品名称": ["月饼", " 月饼 ", "a\x01b", ""],
    "批次": ["1", "2", "3.5", "-1", "1e400", "text", ""],
    "不合格": ["0", "1", "3", ""],
    "判定": ["合格", "不合格", "待定", ""],
    "项目": ["铅", "镉", "", None],
    "结果": ["0.9", "<0.01", "", None],
}
COLUMNS = {
    "record_key": "抽样编号",
    "event_date": "抽样日期",
    "product": "产品代码",
    "region": "地区",
    "selection": "方式",
    "product_name": "产品名称",
    "inspected": "批次",
    "failed": "不合格",
    "verdict": "判定",
}


def cell(values):
    return st.one_of(st.sampled_from(values), st.sampled_from(values), st.text(max_size=12))


ROWS = st.lists(st.fixed_dictionaries({header: cell(values) for header, values in HEADERS.items()}), max_size=25)
GOOD = {"抽样日期": "2021-03-05", "产品代码": "0101", "地区": "220102", "方式": "随机", "批次": "2", "不合格": "1", "判定": "不合格"}
MOSTLY_GOOD = st.lists(
    st.builds(
        lambda key, name, item, result: {**GOOD, "抽样编号": key, "产品名称": name, "项目": item, "结果": result},
        st.sampled_from(["S1", "S2", "S3"]),
        st.sampled_from(["月饼", "粽子"]),
        st.sampled_from(["铅", "镉", None]),
        st.sampled_from(["0.9", None]),
    ),
    max_size=25,
)


@given(rows=st.one_of(ROWS, MOSTLY_GOOD), first_row=st.integers(1, 10**6), with_items=st.booleans(), keep=st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_accounted_for(rows, first_row, with_items, keep, *, spot_source, trees):
    table = pa.table({header: pa.array([row[header] for row in rows], type=pa.string()) for header in HEADERS})
    source = spot_source(
        columns=COLUMNS,
        items={"item": "项目", "measured": "结果"} if with_items else {},
        codes={"product": {"unknown": "keep-missing" if keep else "quarantine"}},
    )
    parsed = parse(table, source, trees, today=TODAY, first_row=first_row)
    alone, merged, rejected = (set(frame["row_no"].tolist()) for frame in (parsed.records, parsed.merged, parsed.rejected))
    assert alone | merged | rejected == set(range(first_row, first_row + len(rows)))
    assert not alone & merged
    assert not alone & rejected
    assert not merged & rejected
    assert parsed.records["row_no"].is_unique
    assert parsed.merged["row_no"].is_unique
    assert set(parsed.merged["into"]) <= alone
    assert set(parsed.rejected["rule"]) <= set(RULES)
    assert not parsed.rejected.duplicated(["row_no", "field", "rule"]).any()
    # Each item belongs to a record that is there, and rows that add an item are one item each.
    assert set(parsed.items["row_no"]) <= alone
    added = int((parsed.merged["reason"] == "item").sum())
    firsts = int(parsed.items["row_no"].nunique()) if with_items else 0
    assert len(parsed.items) - firsts <= added <= len(parsed.items)
    assert len(content_hash(parsed.records, parsed.items)) == len(parsed.records)


@given(rows=MOSTLY_GOOD, seed=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_content_does_not_depend_on_the_order_of_items(rows, seed, spot_source, trees):
    rows = [{**row, "产品名称": "月饼"} for row in rows]  # one content per key, so nothing is rejected
    source = spot_source(columns=COLUMNS, items={"item": "项目", "measured": "结果"})

    def contents(order):
        table = pa.table({header: pa.array([row[header] for row in order], type=pa.string()) for header in HEADERS})
        parsed = parse(table, source, trees, today=TODAY)
        hashes = content_hash(parsed.records, parsed.items)
        return dict(zip(parsed.records["record_key"], hashes.tolist(), strict=True)), parsed

    rows = [row for row in rows if row["项目"] is not None or row["结果"] is None]
    shuffled = list(rows)
    seed.shuffle(shuffled)
    one, parsed = contents(rows)
    other, _ = contents(shuffled)
    assert one == other
    assert parsed.rejected.empty
    assert isinstance(parsed.records, pd.DataFrame)
