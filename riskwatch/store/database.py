"""One database, reached two ways: SQLAlchemy for small statements, ADBC for whole columns at once."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool

from riskwatch.errors import StoreError
from riskwatch.store.faults import translated

__all__ = ["Database", "Session", "instant"]

# Rows from which ADBC infers the types of a result, and that it hands over at once.
_READ_ROWS = 65_536
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

    def fetch(self, statement: sa.ClauseElement) -> pa.Table:
        """Run a Core statement and return all its rows."""
        self._run(statement)
        return self._cursor.fetch_arrow_table()

    def stream(self, statement: sa.ClauseElement) -> pa.RecordBatchReader:
        """Run a Core statement and hand out its rows piece by piece."""
        self._run(statement)
        return self._cursor.fetch_record_batch()

    def scalar(self, statement: sa.ClauseElement) -> Any:
        """Return the first column of the first row, or None."""
        table = self.fetch(statement)
        return table.column(0)[0].as_py() if table.num_rows else None

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
        """Add rows to a table; the Arrow columns carry the names and types of the table's own (see :mod:`riskwatch.store.columns`)."""
        if columns.num_rows:
            self._cursor.adbc_ingest(table.name, columns, mode="append")

    def stage(self, name: str, columns: pa.Table) -> sa.TableClause:
        """Put rows in a temporary table that only this session sees, in place of what was there."""
        self._cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        self._cursor.adbc_ingest(name, columns, mode="create", temporary=True)
        return sa.table(name, *(sa.column(column) for column in columns.column_names))


class Database:
    """An engine, and sessions for bulk work, on one URL.

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
        parsed = sa.make_url(url)
        self.shown = parsed.render_as_string(hide_password=True)
        self.busy_seconds = busy_seconds
        backend = parsed.get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise StoreError(
                f'Cannot open {self.shown}: a store is "sqlite:///FILE" or "postgresql://...", got "{backend}".',
                hint="set `database` in config/riskwatch.yaml",
            )
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if backend == "sqlite" else "postgresql"
        self.path: Path | None = None
        if self.dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
                raise StoreError(f"Cannot open {self.shown}: SQLite needs a file, not memory.", hint='write "sqlite:///var/riskwatch.db"')
            self.path = Path(parsed.database)
            self._adbc_uri = str(self.path)
            self.engine = sa.create_engine(parsed, poolclass=NullPool, connect_args={"timeout": busy_seconds})
            sa.event.listen(self.engine, "connect", self._prepare_sqlite)
            sa.event.listen(self.engine, "begin", self._begin_sqlite)
        else:
            self._adbc_uri = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            self.engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=2)

    def _prepare_sqlite(self, connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transaction handling begins too late for a consistent read; begin is emitted below instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @staticmethod
    def _begin_sqlite(connection: sa.Connection) -> None:
        # Taking the write lock first means that waiting happens here, where it can be waited for, and not at a later write.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")

    @contextmanager
    def read(self, doing: str) -> Iterator[sa.Connection]:
        """Give a connection in a read transaction; errors come out as StoreError."""
        with translated(self.shown, doing), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, doing: str) -> Iterator[sa.Connection]:
        """Give a connection in a write transaction that commits at the end, or rolls back on any error."""
        with translated(self.shown, doing), self.engine.connect() as connection:
            connection = connection.execution_options(write=True)  # noqa: PLW2901 - the same connection, marked
            with connection.begin():
                yield connection

    @contextmanager
    def session(self, doing: str, *, write: bool = True, lock: sa.Table | None = None) -> Iterator[Session]:
        """Give a bulk session in one transaction.

        Parameters
        ----------
        doing : str
            What was asked, for the message of an error.
        write : bool
            Whether the transaction writes.
        lock : Table, optional
            Table that no one else may write meanwhile (PostgreSQL; SQLite has one writer anyway).

        Raises
        ------
        StoreError
            If the database refuses; everything of this session is then rolled back.
        """
        with translated(self.shown, doing):
            connection = self._connect()
            try:
                cursor = connection.cursor()
                try:
                    self._begin(cursor, write=write, lock=lock)
                    try:
                        yield Session(cursor, self.dialect)
                        cursor.execute("COMMIT")
                    except BaseException:
                        self._roll_back(cursor)
                        raise
                finally:
                    cursor.close()
            finally:
                connection.close()

    def _connect(self) -> Any:
        if self.dialect == "postgresql":
            return adbc_driver_postgresql.dbapi.connect(self._adbc_uri, autocommit=True)
        return adbc_driver_sqlite.dbapi.connect(self._adbc_uri, autocommit=True)

    def _begin(self, cursor: Any, *, write: bool, lock: sa.Table | None) -> None:
        if self.dialect == "postgresql":
            cursor.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SET LOCAL lock_timeout = {int(self.busy_seconds * 1000)}")
            if lock is not None:
                cursor.execute(f'LOCK TABLE "{lock.name}" IN SHARE ROW EXCLUSIVE MODE')
            return
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_READ_ROWS)})
        for pragma in (*_SQLITE_PRAGMAS, f"PRAGMA busy_timeout={int(self.busy_seconds * 1000)}"):
            cursor.execute(pragma)
        cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    @staticmethod
    def _roll_back(cursor: Any) -> None:
        # The error that led here is the one to show; closing the connection rolls back as well.
        with suppress(Exception):
            cursor.execute("ROLLBACK")

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
