"""A query on any SQLAlchemy URL, read-only and incremental by a cursor column."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from riskwatch.definitions.secrets import resolve
from riskwatch.definitions.types import SqlReader
from riskwatch.errors import SourceError
from riskwatch.redaction import redacted
from riskwatch.sources.batches import MAX_BATCH_ROWS, Progress, RawBatch, SourceFault, SourceState
from riskwatch.sources.delimited import check_headers
from riskwatch.sources.text import canonical, table_of_rows

__all__ = ["decode_cursor", "encode_cursor", "read_sql"]

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d*)")
_BIND = re.compile(r"(?<![:\w]):cursor\b")


def encode_cursor(value: object) -> str:
    """Write a cursor value with its type, so that the next pull binds an integer as an integer.

    Bound as text, ``id > '9'`` is always false for integers in SQLite and an error in PostgreSQL.

    Raises
    ------
    TypeError
        If values of this type cannot be a cursor.
    """
    match value:
        case bool():
            raise TypeError("true and false cannot be a cursor")
        case int():
            return f"int:{value}"
        case float():
            return f"float:{value!r}"
        case Decimal():
            return f"decimal:{value}"
        case dt.datetime():
            return f"datetime:{value.isoformat()}"
        case dt.date():
            return f"date:{value.isoformat()}"
        case str():
            return f"text:{value}"
    raise TypeError(f"values of type {type(value).__name__} cannot be a cursor")


def decode_cursor(text: str) -> object:
    """Read what :func:`encode_cursor` wrote.

    A start value from a definition has no type: whole numbers without leading zeros are integers, all else is text.
    """
    kind, mark, value = text.partition(":")
    readers: Mapping[str, Any] = {
        "int": int,
        "float": float,
        "decimal": Decimal,
        "datetime": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "text": str,
    }
    if mark and kind in readers:
        return readers[kind](value)
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text


def _engine(reader: SqlReader, source: str, root: Path, environ: Mapping[str, str]) -> tuple[sa.Engine, sa.URL]:
    text = resolve(_reference(reader), root=root, environ=environ, what=f'source "{source}": url', kind=SourceError)
    try:
        url = sa.make_url(text)
        return sa.create_engine(url), url
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        # The value itself is not quoted: it may hold a password even where it is not a URL.
        reason = type(error).__name__
        raise SourceError(
            f'source "{source}": {_reference(reader)} holds no usable SQLAlchemy URL ({reason})',
            hint="as in postgresql+psycopg://user:password@host/database; is the driver installed?",
        ) from None


def _reference(reader: SqlReader) -> str:
    return reader.url if reader.url is not None else f"env:{reader.url_env}"


def _redacted(message: str, url: sa.URL) -> str:
    """Take out the secrets of a URL, however short: what a driver says about it is searched for them, and nothing else is."""
    secrets = [str(url.password)] if url.password else []
    secrets += [
        value for key, values in url.query.items() if "pass" in key.lower() for value in ([values] if isinstance(values, str) else values)
    ]
    for secret in sorted(
        {form for value in secrets for form in (value, quote(value, safe=""), quote_plus(value)) if form}, key=len, reverse=True
    ):
        message = message.replace(secret, "***")
    return redacted(message)


def _check_query(reader: SqlReader, source: str) -> None:
    bare = _COMMENTS.sub(" ", reader.query).strip()
    if not re.match(r"(select|with)\b", bare, re.IGNORECASE):
        raise SourceError(f'source "{source}": query must be a SELECT, got "{bare[:40]}"', hint="sources are only read")
    if not _BIND.search(bare):
        raise SourceError(
            f'source "{source}": query has no bind parameter :cursor',
            hint=f"as in SELECT ... WHERE {reader.cursor} > :cursor ORDER BY {reader.cursor}",
        )


def read_sql(
    reader: SqlReader,
    *,
    source: str,
    state: SourceState,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path = Path(),
) -> Iterator[RawBatch | SourceFault]:
    """Run the query from the stored cursor on and yield its rows in chunks.

    The transaction is read-only where the database knows such a thing and is rolled back always. The cursor of a chunk is its
    largest value; if the next chunk may begin with the same value, it is the largest value before that one, so that a pull
    that breaks off loses no ties.

    Parameters
    ----------
    reader : SqlReader
        URL variable, query and cursor column.
    source : str
        Name of the source.
    state : SourceState
        The stored cursor.
    progress : callable, optional
        Called with the source's name and the rows done.
    environ : mapping, optional
        Environment; default the process's.
    root : Path
        The project's folder, for ``file:PATH``.

    Yields
    ------
    RawBatch
        Rows as canonical text.

    Raises
    ------
    SourceError
        If the database cannot be reached or refuses, the query is not a SELECT with ``:cursor``, its columns repeat or lack
        the cursor, the cursor is null, or rows do not come in its order. Passwords never appear.
    """
    _check_query(reader, source)
    engine, url = _engine(reader, source, root, environ if environ is not None else os.environ)
    shown = url.render_as_string(hide_password=True)
    start = decode_cursor(state.cursor if state.cursor is not None else reader.start)
    try:
        with engine.connect() as connection:
            _make_read_only(connection)
            statement = sa.text(reader.query).bindparams(cursor=start)
            # A server-side cursor where the driver has one: a big answer must not be held in memory.
            result = connection.execution_options(stream_results=True, max_row_buffer=MAX_BATCH_ROWS).execute(statement)
            try:
                names = check_headers(list(result.keys()))
            except SourceError as error:
                raise SourceError(f'source "{source}": {error.message}', hint="give the columns different names with AS") from None
            if reader.cursor not in names:
                raise SourceError(
                    f'source "{source}": the query has no column "{reader.cursor}" (the cursor); it has {", ".join(names)}',
                    hint="select it",
                )
            yield from _chunks(result, names, reader=reader, source=source, state=state, progress=progress)
            connection.rollback()
    except SQLAlchemyError as error:
        reason = _redacted(str(getattr(error, "orig", None) or error).strip().splitlines()[0], url)
        raise SourceError(
            f'source "{source}": {_redacted(shown, url)}: {reason}', hint=f"is the database up? the URL is in {_reference(reader)}"
        ) from None
    finally:
        engine.dispose()


def _make_read_only(connection: sa.Connection) -> None:
    match connection.dialect.name:
        case "postgresql" | "mysql" | "mariadb":
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        case "sqlite":
            connection.execute(sa.text("PRAGMA query_only = ON"))


def _chunks(
    result: Any, names: Sequence[str], *, reader: SqlReader, source: str, state: SourceState, progress: Progress | None
) -> Iterator[RawBatch | SourceFault]:
    size = min(reader.chunk_rows, MAX_BATCH_ROWS)
    order = _Order(reader.cursor, names.index(reader.cursor), source)
    first_row = 1
    held: RawBatch | None = None
    for number, rows in enumerate(result.partitions(size), start=1):
        try:
            order.check(rows, first_row)
        except SourceError:
            if held is not None:
                yield held
            raise
        if held is not None:
            yield held
        table = table_of_rows(names, rows)
        digest = hashlib.sha256()
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            digest.update(repr(row).encode())
        # Rows with the newest value may go on in the next chunk: until that is known, the value before it is the safe cursor.
        held = RawBatch(source, f"chunk {number}", digest.hexdigest(), table, first_row, order.before_newest, last=True)
        first_row += len(rows)
        if progress is not None:
            progress(source, first_row - 1, None)
    if held is not None:
        yield replace(held, cursor=encode_cursor(order.newest))
    elif state.cursor is None and not reader.start:
        message = f"the query gave no rows from the start value '' of cursor \"{reader.cursor}\""
        yield SourceFault(source, "query", message, 'an empty table is fine; a cursor that is a number needs start: "0"', "incomplete")


class _Order:
    """Follows the cursor column and refuses rows that are out of order."""

    def __init__(self, cursor: str, position: int, source: str) -> None:
        self.cursor = cursor
        self.position = position
        self.source = source
        self.newest: Any = None
        self.before_newest: str | None = None

    def check(self, rows: Sequence[Sequence[Any]], first_row: int) -> None:
        for row_no, row in enumerate(rows, start=first_row):
            value = row[self.position]
            if value is None:
                raise SourceError(f'source "{self.source}": cursor "{self.cursor}" is null in row {row_no}', hint="exclude such rows")
            try:
                if self.newest is None:
                    encode_cursor(value)
                elif value != self.newest:
                    if value < self.newest:
                        raise SourceError(
                            f'source "{self.source}": rows must come in the order of cursor "{self.cursor}": row {row_no} has '
                            f"{canonical(value)} after {canonical(self.newest)}",
                            hint=f"add ORDER BY {self.cursor}",
                        )
                    self.before_newest = encode_cursor(self.newest)
            except TypeError as error:
                hint = "choose a number, date or text column"
                raise SourceError(f'source "{self.source}": cursor "{self.cursor}": {error}', hint=hint) from None
            self.newest = value
