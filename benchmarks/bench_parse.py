"""One batch of raw rows to typed records, against pandas and pandera on whole columns; and content hashes against ``pandas.util``.

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


def test_peer_pandas(measure, project):
    """Columns converted whole with pandas, then the same declarations asked of every row; reasons per row are not made."""
    source = project.source(SOURCE)
    raw = table(project, 0, ROWS, np.random.default_rng(1))
    schema = schema_for(SPOT_CHECK, project.trees, earliest=source.earliest, today=project.day())

    def convert():
        texts = raw.to_pandas()
        columns = {}
        for field in SPOT_CHECK.all_fields:
            aliases = source.columns.get(field.name, ())
            header = next((name for name in ([aliases] if isinstance(aliases, str) else aliases) if name in texts), None)
            found = pd.Series(np.nan, texts.index, dtype="str") if header is None else texts[header].str.strip()
            found = found.mask(found.isin(source.missing))
            if field.kind == "date":
                columns[field.name] = pd.to_datetime(found, format="%Y-%m-%d", errors="coerce").astype("datetime64[s]")
            elif field.kind in {"int", "float"}:
                columns[field.name] = pd.to_numeric(found).astype("int64")
            elif field.kind == "bool":
                columns[field.name] = found.map({"是": True, "否": False}).astype("boolean")
            else:
                columns[field.name] = found.replace(source.values.get(field.name, {})).astype("category")
        frame = pd.DataFrame(columns).dropna(subset=["event_date"])
        return schema.validate(frame, lazy=True)

    name = "peer: pandas conversions + pandera"
    assert 0.99 * ROWS < len(measure(convert, group=PARSE, name=name, units=ROWS, of="rows", rounds=3)) < ROWS


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
