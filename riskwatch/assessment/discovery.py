"""False-discovery control over all series of a run.

Every judged series-period of a run is one test. Benjamini-Hochberg turns its p-values into q-values: among the signals with
``q < 0.05`` at most one in twenty is expected to be false, however many series were watched (Benjamini & Hochberg, J. R. Stat.
Soc. B 57:289-300, 1995; valid for independent and for positively dependent tests, as a category and its products are).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import false_discovery_control

from riskwatch.assessment.rules import ConfidenceRules
from riskwatch.errors import DetectorError

__all__ = ["SERIES", "SIGNAL_COLUMNS", "Judged", "judge", "q_values", "unseen_tests"]

SERIES = ["model", "stream", "product", "industry", "region", "stratum", "frequency"]
TEXT = [*SERIES, "source_type", "detector", "detector_hash"]
NUMBERS = ["observed", "exposure", "expected", "lower", "upper", "p_value"]
SIGNAL_COLUMNS = [*TEXT, "period_start", "period_end", *NUMBERS, "alarm", "reason"]


@dataclass(frozen=True, eq=False)
class Judged:
    """All tests of a run, and those that are worth a look.

    Attributes
    ----------
    table : pandas.DataFrame
        Every judged series-period in a fixed order (it does not depend on the order of the input), with ``q_value``, ``excess``,
        ``windows`` (separate windows in alarm that end here), ``newest`` (the series' newest judged period) and ``hit``.
    tests, alarms, hits, dropped : int
        Number of tests; alarms with an excess; of these with q below ``q_weak``; and beyond ``q_review``, which are only counted.
    """

    table: pd.DataFrame
    tests: int
    alarms: int
    hits: int
    dropped: int


def q_values(p_values: npt.ArrayLike, *, unseen: int = 0) -> npt.NDArray[np.float64]:
    """Return Benjamini-Hochberg q-values, shape (tests,).

    Parameters
    ----------
    p_values : array_like of float, shape (tests,)
        One-sided p-values.
    unseen : int
        Tests that would have been made but for their own small count: they are counted with p = 1.

    Raises
    ------
    DetectorError
        If a p-value is missing or outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.size == 0:
        return p
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        raise DetectorError(f"q_values: p-values must lie in [0, 1], got {p[wrong][0]} ({int(wrong.sum())} of {p.size} are wrong)")
    return np.asarray(false_discovery_control(np.append(p, np.ones(unseen)), method="bh"), dtype=np.float64)[: p.size]


def unseen_tests(reasons: Iterable[str]) -> int:
    """Return how many cells were left out because of the very count that would have been tested.

    A cell that is judged only if it holds enough cases is selected for being high; leaving the low ones out of the control of
    false discoveries would count its p-value as better than it is.
    """
    return sum(reason == "too-few-cases" for reason in reasons)


def judge(signals: pd.DataFrame, rules: ConfidenceRules) -> Judged:
    """Control false discoveries over the judged rows of ``signals``.

    Parameters
    ----------
    signals : pandas.DataFrame
        Long frame of all series-periods of a run with the columns :data:`SIGNAL_COLUMNS`; ``reason`` is "" where judged. ``memory``,
        if there, is how many newest periods the method weighed for each judgement; by default 1.
    rules : ConfidenceRules
        Thresholds on the q-value.

    Raises
    ------
    DetectorError
        If columns are missing, a judged p-value is outside [0, 1], or a series-period is there twice.
    """
    missing = [column for column in SIGNAL_COLUMNS if column not in signals.columns]
    if missing:
        raise DetectorError(
            f"assess: signals must have the columns {', '.join(SIGNAL_COLUMNS)}; missing: {', '.join(missing)}",
            hint="add the model's stream, source type, frequency and detector to Signals.to_frame()",
        )
    reason = signals["reason"].astype("object").fillna("")
    table = signals.loc[(reason == "").to_numpy() & signals["p_value"].notna().to_numpy(), SIGNAL_COLUMNS].copy()
    for column in TEXT:
        # Plain Python strings: single rows are read often, and Arrow strings are slow at that.
        values = table[column].astype("object")
        table[column] = pd.Series([str(value) for value in values.where(values.notna(), "")], index=table.index, dtype="object")
    for column in NUMBERS:
        table[column] = table[column].astype(np.float64)
    table["memory"] = signals.loc[table.index, "memory"].astype(np.int64) if "memory" in signals else 1
    for column in ("period_start", "period_end"):
        table[column] = pd.to_datetime(table[column]).dt.normalize()
    table["alarm"] = table["alarm"].astype(bool)
    table = table.sort_values([*SERIES, "period_start"], kind="stable").reset_index(drop=True)
    twice = table.duplicated([*SERIES, "period_start"])
    if twice.any():
        row = table.loc[twice].iloc[0]
        raise DetectorError(
            f"assess: each series and period must be judged once, but model {row['model']!r}, product {row['product']!r}, "
            f"region {row['region']!r}, period {row['period_start'].date()} is there twice"
        )
    table["q_value"] = q_values(table["p_value"], unseen=unseen_tests(reason))
    table["excess"] = table["observed"] - table["expected"]
    # Only an excess counts: a fall in failures is no warning.
    table["alarm"] = table["alarm"] & (table["excess"] > 0)
    table["windows"] = _windows(table)
    table["newest"] = ~table.duplicated(SERIES, keep="last")
    table["hit"] = table["alarm"] & (table["q_value"] < rules.q_weak)
    table["candidate"] = table["alarm"] & (table["q_value"] < rules.q_review)
    alarms = int(table["alarm"].sum())
    return Judged(table, len(table), alarms, int(table["hit"].sum()), alarms - int(table["candidate"].sum()))


def _windows(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return how many separate windows in alarm end at each row; rows sorted by series and period.

    For a method that judges each period on its own these are the consecutive periods in alarm. A method that weighs the newest m
    periods together alarms again on what it has seen already: m consecutive alarms are one window, and each m more are another.
    """
    size = len(table)
    windows = np.zeros(size, dtype=np.int64)
    if not size:
        return windows
    same = (table[SERIES].to_numpy()[1:] == table[SERIES].to_numpy()[:-1]).all(axis=1)
    start = table["period_start"].to_numpy().astype("datetime64[D]")
    end = table["period_end"].to_numpy().astype("datetime64[D]")
    # A gap (a period that was not judged) breaks the run: two alarms a month apart are not consecutive.
    follows = same & (start[1:] - end[:-1] == np.timedelta64(1, "D"))
    alarm = table["alarm"].to_numpy()
    # Position within the current run of alarms: count since the last break.
    breaks = np.concatenate(([True], ~follows | ~alarm[:-1]))
    first = np.maximum.accumulate(np.where(breaks, np.arange(size), 0))
    run = np.arange(size) - first
    windows[alarm] = (1 + run // table["memory"].to_numpy())[alarm]
    return windows
