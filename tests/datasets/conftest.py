from __future__ import annotations

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
    return simulate_province(seed=7, scale=0.05)
