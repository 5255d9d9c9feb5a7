"""What a centre cannot see: how often, and how late, models would have found outbreaks of a stated size, by kind of series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from riskwatch.backtest.injection import Outbreak, trials
from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors import Signals
from riskwatch.dimensions import Tree
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.panel import Panel
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.overrides import judge, thresholds
from riskwatch.runner.panels import model_panel, needs_geography

__all__ = ["POWER_COLUMNS", "SIZES", "PowerMap", "power_map", "summarise"]

SIZES = ((0.0, "< 0.5"), (0.5, "0.5–2"), (2.0, "2–5"), (5.0, "5–20"), (20.0, "≥ 20"))
"""Classes of series by what is expected in a period: lower bound, and how it is written."""
POWER_COLUMNS = (
    "model", "stream", "level", "size", "series", "trials", "judged_share", "power", "power_low", "power_high", "days_median",
    "anyway_share",
)  # fmt: skip
_DIMENSIONS = ("product", "industry", "region")
_LOOK_BACK_DAYS = 730


@dataclass(frozen=True)
class PowerMap:
    """The table (:data:`POWER_COLUMNS`), what was asked, and models that one series at a time cannot test, with the reason."""

    outbreak: Outbreak
    as_of: dt.date
    table: pd.DataFrame
    left_out: Mapping[str, str]


def power_map(
    ctx: RunContext,
    outbreak: Outbreak,
    *,
    models: Sequence[str] = (),
    product: str = "",
    region: str = "",
    onsets: int = 6,
    seed: int = 1,
) -> PowerMap:
    """Put outbreaks into the history known on ``ctx.as_of`` and say how many of them each model finds.

    Parameters
    ----------
    ctx : RunContext
    outbreak : Outbreak
    models : sequence of str
        Default: all in force.
    product, region : str
        Only series of these codes and all below them.
    onsets : int
        Outbreaks for each series, at random within the last two years.
    seed : int
        Same seed, same outbreaks.

    Raises
    ------
    ProjectError
        If a model or a code is unknown, or no series is left.
    """
    for name in models:
        if name not in ctx.definitions.models:
            raise ProjectError(f'no model "{name}" in force', hint=f"models in force: {', '.join(ctx.definitions.models)}")
    chosen = [model for name, model in ctx.definitions.models.items() if not models or name in models]
    fresh = freshness_by_source(ctx.store, ctx.as_of)
    left_out: dict[str, str] = {}
    parts = []
    with ctx.reporter.task("outbreaks", total=len(chosen) * onsets) as task:
        for model in chosen:
            reason = _untestable(model)
            try:
                if reason:
                    left_out[model.name] = reason
                    continue
                panel = _within(model_panel(ctx, model, fresh).panel, ctx.trees, {"product": product, "region": region})
                if not len(panel.index):
                    left_out[model.name] = "no series of these goods or places"
                    continue
                parts.append(_of_model(model, panel, ctx.trees, outbreak, onsets=onsets, seed=seed, advance=task.advance))
            except RiskwatchError as error:
                left_out[model.name] = error.message
    if not parts:
        raise ProjectError("tune power: no model has a series to test", hint="; ".join(f"{name}: {why}" for name, why in left_out.items()))
    return PowerMap(outbreak, ctx.as_of, pd.concat(parts, ignore_index=True), left_out)


def _untestable(model: ModelDefinition) -> str:
    if model.terms is not None:
        return "judges words"
    return "judges places together" if needs_geography(model) else ""


def _within(panel: Panel, trees: Mapping[str, Tree], codes: Mapping[str, str]) -> Panel:
    """Return the series of some goods and places, and of all below them."""
    keep = np.ones(len(panel.index), dtype=np.bool_)
    for dimension, code in codes.items():
        if not code:
            continue
        if dimension not in trees or code not in trees[dimension]:
            raise ProjectError(f'{dimension}: no code "{code}" in the {dimension} tree', hint="riskwatch explain dimensions")
        keys = panel.index.get_level_values(dimension)
        keep &= np.asarray((keys != "") & trees[dimension].is_within(keys, code), dtype=np.bool_)
    return panel.select(keep)


def _of_model(
    model: ModelDefinition, panel: Panel, trees: Mapping[str, Tree], outbreak: Outbreak, *, onsets: int, seed: int, advance: object
) -> pd.DataFrame:
    def alarms(signals: Signals) -> np.ndarray:
        """As :func:`riskwatch.runner.detect.signal_frame` has them: the detector's, above the absolute floors of each series."""
        held = thresholds(model, signals.index, trees)
        enough = (signals.support >= held.min_observed[:, None]) & (signals.observed >= held.min_relative_risk[:, None] * signals.expected)
        return np.asarray(signals.alarm & enough, dtype=np.bool_)

    rng = np.random.default_rng([seed, *model.name.encode()])
    length = (panel.periods[-1].end_time - panel.periods[0].start_time).days / len(panel.periods)
    room = int(np.ceil(outbreak.days / length)) + 1
    last = len(panel.periods) - room
    first = max(last - round(_LOOK_BACK_DAYS / length), len(panel.periods) // 2)
    if last <= first:
        raise RiskwatchError(f"the history of {len(panel.periods)} periods is too short for outbreaks of {outbreak.days} days")
    chosen = np.sort(rng.choice(np.arange(first, last), min(onsets, last - first), replace=False)).tolist()
    found = trials(
        panel, lambda part, looked: judge(model, part, trees, periods=looked), alarms, onsets=chosen, outbreak=outbreak, rng=rng,
        advance=advance,  # type: ignore[arg-type]  # a bound method of the reporter's task
    )  # fmt: skip
    levels = np.array([_level(key, panel.index.names, trees) for key in panel.index], dtype=object)
    found["level"] = levels[found["series"].to_numpy(dtype=np.int64)]
    found["days"] = found["days"] + model.ripe_after_days
    return summarise(found).assign(model=model.name, stream=model.stream)[list(POWER_COLUMNS)]


def _level(key: tuple[str, ...], names: Sequence[object], trees: Mapping[str, Tree]) -> str:
    codes = dict(zip(map(str, names), key, strict=True))
    parts = [f"{name} {trees[name].level_of(code)}" for name in _DIMENSIONS if (code := codes.get(name, "")) and name in trees]
    return ", ".join(parts) or "all"


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    """Return power and delay by level and size of series.

    Parameters
    ----------
    found : pandas.DataFrame
        :func:`riskwatch.backtest.injection.trials`, with ``level``.

    Returns
    -------
    pandas.DataFrame
        ``level``, ``size``, number of ``series`` and ``trials``, ``judged_share`` of the trials; of those judged: ``power`` with a 95 %
        interval (Wilson), ``days_median`` from the first day of the outbreak to the alarm of those found, and ``anyway_share`` in which the
        model alarmed without it, which are not counted as found.
    """
    bounds = np.array([low for low, _ in SIZES])
    size = np.searchsorted(bounds, found["expected"].fillna(0.0).to_numpy(dtype=np.float64), side="right") - 1
    rows = []
    for level, number in sorted(set(zip(found["level"], size.tolist(), strict=True))):
        part = found[(found["level"] == level).to_numpy() & (size == number)]
        judged = part[part["judged"].astype(bool)]
        open_ = judged[~judged["before"].astype(bool)]
        hits, count = int(open_["found"].sum()), len(open_)
        low, high = proportion_confint(hits, count, method="wilson") if count else (np.nan, np.nan)
        rows.append(
            {
                "level": level,
                "size": SIZES[number][1],
                "series": part["series"].nunique(),
                "trials": len(part),
                "judged_share": len(judged) / len(part),
                "power": hits / count if count else np.nan,
                "power_low": low,
                "power_high": high,
                "days_median": float(np.nanmedian(open_["days"])) if hits else np.nan,
                "anyway_share": float(judged["before"].mean()) if len(judged) else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=[name for name in POWER_COLUMNS if name not in {"model", "stream"}])
