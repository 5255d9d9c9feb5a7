"""Emerging words and themes of several models as one table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from riskwatch.definitions.types import ModelDefinition
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import window
from riskwatch.runner.terms import terms_of
from riskwatch.texts import EMERGING_COLUMNS, THEME_COLUMNS

__all__ = ["words"]


def words(ctx: RunContext, models: Sequence[ModelDefinition], *, with_themes: bool = False) -> pd.DataFrame:
    """Return the emerging terms of the models, or their themes, each with the model's name first."""
    fresh = freshness_by_source(ctx.store, ctx.as_of)
    tables = []
    for model in models:
        found = terms_of(ctx, model, window(ctx, model, fresh), with_themes=with_themes)
        table = found.themes if with_themes else found.emerging
        table.insert(0, "model", found.model)
        if len(table):
            tables.append(table)
    if tables:
        return pd.concat(tables, ignore_index=True)
    return pd.DataFrame(columns=["model", *(THEME_COLUMNS if with_themes else [*EMERGING_COLUMNS, "product_zh", "product_en"])])
