"""Back up, verify and restore a store: SQLite by its online backup, PostgreSQL by pg_dump, with a manifest of what is inside.

A backup may be made while a run writes: it holds the store as of one instant. A restore takes the place of the whole store at once, or
changes nothing. What a backup does not hold is made again from it (digests, reports) or lies in the project's folder (definitions).

SQLite files are opened with Python's own driver here, so no :class:`~riskwatch.store.Store` of this process may have the file open
(see :mod:`riskwatch.store.database`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from riskwatch import __version__
from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.store import archive, pgtools
from riskwatch.store.archive import Manifest
from riskwatch.store.database import Database, instant
from riskwatch.store.faults import translated
from riskwatch.store.lease import is_dead
from riskwatch.store.migrate import known_versions, schema_version

__all__ = ["Restored", "backup", "restore", "verify"]

# A restored store is held by nobody, whoever held the one that was backed up.
WITHOUT_ROWS = frozenset({"lease"})
# Tables that only grow: the newest row is the end of the chain, if its rows are chained.
GROWING = ("warning_event", "case_event")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: where to, from what, and where the store that was there before is kept (SQLite only)."""

    database: str
    manifest: Manifest
    kept: Path | None = None


# --- backup ----------------------------------------------------------------------------------------------------------


def backup(url: str, target: Path, *, now: dt.datetime) -> Manifest:
    """Write a backup of a store to ``target`` and return its manifest.

    Parameters
    ----------
    url : str
        URL of the store.
    target : Path
        File to write; an existing one is replaced once the new one is whole.
    now : datetime
        Instant for the manifest.

    Raises
    ------
    StoreError
        If there is no store at ``url``, a program is missing, or the file cannot be written; ``target`` is then as it was.
    """
    database = Database(url)
    version = _version(database)
    with translated(str(target), "write the backup"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".riskwatch-backup-") as name:
            folder = Path(name)
            payload = folder / archive.PAYLOADS[database.dialect]
            rows, heads = _copy_sqlite(database, folder, payload) if database.dialect == "sqlite" else _dump_postgres(database, payload)
            manifest = Manifest(
                format=1,
                riskwatch=__version__,
                made_at=instant(now),
                dialect=database.dialect,
                schema_version=version,
                payload=payload.name,
                sha256=archive.sha256_of(payload),
                size=payload.stat().st_size,
                rows=rows,
                heads=heads,
            )
            archive.pack(target, payload, manifest)
    return manifest


def _version(database: Database) -> str:
    try:
        version = schema_version(database)
    finally:
        database.close()
    if version is None:
        raise StoreError(f"Cannot back up {database.shown}: there is no store.", hint="run a pipeline first, or look at settings.database")
    return version


def _copy_sqlite(database: Database, folder: Path, payload: Path) -> tuple[dict[str, int], dict[str, str]]:
    copy = folder / "store.db"
    with translated(database.shown, "copy the database"):
        source = sqlite3.connect(f"file:{database.path}?mode=ro", uri=True, timeout=database.busy_seconds)
        with closing(source), closing(sqlite3.connect(copy)) as target:
            # All pages in one step: one snapshot, and the write-ahead log lets a run go on writing meanwhile.
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode=DELETE")
            for table in sorted(WITHOUT_ROWS & set(_sqlite_tables(target))):
                target.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608 - quoted: a name cannot be bound
            target.commit()
            facts = _sqlite_facts(target)
    archive.compress(copy, payload)
    return facts


def _dump_postgres(database: Database, payload: Path) -> tuple[dict[str, int], dict[str, str]]:
    with _postgres(database) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = str(_one(connection, sql.SQL("SELECT pg_export_snapshot()")))
        facts = _postgres_facts(connection)
        schema = str(_one(connection, sql.SQL("SELECT current_schema()")))
        quoted = {name: f'"{schema}"."{name}"' for name in facts[0]}
        # pg_dump reads through the same snapshot: the rows counted here are the rows that it writes.
        pgtools.dump(
            database.url,
            payload,
            snapshot=snapshot,
            tables=sorted(quoted.values()),
            without_rows=[quoted[name] for name in sorted(WITHOUT_ROWS & set(quoted))],
        )
    return facts


# --- what is inside --------------------------------------------------------------------------------------------------


def _sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [name for (name,) in connection.execute(query)]


def _sqlite_facts(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, str]]:
    """Return the rows of every table and the heads of those that only grow."""
    tables = _sqlite_tables(connection)
    rows = {name: int(connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0]) for name in tables}  # noqa: S608 - quoted: a name cannot be bound
    heads = {}
    for name in GROWING:
        if name in tables:
            key = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk = 1", (name,)).fetchone()[0]
            newest = f"SELECT * FROM {_quoted(name)} ORDER BY {_quoted(key)} DESC LIMIT 1"  # noqa: S608 - quoted: a name cannot be bound
            found = connection.execute(newest)
            heads[name] = _head([column[0] for column in found.description], found.fetchone())
    return rows, heads


def _one(connection: psycopg.Connection[Any], query: sql.SQL | sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _postgres_tables(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    return [name for (name,) in connection.execute(query)]


def _postgres_facts(connection: psycopg.Connection[Any]) -> tuple[dict[str, int], dict[str, str]]:
    tables = _postgres_tables(connection)
    rows = {name: int(_one(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))) for name in tables}
    rows |= dict.fromkeys(WITHOUT_ROWS & set(tables), 0)
    return rows, _postgres_heads(connection, tables)


def _postgres_heads(connection: psycopg.Connection[Any], tables: list[str]) -> dict[str, str]:
    heads = {}
    for name in GROWING:
        if name in tables:
            keyed = sql.SQL(
                "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
                "WHERE i.indisprimary AND i.indrelid = {}::regclass"
            ).format(sql.Literal(name))
            key = str(_one(connection, keyed))
            query = sql.SQL("SELECT * FROM {} ORDER BY {} DESC LIMIT 1").format(sql.Identifier(name), sql.Identifier(key))
            found = connection.execute(query)
            heads[name] = _head([column.name for column in found.description or ()], found.fetchone())
    return heads


def _head(columns: list[str], row: tuple[Any, ...] | None) -> str:
    """Return the sha256 of a row; "" has one too: of a table without rows."""
    text = "" if row is None else json.dumps(dict(zip(columns, row, strict=True)), default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# --- verify ----------------------------------------------------------------------------------------------------------


def verify(path: Path) -> Manifest:
    """Check a backup as far as it can be checked without the server it is for, and return its manifest.

    The payload must have the size and sha256 of the manifest. A SQLite payload is opened: no damage, no broken reference, the schema
    version, the rows of every table and the newest events of the manifest. A dump of PostgreSQL must list every table; its rows are
    counted when it is restored.

    Raises
    ------
    StoreError
        If anything is not as the manifest says.
    """
    manifest = archive.read_manifest(path)
    with translated(str(path), "verify the backup"), tempfile.TemporaryDirectory(dir=path.parent, prefix=".riskwatch-verify-") as name:
        _verified(path, manifest, Path(name))
    return manifest


def _verified(path: Path, manifest: Manifest, folder: Path) -> Path:
    """Unpack a backup into ``folder``, check it, and return the SQLite file or the dump."""
    payload = folder / archive.PAYLOADS[manifest.dialect]
    archive.unpack(path, manifest, payload)
    if manifest.dialect == "postgresql":
        missing = sorted(set(manifest.rows) - set(pgtools.listing(payload)) - WITHOUT_ROWS)
        if missing:
            raise _differs(path, f"the dump lacks the rows of {', '.join(missing)}")
        return payload
    database = folder / "store.db"
    archive.decompress(payload, database)
    payload.unlink()
    with closing(sqlite3.connect(database)) as connection:
        damage = [str(line) for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
        if damage:
            raise _differs(path, f"the database is damaged: {damage[0]}")
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise _differs(path, f"a row of {broken[0]} refers to a row of {broken[2]} that is not there")
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if version is None or version[0] != manifest.schema_version:
            raise _differs(path, f"the schema version is {version and version[0]}, the manifest says {manifest.schema_version}")
        _compare(path, manifest, *_sqlite_facts(connection))
    return database


def _compare(path: Path, manifest: Manifest, rows: Mapping[str, int], heads: Mapping[str, str]) -> None:
    for name in sorted({*rows, *manifest.rows}):
        if rows.get(name) != manifest.rows.get(name):
            raise _differs(path, f"table {name} has {rows.get(name, 'no')} rows, the manifest says {manifest.rows.get(name, 'none')}")
    for name, head in manifest.heads.items():
        if heads.get(name) != head:
            raise _differs(path, f"the newest row of {name} is not the one of the manifest")


def _differs(path: Path, why: str) -> StoreError:
    return StoreError(f"The backup {path} is not sound: {why}.", hint="take another backup, and find out who changed this one")


# --- restore ---------------------------------------------------------------------------------------------------------


def restore(path: Path, url: str, *, now: dt.datetime, force: bool = False) -> Restored:
    """Put a backup in place of a store: verified first, then all at once.

    The restored store is of the backup's schema version; opening it brings it to the present one.

    Parameters
    ----------
    path : Path
        What :func:`backup` wrote.
    url : str
        Store to make or to replace.
    now : datetime
        Names the copy that is kept of a SQLite store that is replaced, and tells whether a lease holds.
    force : bool
        Replace a store that is there.

    Raises
    ------
    StoreError
        If the backup is not sound, was made by a newer riskwatch or of another kind of database, if a store is there and ``force`` is
        not given, or if the database is in use; nothing is changed then.
    LeaseHeldError
        If a run is at work on the store.
    """
    manifest = archive.read_manifest(path)
    database = Database(url)
    _refuse(path, manifest, database, now=now, force=force)
    beside = database.path.parent if database.path is not None else path.parent
    with translated(database.shown, "restore the backup"):
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=beside, prefix=".riskwatch-restore-") as name:
            folder = Path(name)
            ready = _verified(path, manifest, folder)
            if database.path is None:
                _replace_postgres(path, manifest, database, ready, folder)
                return Restored(database.shown, manifest)
            return Restored(database.shown, manifest, _replace_sqlite(database, ready, now))


def _refuse(path: Path, manifest: Manifest, database: Database, *, now: dt.datetime, force: bool) -> None:
    if manifest.dialect != database.dialect:
        raise StoreError(
            f"Cannot restore {path} to {database.shown}: the backup is of {manifest.dialect}, the store is {database.dialect}.",
            hint="give --to a database of the same kind",
        )
    if manifest.schema_version not in known_versions():
        raise StoreError(
            f'Cannot restore {path}: its schema version is "{manifest.schema_version}", this riskwatch knows "{known_versions()[0]}".',
            hint=f"install riskwatch {manifest.riskwatch} or newer, which wrote it",
        )
    try:
        found = schema_version(database)
    finally:
        database.close()
    there = found is not None or (database.path is not None and database.path.exists() and database.path.stat().st_size > 0)
    if there and not force:
        raise StoreError(f"Cannot restore to {database.shown}: a store is there.", hint="give --force to replace it, or --to another place")
    if found is not None:
        _refuse_a_run(database, now)


def _refuse_a_run(database: Database, now: dt.datetime) -> None:
    query = "SELECT name, holder, expires_at FROM lease"
    with translated(database.shown, "look for a run at work"):
        if database.path is not None:
            with closing(sqlite3.connect(database.path, timeout=database.busy_seconds)) as connection:
                held = connection.execute(query).fetchall()
        else:
            with _postgres(database) as server:
                held = server.execute(query).fetchall()
    for name, holder, expires in held:
        if expires > instant(now) and not is_dead(holder):
            raise LeaseHeldError(
                f'Cannot restore to {database.shown}: the lease "{name}" is held by {holder} until {expires}.',
                hint="stop the scheduler and wait for the run to end",
            )


def _replace_sqlite(database: Database, ready: Path, now: dt.datetime) -> Path | None:
    """Rename the restored file over the old one while nobody else can use it; keep the old one beside, return where."""
    path = database.path
    if path is None:
        raise ValueError("a SQLite store has a path")
    with closing(sqlite3.connect(ready)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    if not path.exists() or not path.stat().st_size:
        ready.replace(path)
        return None
    kept = path.with_name(f"{path.name}.before-restore-{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}")
    with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as old:
        # A log of the old file beside the new one would be taken for its own. Leaving the log fails while anyone has the file open.
        mode = old.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        if mode != "delete":
            raise sqlite3.OperationalError("database is locked")
        old.execute("BEGIN EXCLUSIVE")
        kept.hardlink_to(path)
        os.replace(ready, path)  # noqa: PTH105 - the name of what makes the change one step
        old.execute("ROLLBACK")
    return kept


def _replace_postgres(path: Path, manifest: Manifest, database: Database, ready: Path, folder: Path) -> None:
    """Drop all tables, restore the dump and count its rows in one transaction."""
    with _postgres(database) as connection:
        names = _postgres_tables(connection)
    drop = "".join(f"DROP TABLE IF EXISTS {_quoted(name)} CASCADE;\n" for name in names)
    schema_of = (
        "(SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'alembic_version' LIMIT 1)"
    )
    counts = "".join(
        f"EXECUTE format('SELECT count(*) FROM %I.%I', home, {_literal(name)}) INTO found;\n"  # noqa: S608 - quoted, by the server too
        f"IF found <> {int(count)} THEN RAISE EXCEPTION 'table % has % rows, the manifest says {int(count)}', "
        f"{_literal(name)}, found; END IF;\n"
        for name, count in sorted(manifest.rows.items())
    )
    # Counted before the transaction ends: a dump that lacks rows leaves the old store in place.
    check = f"DO $check$ DECLARE found bigint; home text := {schema_of}; BEGIN\n{counts}END $check$;"
    pgtools.replace_all(database.url, ready, folder=folder, before=drop, after=check)
    with _postgres(database) as connection:
        _compare(path, manifest, manifest.rows, _postgres_heads(connection, _postgres_tables(connection)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _postgres(database: Database) -> Iterator[psycopg.Connection[Any]]:
    uri = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(uri) as connection:
            yield connection
    except psycopg.Error as error:
        raise StoreError(
            f"Cannot use {database.shown}: {str(error).strip().splitlines()[0]}.", hint="check the server and the rights of the role"
        ) from error
