"""The code lists and product profiles that a simulated province is built on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import DimensionError

__all__ = ["World", "build_world", "load_code_list", "load_test_items", "nation_of"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Rates in profiles.csv are for a province of this many people.
REFERENCE_POPULATION = 24_000_000
_DEFAULT_POPULATION = 100_000
_PROFILE_TEXT = {"season": "flat", "age": "adult", "mechanisms": "cut:.5;strike:.5", "items": "label"}
_PROFILE_NUMBER = {"injuries_per_week": 2.0, "trend_percent": 0.0, "rural": 0.0, "samples_per_year": 150.0, "fail_percent": 5.0}


def _template_folder() -> Path:
    packaged = Path(str(resources.files("riskwatch"))) / "template"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2]


def load_code_list(name: str) -> pd.DataFrame:
    """Read one code list of the demonstration project, every column as text.

    Parameters
    ----------
    name : str
        File name without ending under ``config/dimensions``: ``products``, ``industries``, ``regions`` …

    Raises
    ------
    DimensionError
        If there is no such list.
    """
    path = _template_folder() / "config" / "dimensions" / f"{name}.csv"
    if not path.is_file():
        raise DimensionError(
            f"load_code_list: no code list {name!r} at {path.name}", hint="lists are the CSV files under config/dimensions"
        )
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _package_table(name: str) -> pd.DataFrame:
    with resources.as_file(resources.files("riskwatch.datasets") / name) as path:
        return pd.read_csv(path, dtype=str, keep_default_na=False)


def load_test_items() -> pd.DataFrame:
    """Read the simulated test items: ``item, name_zh, limit, unit, kind (max|min|text), safety, hazard``."""
    return _package_table("test_items.csv").set_index("item")


@dataclass(frozen=True, eq=False)
class World:
    """Leaf products with their profiles, and counties with their weights.

    Attributes
    ----------
    products : DataFrame
        One row per leaf product: code list columns and profile columns, numbers as float.
    counties : DataFrame
        ``code, prefecture, province, name_zh, population, urban``.
    population_factor : float
        Total population over the population that the profile rates are for.
    """

    products: pd.DataFrame
    counties: pd.DataFrame
    population_factor: float

    def product_mask(self, codes: Iterable[str]) -> BoolArray:
        """Leaves named by leaf or category codes; empty means all."""
        wanted = set(codes)
        if not wanted:
            return np.ones(len(self.products), dtype=np.bool_)
        mask = self.products["code"].isin(wanted) | self.products["parent"].isin(wanted)
        return mask.to_numpy(dtype=np.bool_)

    def county_mask(self, codes: Iterable[str]) -> BoolArray:
        """Counties named by county, prefecture or province codes; empty means all."""
        wanted = set(codes)
        if not wanted:
            return np.ones(len(self.counties), dtype=np.bool_)
        frame = self.counties
        mask = frame["code"].isin(wanted) | frame["prefecture"].isin(wanted) | frame["province"].isin(wanted)
        return mask.to_numpy(dtype=np.bool_)

    def shares(self, rural: float, coverage: FloatArray | None = None) -> FloatArray:
        """Share of each county in the records of a product, summing to one.

        Parameters
        ----------
        rural : float
            -1 (towns only) … 1 (countryside only): how the use of the product leans.
        coverage : array of shape (county,), optional
            Part of the county's cases that is seen at all.
        """
        urban = self.counties["urban"].to_numpy(dtype=np.bool_)
        weight = self.counties["population"].to_numpy(dtype=np.float64) * np.where(urban, 1.0 - rural, 1.0 + rural)
        if coverage is not None:
            weight = weight * coverage
        return np.asarray(weight / weight.sum(), dtype=np.float64)


def _leaf_products(products: pd.DataFrame) -> pd.DataFrame:
    leaves = products[~products["code"].isin(set(products["parent"]))].reset_index(drop=True)
    profiles = _package_table("profiles.csv").rename(columns={"product": "code"})
    merged = leaves.merge(profiles, on="code", how="left", validate="one_to_one")
    for column, text in _PROFILE_TEXT.items():
        merged[column] = merged[column].fillna(text)
    for column, number in _PROFILE_NUMBER.items():
        merged[column] = pd.to_numeric(merged[column]).fillna(number).astype(np.float64)
    return merged


def _counties(regions: pd.DataFrame) -> pd.DataFrame:
    frame = regions[regions["level"] == "county"]
    if frame.empty:
        raise DimensionError("simulate_province: regions must have rows of level 'county', found none")
    parents = dict(zip(regions["code"], regions["parent"], strict=True))
    population = frame["population"] if "population" in frame.columns else pd.Series("", index=frame.index)
    counties = pd.DataFrame(
        {
            "code": frame["code"],
            "prefecture": frame["parent"],
            "province": frame["parent"].map(parents),
            "name_zh": frame["name_zh"],
            "population": pd.to_numeric(population, errors="coerce").fillna(_DEFAULT_POPULATION).astype(np.float64),
        }
    ).reset_index(drop=True)
    seats = counties.groupby("prefecture")["population"].idxmax()
    counties["urban"] = counties["name_zh"].str.endswith("区") | counties.index.isin(seats)
    return counties


def build_world(products: pd.DataFrame | None = None, regions: pd.DataFrame | None = None) -> World:
    """Make the world from code lists; None takes those of the demonstration province.

    Raises
    ------
    DimensionError
        If a list lacks a column, has no leaves, or no counties.
    """
    products = load_code_list("products") if products is None else products
    regions = load_code_list("regions") if regions is None else regions
    needed = {
        "products": ({"code", "parent", "level", "name_zh", "industry"}, products),
        "regions": ({"code", "parent", "level", "name_zh"}, regions),
    }
    for name, (columns, frame) in needed.items():
        missing = sorted(columns - set(frame.columns))
        if missing:
            raise DimensionError(f"simulate_province: {name} must have the columns {sorted(columns)}, missing {missing}")
    leaves = _leaf_products(products)
    if leaves.empty:
        raise DimensionError("simulate_province: products must have at least one leaf, found none")
    counties = _counties(regions)
    return World(leaves, counties, float(counties["population"].sum()) / REFERENCE_POPULATION)


def nation_of(regions: pd.DataFrame | None, world: World) -> str:
    """Return the region above the first province, "" where the list has none."""
    regions = load_code_list("regions") if regions is None else regions
    above = dict(zip(regions["code"], regions["parent"], strict=True))
    return str(above.get(world.counties["province"].iloc[0]) or "")
