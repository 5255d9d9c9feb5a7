"""One database, reached through ADBC: whole columns at once, and small statements on the same connection.

SQLAlchemy declares the tables and writes the SQL; ADBC carries it. One road only, and for a reason: the driver has its own
copy of SQLite, and two copies in one process do not see each other's locks (POSIX locks belong to the process and are dropped when *any*
descriptor of the file is closed), which ends in "disk I/O error" or a damaged file. So nothing else in this process may open the file while
a store has it open; migrations, which need SQLAlchemy's own driver, run before the first connection is made.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from riskwatch.errors import StoreError
from riskwatch.store.columns import arrow_type
from riskwatch.store.faults import translated

__all__ = ["Database", "Session", "instant"]

# Rows that ADBC hands over at once.
_READ_ROWS = 65_536
_IDLE_CONNECTIONS = 4
_SQLITE_PRAGMAS = (
    "PRAGMA synchronous=NORMAL",  # safe with WAL: a power cut may lose the last commits, never the file
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",  # 64 MB: the index of keys stays in memory
    "PRAGMA wal_autocheckpoint=4000",
)


def instant(moment: dt.datetime) -> str:
    """Write an aware datetime as the text that the tables use; ValueError if it has no zone."""
    if moment.tzinfo is None:
        raise ValueError(f"instant: needs a datetime with a time zone, got {moment!r}")
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Session:
    """One ADBC connection inside one transaction: whole Arrow tables in, Arrow tables out."""

    def __init__(self, cursor: Any, dialect: Literal["sqlite", "postgresql"]) -> None:
        self._cursor = cursor
        self.dialect = dialect
        self._compiler: sa.Dialect = (
            sqlite.dialect(paramstyle="qmark") if dialect == "sqlite" else postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        )

    def execute(self, statement: sa.ClauseElement) -> None:
        """Run a Core statement and forget its result; values are always bound, never written into the text."""
        self._run(statement)

    def stream(self, query: sa.Select[Any]) -> pa.RecordBatchReader:
        """Run a query and hand out its rows piece by piece.

        SQLite's driver takes the type of a column from the first rows of a result: NULLs there would make later texts an error.
        One row of known types in front settles them; take it away with :meth:`pieces` or :meth:`fetch`.
        """
        if self.dialect == "sqlite":
            columns = list(query.selected_columns)
            samples = sa.select(*(_sample(column.type).label(f"c{i}") for i, column in enumerate(columns)))
            inner = query.subquery()
            self._run(sa.union_all(samples, sa.select(inner)))
        else:
            self._run(query)
        return self._cursor.fetch_record_batch()

    def pieces(self, query: sa.Select[Any]) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows piece by piece, each column of the type that it has in the tables or NULL."""
        names = [column.name for column in query.selected_columns]
        skip = 1 if self.dialect == "sqlite" else 0
        for piece in self.stream(query):
            yield pa.RecordBatch.from_arrays(piece.slice(skip).columns, names)
            skip = 0

    def fetch(self, query: sa.Select[Any]) -> pa.Table:
        """Run a query and return all its rows."""
        listed = list(self.pieces(query))
        if listed:
            return pa.Table.from_batches(listed)
        return pa.table({column.name: pa.array([], arrow_type(column)) for column in query.selected_columns})

    def rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        """Run a query with a small result and return its rows as dicts of Python values."""
        kinds = {column.name: column.type for column in query.selected_columns}
        return [{name: _python(value, kinds[name]) for name, value in row.items()} for row in self.fetch(query).to_pylist()]

    def first(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        """Return the first row of a query, or None."""
        found = self.rows(query)
        return found[0] if found else None

    def scalar(self, query: sa.Select[Any]) -> Any:
        """Return the first column of the first row, or None."""
        row = self.first(query)
        return None if row is None else next(iter(row.values()))

    def _run(self, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=self._compiler, compile_kwargs={"render_postcompile": True})
        values = compiled.params
        bound = getattr(compiled, "binds", {})
        parameters = []
        for name in getattr(compiled, "positiontup", None) or ():
            # An expanded IN list binds "name_1", "name_2", ... of the parameter "name".
            parameter = bound.get(name) if name in bound else bound.get(name.rpartition("_")[0])
            processor = parameter.type.dialect_impl(self._compiler).bind_processor(self._compiler) if parameter is not None else None
            value = values[name]
            parameters.append(processor(value) if processor is not None else value)
        self._cursor.execute(str(compiled), tuple(parameters) or None)

    def append(self, table: sa.Table, columns: pa.Table) -> None:
        """Add rows to a table; the Arrow columns carry the names and types of the table's own (see :mod:`riskwatch.store.columns`).

        A column without any value is left out, which comes to the same: no column has a default but NULL, and binding it costs time.
        """
        if columns.num_rows:
            valued = [name for name in columns.column_names if columns.column(name).null_count < columns.num_rows]
            self._cursor.adbc_ingest(table.name, columns.select(valued), mode="append")

    def stage(self, name: str, columns: pa.Table) -> sa.TableClause:
        """Put rows in a temporary table that only this session sees, in place of what was there."""
        self._cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        self._cursor.adbc_ingest(name, columns, mode="create", temporary=True)
        return sa.table(name, *(sa.column(column) for column in columns.column_names))


def _sample(kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """Return a value that makes SQLite's driver choose the type of a column."""
    if isinstance(kind, sa.Double):
        return sa.literal_column("0.5")
    return sa.literal_column("0" if isinstance(kind, sa.Integer | sa.Boolean) else "x'00'" if isinstance(kind, sa.LargeBinary) else "'x'")


def _python(value: Any, kind: sa.types.TypeEngine[Any]) -> Any:
    if value is not None and isinstance(kind, sa.Date) and isinstance(value, str):
        return dt.date.fromisoformat(value)
    return bool(value) if value is not None and isinstance(kind, sa.Boolean) else value


class Database:
    """Sessions on one URL; connections are kept for the next session.

    Parameters
    ----------
    url : str
        SQLAlchemy URL of a SQLite file or a PostgreSQL server.
    busy_seconds : float
        How long a statement waits for another process's lock before it gives up.

    Raises
    ------
    StoreError
        If the URL names another database, or SQLite without a file.
    """

    def __init__(self, url: str, *, busy_seconds: float = 30.0) -> None:
        try:
            self.url = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            raise StoreError(
                f'Cannot open "{url}": it is not a database URL.', hint='write "sqlite:///FILE" or "postgresql://..."'
            ) from error
        self.shown = self.url.render_as_string(hide_password=True)
        self.busy_seconds = busy_seconds
        backend = self.url.get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise StoreError(
                f'Cannot open {self.shown}: a store is "sqlite:///FILE" or "postgresql://...", got "{backend}".',
                hint="set `database` in config/riskwatch.yaml",
            )
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if backend == "sqlite" else "postgresql"
        self.path: Path | None = None
        # Set while a lease is held: called at the start of every writing transaction, it raises if the lease was lost meanwhile.
        self.fence: Callable[[Session], None] | None = None
        self._idle: list[Any] = []
        self._idle_lock = threading.Lock()
        if self.dialect == "sqlite":
            name = self.url.database
            if not name or name == ":memory:" or name.startswith("file:"):
                raise StoreError(f"Cannot open {self.shown}: SQLite needs a file, not memory.", hint='write "sqlite:///var/riskwatch.db"')
            self.path = Path(name)

    @contextmanager
    def session(self, doing: str, *, write: bool = False, lock: sa.Table | None = None, fenced: bool = True) -> Iterator[Session]:
        """Give a session in one transaction that commits at the end, or rolls back on any error.

        Parameters
        ----------
        doing : str
            What was asked, for the message of an error.
        write : bool
            Whether the transaction writes.
        lock : Table, optional
            Table that no one else may write meanwhile (PostgreSQL; SQLite has one writer anyway).
        fenced : bool
            Whether a writing transaction first makes sure that the lease of this process, if it works under one, is still its own.

        Raises
        ------
        StoreError
            If the database refuses; everything of this session is then rolled back.
        LeaseHeldError
            If the lease was lost; nothing is written.
        """
        with translated(self.shown, doing):
            connection = self._take()
            try:
                with connection.cursor() as cursor:
                    self._begin(cursor, write=write, lock=lock)
                    try:
                        opened = Session(cursor, self.dialect)
                        if write and fenced and self.fence is not None:
                            self.fence(opened)
                        yield opened
                        cursor.execute("COMMIT")
                    except BaseException:
                        # The error that led here is the one to show; closing the connection rolls back as well.
                        with suppress(Exception):
                            cursor.execute("ROLLBACK")
                        raise
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def _take(self) -> Any:
        with self._idle_lock:
            if self._idle:
                return self._idle.pop()
        if self.dialect == "postgresql":
            uri = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
            return adbc_driver_postgresql.dbapi.connect(uri, autocommit=True)
        connection = adbc_driver_sqlite.dbapi.connect(str(self.path), autocommit=True)
        try:
            with connection.cursor() as cursor:
                for pragma in (f"PRAGMA busy_timeout={int(self.busy_seconds * 1000)}", *_SQLITE_PRAGMAS):
                    cursor.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: Any) -> None:
        with self._idle_lock:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _begin(self, cursor: Any, *, write: bool, lock: sa.Table | None) -> None:
        if self.dialect == "postgresql":
            cursor.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SET LOCAL lock_timeout = {int(self.busy_seconds * 1000)}")
            if lock is not None:
                cursor.execute(f'LOCK TABLE "{lock.name}" IN SHARE ROW EXCLUSIVE MODE')
            return
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_READ_ROWS)})
        # Taking the write lock first means that waiting happens here, where it can be waited for, and not at a later write.
        cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def close(self) -> None:
        """Close all connections."""
        with self._idle_lock:
            while self._idle:
                self._idle.pop().close()
