"""A small world of samples and items whose figures can be counted by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.items import StandardCatalogue

CHANGES = """
version: "1"
not_detected_passes: true
units:
  - {name: mg/kg, dimension: mass, factor: 0.000001}
  - {name: g/kg, dimension: mass, factor: 0.001}
  - {name: mg/L, dimension: volume, factor: 0.001}
standards:
  - id: lead
    standard: S 1-2024
    title: {zh: 铅, en: lead}
    item: 铅
    products: ["P01"]
    operator: "<="
    old: 110
    new: 90
    unit: mg/kg
    effective_from: 2024-07-01
    basis: {source: test, dated: 2026-01-01, verified: false}
  - id: marker
    standard: S 2-2024
    title: {zh: 标记, en: marker}
    effective_from: 2024-01-01
    level_shift: false
    basis: {source: test, dated: 2026-01-01, verified: false}
  - id: elsewhere
    standard: S 3-2024
    title: {zh: 别处, en: elsewhere}
    item: 铅
    effective_from: 2024-03-01
    profiles: [other]
    basis: {source: test, dated: 2026-01-01, verified: false}
"""


@pytest.fixture(scope="session")
def catalogue() -> StandardCatalogue:
    return StandardCatalogue.model_validate(YAML(typ="safe").load(CHANGES))


def samples(rows: list[tuple[int, str, str, str]], selection: str = "random") -> pd.DataFrame:
    """Return records of (id, day, product, verdict)."""
    frame = pd.DataFrame(rows, columns=["record_id", "event_date", "product", "verdict"])
    frame["event_date"] = pd.to_datetime(frame["event_date"]).astype("datetime64[s]")
    return frame.assign(selection=selection, region="220102", producer=[f"E{number % 3}" for number in range(len(frame))])


def item_rows(rows: list[tuple[int, str, str, str]], unit: str = "mg/kg") -> pd.DataFrame:
    """Return items of (record id, item, measured, verdict)."""
    return pd.DataFrame(rows, columns=["record_id", "item", "measured", "verdict"]).assign(unit=unit, limit="90")
