"""The clock from learning of an accident to reporting it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dossiers.rules import CLOCK
from riskwatch.errors import RecordError

__all__ = ["CLOCK_COLUMNS", "HOURS", "accident_clocks"]

HOURS: dict[str, float] = CLOCK.hours
"""Hours within which each level reports: the head of the firm within one, each level of authority within two
(Regulation on reporting and investigating production-safety accidents, 2007, arts. 9 and 11)."""

CLOCK_COLUMNS = ("record_key", "event_date", "product", "region", "reporter", "deaths", "serious", "hours", "allowed", "state")


def _instants(moments: pd.Series) -> npt.NDArray[np.datetime64]:
    texts = moments.astype("object")
    return np.array([text if isinstance(text, str) and "T" in text else "NaT" for text in texts], dtype="datetime64[s]")


def accident_clocks(accidents: pd.DataFrame, hours: Mapping[str, float] = HOURS) -> pd.DataFrame:
    """Say for each accident report how long it took, and whether that was in time.

    Parameters
    ----------
    accidents : DataFrame
        Records of the stream ``accident``; ``record_key, event_date, product, region, reporter, deaths, serious, learned_at, reported_at``.
    hours : mapping of str to float
        Reporter -> hours allowed; a reporter without an entry (or not named) is held to the firm's.

    Returns
    -------
    DataFrame
        Columns :data:`CLOCK_COLUMNS`, late ones first, then newest first. ``hours`` from learning to reporting, NaN where a time of day is
        missing; ``state`` is ``in-time``, ``late`` or ``unknown``. ``record_key`` is internal: a page shows product and place.

    Raises
    ------
    RecordError
        If a column is missing.
    """
    needed = ["record_key", "event_date", "product", "region", "reporter", "deaths", "serious", "learned_at", "reported_at"]
    missing = [name for name in needed if name not in accidents.columns]
    if missing:
        raise RecordError(f"accident_clocks: accidents must have the columns {', '.join(needed)}; missing: {', '.join(missing)}")
    frame = accidents[needed[:7]].copy()
    taken = (_instants(accidents["reported_at"]) - _instants(accidents["learned_at"])).astype("timedelta64[s]")
    frame["hours"] = np.where(np.isnat(taken), np.nan, taken.astype(np.int64) / 3600.0)
    frame["allowed"] = [hours.get(str(name), hours.get("enterprise", 1.0)) for name in accidents["reporter"].astype("object")]
    known = frame["hours"].notna()
    frame["state"] = np.where(~known, "unknown", np.where(frame["hours"] > frame["allowed"], "late", "in-time"))
    order = frame.assign(
        rank=(frame["state"] != "late"), day=-pd.to_datetime(frame["event_date"]).astype("int64"), key=frame["record_key"].astype(str)
    )
    return frame.loc[order.sort_values(["rank", "day", "key"], kind="stable").index, list(CLOCK_COLUMNS)].reset_index(drop=True)
