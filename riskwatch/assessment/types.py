"""What an assessment is made of: grade, scope, evidence, action and the steps that led there."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

__all__ = ["Action", "Assessment", "Evidence", "Grade", "Scope", "Step", "Subject"]

# A name of its own: within Action, `object` is a field.
Provision = dict[str, object]


class Grade(enum.IntEnum):
    """Proposed warning level (建议等级), ordered: a higher value is more urgent.

    Labels and colours come from ``config/grading.yaml``; WATCH and NONE are not warnings.
    """

    NONE = 0
    WATCH = 1
    IV = 2
    III = 3
    II = 4
    I = 5  # noqa: E741 - the field's own name for the red level


class Scope(enum.StrEnum):
    """How far the concern reaches: 个案, 区域性, 行业性, 系统性."""

    ISOLATED = "isolated"
    REGIONAL = "regional"
    INDUSTRY_WIDE = "industry-wide"
    SYSTEMIC = "systemic"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a concern is about: a product, an industry or a region as such, anchored at a place.

    ``region`` is the smallest region that contains every alarmed series of the concern ("" for no place).
    """

    kind: str  # "product" | "industry" | "region"
    code: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One alarmed series and period, with the figures a reader needs to judge it."""

    model: str
    stream: str
    source_type: str  # "inspection", "injury", "external": independent types corroborate
    product: str
    industry: str
    region: str
    stratum: str  # e.g. "selection=random"; "" where the model has none
    period_start: dt.date
    period_end: dt.date
    frequency: str
    observed: float
    exposure: float | None
    expected: float
    lower: float
    upper: float
    p_value: float
    q_value: float
    windows: int  # consecutive judged periods in alarm, newest last
    detector: str = ""
    detector_hash: str = ""

    @property
    def excess(self) -> float:
        """Observed minus expected."""
        return self.observed - self.expected

    @property
    def relative_risk(self) -> float:
        """Observed over expected; infinity where nothing was expected."""
        return self.observed / self.expected if self.expected > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was looked at: what it read, whether it hit, what it did to the grade."""

    rule: str
    inputs: dict[str, object]
    outcome: str
    grade_after: Grade | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A suggested handling measure with its owner, deadline and legal basis (zh and en)."""

    object: str  # enterprise | product | industry | region | reporting
    stage: str
    measure: dict[str, str]
    owner: dict[str, str]
    deadline: int | None
    unit: str  # "natural-day" | "working-day" | "hour" | ""
    starts: str  # start event, e.g. "warning-confirmed"
    due_on: dt.date | None
    legal_basis: tuple[Provision, ...] = ()  # {key, law: {zh,en}, article, text: {zh,en}, verified: bool}
    due_basis: str = ""  # how due_on was counted: "hours" | "natural-days" | "working-days" | "natural-days-no-calendar"
    rule: str = ""  # id in config/actions.yaml; "" in assessments stored before rules had one


@dataclass(frozen=True, slots=True)
class Assessment:
    """The judgement of one concern on one as-of day. Every number that led to the grade is kept."""

    subject: Subject
    as_of: dt.date
    hazard: str  # hazard class code of config/hazards.yaml; "" if unknown
    evidence: tuple[Evidence, ...]
    severity: int  # 1..4
    probability: float | None
    probability_range: tuple[float, float] | None
    risk: str  # R: "S" | "H" | "M" | "L"
    risk_range: tuple[str, str] | None  # set where a tenfold change of p changes R
    confidence: str  # "C0".."C3"
    scope: Scope
    scope_figures: dict[str, object]
    grade: Grade
    steps: tuple[Step, ...]
    actions: tuple[Action, ...]
    facts: dict[str, object] = field(default_factory=dict)  # JSON-able figures for the reader, no personal data
    what_would_change: tuple[dict[str, str], ...] = ()  # sentences {zh, en}
