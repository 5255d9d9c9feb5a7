from __future__ import annotations

import datetime as dt

import pytest

from riskwatch.datasets import SimulatedProvince, simulate_province


@pytest.fixture(scope="session")
def province() -> SimulatedProvince:
    return simulate_province(seed=1)


@pytest.fixture(scope="session")
def quiet() -> SimulatedProvince:
    """The same seed without hazards and decoys."""
    return simulate_province(seed=1, hazards=())


@pytest.fixture(scope="session")
def small() -> SimulatedProvince:
    """Two and a half years: long enough for a file in every format."""
    return simulate_province(seed=7, end=dt.date(2023, 6, 30), scale=0.1)
