"""How an indicator's figure is made, declared: a ratio, an index, a count, or worked out from records of this system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from riskwatch.rulebase import Rule, Text

__all__ = ["Count", "Derived", "Form", "Index", "Numerator", "Ratio", "Within"]


class Ratio(Rule):
    """Numerator over denominator, times ``scale``."""

    kind: Literal["ratio"]
    numerator: Text
    denominator: Text
    scale: float = Field(100.0, gt=0, description="100 for percent")


class Index(Rule):
    """A composed figure on a scale of its own."""

    kind: Literal["index"]
    scale_low: float | None = Field(None, description="lowest value of the scale, null: none")
    scale_high: float | None = Field(None, description="highest value of the scale, null: none")
    parts: Text = Field(description="what it is composed of")


class Count(Rule):
    """A counted or measured amount."""

    kind: Literal["count"]
    of: Text


class Within(Rule):
    """One day follows another within a term."""

    since: str = Field(description="date field that starts the clock")
    until: str = Field(description="date field that stops it; a record without it counts as not done")
    days: int = Field(ge=0, description="term in natural days; a record whose term is still running is left out")


class Numerator(Rule):
    """What is counted of the records of the denominator: exactly one way."""

    sum: str | None = Field(None, description="number field that is summed")
    less: str | None = Field(None, description="number field that is taken from the denominator")
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="field -> values that count")
    within: Within | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Numerator:
        given = [name for name in ("sum", "less", "where", "within") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"numerator needs exactly one of sum, less, where, within, got {', '.join(given) or 'none'}")
        return self


class Derived(Rule):
    """A share worked out from the records of one stream; it is never a figure of an official survey."""

    kind: Literal["derived"]
    stream: str
    dated_by: str = Field("event_date", description="date field that decides the period")
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="field -> values; other records are left out")
    present: tuple[str, ...] = Field((), description="fields that a record must have")
    absent: tuple[str, ...] = Field((), description="fields that a record must not have")
    denominator: str | None = Field(None, description="number field that is summed; null: records are counted")
    numerator: Numerator
    scale: float = Field(100.0, gt=0, description="100 for percent")

    @model_validator(mode="after")
    def _fits(self) -> Derived:
        if self.numerator.less is not None and self.denominator is None:
            raise ValueError("numerator.less is taken from a summed field: denominator must name one")
        return self


Form = Annotated[Ratio | Index | Count | Derived, Field(discriminator="kind")]
