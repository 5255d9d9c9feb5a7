"""The digest as data: what one centre reads on one day.

The JSON of :class:`Digest` is the canonical form; HTML and Markdown are renderings of it and carry the same figures. Sections and
their order follow the daily alert digest (每日预警简报) of the domain brief, §6.1. Every text that is not a code is held in both
languages, so one digest serves both; nothing in here may identify a person or an enterprise.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.cluster_model import ClusterMap
from riskwatch.digest.dossier_model import Dossier, EmergencyLine, RelatedLine, Spread
from riskwatch.digest.parts import GradeName, Part, Place, Text

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
    "Header",
    "Incidents",
    "IndicatorLine",
    "IndicatorSection",
    "LawLine",
    "Measure",
    "Mover",
    "Place",
    "SignOff",
    "SourceLine",
    "SystemicItem",
    "Text",
    "WarningCard",
]

Change = Literal["new", "worsened", "unchanged", "eased", "recovered"]

# Warning levels, most urgent first. WATCH and NONE are not warnings.
GRADES: tuple[GradeName, ...] = ("I", "II", "III", "IV")


class GradeLabel(Part):
    """What a level is called and the colour it is shown in (the label always goes with the colour)."""

    grade: GradeName
    name: Text
    colour: str


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
    """One new or raised warning in full."""

    warning_id: str
    change: Change
    grade: GradeName
    grade_before: GradeName | None
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
    # What the scope figures say beyond counts, the concerns of one cause, why the level is held, the emergency response; empty in digests
    # stored before they were shown.
    spread: Spread = Spread()
    related: RelatedLine | None = None
    held: Text | None = None
    emergency: EmergencyLine | None = None
    actions: tuple[ActionLine, ...]
    first_seen: dt.date
    # A card is printed in full, as a row, or only counted (it is in the JSON all the same).
    in_full: bool
    row_shown: bool
    chart: Chart | None
    # The map of the cluster that it rests on; only cards shown in full have one.
    cluster: ClusterMap | None = None


class CompactRow(Part):
    """One warning in one line: those that eased, recovered or did not change, and the overflow of new ones."""

    warning_id: str
    change: Change
    grade: GradeName
    grade_before: GradeName | None
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
    # The warning under which this concern is reported now; "" for none.
    covered_by: str = ""
    # Why the level does not follow the day's figures yet.
    held: Text | None = None
    shown: bool


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
    scope: str
    prefectures: int | None
    counties: int | None
    producers: int | None
    hazard_name: Text | None


class Case(Part):
    """A clock: something that is due, with the day it is due on."""

    kind: Literal["action", "report", "rectify", "recheck"]
    warning_id: str
    grade: GradeName | None
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


class ExternalSignal(Part):
    """外部信号: notices of other systems on one product and hazard, counted over the window."""

    system: str
    product: Text | None
    hazard: str
    decision: str
    origin: Text | None
    notices: int
    newest: dt.date


class SourceLine(Part):
    """How fresh one source is. Silence is its own state: it never reads as 'all clear'."""

    source: str
    label: Text
    state: Literal["on-time", "late", "silent", "closed", "failed"]
    newest_event: dt.date | None
    newest_known: dt.date | None
    records: int
    quarantine_open: int
    message: Text | None


class DataQuality(Part):
    """数据质量: sources, backlog of quarantine, duplicates, series rolled up, models refused."""

    window_days: int
    sources: tuple[SourceLine, ...]
    quarantine_open: int
    duplicates: int
    rolled_up: int
    rolled_up_series: tuple[Text, ...]
    refused: tuple[tuple[str, int], ...]
    failed_models: tuple[Text, ...]
    # Stream, hospitals or laboratories that are silent, those expected to report.
    silent_reporters: tuple[tuple[str, int, int], ...] = ()


class Coverage(Part):
    """Proof that the day was watched: what was read, judged and tested, and what chance alone would have flagged."""

    records: int
    sources_heard: int
    sources_expected: int
    models: int
    series: int
    tests: int
    refused: int
    alarms: int
    chance_level: float
    below_chance_level: int
    expected_by_chance: float
    fdr: float | None
    kept: int | None
    expected_false: float | None


class CatalogueGap(Part):
    """One key product that was not sampled at all in one region of the jurisdiction."""

    product: str
    product_name: Text
    place: Place
    weight: float
    # Samples that higher levels took of the product in the region above.
    higher_level: int


class CatalogueCoverage(Part):
    """重点监管产品目录: how much of it was sampled in the jurisdiction. A gap has no rate and is no sign of safety."""

    version: str
    verified: bool
    window_days: int
    level: str
    cells: int
    covered: int
    thin: int
    gaps: int
    population_share: float | None
    top: tuple[CatalogueGap, ...]


class Calibration(Part):
    """昨日校准: what became of past warnings, as far as the store knows."""

    issued: int
    confirmed: int
    refuted: int
    recovered: int
    open: int
    days_to_warning: float | None
    days_to_warning_n: int


class NewWord(Part):
    """新词: a scrubbed term of which the newest records hold more than before; counts under five are null. Never a text."""

    term: str
    product: Text | None
    observed: int | None
    expected: float
    period_start: dt.date
    period_end: dt.date


class IndicatorLine(Part):
    """One quality indicator of which there is something to say: it changed, its target is at risk, or its figures have stopped."""

    why: Literal["worse", "better", "changed", "at-risk", "lost"]
    code: str
    name: Text
    place: Place
    period: str
    preliminary: bool
    unit: Text
    decimals: int
    value: float
    lower: float | None
    upper: float | None
    # Difference to the same period of last year, to the nation and to the wider region that publishes the figure; null: unknown.
    year: float | None
    year_verdict: str
    national: float | None
    national_verdict: str
    wider: float | None
    wider_name: Text | None
    target: str
    op: str
    asked: float | None
    target_year: int | None
    chance: float | None
    missing_since: str


class IndicatorSection(Part):
    """宏观质量指标: at most a few lines; ``more`` counts those left out."""

    lines: tuple[IndicatorLine, ...]
    more: int
    recent_days: int
    indicators: int
    targets_scored: int
    targets_met: int
    targets_at_risk: int
    lost: int


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


Incidents.model_rebuild()
