"""``config/dossiers.yaml`` as typed, frozen data: thresholds of what is shown of complaints, recalls, laboratories and accidents."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from riskwatch.rulebase import Basis, Rule

__all__ = ["BURSTS", "CLOCK", "LABORATORIES", "RECALLS", "BurstRules", "ClockRules", "DossierRules", "LaboratoryRules", "RecallRules"]

_OURS = Basis(source="design proposal", dated=dt.date(2026, 11, 26), verified=False)
_LAW = Basis(
    source="Regulation on reporting and investigating production-safety accidents (2007), arts. 9 and 11, from general knowledge",
    dated=dt.date(2026, 11, 26),
    verified=False,
)


class _Block(Rule):
    """Thresholds of one function; what is left out is as below."""

    basis: Basis = _OURS

    def arguments(self) -> dict[str, Any]:
        """Return the thresholds under the names of the function's arguments."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "basis"}


class BurstRules(_Block):
    """When many complaints are one claimant's: :func:`riskwatch.dossiers.complaints.claimant_bursts`."""

    days: int = Field(60, ge=1, description="look-back, natural days")
    least: int = Field(10, ge=1, description="complaints of one claimant from which it is a burst")
    share: float = Field(0.5, gt=0, le=1, description="and at least this share of all complaints of the subject")


class RecallRules(_Block):
    """Which recalls are shown, and when one is completed: :func:`riskwatch.dossiers.registers.recalls_in_force`."""

    ended_days: int = Field(60, ge=0, description="recalls that ended within so many natural days are still listed")
    complete: float = Field(0.95, gt=0, le=1, description="share from which a recall whose end has passed is completed")


class LaboratoryRules(_Block):
    """When a calibration is due: :func:`riskwatch.dossiers.registers.laboratory_status`."""

    due_days: int = Field(30, ge=0, description="a calibration that ends within so many natural days is due")


class ClockRules(_Block):
    """Within how many hours an accident is reported: :func:`riskwatch.dossiers.accidents.accident_clocks`."""

    basis: Basis = _LAW
    hours: dict[str, float] = Field(
        {"enterprise": 1.0, "county": 2.0, "prefecture": 2.0, "province": 2.0},
        description="reporter -> hours after learning of it; one not listed is held to the enterprise's",
    )


class DossierRules(Rule):
    """``config/dossiers.yaml``."""

    version: str = Field("none", min_length=1, description="version of the file")
    claimant_bursts: BurstRules = BurstRules()
    recalls: RecallRules = RecallRules()
    laboratories: LaboratoryRules = LaboratoryRules()
    accident_clock: ClockRules = ClockRules()


BURSTS, RECALLS, LABORATORIES, CLOCK = BurstRules(), RecallRules(), LaboratoryRules(), ClockRules()
"""What holds without a file."""
