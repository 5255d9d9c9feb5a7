"""``config/backtest.yaml`` as typed, frozen data: how a replay is scored, and which thresholds an alert budget may move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from riskwatch.errors import ProjectError
from riskwatch.rulebase import Basis, Rule, Text

if TYPE_CHECKING:  # definitions load this module to check the file
    from riskwatch.definitions import Definitions

__all__ = ["MOVABLE", "BacktestRules", "BudgetRules", "Knob", "Minutes", "rules_in"]

MOVABLE = ("confidence", "discovery", "lifts", "lifecycle")
"""Sections of ``config/grading.yaml`` whose thresholds are a matter of workload. Floors, severity, the matrix and caps are not."""

Threshold = Annotated[str, StringConstraints(pattern=rf"^grading\.({'|'.join(MOVABLE)})(\.[a-z_]+)+$")]


class Minutes(Rule):
    """What warnings of one level cost."""

    opened: float = Field(ge=0, le=14_400, description="officer-minutes for a new warning")
    worsened: float = Field(ge=0, le=14_400, description="officer-minutes each time it gets worse")


class Knob(Rule):
    """A path of settings from strict to loose: some thresholds times a common factor, or one threshold through listed values."""

    label: Text = Field(description="what readers call it")
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=8)] = Field(
        description="paths as `riskwatch explain` takes them, in config/grading.yaml; never of floors, severity, matrix or caps"
    )
    least: float | None = Field(None, gt=0, le=1, description="smallest factor on today's values")
    most: float | None = Field(None, ge=1, le=1000, description="largest factor on today's values")
    per_decade: int = Field(10, ge=1, le=40, description="settings for each factor of ten")
    values: tuple[bool | int | float | str, ...] = Field(
        (), max_length=40, description="instead of factors: values of the one threshold, strictest first; today's must be among them"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.values) == (self.least is not None and self.most is not None):
            raise ValueError("a knob has either values, or both least and most")
        if self.values and len(self.thresholds) != 1:
            raise ValueError(f"a knob with values moves one threshold, got {len(self.thresholds)}")
        if len(set(self.values)) != len(self.values):
            raise ValueError("values of a knob must differ from each other")
        return self


class BudgetRules(Rule):
    """Section ``budget``: what ``riskwatch tune budget`` may move, and how it counts."""

    basis: Basis = Field(description="where the numbers come from")
    warm_up_days: int = Field(
        28, ge=0, le=730, description="days replayed before the period: its first day would else begin with no warnings"
    )
    history_days: int = Field(365, ge=0, le=3650, description="days of records before the period, where none is asked for")
    in_time_days: int = Field(
        28, ge=0, le=730, description="days after its start within which a hazard without an official action is warned of in time"
    )
    ahead_weeks: int = Field(26, ge=1, le=520, description="weeks after the period of which the answer says what is to be expected")
    within: float = Field(0.25, gt=0, lt=1, description="share of the budget by which those weeks may miss it and still keep it")
    sure: float = Field(0.9, gt=0, lt=1, description="chance of keeping it below which the answer names the rate that it takes")
    block_weeks: int = Field(4, ge=1, le=52, description="weeks of the counts whose scatter says how much warnings come in clusters")
    knobs: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")], Knob] = Field(
        min_length=1, description="by name; the first is turned unless another is asked for"
    )


class BacktestRules(Rule):
    """``config/backtest.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    basis: Basis = Field(description="where the minutes come from")
    minutes: dict[Literal["I", "II", "III", "IV"], Minutes] = Field(
        {}, description="cost by the level at which a warning was opened (or got worse); a level that is not here costs nothing"
    )
    settle_days: int = Field(28, ge=0, le=730, description="days after its opening before a warning can be said to have stayed alone")
    recent_days: int = Field(90, ge=0, le=730, description="days after its end on which a warning can still be about a hazard")
    interval: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="level of the intervals of shares (Wilson 1927) and of rates")
    reliable_from: int = Field(30, ge=1, description="coded closures below which a reliability diagram is said to rest on too few")
    unused_days: int = Field(
        30, ge=2, le=3650, description="days without a use after which `riskwatch retention replays` deletes files of replays"
    )
    budget: BudgetRules | None = Field(None, description="what `riskwatch tune budget` may move; without it, nothing")


def rules_in(definitions: Definitions, *, hint: str) -> BacktestRules:
    """Return ``config/backtest.yaml`` of some definitions.

    Raises
    ------
    ProjectError
        If they have none, with the ``hint``.
    """
    content = definitions.catalogue("backtest")
    if not content:
        raise ProjectError("the project has no config/backtest.yaml", hint=hint)
    return BacktestRules.model_validate(content)
