"""Read what is known from outside on a day: notices, matched to goods, and the goods that are made or sold here."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.assessment.hazards import Classifier
from riskwatch.assessment.memory import FORGETFUL, Memory
from riskwatch.dimensions import Tree
from riskwatch.outside.goods import goods_table
from riskwatch.outside.matching import match
from riskwatch.outside.rules import OutsideRules
from riskwatch.outside.weight import NOTICES, Outside
from riskwatch.runner.context import RunContext

__all__ = ["outside_signals"]

_GOODS = {
    "spot_check": ("product", "region", "producer_region"),
    "trade_inspection": ("product", "region"),
    "injury": ("product", "region"),
}
_NOTICE = ["record_key", "source", "event_date", "system", "product", "title", "hazard", "hazard_class", "origin", "distribution"]


def outside_signals(ctx: RunContext, memory: Memory = FORGETFUL) -> Outside | None:
    """Return matched notices and goods as known on the day; None without ``config/outside.yaml``.

    They rest on records and definitions, not on thresholds: where the ``memory`` of the day knows them, nothing is read or matched.
    """
    content = ctx.definitions.catalogue("outside")
    tree = ctx.trees.get("product")
    if not content or tree is None:
        return None
    rules = OutsideRules.model_validate(content)
    notices, goods = memory.recall("outside", None, lambda: _matched(ctx, rules, tree))
    return Outside(rules, notices, goods)


def _matched(ctx: RunContext, rules: OutsideRules, tree: Tree) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the notices that are about goods, and the goods that are made or sold here."""
    since = ctx.as_of - dt.timedelta(days=rules.weights.forget_days)
    notices = ctx.store.read_records("external_notice", columns=_NOTICE, as_of=ctx.as_of, since=since, until=ctx.as_of)
    notices = notices.sort_values(["event_date", "source", "record_key"], kind="stable").reset_index(drop=True)
    branches = set(rules.matching.branches)
    goods = {str(code) for code in tree.codes if branches.isdisjoint(tree.path(code))}
    found = match(notices, rules.matching, goods=goods)
    read = notices.loc[found["notice"]]
    classes = pd.Series(Classifier(ctx.hazards).of_notices(notices), index=notices.index, dtype=object)
    matched = pd.DataFrame(
        {
            "notice": found["notice"].to_numpy(),
            "system": read["system"].astype(str).to_numpy(),
            "own": read["product"].astype("object").fillna("").to_numpy(),
            "product": found["product"].to_numpy(),
            "day": read["event_date"].to_numpy(),
            "hazard": classes.loc[found["notice"]].to_numpy(),
            "origin": read["origin"].astype("object").fillna("").to_numpy(),
        },
        columns=list(NOTICES),
    )
    first = ctx.as_of - dt.timedelta(days=round(365.25 * rules.local.years))
    seen = {
        stream: ctx.store.read_records(stream, columns=list(columns), as_of=ctx.as_of, since=first, until=ctx.as_of)
        for stream, columns in _GOODS.items()
    }
    return matched, goods_table(seen)
