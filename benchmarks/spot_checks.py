"""A CSV of spot checks of any size for the shipped source ``provincial-spot-checks``, and a project to read it with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from riskwatch.api import Project
from riskwatch.project import init_project

SOURCE = "provincial-spot-checks"
_PIECE = 250_000


def make_project(folder: Path, database: str = "") -> Project:
    """Make a project from the template; an empty URL is its own SQLite file."""
    init_project(folder)
    return Project(folder, settings={"settings.database": database} if database else {})


def write_csv(project: Project, path: Path, rows: int, *, seed: int = 1) -> None:
    """Write samples in the order of their days: 28 columns with Chinese headers, two of them without repeats.

    Three in a hundred failed and carry a test item; one row in a thousand has a day that does not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    with pa.csv.CSVWriter(path, table(project, 0, 1, random).schema) as writer:
        for first in range(0, rows, _PIECE):
            writer.write_table(table(project, first, min(_PIECE, rows - first), random, of=rows))


def table(project: Project, first: int, rows: int, random: np.random.Generator, *, of: int = 1) -> pa.Table:
    """Return raw rows ``first`` to ``first + rows`` of about ``of``, which decides how far apart in time they are."""
    number = np.arange(first, first + rows)
    day = np.datetime64("2016-01-04", "D") + (number * 3_400 // max(of, first + rows)) + random.integers(0, 30, rows)
    failed = random.random(rows) < 0.03
    counties = [code for code in project.trees["region"].codes if project.trees["region"].level_of(code) == "county" and code[:2] == "22"]

    def some(values: list[str]) -> pa.Array:
        return pa.array(values).take(pa.array(random.integers(0, len(values), rows)))

    def days(after: int, spread: int = 1) -> pa.Array:
        return pa.array(day + after + random.integers(0, spread, rows)).cast(pa.string())

    def where_failed(values: list[str]) -> pa.Array:
        return pa.array(np.where(failed, np.array(values, object)[random.integers(0, len(values), rows)], None), pa.string())

    event = np.where(random.random(rows) < 0.001, "2019-02-30", days(0).to_numpy(zero_copy_only=False))
    firms = [f"{i:05d}" for i in range(20_000)]
    return pa.table(
        {
            "抽样编号": pa.array([f"XC22{value:012d}" for value in number.tolist()]),
            "任务名称": some([f"{year}年产品质量监督抽查计划第{i}批" for year in range(2016, 2026) for i in range(12)]),
            "抽查类型": some(["国家监督抽查", "省级监督抽查", "市级监督抽查", "县级监督抽查"]),
            "抽样方式": some(["随机抽样", "随机抽样", "重点抽样", "跟踪抽样"]),
            "抽样领域": some(["生产领域", "流通领域", "网络交易"]),
            "产品代码": some([str(code) for code in project.trees["product"].leaves()]),
            "产品名称": some([f"样品名称{i}" for i in range(3_000)]),
            "规格型号": some([f"{i}g/袋" for i in range(2_000)]),
            "标称生产企业": some([f"吉林省第{firm}号食品有限公司" for firm in firms]),
            "统一社会信用代码": some([f"E{firm}X" for firm in firms]),
            "生产地代码": some(counties),
            "被抽样单位": some([f"第{firm}号超市连锁店" for firm in firms]),
            "所在地代码": some(counties),
            "检验机构": some([f"产品质量监督检验院{i}" for i in range(40)]),
            "抽样日期": pa.array(event, pa.string()),
            "收样日期": days(30, 3),
            "报告日期": days(40, 10),
            "公布日期": days(60, 20),
            "抽查批次数": pa.array(np.full(rows, "1", object), pa.string()),
            "不合格批次数": pa.array(np.where(failed, "1", "0").astype(object), pa.string()),
            "判定": pa.array(np.where(failed, "不合格", "合格").astype(object), pa.string()),
            "企业否认": where_failed(["否"]),
            "责令改正日期": pa.array(np.where(failed, days(95).to_numpy(zero_copy_only=False), None), pa.string()),
            "不合格项目": where_failed(["菌落总数", "甜蜜素", "铅", "过氧化值"]),
            "检验结果": where_failed(["0.12", "5.4", "<0.01"]),
            "标准值": where_failed(["≤0.1", "≤5.0"]),
            "单位": where_failed(["g/kg", "mg/kg"]),
            "安全项目": where_failed(["是", "否"]),
        }
    )


def put_csv(project: Project, csv: Path) -> None:
    """Make a CSV the only file of the source (linked, where the disk allows)."""
    folder = project.data / "demo" / "spot_checks"
    folder.mkdir(parents=True)
    shutil.copyfile(csv, folder / csv.name)
