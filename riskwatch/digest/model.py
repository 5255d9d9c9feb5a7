"""The digest as data: what one centre reads on one day.

The JSON of :class:`Digest` is the canonical form; HTML and Markdown are renderings of it and carry the same figures. Sections and
their order follow the daily alert digest (每日预警简报) of the domain brief, §6.1. Every text that is not a code is held in both
languages, so one digest serves both; nothing in here may identify a person or an enterprise.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.card_model import ActionLine, Change, Chart, ChartPoint, CompactRow, LawLine, Measure, WarningCard
from riskwatch.digest.dossier_model import CaseWarning, Dossier
from riskwatch.digest.handling_model import HandlingLine, SetAside
from riskwatch.digest.indicator_model import IndicatorLine, IndicatorSection
from riskwatch.digest.parts import GradeLabel, GradeName, Part, Place, Text
from riskwatch.digest.proof_model import Calibration, CatalogueCoverage, CatalogueGap, Coverage, DataQuality, SourceLine
from riskwatch.digest.section_model import (
    Case,
    CaseBoard,
    ExternalSignal,
    FirmCounts,
    Focus,
    Incidents,
    Mover,
    NewWord,
    SystemicItem,
)

__all__ = [
    "GRADES",
    "ActionLine",
    "BottomLine",
    "Calibration",
    "Case",
    "CaseBoard",
    "CatalogueCoverage",
    "CatalogueGap",
    "Change",
    "Chart",
    "ChartPoint",
    "CompactRow",
    "Coverage",
    "DataQuality",
    "Digest",
    "ExternalSignal",
    "FirmCounts",
    "Focus",
    "GradeCount",
    "GradeLabel",
    "GradeName",
    "HandlingLine",
    "Header",
    "Incidents",
    "IndicatorLine",
    "IndicatorSection",
    "LawLine",
    "Measure",
    "Mover",
    "NewWord",
    "Place",
    "SetAside",
    "SignOff",
    "SourceLine",
    "SystemicItem",
    "Text",
    "WarningCard",
]

# Warning levels, most urgent first. WATCH and NONE are not warnings.
GRADES: tuple[GradeName, ...] = ("I", "II", "III", "IV")


class Header(Part):
    """报头: who reads, which day, which issue, what was known."""

    centre: str
    centre_name: Text
    region: Place
    date: dt.date
    issue_no: int
    data_cutoff: dt.date
    status: Literal["proposed", "reviewed"]
    simulated: bool
    grades: tuple[GradeLabel, ...]
    # Names of the start events of deadlines.
    starts: tuple[tuple[str, Text], ...] = ()
    # Goods whose levels have names or colours of their own: domain of actions.yaml, its labels.
    domain_grades: tuple[tuple[str, tuple[GradeLabel, ...]], ...] = ()


class GradeCount(Part):
    """Changes of the day at one level, and how many are open there."""

    grade: GradeName
    new: int
    raised: int
    eased: int
    recovered: int
    unchanged: int

    @property
    def open(self) -> int:
        """Warnings open at the end of the day."""
        return self.new + self.raised + self.eased + self.unchanged


class BottomLine(Part):
    """今日要情: counts by level; ``leading`` names the I and II warnings that get one sentence each."""

    counts: tuple[GradeCount, ...]
    leading: tuple[str, ...]


class SignOff(Part):
    """联系人与签批: the duty desk, never a personal name; ``reviewers`` is how many signatures are needed."""

    contact: Text | None
    reviewers: int


class Digest(Part):
    """One centre, one day. Sections in the order in which they are read."""

    schema_version: Literal[1] = 1
    header: Header
    bottom_line: BottomLine
    warnings: tuple[WarningCard, ...]
    others: tuple[CompactRow, ...]
    incidents: Incidents
    focus: Focus
    systemic: tuple[SystemicItem, ...]
    cases: CaseBoard
    external: tuple[ExternalSignal, ...]
    quality: DataQuality
    coverage: Coverage
    calibration: Calibration
    sign_off: SignOff
    # None where there are no indicator records, and in digests stored before there were any.
    indicators: IndicatorSection | None = None
    # Empty where no word emerged, and in digests stored before words were watched.
    words: tuple[NewWord, ...] = ()
    # None: no catalogue was in force, or none of it lies in the jurisdiction (and in digests stored before there was one).
    catalogue: CatalogueCoverage | None = None
    # Accident reports, recalls, registers, trade notices, cases; empty where there are none, and in digests stored before they were shown.
    dossier: Dossier = Dossier()
    # Warnings that are lists of single firms' cases; empty where there are none, and in digests stored before they were set apart.
    case_warnings: tuple[CaseWarning, ...] = ()
    # Warnings that people have closed or silenced; None without casework.
    set_aside: SetAside | None = None

    @property
    def full_day(self) -> bool:
        """Whether not all warnings of level I and II have room in full: the other sections are then shorter, too."""
        return any(card.brief for card in self.warnings)
