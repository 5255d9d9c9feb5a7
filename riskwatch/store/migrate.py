"""Make a database ready, bring it to the schema of this code, and refuse one that is newer."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from contextlib import closing

import alembic.command
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.pool import NullPool

from riskwatch.errors import StoreError
from riskwatch.store.database import Database
from riskwatch.store.faults import translated

__all__ = ["head_version", "known_versions", "migrate", "schema_version"]

# Two threads that open a new database: the second waits and finds nothing to do.
_ONE_AT_A_TIME = threading.Lock()
_ADVISORY_LOCK = 7_234_059


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "riskwatch.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def head_version() -> str:
    """Return the schema version that this code writes."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def known_versions() -> list[str]:
    """Return the schema versions that this code can bring to its own, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def schema_version(database: Database) -> str | None:
    """Return the schema version of a database; None if it has no schema yet."""
    if database.path is not None and not (database.path.exists() and database.path.stat().st_size):
        return None
    if database.dialect == "sqlite":
        catalogue = sa.table("sqlite_master", sa.column("name", sa.Text))
        there = sa.select(catalogue.c.name).where(catalogue.c.name == "alembic_version")
    else:
        catalogue = sa.table("pg_tables", sa.column("tablename", sa.Text), sa.column("schemaname", sa.Text))
        mine = sa.literal_column("current_schema()", sa.Text)
        there = sa.select(sa.cast(catalogue.c.tablename, sa.Text).label("name")).where(
            catalogue.c.tablename == "alembic_version", catalogue.c.schemaname == mine
        )
    version = sa.table("alembic_version", sa.column("version_num", sa.Text))
    with database.session("read the schema version") as session:
        if session.scalar(there) is None:
            return None
        value = session.scalar(sa.select(version.c.version_num))
    return None if value is None else str(value)


def migrate(database: Database) -> str:
    """Create or upgrade all tables; return the version reached.

    Raises
    ------
    StoreError
        If the database was written by a newer riskwatch, or refuses.
    """
    with _ONE_AT_A_TIME:
        head, found = head_version(), schema_version(database)
        if found == head:
            return head
        if found is not None and found not in known_versions():
            raise StoreError(
                f'Cannot open {database.shown}: its schema version is "{found}", this riskwatch knows versions up to "{head}".',
                hint="install the newer riskwatch that wrote it; an older one must not touch it",
            )
        # Migrations use SQLAlchemy's driver, which must not have the file open beside ours; see riskwatch.store.database.
        database.close()
        with translated(database.shown, "migrate the schema"):
            _prepare_file(database)
            _upgrade(database)
        return head


def _prepare_file(database: Database) -> None:
    """Make a new SQLite file: pages of 16 kB, of which fewer are written per record than of 4 kB, and the write-ahead log."""
    if database.path is None:
        return
    database.path.parent.mkdir(parents=True, exist_ok=True)
    new = not database.path.exists() or not database.path.stat().st_size
    with closing(sqlite3.connect(database.path, timeout=database.busy_seconds)) as connection:
        if new:
            connection.execute("PRAGMA page_size=16384")
            # Deleting gives pages back to the disk when asked to; it cannot be chosen later.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")


def _upgrade(database: Database) -> None:
    if database.dialect == "sqlite":
        engine = sa.create_engine(database.url, poolclass=NullPool, connect_args={"timeout": database.busy_seconds})
    else:
        engine = sa.create_engine(database.url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    config = _config()
    try:
        with engine.connect() as connection:
            if database.dialect == "sqlite":
                # The driver would begin no transaction before DDL: two processes that start at once must not both create.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            config.attributes["connection"] = connection
            with warnings.catch_warnings():
                # Reflection in a batch migration warns of what SQLite cannot say; that is not the user's concern.
                warnings.simplefilter("ignore", sa.exc.SAWarning)
                alembic.command.upgrade(config, "head")
            connection.commit()
    except CommandError as error:
        raise StoreError(f"Cannot migrate {database.shown}: {error}", hint="restore a backup and report the message") from error
    finally:
        engine.dispose()
