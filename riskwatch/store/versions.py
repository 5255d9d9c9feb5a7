"""Where a row belongs among the versions of its record: pure arrays, no database.

The rules, in the order in which they are tried for one incoming row and the versions already stored of its key:

1. No version yet: a new record, known from the declared day, else from the day of arrival.
2. No declared day, or one that is not before the day that the current version declared: the row is the source's newest
   statement. Same content: nothing is stored. Other content: a new version, known from the declared day where that is later
   than the current version's known day; otherwise (a correction that keeps the old date) from the day of arrival, and never
   before the version that it supersedes.
3. A declared day before the current version's: an older version that arrives late. It is put in its place in time, valid
   until the version that follows it; nothing is stored where the version in force on that day already says the same.

So for a record whose versions carry declared days and contents of their own, the history does not depend on the order of
loading. Where days are equal, or none is declared, order of arrival decides, for nothing else can. One case is left: a source
that says A, B and A again on three days, loaded as A, A, B. The second A was "the same" and left no trace, so B stays current
until the source speaks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CHANGED", "NEW", "SAME", "STALE", "Incoming", "Plan", "Stored", "plan_versions"]

NEW, CHANGED, SAME, STALE = range(4)

Days = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]
_NAT = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True, eq=False)
class Incoming:
    """Rows of one batch, in file order, all of shape (row,).

    ``key`` numbers the record keys from 0 (equal keys, equal numbers); ``declared`` is the day from which the source says that
    the row was known, NaT where it does not.
    """

    key: Ints
    content_hash: Ints
    declared: Days


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Versions already stored of the keys of a batch, all of shape (version,), in any order.

    ``key`` uses the numbers of :class:`Incoming`; ``declared`` is NaT where the known day is also the declared one, or none was declared.
    ``superseded`` is NaT for the current version, of which each key has exactly one.
    """

    key: Ints
    record_id: Ints
    version: Ints
    content_hash: Ints
    known: Days
    declared: Days
    superseded: Days

    @classmethod
    def empty(cls) -> Stored:
        """Return no versions at all."""
        none, no_days = np.empty(0, np.int64), np.empty(0, "datetime64[D]")
        return cls(none, none, none, none, no_days, no_days, no_days)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What to write.

    ``rows`` are the incoming rows that become versions, ascending, with their ``known``, ``superseded`` (NaT: current) and
    ``declared`` days;
    ``closed`` are record ids of stored versions whose ``superseded`` day changes to ``closed_at``; ``status`` is one of
    NEW, CHANGED, SAME, STALE for every incoming row.
    """

    rows: Ints
    known: Days
    superseded: Days
    declared: Days
    closed: Ints
    closed_at: Days
    status: npt.NDArray[np.uint8]


@dataclass(slots=True)
class _Version:
    """One version while a key is worked out step by step."""

    known: Any
    declared: Any
    content_hash: int
    row: int = -1
    record_id: int = -1
    superseded: Any = field(default=_NAT)

    @property
    def position(self) -> Any:
        return self.known if np.isnat(self.declared) else self.declared


def plan_versions(incoming: Incoming, stored: Stored, arrived: np.datetime64) -> Plan:
    """Decide for every incoming row whether it is new, changed, the same or stale, and from when it counts.

    Parameters
    ----------
    incoming : Incoming
        Rows of one batch.
    stored : Stored
        Every version already stored of any of their keys.
    arrived : datetime64[D]
        Day of arrival.

    Returns
    -------
    Plan
        Rows to insert and stored versions to close.
    """
    n = incoming.key.size
    keys = int(incoming.key.max()) + 1 if n else 0
    once = np.bincount(incoming.key, minlength=keys)[incoming.key] == 1 if n else np.zeros(0, bool)
    current = np.full(keys, -1, np.int64)
    open_ = np.flatnonzero(np.isnat(stored.superseded))
    current[stored.key[open_]] = open_
    at = current[incoming.key]
    has = at >= 0

    known = np.where(np.isnat(incoming.declared), arrived, incoming.declared)
    status = np.full(n, NEW, np.uint8)
    closed: Ints = np.empty(0, np.int64)
    closed_at: Days = np.empty(0, "datetime64[D]")
    stepwise = ~once
    write = once & ~has
    if has.any():
        c = np.where(has, at, 0)
        current_known = stored.known[c]
        position = np.where(np.isnat(stored.declared[c]), current_known, stored.declared[c])
        newest = np.isnat(incoming.declared) | (incoming.declared >= position)
        equal = incoming.content_hash == stored.content_hash[c]
        later = ~np.isnat(incoming.declared) & (incoming.declared > current_known)
        same, changed = once & has & newest & equal, once & has & newest & ~equal
        known = np.where(changed, np.where(later, incoming.declared, np.maximum(arrived, current_known)), known)
        status[same], status[changed] = SAME, CHANGED
        closed, closed_at = stored.record_id[at[changed]], known[changed]
        stepwise |= once & has & ~newest
        write |= changed
    superseded = np.full(n, _NAT)
    if stepwise.any():
        more, more_at = _step_by_step(incoming, stored, arrived, np.flatnonzero(stepwise), (known, superseded, status, write))
        closed, closed_at = np.concatenate([closed, more]), np.concatenate([closed_at, more_at])

    rows = np.flatnonzero(write)
    declared = np.where(incoming.declared[rows] == known[rows], _NAT, incoming.declared[rows])
    return Plan(rows, known[rows], superseded[rows], declared, closed, closed_at, status)


def _step_by_step(
    incoming: Incoming,
    stored: Stored,
    arrived: np.datetime64,
    rows: Ints,
    out: tuple[Days, Days, npt.NDArray[np.uint8], npt.NDArray[np.bool_]],
) -> tuple[Ints, Days]:
    """Work out keys that come twice in a batch or carry an older version, row by row; fills ``out`` and returns what to close."""
    known, superseded, status, write = out
    histories: dict[int, list[_Version]] = {key: [] for key in incoming.key[rows].tolist()}
    for i in np.lexsort((stored.version, stored.known)).tolist():
        history = histories.get(int(stored.key[i]))
        if history is not None:
            history.append(
                _Version(
                    stored.known[i],
                    stored.declared[i],
                    int(stored.content_hash[i]),
                    record_id=int(stored.record_id[i]),
                    superseded=stored.superseded[i],
                )
            )
    for row in rows.tolist():
        history = histories[int(incoming.key[row])]
        status[row], placed = _place(history, incoming.declared[row], int(incoming.content_hash[row]), arrived, row)
        write[row] = placed
    closed: list[int] = []
    closed_at: list[Any] = []
    for history in histories.values():
        for version, following in zip(history, [*history[1:], None], strict=True):
            end = _NAT if following is None else following.known
            if version.row >= 0:
                known[version.row], superseded[version.row] = version.known, end
            elif not (end == version.superseded or (np.isnat(end) and np.isnat(version.superseded))):
                closed.append(version.record_id)
                closed_at.append(end)
    return np.array(closed, np.int64), np.array(closed_at, "datetime64[D]")


def _place(history: list[_Version], declared: Any, content_hash: int, arrived: Any, row: int) -> tuple[int, bool]:
    """Put one row in its place in a history ordered in time; return its status and whether it was put."""
    none_declared = bool(np.isnat(declared))
    if not history:
        history.append(_Version(arrived if none_declared else declared, declared, content_hash, row))
        return NEW, True
    last = history[-1]
    if none_declared or declared >= last.position:
        if content_hash == last.content_hash:
            return SAME, False
        day = declared if not none_declared and declared > last.known else max(arrived, last.known)
        history.append(_Version(day, declared, content_hash, row))
        return CHANGED, True
    place = _first_after(history, declared)
    if place and history[place - 1].content_hash == content_hash:
        return STALE, False
    history.insert(place, _Version(declared, declared, content_hash, row))
    return STALE, True


def _first_after(history: Sequence[_Version], day: Any) -> int:
    """Return the number of versions that are known on ``day`` or before."""
    return sum(1 for version in history if version.known <= day)
