"""Everything that the record simulators need to know, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from riskwatch.datasets.codelists import World
from riskwatch.datasets.enterprises import Enterprises
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.hospitals import Hospitals
from riskwatch.datasets.rhythm import DayAxis

__all__ = ["Scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """World, time, seed, volume and hazards of one simulation."""

    world: World
    axis: DayAxis
    seed: int
    scale: float
    hazards: tuple[Hazard, ...]
    enterprises: Enterprises
    hospitals: Hospitals
