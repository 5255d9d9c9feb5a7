"""How fast one batch of raw spot-check rows becomes typed records: ``python benchmarks/bench_parse.py [rows] [repeats]``.

Prints, as JSON, the best and median seconds of `records.parse` and of `records.content_hash` on one process, rows per second, and
what the same pandera schema costs when it is asked about the whole frame instead of distinct values.
The rows are synthetic: 21 mapped columns, two of them without repeats, one row in a hundred malformed.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from riskwatch.dimensions import Tree, load_trees
from riskwatch.records import SPOT_CHECK, content_hash, parse, schema_for

COLUMNS = {
    "record_key": "抽样编号", "event_date": "抽样日期", "product": "产品代码", "region": "抽样地区", "check_type": "抽查类型",
    "selection": "抽样方式", "channel": "抽样领域", "task": "任务", "product_name": "产品名称", "trademark": "商标",
    "specification": "规格型号", "production_date": "生产日期", "batch_no": "批号", "producer": "生产企业代码",
    "producer_region": "生产地", "sampled": "被抽样单位代码", "laboratory": "检验机构", "reported_on": "报告日期",
    "inspected": "抽查批次", "failed": "不合格批次", "verdict": "判定",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A plain source with everything at its default."""

    name: str = "bench"
    stream: str = "spot_check"
    key: tuple[str, ...] = ("record_key",)
    columns: Mapping[str, str] = field(default_factory=lambda: dict(COLUMNS))
    items: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {
            "check_type": {"国抽": "national", "省抽": "provincial", "市抽": "prefecture"},
            "selection": {"随机": "random", "重点": "targeted"},
            "channel": {"生产": "production", "流通": "distribution", "网络": "online"},
            "verdict": {"合格": "pass", "不合格": "fail"},
        }
    )
    codes: Mapping[str, object] = field(default_factory=dict)
    missing: tuple[str, ...] = ("", "/", "—", "-")
    date_formats: tuple[str, ...] = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日")
    known_at: object = field(default_factory=lambda: SimpleNamespace(field="reported_on", event_date_plus_days=None))
    earliest: dt.date = dt.date(1990, 1, 1)


def make_trees(folder: Path) -> dict[str, Tree]:
    """Make a product tree of 60 leaves and a region tree of 60 counties."""
    products = ["code,parent,level,name_zh,name_en,industry"]
    products += [f"P{c:02d},,category,类{c},category {c},C{c + 13}" for c in range(10)]
    products += [f"P{c:02d}{leaf},P{c:02d},product,产品{c}-{leaf},product {c}-{leaf}," for c in range(10) for leaf in range(6)]
    regions = ["code,parent,level,name_zh,name_en", "220000,,province,吉林省,Jilin"]
    regions += [f"22{p:02d}00,220000,prefecture,地{p},prefecture {p}" for p in range(1, 10)]
    regions += [f"22{p:02d}{c:02d},22{p:02d}00,county,县{p}-{c},county {p}-{c}" for p in range(1, 10) for c in range(2, 9)]
    (folder / "products.csv").write_text("\n".join(products), encoding="utf-8")
    (folder / "regions.csv").write_text("\n".join(regions), encoding="utf-8")
    files = [
        SimpleNamespace(dimension="product", path="products.csv", format="tree", options={}, crosswalk=None),
        SimpleNamespace(dimension="region", path="regions.csv", format="tree", options={}, crosswalk=None),
    ]
    return load_trees(files, folder, folder)


def make_table(rows: int, trees: Mapping[str, Tree], *, seed: int = 1, bad_share: float = 0.01) -> pa.Table:
    """Make raw rows, every value a text, as a reader hands them over."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2019-01-01") + random.integers(0, 1500, rows)
    failed = (random.random(rows) < 0.06).astype(int)
    dates = days.astype("datetime64[D]").astype(str)
    counties = [code for code in trees["region"].codes if trees["region"].level_of(code) == "county"]
    leaves = trees["product"].leaves()

    def some(values: list[str]) -> np.ndarray:
        return np.array(values, dtype=object)[random.integers(0, len(values), rows)]

    raw = {
        "抽样编号": [f"JL{seed:02d}{i:09d}" for i in range(rows)],
        "抽样日期": dates.astype(object),
        "产品代码": some(leaves),
        "抽样地区": some(counties),
        "抽查类型": some(["国抽", "省抽", "市抽"]),
        "抽样方式": some(["随机", "重点"]),
        "抽样领域": some(["生产", "流通", "网络"]),
        "任务": some([f"任务{i}" for i in range(40)]),
        "产品名称": some([f"产品名称{i}" for i in range(5000)]),
        "商标": some(["/", *[f"商标{i}" for i in range(2000)]]),
        "规格型号": some([f"{i}g/袋" for i in range(500)]),
        "生产日期": (days - random.integers(5, 90, rows)).astype(str).astype(object),
        "批号": [f"B{i}" for i in random.integers(0, 10**7, rows)],
        "生产企业代码": some([f"E{i:012x}" for i in range(4000)]),
        "生产地": some(counties),
        "被抽样单位代码": some([f"S{i:012x}" for i in range(8000)]),
        "检验机构": some([f"检验院{i}" for i in range(30)]),
        "报告日期": (days + random.integers(10, 30, rows)).astype(str).astype(object),
        "抽查批次": some(["1"]),
        "不合格批次": failed.astype(str).astype(object),
        "判定": np.where(failed == 1, "不合格", "合格").astype(object),
    }
    for header, wrong in {"抽样日期": "2021-02-30", "产品代码": "P99", "抽查批次": "3.5", "判定": "待定"}.items():
        column = np.array(raw[header], dtype=object)
        column[random.random(rows) < bad_share / 4] = wrong
        raw[header] = column
    return pa.table({header: pa.array(values, type=pa.string()) for header, values in raw.items()})


def main() -> None:
    """Run and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with TemporaryDirectory() as folder:
        trees = make_trees(Path(folder))
    table = make_table(rows, trees)
    today = dt.date(2024, 1, 1)
    parse(table, Source(), trees, today=today)  # imports pandera
    parse_seconds, hash_seconds, parse_cpu = [], [], []
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        parsed = parse(table, Source(), trees, today=today)
        parse_seconds.append(time.perf_counter() - start)
        parse_cpu.append(time.process_time() - cpu)
        start = time.perf_counter()
        content_hash(parsed.records, parsed.items)
        hash_seconds.append(time.perf_counter() - start)
    schema = schema_for(SPOT_CHECK, trees, earliest=dt.date(1990, 1, 1), today=today)
    schema_cpu = []
    for _ in range(3):
        cpu = time.process_time()
        schema.validate(parsed.records, lazy=True)
        schema_cpu.append(time.process_time() - cpu)
    print(
        json.dumps(
            {
                "rows": rows,
                "columns": table.num_columns,
                "records": len(parsed.records),
                "rejected_rows": int(parsed.rejected["row_no"].nunique()),
                "parse_best_s": round(min(parse_seconds), 4),
                "parse_cpu_best_s": round(min(parse_cpu), 4),
                "parse_median_s": round(statistics.median(parse_seconds), 4),
                "parse_rows_per_s": round(rows / min(parse_seconds)),
                "whole_frame_schema_cpu_best_s": round(min(schema_cpu), 4),
                "hash_best_s": round(min(hash_seconds), 4),
                "hash_rows_per_s": round(rows / min(hash_seconds)),
            }
        )
    )


if __name__ == "__main__":
    main()
