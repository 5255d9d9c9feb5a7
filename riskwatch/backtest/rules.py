"""``config/backtest.yaml`` as typed, frozen data: how a replay is scored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from riskwatch.rulebase import Basis, Rule

__all__ = ["BacktestRules", "Minutes"]


class Minutes(Rule):
    """What warnings of one level cost."""

    opened: float = Field(ge=0, le=14_400, description="officer-minutes for a new warning")
    worsened: float = Field(ge=0, le=14_400, description="officer-minutes each time it gets worse")


class BacktestRules(Rule):
    """``config/backtest.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    basis: Basis = Field(description="where the minutes come from")
    minutes: dict[Literal["I", "II", "III", "IV"], Minutes] = Field(
        {}, description="cost by the level at which a warning was opened (or got worse); a level that is not here costs nothing"
    )
    settle_days: int = Field(28, ge=0, le=730, description="days after its opening before a warning can be said to have stayed alone")
    recent_days: int = Field(90, ge=0, le=730, description="days after its end on which a warning can still be about a hazard")
    interval: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="level of the interval of the precision (Wilson 1927)")
