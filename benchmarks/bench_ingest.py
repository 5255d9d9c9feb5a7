"""How fast spot-check rows get into versioned records, against pandas.to_sql of the same rows.

    python benchmarks/bench_ingest.py [--rows 1000000] [--url URL] [--csv]

Rows are made with a fixed seed: consecutive sample numbers, days in order with some scatter, all text columns filled as in a
published table. By default the rows are parsed already (frames in memory), so that the figure is the store's own: raw landing,
versioning and writing. Then the same file is loaded again in another wrapping (nothing may change), and a correction of 2 % of the rows.
``--url`` names a SQLAlchemy URL (PostgreSQL, say); by default a SQLite file in a temporary folder.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from riskwatch.records.streams import SPOT_CHECK
from riskwatch.store import Store

NOW = dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
BATCH = 50_000


@dataclass(frozen=True)
class Parsed:
    records: pd.DataFrame
    items: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame


@dataclass(frozen=True)
class Raw:
    source: str
    name: str
    content_key: str
    table: pa.Table
    first_row: int
    cursor: str | None
    last: bool


def make_records(first: int, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make parsed records as ``records.parse`` returns them."""
    number = np.arange(first, first + rows)
    day = np.datetime64("2019-01-01", "D") + (number // 700) + rng.integers(0, 30, rows)
    failed = (rng.random(rows) < 0.03).astype(np.int64)

    def pick(prefix: str, kinds: int) -> pd.Categorical:
        return pd.Categorical.from_codes(rng.integers(0, kinds, rows), [f"{prefix}{i:05d}" for i in range(kinds)])

    columns: dict[str, object] = {}
    for field in SPOT_CHECK.all_fields:
        name = field.name
        if name == "record_key":
            columns[name] = pa.array([f"SC-{n:012d}" for n in number]).to_pandas(
                types_mapper={pa.string(): pd.StringDtype(na_value=np.nan)}.get
            )
        elif name in {"inspected", "failed"}:
            columns[name] = np.ones(rows, np.int64) if name == "inspected" else failed
        elif name == "verdict":
            columns[name] = pd.Categorical.from_codes(failed, ["pass", "fail"])
        elif field.choices:
            columns[name] = pd.Categorical.from_codes(rng.integers(0, len(field.choices), rows), list(field.choices))
        elif name in {"event_date", "reported_on", "published_on", "production_date", "received_on"}:
            columns[name] = (day + {"event_date": 0, "received_on": 2, "reported_on": 10, "published_on": 30}.get(name, -40)).astype(
                "datetime64[s]"
            )
        elif field.kind == "date":
            columns[name] = pd.Series(pd.NaT, index=range(rows), dtype="datetime64[s]")
        elif field.kind == "bool":
            columns[name] = pd.array([pd.NA] * rows, dtype="boolean")
        elif name == "recheck_of":
            columns[name] = pd.Series([np.nan] * rows, dtype="str")
        elif name in {"producer", "producer_name", "sampled", "sampled_name"}:
            columns[name] = pick("91220000000", 20_000)
        else:
            columns[name] = pick(f"{name}-", 400)
    frame = pd.DataFrame(columns)
    frame["row_no"] = np.arange(first + 1, first + rows + 1)
    frame["known_on"] = frame["published_on"]
    return frame


def content_hash(records: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """Stand in for ``riskwatch.records.hashing`` where that is timed on its own: a few columns, mixed."""
    del items
    value = records["record_key"].str.slice(3).astype("int64").to_numpy()
    return value * 1_000_003 + records["failed"].to_numpy() * 7 + records["inspected"].to_numpy()


def batches(frames: list[pd.DataFrame], raws: list[pa.Table], tag: str) -> Iterator[tuple[Raw, Parsed]]:
    nothing = pd.DataFrame(columns=["record_key", "item_no", "row_no", *(field.name for field in SPOT_CHECK.items)])
    rejected = pd.DataFrame(columns=["row_no", "field", "rule", "value", "message"])
    key = hashlib.sha256(tag.encode()).hexdigest()
    for i, (frame, raw) in enumerate(zip(frames, raws, strict=True)):
        yield (
            Raw("bench", f"{tag}.csv", key, raw, i * BATCH + 1, None, i == len(frames) - 1),
            Parsed(frame, nothing, rejected, pd.DataFrame(columns=["row_no", "into", "reason"])),
        )


def load(store: Store, frames: list[pd.DataFrame], raws: list[pa.Table], tag: str) -> tuple[float, dict[str, int]]:
    parsed = {raw.first_row: judged for raw, judged in batches(frames, raws, tag)}
    start, cpu = time.perf_counter(), time.process_time()
    total = {"new": 0, "changed": 0, "same": 0, "stale": 0}
    for _, counts in store.load(
        (raw for raw, _ in batches(frames, raws, tag)), lambda raw: parsed[raw.first_row], "spot_check", arrived_at=NOW
    ):
        for name in ("new", "changed", "same", "stale"):
            total[name] += getattr(counts, name)
    total["cpu_ms"] = round(1000 * (time.process_time() - cpu))
    return time.perf_counter() - start, total


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--url", default="")
    arguments.add_argument("--no-peer", action="store_true", help="leave out pandas.to_sql")
    options = arguments.parse_args()
    rng = np.random.default_rng(1)
    frames = [make_records(first, min(BATCH, options.rows - first), rng) for first in range(0, options.rows, BATCH)]
    text = [field.name for field in SPOT_CHECK.all_fields]
    raws = [pa.table({name: pa.array(frame[name].astype("object").astype("str"), pa.string()) for name in text}) for frame in frames]
    out: dict[str, object] = {"rows": options.rows, "columns": len(text)}
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{folder}/bench.db"
        with Store.open(url, content_hash=content_hash) as store:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seconds, counts = load(store, frames, raws, "first")
            assert counts["new"] == options.rows, counts
            out["first load, rows/s"] = round(options.rows / seconds)
            out["first load, rows per CPU second of this process"] = round(1000 * options.rows / counts["cpu_ms"])
            out["memory added by it, MB"] = round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
            seconds, counts = load(store, frames, raws, "again")
            assert counts["same"] == options.rows, counts
            out["same rows again, rows/s"] = round(options.rows / seconds)
            changed = [
                frame.assign(
                    failed=np.where(np.arange(len(frame)) % 50 == 0, 2, frame["failed"]), known_on=frame["known_on"] + pd.Timedelta(days=60)
                )
                for frame in frames
            ]
            seconds, counts = load(store, changed, raws, "changed")
            out["2 % corrected, rows/s"] = round(options.rows / seconds)
            out["corrected"] = counts["changed"]
        if not options.no_peer:
            whole = pd.concat(frames[: max(1, 200_000 // BATCH)], ignore_index=True)[text]
            whole = whole.astype({name: "object" for name in text if isinstance(whole[name].dtype, pd.CategoricalDtype | pd.BooleanDtype)})
            if options.url:
                engine = sa.create_engine(options.url)
                connection: object = engine
            else:
                connection = sqlite3.connect(f"{folder}/peer.db")
            start, cpu = time.perf_counter(), time.process_time()
            whole.to_sql("peer", connection, index=False, if_exists="replace")  # type: ignore[arg-type]
            if not options.url:
                connection.commit()  # type: ignore[attr-defined]
            peer = len(whole) / (time.perf_counter() - start)
            out["pandas.to_sql of the same rows, rows/s"] = round(peer)
            out["pandas.to_sql, rows per CPU second of this process"] = round(len(whole) / (time.process_time() - cpu))
            out["ratio"] = round(float(out["first load, rows/s"]) / peer, 2)  # type: ignore[arg-type]
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
