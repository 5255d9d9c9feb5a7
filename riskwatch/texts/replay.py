"""Which terms would have alarmed on which day: the newest period judged again and again with what was known by then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.calendar import Frequency
from riskwatch.detectors.log_odds_dirichlet import LogOddsDirichlet
from riskwatch.texts.emerging import emerging, term_panel
from riskwatch.texts.rules import TextRules
from riskwatch.texts.tokens import Tokeniser

__all__ = ["REPLAY_COLUMNS", "Floors", "first_alarms", "replay"]

REPLAY_COLUMNS = ["day", "term", "alike", "same_as", "records_now", "records_before", "log_odds", "z", "p_value", "q_value", "tested"]


@dataclass(frozen=True)
class Floors:
    """What an alarm needs besides its p-value, as a model and the run ask for it.

    Attributes
    ----------
    fdr : float
        Largest q-value (Benjamini and Hochberg) over the terms of the day.
    min_observed : float
        Fewest records of the newest period.
    min_relative_risk : float
        Smallest ratio of the window's share to the baseline's.
    """

    fdr: float = 0.05
    min_observed: float = 2.0
    min_relative_risk: float = 2.0


def replay(
    frame: pd.DataFrame,
    days: Sequence[dt.date],
    *,
    field: str,
    rules: TextRules,
    tokeniser: Tokeniser,
    frequency: Frequency,
    method: LogOddsDirichlet,
    floors: Floors = Floors(),
    reporter: str = "",
    known_at: str = "event_date",
) -> pd.DataFrame:
    """Return the terms in alarm on each day, judged with the records that were known at its end and with no others.

    Which terms are common enough to be judged, which are joined and how unevenly they come is learnt anew on each day.

    Parameters
    ----------
    frame : DataFrame
        As for :func:`riskwatch.texts.term_panel`, and ``known_at``.
    days : sequence of date
    field, rules, tokeniser, frequency, reporter
        As for :func:`riskwatch.texts.term_panel`.
    method : LogOddsDirichlet
    floors : Floors
    known_at : str
        Column of the day on which a record became known.

    Returns
    -------
    DataFrame
        :data:`REPLAY_COLUMNS`, one row per day and term in alarm, by day and then the least likely chance first; ``tested`` is the
        number of terms judged that day. Days before the first complete period have no rows.
    """
    known = frame[known_at].to_numpy(dtype="datetime64[D]")
    happened = frame["event_date"].to_numpy(dtype="datetime64[D]")
    tables = []
    for day in days:
        now = np.datetime64(day, "D")
        seen = frame.loc[(known <= now) & (happened <= now)]
        if seen.empty:
            continue
        found = term_panel(
            seen,
            field=field,
            rules=rules,
            tokeniser=tokeniser,
            trees={},
            frequency=frequency,
            until=day,
            product_fields=(),
            reporter=reporter,
        )
        if not len(found.corpus.terms):
            continue
        table = emerging(found, method, rules=rules, reporter=reporter)
        newest = dict(zip(found.corpus.terms, found.built.panel.observed[:, -1].tolist(), strict=True))
        enough = np.array([newest[term] >= floors.min_observed for term in table["term"]], np.bool_)
        risen = table["share_now"].to_numpy() >= floors.min_relative_risk * table["share_before"].fillna(0.0).to_numpy()
        good = table["alarm"].to_numpy(np.bool_) & enough & risen & (table["q_value"].to_numpy() <= floors.fdr)
        tables.append(table.loc[good].assign(day=day, tested=len(table)))
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in REPLAY_COLUMNS})
    return pd.concat(tables, ignore_index=True)[REPLAY_COLUMNS]


def first_alarms(alarms: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each term of :func:`replay`: new ones only, as a reader of every day meets them.

    A term that is named as alike, or of the same records, as one that came before or with it is no news of its own.
    """
    told: set[str] = set()
    keep = []
    columns = [alarms[name].tolist() for name in ("term", "alike", "same_as")]
    for at, (term, alike, same_as) in enumerate(zip(*columns, strict=True)):
        names = {term, *alike, *([same_as] if same_as else [])}
        if not names & told:
            keep.append(at)
        told |= names
    return alarms.iloc[keep].reset_index(drop=True)
