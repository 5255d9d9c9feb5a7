"""Definitions of quality indicators and their targets as typed, frozen data: ``config/indicators.yaml``.

Nothing here decides anything. Figures from documents carry their source, a date and whether the source was read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from riskwatch.indicators.forms import Derived, Form
from riskwatch.records.streams import INDICATOR, STREAMS
from riskwatch.records.streams import Field as StreamField
from riskwatch.rulebase import Basis, Rule, Text

__all__ = [
    "DOMAINS",
    "PERIOD_TYPES",
    "Band",
    "BandScheme",
    "Indicator",
    "IndicatorCatalogue",
    "Methods",
    "Reference",
    "ScorecardRules",
    "Target",
]

Domain = Literal["macro", "product", "engineering", "service", "environment"]
PeriodType = Literal["year", "half", "quarter", "month"]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
TargetId = Annotated[str, Field(pattern=r"^[A-Z]{1,3}[0-9]{1,3}$")]

DOMAINS: tuple[Domain, ...] = ("macro", "product", "engineering", "service", "environment")
PERIOD_TYPES = INDICATOR.field_named("period_type").choices


class Reference(Rule):
    """A published figure that is held for comparison where the records have none."""

    region: str = Field(description="region code; CN for the nation")
    year: int = Field(ge=1990, le=2100)
    value: float
    source: str = Field(min_length=1)
    verified: bool


class Band(Rule):
    """One band of a scale: from ``low`` (inclusive) up to the next band's ``low``."""

    low: float
    label: Text


class BandScheme(Rule):
    """Names for ranges of a scale, in rising order; the last one is open upwards."""

    basis: Basis
    bands: tuple[Band, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _rising(self) -> BandScheme:
        lows = [band.low for band in self.bands]
        if lows != sorted(set(lows)):
            raise ValueError(f"bands: low must rise strictly, got {lows}")
        return self


class Indicator(Rule):
    """One quality indicator: what it means, how it is made and how sure one can be of it."""

    label: Text
    domain: Domain
    unit: Text
    decimals: int = Field(1, ge=0, le=6, description="digits after the point that are shown")
    formula: Text = Field(description="in words")
    form: Form = Field(description="how the figure is made: ratio, index, count or derived from records of this system")
    direction: Literal["higher", "lower", "none"] = Field(description="which way is better; none: no judgement")
    bounds: tuple[float | None, float | None] = Field(description="lowest and highest value that can be, null: no bound")
    periods: tuple[PeriodType, ...] = Field(min_length=1, description="lengths of period for which it is published")
    uncertainty: Literal["binomial", "standard-error", "none"] = Field(
        description="binomial: from numerator and n; standard-error: as stated by the source; none: not known, and said so"
    )
    design_effect: float = Field(1.0, ge=1, description="n counts for n / design_effect independent samples; 1: simple random sampling")
    national: bool = Field(description="whether a national figure to compare with is published")
    bands: tuple[str, ...] = Field((), description="keys of bands")
    reference: tuple[Reference, ...] = ()
    basis: Basis
    note: Text | None = None

    @model_validator(mode="after")
    def _fits(self) -> Indicator:
        low, high = self.bounds
        if low is not None and high is not None and low >= high:
            raise ValueError(f"bounds must be [low, high] with low < high, got [{low:g}, {high:g}]")
        if self.uncertainty == "binomial" and self.form.kind not in {"ratio", "derived"}:
            raise ValueError(f"uncertainty binomial needs a ratio of counts, the form is {self.form.kind}")
        outside = [item.value for item in self.reference if not _inside(item.value, self.bounds)]
        if outside:
            raise ValueError(f"reference must lie within bounds, got {outside}")
        return self

    @property
    def scale(self) -> float:
        """What a ratio of counts is multiplied by (100 for percent); 1 for other forms."""
        return self.form.scale if self.form.kind in {"ratio", "derived"} else 1.0


class Target(Rule):
    """One target of a planning document."""

    domain: Domain
    indicator: str = Field(description="key of indicators")
    label: Text
    kind: Literal["q", "x", "n"] = Field(description="q: quality, scored; x: economic scale, context only; n: no number in the text")
    op: Literal[">=", "=", "<="] | None = Field(None, description="what the value must be to the figure; null where the text has no figure")
    value: float | None = Field(None, description="in the unit of the indicator; null where the text has no figure")
    year: int = Field(ge=2000, le=2100, description="the target is due at the end of this year")
    since: int = Field(ge=2000, le=2100, description="year of the document")
    source: str = Field(min_length=1, description="section of the document and the phrase, in Chinese")
    verified: bool = Field(description="whether the document was read")
    note: Text | None = Field(None, description="ambiguities")

    @model_validator(mode="after")
    def _fits(self) -> Target:
        if self.kind == "n" and self.value is not None:
            raise ValueError(f"kind n means that the text has no number, got value {self.value:g}")
        if self.kind != "n" and (self.value is None or self.op is None):
            raise ValueError(f"kind {self.kind} needs op and value")
        if self.since > self.year:
            raise ValueError(f"year must not lie before since, got {self.year} and {self.since}")
        return self


class Methods(Rule):
    """How intervals, changes and chances are worked out."""

    basis: Basis
    level: float = Field(gt=0, lt=1, description="coverage of intervals, as 0.95")
    binomial: Literal["wilson", "clopper-pearson"] = Field(description="interval of a share of counts")
    trend_periods: int = Field(ge=3, description="years of history that a trend is drawn from, at most")
    trend_min_points: int = Field(ge=3, description="fewer yearly values than this: no trend and no chance is given")
    lost_after: dict[PeriodType, int] = Field(description="days after the end of the period due next until a series counts as lost")
    at_risk_below: float = Field(gt=0, lt=1, description="a chance of attainment below this is at risk")
    outlook_years: int = Field(ge=1, le=10, description="for a target whose year has passed: the chance of standing there so many years on")
    recent_days: int = Field(ge=1, description="a figure first known, or revised, within so many days is news")
    digest_lines: int = Field(ge=1, le=8, description="lines of the daily digest's section")

    @model_validator(mode="after")
    def _complete(self) -> Methods:
        missing = sorted(set(PERIOD_TYPES) - set(self.lost_after))
        if missing:
            raise ValueError(f"lost_after needs an entry for {', '.join(missing)}")
        return self


class ScorecardRules(Rule):
    """When regions can be compared."""

    basis: Basis
    min_coverage: float = Field(ge=0, le=1, description="share of cells sampled below which a low failure rate says nothing")
    min_inspected: int = Field(ge=1, description="fewer samples than this: too little sampled, whatever the rate")
    warning_z: float = Field(gt=0, description="beyond this many standard deviations a region is outside the warning limits")
    alarm_z: float = Field(gt=0, description="beyond this it is outside the action limits")
    winsorise: float = Field(
        ge=0, lt=0.5, description="share of regions at each end whose z is pulled in before over-dispersion is estimated"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ScorecardRules:
        if self.warning_z >= self.alarm_z:
            raise ValueError(f"warning_z must lie below alarm_z, got {self.warning_z:g} and {self.alarm_z:g}")
        return self


class IndicatorCatalogue(Rule):
    """``config/indicators.yaml``."""

    version: str = Field(min_length=1)
    domains: dict[Domain, Text]
    methods: Methods
    scorecard: ScorecardRules
    bands: dict[str, BandScheme]
    indicators: dict[Code, Indicator] = Field(min_length=1)
    targets: dict[TargetId, Target] = Field(description="targets of the document, by their number")
    own_targets: dict[TargetId, Target] = Field(default_factory=dict, description="targets that a centre or a demonstration sets itself")

    @model_validator(mode="after")
    def _references(self) -> IndicatorCatalogue:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        missing = sorted(set(DOMAINS) - set(self.domains))
        if missing:
            problems.append((("domains",), f"needs an entry for {', '.join(missing)}"))
        for code, indicator in self.indicators.items():
            path = ("indicators", code)
            problems += [((*path, "bands"), f"names {key!r}, which is not defined") for key in indicator.bands if key not in self.bands]
            if isinstance(indicator.form, Derived):
                problems += [((*path, "form", *inner), message) for inner, message in _derived_problems(indicator.form)]
        for group in ("targets", "own_targets"):
            for name, target in getattr(self, group).items():
                problems += [((group, name, *inner), message) for inner, message in self._target_problems(group, name, target)]
        if problems:
            raise _located(type(self).__name__, problems)
        return self

    def _target_problems(self, group: str, name: str, target: Target) -> list[tuple[tuple[str, ...], str]]:
        found: list[tuple[tuple[str, ...], str]] = []
        indicator = self.indicators.get(target.indicator)
        if group == "own_targets" and name in self.targets:
            found.append(((), f"{name} is the number of a target of the document"))
        if indicator is None:
            return [*found, (("indicator",), _unknown(target.indicator, self.indicators))]
        if indicator.domain not in {target.domain, "macro"}:
            found.append((("domain",), f"{target.domain} is not the domain of {target.indicator}, which is {indicator.domain}"))
        against = {"higher": "<=", "lower": ">="}.get(indicator.direction)
        if target.op is not None and target.op == against:
            found.append((("op",), f"{target.op} goes against {target.indicator}, for which {indicator.direction} is better"))
        if target.value is not None and not _inside(target.value, indicator.bounds):
            found.append((("value",), f"{target.value:g} lies outside the bounds of {target.indicator}"))
        return found

    @property
    def all_targets(self) -> dict[str, Target]:
        """Targets of the document, then own ones."""
        return {**self.targets, **self.own_targets}

    def place_of(self, target: str) -> str:
        """Return the dotted path of a target in the definitions."""
        return f"indicators.{'targets' if target in self.targets else 'own_targets'}.{target}"


def _inside(value: float, bounds: tuple[float | None, float | None]) -> bool:
    low, high = bounds
    return (low is None or value >= low) and (high is None or value <= high)


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"names the unknown indicator {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _derived_problems(form: Derived) -> list[tuple[tuple[str, ...], str]]:
    """Compare a derived form with the fields of its stream."""
    stream = STREAMS.get(form.stream)
    if stream is None:
        return [(("stream",), f"unknown stream {form.stream!r}")]
    fields = {field.name: field for field in stream.all_fields}
    found: list[tuple[tuple[str, ...], str]] = []

    def need(path: tuple[str, ...], name: str, kinds: tuple[str, ...]) -> StreamField | None:
        field = fields.get(name)
        if field is None:
            found.append((path, f"stream {form.stream} has no field {name!r}"))
        elif kinds and field.kind not in kinds:
            found.append((path, f"field {name} of stream {form.stream} is {field.kind}, not {' or '.join(kinds)}"))
            return None
        return field

    need(("dated_by",), form.dated_by, ("date",))
    for name in (*form.present, *form.absent):
        need(("present" if name in form.present else "absent",), name, ())
    for path, where in ((("where",), form.where), (("numerator", "where"), form.numerator.where)):
        for name, allowed in where.items():
            field = need((*path, name), name, ("text", "code"))
            wrong = [value for value in allowed if field is not None and field.choices and value not in field.choices]
            if wrong:
                found.append(((*path, name), f"{name} cannot be {', '.join(wrong)}"))
    for key, summed in (("sum", form.numerator.sum), ("less", form.numerator.less), ("denominator", form.denominator)):
        if summed is not None:
            need(("denominator",) if key == "denominator" else ("numerator", key), summed, ("int", "float"))
    if form.numerator.within is not None:
        need(("numerator", "within", "since"), form.numerator.within.since, ("date",))
        need(("numerator", "within", "until"), form.numerator.within.until, ("date",))
    return found


def _located(title: str, problems: list[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """Return an error whose findings stand at their own places, so that a check names the line of each."""
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError("value_error", "{text}", {"text": message}), "loc": path, "input": _NOTHING}
        for path, message in problems
    ]
    return ValidationError.from_exception_data(title, details)


_NOTHING: Any = None
