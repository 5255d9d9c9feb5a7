"""One batch of raw rows to typed records, against pandera on the whole frame; and content hashes against ``pandas.util``.

RISKWATCH_BENCH_BATCH_ROWS (default 50,000, a batch of the pull).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import size
from spot_checks import SOURCE, make_project, table

from riskwatch.records import SPOT_CHECK, content_hash, parse, schema_for

ROWS = size("BATCH_ROWS", 50_000)
PARSE, HASH = "one batch: check and convert", "one batch: content hashes"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("parse") / "project")


@pytest.fixture(scope="module")
def batch(project):
    source = project.source(SOURCE)
    raw = table(project, 0, ROWS, np.random.default_rng(1))

    def judge():
        return parse(raw, source, project.trees, today=project.day())

    return judge, judge()


def test_parse(measure, batch):
    parsed = measure(batch[0], group=PARSE, name="riskwatch parse: texts to checked records", units=ROWS, of="rows", rounds=5)
    assert len(parsed.records) + parsed.rejected["row_no"].nunique() == ROWS


def test_peer_schema(measure, batch, project):
    """The same declarations asked of every row, which is the checking alone: the records are typed already."""
    schema = schema_for(SPOT_CHECK, project.trees, earliest=project.source(SOURCE).earliest, today=project.day())
    records = batch[1].records
    name = "peer: pandera over whole columns, checks only"
    assert len(measure(lambda: schema.validate(records, lazy=True), group=PARSE, name=name, units=ROWS, of="rows", rounds=3)) == len(records)


def test_content_hash(measure, batch):
    parsed = batch[1]
    hashes = measure(
        lambda: content_hash(parsed.records, parsed.items), group=HASH, name="riskwatch content_hash", units=ROWS, of="rows", rounds=5
    )
    assert len(np.unique(hashes)) == len(parsed.records)


def test_peer_hash(measure, batch):
    """Not the same promise: its numbers depend on how values are held and on the order of columns, and items are left out."""
    records = batch[1].records

    def peer():
        return pd.util.hash_pandas_object(records.astype("object"), index=False)

    assert len(measure(peer, group=HASH, name="peer: pandas hash_pandas_object", units=ROWS, of="rows", rounds=3)) == len(records)
