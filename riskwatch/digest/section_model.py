"""What stands beside the warnings, as data: accidents, movers, systemic watch, running terms, notices of others, new words."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.card_model import Measure
from riskwatch.digest.parts import GradeName, Part, Place, Text

__all__ = [
    "Case",
    "CaseBoard",
    "ExternalSignal",
    "FirmCounts",
    "Focus",
    "Incidents",
    "Mover",
    "NewWord",
    "SystemicItem",
]


class Case(Part):
    """A clock: something that is due, with the day it is due on."""

    kind: Literal["action", "report", "rectify", "recheck"]
    warning_id: str
    grade: GradeName | None
    domain: str = ""
    subject: Text | None
    owner: Text | None
    due_on: dt.date
    days_left: int
    count: int


class CaseBoard(Part):
    """处置进展与逾期: clocks that ran out, those that end within the week, and how many run beyond."""

    overdue: tuple[Case, ...]
    this_week: tuple[Case, ...]
    later: int


class Incidents(Part):
    """重大事故与伤害: what the injury stream knows, on the newest day it knows of and over the window."""

    newest_day: dt.date | None
    day_persons: int
    day_admitted: int
    day_died: int
    window_days: int
    persons: int
    admitted: int
    died: int
    clocks: tuple[Case, ...]


class Mover(Part):
    """One line of a focus: the subject with its strongest judged series."""

    code: str
    name: Text
    measure: Measure
    judged: int
    alarmed: int


class FirmCounts(Part):
    """重点企业: counts only. Names are internal until a lawful publication, and a hash of a public code would be a name."""

    window_days: int
    checked: int
    failed: int
    failed_repeatedly: int
    rechecked: int
    failed_recheck: int


class Focus(Part):
    """四类聚焦: products, industries, regions, firms."""

    products: tuple[Mover, ...]
    industries: tuple[Mover, ...]
    regions: tuple[Mover, ...]
    firms: FirmCounts | None


class SystemicItem(Part):
    """系统性风险: a warning whose scope is industry-wide or systemic, with the spread behind it."""

    warning_id: str
    subject: Text
    place: Place
    grade: GradeName
    domain: str = ""
    scope: str
    prefectures: int | None
    counties: int | None
    producers: int | None
    hazard_name: Text | None


class ExternalSignal(Part):
    """外部信号: notices of other systems on one product and hazard, counted over the window."""

    system: str
    product: Text | None
    hazard: str
    decision: str
    origin: Text | None
    notices: int
    newest: dt.date


class NewWord(Part):
    """新词: a scrubbed term of which the newest records hold more than before; counts under five are null. Never a text."""

    term: str
    product: Text | None
    observed: int | None
    expected: float
    period_start: dt.date
    period_end: dt.date
