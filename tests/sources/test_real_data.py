"""The public data sets through the definitions in ``config/sources/real.yaml``: every row arrives, nothing counts twice."""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from riskwatch.definitions.types import SourceDefinition
from riskwatch.records.streams import STREAMS
from riskwatch.sources import ADAPTERS, MAX_BATCH_ROWS, RawBatch, open_source

ROOT = Path(__file__).resolve().parents[2]


@cache
def sources() -> dict[str, SourceDefinition]:
    raw: Any = YAML(typ="safe").load((ROOT / "config/sources/real.yaml").read_text(encoding="utf-8"))
    return {entry["name"]: SourceDefinition.model_validate(entry) for entry in raw["sources"]}


def tree(name: str) -> dict[str, dict[str, str]]:
    with (ROOT / "config/dimensions" / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["code"] for row in rows}) == len(rows)
    return {row["code"]: row for row in rows}


def read(name: str, data: Path) -> tuple[pa.Table, list[RawBatch]]:
    parts = list(open_source(sources()[name], root=ROOT, data=data))
    assert all(isinstance(part, RawBatch) for part in parts), parts
    return pa.concat_tables([part.table for part in parts], promote_options="default"), parts


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("cn-food", 10_007),
        ("neiss-youth", 261_292),
        ("neiss-infants", 446_194),
        ("neiss-scooters", 2_605),
        ("neiss-yearly", 9_125),
        ("rasff", 21_871 + 8_413),
        ("cpsc-recalls", 3_371),
        ("fsis-recalls", 1_558),
    ],
)
def test_every_row_of_the_data_set_arrives_under_known_headers(real_data, name, rows):
    table, parts = read(name, real_data)
    assert table.num_rows == rows
    assert max(part.table.num_rows for part in parts) <= MAX_BATCH_ROWS
    assert {part.name: part.last for part in parts} == {part.name: True for part in parts}
    definition = sources()[name]
    mapped = {
        header
        for given in (*definition.columns.values(), *definition.items.values())
        for header in ([given] if isinstance(given, str) else given)
    }
    assert set(table.column_names) - mapped - set(definition.ignore) - set(definition.key) == set()
    assert mapped <= set(table.column_names)


def test_chicago_inspections_keep_their_number_and_their_items(real_data):
    table, _ = read("chicago-inspections", real_data)
    assert len(set(table.column("inspection_id").to_pylist())) == 27_600
    inspections = table.group_by("inspection_id").aggregate([("fail_flag", "min"), ("violation_item", "count"), ("violations", "min")])
    assert Counter(inspections.column("fail_flag_min").to_pylist()) == {"0": 27_600 - 5_455, "1": 5_455}
    for violations, count in zip(
        inspections.column("violations_min").to_pylist(), inspections.column("violation_item_count").to_pylist(), strict=True
    ):
        assert count == (0 if violations is None else len(violations.split(",")))


def test_rasff_extracts_overlap_without_counting_twice(real_data):
    _, parts = read("rasff", real_data)
    references: dict[str, list[str]] = {}
    for part in parts:
        references.setdefault(part.name, []).extend(part.table.column("reference").to_pylist())
    old, new = (set(references[name]) for name in ("rasff_2020_2024.parquet", "rasff_2024_2025_detailed.parquet"))
    assert len(old & new) == 4_342
    assert len(old | new) == 25_915


def test_hazard_categories_told_by_names_agree_with_those_that_rasff_gave(real_data):
    _, parts = read("rasff", real_data)
    old, new = (
        pa.concat_tables([part.table for part in parts if part.name == name])
        for name in ("rasff_2020_2024.parquet", "rasff_2024_2025_detailed.parquet")
    )
    given = dict(zip(old.column("reference").to_pylist(), old.column("hazard_category").to_pylist(), strict=True))
    told = {
        reference: classes
        for reference, names, classes in zip(
            *(new.column(header).to_pylist() for header in ("reference", "hazards", "hazard_category")), strict=True
        )
        if names is not None and given.get(reference) is not None
    }
    assert len(told) > 3_000
    known = {reference: set(classes.split("; ")) for reference, classes in told.items() if classes is not None}
    assert len(known) / len(told) > 0.9
    # RASFF's own categories of 2024 keep apart what older ones did not; both extracts are held against each other as they are.
    assert sum(bool(classes & set(given[reference].split("; "))) for reference, classes in known.items()) / len(known) > 0.93


def test_every_code_that_the_data_give_is_in_a_tree(real_data):
    products = {code for code, row in tree("real_products.csv").items() if row["level"] == "product"}
    names = {row["name_zh"] for row in tree("real_products.csv").values() if row["level"] == "product"}
    regions = tree("real_regions.csv")
    food, _ = read("cn-food", real_data)
    assert {text.replace("（", "(").replace("）", ")") for text in food.column("cat_l2").to_pylist()} <= names
    chicago, _ = read("chicago-inspections", real_data)
    rule = sources()["chicago-inspections"].codes["product"]
    slugs = set(chicago.column("facility_slug").to_pylist()) - {None}
    assert {rule.names.get(slug, rule.prefix + slug) for slug in slugs} | {rule.default} <= products
    assert {f"chi:ward-{ward}" for ward in set(chicago.column("ward").to_pylist()) - {None}} <= set(regions)
    rasff, _ = read("rasff", real_data)
    rule = sources()["rasff"].codes["product"]
    for header in ("product_category", "category"):
        assert {rule.names[text] for text in set(rasff.column(header).to_pylist()) - {None}} <= products
    countries = {row["name_en"] for row in regions.values() if row["level"] == "country"}
    for field, headers in (("region", ("notification_from", "notifying_country")), ("origin", ("country_origin", "origin"))):
        known = countries | set(sources()["rasff"].codes[field].names)
        assert {text for header in headers for text in set(rasff.column(header).to_pylist()) - {None}} <= known


def test_definitions_name_known_streams_fields_and_adapters():
    for definition in sources().values():
        stream = STREAMS[definition.stream]
        fields = {field.name for field in stream.all_fields}
        assert {*definition.columns, *definition.constants, *definition.values, *definition.codes} <= fields
        assert set(definition.items) <= {field.name for field in stream.items}
        for field in stream.all_fields:
            for value in (*definition.values.get(field.name, {}).values(), *[definition.constants.get(field.name, "")]):
                assert not field.choices or not value or value in field.choices
        assert definition.adapter is None or definition.adapter in ADAPTERS
        assert definition.expected.until is not None
        assert definition.licence
        assert definition.profiles == ("real",)


@pytest.mark.parametrize("name", ["real_products.csv", "real_regions.csv"])
def test_trees_hang_together_and_are_named_in_both_languages(name):
    codes = tree(name)
    for row in codes.values():
        assert row["parent"] == "" or row["parent"] in codes
        assert row["name_zh"]
        assert row["name_en"]
    parents = {row["parent"] for row in codes.values()}
    leaves = {row["level"] for code, row in codes.items() if code not in parents}
    assert leaves == ({"product"} if name == "real_products.csv" else {"country", "ward"})
