"""Many batches through the store, with parsing and writing side by side."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riskwatch.store.ingest import IngestCounts, Judged
from riskwatch.store.landing import Landed, Raw, compress

if TYPE_CHECKING:
    from riskwatch.store.store import Store

__all__ = ["load"]

# Batches between parser and writer: one being written, one ready. More would only hold memory.
_AHEAD = 2


def load(
    store: Store, batches: Iterable[Raw], parse: Callable[[Raw], Judged], stream: str, *, arrived_at: dt.datetime
) -> Iterator[tuple[Raw, IngestCounts]]:
    """Land, parse and ingest batches in their order; the next is parsed while one is written.

    Parameters
    ----------
    store : Store
        The store.
    batches : iterable of Raw
        Raw batches as a source yields them.
    parse : callable
        Batch -> judged rows (give it the batch's ``first_row``); it runs in the caller's thread, as does reading the batches.
    stream : str
        Stream of the records.
    arrived_at : datetime
        Now, with a zone.

    Yields
    ------
    tuple
        Each batch and what became of its rows, once it is stored. A batch that was judged before counts nothing and is not parsed.

    Raises
    ------
    StoreError
        If the database refuses; batches already yielded are stored, and so may be those still under way: loading again does no harm.
    Exception
        Whatever ``parse`` raises; the raw rows of that batch have landed by then.
    """
    waiting: deque[tuple[Raw, Future[IngestCounts]]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as writer:
        for raw in batches:
            found = store.find_batch(raw)
            if found is not None and found.judged:
                yield from _drain(waiting, 0)
                yield raw, IngestCounts()
                continue
            landed = writer.submit(store.land, raw, stream, landed_at=arrived_at, payload=compress(raw.table))
            judged = parse(raw)
            hashes = store.content_hash(judged.records, judged.items)
            write = partial(_write, store, raw, landed, judged, hashes, arrived_at=arrived_at)
            waiting.append((raw, writer.submit(write)))
            yield from _drain(waiting, _AHEAD - 1)
        yield from _drain(waiting, 0)


def _drain(waiting: deque[tuple[Raw, Future[IngestCounts]]], keep: int) -> Iterator[tuple[Raw, IngestCounts]]:
    while len(waiting) > keep:
        raw, counts = waiting.popleft()
        yield raw, counts.result()


def _write(
    store: Store, raw: Raw, landed: Future[Landed], judged: Judged, hashes: npt.NDArray[np.int64], *, arrived_at: dt.datetime
) -> IngestCounts:
    return store.ingest(landed.result(), judged, raw=raw.table, arrived_at=arrived_at, hashes=hashes)
