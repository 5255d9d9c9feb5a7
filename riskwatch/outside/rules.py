"""``config/outside.yaml``: how notices are matched to the product tree, what shows that a good is here, what a notice weighs."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from riskwatch.rulebase import Basis, Rule

__all__ = ["Fit", "LocalRules", "MatchEntry", "MatchRules", "OutsideRules", "Presence", "WeightRules"]

Presence = Literal["here", "unknown", "not-met"]
Fit = Literal["same", "akin", "unknown"]
Breadth = Literal["same", "wider"]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


class WeightRules(Rule):
    """What a notice weighs: a likelihood ratio for its system, less with age and with a poorer fit."""

    basis: Basis
    systems: dict[str, float] = Field(description="notice system -> likelihood ratio of a fresh notice about the same product and hazard")
    other: float = Field(ge=1, le=10, description="likelihood ratio of systems not named, and of recalls in other places")
    cap: float = Field(ge=1, le=10, description="largest likelihood ratio of all systems together")
    enough: int = Field(ge=1, description="fresh notices that fit fully, from which on a system has its whole weight")
    half_life_days: float = Field(gt=0, description="age in natural days at which a notice counts half, in logarithms")
    forget_days: int = Field(ge=1, description="notices older than this do not count, natural days")
    hazard: dict[Fit, float] = Field(description="share of the weight by the tie of the hazards")
    product: dict[Breadth, float] = Field(description="share of the weight for the same product, and for its category")
    presence: dict[Presence, float] = Field(description="share of the weight by whether the good is known to be here")

    @model_validator(mode="after")
    def _within(self) -> WeightRules:
        low = {name: value for name, value in self.systems.items() if not 1 <= value <= 10}
        if low:
            raise ValueError(f"weights.systems must lie between 1 and 10 (a notice never speaks against a concern), got {low}")
        for name, wanted in (
            ("hazard", {"same", "akin", "unknown"}),
            ("product", {"same", "wider"}),
            ("presence", {"here", "unknown", "not-met"}),
        ):
            shares: dict[str, float] = dict(getattr(self, name))
            if set(shares) != wanted or not all(0 <= share <= 1 for share in shares.values()):
                raise ValueError(f"weights.{name} needs {', '.join(sorted(wanted))}, each between 0 and 1, got {shares}")
        return self


class LocalRules(Rule):
    """What shows that a good is made or sold here."""

    basis: Basis
    years: int = Field(ge=1, description="years of records that are looked through")
    least: int = Field(ge=1, description="samples or lots from which on a good is here")
    looked_at: int = Field(ge=1, description="samples of any goods in the region below which 'not met' means nothing")


class MatchEntry(Rule):
    """One reading of a notice."""

    systems: tuple[str, ...] = Field(min_length=1, description="notice systems to which it applies")
    categories: tuple[str, ...] = Field((), description="the notice's own product code must be one of these; empty: any")
    words: str = Field("", description="regular expression in the text; empty: any text")
    codes: tuple[str, ...] = Field(description="codes of the product tree, of any tree; empty: of no good in it")

    _words = field_validator("words")(_pattern)


class MatchRules(Rule):
    """Notices -> codes of the product tree."""

    basis: Basis
    branches: tuple[str, ...] = Field(
        (), description="branches of the product tree that hold nothing but notices: codes below are no goods here"
    )
    read: dict[str, tuple[str, ...]] = Field(description="system -> fields that are read in turn; title where not named")
    stop: str = Field(description="regular expression: what follows it in a text is about the hazard, not the product")
    entries: tuple[MatchEntry, ...] = Field(description="in order of precedence: the first that fits counts")

    _stop = field_validator("stop")(_pattern)


class OutsideRules(Rule):
    """``config/outside.yaml``."""

    version: str = Field(min_length=1)
    weights: WeightRules
    local: LocalRules
    matching: MatchRules
