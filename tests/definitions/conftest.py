"""A small project, and a registry with one detector whose messages never change."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from riskwatch.definitions import loader, rooms
from riskwatch.errors import DetectorError


@dataclasses.dataclass(frozen=True)
class Counting:
    """What the stand-in makes; metadata as real detectors have them."""

    alpha: float = dataclasses.field(default=0.05, metadata={"unit": "probability", "note": "one-sided level"})
    baseline_years: int = dataclasses.field(default=4, metadata={"unit": "years"})

    def min_periods(self, frequency):
        """Say how many periods it needs, whatever their length."""
        return self.baseline_years * 10 + len(frequency)


TESTDATA = Path(__file__).parent / "testdata"


def counting(name, **parameters):
    """Stand in for a detector: it lists unknown parameters first, then values out of range."""
    known = {"alpha": (0, 1), "baseline_years": (3, 30)}
    strange = [f"{name}: unknown parameter {key!r}" for key in parameters if key not in known]
    if strange:
        raise DetectorError("\n".join(strange), hint="known parameters: alpha, baseline_years")
    faults = []
    for key, value in parameters.items():
        low, high = known[key]
        if value < low:
            faults.append(f"{name}: {key} must be >= {low}, got {value}")
        elif value > high:
            faults.append(f"{name}: {key} must be <= {high}, got {value}")
    if faults:
        raise DetectorError("\n".join(faults))
    return Counting(**parameters)


@pytest.fixture
def registry(monkeypatch):
    """Let the definitions see one detector, `counting`, and no rule catalogues."""
    made = rooms.Detectors(("counting",), counting)
    monkeypatch.setattr(loader, "detectors", lambda: made)
    monkeypatch.setattr("riskwatch.definitions.explanation.detectors", lambda: made)
    monkeypatch.setattr(loader, "catalogue_type", lambda name: None)
    return made


@pytest.fixture
def project(tmp_path, registry):
    """A sound project that a test may spoil."""
    return Path(shutil.copytree(TESTDATA / "base", tmp_path / "project"))
