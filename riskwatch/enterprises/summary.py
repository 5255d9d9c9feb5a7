"""Counts for reports and digests: how many enterprises, never which."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.enterprises.clocks import closure_by_region
from riskwatch.enterprises.history import Histories

__all__ = ["EnterpriseSummary", "summary"]


@dataclass(frozen=True, eq=False)
class EnterpriseSummary:
    """What may leave the store about enterprises: counts.

    Attributes
    ----------
    as_of : date
    enterprises : int
        With at least one sample.
    repeat_failers, recheck_failers : int
        Enterprises with a repeat failure, or a failed recheck, within the window.
    claims : int
        Failures that nominal producers deny.
    orders, overdue, due_soon : int
        Orders to correct on record; terms overdue, and due soon.
    orders_missing : int
        Failed samples for which no order is on record.
    proposed_worse, proposed_better, first_class : int
        Enterprises whose proposed class is worse or better than that in force, or that have none in force.
    candidates, listed, expired : int
        Candidates for the list of serious violators, those on it, and those whose class has expired.
    unattributed, unattributed_failed : int
        Samples that name no producer, and those of them that failed.
    closure : DataFrame
        ``region, orders, due, closed_in_time, share, lower, upper``.
    """

    as_of: dt.date
    enterprises: int
    repeat_failers: int
    recheck_failers: int
    claims: int
    orders: int
    overdue: int
    due_soon: int
    orders_missing: int
    proposed_worse: int
    proposed_better: int
    first_class: int
    candidates: int
    listed: int
    expired: int
    unattributed: int
    unattributed_failed: int
    closure: pd.DataFrame


def summary(
    histories: Histories,
    terms: pd.DataFrame,
    proposals: pd.DataFrame,
    *,
    as_of: dt.date,
    tree: Tree | None = None,
    level: str = "prefecture",
    missing: int = 0,
) -> EnterpriseSummary:
    """Count.

    Parameters
    ----------
    histories, terms, proposals
        Of the other modules of this room.
    as_of : date
        The day as which they were made.
    tree, level
        Region tree and its level for the closure of orders.
    missing : int
        Of :func:`riskwatch.enterprises.clocks.orders_missing`.
    """
    frame = histories.frame
    return EnterpriseSummary(
        as_of=as_of,
        enterprises=len(frame),
        repeat_failers=int((frame["repeat_failures"] > 0).sum()),
        recheck_failers=int((frame["recheck_failures"] > 0).sum()),
        claims=int(frame["claims"].sum()),
        orders=int((terms["term"] == "recheck").sum()),
        overdue=int((terms["state"] == "overdue").sum()),
        due_soon=int((terms["state"] == "due-soon").sum()),
        orders_missing=missing,
        proposed_worse=int((proposals["change"] == "worse").sum()),
        proposed_better=int((proposals["change"] == "better").sum()),
        first_class=int((proposals["change"] == "first").sum()),
        candidates=int((proposals["candidacy"] != "").sum()),
        listed=int(proposals["listed"].sum()),
        expired=int(proposals["expired"].sum()),
        unattributed=histories.unattributed,
        unattributed_failed=histories.unattributed_failed,
        closure=closure_by_region(terms, tree, as_of=as_of, level=level),
    )
