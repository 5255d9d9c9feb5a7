"""The blocks of ``config/grading.yaml`` beside the grade itself: uncertainty, attention, silent reporters, artefacts."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import Basis, Rule, Share, Text

__all__ = ["AbsenceRules", "ArtefactRules", "AttentionRules", "AttentionSign", "NearestRules", "Occasion", "UncertaintyRules"]

VULNERABLE = ("children", "elderly", "patients")


class NearestRules(Rule):
    """How far the nearest input that moves the grade is looked for, and what counts as one step on the scale of distances."""

    decades: float = Field(gt=0, le=6, description="q, probability and units in use are divided and multiplied by up to ten to this power")
    windows: int = Field(ge=1, description="windows in alarm more or fewer")
    producers: int = Field(ge=1, description="more or fewer producers")
    prefectures: int = Field(ge=1, description="more or fewer prefectures touched")
    share_step: Share = Field(gt=0, description="so large a share of targeted samples is as far as one decade, one window, one producer")


class UncertaintyRules(Rule):
    """How sure the inputs of a grade are taken to be: from this its probability follows."""

    basis: Basis
    q_decades: float = Field(ge=0, description="standard deviation of log10 q: the model behind a q-value is not exact")
    units_factor: float = Field(ge=1, description="the centre's figure of units in use holds within this factor in 95 of 100 cases")
    unknown_low: float = Field(
        gt=1, description="an interval of a probability that reaches down to 0 is taken to reach to its upper end over this"
    )
    nearest: NearestRules


class Occasion(Rule):
    """A stretch of the year in which some goods deserve attention. Fixed days, or days around the Spring Festival."""

    label: Text
    first: str = Field("", description="first day, MM-DD; empty for days around the Spring Festival")
    last: str = Field("", description="last day, MM-DD; before ``first``: in the next year")
    festival_days: tuple[int, int] | None = Field(None, description="first and last day relative to the Spring Festival (0), natural days")
    lead_days: int = Field(0, ge=0, description="so many days before the first day it already counts, as upcoming")
    products: tuple[str, ...] = Field((), description="product codes, with all below them")
    vulnerable: tuple[Literal["children", "elderly", "patients"], ...] = Field((), description="and all products with these users")
    points: int = Field(1, ge=0, description="attention points")
    lift: bool = Field(False, description="whether it lifts the grade as any other lift does")
    basis: Basis

    @model_validator(mode="after")
    def _when(self) -> Occasion:
        fixed = bool(self.first or self.last)
        if fixed == (self.festival_days is not None):
            raise ValueError("occasion: either first and last, or festival_days")
        for value in (self.first, self.last) if fixed else ():
            if not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", value) or value == "02-29":
                raise ValueError(f"occasion: a day is written MM-DD and comes every year, got {value!r}")
        if self.festival_days is not None and self.festival_days[0] > self.festival_days[1]:
            raise ValueError(f"occasion: festival_days must rise, got {list(self.festival_days)}")
        if not self.products and not self.vulnerable:
            raise ValueError("occasion: names no products and no users")
        return self


class AttentionSign(Rule):
    """What one sign is worth."""

    points: int = Field(ge=0)
    lift: bool = False


class AttentionRules(Rule):
    """What raises attention: the order within a level and, where so configured, the level; each with a reason that is shown."""

    basis: Basis
    key_product: AttentionSign = Field(description="listed in the key-product catalogue in force on the day")
    vulnerable: AttentionSign = Field(description="the catalogue or the product tree names children, elderly or patients")
    season: AttentionSign = Field(description="the month is in the season that the catalogue names")
    occasions: dict[str, Occasion]


class AbsenceRules(Rule):
    """When a hospital or laboratory that sends nothing is silent, and what follows."""

    basis: Basis
    reporters: dict[str, str] = Field(description="stream -> field that names who reports")
    history_days: int = Field(ge=28, description="days of arrivals before the last one from which the usual rhythm is read")
    min_arrivals: int = Field(ge=2, description="fewer days of arrival than this: no rhythm is known and nobody is silent")
    gap_factor: float = Field(ge=1, description="silent: the gap exceeds this times the longest usual gap ...")
    p_value: float = Field(gt=0, lt=1, description="... and chance gives so long a gap less often than this, given the rate of arrivals")
    forget_days: int = Field(ge=28, description="who has sent nothing for so long has left and is no longer expected")
    block_share: Share = Field(gt=0, description="no recovery where silent reporters bring at least this share of an area's records")
    lower_share: Share = Field(gt=0, description="evidence of such an area counts one level of confidence less from this share on")


class ArtefactRules(Rule):
    """When a rise may come from the data rather than from the goods."""

    basis: Basis
    new_days: int = Field(ge=1, description="a reporter is new for so many days after its first record")
    new_share: Share = Field(gt=0, description="and is flagged where it brings at least this share of the area's recent records")
    recent_days: int = Field(ge=7, description="days whose records are looked at")
    backlog_factor: float = Field(gt=1, description="backlog: arrivals of the last days so many times the usual number ...")
    backlog_delay: float = Field(gt=1, description="... and their median delay so many times the usual median")
    backlog_min: int = Field(ge=1, description="... and at least so many records")
    standard_days: int = Field(ge=1, description="a changed standard may explain failures for so many days after it took effect")
    recall_days: int = Field(ge=1, description="a completed recall speaks for its product and region for so many days")
    code_days: int = Field(ge=90, description="a change of a product code may explain a rise for so many days after it took effect")
    transfer_months: int = Field(
        ge=2, le=12, description="cases moved between codes: seen in so many complete months since then, all beyond the year before ..."
    )
    transfer_share: Share = Field(gt=0, description="... one code gained, the other lost, at least this share of what was expected ...")
    transfer_match: Share = Field(description="... gain and loss differ by at most this share of the larger one ...")
    transfer_min: int = Field(ge=1, description="... and each is at least so many records")
    lapsed_share: Share = Field(description="more than this share of the failing samples from laboratories whose calibration had lapsed")
