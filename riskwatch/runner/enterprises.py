"""Enterprises and test items from the store: what the command line and notebooks ask for. Codes stay inside; counts may leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.assessment.hazards import Classifier
from riskwatch.enterprises import (
    EnterpriseRules,
    EnterpriseSummary,
    Histories,
    current_classes,
    enterprise_history,
    orders_missing,
    persistence,
    propose,
    summary,
    terms,
)
from riskwatch.errors import ProjectError
from riskwatch.items import item_table, new_items, standard_effect
from riskwatch.runner.context import RunContext
from riskwatch.runner.standards import standard_catalogue

__all__ = [
    "CREDIT_COLUMNS",
    "RECORD_COLUMNS",
    "Enterprises",
    "enterprise_rules",
    "enterprise_story",
    "enterprises",
    "items",
    "standard_effects",
]

RECORD_COLUMNS = (
    "source", "record_key", "event_date", "known_at", "product", "region", "producer", "producer_region", "selection", "check_type",
    "verdict", "inspected", "failed", "batch_no", "counterfeit_claim", "recheck_of", "recheck_result", "published_on", "ordered_on",
    "rectified_on", "recheck_on",
)  # fmt: skip
CREDIT_COLUMNS = ("source", "event_date", "enterprise", "credit_class", "listed", "authority", "valid_until")
_ITEM = ("record_id", "event_date", "product", "region", "producer", "selection", "verdict", "source")


def enterprise_rules(ctx: RunContext) -> EnterpriseRules:
    """Return ``config/enterprises.yaml``.

    Raises
    ------
    ProjectError
        If the project has none.
    """
    content = ctx.definitions.catalogue("enterprises")
    if not content:
        raise ProjectError("the project has no config/enterprises.yaml", hint="`riskwatch init DIR` writes one to copy from")
    return EnterpriseRules.model_validate(content)


@dataclass(frozen=True, eq=False)
class Enterprises:
    """What is known of the enterprises on a day. Internal: it holds codes.

    Attributes
    ----------
    as_of : date
    rules : EnterpriseRules
    histories : Histories
    terms, classes, proposals, rates : DataFrame
        Of :mod:`riskwatch.enterprises`: terms after orders, classes in force, proposed classes, shrunken rates by product.
    records : DataFrame
        The spot checks they rest on.
    missing : int
        Failed samples without an order on record.
    """

    as_of: dt.date
    rules: EnterpriseRules
    histories: Histories
    terms: pd.DataFrame
    classes: pd.DataFrame
    proposals: pd.DataFrame
    rates: pd.DataFrame
    records: pd.DataFrame
    missing: int

    def table(self) -> pd.DataFrame:
        """Return one row per enterprise, worst first: its history, proposed class, terms, and how it stands in its worst product."""
        late = self.terms[self.terms["state"] == "overdue"].groupby("enterprise").size().rename("overdue")
        worst = self.rates.drop_duplicates("enterprise")[["enterprise", "product", "shrunk", "stratum_rate", "p_value"]]
        worst = worst.rename(columns={"product": "worst_product"})
        frame = self.histories.frame.merge(self.proposals, on="enterprise", how="left").merge(worst, on="enterprise", how="left")
        frame["overdue"] = frame["enterprise"].map(late).fillna(0).astype("int64")
        order = ["candidacy_first", "proposed", "recheck_failures", "failed_window", "overdue", "p_value", "enterprise"]
        frame["candidacy_first"] = frame["candidacy"] != ""
        descending = [False, False, False, False, False, True, True]
        frame = frame.sort_values(order, ascending=descending, kind="stable", ignore_index=True)
        return frame.drop(columns="candidacy_first")

    def summary(self, ctx: RunContext, *, level: str = "prefecture") -> EnterpriseSummary:
        """Return counts only, for reports and digests."""
        tree = ctx.trees.get("region")
        level = level if tree is not None and level in tree.levels else ""
        return summary(
            self.histories, self.terms, self.proposals, as_of=self.as_of, tree=tree if level else None, level=level, missing=self.missing
        )


def enterprises(ctx: RunContext) -> Enterprises:
    """Read the records as known on the run's day and judge every enterprise in them."""
    rules = enterprise_rules(ctx)
    records = ctx.store.read_records("spot_check", RECORD_COLUMNS, as_of=ctx.as_of)
    credit = ctx.store.read_records("enterprise_credit", CREDIT_COLUMNS, as_of=ctx.as_of)
    histories = enterprise_history(records, as_of=ctx.as_of, window_days=rules.windows.repeat_days)
    running = terms(records, rules.clocks, as_of=ctx.as_of)
    classes = current_classes(credit, as_of=ctx.as_of)
    since = ctx.as_of - dt.timedelta(days=rules.windows.repeat_days)
    return Enterprises(
        as_of=ctx.as_of,
        rules=rules,
        histories=histories,
        terms=running,
        classes=classes,
        proposals=propose(histories.frame, running, classes, rules.credit, overdue_since=since),
        rates=persistence(records, rules.shrinkage),
        records=records,
        missing=orders_missing(records, as_of=ctx.as_of),
    )


def enterprise_story(found: Enterprises, code: str) -> dict[str, pd.DataFrame]:
    """Return all that is known of one enterprise: part -> rows.

    Raises
    ------
    ProjectError
        If neither samples nor a class are on record for it.
    """
    frames = {
        "history": found.histories.frame,
        "class": found.classes,
        "proposal": found.proposals,
        "rates": found.rates,
        "terms": found.terms,
    }
    story = {name: frame[frame["enterprise"] == code].reset_index(drop=True) for name, frame in frames.items()}
    if story["proposal"].empty:
        raise ProjectError(
            f'no enterprise "{code}" on {found.as_of}',
            hint="`riskwatch enterprises list` shows the codes; a source key stands as source/key",
        )
    rule = story["proposal"]["rule"].iloc[0]
    basis = next((entry.basis for entry in found.rules.credit.rules if entry.id == rule), found.rules.credit.basis)
    story["proposal"] = story["proposal"].assign(basis=basis.source, verified=basis.verified)
    return story


def _items(ctx: RunContext, selections: Sequence[str], sources: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    where = {"selection": tuple(selections)} if selections else None
    records = ctx.store.read_records("spot_check", _ITEM, as_of=ctx.as_of, where=where, sources=sources or None)
    return records, ctx.store.read_items("spot_check", as_of=ctx.as_of)


def items(
    ctx: RunContext,
    *,
    by: Sequence[str] = (),
    days: int = 365,
    selections: Sequence[str] = (),
    sources: Sequence[str] = (),
    within: tuple[str, str] = ("", ""),
    new: bool = False,
    baseline_days: int = 730,
) -> pd.DataFrame:
    """Return the failing items of the newest ``days``, or with ``new`` those that did not fail before.

    Parameters
    ----------
    ctx : RunContext
    by : sequence of str
        Columns to split by: product, region, selection, source.
    days, baseline_days : int
        Length of the window, and of the baseline before it (for ``new``), natural days.
    selections, sources : sequence of str
        Only these; empty: all.
    within : (str, str)
        Product and region code, "" for all; codes below are in it.
    new : bool
        Compare with the baseline; see :func:`riskwatch.items.new_items`.
    """
    records, found = _items(ctx, selections, sources)
    for name, code in zip(("product", "region"), within, strict=True):
        if code:
            records = records[ctx.trees[name].is_within(records[name], code)]
    classifier = Classifier(ctx.hazards)
    start = np.datetime64(ctx.as_of, "D") - np.timedelta64(days - 1, "D")

    def class_of(name: str) -> str:
        return classifier.classify("items", name)

    if new:
        first = start - np.timedelta64(baseline_days, "D")
        return new_items(records, found, since=start, baseline_since=first, until=ctx.as_of, by=by, classifier=class_of)
    event = records["event_date"].to_numpy("datetime64[D]")
    window = records[(event >= start) & (event <= np.datetime64(ctx.as_of, "D"))]
    return item_table(window, found, by=by, classifier=class_of)


def standard_effects(ctx: RunContext, *, days: int = 365, selections: Sequence[str] = ("random",)) -> pd.DataFrame:
    """Return how much of the rise after each change of a standard is the standard's doing; see :func:`riskwatch.items.standard_effect`."""
    records, found = _items(ctx, (), ())
    return standard_effect(
        found,
        records,
        standard_catalogue(ctx.definitions),
        ctx.trees.get("product"),
        as_of=ctx.as_of,
        window_days=days,
        selections=selections,
        profile=ctx.definitions.profile,
    )
