"""``config/dossiers.yaml`` as typed, frozen data: thresholds of what is shown of complaints, recalls, laboratories and accidents."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field, model_validator

from riskwatch.rulebase import Basis, Rule

__all__ = [
    "BURSTS",
    "CLOCK",
    "LABORATORIES",
    "LOOK_BACK",
    "RECALLS",
    "BurstRules",
    "ClockRules",
    "DossierRules",
    "LaboratoryRules",
    "LookBackRules",
    "RecallRules",
]

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


class LookBackRules(_Block):
    """How far back a digest counts, and how far back a run reads for it; natural days, the as-of day included."""

    accident_days: int = Field(
        7, ge=1, description="accidents that happened, or of which something became known, in so many days are shown"
    )
    accident_read_days: int = Field(60, ge=1, description="accidents are read so far back: a report may become known weeks after the event")
    media_days: int = Field(28, ge=1, description="media reports are counted over so many days")
    certificate_days: int = Field(30, ge=1, description="licences and certificates lost in so many days are counted")
    certificate_read_days: int = Field(2196, ge=1, description="and read so far back: a licence is valid for five years")
    recall_read_days: int = Field(1830, ge=1, description="recalls are read so far back: one may run for years")
    laboratory_read_days: int = Field(1830, ge=1, description="calibrations and capabilities are read so far back")
    trade_notice_read_days: int = Field(366, ge=1, description="notices of trade measures are read so far back")
    comment_days: int = Field(30, ge=0, description="notices whose comments are due within so many days are shown")
    order_read_days: int = Field(
        365, ge=1, description="longest time from a sample to an order that may follow it; added to case_days of config/ladders.yaml"
    )
    firm_days: int = Field(365, ge=1, description="firms that failed, and failed again, are counted over so many days")
    recent_days: int = Field(28, ge=1, description="injuries and foreign notices are counted over so many days")

    @model_validator(mode="after")
    def _reads_what_it_counts(self) -> LookBackRules:
        for name, counted, read in (
            ("accident", self.accident_days, self.accident_read_days),
            ("certificate", self.certificate_days, self.certificate_read_days),
        ):
            if read < counted:
                raise ValueError(f"{name}_read_days must be >= {name}_days: what is counted must be read, got {read} and {counted}")
        return self


class DossierRules(Rule):
    """``config/dossiers.yaml``."""

    version: str = Field("none", min_length=1, description="version of the file")
    claimant_bursts: BurstRules = BurstRules()
    recalls: RecallRules = RecallRules()
    laboratories: LaboratoryRules = LaboratoryRules()
    accident_clock: ClockRules = ClockRules()
    look_back: LookBackRules = LookBackRules()


BURSTS, RECALLS, LABORATORIES, CLOCK, LOOK_BACK = BurstRules(), RecallRules(), LaboratoryRules(), ClockRules(), LookBackRules()
"""What holds without a file."""
