"""Stored records back as narrow frames, exactly as they were known on a day."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.records.streams import STREAMS
from riskwatch.store.columns import arrow_type
from riskwatch.store.database import Database
from riskwatch.store.tables import ITEM_TABLES, RECORD_TABLES, batch, quarantine

__all__ = [
    "all_columns", "all_items", "count_records", "count_versions", "data_vintage", "first_events", "first_known", "freshness", "read_items",
    "read_records", "read_versions", "visible", "whole_number_columns",
]  # fmt: skip

# Texts that repeat become categoricals; long or nearly unique ones would only carry a dictionary as large as themselves.
_LONGEST_CATEGORY = 400
_RECENT_DAYS = 28


def visible(table: sa.Table, as_of: dt.date | None, without: Collection[int] = ()) -> sa.ColumnElement[bool]:
    """Return the condition that a version was in force on a day; None: the newest version of each record.

    ``without``: numbers of batches that are taken as if they had never landed. What they superseded is then in force again, so the
    days of superseding that they wrote are not looked at: in force is the last version known by the day.
    """
    if without:
        other = table.alias("other")
        later = sa.or_(
            other.c.known_at > table.c.known_at, sa.and_(other.c.known_at == table.c.known_at, other.c.version > table.c.version)
        )
        same = (other.c.key_hash == table.c.key_hash, other.c.source == table.c.source, other.c.record_key == table.c.record_key)
        known = [] if as_of is None else [other.c.known_at <= as_of]
        newer = sa.select(sa.literal(1)).select_from(other).where(*same, later, *known, other.c.batch_id.not_in(sorted(without)))
        mine = [] if as_of is None else [table.c.known_at <= as_of]
        return sa.and_(*mine, table.c.batch_id.not_in(sorted(without)), ~newer.correlate(table).exists())
    if as_of is None:
        return table.c.superseded_at.is_(None)
    return sa.and_(table.c.known_at <= as_of, sa.or_(table.c.superseded_at.is_(None), table.c.superseded_at > as_of))


def _table(stream: str) -> sa.Table:
    if stream not in RECORD_TABLES:
        raise StoreError(f'No stream "{stream}".', hint=f"streams are {', '.join(sorted(RECORD_TABLES))}")
    return RECORD_TABLES[stream]


def _column(table: sa.Table, name: str) -> sa.Column[Any]:
    if name not in table.c:
        raise StoreError(f'No column "{name}" in {table.name}.', hint=f"columns are {', '.join(table.c.keys())}")
    return table.c[name]


def all_columns(stream: str) -> list[str]:
    """Return the columns that are read where none are named: the source, and all fields of the stream."""
    return ["source", *(field.name for field in STREAMS[stream].all_fields)]


def read_records(
    database: Database,
    stream: str,
    columns: Sequence[str] | None = None,
    as_of: dt.date | None = None,
    *,
    where: Mapping[str, Iterable[object]] | None = None,
    between: Mapping[str, tuple[float, float]] | None = None,
    sources: Iterable[str] | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    without: Collection[int] = (),
) -> pd.DataFrame:
    """Read one version per record: the one in force on a day.

    Parameters
    ----------
    database : Database
        Where to read.
    stream : str
        Name of the stream.
    columns : sequence of str, optional
        Fields of the stream or bookkeeping columns (``source``, ``known_at``, ``record_id``, ...); by default the source
        and all fields.
    as_of : date, optional
        Only versions known at the end of this day and not superseded then; None: the newest ones.
    where : mapping, optional
        Field -> values allowed.
    between : mapping, optional
        Field -> lowest and highest value, inclusive; a missing value is outside.
    sources : iterable of str, optional
        Only records of these sources; empty or None: of all.
    since, until : date, optional
        First and last ``event_date``, inclusive.
    without : collection of int, optional
        Numbers of batches taken as if they had never landed; see :func:`visible`.

    Returns
    -------
    DataFrame
        In the order of storing. Days are ``datetime64[s]``, codes and repeating texts categoricals, whole numbers int64
        (float64 with NaN where some are missing), yes/no ``boolean``.

    Raises
    ------
    StoreError
        If the stream or a column is unknown, or the database refuses.
    """
    table = _table(stream)
    names = all_columns(stream) if columns is None else list(columns)
    chosen = [_column(table, name) for name in names]
    conditions = [visible(table, as_of, without)]
    conditions += [_column(table, name).in_(list(values)) for name, values in (where or {}).items()]
    conditions += [_column(table, name).between(low, high) for name, (low, high) in (between or {}).items()]
    wanted = list(sources or ())
    if wanted:
        conditions.append(table.c.source.in_(wanted))
    if since is not None:
        conditions.append(table.c.event_date >= since)
    if until is not None:
        conditions.append(table.c.event_date <= until)
    query = sa.select(*chosen).where(*conditions).order_by(table.c.record_id)
    return _read(database, query, chosen, _as_categories(stream, names), f"read {stream} records")


def count_records(database: Database, stream: str, as_of: dt.date | None = None, *, without: Collection[int] = ()) -> int:
    """Return how many records were known on a day."""
    table = _table(stream)
    with database.session(f"count records of {stream}") as session:
        return int(session.scalar(sa.select(sa.func.count()).select_from(table).where(visible(table, as_of, without))))


def first_known(
    database: Database, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None, *, without: Collection[int] = ()
) -> pd.DataFrame:
    """Say when records that have been corrected by a day were first known; all others have one version, known when it says.

    Returns
    -------
    DataFrame
        ``key_hash`` (int64) and ``first_known`` (datetime64[s]), one row per corrected record. Should two records share a hash, the
        earlier day stands for both.
    """
    table = _table(stream)
    # The oldest of several versions has always been superseded.
    query = sa.select(table.c.key_hash, sa.func.min(table.c.known_at).label("first_known")).where(table.c.superseded_at.is_not(None))
    if as_of is not None:
        query = query.where(table.c.superseded_at <= as_of)
    if without:
        # A version that only such a batch superseded is its record's first and last: the same day stands for it either way.
        query = query.where(table.c.batch_id.not_in(sorted(without)))
    wanted = list(sources or ())
    if wanted:
        query = query.where(table.c.source.in_(wanted))
    with database.session(f"see when corrected {stream} records were first known") as session:
        rows = list(session.rows(query.group_by(table.c.key_hash).order_by(table.c.key_hash)))
    frame = pd.DataFrame(rows, columns=["key_hash", "first_known"])
    return frame.assign(first_known=pd.to_datetime(frame["first_known"]).astype("datetime64[s]")).astype({"key_hash": "int64"})


def first_events(database: Database, stream: str, as_of: dt.date | None = None, *, without: Collection[int] = ()) -> dict[str, dt.date]:
    """Return, by source, the first day of which records were known on a day."""
    table = _table(stream)
    query = sa.select(table.c.source, sa.func.min(table.c.event_date).label("first")).where(visible(table, as_of, without))
    query = query.group_by(table.c.source)
    with database.session(f"see where the {stream} records begin") as session:
        return {str(row["source"]): row["first"] for row in session.rows(query)}


def read_items(
    database: Database,
    stream: str,
    record_ids: Sequence[int] | None = None,
    as_of: dt.date | None = None,
    *,
    without: Collection[int] = (),
) -> pd.DataFrame:
    """Read the child rows (test items) of the versions in force on a day, or of given record ids.

    Raises
    ------
    StoreError
        If the stream has no child rows, or the database refuses.
    """
    table, items = _table(stream), _items(stream)
    query = sa.select(items).order_by(items.c.record_id, items.c.item_no)
    if record_ids is not None:
        query = query.where(items.c.record_id.in_([int(number) for number in record_ids]))
    else:
        query = query.join(table, table.c.record_id == items.c.record_id).where(visible(table, as_of, without))
    return _read_items(database, stream, query)


def _items(stream: str) -> sa.Table:
    if stream not in ITEM_TABLES:
        raise StoreError(f'Stream "{stream}" has no items.', hint=f"streams with items: {', '.join(ITEM_TABLES)}")
    return ITEM_TABLES[stream]


def _read_items(database: Database, stream: str, query: sa.Select[Any]) -> pd.DataFrame:
    texts = {field.name for field in STREAMS[stream].items if field.kind in {"text", "code"}}
    return _read(database, query, list(_items(stream).columns), texts, f"read items of {stream}")


def count_versions(database: Database, stream: str) -> tuple[int, int]:
    """Return how many versions of records a stream has, and the highest number of one."""
    table = _table(stream)
    wanted: list[sa.ColumnElement[Any]] = [sa.func.count().label("n"), sa.func.max(table.c.record_id).label("newest")]
    with database.session(f"count versions of {stream}") as session:
        row = session.first(sa.select(*wanted).select_from(table)) or {}
    return int(row.get("n") or 0), int(row.get("newest") or 0)


def read_versions(database: Database, stream: str, columns: Sequence[str], *, until: int) -> pd.DataFrame:
    """Read all versions of a stream's records up to a record number, in the order of storing; types as :func:`read_records` has them.

    Raises
    ------
    StoreError
        If the stream or a column is unknown, or the database refuses.
    """
    table = _table(stream)
    chosen = [_column(table, name) for name in columns]
    query = sa.select(*chosen).where(table.c.record_id <= until).order_by(table.c.record_id)
    return _read(database, query, chosen, _as_categories(stream, columns), f"read all versions of {stream} records")


def all_items(database: Database, stream: str) -> pd.DataFrame:
    """Read the child rows of all versions of a stream's records, as :func:`read_items` has them.

    Raises
    ------
    StoreError
        If the stream has no child rows, or the database refuses.
    """
    items = _items(stream)
    return _read_items(database, stream, sa.select(items).order_by(items.c.record_id, items.c.item_no))


def whole_number_columns(stream: str) -> frozenset[str]:
    """Return the columns of whole numbers: read as int64, or as float64 where some are missing."""
    return frozenset(column.name for column in _table(stream).c if pa.types.is_integer(arrow_type(column)))


def _as_categories(stream: str, names: Sequence[str]) -> set[str]:
    fields = {field.name: field for field in STREAMS[stream].all_fields}
    texts = {
        name
        for name, field in fields.items()
        if field.kind in {"text", "code"} and not field.personal and field.max_length <= _LONGEST_CATEGORY
    }
    return (texts | {"source"}) & set(names)


def _read(database: Database, query: sa.Select[Any], chosen: Sequence[sa.Column[Any]], categories: set[str], doing: str) -> pd.DataFrame:
    names = [column.name for column in chosen]
    # Each piece is encoded as it comes, so that no text is ever held twice. Days are few: they travel as codes as well.
    encoded = [column.name in categories or (isinstance(column.type, sa.Date) and database.dialect == "sqlite") for column in chosen]

    def encode(arrays: Iterable[pa.Array]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [array.dictionary_encode() if code else array for array, code in zip(arrays, encoded, strict=True)], names
        )

    with database.session(doing) as session:
        pieces = [encode(piece.columns) for piece in session.pieces(query)]
    table = pa.Table.from_batches(pieces or [encode([pa.array([], arrow_type(column)) for column in chosen])]).unify_dictionaries()
    del pieces
    out: dict[str, Any] = {}
    for column in chosen:
        out[column.name] = _to_pandas(table.column(column.name), column, category=column.name in categories)
        table = table.drop_columns([column.name])
    return pd.DataFrame(out, copy=False)


def _to_pandas(values: pa.ChunkedArray, column: sa.Column[Any], *, category: bool) -> Any:
    kind = arrow_type(column)
    if pa.types.is_date(kind):
        if pa.types.is_dictionary(values.type):
            whole = values.combine_chunks()
            whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
            days = whole.dictionary.cast(pa.string()).cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[s]")
            days = np.append(days, np.datetime64("NaT", "s"))
            codes = whole.indices.fill_null(days.size - 1).to_numpy(zero_copy_only=False)
            return days[codes]
        return values.to_numpy().astype("datetime64[s]")
    if category:
        return values.to_pandas(categories=None) if pa.types.is_dictionary(values.type) else pd.Categorical(values.to_pandas())
    if pa.types.is_boolean(kind):
        return values.cast(pa.bool_()).to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return values.cast(kind).to_numpy()
    return values.cast(pa.string()).to_pandas(types_mapper={pa.string(): pd.StringDtype(na_value=np.nan)}.get)


def data_vintage(database: Database, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None) -> str:
    """Return a short text that changes whenever the records visible on a day change.

    It is made from the batches and what they changed, without reading records. A batch that is only partly visible on the
    day adds the day itself: then the text may change though the records do not, never the other way round.
    """
    table = _table(stream)
    query = sa.select(
        batch.c.batch_id, batch.c.source, batch.c.n_new, batch.c.n_changed, batch.c.n_stale, batch.c.known_from, batch.c.known_to
    ).where(batch.c.stream == stream, batch.c.known_from.is_not(None))
    wanted = list(sources or ())
    if wanted:
        query = query.where(batch.c.source.in_(wanted))
    digest = hashlib.sha256(table.name.encode())
    partly = False
    with database.session(f"fingerprint the {stream} records") as session:
        for row in session.rows(query.order_by(batch.c.batch_id)):
            if as_of is not None and row["known_from"] > as_of:
                continue
            partly = partly or (as_of is not None and row["known_to"] > as_of)
            digest.update(" ".join(map(str, row.values())).encode() + b"\n")
    if partly:
        digest.update(f"as of {as_of}".encode())
    return digest.hexdigest()


def freshness(database: Database, as_of: dt.date, *, without: Collection[int] = ()) -> pd.DataFrame:
    """Say how fresh each source is on a day.

    Returns
    -------
    DataFrame
        One row per source: ``source, stream, newest_event, newest_known`` (datetime64[s]), ``records``, ``recent`` (records whose
        event lies in the last 28 days up to ``as_of``) and ``open_quarantine`` (entries waiting now).
    """
    rows: list[dict[str, Any]] = []
    recent_from = as_of - dt.timedelta(days=_RECENT_DAYS - 1)
    with database.session("see how fresh the sources are") as session:
        for stream, table in RECORD_TABLES.items():
            recent = sa.and_(table.c.event_date >= recent_from, table.c.event_date <= as_of)
            query = (
                sa.select(
                    table.c.source,
                    sa.func.max(table.c.event_date).label("newest_event"),
                    sa.func.max(table.c.known_at).label("newest_known"),
                    sa.func.count().label("records"),
                    sa.cast(sa.func.sum(sa.case((recent, 1), else_=0)), sa.BigInteger).label("recent"),
                )
                .where(visible(table, as_of, without))
                .group_by(table.c.source)
            )
            rows += [{"stream": stream, **row} for row in session.rows(query)]
        waits = (
            sa.select(quarantine.c.source, sa.func.count().label("n")).where(quarantine.c.state != "resolved").group_by(quarantine.c.source)
        )
        waiting = {row["source"]: row["n"] for row in session.rows(waits)}
        listed = sa.select(batch.c.source, sa.func.max(batch.c.stream).label("stream")).group_by(batch.c.source)
        streams = {row["source"]: row["stream"] for row in session.rows(listed)}
    known = {row["source"] for row in rows}
    rows += [
        {"source": source, "stream": stream, "newest_event": None, "newest_known": None, "records": 0, "recent": 0}
        for source, stream in streams.items()
        if source not in known
    ]
    frame = pd.DataFrame(rows, columns=["source", "stream", "newest_event", "newest_known", "records", "recent"])
    for name in ("newest_event", "newest_known"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    frame["open_quarantine"] = frame["source"].map(waiting).fillna(0).astype("int64")
    return frame.astype({"records": "int64", "recent": "int64"}).sort_values(["source", "stream"], ignore_index=True)
