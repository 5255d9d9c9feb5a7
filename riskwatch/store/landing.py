"""Raw rows, stored as they came before anyone judges them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.store.columns import arrow_rows
from riskwatch.store.database import Database, instant
from riskwatch.store.tables import batch, raw_chunk

__all__ = ["Landed", "Raw", "compress", "land", "pending", "read_raw", "repeated_rows", "seen_keys"]


class Raw(Protocol):
    """What landing needs of a raw batch (``sources.RawBatch`` has it).

    ``table`` has text columns only; ``first_row`` is the 1-based number of its first row in its content; ``content_key`` is the
    sha256 of that content; ``last`` is true on the last batch of it; ``cursor`` is what to pull from next, or None.
    """

    @property
    def source(self) -> str:
        """Name of the source."""

    @property
    def name(self) -> str:
        """File, chunk or page."""

    @property
    def content_key(self) -> str:
        """Hash of the content."""

    @property
    def table(self) -> pa.Table:
        """Raw rows."""

    @property
    def first_row(self) -> int:
        """Number of the first row."""

    @property
    def cursor(self) -> str | None:
        """Where to go on."""

    @property
    def last(self) -> bool:
        """Whether the content ends here."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A batch whose raw rows are stored. ``judged`` is true if it was ingested before: nothing is left to do."""

    batch_id: int
    source: str
    stream: str
    name: str
    first_row: int
    n_rows: int
    judged: bool


def compress(table: pa.Table) -> bytes:
    """Write a table as a zstd-compressed Arrow IPC stream, losslessly."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _decompress(payload: bytes) -> pa.Table:
    return pa.ipc.open_stream(pa.py_buffer(payload)).read_all()


def _find_batch(database: Database, raw: Raw) -> Landed | None:
    """Return the stored batch of the same content and first row, or None."""
    with database.session(f'look for {raw.name} of source "{raw.source}"') as session:
        row = session.first(sa.select(batch).where(_same(raw)))
    return None if row is None else _landed(row)


def _same(raw: Raw) -> sa.ColumnElement[bool]:
    return sa.and_(batch.c.source == raw.source, batch.c.content_key == raw.content_key, batch.c.first_row == raw.first_row)


def land(database: Database, raw: Raw, stream: str, landed_at: dt.datetime, payload: bytes | None = None) -> Landed:
    """Store the raw rows of one batch, once: the same content at the same row is known again.

    Parameters
    ----------
    database : Database
        Where to store.
    raw : Raw
        The batch as a source yields it.
    stream : str
        Stream that its rows belong to.
    landed_at : datetime
        Now, with a zone.
    payload : bytes, optional
        ``compress(raw.table)``, where another thread made it already.

    Raises
    ------
    StoreError
        If a column is not text, or the database refuses.
    """
    for field in raw.table.schema:
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_null(field.type)):
            raise StoreError(
                f'Cannot land {raw.name} of source "{raw.source}": raw columns are text, column "{field.name}" is {field.type}.',
                hint="the reader must hand over values as they were found",
            )
    found = _find_batch(database, raw)
    if found is not None:
        return found
    payload = compress(raw.table) if payload is None else payload
    with database.session(f'land {raw.name} of source "{raw.source}"', write=True, lock=batch) as session:
        row = session.first(sa.select(batch).where(_same(raw)))
        if row is not None:
            return _landed(row)
        batch_id = int(session.scalar(sa.select(sa.func.coalesce(sa.func.max(batch.c.batch_id), 0)))) + 1
        row = {
            "batch_id": batch_id,
            "source": raw.source,
            "stream": stream,
            "name": raw.name,
            "content_key": raw.content_key,
            "first_row": raw.first_row,
            "last": raw.last,
            "cursor": raw.cursor,
            "n_rows": raw.table.num_rows,
            "landed_at": instant(landed_at),
            "state": "landed",
        }
        row |= dict.fromkeys(("n_new", "n_changed", "n_same", "n_stale", "n_rejected"), 0)
        chunk = {"batch_id": batch_id, "chunk_no": 0, "first_row": raw.first_row, "n_rows": raw.table.num_rows, "payload": payload}
        session.append(batch, arrow_rows([row], batch, session.dialect))
        session.append(raw_chunk, arrow_rows([chunk], raw_chunk, session.dialect))
    return _landed(row)


def _landed(values: Mapping[str, Any]) -> Landed:
    return Landed(
        batch_id=values["batch_id"],
        source=values["source"],
        stream=values["stream"],
        name=values["name"],
        first_row=values["first_row"],
        n_rows=values["n_rows"],
        judged=values["state"] == "judged",
    )


def read_raw(database: Database, batch_id: int) -> pa.Table:
    """Return the raw rows of a batch exactly as they landed.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    query = sa.select(raw_chunk.c.payload).where(raw_chunk.c.batch_id == batch_id).order_by(raw_chunk.c.chunk_no)
    with database.session(f"read the raw rows of batch {batch_id}") as session:
        payloads = session.fetch(query).column(0).to_pylist()
    if not payloads:
        raise StoreError(f"No raw rows of batch {batch_id} in {database.shown}.", hint="list the batches with store.batches()")
    return pa.concat_tables([_decompress(payload) for payload in payloads])


def pending(database: Database, source: str | None = None) -> Iterator[tuple[Landed, pa.Table]]:
    """Yield batches that landed and were never judged (a run was killed between), oldest first, with their raw rows."""
    query = sa.select(batch).where(batch.c.state == "landed").order_by(batch.c.batch_id)
    if source is not None:
        query = query.where(batch.c.source == source)
    with database.session("list batches that wait to be judged") as session:
        waiting = [_landed(row) for row in session.rows(query)]
    for landed in waiting:
        yield landed, read_raw(database, landed.batch_id)


def seen_keys(database: Database, source: str) -> frozenset[str]:
    """Return the content keys of a source that were read to their last batch, all batches judged."""
    whole = sa.func.max(sa.case((batch.c.last.is_(True), 1), else_=0)) == 1
    judged = sa.func.min(sa.case((batch.c.state == "judged", 1), else_=0)) == 1
    query = sa.select(batch.c.content_key).where(batch.c.source == source).group_by(batch.c.content_key).having(whole, judged)
    with database.session(f'list what was read of source "{source}"') as session:
        return frozenset(row["content_key"] for row in session.rows(query))


def repeated_rows(database: Database) -> int:
    """Return how many rows, of all that ever landed, repeated a row of their batch or the current version of their record."""
    with database.session("count repeated rows") as session:
        return int(session.scalar(sa.select(sa.func.coalesce(sa.func.sum(batch.c.n_same), 0))))
