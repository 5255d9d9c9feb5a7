"""The store that the first released schema wrote opens today, with all that was in it.

``schema_0001.sql.xz`` is the dump (``sqlite3.Connection.iterdump``) of a store that the code of 2026-11-24 wrote, with schema 0001:
``simulate_province(seed=2, scale=0.02, start=2024-10-01, malformed=8)``, three sources, two models, one centre, ``daily`` as of 2025-11-30
and 2025-12-31. All of it is simulated. It is never made anew: a change of it would no longer test an upgrade.
"""

from __future__ import annotations

import datetime as dt
import lzma
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import alembic.command
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.pool import NullPool

from riskwatch.api import Project
from riskwatch.assessment import from_payload
from riskwatch.errors import StoreError
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.runner.digests import render_stored
from riskwatch.store import Store
from riskwatch.store.migrate import _config, head_version, schema_version
from riskwatch.store.tables import metadata
from tests.faults.province import KEPT, make_province

FIXTURE = Path(__file__).with_name("schema_0001.sql.xz")
LAST = dt.date(2025, 12, 31)
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as the first version left it. Copy before you open it."""
    path = tmp_path_factory.mktemp("first") / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(lzma.decompress(FIXTURE.read_bytes()).decode())
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, first_version: Path, tmp_path: Path) -> Iterator[str]:
    """URL of a store of the first version."""
    if request.param == "sqlite":
        shutil.copy(first_version, tmp_path / "store.db")
        yield f"sqlite:///{tmp_path}/store.db"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"upgrade_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = f"{server.rsplit('/', 1)[0]}/{name}"
        _copy_to_postgres(first_version, url)
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _copy_to_postgres(first_version: Path, url: str) -> None:
    """Make the tables as the first migration made them and fill them from the file."""
    source = sa.create_engine(f"sqlite:///{first_version}", poolclass=NullPool)
    target = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    config = _config()
    with source.connect() as reading, target.begin() as writing:
        config.attributes["connection"] = writing
        alembic.command.upgrade(config, "0001")
        tables = sa.MetaData()
        tables.reflect(writing)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                # The types of the server's table read the file: days are days, and truth is no number.
                columns = [sa.column(column.name, column.type) for column in table.columns]
                rows = [dict(row) for row in reading.execute(sa.select(*columns).select_from(sa.table(table.name))).mappings()]
                if rows:
                    writing.execute(table.insert(), rows)
    source.dispose()
    target.dispose()


def rows_of(url: str) -> Rows:
    """Return the rows of every table there is, in the order of all their values."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="sqlite" if url.startswith("sqlite") else "postgresql+psycopg"), poolclass=NullPool
    )
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        found = {
            table.name: sorted((dict(row) for row in connection.execute(sa.select(table)).mappings()), key=repr)
            for table in tables.sorted_tables
        }
    engine.dispose()
    return found


def test_every_row_of_the_first_version_is_there_after_the_upgrade(old_url: str) -> None:
    before = rows_of(old_url)
    assert before.pop("alembic_version") == [{"version_num": "0001"}]
    assert {
        name: len(rows) for name, rows in before.items() if name in {"record_spot_check", "record_injury", "signal", "warning_event"}
    } == {
        "record_spot_check": 507,
        "record_injury": 495,
        "signal": 836,
        "warning_event": 4,
    }
    with Store.open(old_url) as store:
        assert schema_version(store.database) == head_version()
    after = rows_of(old_url)
    for name, rows in before.items():
        columns = list(rows[0]) if rows else []
        # A later version may add columns and tables; what was there stays as it was.
        assert sorted(({column: row[column] for column in columns} for row in after[name]), key=repr) == rows, name
    engine = sa.create_engine(old_url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_what_the_first_version_decided_can_be_read_today(old_url: str) -> None:
    with Store.open(old_url) as store:
        assert store.count_records("spot_check", LAST) == 507
        assert store.count_records("spot_check", dt.date(2025, 11, 30)) == 458
        warnings = [EarlyWarning.from_payload(row.payload) for row in store.read_warnings()]
        events = [WarningEvent.from_payload(row.payload) for row in store.read_events()]
        assessments = [from_payload(row.payload) for row in store.read_assessments(as_of=LAST)]
        batches = [store.read_raw(number).num_rows for number in range(1, 23)]
    assert sorted(warning.grade.name for warning in warnings if warning.live) == ["II", "III"]
    assert [event.kind for event in events].count("new") == 3
    assert {assessment.grade.name for assessment in assessments} >= {"II", "III"}
    assert sum(batches) > 1000


@pytest.mark.slow
def test_a_run_goes_on_from_what_the_first_version_decided(first_version: Path, tmp_path: Path) -> None:
    """The warnings of then are followed, not raised anew, and the digest of then is rendered again."""
    folder = tmp_path / "demo"
    make_province(folder, seed=2, scale=0.02, kept=KEPT | {"centres": ("changchun",)})
    (folder / "var" / "demo").mkdir(parents=True)
    shutil.copy(first_version, folder / "var" / "demo" / "riskwatch.db")
    project = Project(folder)
    before = set(project.warnings(as_of=LAST, open_only=False)["warning_id"])
    report = project.run("daily", as_of="2026-01-05")
    assert report.failed_models == {}
    after = project.warnings(open_only=False)
    assert before <= set(after["warning_id"])
    assert report.events.get("new", 0) <= 1
    with project.context(as_of=LAST) as ctx:
        forms = render_stored(ctx, ["changchun"])["changchun"]
    assert set(forms) == {"zh.html", "zh.md", "en.html", "en.md", "json"}
    assert "2025-12-31" in forms["en.md"]


def test_a_store_of_a_newer_version_is_refused_and_not_touched(first_version: Path, tmp_path: Path) -> None:
    """Going back to an older riskwatch: what it says, and that it changes nothing. There is no downgrade but restoring a backup."""
    path = tmp_path / "store.db"
    shutil.copy(first_version, path)
    Store.open(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.execute("PRAGMA journal_mode=DELETE")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f'its schema version is "9999", this riskwatch knows versions up to "{head_version()}"') as caught:
        Store.open(f"sqlite:///{path}")
    assert caught.value.exit_code == 4
    assert "an older one must not touch it" in caught.value.hint
    assert path.read_bytes() == before
