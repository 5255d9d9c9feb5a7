"""The rules of ``config/rates.yaml`` as typed, frozen data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from riskwatch.rulebase import Basis, Rule

__all__ = ["PURPOSES", "CorrelationRule", "PurposeRule", "PurposeRules", "RateRules", "ShrinkageRule", "WindowRule"]

Selection = Literal["random", "targeted", "follow-up", "complaint-led"]
CheckType = Literal["national", "provincial", "prefecture", "county", "special", "follow-up", "risk-monitoring", "recheck", "enforcement"]
StratumColumn = Literal["check_type", "selection", "channel", "laboratory"]
Purpose = Literal["comparison", "persistence", "hazard"]

PURPOSES: tuple[Purpose, ...] = ("persistence", "hazard", "comparison")
"""In the order in which they are tried."""


class PurposeRule(Rule):
    """Which spot checks serve a purpose."""

    match: Literal["all", "any"] = Field(description="all: selection and check type must be listed; any: one of them is enough")
    selections: tuple[Selection, ...] = Field(description="ways of choosing samples")
    check_types: tuple[CheckType, ...] = Field(description="types of check")
    unknown_check_type: bool = Field(default=False, description="with match: all, whether a check type that was not recorded passes")


class PurposeRules(Rule):
    """Purposes, tried in the order persistence, hazard, comparison."""

    persistence: PurposeRule = Field(description="who failed before: does it fail again")
    hazard: PurposeRule = Field(description="what is found where danger was suspected")
    comparison: PurposeRule = Field(description="rates that can be compared between products, regions and times")


class CorrelationRule(Rule):
    """Correlation between two samples of one enterprise."""

    typical: float = Field(ge=0, lt=1, description="what is believed before any pair of samples is seen")
    minimum: float = Field(ge=0, lt=1, description="lowest value used")
    maximum: float = Field(gt=0, lt=1, description="highest value used")
    weight: float = Field(ge=0, description="pairs of samples that the typical value counts for")


class WindowRule(Rule):
    """Length of the window that ends on the as-of day, by purpose, in months."""

    comparison: int = Field(ge=1, le=120, description="months of samples compared")
    persistence: int = Field(ge=1, le=120, description="months of follow-up checks")
    hazard: int = Field(ge=1, le=120, description="months of targeted checks")


class ShrinkageRule(Rule):
    """What is believed before any sample is seen; see :class:`riskwatch.rates.hierarchy.Belief`."""

    rate: float = Field(gt=0, lt=1, description="failure rate")
    strength: float = Field(ge=0.1, le=1e5, description="samples that a prior counts for")
    spread: float = Field(gt=0, le=3, description="standard deviation of the logit between a code and its parent, regions, strata")
    strength_spread: float = Field(gt=0, le=3, description="standard deviation of log(strength) between codes")
    weight: float = Field(gt=0, le=100, description="codes that the two spreads count for")


class RateRules(Rule):
    """``config/rates.yaml``."""

    version: str = Field(min_length=1, description="day or number of this edition")
    basis: Basis = Field(description="where the numbers come from")
    purposes: PurposeRules = Field(description="which spot checks may be used for what")
    strata: tuple[StratumColumn, ...] = Field(min_length=1, description="columns whose values make a stratum")
    interval_level: float = Field(gt=0.5, lt=1, description="share of intervals that should hold the true rate")
    min_inspected: int = Field(ge=1, description="samples from which on a rate is shown")
    correlation: CorrelationRule = Field(description="correlation between samples of one enterprise")
    largest_share: float = Field(ge=0.5, le=1, description="largest share of a cell's weight for one enterprise where there are others")
    windows: WindowRule = Field(description="length of the windows in months")
    shrinkage: ShrinkageRule = Field(description="what is believed before any sample is seen")
