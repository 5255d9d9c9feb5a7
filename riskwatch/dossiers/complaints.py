"""Bursts of complaints by one claimant: many complaints, one person."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.dossiers.rules import BURSTS

__all__ = ["BURST_COLUMNS", "claimant_bursts"]

BURST_COLUMNS = ("product", "region", "complaints", "by_one", "share", "first", "last")


def claimant_bursts(
    complaints: pd.DataFrame, *, as_of: dt.date, days: int = BURSTS.days, least: int = BURSTS.least, share: float = BURSTS.share
) -> pd.DataFrame:
    """List products and places where one claimant made most of the recent complaints.

    The thresholds of a project are handed over by ``**rules.claimant_bursts.arguments()`` (:mod:`riskwatch.dossiers.rules`).

    Parameters
    ----------
    complaints : DataFrame
        Records of the stream ``complaint``: ``event_date, product, region, complainant, complaints``.
    as_of : date
        The newest day that is looked at.
    days : int
        Look-back, in natural days.
    least : int
        Complaints by one claimant from which it is a burst.
    share : float
        And the share of all complaints of that product and place that they are.

    Returns
    -------
    DataFrame
        Columns :data:`BURST_COLUMNS`, the largest first; who it was is not in it.
    """
    when = pd.to_datetime(complaints["event_date"])
    inside = (when <= pd.Timestamp(as_of)) & (when > pd.Timestamp(as_of) - pd.Timedelta(days=days))
    rows = complaints.loc[inside.to_numpy(), ["event_date", "product", "region", "complainant", "complaints"]]
    rows = rows.astype({"product": "object", "region": "object", "complainant": "object"})
    total = rows.groupby(["product", "region"])["complaints"].sum()
    named = rows[rows["complainant"].notna() & (rows["complainant"] != "")]
    found = named.groupby(["product", "region", "complainant"]).agg(
        by_one=("complaints", "sum"), first=("event_date", "min"), last=("event_date", "max")
    )
    found = found.sort_index().reset_index().drop(columns="complainant")
    found["complaints"] = [total[product, region] for product, region in zip(found["product"], found["region"], strict=True)]
    found["share"] = found["by_one"] / found["complaints"].astype(float)
    kept = found[(found["by_one"] >= least) & (found["share"] >= share)]
    return kept.sort_values(["by_one", "product", "region"], ascending=[False, True, True], kind="stable")[list(BURST_COLUMNS)].reset_index(
        drop=True
    )
