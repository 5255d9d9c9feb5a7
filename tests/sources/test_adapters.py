"""Format adapters: the layouts that they read, and what they leave for the record checks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from riskwatch.errors import SourceError
from riskwatch.sources import ADAPTERS, RawBatch, adapt
from riskwatch.sources.adapters import unpack_items, violation_class
from riskwatch.sources.rasff import classes_of_hazards, full_reference, hazard_classes, hazard_names


def table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("铅（以Pb计）║0.9mg/kg║≤0.5mg/kg", [("铅（以Pb计）", "0.9mg/kg", "≤0.5mg/kg")]),
        ("菌落总数║①45；②27CFU/g║≤10；霉菌║30║≤20", [("菌落总数", "①45；②27CFU/g", "≤10"), ("霉菌", "30", "≤20")]),
        ("铅║0.9║≤0.5\n镉║0.3║≤0.1\n", [("铅", "0.9", "≤0.5"), ("镉", "0.3", "≤0.1")]),
        ("标签║不合格║", [("标签", "不合格", None)]),
        ("铅；镉", [("铅", None, None), ("镉", None, None)]),
        ("铅║0.9", [("铅║0.9", None, None)]),
        ("铅║0.9║≤0.5 镉║0.3║≤0.1", [("铅║0.9║≤0.5 镉║0.3║≤0.1", None, None)]),
    ],
)
def test_packed_items_are_split_or_left_whole(cell, items):
    assert unpack_items(cell) == items


def test_cn_food_lists_give_one_row_per_item_and_both_parties():
    raw = table(
        **{
            "抽样编号": ["A", "B", "C"],
            "不合格项目║检验结果║标准值": ["铅║0.9║≤0.5；镉║0.3║≤0.1", None, "霉菌║30║≤20"],
            "标称生产企业名称": ["委托方：甲公司；受托方：乙厂", "丙厂", None],
        }
    )
    out = adapt(raw, "cn-food-packed-items", {})
    assert out.column("抽样编号").to_pylist() == ["A", "A", "B", "C"]
    assert out.column("不合格项目").to_pylist() == ["铅", "镉", None, "霉菌"]
    assert out.column("检验结果").to_pylist() == ["0.9", "0.3", None, "30"]
    assert out.column("标准值").to_pylist() == ["≤0.5", "≤0.1", None, "≤20"]
    assert out.column("委托方").to_pylist() == ["甲公司", "甲公司", None, None]
    assert out.column("实际生产企业").to_pylist() == ["乙厂", "乙厂", "丙厂", None]
    assert out.column("_row").to_pylist() == ["0", "0", "1", "2"]


def test_neiss_reads_the_original_and_the_short_headers_alike():
    original = table(
        CPSC_Case_Number=["1"],
        Treatment_Date=["01/02/2020"],
        Age=["206"],
        Sex=["2"],
        Product_1=["5022"],
        Product_2=["0"],
        Narrative_1=["x"],
    )
    short = table(case_id=["1"], treatment_date=["01/02/2020"], age_raw=["206"], sex=["2"], prod1=["5022"], prod2=["0"], narrative=["x"])
    out = adapt(original, "cpsc-neiss", {})
    assert out == adapt(short, "cpsc-neiss", {})
    assert out.to_pylist() == [
        {
            "case_id": "1",
            "treatment_date": "01/02/2020",
            "age_raw": "206",
            "sex": "female",
            "prod1": "5022",
            "prod2": None,
            "narrative": "x",
            "age_years": "0.5",
        }
    ]


def test_neiss_ages_are_years_and_nonsense_is_left_for_the_checks():
    ages = adapt(table(Age=["0", "2", "120", "201", "223", "224", "old", None]), "cpsc-neiss", {}).column("age_years").to_pylist()
    assert ages == [None, "2", "120", "0.0833", "1.9167", "224", "old", None]
    assert adapt(table(age_months=["6", None]), "cpsc-neiss", {}).column("age_years").to_pylist() == ["0.5", None]
    with pytest.raises(SourceError, match='two columns mean "narrative"'):
        adapt(table(Narrative=["x"], Narrative_1=["y"]), "cpsc-neiss", {})


def test_chicago_violations_give_one_row_per_item():
    out = adapt(
        table(id=["1", "2", "3"], violations=["18,2,18, 70", None, "99"], facility_type=["GROCERY STORE/ RESTAURANT", None, "Bakery"]),
        "chicago-violations",
        {},
    )
    assert out.column("id").to_pylist() == ["1", "1", "1", "2", "3"]
    assert out.column("violation_item").to_pylist() == ["18", "2", "70", None, "99"]
    assert out.column("violation_class").to_pylist() == ["serious", "critical", "minor", None, None]
    assert out.column("violation_verdict").to_pylist() == ["fail", "fail", "fail", None, "fail"]
    assert out.column("facility_slug").to_pylist()[0] == "grocery-store-restaurant"
    assert [violation_class(item) for item in ("1", "14", "15", "29", "30", "44", "45", "70", "x")] == [
        "critical", "critical", "serious", "serious", "minor", "minor", None, "minor", None,
    ]  # fmt: skip


def test_rasff_extracts_come_out_alike():
    old = table(
        reference=["2024.9640"], date_of_case=["2024-12-31"], notification_from=["Slovenia (SI)"], country_origin=["China; India"],
        product_category=["Nuts,  nut products and seeds"], hazard_substance=["Aflatoxin B1 - mycotoxins; Aflatoxin total - mycotoxins"],
        hazard_category=["Mycotoxins; mycotoxins"],
    )  # fmt: skip
    new = table(
        reference=["2024.964"], date=["2024-12-31T09:25:18"], notifying_country=["Slovenia"], origin=["China,India"],
        category=["nuts, nut products and seeds"], hazards=["Aflatoxin B1  ,aflatoxin total "],
    )  # fmt: skip
    a, b = (adapt(raw, "rasff", {}).to_pylist()[0] for raw in (old, new))
    assert list(a.values()) == list(b.values())
    assert list(a.values()) == [
        "2024.9640",
        "2024-12-31",
        "Slovenia",
        None,
        "nuts, nut products and seeds",
        "aflatoxins",
        "mycotoxins",
    ]


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("1,3-dichloropropanol (1,3-DCP) - migration - migration", "1,3-dichloropropanol (1,3-dcp)"),
        ("E 200 - sorbic acid - unauthorised - food additive", "e 200 sorbic acid"),
        ("phosmet  unauthorised substance,prochloraz", "phosmet; prochloraz"),
        # Spellings of before and after October 2020.
        ("aflatoxins", "aflatoxins"),
        ("Aflatoxin total - mycotoxins", "aflatoxins"),
        ("aflatoxin M1 - mycotoxins", "aflatoxin m1"),
        ("Salmonella enterica ser. Enteritidis", "salmonella enteritidis"),
        ("Salmonella Enteritidis - pathogenic micro-organisms", "salmonella enteritidis"),
        ("unauthorised substance ethylene oxide", "ethylene oxide"),
        ("unauthorised substance", "unauthorised substance"),
        ("n/a; n/a", None),
    ],
)
def test_hazard_names(raw, names):
    assert hazard_names(raw) == names


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("aflatoxin b1; aflatoxin total", "mycotoxins"),
        ("salmonella spp.; chlorpyrifos-methyl", "pathogenic micro-organisms; pesticide residues"),
        ("ethylene oxide", "pesticide residues"),
        ("e 171 titanium dioxide", "food additives and flavourings"),
        ("milk ingredient undeclared", "allergens"),
        ("lead", "heavy metals"),
        ("mislead", None),
        ("poor temperature control", None),
    ],
)
def test_hazard_classes_by_name(names, classes):
    assert classes_of_hazards(names) == classes


def test_renamed_hazard_classes_come_together():
    assert hazard_classes("Metals; Heavy metals; n/a") == "heavy metals"


def test_references_keep_what_is_no_float():
    assert [full_reference(text) for text in ("2024.1", "2024.0006", "2024.12345", "NEWS 24-1", "2024")] == [
        "2024.1000", "2024.0006", "2024.12345", "NEWS 24-1", "2024",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_adapter_takes_an_empty_table_and_says_what_it_reads(name):
    options = ADAPTERS[name].options
    headers = {"cn-food-packed-items": [options.get("items", "")], "chicago-violations": ["violations"]}.get(name, ["reference"])
    out = adapt(table(**{header: [] for header in headers}), name, {})
    assert out.num_rows == 0
    assert all(field.type == pa.string() for field in out.schema)
    assert ADAPTERS[name].run.__doc__


def test_wrong_names_and_options_are_refused():
    with pytest.raises(SourceError, match='there is no adapter "neiss"'):
        adapt(table(a=[]), "neiss", {})
    with pytest.raises(SourceError, match='adapter "rasff" has no option "country"'):
        adapt(table(a=[]), "rasff", {"country": "x"})
    with pytest.raises(SourceError, match='adapter "chicago-violations" reads column "violations", which is missing; there are a'):
        adapt(table(a=["1"]), "chicago-violations", {})


def test_rows_of_a_file_that_an_adapter_multiplies_stay_in_order_and_keep_their_file_row(tmp_path, read):
    rows = 30_000
    (tmp_path / "drop" / "a.csv").write_text("id,violations\n" + "".join(f'{number},"1,2"\n' for number in range(1, rows + 1)))
    batches, _ = read(adapter="chicago-violations")
    assert all(isinstance(batch, RawBatch) and batch.table.num_rows <= 50_000 for batch in batches)
    expected = [number for number in range(1, rows + 1) for _ in range(2)]
    assert [int(row) for batch in batches for row in batch.table.column("_row").to_pylist()] == expected
    assert [batch.first_row for batch in batches] == [1, 30_001]
    assert [batch.last for batch in batches] == [False, True]


def test_a_file_whose_layout_changed_is_a_fault(tmp_path, read):
    (tmp_path / "drop" / "a.csv").write_text("id,violation\n1,2\n")
    (tmp_path / "drop" / "b.csv").write_text("id,violations\n1,2\n")
    batches, (fault,) = read(adapter="chicago-violations")
    assert [batch.name for batch in batches] == ["b.csv"]
    assert fault.name == "a.csv"
    assert 'reads column "violations", which is missing' in fault.message
