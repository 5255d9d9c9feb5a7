"""Multivariate anomalies of a project: records from the store, rules from the definitions."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pandas as pd

from riskwatch.anomalies import AnomalyRules, Profile, anomalies, enterprise_profile, product_region_profile
from riskwatch.anomalies.profiles import CHECK_COLUMNS, INJURY_COLUMNS
from riskwatch.errors import ProjectError
from riskwatch.runner.context import RunContext

__all__ = ["Kind", "anomaly_frame", "anomaly_profile"]

Kind = Literal["product-region", "enterprise"]


def anomaly_profile(ctx: RunContext, kind: Kind) -> tuple[Profile, AnomalyRules]:
    """Return the profile of a kind as of the context's day, and the rules it was made with.

    Raises
    ------
    ProjectError
        If the project has no ``config/anomalies.yaml``, or its levels are not in the trees.
    """
    content = ctx.definitions.catalogue("anomalies")
    if not content:
        raise ProjectError("this project has no config/anomalies.yaml", hint="riskwatch init writes one to copy")
    rules = AnomalyRules.model_validate(content)
    setting = rules.product_region if kind == "product-region" else rules.enterprise
    since = ctx.as_of - dt.timedelta(days=setting.window_days - 1)
    checks = ctx.store.read_records("spot_check", columns=list(CHECK_COLUMNS), as_of=ctx.as_of, since=since, until=ctx.as_of)
    items = ctx.store.read_items("spot_check", as_of=ctx.as_of)
    if kind == "enterprise":
        return enterprise_profile(checks, items, ctx.trees, rules, as_of=ctx.as_of), rules
    for name, level in (("product", rules.product_region.product_level), ("region", rules.product_region.region_level)):
        if level not in ctx.trees[name].levels:
            raise ProjectError(
                f"config/anomalies.yaml: product_region.{name}_level is {level!r}; the {name} tree of profile {ctx.definitions.profile} "
                f"has {', '.join(ctx.trees[name].levels) or 'none'}"
            )
    injuries = ctx.store.read_records("injury", columns=list(INJURY_COLUMNS), as_of=ctx.as_of, since=since, until=ctx.as_of)
    return product_region_profile(checks, items, injuries, ctx.trees, rules, as_of=ctx.as_of), rules


def anomaly_frame(ctx: RunContext, kind: Kind) -> pd.DataFrame:
    """Return the anomalies of a kind as of the context's day (:func:`riskwatch.anomalies.anomalies`)."""
    return anomalies(*anomaly_profile(ctx, kind))
