"""``config/trends.yaml`` as typed, frozen data: horizons, levels, when which method, thresholds, and which models make which list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from riskwatch.rulebase import Basis, Rule
from riskwatch.trends.level import LevelSettings
from riskwatch.trends.mann_kendall import Treatment

__all__ = ["BY", "Basis", "FrequencyRules", "Threshold", "TrendRules"]

By = Literal["product", "industry", "region"]
FrequencyName = Literal["day", "week", "4-week", "month"]
Probability = Annotated[float, Field(gt=0, lt=1)]

BY: tuple[By, ...] = ("product", "industry", "region")


class FrequencyRules(Rule):
    """What depends on the length of a period."""

    horizons: tuple[Annotated[int, Field(ge=1, le=400)], ...] = Field(min_length=1, description="periods ahead that are forecast, rising")
    min_periods: int = Field(ge=4, description="known periods below which a series has no trend at all")
    regression_periods: int = Field(ge=4, description="known periods below which the test is Mann-Kendall and not a regression")
    harmonics: int = Field(ge=0, le=6, description="waves a year of the season")
    change_length: int = Field(ge=2, description="periods that a level must last to count as one")
    pool: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="periods summed for Mann-Kendall: the first number at which few enough sums are 0, else the last"
    )

    @model_validator(mode="after")
    def _rising(self) -> FrequencyRules:
        for name in ("horizons", "pool"):
            found = getattr(self, name)
            if list(found) != sorted(set(found)):
                raise ValueError(f"{name} must rise, got {list(found)}")
        return self


class SeriesRules(Rule):
    """Which series are looked at, and by which method."""

    min_total: float = Field(gt=0, description="cases (failures) over all periods below which a series has no trend")
    max_zero_share: float = Field(gt=0, le=1, description="a larger share of periods without a case: Mann-Kendall on sums of periods")
    max_zero_blocks: float = Field(gt=0, le=1, description="periods are summed until at most this share of the sums is 0")
    season_years: float = Field(ge=1, description="years of history from which a season is fitted")
    treatment: Treatment = Field(description="what Mann-Kendall does about runs of periods")


class LevelRules(Rule):
    """What is believed of levels before a series is seen; on the log or logit scale, so that 0.1 is about 10 %."""

    basis: Basis
    wander: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1, description="grid of a level's random steps over a year")
    slope_sd: float = Field(gt=0, description="standard deviation of slopes per year")
    slope_memory: float = Field(gt=0, le=1, description="what is left of a slope after a year")
    season_sd: float = Field(gt=0, description="standard deviation of the season's coefficients")
    season_drift: float = Field(ge=0, description="their random steps over a year")

    def settings(self) -> LevelSettings:
        """Return them as the filter takes them."""
        return LevelSettings(self.wander, self.slope_sd, self.slope_memory, self.season_sd, self.season_drift)


class ChangeRules(Rule):
    """When a step is a change point."""

    penalty: float = Field(gt=0, description="per change, in units of the noise's variance times log(periods)")
    most: int = Field(ge=1, le=10, description="changes a series; the weakest are dropped")
    alpha: Probability = Field(description="level of the permutation tests")
    permutations: int = Field(ge=19, le=9999)
    seed: int = Field(ge=0)


class RollingRules(Rule):
    """How the forecasts' coverage is checked, and mended."""

    origins: int = Field(ge=0, description="past periods to forecast from; 0: intervals are not checked")
    spacing: dict[FrequencyName, Annotated[int, Field(ge=1)]] = Field(description="periods between origins")


class Threshold(Rule):
    """What a level must not reach: one of the three."""

    times: float | None = Field(None, gt=0, description="so many times the level of a year before the newest period")
    rate: float | None = Field(None, gt=0, lt=1, description="share failed")
    count: float | None = Field(None, gt=0, description="cases a period")

    @model_validator(mode="after")
    def _one(self) -> Threshold:
        given = [name for name in ("times", "rate", "count") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a threshold is one of times, rate and count, got {', '.join(given) or 'none'}")
        return self


class ThresholdRules(Rule):
    """Thresholds by model; the default for all others."""

    basis: Basis
    default: Threshold
    models: dict[str, Threshold] = Field({}, description="model -> threshold")


class ListRules(Rule):
    """Which models' panels are ranked for which list; a model that is not in force is passed over."""

    product: tuple[str, ...] = ()
    industry: tuple[str, ...] = ()
    region: tuple[str, ...] = ()

    def models(self, by: By) -> tuple[str, ...]:
        """Return the models of one list."""
        found: tuple[str, ...] = getattr(self, by)
        return found


class TrendRules(Rule):
    """``config/trends.yaml``."""

    version: str = Field(min_length=1)
    basis: Basis
    interval: Probability = Field(description="coverage of all intervals, as 0.95")
    q_listed: Probability = Field(description="false-discovery rate: series with a q-value up to this are called getting worse")
    min_percent_per_year: float = Field(ge=0, description="lower bound of the slope, per cent a year, from which a series is called so")
    comparable_selections: tuple[str, ...] = Field(
        description="ways in which samples were selected that may be compared; series of other strata are left out of the lists"
    )
    series: SeriesRules
    frequencies: dict[FrequencyName, FrequencyRules]
    level: LevelRules
    changes: ChangeRules
    rolling: RollingRules
    thresholds: ThresholdRules
    lists: ListRules

    @model_validator(mode="after")
    def _complete(self) -> TrendRules:
        names = {"day", "week", "4-week", "month"}
        for what, found in (("frequencies", set(self.frequencies)), ("rolling.spacing", set(self.rolling.spacing))):
            missing = sorted(names - found)
            if missing:
                raise ValueError(f"{what} needs an entry for {', '.join(missing)}")
        if self.changes.permutations + 1 < 1 / self.changes.alpha - 1e-9:
            raise ValueError(f"changes.permutations must be at least 1 / alpha - 1, got {self.changes.permutations}")
        return self

    def threshold(self, model: str | None) -> Threshold:
        """Return the threshold of a model."""
        return self.thresholds.default if model is None else self.thresholds.models.get(model, self.thresholds.default)
