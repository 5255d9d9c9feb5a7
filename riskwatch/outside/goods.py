"""Is a good made or sold here? From samples of the market, lots at the border and injuries of some years, with figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from riskwatch.outside.rules import LocalRules, Presence

__all__ = ["GOODS", "Met", "goods_table", "met"]

GOODS = ("stream", "product", "region", "made_in", "records")
"""Columns of the table of goods: kind of record, product, where it was met, where it was made, and how many records say so."""

Within = Callable[[str, str], bool]
_NAMES = {"region": "region", "producer_region": "made_in"}


@dataclass(frozen=True, slots=True)
class Met:
    """What shows that a good is here.

    Attributes
    ----------
    presence : str
        ``here``, ``not-met`` (goods are looked at here, this one was not among them) or ``unknown`` (too little is looked at).
    sold, made : int
        Records of it in the region; records anywhere of it as made in the region.
    looked_at : int
        Records of all goods in the region.
    years : int
        Years looked through.
    """

    presence: Presence
    sold: int
    made: int
    looked_at: int
    years: int


def goods_table(records: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count records by product and place.

    Parameters
    ----------
    records : mapping of str to DataFrame
        Stream -> rows with ``product`` and, where known, ``region`` and ``producer_region``.

    Returns
    -------
    DataFrame
        Columns :data:`GOODS`, one row per combination; unknown places are "".
    """
    parts = []
    for stream, frame in sorted(records.items()):
        if frame.empty or "product" not in frame.columns:
            continue
        table = pd.DataFrame({"stream": stream, "product": frame["product"].astype("object")})
        for column, name in _NAMES.items():
            table[name] = frame[column].astype("object") if column in frame.columns else ""
        parts.append(table.fillna("").groupby(["stream", "product", "region", "made_in"], sort=True).size().rename("records").reset_index())
    if not parts:
        return pd.DataFrame(columns=list(GOODS))
    # Categories: whether a product or a place lies within another is then asked once for each, not for each row.
    return pd.concat(parts, ignore_index=True)[list(GOODS)].astype(dict.fromkeys(GOODS[:4], "category"))


def met(goods: pd.DataFrame, codes: Collection[str], region: str, *, product: Within, place: Within, rules: LocalRules) -> Met:
    """Say whether goods of ``codes`` are made or sold in ``region`` ("" for everywhere).

    Parameters
    ----------
    goods : DataFrame
        From :func:`goods_table`.
    codes : collection of str
        Codes of the product tree; what lies below one of them counts.
    product, place : callable
        Whether a code lies within another, on the product and on the region tree.
    """
    if goods.empty:
        return Met("unknown", 0, 0, 0, rules.years)

    def in_region(column: str) -> pd.Series:
        inside = {code: bool(code) and place(code, region) if region else True for code in goods[column].unique()}
        return goods[column].map(inside).astype(bool)

    mine = goods["product"].map({one: any(product(one, code) for code in codes) for one in goods["product"].unique()}).astype(bool)
    here = in_region("region")
    made = in_region("made_in") & (goods["made_in"] != "")
    count = goods["records"]
    sold_here, made_here, looked_at = int(count[mine & here].sum()), int(count[mine & made].sum()), int(count[here].sum())
    if sold_here + made_here >= rules.least:
        return Met("here", sold_here, made_here, looked_at, rules.years)
    return Met("not-met" if looked_at >= rules.looked_at else "unknown", sold_here, made_here, looked_at, rules.years)
