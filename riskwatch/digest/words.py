"""Which emerging words a digest names: terms in alarm, scrubbed, with counts that are no small cells."""

from __future__ import annotations

import pandas as pd

from riskwatch.digest.model import NewWord
from riskwatch.digest.names import Namer
from riskwatch.digest.privacy import MIN_CELL, scrub

__all__ = ["new_words"]

_TERM = "term="


def new_words(frame: pd.DataFrame, namer: Namer, *, fdr: float, most: int = 3) -> tuple[NewWord, ...]:
    """Return the terms in alarm of the newest judged period of each model, strongest first, each once.

    Parameters
    ----------
    frame : DataFrame
        Judged signals (:func:`riskwatch.digest.focus.check_signals`).
    namer : Namer
    fdr : float
        Terms with a larger q-value are left out.
    most : int
    """
    rows = frame[frame["stratum"].str.startswith(_TERM) & frame["alarm"] & (frame["q_value"] <= fdr)]
    if rows.empty:
        return ()
    rows = rows[rows["period_end"] == rows.groupby("model")["period_end"].transform("max")]
    rows = rows.sort_values(["q_value", "p_value", "stratum", "model"], kind="stable").drop_duplicates("stratum").head(most)
    return tuple(
        NewWord(
            term=scrub(str(row["stratum"]).removeprefix(_TERM), limit=40),
            product=namer.product(str(row["product"])) if row["product"] else None,
            observed=int(row["observed"]) if row["observed"] >= MIN_CELL else None,
            expected=float(f"{row['expected']:.3g}"),
            period_start=pd.Timestamp(row["period_start"]).date(),
            period_end=pd.Timestamp(row["period_end"]).date(),
        )
        for row in rows.to_dict("records")
    )
