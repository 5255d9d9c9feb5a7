"""False-discovery control over all series of a run.

Every judged series-period of a run is one test, and so is every cell left out for its own small count. The tests are ordered in nested
families along the product, industry and region trees and the models (:mod:`riskwatch.assessment.families`): among the signals of the
families selected at ``q < 0.05`` at most one in twenty is expected to be false, however many series were watched. Repeated looks at the
same series and period share the error of one test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import false_discovery_control

from riskwatch.assessment.evidence_rules import Discovery
from riskwatch.assessment.families import level_weights, look_weights, tree_q_values
from riskwatch.assessment.lookups import Lookups
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import ConfidenceRules, GradingRules
from riskwatch.assessment.texts import Coded, coded, joined
from riskwatch.errors import DetectorError

__all__ = [
    "SERIES", "SIGNAL_COLUMNS", "TOO_FEW", "Controlled", "Judged", "control", "control_rules", "counts_of", "discoveries", "judge",
    "q_values", "unseen_tests",
]  # fmt: skip

Ids = npt.NDArray[np.int64]

TOO_FEW = "too-few-cases"
"""Reason of cells that are not judged because of their own small count: tests all the same."""

SERIES = ["model", "stream", "product", "industry", "region", "stratum", "frequency"]
TEXT = [*SERIES, "source_type", "detector", "detector_hash"]
NUMBERS = ["observed", "exposure", "expected", "lower", "upper", "p_value"]
SIGNAL_COLUMNS = [*TEXT, "period_start", "period_end", *NUMBERS, "alarm", "reason"]


@dataclass(frozen=True, eq=False)
class Controlled:
    """All tests of a run with their q-values, before any threshold is put on them.

    Attributes
    ----------
    table : pandas.DataFrame
        As that of :class:`Judged`, without ``hit`` and ``candidate``.
    family_q : array of float, shape (families,)
        Smallest q-value of each family on the finest level.
    counts : dict of str to int
        ``tests``, ``unseen``, ``families``, ``repeated_looks``.
    """

    table: pd.DataFrame
    family_q: npt.NDArray[np.float64]
    counts: dict[str, int]


@dataclass(frozen=True, eq=False)
class Judged:
    """All tests of a run, and those that are worth a look.

    Attributes
    ----------
    table : pandas.DataFrame
        Every judged series-period in a fixed order (it does not depend on the order of the input), with ``q_value``, ``excess``,
        ``windows`` (separate windows in alarm that end here), ``newest`` (the series' newest judged period) and ``hit``.
    tests, alarms, hits, dropped : int
        Number of judged tests; alarms with an excess; of these with q below ``q_weak``; and beyond ``q_review``, which are only counted.
    tested : dict of str to int
        ``tests``; ``unseen`` (cells that count as tests for being left out by their own count); ``families`` on the finest level and
        ``families_selected`` (with a q below ``q_weak``); ``repeated_looks`` (tests at a series and period looked at before).
    """

    table: pd.DataFrame
    tests: int
    alarms: int
    hits: int
    dropped: int
    tested: dict[str, int] = field(default_factory=dict)

    @cached_property
    def lookups(self) -> Lookups:
        """The table by row number, for what every concern asks of it."""
        return Lookups(self.table)


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
    return sum(reason == TOO_FEW for reason in reasons)


def _labels(columns: Mapping[str, Coded], rules: Discovery, paths: Mapping[str, TreePaths], spread_level: str) -> list[Ids]:
    """Return the family of each row on each level, coarse to fine, as numbers."""

    def subject() -> tuple[Ids, list[tuple[str, str]]]:
        """Return the kind and code of what each row is about: its product, else its industry, else its region."""
        product, industry = columns["product"], columns["industry"]
        pair = joined(product.ids, industry.ids)
        _, first = np.unique(pair, return_index=True)
        told = [(str(product.words[product.ids[row]]), str(industry.words[industry.ids[row]])) for row in first.tolist()]
        return pair, [("product", p) if p else ("industry", i) if i else ("region", "") for p, i in told]

    def branch(kind: str, code: str) -> str:
        if not code:
            return kind
        line = paths[kind].path(code) if kind in paths else (code,)
        return f"{kind}|{line[0] if line else code}"

    def prefecture(code: str) -> str:
        return (paths["region"].at_level(code, spread_level) if "region" in paths else "") or code

    def labelled(ids: Ids, names: list[str]) -> Ids:
        return np.asarray(pd.factorize(np.array(names, dtype=object))[0].astype(np.int64)[ids])

    pair, subjects = subject()
    region = columns["region"]
    every: dict[str, Callable[[], Ids]] = {
        "branch": lambda: labelled(pair, [branch(kind, code) for kind, code in subjects]),
        "model": lambda: columns["model"].ids,
        "subject": lambda: labelled(pair, [f"{kind}|{code}" for kind, code in subjects]),
        "place": lambda: labelled(region.ids, [prefecture(str(code)) for code in region.words]),
    }
    return [every[level]() for level in rules.families]


def _levels_of(region: Coded, tree: TreePaths) -> Ids:
    """Return the level of each row's region as a number; a level that one region alone stands on is that of the whole."""
    names = pd.Series([tree.level(str(code)) if code else "" for code in region.words], dtype="object")
    told = names.where(names.map(names.value_counts()) > 1, "")
    return np.asarray(pd.factorize(told)[0].astype(np.int64)[region.ids])


def discoveries(signals: pd.DataFrame, rules: GradingRules, paths: Mapping[str, TreePaths] | None = None) -> pd.DataFrame:
    """Return the q-value of every judged row of a run, and what it rests on.

    Parameters
    ----------
    signals : pandas.DataFrame
        All series-periods of a run, columns :data:`SIGNAL_COLUMNS`. ``looks``, if there, is how many distinct looks were taken at the
        same series and period on this and earlier days; by default a period's place counted from its series' newest.
    rules : GradingRules
        ``discovery`` and ``scope.spread_level`` are read.
    paths : mapping of str to TreePaths, optional
        ``product``, ``industry``, ``region``; without them every code is a branch of its own, and tests share alike.

    Returns
    -------
    pandas.DataFrame
        Indexed as the tests are in ``signals`` (judged rows first, then the cells left out for their own count): ``q_value``,
        ``judged``, ``look`` (1 for the first), ``family`` (number of the finest family).

    Raises
    ------
    DetectorError
        If a judged p-value lies outside [0, 1].
    """
    reason = signals["reason"].astype("object").fillna("")
    judged = (reason == "").to_numpy() & signals["p_value"].notna().to_numpy()
    unseen = (reason == TOO_FEW).to_numpy()
    rows = np.concatenate([np.flatnonzero(judged), np.flatnonzero(unseen)])
    part = signals.iloc[rows]
    known = np.arange(len(rows)) < judged.sum()
    p = np.where(known, part["p_value"].astype(np.float64), 1.0)
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        raise DetectorError(f"discoveries: p-values must lie in [0, 1], got {p[wrong][0]} ({int(wrong.sum())} of {p.size} are wrong)")
    out = pd.DataFrame({"q_value": np.ones(len(rows)), "judged": known, "look": 1, "family": 0}, index=part.index)
    if not len(rows):
        return out
    columns = {name: coded(part[name]) for name in SERIES}
    series = joined(*(column.ids for column in columns.values()))
    start = pd.to_datetime(part["period_start"]).to_numpy()
    order = np.lexsort((start, series))
    order = order[known[order]]
    told = part["looks"].astype(np.int64).to_numpy() if "looks" in part.columns else np.ones(len(rows), dtype=np.int64)
    looks = rules.discovery.looks
    weight = np.ones(len(rows))
    weight[order] = look_weights(series[order], told[order], first=looks.first, most=looks.retrospect)
    place = pd.Series(series[order]).groupby(series[order]).cumcount(ascending=False).to_numpy() + 1
    look = np.ones(len(rows), dtype=np.int64)
    look[order] = np.maximum(place, told[order])
    if rules.discovery.shared_by == "levels" and paths and "region" in paths:
        weight *= level_weights(columns["model"].ids, _levels_of(columns["region"], paths["region"]))
    labels = _labels(columns, rules.discovery, paths or {}, rules.scope.spread_level)
    out["q_value"] = tree_q_values(p / weight, labels)
    out["look"] = look
    out["family"] = joined(np.zeros(len(rows), dtype=np.int64), *labels)
    return out


def counts_of(tests: pd.DataFrame, rules: GradingRules) -> dict[str, int]:
    """Return the counts of a run's tests, from what :func:`discoveries` returned."""
    family_q = _by_family(tests)
    return _with_selected(_plain_counts(tests, len(family_q)), family_q, rules.confidence)


def _by_family(tests: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the smallest q-value of each family."""
    return tests.groupby("family", sort=True)["q_value"].min().to_numpy(dtype=np.float64)


def _plain_counts(tests: pd.DataFrame, families: int) -> dict[str, int]:
    return {
        "tests": int(tests["judged"].sum()),
        "unseen": int((~tests["judged"]).sum()),
        "families": families,
        "repeated_looks": int((tests["judged"] & (tests["look"] > 1)).sum()),
    }


def _with_selected(counts: Mapping[str, int], family_q: npt.NDArray[np.float64], confidence: ConfidenceRules) -> dict[str, int]:
    found = {**counts, "families_selected": int((family_q < confidence.q_weak).sum())}
    return {name: found[name] for name in ("tests", "unseen", "families", "families_selected", "repeated_looks")}


def control(signals: pd.DataFrame, rules: GradingRules, paths: Mapping[str, TreePaths] | None = None) -> Controlled:
    """Control false discoveries over the judged rows of ``signals``, whatever thresholds are then put on the q-values.

    Parameters
    ----------
    signals : pandas.DataFrame
        Long frame of all series-periods of a run with the columns :data:`SIGNAL_COLUMNS`; ``reason`` is "" where judged. ``memory``,
        if there, is how many newest periods the method weighed for each judgement; by default 1. ``evidence_start``, if there, is the
        first day of the periods in which the evidence lies; by default that of the judged period.
    rules : GradingRules
        ``discovery`` and ``scope.spread_level`` are read (:func:`control_rules`).
    paths : mapping of str to TreePaths, optional
        ``product``, ``industry``, ``region``.

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
    judged = (reason == "").to_numpy() & signals["p_value"].notna().to_numpy()
    table = signals.loc[judged, SIGNAL_COLUMNS].copy()
    for column in TEXT:
        # Plain Python strings: single rows are read often, and Arrow strings are slow at that.
        table[column] = pd.Series(coded(table[column]).texts, index=table.index, dtype="object")
    for column in NUMBERS:
        table[column] = table[column].astype(np.float64)
    tests = discoveries(signals.reset_index(drop=True), rules, paths)
    table["q_value"] = tests["q_value"].reindex(np.flatnonzero(judged)).to_numpy()
    table["memory"] = signals.loc[table.index, "memory"].astype(np.int64) if "memory" in signals else 1
    given = signals.loc[table.index, "evidence_start"] if "evidence_start" in signals else table["period_start"]
    table["evidence_start"] = given.fillna(table["period_start"])
    for column in ("period_start", "period_end", "evidence_start"):
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
    table["excess"] = table["observed"] - table["expected"]
    # Only an excess counts: a fall in failures is no warning.
    table["alarm"] = table["alarm"] & (table["excess"] > 0)
    table["windows"] = _windows(table)
    table["newest"] = ~table.duplicated(SERIES, keep="last")
    family_q = _by_family(tests)
    return Controlled(table, family_q, _plain_counts(tests, len(family_q)))


def control_rules(rules: GradingRules) -> dict[str, object]:
    """Return what :func:`control` reads of the rules, JSON-able."""
    return {"discovery": rules.discovery.model_dump(mode="json"), "spread_level": rules.scope.spread_level}


def judge(signals: pd.DataFrame | Controlled, rules: GradingRules, paths: Mapping[str, TreePaths] | None = None) -> Judged:
    """Control false discoveries over the judged rows of ``signals``, and put the thresholds of ``rules.confidence`` on the q-values.

    Parameters
    ----------
    signals : pandas.DataFrame or Controlled
        As for :func:`control`, or what it returned.
    rules : GradingRules
        ``confidence`` (thresholds on the q-value), ``discovery`` and ``scope.spread_level`` are read.
    paths : mapping of str to TreePaths, optional
        ``product``, ``industry``, ``region``.

    Raises
    ------
    DetectorError
        If columns are missing, a judged p-value is outside [0, 1], or a series-period is there twice.
    """
    found = signals if isinstance(signals, Controlled) else control(signals, rules, paths)
    confidence: ConfidenceRules = rules.confidence
    alarm, q = found.table["alarm"], found.table["q_value"]
    table = found.table.assign(hit=alarm & (q < confidence.q_weak), candidate=alarm & (q < confidence.q_review))
    alarms = int(alarm.sum())
    return Judged(
        table,
        len(table),
        alarms,
        int(table["hit"].sum()),
        alarms - int(table["candidate"].sum()),
        tested=_with_selected(found.counts, found.family_q, confidence),
    )


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
