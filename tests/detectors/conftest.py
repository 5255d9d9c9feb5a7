"""Panels that the tests of the detectors share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riskwatch.detectors.contract import made_panel


@pytest.fixture
def real_data():
    folder = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set RISKWATCH_REAL_DATA")
    return folder


@pytest.fixture
def weeks():
    """Six years and a bit of weekly counts of 40 series with season; exposure about five times the counts; some gaps."""
    return made_panel()
