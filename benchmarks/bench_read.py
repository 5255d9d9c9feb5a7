"""How fast stored records come back as narrow columns for a panel.

    python benchmarks/bench_read.py [--rows 5000000] [--url URL] [--database FILE]

Fills a store with spot checks (in FILE, if one is named), then reads ``event_date, product, region, failed`` of all
records as of a day, three times, and groups them by week, product and region.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from bench_ingest import BATCH, NOW, Raw, content_hash, make_records
from bench_ingest import Parsed as ParsedRows

from riskwatch.records.streams import SPOT_CHECK
from riskwatch.store import Store

COLUMNS = ["event_date", "product", "region", "failed"]


def fill(url: str, rows: int) -> None:
    """Store ``rows`` spot checks; batches are made as they are wanted, so that memory stays small."""
    nothing = pd.DataFrame(columns=["record_key", "item_no", "row_no", *(field.name for field in SPOT_CHECK.items)])
    rejected = pd.DataFrame(columns=["row_no", "field", "rule", "value", "message"])
    rng = np.random.default_rng(2)
    with Store.open(url, content_hash=content_hash) as store:
        raws = (
            Raw("bench", "f.csv", "0" * 64, pa.table({"n": pa.array([str(i)])}), i + 1, None, i + BATCH >= rows)
            for i in range(0, rows, BATCH)
        )
        for _ in store.load(
            raws,
            lambda raw: ParsedRows(
                make_records(raw.first_row - 1, min(BATCH, rows - raw.first_row + 1), rng),
                nothing,
                rejected,
                pd.DataFrame(columns=["row_no", "into", "reason"]),
            ),
            "spot_check",
            arrived_at=NOW,
        ):
            pass


def measure(url: str, rows: int) -> dict[str, object]:
    """Read and group; run in a process of its own, so that memory is the reader's."""
    out: dict[str, object] = {}
    with Store.open(url) as store:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds, cpu = [], []
        for _ in range(3):
            start, used = time.perf_counter(), time.process_time()
            frame = store.read_records("spot_check", COLUMNS, as_of=dt.date(2050, 1, 1))
            seconds.append(round(time.perf_counter() - start, 2))
            cpu.append(round(time.process_time() - used, 2))
        assert len(frame) == rows, len(frame)
        out |= {"rows": rows, "read, s": seconds, "of which CPU of this process, s": cpu}
        out["memory added, MB"] = round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
        start = time.perf_counter()
        week = frame["event_date"].to_numpy().astype("datetime64[D]").astype(np.int64) // 7
        frame.assign(week=week).groupby(["week", "product", "region"], observed=True)["failed"].sum()
        out["group by week, product, region, s"] = round(time.perf_counter() - start, 2)
        start = time.perf_counter()
        store.freshness(dt.date(2030, 1, 1))
        out["freshness, s"] = round(time.perf_counter() - start, 2)
        start = time.perf_counter()
        store.data_vintage("spot_check", as_of=dt.date(2030, 1, 1))
        out["data_vintage, s"] = round(time.perf_counter() - start, 4)
    return out


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--url", default="")
    arguments.add_argument("--database", type=Path)
    arguments.add_argument("--only-read", action="store_true")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{options.database or Path(folder) / 'bench.db'}"
        if options.only_read:
            print(json.dumps(measure(url, options.rows), indent=1))
            return
        fill(url, options.rows)
        command = [sys.executable, __file__, "--only-read", "--url", url, "--rows", str(options.rows)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
