"""The catalogue that ships, and small frames of values built by hand."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.indicators.rules import IndicatorCatalogue

CONFIG = Path(__file__).resolve().parents[2] / "config" / "indicators.yaml"


def content():
    """Return the content of the file as plain data."""
    return YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8"))


@functools.cache
def shipped():
    """Return the catalogue that ships."""
    return IndicatorCatalogue.model_validate(content())


@pytest.fixture(scope="session")
def catalogue():
    return shipped()


def record(indicator, region, end, value, *, kind="year", numerator=np.nan, n=np.nan, se=np.nan, status="final", known=None, source="s"):
    """Return one record of the indicator stream."""
    return {
        "indicator": indicator,
        "region": region,
        "period_type": kind,
        "event_date": pd.Timestamp(end),
        "value": value,
        "numerator": numerator,
        "n": n,
        "standard_error": se,
        "status": status,
        "known_at": pd.Timestamp(known or end) + pd.Timedelta(days=0 if known else 90),
        "source": source,
    }


def frame(*rows):
    return pd.DataFrame(list(rows))


def years(indicator, region, values, first=2019, **more):
    """Return one record a year."""
    return [record(indicator, region, f"{first + place}-12-31", value, **more) for place, value in enumerate(values)]
