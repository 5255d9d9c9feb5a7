from __future__ import annotations

import pytest

from riskwatch.datasets.codelists import build_world, load_code_list, load_test_items
from riskwatch.errors import DimensionError

TREE = ["code", "parent", "level", "name_zh", "name_en", "valid_from", "valid_to"]


@pytest.mark.parametrize("name", ["products", "industries", "regions", "china_regions"])
def test_a_code_list_is_a_tree(name):
    frame = load_code_list(name)
    assert list(frame.columns[:7]) == TREE
    assert frame["code"].is_unique
    assert (frame[["code", "level", "name_zh", "name_en"]] != "").all().all()
    seen = set()
    for code, parent in zip(frame["code"], frame["parent"], strict=True):
        # Parents stand before their children, so a file can be read in one pass.
        assert parent == "" or parent in seen, code
        seen.add(code)


def test_the_province_has_9_prefectures_and_60_counties():
    regions = load_code_list("regions").set_index("code")
    prefectures = regions[(regions["level"] == "prefecture") & (regions["parent"] == "220000")]
    counties = regions[regions["level"] == "county"]
    assert len(prefectures) == 9
    assert len(counties) == 60
    assert set(counties["parent"]) == set(prefectures.index)
    # GB/T 2260 puts a county's prefecture in its first four digits.
    assert (counties.index.str[:4] + "00" == counties["parent"]).all()
    assert regions.loc["220184", "name_zh"] == "公主岭市"
    assert regions.loc["222424", "name_zh"] == "汪清县"
    for code in counties.index:
        assert 121 < float(regions.loc[code, "longitude"]) < 132
        assert 40 < float(regions.loc[code, "latitude"]) < 47
    populations = counties["population"].astype(int)
    assert populations.sum() == int(regions.loc["220000", "population"])


def test_products_have_10_categories_and_industries_that_exist():
    products = load_code_list("products")
    industries = set(load_code_list("industries")["code"])
    categories = products[products["level"] == "category"]
    leaves = products[products["level"] == "product"]
    assert len(categories) == 10
    assert len(leaves) >= 60
    assert set(leaves["parent"]) == set(categories["code"])
    assert set(leaves["industry"]) <= industries
    classes = {"mechanical", "electrical", "fire", "chemical", "microbiological", "choking", "gas", "drowning", "label"}
    assert {word for text in leaves["hazards"] for word in text.split(";")} <= classes
    assert set(leaves["vulnerable"]) <= {"children", "elderly", "patients", ""}
    assert (leaves["units_in_use"].astype(int) > 0).all()
    assert (leaves["lifetime_years"].astype(float) > 0).all()
    for name in ("人参", "鹿", "林蛙", "矿泉水", "硅藻土", "松花石"):
        assert leaves["name_zh"].str.contains(name).any(), name


def test_industries_hold_all_sections_and_divisions_of_the_2017_edition():
    levels = load_code_list("industries")["level"].value_counts()
    assert levels["section"] == 20
    assert levels["division"] == 97


@pytest.mark.parametrize(("crosswalk", "tree"), [("region_crosswalk", "regions"), ("china_region_crosswalk", "china_regions")])
def test_crosswalks_lead_from_codes_that_are_gone_to_codes_that_are_there(crosswalk, tree):
    moves = load_code_list(crosswalk)
    codes = set(load_code_list(tree)["code"])
    assert set(moves["to_code"]) <= codes
    assert not set(moves["from_code"]) & codes
    assert moves["from_code"].is_unique
    assert moves["effective_on"].str.fullmatch(r"\d{4}-\d{2}-\d{2}").all()
    assert set(moves["verified"]) <= {"true", "false"}
    assert dict(zip(moves["from_code"], moves["to_code"], strict=True))["220381"] == "220184"


def test_every_product_has_a_profile_with_known_items():
    world = build_world()
    items = set(load_test_items().index)
    assert {item for text in world.products["items"] for item in text.split(";")} <= items
    assert (world.products["injuries_per_week"] > 0).all()
    assert world.products["season"].nunique() >= 8


def test_products_without_a_profile_get_an_ordinary_one():
    products = load_code_list("products").assign(
        code=lambda frame: "X" + frame["code"], parent=lambda frame: frame["parent"].map(lambda code: code and "X" + code)
    )
    assert set(build_world(products).products["season"]) == {"flat"}


def test_unknown_list_and_missing_columns_are_named():
    with pytest.raises(DimensionError, match=r"no code list 'gemstones' at gemstones\.csv"):
        load_code_list("gemstones")
    with pytest.raises(DimensionError, match=r"products must have the columns .*, missing \['industry'\]"):
        build_world(load_code_list("products").drop(columns="industry"))
    with pytest.raises(DimensionError, match="regions must have rows of level 'county', found none"):
        build_world(regions=load_code_list("regions").query("level != 'county'"))
