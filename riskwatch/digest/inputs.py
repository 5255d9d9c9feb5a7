"""What a digest is built from: small frozen inputs that the runner fills, and the shapes it expects of trees and warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from riskwatch.assessment.types import Grade, Scope, Subject
from riskwatch.digest.model import ExternalSignal, FirmCounts, GradeLabel, Text

__all__ = [
    "DEFAULT_GRADES",
    "CentreLike",
    "EventLike",
    "Labels",
    "QualityReport",
    "Recent",
    "RecordClock",
    "SourceHealth",
    "TextLike",
    "TreeLike",
    "Trees",
    "WarningLike",
]


class TextLike(Protocol):
    """Anything with a Chinese and an English form (``definitions.Bilingual`` is one)."""

    @property
    def zh(self) -> str:
        """Chinese form."""

    @property
    def en(self) -> str:
        """English form."""


class CentreLike(Protocol):
    """The part of ``definitions.Centre`` that a digest reads."""

    @property
    def name(self) -> str:
        """Key of the centre."""

    @property
    def label(self) -> TextLike:
        """Name of the centre."""

    @property
    def region(self) -> str:
        """Jurisdiction: a region code; "" for everything."""

    @property
    def contact(self) -> TextLike | None:
        """Duty desk, no personal names."""


class TreeLike(Protocol):
    """A product, industry or region tree, as far as a digest needs one."""

    def name(self, code: str, language: str) -> str:
        """Return the name of ``code`` in ``language`` ("zh" or "en")."""

    def level_of(self, code: str) -> str:
        """Return the level of ``code`` ("province", say)."""

    def path(self, code: str) -> Sequence[str]:
        """Return the codes from the root down to ``code``, both included."""


@dataclass(frozen=True, slots=True)
class Trees:
    """The three trees; a missing one leaves codes unnamed."""

    product: TreeLike | None = None
    industry: TreeLike | None = None
    region: TreeLike | None = None


class WarningLike(Protocol):
    """The part of ``lifecycle.EarlyWarning`` that a digest reads."""

    @property
    def warning_id(self) -> str:
        """Identifier that people cite."""

    @property
    def subject(self) -> Subject:
        """What the concern is about."""

    @property
    def state(self) -> str:
        """One of new, worsened, unchanged, eased, recovered."""

    @property
    def grade(self) -> Grade:
        """Proposed level."""

    @property
    def scope(self) -> Scope:
        """How far the concern reaches."""

    @property
    def first_seen(self) -> dt.date:
        """As-of day of the first signal."""

    @property
    def last_changed(self) -> dt.date:
        """As-of day of the last change of state or grade."""


class EventLike(Protocol):
    """The part of ``lifecycle.WarningEvent`` that a digest reads."""

    @property
    def warning_id(self) -> str:
        """Whose event it is."""

    @property
    def as_of(self) -> dt.date:
        """The day it happened."""

    @property
    def kind(self) -> str:
        """What happened: a state."""

    @property
    def reason(self) -> Mapping[str, str]:
        """Why, {zh, en}."""

    @property
    def grade_before(self) -> Grade | None:
        """Level before."""

    @property
    def grade_after(self) -> Grade | None:
        """Level after."""


# DOMAIN §3.1: 一级红, 二级橙, 三级黄, 四级蓝. Tones dark enough to carry white text (contrast of 4.5 or more, tested).
DEFAULT_GRADES: tuple[GradeLabel, ...] = (
    GradeLabel(grade="I", name=Text(zh="一级（红色）", en="Level I (red)"), colour="#b3261e"),
    GradeLabel(grade="II", name=Text(zh="二级（橙色）", en="Level II (orange)"), colour="#b45309"),
    GradeLabel(grade="III", name=Text(zh="三级（黄色）", en="Level III (yellow)"), colour="#8a6d00"),
    GradeLabel(grade="IV", name=Text(zh="四级（蓝色）", en="Level IV (blue)"), colour="#1d5fa8"),
)


def _empty() -> Mapping[str, Text]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Labels:
    """Names that live in configuration: levels, models and hazards.

    Attributes
    ----------
    grades : tuple of GradeLabel
        Levels I to IV with name and colour (``config/grading.yaml``).
    models, hazards, starts : mapping of str to Text
        Names of models, hazard classes and start events of deadlines; a key without an entry is shown as it is.
    domains : mapping of str to tuple of GradeLabel
        Domain of actions.yaml -> names and colours of its levels, where they differ from ``grades``.
    reviewers : mapping of level to int
        How many named persons confirm a proposed level.
    """

    grades: tuple[GradeLabel, ...] = DEFAULT_GRADES
    models: Mapping[str, Text] = field(default_factory=_empty)
    hazards: Mapping[str, Text] = field(default_factory=_empty)
    starts: Mapping[str, Text] = field(default_factory=_empty)
    domains: Mapping[str, tuple[GradeLabel, ...]] = field(default_factory=lambda: MappingProxyType({}))
    reviewers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"I": 2, "II": 2, "III": 1, "IV": 1}))


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """Freshness of one source on the as-of day."""

    source: str
    zh: str
    en: str
    newest_event: dt.date | None
    newest_known: dt.date | None
    records: int  # in the last `QualityReport.window_days`
    state: Literal["on-time", "late", "silent", "closed", "failed"]
    quarantine_open: int = 0
    message_zh: str = ""
    message_en: str = ""
    region: str = ""  # what it covers; "": the whole project


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What is known about the data that the day's run stood on.

    Attributes
    ----------
    sources : tuple of SourceHealth
        Every source that the profile expects, silent ones included.
    window_days : int
        Days over which records are counted.
    duplicates : int
        Rows that only repeated what was known, of all that ever came.
    rolled_up : tuple of (model, product, industry, region, stratum)
        Series too thin to model, which were judged as part of their parent.
    refused : mapping of str to int
        Reason (see ``detectors.signals.REASONS``) -> number of cells not judged. Empty: counted from the signals.
    failed_models : tuple of str
        Models that could not run at all.
    silent_reporters : mapping of str to mapping of str to (int, int)
        Stream -> region -> hospitals or laboratories at home there that are silent, and that are expected to report; no names.
    undelivered : mapping of str to tuple of (str, date)
        Centre -> kind of message and its day, for each that could not be delivered and waits for a person.
    """

    sources: tuple[SourceHealth, ...] = ()
    window_days: int = 28
    duplicates: int = 0
    rolled_up: tuple[tuple[str, str, str, str, str], ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    failed_models: tuple[str, ...] = ()
    silent_reporters: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    undelivered: Mapping[str, tuple[tuple[str, dt.date], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordClock:
    """Orders to correct whose term is running or over: counts by day, no firm."""

    kind: Literal["rectify", "recheck"]
    due_on: dt.date
    count: int


@dataclass(frozen=True, slots=True)
class Recent:
    """Counts from the records of the last days, within the jurisdiction; made by :func:`riskwatch.digest.recent.summarise_recent`."""

    window_days: int = 28
    records: int = 0
    newest_injury_day: dt.date | None = None
    day_persons: int = 0
    day_admitted: int = 0
    day_died: int = 0
    persons: int = 0
    admitted: int = 0
    died: int = 0
    firms: FirmCounts | None = None
    external: tuple[ExternalSignal, ...] = ()
    clocks: tuple[RecordClock, ...] = ()
