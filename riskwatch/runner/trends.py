"""Trends: a model's panel of ripe periods -> the ranked list of what gets worse, with names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from riskwatch.definitions.types import ModelDefinition
from riskwatch.dimensions import Tree
from riskwatch.errors import ProjectError, TrendError
from riskwatch.panel import DIMENSIONS, Panel
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import model_panel
from riskwatch.trends.ranking import comparable, worsening
from riskwatch.trends.rules import BY, TrendRules

__all__ = ["ripe", "trend_lists", "trend_rules", "trends_of"]

_COMPLETE = 0.98  # a period of which less is known would read as a fall


def trend_rules(ctx: RunContext) -> TrendRules:
    """Return ``config/trends.yaml``.

    Raises
    ------
    ProjectError
        If the project has none: it was made before there were trends.
    """
    content = ctx.definitions.catalogue("trends")
    if not content:
        raise ProjectError("the project has no config/trends.yaml", hint="copy it from a new project: riskwatch init DIR")
    return TrendRules.model_validate(content)


def trends_of(ctx: RunContext, model: ModelDefinition, *, by: str | None = None) -> pd.DataFrame:
    """Rank the series of one model; the columns are those of :func:`riskwatch.trends.ranking.worsening` behind ``name_zh`` and ``name_en``.

    Series of targeted samples are left out, and strata are never pooled. The list's false-discovery rate is over its own series.
    """
    return _ranked(ctx, model, trend_rules(ctx), by)


def trend_lists(ctx: RunContext, by: str) -> dict[str, pd.DataFrame]:
    """Return the lists of one dimension, by model, in the order of ``config/trends.yaml``; models that are not in force are passed over.

    Raises
    ------
    TrendError
        If ``by`` is no dimension of the lists.
    """
    rules = trend_rules(ctx)
    chosen = next((name for name in BY if name == by), None)
    if chosen is None:
        raise TrendError(f"trends: by must be one of {', '.join(BY)}, got {by!r}")
    models = [ctx.definitions.models[name] for name in rules.lists.models(chosen) if name in ctx.definitions.models]
    out = {}
    with ctx.reporter.task("trends", total=len(models)) as task:
        for model in models:
            out[model.name] = _ranked(ctx, model, rules, chosen)
            task.advance()
    return out


def _ranked(ctx: RunContext, model: ModelDefinition, rules: TrendRules, by: str | None) -> pd.DataFrame:
    panel = comparable(ripe(model_panel(ctx, model, freshness_by_source(ctx.store, ctx.as_of)).panel), rules, by)
    frame = worsening(panel, rules, model=model.name)
    codes = frame[list(DIMENSIONS)].to_numpy(str).tolist()
    for at, language in enumerate(("zh", "en")):
        frame.insert(at, f"name_{language}", [_name(ctx.trees, row, language) for row in codes])
    frame.attrs["newest"] = str(panel.periods[-1].end_time.date())
    return frame


def ripe(panel: Panel) -> Panel:
    """Return the panel with periods missing that are not yet reported in full: a slope would take them for a fall."""
    if panel.completeness is None:
        return panel
    observed = np.where(panel.completeness.share >= _COMPLETE, panel.observed, np.nan)
    return dataclasses.replace(panel, observed=observed, completeness=None)


def _name(trees: dict[str, Tree], codes: list[str], language: str) -> str:
    parts = []
    for dimension, code in zip(DIMENSIONS, codes, strict=True):
        if code:
            tree = trees.get(dimension)
            parts.append(tree.name(code, language) if tree is not None and code in tree else code)
    return " × ".join(parts) or ("全部" if language == "zh" else "all")
