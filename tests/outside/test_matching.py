"""Notices to codes of the product tree: own codes, readings in order, and real titles."""

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.outside.matching import match
from riskwatch.outside.rules import OutsideRules

ROOT = Path(__file__).resolve().parents[2]
RULES = OutsideRules.model_validate(YAML(typ="safe").load((ROOT / "config/outside.yaml").read_text("utf-8")))
DEMO = set(pd.read_csv(ROOT / "config/dimensions/products.csv", dtype=str)["code"])
FOOD = {code for code in pd.read_csv(ROOT / "config/dimensions/real_products.csv", dtype=str)["code"] if code.startswith("cn-food")}
NEISS = {code for entry in RULES.matching.entries for code in entry.codes if code.startswith("neiss:")}


def codes_of(system, title, *, product="", distribution="", goods=FOOD | NEISS):
    notices = pd.DataFrame([{"system": system, "product": product, "title": title, "distribution": distribution}])
    return match(notices, RULES.matching, goods=goods)["product"].tolist()


@pytest.mark.parametrize(
    ("system", "product", "distribution", "title", "expected"),
    [
        ("RASFF", "rasff:fish", "", "Histamine in frozen tuna steaks from Spain", ["cn-food:0203"]),
        ("RASFF", "rasff:fish", "", "Pesce spada affumicato / smoked swordfish", ["cn-food:0202"]),
        ("RASFF", "rasff:cereals", "", "Basmati rice", ["cn-food:0401"]),
        ("RASFF", "rasff:cereals", "", "Rice noodles", ["cn-food:0402"]),
        ("RASFF", "rasff:eggs", "", "Metronidazole in eggs from Ukraine", ["cn-food:0603"]),
        ("RASFF", "rasff:fats-oils", "", "Sesame oil", ["cn-food:1201"]),
        ("RASFF", "rasff:fats-oils", "", "Krill oil", []),
        ("RASFF", "rasff:nuts", "", "Aflatoxins in peanuts", []),
        ("RASFF", "rasff:fruit-vegetables", "", "Frozen spinach", []),
        ("CPSC", "recalls:cpsc-consumer", "Motorcycles/Dirt Bikes (Off-Road) & Accessories", "Baja DR50 Dirt Bikes", ["neiss:5036"]),
        ("CPSC", "recalls:cpsc-consumer", None, "UL Hoverboards Recalled Due to Fire Hazard in bicycles", ["neiss:5025", "neiss:5042"]),
        ("CPSC", "recalls:cpsc-consumer", "Television Carts/Stands/Entertainment Centers", "Entertainment Stands", ["neiss:519"]),
        ("FSIS", "recalls:fsis-meat", "", "Land O&rsquo;Frost Recalls Sausage Product Due to Misbranding", ["cn-food:1404"]),
        ("TBT", "", "", "Basmati rice", []),
    ],
)
def test_published_titles_are_read(system, product, distribution, title, expected):
    assert sorted(codes_of(system, title, product=product, distribution=distribution)) == expected


def test_a_code_of_goods_here_needs_no_reading():
    assert codes_of("CPSC", "anything", product="P0307", goods=DEMO) == ["P0307"]


def test_the_hazard_is_no_product():
    assert codes_of("CPSC", "Acme Widgets Recalled Due to Fire Hazard when charging batteries on chairs") == []


def test_the_first_field_is_read_before_the_second():
    assert codes_of("CPSC", "Acme bicycle lamps", distribution="Lamps") == ["neiss:4071"]
    assert codes_of("CPSC", "Acme bicycle lamps", distribution="Switches") == ["neiss:5040"]


def test_the_order_of_notices_does_not_matter():
    rows = [("RASFF", "rasff:fish", "frozen cod"), ("CPSC", "", "Helmets"), ("RASFF", "rasff:eggs", "eggs"), ("CPSC", "P0307", "x")]
    frame = pd.DataFrame(rows, columns=["system", "product", "title"])
    turned = frame.iloc[::-1].reset_index(drop=True)
    one = match(frame, RULES.matching, goods=FOOD | NEISS | DEMO)
    other = match(turned, RULES.matching, goods=FOOD | NEISS | DEMO).assign(notice=lambda found: len(frame) - 1 - found["notice"])
    key = ["notice", "product"]
    pd.testing.assert_frame_equal(one.sort_values(key, ignore_index=True), other.sort_values(key, ignore_index=True))


def test_every_code_is_in_a_tree():
    real = pd.read_csv(ROOT / "config/dimensions/real_products.csv", dtype=str)["code"]
    named = {code for entry in RULES.matching.entries for code in entry.codes if not code.startswith("neiss:")}
    assert named <= DEMO | set(real)
    assert {code for entry in RULES.matching.entries for code in entry.categories} <= set(real)


def test_no_notices_match_nothing():
    assert match(pd.DataFrame(columns=["system", "product", "title"]), RULES.matching, goods=DEMO).empty
