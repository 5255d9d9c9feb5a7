"""A warning as data: in full (a card) or in one line (a row), with its series, its measures and its chart."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.cluster_model import ClusterMap
from riskwatch.digest.dossier_model import EmergencyLine, RelatedLine, Spread, TakenLine
from riskwatch.digest.handling_model import HandlingLine
from riskwatch.digest.parts import GradeName, Part, Place, Text

__all__ = [
    "ActionLine",
    "Change",
    "Chart",
    "ChartPoint",
    "CompactRow",
    "LawLine",
    "Measure",
    "WarningCard",
]

Change = Literal["new", "worsened", "unchanged", "eased", "recovered"]


class ChartPoint(Part):
    """One period of a chart. For rates the figures are counts and ``exposure`` is the denominator; null is missing, not zero."""

    period_start: dt.date
    observed: float | None
    exposure: float | None = None
    expected: float | None = None
    upper: float | None = None
    alarm: bool = False


class Chart(Part):
    """The history of one series, as data; pictures are drawn from it."""

    frequency: str
    rate: bool
    points: tuple[ChartPoint, ...]


class Measure(Part):
    """One judged series and period: observed against expected, with its limits and its denominator."""

    model: str
    model_name: Text
    stream: str
    product: Text | None
    industry: Text | None
    place: Place | None
    stratum: str
    frequency: str
    period_start: dt.date
    period_end: dt.date
    observed: float
    exposure: float | None
    expected: float
    lower: float | None
    upper: float | None
    ratio: float | None
    p_value: float | None
    q_value: float | None
    windows: int


class LawLine(Part):
    """One legal basis; ``verified`` is false until someone has read the text in force."""

    law: Text
    article: str
    text: Text
    verified: bool


class ActionLine(Part):
    """A proposed measure: what, who, by when, on which basis."""

    object: str
    stage: str
    measure: Text
    owner: Text
    deadline: int | None
    unit: str
    starts: str
    due_on: dt.date | None
    legal_basis: tuple[LawLine, ...]


class WarningCard(Part):
    """One new or raised warning, with all that is known of it however much of it is printed."""

    warning_id: str
    change: Change
    grade: GradeName
    grade_before: GradeName | None
    # Domain whose rules graded it, and whose names of levels are used; "" for the rules of all goods.
    domain: str = ""
    subject_kind: str
    subject_code: str
    subject: Text
    place: Place
    hazard: str
    hazard_name: Text | None
    scope: str
    prefectures: int | None
    counties: int | None
    producers: int | None
    severity: int
    probability: float | None
    probability_range: tuple[float, float] | None
    # True where nothing could be estimated and a working value stands in.
    probability_assumed: bool
    # True where the grading table asks for expert judgement (研判) before anything else.
    review: bool
    risk: str
    risk_range: tuple[str, str] | None
    confidence: str
    source_types: tuple[str, ...]
    rules: tuple[str, ...]
    reason: Text | None
    measures: tuple[Measure, ...]
    measures_total: int
    died: int | None
    admitted: int | None
    age_bands: tuple[tuple[str, int | None], ...]
    failed_items: tuple[tuple[Text, int], ...]
    units_in_use: int | None
    would_change: tuple[Text, ...]
    # Probability of each level over the uncertainty of the inputs, gravest first.
    grade_probability: tuple[tuple[GradeName, float], ...] = ()
    # Why it is to be read first: key product, vulnerable users, season, occasions.
    attention: tuple[Text, ...] = ()
    # What notices from elsewhere weigh, and whether the good is here.
    outside: Text | None = None
    # What the scope figures say beyond counts, the concerns of one cause, why the level is held, the emergency response; empty in digests
    # stored before they were shown.
    spread: Spread = Spread()
    related: RelatedLine | None = None
    held: Text | None = None
    emergency: EmergencyLine | None = None
    # The warnings whose place it has taken; not on the day itself, when the reason says it.
    taken: TakenLine | None = None
    actions: tuple[ActionLine, ...]
    first_seen: dt.date
    # A card is printed in full, in brief, as a row, or only counted (it is in the JSON all the same).
    in_full: bool
    brief: bool = False
    row_shown: bool
    chart: Chart | None
    # The map of the cluster that it rests on; only cards shown in full have one.
    cluster: ClusterMap | None = None
    # Where its case stands; None without casework, and in digests stored before there was any.
    handling: HandlingLine | None = None


class CompactRow(Part):
    """One warning in one line: those that eased, recovered or did not change, and the overflow of new ones."""

    warning_id: str
    change: Change
    grade: GradeName
    grade_before: GradeName | None
    domain: str = ""
    subject: Text
    place: Place
    scope: str
    first_seen: dt.date
    last_changed: dt.date
    observed: float | None
    exposure: float | None
    expected: float | None
    due_on: dt.date | None
    reason: Text | None
    # In digests stored before warnings were handed over: the warning under which this concern is reported; "" for none.
    covered_by: str = ""
    taken: TakenLine | None = None
    # Why the level does not follow the day's figures yet.
    held: Text | None = None
    shown: bool
    handling: HandlingLine | None = None
