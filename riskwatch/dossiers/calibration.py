"""Results of laboratories whose calibration had lapsed on the day they reported."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["lapsed_results"]


_APART = "\x1f"  # stands between laboratory and item


def _pairs(laboratory: pd.Series, item: pd.Series) -> pd.Series:
    one, other = (column.astype("object").where(column.notna(), "").astype(str).reset_index(drop=True) for column in (laboratory, item))
    return one + _APART + other


def lapsed_results(results: pd.DataFrame, laboratories: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say of each result whether the calibration behind it had lapsed.

    The newest entry of the laboratory for the item counts, else its newest entry for all items; without either nothing is known against it.

    Parameters
    ----------
    results : DataFrame
        ``laboratory, item, day``: who reported what, and when. An empty item stands for the laboratory as a whole.
    laboratories : DataFrame
        Stream ``laboratory``: ``record_key, event_date, laboratory, item, calibration, calibration_until``.

    Returns
    -------
    array of bool, shape (results,)
        True where the entry in force on the day says lapsed or failed, or its last day had passed.
    """
    empty = pd.Series([""] * len(results), dtype="object")
    asked = {"own": _pairs(results["laboratory"], results["item"]), "whole": _pairs(results["laboratory"], empty)}
    entries = _pairs(laboratories["laboratory"], laboratories["item"])
    # Pairs as numbers: types of text columns differ from frame to frame, and joins ask for equal ones.
    numbers, _ = pd.factorize(pd.concat([entries, *asked.values()], ignore_index=True), sort=True)
    register = pd.DataFrame(
        {
            "pair": numbers[: len(entries)],
            "since": _day(laboratories["event_date"]),
            "until": _day(laboratories["calibration_until"]),
            "bad": laboratories["calibration"].astype("object").isin(["lapsed", "failed"]).to_numpy(),
            "key": laboratories["record_key"].astype(str).to_numpy(),
        }
    ).sort_values(["since", "key"], kind="stable")
    found = np.zeros(len(results), dtype=np.bool_)
    known = np.zeros(len(results), dtype=np.bool_)
    for place in range(len(asked)):
        first = len(entries) + place * len(results)
        left = pd.DataFrame({"pair": numbers[first : first + len(results)], "day": _day(results["day"]), "row": np.arange(len(results))})
        left = left.loc[left["day"].notna().to_numpy()].sort_values("day", kind="stable")
        at = pd.merge_asof(left, register, left_on="day", right_on="since", by="pair")
        row, there = at["row"].to_numpy(), at["since"].notna().to_numpy()
        lapsed = at["bad"].eq(other=True).to_numpy() | (at["until"] < at["day"]).to_numpy()
        # The item's own entry stands before that of the whole laboratory.
        new = there & ~known[row]
        found[row[new]], known[row[new]] = lapsed[new], True
    return found


def _day(column: pd.Series) -> npt.NDArray[np.datetime64]:
    return pd.to_datetime(column).to_numpy().astype("datetime64[ns]")
