"""Figures of complaints, border inspections, insurance claims and media reports about a concern: counts and codes, nobody's name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["OTHER_STREAMS"]


def _number(rows: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    if column not in rows.columns:
        return np.zeros(len(rows))
    return np.asarray(rows[column].astype(np.float64).fillna(0.0), dtype=np.float64)


def _complaints(rows: pd.DataFrame) -> dict[str, object]:
    figures: dict[str, object] = {"complaints": float(_number(rows, "complaints").sum())}
    if "complainant" in rows.columns:
        who = rows["complainant"].astype("object")
        known = who[who.notna() & (who != "")]
        figures["complainants"] = int(known.nunique())
        figures["largest_complainant_share"] = round(float(known.value_counts().iloc[0] / len(rows)), 3) if len(known) else None
    if "injury" in rows.columns:
        figures["with_injury"] = int(rows["injury"].fillna(value=False).astype(bool).sum())
    return figures


def _trade(rows: pd.DataFrame) -> dict[str, object]:
    return {"inspected": float(_number(rows, "inspected").sum()), "refused": float(_number(rows, "refused").sum())}


def _claims(rows: pd.DataFrame) -> dict[str, object]:
    totals = {name: float(_number(rows, name).sum()) for name in ("claims", "paid", "policy_years")}
    return dict(totals)


def _media(rows: pd.DataFrame) -> dict[str, object]:
    return {"reports": float(_number(rows, "reports").sum())}


def _accidents(rows: pd.DataFrame) -> dict[str, object]:
    return {"reports": len(rows), **{name: float(_number(rows, name).sum()) for name in ("deaths", "serious", "light", "loss")}}


OTHER_STREAMS = {
    "accident": ("accidents", _accidents),
    "complaint": ("complaints", _complaints),
    "trade_inspection": ("border", _trade),
    "insurance_claim": ("insurance", _claims),
    "media": ("media", _media),
}
"""Stream -> name of its part among the facts, and the function that sums it up."""
