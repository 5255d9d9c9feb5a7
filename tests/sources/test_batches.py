"""Cutting rows into batches: nothing is lost, numbers run on, keys are not torn apart."""

from __future__ import annotations

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.sources import batches
from riskwatch.sources.batches import Segment, keep_together, rechunk


def segments(values: list[str], cuts: list[int], start: int = 1) -> list[Segment]:
    table = pa.table({"k": pa.array(values, pa.string())})
    edges = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    return [Segment(table.slice(a, b - a), start + a) for a, b in itertools.pairwise(edges)]


@given(count=st.integers(0, 60), cuts=st.lists(st.integers(0, 60)), size=st.integers(1, 20))
def test_rechunking_keeps_rows_and_numbers(count, cuts, size):
    values = [str(number) for number in range(1, count + 1)]
    found = list(rechunk(segments(values, cuts), size))
    assert [segment.table.num_rows for segment in found[:-1]] == [size] * (len(found) - 1)
    assert [(segment.first_row + place, row) for segment in found for place, row in enumerate(segment.table.column("k").to_pylist())] == [
        (int(value), value) for value in values
    ]


def test_rechunking_stops_at_gaps():
    parts = [*segments(["1", "2"], []), *segments(["4", "5"], [], start=4)]
    assert [(part.first_row, part.table.num_rows) for part in rechunk(parts)] == [(1, 2), (4, 2)]


@given(keys=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=40), cuts=st.lists(st.integers(1, 40)))
def test_neighbouring_rows_of_one_key_stay_together(keys, cuts):
    found = list(keep_together(segments(keys, cuts), [("other", "k")]))
    rows = [(segment.first_row + place, row) for segment in found for place, row in enumerate(segment.table.column("k").to_pylist())]
    assert rows == list(enumerate(keys, start=1))
    for left, right in itertools.pairwise(found):
        # Torn only where one key fills the whole left segment.
        last = left.table.column("k").to_pylist()
        assert last[-1] != right.table.column("k")[0].as_py() or len(set(last)) == 1


def test_a_key_that_fills_batches_is_handed_on_within_the_limit(monkeypatch):
    monkeypatch.setattr(batches, "MAX_BATCH_ROWS", 5)
    found = list(keep_together(segments(["a"] * 4 + ["b"] * 13, [5, 10, 15]), [("k",)]))
    assert [segment.table.num_rows for segment in found] == [4, 5, 1, 5, 2]
    assert sum(segment.table.num_rows for segment in found) == 17
