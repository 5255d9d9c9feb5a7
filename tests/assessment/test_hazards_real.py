"""Hazard classes on published names: Chinese spot checks and European notices."""

import os
from pathlib import Path

import pandas as pd
import pytest
from assessment_world import HAZARDS

from riskwatch.assessment.hazards import Classifier

DATA = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))


def share_named(kind, names):
    classifier = Classifier(HAZARDS)
    return float((names.map(lambda name: classifier.classify(kind, name)) != "unknown").mean())


@pytest.mark.parametrize(
    ("path", "column", "kind", "least"),
    [
        ("cn_food_spotcheck/samples.parquet", "failing_item", "items", 0.85),
        ("rasff_notifications/rasff_2020_2024.parquet", "hazard_category", "notices", 0.85),
    ],
)
def test_most_published_names_have_a_class(path, column, kind, least):
    if not (DATA / path).is_file():
        pytest.skip(f"real data not present: {path} (set RISKWATCH_REAL_DATA)")
    names = pd.read_parquet(DATA / path, columns=[column])[column].dropna().astype(str)
    assert share_named(kind, names) >= least
