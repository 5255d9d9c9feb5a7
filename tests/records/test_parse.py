"""Each bad input has its rule, its field and its words; everything else becomes a record."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from riskwatch.definitions.types import SourceDefinition
from riskwatch.errors import RecordError
from riskwatch.records import SPOT_CHECK, parse, schema_for

TODAY = dt.date(2021, 12, 31)


def only(parsed):
    """Return (row_no, field, rule, value, message) of the single rejection."""
    assert len(parsed.rejected) == 1, parsed.rejected.to_string()
    return tuple(parsed.rejected.iloc[0])


def test_a_good_row_becomes_a_typed_record(parse_spot):
    parsed = parse_spot({})
    record = parsed.records.iloc[0]
    assert parsed.rejected.empty
    assert parsed.items.empty
    assert list(parsed.records.columns) == [*(field.name for field in SPOT_CHECK.all_fields), "row_no", "known_on"]
    assert record["record_key"] == "S1"
    assert record["event_date"] == pd.Timestamp("2021-03-05")
    assert (record["product"], record["region"], record["selection"], record["verdict"]) == ("0101", "220102", "random", "pass")
    assert (record["inspected"], record["failed"], record["row_no"]) == (1, 0, 2)
    assert parsed.records.dtypes.map(str).to_dict().items() >= {
        ("event_date", "datetime64[s]"),
        ("product", "category"),
        ("inspected", "int64"),
        ("counterfeit_claim", "boolean"),
        ("record_key", "str"),
    }
    assert pd.isna(record["known_on"])


def test_parsed_records_satisfy_the_whole_schema(parse_spot, trees):
    records = parse_spot({}, {"不合格": "1", "判定": "不合格"}, {"产品代码": ""}).records
    schema_for(SPOT_CHECK, trees, earliest=dt.date(1990, 1, 1), today=TODAY).validate(records, lazy=True)


def test_the_whole_schema_finds_what_parse_would_reject(parse_spot, trees):
    from pandera.errors import SchemaErrors

    records = parse_spot({}, {}).records
    records["failed"] = [5, 0]
    records["region"] = pd.Categorical(["220102", "999999"])
    with pytest.raises(SchemaErrors) as caught:
        schema_for(SPOT_CHECK, trees).validate(records, lazy=True)
    assert set(caught.value.failure_cases["check"]) == {"failed-exceeds-inspected", "verdict-contradicts-count", "unknown-code"}


@pytest.mark.parametrize(
    ("row", "field", "rule", "message"),
    [
        ({"抽样日期": "2021-02-30"}, "event_date", "not-a-date", "must be a day that exists"),
        ({"抽样日期": "1970-01-01"}, "event_date", "too-early", "must not be before 1990-01-01 (1970-01-01 is often an empty date)"),
        ({"抽样日期": "2022-01-01"}, "event_date", "in-future", "must not be after the day of the run, 2021-12-31; got '2022-01-01'"),
        ({"抽样日期": "2021111"}, "event_date", "not-a-date", "must be a day that exists"),
        ({"抽样日期": "44197"}, "event_date", "not-a-date", "must be a day that exists"),
        ({"抽样日期": "不详"}, "event_date", "missing", "is required and has no value"),
        ({"产品代码": "9999"}, "product", "unknown-code", "must be in the product tree, or have moved to a code that is; got '9999'"),
        ({"产品代码": "101"}, "product", "unknown-code", "must be in the product tree"),
        ({"地区": "229999"}, "region", "unknown-code", "must be in the region tree"),
        ({"地区": "220171"}, "region", "pseudo-region", "is a statistical pseudo-region (ends in 71 to 79)"),
        ({"批次": "-1"}, "inspected", "below-minimum", "must be at least 0; got '-1'"),
        ({"批次": "3.5"}, "inspected", "not-an-integer", "must be a whole number; got '3.5'"),
        ({"批次": "1e400"}, "inspected", "not-finite", "must be a finite number; got '1e400'"),
        ({"批次": "1e12"}, "inspected", "above-maximum", "must be at most"),
        ({"批次": "十"}, "inspected", "not-a-number", "must be a number; got '十'"),
        ({"批次": "0x10"}, "inspected", "not-a-number", "must be a number"),
        ({"批次": "nan"}, "inspected", "not-a-number", "must be a number"),
        ({"批次": ""}, "inspected", "missing", "is required and has no value"),
        ({"不合格": "2", "判定": "不合格"}, "failed", "failed-exceeds-inspected", "got '2 (inspected 1)'"),
        ({"判定": "不合格"}, "verdict", "verdict-contradicts-count", "got 'fail (failed 0)'"),
        ({"判定": "待定"}, "verdict", "unknown-value", "must be one of pass, fail, undetermined, as written or by values.verdict"),
        ({"方式": "抽签"}, "selection", "unknown-value", "must be one of random, targeted, follow-up, complaint-led"),
        ({"报告日期": "2021-03-01"}, "reported_on", "reported-before-event", "got '2021-03-01 (event_date 2021-03-05)'"),
        ({"公布日期": "2021-03-19"}, "published_on", "published-before-reported", "got '2021-03-19 (reported_on 2021-03-20)'"),
        ({"产品名称": "a\x00b"}, "product_name", "control-characters", "must hold no control characters"),
        ({"产品名称": "abc\u202ecod.exe"}, "product_name", "control-characters", "turn the direction of writing"),
        ({"生产企业代码": "91220101MA0000000X"}, "producer", "credit-code-checksum", "check characters are wrong (GB 32100-2015)"),
        ({"抽样编号": "  "}, "record_key", "missing", "is required and has no value"),
    ],
)
def test_bad_values_are_rejected_with_field_rule_and_value(parse_spot, row, field, rule, message):
    parsed = parse_spot({}, row)
    row_no, found_field, found_rule, value, text = only(parsed)
    assert (row_no, found_field, found_rule) == (3, field, rule)
    assert message in text
    assert text.startswith(f"{field} ")
    assert parsed.records["row_no"].tolist() == [2]
    if "got" in text:
        assert repr(value) in text


def test_every_broken_rule_of_a_row_is_listed(parse_spot):
    parsed = parse_spot({"批次": "-3.5", "产品代码": "x", "抽样日期": "2021-13-01"})
    assert set(zip(parsed.rejected["field"], parsed.rejected["rule"], strict=True)) == {
        ("inspected", "not-an-integer"),
        ("inspected", "below-minimum"),
        ("product", "unknown-code"),
        ("event_date", "not-a-date"),
    }


def test_a_cell_of_a_million_characters_is_cut_in_the_message(parse_spot):
    *_, rule, value, message = only(parse_spot({"产品名称": "长" * 1_000_000}))
    assert rule == "too-long"
    assert value == "长" * 80 + "… (1000000 characters)"
    assert len(message) < 250


def test_a_personal_value_is_kept_out_of_the_message(parse_spot):
    *_, value, message = only(parse_spot({"生产企业代码": "91220101MA0000000X"}))
    assert value == "91220101MA0000000X"
    assert "91220101" not in message


def test_good_credit_codes_and_foreign_keys_pass(parse_spot):
    parsed = parse_spot({"生产企业代码": "914403001922038216"}, {"生产企业代码": "E1a5478982987"}, {"生产企业代码": "某厂"})
    assert parsed.records["producer"].tolist() == ["914403001922038216", "E1a5478982987", "某厂"]


@pytest.mark.parametrize(
    "text",
    [
        "2021/3/5",
        "20210305",
        "2021年3月5日",
        "2021.03.05",
        "03/05/2021",
        "２０２１－０３－０５",
        " 2021-03-05 ",
        "2021-03-05 00:00:00",
        "2021-03-05T13:30",
    ],
)
def test_dates_in_every_declared_format(parse_spot, text):
    assert parse_spot({"抽样日期": text}).records["event_date"].tolist() == [pd.Timestamp("2021-03-05")]


@pytest.mark.parametrize(("text", "count"), [("3.0", 3), ("1,234", 1234), ("１２", 12), ("2e1", 20), ("+7", 7)])
def test_counts_as_spreadsheets_write_them(parse_spot, text, count):
    assert parse_spot({"批次": text}).records["inspected"].tolist() == [count]


def test_headers_are_found_in_any_of_their_forms(parse_spot):
    parsed = parse_spot({}, headers={"抽样编号": "\ufeff样品编号 ", "抽样日期": "抽样日期\u3000", "批次": " 批次"})
    assert parsed.notes == ()
    assert len(parsed.records) == 1


def test_latin_headers_match_without_regard_to_case_and_width(parse_spot, spot_source):
    columns = {**spot_source().columns, "product_name": "product name"}
    parsed = parse_spot({}, headers={"产品名称": "ＰＲＯＤＵＣＴ  Name"}, columns=columns)
    assert parsed.records["product_name"].tolist() == ["月饼"]


def test_an_unknown_header_is_a_note(parse_spot):
    parsed = parse_spot({"生产企业代号": "x"}, {"生产企业代号": "y"})
    assert parsed.notes == ("header '生产企业代号' is not mapped; like an alias of 'producer': add it to columns or to ignore",)
    assert len(parsed.records) == 2
    assert parse_spot({"备注": "x"}, ignore=["备注"]).notes == ()


def test_a_missing_required_column_names_aliases_headers_and_a_guess(parse_spot):
    with pytest.raises(RecordError) as caught:
        parse_spot({}, headers={"抽样日期": "抽样日其"})
    assert caught.value.message.startswith(
        "source 'lab': no column for the required field 'event_date'; tried '抽样日期'; found '抽样编号', '抽样日其'"
    )
    assert caught.value.hint == "did you mean '抽样日其'? Add it to columns.event_date"


def test_a_missing_optional_column_is_a_note(parse_spot):
    parsed = parse_spot({}, headers={"公布日期": "另一列"})
    assert "no column for 'published_on': tried '公布日期'" in parsed.notes
    assert parsed.records["published_on"].isna().all()


def test_a_required_field_without_column_or_constant(parse_spot):
    columns = {"record_key": "抽样编号", "event_date": "抽样日期", "inspected": "批次", "failed": "不合格", "verdict": "判定"}
    with pytest.raises(
        RecordError, match="field 'selection' is required by stream 'spot_check', and the source has neither a column nor a constant"
    ):
        parse_spot({}, columns=columns)
    assert parse_spot({}, columns=columns, constants={"selection": "targeted"}).records["selection"].tolist() == ["targeted"]
    with pytest.raises(RecordError, match=r"the constant .* of 'selection' must be one of random"):
        parse_spot({}, columns=columns, constants={"selection": "抽签"})


def test_a_header_that_stands_twice_is_an_error(spot_source, spot_table, trees):
    table = spot_table({})
    table = table.append_column("判定", table.column("判定"))
    with pytest.raises(RecordError, match=r"header '判定' stands 2 times \(columns 13, 14\)"):
        parse(table, spot_source(), trees, today=TODAY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"prodct": "产品代码"}}, "columns.prodct: stream 'spot_check' has no such field\nHint: did you mean 'product'?"),
        ({"items": {"itm": "项目"}}, "items.itm: stream 'spot_check' has no such field\nHint: did you mean 'item'?"),
        (
            {"values": {"items.verdct": {}}},
            "values.items.verdct: stream 'spot_check' has no such field\nHint: did you mean 'items.verdict'?",
        ),
        ({"constants": {"persons": "1"}}, "constants.persons: stream 'spot_check' has no such field"),
    ],
)
def test_a_mapping_to_no_field_is_an_error(parse_spot, changes, message):
    with pytest.raises(RecordError) as caught:
        parse_spot({}, **changes)
    assert message in str(caught.value)


def test_empty_tables(spot_source, spot_table, trees):
    with pytest.raises(RecordError, match="the table has no columns"):
        parse(pa.table({}), spot_source(), trees, today=TODAY)
    parsed = parse(spot_table({}).slice(0, 0), spot_source(), trees, today=TODAY)
    full = parse(spot_table({}), spot_source(), trees, today=TODAY)
    assert len(parsed.records) == len(parsed.rejected) == len(parsed.merged) == 0
    pd.testing.assert_series_equal(parsed.records.dtypes.map(str), full.records.dtypes.map(str))
    assert list(parsed.rejected.columns) == ["row_no", "field", "rule", "value", "message"]


def test_an_unknown_stream(spot_source, spot_table, trees):
    with pytest.raises(RecordError, match="stream 'survey' is unknown"):
        parse(spot_table({}), spot_source(stream="survey"), trees, today=TODAY)


# --- codes -----------------------------------------------------------------------------------------------------------


def test_moved_codes_become_todays(parse_spot):
    rows = ({"地区": "220381", "抽样日期": "2019-05-01"}, {"地区": "220381"}, {"地区": "220184"})
    parsed = parse_spot(*rows, codes={"region": {"unknown": "keep-missing"}})
    assert parsed.notes == ()
    assert parsed.records["region"].tolist() == ["220184"] * 3
    assert parsed.records["region"].cat.categories.tolist() == ["220184"]


def test_unknown_is_not_missing(parse_spot):
    codes = {"region": {"unknown": "keep-missing"}, "product": {"default": "0100"}}
    parsed = parse_spot({"地区": "999999"}, {"地区": ""}, {"产品代码": "/"}, codes=codes)
    assert parsed.records["region"].isna().tolist() == [True, True, False]
    assert parsed.records["product"].tolist() == ["0101", "0101", "0100"]
    assert parsed.notes == ("region: 1 rows have one of 1 unknown codes (999999) and were kept without",)
    assert only(parse_spot({"地区": "999999"}, {"地区": ""}))[2] == "unknown-code"


def test_code_rules_pad_prefix_and_name(parse_spot):
    parsed = parse_spot({"产品代码": "101"}, {"产品代码": "101.0"}, codes={"product": {"width": 4}})
    assert parsed.records["product"].tolist() == ["0101", "0101"]
    parsed = parse_spot({"产品代码": "01"}, {"产品代码": "点心"}, codes={"product": {"prefix": "01", "names": {"点心": "0102"}}})
    assert parsed.records["product"].tolist() == ["0101", "0102"]
    named = {"region": {"by": "name", "level": "county", "names": {"公主岭": "220184"}}}
    parsed = parse_spot({"地区": "南关区"}, {"地区": "公主岭"}, {"地区": "长春市"}, codes=named)
    assert parsed.records["region"].tolist() == ["220102", "220184"]
    assert only(parsed)[1:4] == ("region", "unknown-code", "长春市")


def test_industry_comes_from_the_product_where_the_row_has_none(parse_spot):
    parsed = parse_spot({}, {"产品代码": "0102"}, {"行业": "C20"}, {"产品代码": ""})
    assert parsed.records["industry"].tolist()[:3] == ["C14", "C15", "C20"]
    assert pd.isna(parsed.records["industry"].iloc[3])


def test_codes_without_a_tree_are_taken_with_a_note(spot_source, spot_table, trees):
    parsed = parse(spot_table({"地区": "anything"}), spot_source(), {"product": trees["product"]}, today=TODAY)
    assert parsed.records["region"].tolist() == ["anything"]
    assert "there is no region tree: region codes are taken unchecked" in parsed.notes


# --- keys, duplicates, items -----------------------------------------------------------------------------------------


def test_keys_of_several_columns(parse_spot):
    parsed = parse_spot(
        {"产品名称": "a"}, {"抽样编号": "S1", "产品名称": "b"}, {"抽样编号": "", "产品名称": ""}, key=["record_key", "产品名称"]
    )
    assert parsed.records["record_key"].tolist() == ["S1|a", "S1|b"]
    assert only(parsed)[:3] == (4, "record_key", "missing")


def test_duplicates_in_one_file(parse_spot):
    parsed = parse_spot({}, {"抽样编号": "S1"}, {"抽样编号": "S1", "产品名称": "粽子"}, {"抽样编号": "S1"})
    assert parsed.records["row_no"].tolist() == [2]
    assert parsed.merged.to_dict("list") == {"row_no": [3, 5], "into": [2, 2], "reason": ["duplicate", "duplicate"]}
    assert parsed.duplicates == 2
    row_no, field, rule, value, _ = only(parsed)
    assert (row_no, field, rule, value) == (4, "record_key", "duplicate-key", "S1")


def test_a_correction_known_later_is_a_second_version(parse_spot):
    parsed = parse_spot({}, {"抽样编号": "S1", "公布日期": "2021-05-20", "产品名称": "粽子"}, known_at={"field": "published_on"})
    assert parsed.records["known_on"].tolist() == [pd.Timestamp("2021-04-20"), pd.Timestamp("2021-05-20")]
    assert parsed.rejected.empty


def test_known_on_by_delay_and_by_a_raw_column(parse_spot):
    assert parse_spot({}, known_at={"event_date_plus_days": 30}).records["known_on"].tolist() == [pd.Timestamp("2021-04-04")]
    parsed = parse_spot({"入库": "2021-06-01"}, known_at={"field": "入库"})
    assert parsed.records["known_on"].tolist() == [pd.Timestamp("2021-06-01")]
    assert parsed.notes == ()


ITEMS = {"item": "项目", "measured": "结果", "limit": "标准值"}
FAIL = {"不合格": "1", "判定": "不合格"}


def test_rows_that_add_an_item_merge_into_one_record(parse_spot):
    parsed = parse_spot(
        {**FAIL, "项目": "铅", "结果": "0.9", "标准值": "≤0.5"},
        {"项目": None},
        {**FAIL, "抽样编号": "S1", "项目": "菌落总数", "结果": "<10"},
        {**FAIL, "抽样编号": "S1", "项目": "铅", "结果": "0.9", "标准值": "≤0.5"},
        {**FAIL, "抽样编号": "S1", "项目": "镉", "产品名称": "另一种"},
        items=ITEMS,
    )
    assert parsed.records["record_key"].tolist() == ["S1", "S2"]
    assert parsed.items[["record_key", "item_no", "item", "measured", "verdict", "row_no"]].values.tolist() == [
        ["S1", 1, "铅", "0.9", "fail", 2],
        ["S1", 2, "菌落总数", "<10", "fail", 2],
    ]
    assert parsed.merged.to_dict("list") == {"row_no": [4, 5], "into": [2, 2], "reason": ["item", "duplicate"]}
    assert only(parsed)[:3] == (6, "record_key", "duplicate-key")


def test_every_order_of_items_merges_alike(parse_spot):
    # Regression: the numbers of a column and of a value cancelled each other, and one order lost an item.
    cells = [(None, None), ("铅", "0.9"), ("铅", None), ("镉", "0.9")]
    for order in itertools.permutations(cells):
        parsed = parse_spot(*({**FAIL, "抽样编号": "S1", "项目": item, "结果": result} for item, result in order), items=ITEMS)
        assert sorted(parsed.items["item"]) == ["铅", "铅", "镉"]


def test_an_item_value_without_an_item_is_rejected(parse_spot):
    assert only(parse_spot({"结果": "0.9", "项目": ""}, items=ITEMS))[1:3] == ("items.item", "missing")


def test_item_fields_have_their_own_values_and_constants(parse_spot):
    parsed = parse_spot(
        {**FAIL, "项目": "铅", "单项": "NG"},
        items={"item": "项目", "verdict": "单项"},
        values={"selection": {"随机": "random"}, "verdict": {"不合格": "fail"}, "items.verdict": {"NG": "fail"}},
    )
    assert parsed.items["verdict"].tolist() == ["fail"]
    assert only(parse_spot({**FAIL, "项目": "铅", "单项": "?"}, items={"item": "项目", "verdict": "单项"}))[1:3] == (
        "items.verdict",
        "unknown-value",
    )


# --- the other streams -----------------------------------------------------------------------------------------------


def test_injuries(trees):
    source = SourceDefinition.model_validate(
        {
            "name": "hospital",
            "stream": "injury",
            "label": {"zh": "医院", "en": "hospital"},
            "reader": {"kind": "folder", "path": "in"},
            "key": ["record_key"],
            "columns": {
                "record_key": "卡号",
                "event_date": "伤害时间",
                "visited_on": "就诊时间",
                "product": "产品",
                "age": "年龄",
                "sex": "性别",
                "narrative": "经过",
            },
            "constants": {"persons": "1"},
            "values": {"sex": {"男": "male", "女": "female", "9": ""}},
            "profiles": [],
        }
    )
    table = pa.table(
        {
            "卡号": ["1", "2", "3", "4"],
            "伤害时间": ["2021-05-01", "2021-05-01", "2021-05-02", "2021-05-02"],
            "就诊时间": ["2021-05-01", "2021-04-30", "2021-05-02", None],
            "产品": ["0201", "0201", "0201", None],
            "年龄": ["0.5", "30", "-1", "131"],
            "性别": ["男", "女", "9", "9"],
            "经过": ["骑童车摔倒", "", "", "x" * 20_001],
        }
    )
    parsed = parse(table, source, trees, today=TODAY, first_row=1)
    assert parsed.records["age"].tolist() == [0.5]
    assert parsed.records["persons"].tolist() == [1]
    assert parsed.rejected[["row_no", "field", "rule"]].values.tolist() == [
        [2, "visited_on", "visited-before-event"],
        [3, "age", "below-minimum"],
        [4, "age", "above-maximum"],
        [4, "narrative", "too-long"],
    ]
    assert not parsed.rejected["message"].str.contains("131|xxx").any()


def test_the_source_dictionary_encoded_by_a_reader_is_the_same(parse_spot, spot_table, spot_source, trees):
    rows = [{}, {"产品代码": "x"}, {"批次": "2"}]
    table = spot_table(*rows)
    encoded = pa.table({name: table.column(name).dictionary_encode() for name in table.column_names})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 2)])
    plain = parse_spot(*rows)
    for other in (encoded, chunked):
        parsed = parse(other, spot_source(), trees, today=TODAY, first_row=2)
        pd.testing.assert_frame_equal(parsed.records, plain.records)
        pd.testing.assert_frame_equal(parsed.rejected, plain.rejected)


def test_one_value_is_checked_once_however_many_rows_have_it(parse_spot):
    parsed = parse_spot(*({"产品代码": "x"} for _ in range(300)))
    assert len(parsed.rejected) == 300
    assert parsed.rejected["row_no"].tolist() == list(np.arange(300) + 2)
