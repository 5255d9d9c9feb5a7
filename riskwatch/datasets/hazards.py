"""Hazards that are put into the simulated province, and decoys that look like hazards and are none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskwatch.datasets.codelists import World, load_test_items
from riskwatch.datasets.injury_words import MECHANISMS
from riskwatch.datasets.rhythm import DayAxis
from riskwatch.errors import DimensionError, RiskwatchError

__all__ = ["KINDS", "Hazard", "check_hazards", "relative_risk", "unknown_codes"]

Kind = Literal["hazard", "decoy-campaign", "decoy-new-hospital", "decoy-backlog", "decoy-label"]
KINDS: tuple[str, ...] = ("hazard", "decoy-campaign", "decoy-new-hospital", "decoy-backlog", "decoy-label")
SCOPES: tuple[str, ...] = ("isolated", "regional", "industry-wide", "systemic", "none")


@dataclass(frozen=True, slots=True)
class Hazard:
    """One injected hazard or decoy.

    Attributes
    ----------
    hazard_id : str
        Unique.
    kind : str
        ``hazard``; or what the decoy imitates: a targeted campaign, a new hospital, a reporting backlog, label-only failures.
    scope : str
        isolated, regional, industry-wide, systemic; ``none`` for decoys.
    products, regions : tuple of str
        Product or category codes, and county, prefecture or province codes; empty means all.
    start, end : date
        First and last day of the excess injuries (of the campaign, of the silence); None means still going on.
    stream : {"injury", "spot_check", "both"}
        Where it shows.
    relative_risk : float
        Multiplies the injury rate, and the failure probability unless ``fail_relative_risk`` is set.
    fail_relative_risk : float or None
        Multiplies the failure probability of samples.
    defect_from : date or None
        Since when samples fail more often, where that is earlier than the first excess injury.
    ramp_days : int
        The relative risk of injuries grows linearly from 1 over so many days: the concern worsens.
    item : str
        Code of the test item that fails.
    mechanism : str
        How people are hurt; empty: as usual for the product.
    admitted, died : float
        Probabilities of these outcomes among the excess injuries.
    producers : int
        Only the so many largest producers of each product are concerned (a shared supplier); 0 means all.
    grade_expected : str
        The proposed level that a well-tuned engine should reach at the height of it; "" for decoys.
    note_zh, note_en : str
        What it imitates.
    """

    hazard_id: str
    kind: Kind
    scope: str
    products: tuple[str, ...]
    regions: tuple[str, ...]
    start: dt.date
    end: dt.date | None
    stream: Literal["injury", "spot_check", "both"]
    relative_risk: float
    fail_relative_risk: float | None = None
    defect_from: dt.date | None = None
    ramp_days: int = 0
    item: str = ""
    mechanism: str = ""
    admitted: float = 0.06
    died: float = 0.0
    producers: int = 0
    grade_expected: str = ""
    note_zh: str = ""
    note_en: str = ""

    @property
    def in_injuries(self) -> bool:
        """Whether it shows among injuries."""
        return self.stream in ("injury", "both")

    @property
    def in_spot_checks(self) -> bool:
        """Whether it shows among spot checks."""
        return self.stream in ("spot_check", "both")

    @property
    def samples_from(self) -> dt.date:
        """First sampling day with raised failures."""
        return self.defect_from or self.start

    @property
    def failure_risk(self) -> float:
        """Factor on the failure probability of samples."""
        return self.relative_risk if self.fail_relative_risk is None else self.fail_relative_risk


def check_hazards(hazards: Sequence[Hazard], world: World) -> None:
    """Raise one error that names every hazard that cannot be injected."""
    faults: list[str] = []
    seen: set[str] = set()
    items, mechanisms = set(load_test_items().index), {mechanism.name for mechanism in MECHANISMS}
    for hazard in hazards:
        if hazard.hazard_id in seen:
            faults.append(f"{hazard.hazard_id}: hazard_id must be unique")
        seen.add(hazard.hazard_id)
        if hazard.kind not in KINDS:
            faults.append(f"{hazard.hazard_id}: kind must be one of {KINDS}, got {hazard.kind!r}")
        if hazard.scope not in SCOPES:
            faults.append(f"{hazard.hazard_id}: scope must be one of {SCOPES}, got {hazard.scope!r}")
        if not hazard.relative_risk >= 1 or not hazard.failure_risk >= 1:
            faults.append(f"{hazard.hazard_id}: relative risks must be >= 1, got {hazard.relative_risk} and {hazard.failure_risk}")
        if hazard.end is not None and hazard.end < hazard.start:
            faults.append(f"{hazard.hazard_id}: end must not be before start {hazard.start}, got {hazard.end}")
        if not hazard.admitted + hazard.died <= 1:
            faults.append(f"{hazard.hazard_id}: admitted + died must be <= 1, got {hazard.admitted + hazard.died}")
        if hazard.item and hazard.item not in items:
            faults.append(f"{hazard.hazard_id}: item must be a code of test_items.csv, got {hazard.item!r}")
        if hazard.mechanism and hazard.mechanism not in mechanisms:
            faults.append(f"{hazard.hazard_id}: mechanism must be one of {sorted(mechanisms)}, got {hazard.mechanism!r}")
    if faults:
        raise RiskwatchError("simulate_province: " + "; ".join(faults))
    for hazard in hazards:
        lost = unknown_codes(hazard, world)
        if lost:
            raise DimensionError(f"simulate_province: hazard {hazard.hazard_id} names codes that the code lists do not have: {lost}")


def unknown_codes(hazard: Hazard, world: World) -> list[str]:
    """Product and region codes of the hazard that select nothing in the world."""
    products = [code for code in hazard.products if not world.product_mask([code]).any()]
    return products + [code for code in hazard.regions if not world.county_mask([code]).any()]


def relative_risk(hazard: Hazard, axis: DayAxis) -> npt.NDArray[np.float64]:
    """Injury rate ratio on each day of the axis, one outside the hazard's time; shape (day,)."""
    since = (axis.days - np.datetime64(hazard.start, "D")).astype(np.int64)
    active = since >= 0
    if hazard.end is not None:
        active &= axis.days <= np.datetime64(hazard.end, "D")
    grown = np.minimum(1.0, (since + 1) / hazard.ramp_days) if hazard.ramp_days else np.ones(axis.size)
    return np.where(active, 1.0 + (hazard.relative_risk - 1.0) * grown, 1.0)
