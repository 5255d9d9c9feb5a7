"""The rules of grading, of handling and of hazards as typed, frozen data.

``config/grading.yaml``, ``config/actions.yaml`` and ``config/hazards.yaml`` are read into these classes with
``model_validate``; unknown keys are errors. Nothing here decides anything: the numbers that someone may want to tune live in
the YAML, in one place, each dated and marked as verified or not.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from riskwatch.assessment.types import Grade

__all__ = [
    "ActionCatalogue",
    "ActionRule",
    "Basis",
    "GradingRules",
    "HazardCatalogue",
    "HazardClass",
    "LegalBasis",
    "Text",
]

Risk = Literal["L", "M", "H", "S"]
Confidence = Literal["C0", "C1", "C2", "C3"]
WarningLevel = Literal["I", "II", "III", "IV"]
LevelName = Literal["I", "II", "III", "IV", "WATCH", "NONE"]
Cell = Literal["I", "II", "III", "IV", "IV-review", "WATCH", "NONE"]
ScopeName = Literal["isolated", "regional", "industry-wide", "systemic"]
ActionObject = Literal["enterprise", "product", "industry", "region", "reporting"]
Stage = Literal["monitor", "verify", "assess", "approve", "handle", "recheck", "close", "evaluate"]
Unit = Literal["natural-day", "working-day", "hour", ""]
Share = Annotated[float, Field(ge=0, le=1)]

RISKS: tuple[Risk, ...] = ("L", "M", "H", "S")
CONFIDENCES: tuple[Confidence, ...] = ("C0", "C1", "C2", "C3")
OBJECTS: tuple[ActionObject, ...] = ("enterprise", "product", "industry", "region", "reporting")


class Rule(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Rule):
    """A text in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Basis(Rule):
    """Where a number comes from, when it was last looked at, and whether its source was read."""

    source: str = Field(min_length=1, description="law, standard, paper or 'design proposal'")
    dated: dt.date
    verified: bool


# --- config/grading.yaml ---------------------------------------------------------------------------------------------


class LevelLabel(Rule):
    """How one warning level is written."""

    label: Text
    colour: Text
    hex: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")


class Matrix(Rule):
    """Severity x probability -> risk, with strict lower bounds on the probability.

    Row ``i`` applies where ``p > bounds[i]`` and no earlier row applies; the last row of ``cells`` takes the rest.
    """

    basis: Basis
    bounds: tuple[float, ...]
    cells: tuple[tuple[Risk, Risk, Risk, Risk], ...]

    @model_validator(mode="after")
    def _rows_fit(self) -> Matrix:
        if len(self.cells) != len(self.bounds) + 1:
            raise ValueError(f"matrix.cells must have one row more than bounds: {len(self.bounds) + 1}, got {len(self.cells)}")
        if list(self.bounds) != sorted(set(self.bounds), reverse=True):
            raise ValueError(f"matrix.bounds must fall strictly, got {list(self.bounds)}")
        if not all(0 < bound < 1 for bound in self.bounds):
            raise ValueError(f"matrix.bounds must lie between 0 and 1, got {list(self.bounds)}")
        ranks = [[RISKS.index(cell) for cell in row] for row in self.cells]
        for upper, lower in itertools.pairwise(ranks):
            if any(a < b for a, b in zip(upper, lower, strict=True)):
                raise ValueError("matrix.cells: a smaller probability must not give a higher risk")
        if any(row != sorted(row) for row in ranks):
            raise ValueError("matrix.cells: a higher severity must not give a lower risk")
        return self


class UpliftRow(Rule):
    """One band of units in use: what each risk becomes."""

    up_to: int | None = Field(description="largest number of units in use in this band; null: no limit")
    to: dict[Risk, Risk]


class Uplift(Rule):
    """Population uplift of the risk by the number of units in use."""

    basis: Basis
    scopes: tuple[ScopeName, ...] = Field(description="scopes for which the uplift is applied")
    rows: tuple[UpliftRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_fit(self) -> Uplift:
        limits = [row.up_to for row in self.rows]
        finite = [limit for limit in limits[:-1] if limit is not None]
        if limits[-1] is not None or len(finite) != len(limits) - 1 or finite != sorted(set(finite)):
            raise ValueError(f"uplift.rows: up_to must rise strictly and end with null, got {limits}")
        for row in self.rows:
            if set(row.to) != set(RISKS):
                raise ValueError(f"uplift.rows: each row needs L, M, H and S, got {sorted(row.to)}")
            if any(RISKS.index(new) < RISKS.index(old) for old, new in row.to.items()):
                raise ValueError("uplift.rows: an uplift must not lower a risk")
        return self


class GradeTable(Rule):
    """Risk x confidence -> grade."""

    basis: Basis
    cells: dict[Risk, dict[Confidence, Cell]]

    @model_validator(mode="after")
    def _complete(self) -> GradeTable:
        for risk in RISKS:
            row = self.cells.get(risk)
            if row is None or set(row) != set(CONFIDENCES):
                raise ValueError(f"table.cells.{risk} needs C0, C1, C2 and C3, got {sorted(row or {})}")
            grades = [int(cell_grade(row[confidence])) for confidence in CONFIDENCES]
            if grades != sorted(grades):
                raise ValueError(f"table.cells.{risk}: more confidence must not lower the grade, got {grades}")
        for low, high in itertools.pairwise(RISKS):
            for confidence in CONFIDENCES:
                if cell_grade(self.cells[low][confidence]) > cell_grade(self.cells[high][confidence]):
                    raise ValueError(f"table.cells: {low} x {confidence} must not be graded above {high} x {confidence}")
        return self


class ConfidenceRules(Rule):
    """What makes C3, C2, C1 and C0."""

    basis: Basis
    q_strong: float = Field(gt=0, lt=1, description="C2 needs a false-discovery rate below this (strict)")
    q_weak: float = Field(gt=0, lt=1, description="C1 needs a false-discovery rate below this (strict); also the threshold of a hit")
    q_review: float = Field(gt=0, le=1, description="alarms at or above this are counted and dropped; between q_weak and this they are C0")
    windows: int = Field(ge=1, description="consecutive judged periods in alarm that C2 needs")
    independent_sources: int = Field(ge=2, description="source types that must agree for C3")
    weak_source_types: tuple[str, ...] = Field(description="source types that never corroborate and cap the grade when alone")
    quality_fail: tuple[str, ...] = Field(description="states of a source or stream that fail the quality check")
    confirming_flags: tuple[str, ...] = Field(description="kinds of flag by which a laboratory or an investigation confirms")

    @model_validator(mode="after")
    def _ordered(self) -> ConfidenceRules:
        if not self.q_strong <= self.q_weak <= self.q_review:
            raise ValueError(f"confidence: q_strong <= q_weak <= q_review, got {self.q_strong}, {self.q_weak}, {self.q_review}")
        return self


class EventThreshold(Rule):
    """A single event of this size is graded by itself."""

    grade: WarningLevel
    deaths: int | None = Field(None, ge=1)
    serious: int | None = Field(None, ge=1, description="seriously injured persons (admitted or severe)")


class Floors(Rule):
    """Grades that need no statistics and that no lowering may cross."""

    basis: Basis
    lookback_days: int = Field(ge=1, description="events older than this before the as-of day are no longer a floor, natural days")
    death: WarningLevel
    death_excluded_causes: tuple[str, ...] = Field((), description="patterns in the cause: a death is then not plausibly from the product")
    recheck_failed: WarningLevel
    events: tuple[EventThreshold, ...]


class Lifts(Rule):
    """Any one of these raises the grade by one, all together by one."""

    basis: Basis
    min_confidence: Confidence = Field(description="no lift below this confidence")
    vulnerable_share: Share = Field(description="share of injured under 15 or over 64 that counts as vulnerable users")
    vulnerable_min_persons: int = Field(ge=1)
    prefectures: int = Field(ge=2, description="prefectures that share the concern")
    producers: int = Field(ge=2, description="producers that fail the same item")
    rising_windows: int = Field(ge=2, description="judged periods over which the excess has risen")
    units_in_use: int = Field(ge=1, description="units in use above this (strict)")
    hidden_hazard: bool
    recalled_abroad: str = Field(description="pattern in notice type or title of a foreign notice")


class Lowers(Rule):
    """Any one of these lowers the grade by one, all together by one; never across a floor."""

    basis: Basis
    only_targeted: bool
    one_firm: bool
    completed_flags: tuple[str, ...] = Field(description="kinds of flag by which a recall or removal is complete")
    artefact_flags: tuple[str, ...] = Field(description="kinds of flag that may explain the excess away")


class Caps(Rule):
    """Highest grades by kind of evidence; a floor stands above a cap."""

    basis: Basis
    label_only: WarningLevel
    weak_sources_only: WarningLevel


class Merging(Rule):
    """How alarms become concerns."""

    basis: Basis
    absorb_share: Share = Field(description="a child that carries at least this share of the parent's excess is the concern")
    anchor_share: Share = Field(description="a region that carries at least this share of the excess is the anchor")


class ScopeRules(Rule):
    """When a concern is isolated, regional, industry-wide or systemic."""

    basis: Basis
    spread_level: str = Field(description="level of the region tree at which spread is counted")
    touched_p: float = Field(gt=0, lt=1, description="a judged region with a one-sided p-value below this, and an excess, is touched")
    one_firm_share: Share = Field(description="one producer with at least this share of the failures: isolated")
    min_producers: int = Field(ge=2)
    largest_producer_share: Share = Field(description="industry-wide and systemic: no producer above this share")
    min_prefectures: int = Field(ge=2, description="systemic: so many regions touched")
    regional_share: Share = Field(description="one region with at least this share of the excess: regional")
    min_cases: int = Field(ge=1, description="below so many persons or failures a concern is isolated")
    min_hospitals: int = Field(ge=2, description="where no place is known: injuries at so many hospitals are industry-wide")


class ProbabilityRules(Rule):
    """How the probability for the matrix is estimated, and what is assumed where it cannot be."""

    basis: Basis
    interval: float = Field(gt=0, lt=1, description="coverage of the interval printed, as 0.95")
    coverage: dict[str, float] = Field(description="source -> share of all such injuries that it captures; 'default' for others")
    sensitivity_factor: float = Field(gt=1, description="p is multiplied and divided by this to see whether the risk changes")
    working: float = Field(gt=0, lt=1, description="p that is used, and said to be an assumption, where none can be estimated")
    lifetime_years: float = Field(gt=0, description="lifetime of a product where the product tree has none")

    @model_validator(mode="after")
    def _coverage(self) -> ProbabilityRules:
        if "default" not in self.coverage:
            raise ValueError("probability.coverage needs an entry 'default'")
        wrong = {key: value for key, value in self.coverage.items() if not 0 < value <= 1}
        if wrong:
            raise ValueError(f"probability.coverage must lie in (0, 1], got {wrong}")
        return self


class SeverityRules(Rule):
    """Injury -> severity 1-4: the higher of what the outcome and what the stated severity say."""

    basis: Basis
    outcomes: dict[str, int]
    stated: dict[str, int]
    released_unstated: int = Field(ge=1, le=4, description="treated and released, severity not stated")
    percentile: float = Field(gt=0, le=1, description="percentile of the cluster that is taken beside its maximum")

    @model_validator(mode="after")
    def _in_range(self) -> SeverityRules:
        wrong = {key: value for key, value in {**self.outcomes, **self.stated}.items() if not 1 <= value <= 4}
        if wrong:
            raise ValueError(f"severity must lie between 1 and 4, got {wrong}")
        return self


class LifecycleRules(Rule):
    """When an open warning worsens, cools and recovers."""

    basis: Basis
    recover_after: int = Field(ge=1, description="judged windows without the concern until it has recovered")
    hold_days: int = Field(ge=1, description="natural days until a warning that rests on a floor alone has recovered")
    worsen_factor: float = Field(gt=1, description="an excess larger than this times the one at the last change is worse")
    worsen_min_excess: float = Field(ge=0, description="and larger by at least so many cases")


class Privacy(Rule):
    """What is suppressed in figures about persons."""

    basis: Basis
    suppress_below: int = Field(ge=2)
    age_bands: tuple[tuple[int, int | None], ...] = Field(min_length=2, description="first and last year of age of each band")


class Review(Rule):
    """How many named persons confirm a proposed grade."""

    basis: Basis
    reviewers: dict[WarningLevel, int]


class GradingRules(Rule):
    """``config/grading.yaml``."""

    version: str = Field(min_length=1)
    levels: dict[LevelName, LevelLabel]
    scopes: dict[ScopeName, Text]
    matrix: Matrix
    uplift: Uplift
    table: GradeTable
    confidence: ConfidenceRules
    floors: Floors
    lifts: Lifts
    lowers: Lowers
    caps: Caps
    merging: Merging
    scope: ScopeRules
    probability: ProbabilityRules
    severity: SeverityRules
    lifecycle: LifecycleRules
    privacy: Privacy
    review: Review

    @model_validator(mode="after")
    def _complete(self) -> GradingRules:
        missing = {grade.name for grade in Grade} - set(self.levels)
        if missing:
            raise ValueError(f"levels needs an entry for {sorted(missing)}")
        if len(self.scopes) != 4:
            raise ValueError(f"scopes needs isolated, regional, industry-wide and systemic, got {sorted(self.scopes)}")
        return self


def cell_grade(cell: str) -> Grade:
    """Return the grade of a table cell; 'IV-review' is IV and asks for a person's judgement."""
    return Grade[cell.removesuffix("-review")]


# --- config/hazards.yaml ---------------------------------------------------------------------------------------------


class HarmGivenDefect(Rule):
    """Assumed probability that a defective unit harms someone during its life."""

    value: float = Field(gt=0, le=1)
    basis: Basis


class HazardClass(Rule):
    """One class of hazard and how it is recognised.

    Patterns are regular expressions, searched without regard to case: ``items`` in the names of failing test items, ``causes``
    in injury causes, ``diagnoses`` in the nature of the injury, ``notices`` in foreign notices.
    """

    label: Text
    severity: int = Field(ge=1, le=4, description="default where no injury says better")
    presumed_lethal: bool = False
    illegal_additive: bool = False
    label_only: bool = False
    hidden: bool = Field(False, description="users cannot see, smell or feel it in time")
    floor: WarningLevel | None = Field(None, description="grade that one failing item of this class warrants by itself")
    harm_given_defect: HarmGivenDefect
    items: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _patterns(self) -> HazardClass:
        for name in ("items", "causes", "diagnoses", "notices"):
            for pattern in getattr(self, name):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{name}: {pattern!r} is not a regular expression: {error}") from None
        if (self.presumed_lethal or self.illegal_additive) and self.floor is None:
            raise ValueError("a presumed-lethal or illegal-additive class needs a floor")
        return self


class HazardCatalogue(Rule):
    """``config/hazards.yaml``: classes in order of precedence, the first match wins."""

    version: str = Field(min_length=1)
    classes: dict[str, HazardClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _unknown(self) -> HazardCatalogue:
        if "unknown" not in self.classes:
            raise ValueError("classes needs an entry 'unknown'")
        return self


# --- config/actions.yaml ---------------------------------------------------------------------------------------------


class LegalBasis(Rule):
    """A provision. ``verified`` is true only where the text of the provision was read."""

    law: Text
    article: str = Field(description="article numbers; empty where they are not known")
    text: Text = Field(description="what the provision says on this, in our words")
    verified: bool


class Deadline(Rule):
    """An amount of time from a start event; ``amount`` null means at once or without a clock."""

    amount: int | None = Field(None, ge=0)
    unit: Unit = ""
    starts: str = ""
    verified: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Deadline:
        if self.amount is not None and not (self.unit and self.starts):
            raise ValueError("deadline: an amount needs a unit and a start event")
        return self


class ActionRule(Rule):
    """One measure for one grade, object and stage."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    grade: WarningLevel
    object: ActionObject
    stage: Stage
    measure: Text
    owner: str = Field(description="key of owners, or 'anchor': the authority at the level of the anchor region")
    deadline: Deadline = Deadline()
    legal: tuple[str, ...] = Field((), description="keys of legal_basis")
    scopes: tuple[ScopeName, ...] = Field((), description="only for these scopes; empty: all")
    source_types: tuple[str, ...] = Field((), description="only with evidence of one of these types; empty: all")
    subjects: tuple[Literal["product", "industry", "region"], ...] = Field((), description="only for these subjects; empty: all")


class ActionCatalogue(Rule):
    """``config/actions.yaml``."""

    version: str = Field(min_length=1)
    stages: dict[Stage, Text]
    starts: dict[str, Text] = Field(description="start events")
    proposed_events: tuple[str, ...] = Field(description="start events that are taken to happen on the as-of day")
    owners: dict[str, Text]
    owner_levels: dict[str, str] = Field(description="level of the region tree -> key of owners; 'default' for others")
    legal_basis: dict[str, LegalBasis]
    actions: tuple[ActionRule, ...]

    @model_validator(mode="after")
    def _references(self) -> ActionCatalogue:
        problems: list[str] = []
        seen: set[str] = set()
        for action in self.actions:
            if action.id in seen:
                problems.append(f"action {action.id!r} is there twice")
            seen.add(action.id)
            problems += [f"action {action.id!r}: legal basis {key!r} is not defined" for key in action.legal if key not in self.legal_basis]
            if action.owner != "anchor" and action.owner not in self.owners:
                problems.append(f"action {action.id!r}: owner {action.owner!r} is not defined")
            if action.deadline.starts and action.deadline.starts not in self.starts:
                problems.append(f"action {action.id!r}: start event {action.deadline.starts!r} is not defined")
            if action.stage not in self.stages:
                problems.append(f"action {action.id!r}: stage {action.stage!r} has no label")
        problems += [
            f"owner_levels.{level}: owner {key!r} is not defined" for level, key in self.owner_levels.items() if key not in self.owners
        ]
        if "default" not in self.owner_levels:
            problems.append("owner_levels needs an entry 'default'")
        problems += [f"proposed_events: {event!r} is not defined in starts" for event in self.proposed_events if event not in self.starts]
        for level in ("I", "II", "III", "IV"):
            have = {action.object for action in self.actions if action.grade == level}
            problems += [f"grade {level} has no action for {kind!r}" for kind in OBJECTS if kind not in have]
        if problems:
            raise ValueError("; ".join(problems))
        return self
