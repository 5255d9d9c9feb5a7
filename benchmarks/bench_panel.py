"""Stored records to weekly product x county series, through the store, against ``pandas.read_sql`` + ``groupby``.

RISKWATCH_BENCH_PANEL_ROWS (default 500,000; the target is 5,000,000); the peer reads at most RISKWATCH_BENCH_PEER_ROWS (500,000).
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import size
from spot_checks import SOURCE, make_project, table

from riskwatch.api import Project
from riskwatch.panel import SparseRule, build_panel
from riskwatch.records import parse
from riskwatch.sources import RawBatch

ROWS = size("PANEL_ROWS", 500_000)
PEER_ROWS = min(ROWS, size("PEER_ROWS", 500_000))
GROUP = "stored records to weekly product x county series"
COLUMNS = ["event_date", "product", "region", "failed", "inspected"]
AS_OF = dt.date(2050, 1, 1)
_BATCH = 50_000


def fill(folder: Path, rows: int) -> None:
    """Store ``rows`` spot checks, made batch by batch and parsed like any others."""
    project = make_project(folder)
    source = project.source(SOURCE)
    random = np.random.default_rng(2)
    with project.context() as ctx:
        raws = (
            RawBatch(
                SOURCE, "made", "0" * 64, table(project, at, min(_BATCH, rows - at), random, of=rows), at + 1, None, at + _BATCH >= rows
            )
            for at in range(0, rows, _BATCH)
        )

        for raw in raws:
            parsed = parse(raw.table, source, ctx.trees, today=ctx.today, first_row=raw.first_row)
            ctx.store.ingest(ctx.store.land(raw, "spot_check", landed_at=ctx.now), parsed, raw=raw.table, arrived_at=ctx.now)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel") / "project"
    # A process of its own: what filling leaves in memory would hide what reading needs.
    child = multiprocessing.get_context("spawn").Process(target=fill, args=(folder, ROWS))
    child.start()
    child.join()
    assert child.exitcode == 0
    return Project(folder)


def test_panel(measure, project):
    def build():
        with project.store() as store:
            frame = store.read_records("spot_check", COLUMNS, as_of=AS_OF)
        built = build_panel(
            frame,
            levels={"product": "product", "region": "county"},
            trees=project.trees,
            frequency="week",
            until=dt.date(2025, 12, 28),
            numerator="failed",
            denominator="inspected",
            sparse=SparseRule(),
        )
        return len(frame), built

    rows, built = measure(build, group=GROUP, name="riskwatch store + build_panel", units=ROWS, of="records")
    assert 0.998 * ROWS < rows < ROWS
    # All series are there or in their parents: no failed sample is lost, but those of weeks that are not over.
    assert built.panel.shape[0] > 100
    assert built.panel.shape[1] > 400


def test_peer(measure, project):
    path = project.var / "riskwatch.db"

    def group():
        query = (
            f"SELECT {', '.join(COLUMNS)} FROM record_spot_check WHERE known_at <= '{AS_OF}' "
            f"AND (superseded_at IS NULL OR superseded_at > '{AS_OF}') AND record_id <= {PEER_ROWS}"
        )
        with closing(sqlite3.connect(path)) as connection:
            frame = pd.read_sql(query, connection, parse_dates=["event_date"])
        week = frame["event_date"].dt.to_period("W-SUN")
        return frame.groupby(["product", "region", week])[["failed", "inspected"]].sum()

    assert len(measure(group, group=GROUP, name="peer: pandas read_sql + groupby", units=PEER_ROWS, of="records")) > 1_000
