"""Simulated credit classes of the fictitious enterprises: one evaluation a year, after their risk, a few expired and a few listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskwatch.datasets.enterprises import Enterprises
from riskwatch.datasets.native import to_native
from riskwatch.datasets.rhythm import DayAxis, random_stream

if TYPE_CHECKING:
    from riskwatch.datasets.writing import Files

__all__ = ["CREDIT_COLUMNS", "simulate_credit", "write_credit"]

CREDIT_COLUMNS = (
    "record_key", "version", "event_date", "known_on", "enterprise", "region", "credit_class", "listed", "authority", "valid_until",
)  # fmt: skip
_ASSESSED = 0.8  # share of enterprises that the register knows
_RENEWED = 0.93  # chance that a class is renewed in a year
_EVALUATION = (3, 1)  # month and day of the yearly evaluation
_BOUNDS = (0.5, 1.6, 3.2)  # noisy risk up to which the class is A, B, C
_VALID_DAYS = 400
_LISTED_FROM = 4.0
_LISTED = 0.5
_AUTHORITY = "模拟市场监督管理局"


def simulate_credit(enterprises: Enterprises, axis: DayAxis, seed: int) -> pd.DataFrame:
    """Draw the classes that a register would hold.

    Each enterprise that is assessed at all has its own noise, so its class mostly stays from year to year; the class is known two weeks
    after the evaluation and valid for a good year. Draws come from a random stream of their own.

    Returns
    -------
    DataFrame
        Columns :data:`CREDIT_COLUMNS`, sorted by day and key; only what is known by the last day of the axis.
    """
    rng = random_stream(seed, "credit")
    table = enterprises.table
    size = len(table)
    known = rng.random(size) < _ASSESSED
    steady = rng.normal(0.0, 0.35, size)
    unlucky = rng.random(size) < _LISTED
    parts = []
    for year in range(axis.start.year, axis.end.year + 1):
        # A stream for each year: more years before or after leave this one as it is.
        yearly = random_stream(seed, "credit", str(year))
        noise, renewed = yearly.normal(0.0, 0.15, size), yearly.random(size) < _RENEWED
        day = np.datetime64(f"{year}-{_EVALUATION[0]:02d}-{_EVALUATION[1]:02d}", "D")
        announced = day + np.timedelta64(14, "D")
        if day < axis.days[0].astype("datetime64[D]") or announced > axis.days[-1].astype("datetime64[D]"):
            continue
        chosen = np.flatnonzero(known & renewed)
        score = table["risk"].to_numpy()[chosen] * np.exp(steady[chosen] + noise[chosen])
        listed = (score > _LISTED_FROM) & unlucky[chosen]
        parts.append(
            pd.DataFrame(
                {
                    "record_key": [f"XY{year}{number + 1:06d}" for number in chosen.tolist()],
                    "version": 1,
                    "event_date": np.full(chosen.size, day).astype("datetime64[s]"),
                    "known_on": np.full(chosen.size, announced).astype("datetime64[s]"),
                    "enterprise": table["code"].to_numpy(dtype=object)[chosen],
                    "region": table["region"].to_numpy(dtype=object)[chosen],
                    "credit_class": np.array(list("ABCD"), dtype=object)[np.searchsorted(_BOUNDS, score)],
                    "listed": listed,
                    "authority": _AUTHORITY,
                    "valid_until": np.full(chosen.size, day + np.timedelta64(_VALID_DAYS, "D")).astype("datetime64[s]"),
                }
            )
        )
    if not parts:
        return pd.DataFrame(columns=list(CREDIT_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(CREDIT_COLUMNS)]


def write_credit(files: Files, credit: pd.DataFrame) -> None:
    """Write one file a year: ``credit/2024.csv``."""
    years = pd.DatetimeIndex(credit["event_date"]).year
    for year in sorted(set(years)):
        files.write(f"credit/{year}", to_native(credit[years == year], "enterprise_credit", int(year)), "utf-8")
