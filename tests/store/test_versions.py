"""The plan of versions against a naive replay, row by row."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.store.versions import CHANGED, NEW, SAME, STALE, Incoming, Stored, plan_versions

NAT = np.datetime64("NaT", "D")
EPOCH = np.datetime64("2024-01-01", "D")
# A row: key, content, declared day or None; small ranges, so that everything collides.
ROWS = st.tuples(st.integers(0, 2), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 12)))
HISTORY = st.lists(st.lists(ROWS, max_size=5), max_size=6)


def day(number: int | None) -> np.datetime64:
    return NAT if number is None else EPOCH + number


class Naive:
    """A list of statements per key, kept in the order of the days on which each takes effect."""

    def __init__(self) -> None:
        self.effects: dict[int, list[tuple[int, int, int]]] = {}  # key -> (effective day, declared position, content)

    def state(self, key: int, content: int, declared: int | None, arrival: int) -> None:
        effects = self.effects.setdefault(key, [])
        if not effects:
            first = arrival if declared is None else declared
            effects.append((first, first, content))
            return
        effective, position, current = effects[-1]
        if declared is not None and declared < position:
            before = [effect for effect in effects if effect[0] <= declared]
            if not before or before[-1][2] != content:
                effects.insert(len(before), (declared, declared, content))
        elif content != current:
            start = declared if declared is not None and declared > effective else max(arrival, effective)
            effects.append((start, start if declared is None else declared, content))

    def as_of(self, when: int) -> dict[int, int]:
        known = {key: [content for start, _, content in effects if start <= when] for key, effects in self.effects.items()}
        return {key: contents[-1] for key, contents in known.items() if contents}


class Planned:
    """What the plan makes of the same, kept in arrays as the database would."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def batch(self, rows: list[tuple[int, int, int | None]], arrival: int) -> np.ndarray:
        keys, contents, declared = ([row[i] for row in rows] for i in range(3))
        mine = [row for row in self.rows if row["key"] in set(keys)]
        stored = Stored(
            *(np.array([row[name] for row in mine], np.int64) for name in ("key", "record_id", "version", "content")),
            *(np.array([row[name] for row in mine], "datetime64[D]") for name in ("known", "declared", "superseded")),
        )
        incoming = Incoming(np.array(keys, np.int64), np.array(contents, np.int64), np.array([day(d) for d in declared], "datetime64[D]"))
        plan = plan_versions(incoming, stored, day(arrival))
        by_id = {row["record_id"]: row for row in self.rows}
        for record_id, closed_at in zip(plan.closed.tolist(), plan.closed_at, strict=True):
            by_id[record_id]["superseded"] = closed_at
        for i, row in enumerate(plan.rows.tolist()):
            key = keys[row]
            version = 1 + max((old["version"] for old in self.rows if old["key"] == key), default=0)
            record = {"key": key, "record_id": len(self.rows) + 1, "version": version, "content": contents[row]}
            record |= {"known": plan.known[i], "declared": plan.declared[i], "superseded": plan.superseded[i]}
            self.rows.append(record)
        return plan.status

    def as_of(self, when: int) -> dict[int, int]:
        visible = [row for row in self.rows if row["known"] <= day(when) and (np.isnat(row["superseded"]) or row["superseded"] > day(when))]
        assert len({row["key"] for row in visible}) == len(visible), "two versions of one key are visible on one day"
        return {row["key"]: row["content"] for row in visible}


@given(HISTORY)
@settings(max_examples=150, deadline=None)
def test_any_day_of_any_history_equals_the_naive_replay(history):
    naive, planned = Naive(), Planned()
    for arrival, rows in enumerate(history, start=5):
        for row in rows:
            naive.state(*row, arrival)
        planned.batch(rows, arrival)
        for when in range(-1, 20):
            assert planned.as_of(when) == naive.as_of(when)
        current = [row["key"] for row in planned.rows if np.isnat(row["superseded"])]
        assert len(current) == len(set(current)) == len(naive.effects)


@given(st.permutations([0, 3, 5, 9]), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_versions_with_days_of_their_own_may_come_in_any_order(order, size):
    contents = {0: 4, 3: 1, 5: 3, 9: 2}
    planned = Planned()
    rows = [(0, contents[declared], declared) for declared in order]
    for arrival, chunk in enumerate(_batched(rows, size), start=20):
        planned.batch(list(chunk), arrival)
    assert [planned.as_of(when).get(0) for when in range(-1, 11)] == [None, 4, 4, 4, 1, 1, 3, 3, 3, 3, 2, 2]


def _batched(rows, size):
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def test_status_says_what_became_of_each_row():
    planned = Planned()
    assert planned.batch([(0, 1, 3), (1, 1, None)], 5).tolist() == [NEW, NEW]
    assert planned.batch([(0, 1, 4), (1, 2, None), (2, 0, None)], 6).tolist() == [SAME, CHANGED, NEW]
    assert planned.batch([(0, 9, 1), (0, 9, 2)], 7).tolist() == [STALE, STALE]


def test_a_batch_of_new_keys_is_planned_without_looking_at_each():
    size = 200_000
    incoming = Incoming(np.arange(size), np.arange(size), np.full(size, day(2)))
    plan = plan_versions(incoming, Stored.empty(), np.datetime64(dt.date(2024, 5, 1), "D"))
    assert plan.rows.size == size
    assert np.isnat(plan.superseded).all()
    assert np.isnat(plan.declared).all()
    assert (plan.known == day(2)).all()
    empty = plan_versions(Incoming(*(np.empty(0, np.int64),) * 2, np.empty(0, "datetime64[D]")), Stored.empty(), day(0))
    assert empty.rows.size == 0
