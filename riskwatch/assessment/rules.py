"""The rules of grading, of handling and of hazards as typed, frozen data.

``config/grading.yaml``, ``config/actions.yaml`` and ``config/hazards.yaml`` are read into these classes with
``model_validate``; unknown keys are errors. Nothing here decides anything: the numbers that someone may want to tune live in
the YAML, in one place, each dated and marked as verified or not.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from riskwatch.assessment.catalogues import HazardCatalogue, HazardClass
from riskwatch.assessment.certainty_rules import AbsenceRules, ArtefactRules, AttentionRules, UncertaintyRules
from riskwatch.assessment.evidence_rules import Discovery, Linking
from riskwatch.assessment.measures import ActionCatalogue, ActionRule, LegalBasis
from riskwatch.assessment.rulebase import (
    CONFIDENCES,
    OBJECTS,
    RISKS,
    Basis,
    Cell,
    Confidence,
    LevelName,
    Risk,
    Rule,
    ScopeName,
    Share,
    Text,
    WarningLevel,
)
from riskwatch.assessment.supplier_rules import SupplierRules
from riskwatch.assessment.types import Grade

__all__ = [
    "CONFIDENCES",
    "OBJECTS",
    "RISKS",
    "ActionCatalogue",
    "ActionRule",
    "Basis",
    "Confidence",
    "GradingRules",
    "HazardCatalogue",
    "HazardClass",
    "LegalBasis",
    "Risk",
    "Text",
    "cell_grade",
]

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
    q_decisive: float = Field(ge=0, lt=1, description="a single window below this counts as several (strict); 0: never")
    q_weak: float = Field(gt=0, lt=1, description="C1 needs a false-discovery rate below this (strict); also the threshold of a hit")
    q_review: float = Field(gt=0, le=1, description="alarms at or above this are counted and dropped; between q_weak and this they are C0")
    windows: int = Field(ge=1, description="consecutive judged periods in alarm that C2 needs")
    independent_sources: int = Field(ge=2, description="different witnesses whose source types must agree for C3")
    witnesses: dict[str, str] = Field(
        {}, description="source type -> who or what is behind it; types with one witness count once for C3; a type not named is its own"
    )
    weak_source_types: tuple[str, ...] = Field(description="source types that never corroborate and cap the grade when alone")
    quality_fail: tuple[str, ...] = Field(description="states of a source or stream that fail the quality check")
    confirming_flags: tuple[str, ...] = Field(description="kinds of flag by which a laboratory or an investigation confirms")

    @model_validator(mode="after")
    def _ordered(self) -> ConfidenceRules:
        if not self.q_decisive <= self.q_strong <= self.q_weak <= self.q_review:
            found = f"{self.q_decisive}, {self.q_strong}, {self.q_weak}, {self.q_review}"
            raise ValueError(f"confidence: q_decisive <= q_strong <= q_weak <= q_review, got {found}")
        return self


class EventThreshold(Rule):
    """A single event of this size is graded by itself."""

    grade: WarningLevel
    deaths: int | None = Field(None, ge=1)
    serious: int | None = Field(None, ge=1, description="seriously injured persons (admitted or severe)")
    loss: float | None = Field(None, gt=0, description="direct loss in yuan; only accident reports tell it")


FloorRule = Literal["death", "hazard-item", "recheck-failed", "event"]


class GroupedFloors(Rule):
    """Recorded events that are cases of single firms: those that no alarm speaks for are one concern per part of goods and places."""

    rules: tuple[FloorRule, ...] = Field((), description="which events; none: each product with one is a concern of its own")
    product_level: str = Field("category", description="level of the product tree on which they are put together")
    region_level: str = Field("province", description='level of the region tree on which they are put together; "": wherever they are')


class Floors(Rule):
    """Grades that need no statistics and that no lowering may cross."""

    basis: Basis
    lookback_days: int = Field(ge=1, description="events older than this before the as-of day are no longer a floor, natural days")
    death: WarningLevel
    death_excluded_causes: tuple[str, ...] = Field((), description="patterns in the cause: a death is then not plausibly from the product")
    recheck_failed: WarningLevel
    events: tuple[EventThreshold, ...]
    grouped: GroupedFloors = Field(GroupedFloors(), description="events that are told as cases of one warning")


class Lifts(Rule):
    """Any one of these raises the grade by one, all together by one."""

    basis: Basis
    ceiling: WarningLevel = Field(description="a lift goes beyond this level only with C3, or with a floor at or above it")
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
    targeted_share: float = Field(gt=0, le=1, description="'only targeted' from this share of the failures on; 1: all of them")
    one_firm: bool
    completed_flags: tuple[str, ...] = Field(description="kinds of flag by which a recall or removal is complete")
    completed_scopes: tuple[ScopeName, ...] = Field(description="scopes in which they count: a recall is one firm's")
    artefact_flags: tuple[str, ...] = Field(description="kinds of flag that may explain the excess away")


class Caps(Rule):
    """Highest grades by kind of evidence; a floor stands above a cap."""

    basis: Basis
    label_only: WarningLevel
    weak_sources_only: WarningLevel
    outside_only: WarningLevel = Field("I", description="notices from elsewhere alone, before anything local shows; I: no cap")


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
    systemic_share: Share = Field(description="an excess in up to this share of the regions is compared with one in all of them")
    wide_probability: Share = Field(
        0.5, description="industry-wide and systemic: probability that the excess lies in all regions, at least"
    )
    told_from: float = Field(
        3.0,
        ge=0,
        description="log likelihood ratio of the likeliest placing of the excess against none, at least: below it no place is told",
    )
    systemic_witnesses: tuple[str, ...] = Field(
        ("persons", "investigation"),
        description="systemic: one of these witnesses speaks by a hit; failing samples alone are industry-wide",
    )
    injured_complainants: int = Field(
        3, ge=0, description="complaints tell of people hurt where at least so many of them state an injury; 0: they always do"
    )
    suppliers: SupplierRules = Field(default_factory=SupplierRules)
    permutations: int = Field(ge=99, description="random arrangements behind the p-values of Moran's I and of the join count")
    seed: int = Field(ge=0, description="of these arrangements")
    regional_share: Share = Field(description="one region with at least this share of the excess: regional")
    min_cases: int = Field(ge=1, description="below so many persons or failures a concern is isolated")
    min_hospitals: int = Field(ge=2, description="where no place is known: injuries at so many hospitals are industry-wide")


class ProbabilityRules(Rule):
    """How the probability for the matrix is estimated, and what is assumed where it cannot be."""

    basis: Basis
    interval: float = Field(gt=0, lt=1, description="coverage of the interval printed, as 0.95")
    coverage: dict[str, float] = Field(description="source -> share of all such injuries that it captures; 'default' for others")
    sensitivity_factor: float = Field(gt=1, description="p is multiplied and divided by this to see whether the risk changes")
    working: float = Field(
        gt=0, lt=1, description="p of an injury that is used, and said to be an assumption, where units in use are unknown"
    )
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
    lower_after: int = Field(
        ge=1, description="judged windows in a row at a lower level until the level of a warning falls; it rises at once"
    )
    lower_probability: float = Field(
        ge=0.5, le=1, description="or at once where the lower levels together are at least this probable; 1: never at once"
    )


class Privacy(Rule):
    """What is suppressed in figures about persons."""

    basis: Basis
    suppress_below: int = Field(ge=2)
    age_bands: tuple[tuple[int, int | None], ...] = Field(min_length=2, description="first and last year of age of each band")


class Review(Rule):
    """How many named persons confirm a proposed grade."""

    basis: Basis
    reviewers: dict[WarningLevel, int]


class DomainOverride(Rule):
    """What differs for the goods of one domain from a day on: parts of the other blocks, laid over them.

    Only the keys that are named change; the blocks that result are checked as a whole, so an unknown key is an error.
    """

    since: dt.date = Field(alias="from", description="first day on which it is in force")
    until: dt.date | None = Field(None, description="last day; empty: until the next entry of the domain")
    basis: Basis
    levels: dict[LevelName, dict[str, Any]] = Field({}, description="keys that differ")
    table: dict[str, Any] = Field({}, description="keys that differ")
    confidence: dict[str, Any] = Field({}, description="keys that differ")
    floors: dict[str, Any] = Field({}, description="keys that differ")
    lifts: dict[str, Any] = Field({}, description="keys that differ")
    lowers: dict[str, Any] = Field({}, description="keys that differ")
    caps: dict[str, Any] = Field({}, description="keys that differ")
    scope: dict[str, Any] = Field({}, description="keys that differ")
    probability: dict[str, Any] = Field({}, description="keys that differ")
    severity: dict[str, Any] = Field({}, description="keys that differ")
    uncertainty: dict[str, Any] = Field({}, description="keys that differ")
    review: dict[str, Any] = Field({}, description="keys that differ")

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return block -> what changes in it."""
        blocks = {name: getattr(self, name) for name in type(self).model_fields if name not in {"since", "until", "basis"}}
        return {name: block for name, block in blocks.items() if block}


class PresumedSerious(Rule):
    """Goods and hazards taken to be a serious risk without an assessment of the probability."""

    basis: Basis
    label: Text
    since: dt.date = Field(alias="from", description="first day on which it applies")
    hazards: tuple[str, ...] = Field((), description="classes of hazards.yaml")
    products: tuple[str, ...] = Field((), description="product codes, with all below them; empty: all goods")
    source_types: tuple[str, ...] = Field((), description="only where evidence of one of these types speaks for it; empty: any")

    @model_validator(mode="after")
    def _names_something(self) -> PresumedSerious:
        if not self.hazards:
            raise ValueError("presumed_serious: an entry needs hazards")
        return self


class GradingRules(Rule):
    """``config/grading.yaml``."""

    version: str = Field(min_length=1)
    levels: dict[LevelName, LevelLabel]
    scopes: dict[ScopeName, Text]
    matrix: Matrix
    uplift: Uplift
    presumed_serious: dict[str, PresumedSerious] = Field({}, description="risk S without an estimate; name -> entry")
    table: GradeTable
    confidence: ConfidenceRules
    floors: Floors
    lifts: Lifts
    lowers: Lowers
    caps: Caps
    discovery: Discovery
    linking: Linking
    merging: Merging
    scope: ScopeRules
    probability: ProbabilityRules
    severity: SeverityRules
    uncertainty: UncertaintyRules
    attention: AttentionRules
    absence: AbsenceRules
    artefacts: ArtefactRules
    lifecycle: LifecycleRules
    privacy: Privacy
    review: Review
    domains: dict[str, tuple[DomainOverride, ...]] = Field(
        {}, description="domain of actions.yaml ('general' for goods in none) -> dated changes of the blocks above"
    )
    _merged: dict[tuple[str, dt.date], GradingRules] = PrivateAttr(default_factory=dict)
    _in_force: tuple[str, dt.date | None] = PrivateAttr(default=("", None))

    @model_validator(mode="after")
    def _complete(self) -> GradingRules:
        missing = {grade.name for grade in Grade} - set(self.levels)
        if missing:
            raise ValueError(f"levels needs an entry for {sorted(missing)}")
        if len(self.scopes) != 4:
            raise ValueError(f"scopes needs isolated, regional, industry-wide and systemic, got {sorted(self.scopes)}")
        for domain, dated in self.domains.items():
            days = [one.since for one in dated]
            if days != sorted(set(days)):
                raise ValueError(
                    f"domains.{domain}: entries must be in the order of 'from', each day once, got {[str(day) for day in days]}"
                )
            for one in dated:
                if one.until is not None and one.until < one.since:
                    raise ValueError(f"domains.{domain}: 'until' {one.until} lies before 'from' {one.since}")
                self._merged[domain, one.since] = self._with(domain, one)
        return self

    @property
    def in_force(self) -> tuple[str, dt.date | None]:
        """The domain whose changes are in these rules, and since when; ("", None) for the rules of all goods."""
        return self._in_force

    def for_domain(self, domain: str | None, day: dt.date) -> GradingRules:
        """Return the rules for goods of a domain on a day: these, or these with the newest entry in force laid over them."""
        started = [one for one in self.domains.get(domain or "", ()) if one.since <= day]
        if not started or (started[-1].until is not None and day > started[-1].until):
            return self
        return self._merged[domain or "", started[-1].since]

    def _with(self, domain: str, override: DomainOverride) -> GradingRules:
        base = self.model_dump(by_alias=True, exclude={"domains"})
        for name, block in override.changes().items():
            base[name] = _laid_over(base[name], block)
        try:
            merged = GradingRules.model_validate(base)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"domains.{domain} from {override.since}: {where}: {first['msg']}") from None
        merged._in_force = (domain, override.since)  # noqa: SLF001 - its own class
        return merged


def _laid_over(base: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``block`` replaced; mappings within mappings likewise."""
    merged = dict(base)
    for key, value in block.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def cell_grade(cell: str) -> Grade:
    """Return the grade of a table cell; 'IV-review' is IV and asks for a person's judgement."""
    return Grade[cell.removesuffix("-review")]
