"""Code lists in their own layouts, on the real files where they are."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from riskwatch.dimensions import load_trees
from riskwatch.errors import DimensionError

REAL = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
real_data = pytest.mark.skipif(not REAL.is_dir(), reason="no real data: set RISKWATCH_REAL_DATA")


def load(dimension, path, kind, data, **options):
    file = SimpleNamespace(dimension=dimension, path=path, format=kind, options=options, crosswalk=None)
    return load_trees([file], data, data)[dimension]


def test_neiss_code_book(tmp_path):
    (tmp_path / "neiss_codebooks").mkdir()
    frame = pd.DataFrame(
        {
            "code": [101, 5042, 9999],
            "label": ["WASHERS", "SCOOTERS, POWERED", None],
            "code_band_group": ["Home & Garden", "sports/toys", None],
        }
    )
    frame.to_parquet(tmp_path / "neiss_codebooks" / "product_codes.parquet")
    tree = load("product", "{data}/neiss_codebooks/product_codes.parquet", "neiss-codebook", tmp_path)
    assert tree.levels == ("all", "category", "product")
    assert tree.path("neiss:5042") == ["neiss", "neiss:sports-toys", "neiss:5042"]
    assert tree.children("neiss") == ["neiss:home-garden", "neiss:other", "neiss:sports-toys"]
    assert tree.name("neiss:5042") == tree.name("neiss:5042", "en") == "Scooters, powered"
    assert tree.name("neiss:9999") == "product 9999"


def test_an_absent_file_names_the_data_folder(tmp_path):
    with pytest.raises(DimensionError, match=r"product_codes\.parquet: no such file"):
        load("product", "{data}/product_codes.parquet", "neiss-codebook", tmp_path)


@real_data
def test_the_real_neiss_code_book():
    tree = load("product", "{data}/neiss_codebooks/product_codes.parquet", "neiss-codebook", REAL)
    assert len(tree) == 1 + 16 + 1124
    assert tree.ancestor_at(["neiss:5042"], "category").tolist() == [tree.parent_of("neiss:5042")]
    assert "scooter" in tree.name("neiss:5042").lower()


@real_data
def test_the_real_divisions():
    tree = load("region", "{data}/gb2260/divisions_current.csv", "gb2260-divisions", REAL, root="CN")
    assert tree.levels == ("country", "province", "prefecture", "county")
    assert tree.path("220184") == ["CN", "220000", "220100", "220184"]
    assert "220171" not in tree
    assert len(tree.children("CN")) == 34


@real_data
def test_the_real_industries():
    tree = load("industry", "{data}/gb4754/gbt4754_2017.csv", "gbt4754", REAL)
    assert tree.levels == ("section", "division", "group", "class")
    assert [int((tree.level == level).sum()) for level in tree.levels] == [20, 97, 473, 1381]
    assert tree.ancestor_at(["C1411"], "division").tolist() == ["C14"]
