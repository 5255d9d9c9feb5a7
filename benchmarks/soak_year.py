"""A year of daily runs with a simulated clock on a small province: disk and memory by month, with retention at its shortest.

``python -m benchmarks.soak_year`` prints a line for every month; ``--days 14`` is the short form, ``--keep`` applies no retention.
docs/faults.md has the figures.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import riskwatch.api
from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project
from tests.faults.province import FOLDERS, keep

KEPT = {
    "sources": ("provincial-spot-checks", "hospital-injury-cards"),
    "models": ("spot-check-failures",),
    "centres": ("changchun",),
}
FIRST = dt.date(2025, 1, 1)
SIZES = ("database_mb", "files_mb", "peak_mb", "seconds")
TABLES = ("record_injury", "raw_chunk", "detection", "signal", "assessment", "warning", "digest")

SHORTEST = """\
version: "soak"
basis: {source: "the shortest that the rules allow, to see within a year what stays flat", dated: 2026-11-26, verified: false}
raw_days: 30
quarantine_days: 30
detection_days: 120
assessment_days: 120
warning_days: 120
digest_days: 30
digest_file_days: 30
drop_file_days: 30
message_days: 120
report_days: 400
"""


def make(folder: Path, *, scale: float, retain: bool) -> None:
    """Make the project; every file of the province waits in ``late/`` until its period is over."""
    init_project(folder)
    keep(folder, KEPT)
    datasets.simulate_province(seed=1, scale=scale, start=dt.date(2024, 1, 1), malformed=12).write(folder / "data")
    demo = folder / "data" / "demo"
    for other in demo.iterdir():
        if other.name in FOLDERS:
            shutil.copytree(other, folder / "late" / other.name)
        shutil.rmtree(other)
    for name in FOLDERS:
        (demo / name).mkdir()
    (folder / "config" / "retention.yaml").write_text(SHORTEST, encoding="utf-8")
    if retain:
        pipeline = folder / "pipelines" / "daily.yaml"
        pipeline.write_text(pipeline.read_text(encoding="utf-8").rstrip() + "\n  - step: retain\n", encoding="utf-8")


def _period_over(path: Path) -> dt.date:
    """Return the first day after the period that a file's name tells: 2025-03, 2025Q1 or 2025."""
    name = path.name.split(".")[0]
    year = int(name[:4])
    last_month = int(name[5:7]) if "-" in name else int(name[5]) * 3 if "Q" in name else 12
    return dt.date(year + last_month // 12, last_month % 12 + 1, 1)


def deliver_until(folder: Path, day: dt.date) -> None:
    """Drop the files whose period is over on the sources' folders."""
    for path in sorted((folder / "late").rglob("*.*")):
        # A file of a whole year grows through its year; here it comes at once, and the as-of day hides what is not known yet.
        whole_year = path.name.split(".")[0].isdigit()
        if whole_year or _period_over(path) <= day:
            path.rename(folder / "data" / "demo" / path.parent.name / path.name)


def _peak_mb(*, reset: bool = False) -> float:
    """Return the most memory that this process held since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def months(folder: Path, days: int) -> Iterator[dict[str, float | str]]:
    """Run day after day and yield figures at the end of every month and of the last day."""
    zone = ZoneInfo("Asia/Shanghai")
    _peak_mb(reset=True)
    seconds: list[float] = []
    # One process and one project for the whole year, as a scheduler has them: what it does not give back shows.
    project = Project(folder)
    for number in range(days):
        day = FIRST + dt.timedelta(days=number)
        morning = dt.datetime.combine(day, dt.time(6), zone)
        riskwatch.api._clock = lambda morning=morning: morning.astimezone(dt.UTC)  # noqa: SLF001 - the year passes in minutes
        deliver_until(folder, day)
        begun = time.monotonic()
        report = project.run("daily", as_of=day)
        seconds.append(time.monotonic() - begun)
        if report.exit_code:
            raise RuntimeError(f"the run of {day} ended with {report.exit_code}: {report.faults} {report.failed_models}")
        if (day + dt.timedelta(days=1)).day == 1 or number == days - 1:
            yield _figures(project, day, seconds)
            seconds = []
            _peak_mb(reset=True)


def _figures(project: Project, day: dt.date, seconds: Sequence[float]) -> dict[str, float | str]:
    import sqlite3

    var = project.var
    database = [path for path in var.glob("riskwatch.db*") if path.is_file()]
    files = [path for path in var.rglob("*") if path.is_file() and path not in database]
    figures: dict[str, float | str] = {
        "until": day.isoformat(),
        "database_mb": sum(path.stat().st_size for path in database) / 1e6,
        "files": len(files),
        "files_mb": sum(path.stat().st_size for path in files) / 1e6,
        "peak_mb": _peak_mb(),
        "seconds": sum(seconds) / len(seconds),
    }
    connection = sqlite3.connect(var / "riskwatch.db")
    for table in TABLES:
        figures[table] = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    connection.close()
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the year and print its months."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--scale", type=float, default=0.03, help="size of the simulated province")
    parser.add_argument("--keep", action="store_true", help="apply no retention")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="riskwatch-year-") as name:
        folder = Path(name) / "demo"
        make(folder, scale=options.scale, retain=not options.keep)
        for number, figures in enumerate(months(folder, options.days)):
            if not number:
                sys.stdout.write("\t".join(figures) + "\n")
            sys.stdout.write("\t".join(f"{value:.1f}" if name in SIZES else str(value) for name, value in figures.items()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
