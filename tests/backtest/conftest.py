"""A small province that was really run on four days, with records arriving as they became known: what a replay must equal."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.backtest.setting import Place, Setting, open_setting
from tests.faults.province import make_province

DAYS = [dt.date(2025, 11, 26) + dt.timedelta(days=7 * number) for number in range(4)]
KNOWN = {"spot_checks": "公告日期", "injuries": "填报日期", "complaints": "入库日期"}


def arrive(folder: Path, since: dt.date, day: dt.date) -> None:
    """Drop files with the rows that became known after ``since`` up to ``day``; rows without a readable day come first."""
    for path in sorted((folder / "waiting").rglob("*.csv")):
        text = path.read_text(encoding="utf-8")
        header, *rows = csv.reader(io.StringIO(text))
        at = header.index(KNOWN[path.parent.name])
        mine = [row for row in rows if since < _day(row[at], DAYS[0]) <= day]
        if mine:
            target = folder / "data" / "demo" / path.parent.name / f"{path.stem}-until-{day}.csv"
            with target.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([header, *mine])


def _day(text: str, otherwise: dt.date) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return otherwise


def project_on(folder: Path, day: dt.date) -> Project:
    """Open a project on the morning of a day."""
    return Project(folder, clock=lambda: dt.datetime.combine(day, dt.time(6, 30), tzinfo=dt.UTC))


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that was run on every one of :data:`DAYS`, each on its own morning. Read only."""
    folder = tmp_path_factory.mktemp("lived") / "province"
    make_province(folder, scale=0.03)
    (folder / "waiting").mkdir()
    for name in KNOWN:
        (folder / "data" / "demo" / name).rename(folder / "waiting" / name)
        (folder / "data" / "demo" / name).mkdir()
    settings = folder / "config" / "riskwatch.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("as_of: 2025-12-31", "as_of: null"), encoding="utf-8")
    before = dt.date.min
    for day in DAYS:
        arrive(folder, before, day)
        report = project_on(folder, day).run("daily", as_of=day)
        assert not report.failed_models
        before = day
    return folder


@pytest.fixture
def setting(lived: Path) -> Iterator[Setting]:
    """Return the setting of replays of :func:`lived`; its cache is shared by all tests."""
    with open_setting(Place(str(lived), str(lived))) as opened:
        yield opened
