"""Spot checks from a CSV file to versioned records, validation included, against ``pandas.read_csv`` + ``to_sql`` without any.

RISKWATCH_BENCH_ROWS (default 200,000; the target is 1,000,000); RISKWATCH_BENCH_POSTGRES: URL of a server, for the second group.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import adbc_driver_sqlite.dbapi
import pandas as pd
import pytest
import sqlalchemy as sa
from conftest import size
from spot_checks import SOURCE, make_project, put_csv, write_csv

from riskwatch.runner.pull import PullReport, pull

ROWS = size("ROWS", 200_000)
POSTGRES = os.environ.get("RISKWATCH_BENCH_POSTGRES", "")
SQLITE_GROUP, POSTGRES_GROUP = "CSV to SQLite", "CSV to PostgreSQL"
needs_postgres = pytest.mark.skipif(not POSTGRES, reason="RISKWATCH_BENCH_POSTGRES names no server (scripts/postgres.sh start)")


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "samples.csv"
    write_csv(make_project(folder / "project"), path, ROWS)
    return path


def pull_all(project) -> PullReport:
    with project.context() as ctx:
        return pull(ctx, [SOURCE])[0]


def project_with(folder: Path, csv: Path, database: str = ""):
    project = make_project(folder, database)
    put_csv(project, csv)
    with project.store():  # tables exist, as they do before any ordinary pull
        return project


def check(report: PullReport) -> None:
    assert report.rows == ROWS
    assert report.new + report.rejected == ROWS
    assert 0 < report.rejected < 0.002 * ROWS
    assert not report.faults


def test_pull_sqlite(measure, csv, tmp_path):
    project = project_with(tmp_path / "project", csv)
    check(measure(lambda: pull_all(project), group=SQLITE_GROUP, name="riskwatch pull, first time", units=ROWS, of="rows"))


def test_pull_again_sqlite(measure, csv, tmp_path):
    """The same rows in another file: every row is parsed, looked up and found unchanged."""
    project = project_with(tmp_path / "project", csv)
    pull_all(project)
    (project.data / "demo" / "spot_checks" / "again.csv").write_bytes(csv.read_bytes() + b"\n")
    report = measure(lambda: pull_all(project), group=SQLITE_GROUP, name="riskwatch pull, all rows known", units=ROWS, of="rows")
    assert report.new == 0
    assert report.same + report.rejected == ROWS


def test_peer_sqlite(measure, csv, tmp_path):
    def to_sql() -> None:
        with closing(sqlite3.connect(tmp_path / "peer.db")) as connection:
            pd.read_csv(csv, dtype="str").to_sql("peer", connection, index=False)
            connection.commit()

    measure(to_sql, group=SQLITE_GROUP, name="peer: pandas read_csv + to_sql", units=ROWS, of="rows")


def test_peer_sqlite_adbc(measure, csv, tmp_path):
    """The fastest road that pandas has: the driver that the store uses, without keys, index, versions or checks."""

    def to_sql() -> None:
        with adbc_driver_sqlite.dbapi.connect(str(tmp_path / "peer.db")) as connection:
            pd.read_csv(csv, dtype="str").to_sql("peer", connection, index=False)
            connection.commit()

    measure(to_sql, group=SQLITE_GROUP, name="pandas read_csv + to_sql over ADBC", units=ROWS, of="rows")


@pytest.fixture
def database():
    """A database of its own on the server, dropped afterwards."""
    engine = sa.create_engine(sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    name = f"riskwatch_bench_{os.getpid()}"
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@needs_postgres
def test_pull_postgres(measure, csv, tmp_path, database):
    project = project_with(tmp_path / "project", csv, database)
    check(measure(lambda: pull_all(project), group=POSTGRES_GROUP, name="riskwatch pull, first time", units=ROWS, of="rows"))


@needs_postgres
def test_peer_postgres(measure, csv, database):
    engine = sa.create_engine(sa.make_url(database).set(drivername="postgresql+psycopg"))
    measure(
        lambda: pd.read_csv(csv, dtype="str").to_sql("peer", engine, index=False),
        group=POSTGRES_GROUP, name="peer: pandas read_csv + to_sql", units=ROWS, of="rows",
    )  # fmt: skip
    engine.dispose()
