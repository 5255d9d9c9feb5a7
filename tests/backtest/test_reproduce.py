"""The digests of a past run made again: the same bytes, or a word on what differs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from pathlib import Path

from riskwatch.api import Project
from riskwatch.backtest.reproduce import Reproduction, reproduce
from tests.backtest.conftest import DAYS, project_on


def again(folder: Path, day: dt.date) -> Reproduction:
    with Project(folder).context(as_of=day, dry_run=True) as ctx:
        return reproduce(ctx, "daily", list(ctx.definitions.centres))


def test_digests_of_a_past_day_come_out_the_same(lived: Path) -> None:
    found = again(lived, DAYS[3])
    assert found.identical == {"jilin-province": True, "changchun": True}
    assert (found.definitions, found.code, found.records) == ((), "", ())


def test_what_came_later_is_left_out_and_told(lived: Path, tmp_path: Path) -> None:
    """A file with cards of long ago, and a corrected one, arrives after the run: the run did not see them."""
    folder = tmp_path / "late"
    shutil.copytree(lived, folder)
    path = next((folder / "data" / "demo" / "injuries").glob(f"*-until-{DAYS[1]}.csv"))
    header, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    known, key, outcome = (header.index(name) for name in ("填报日期", "报告卡编号", "伤害结局"))
    early = DAYS[2].isoformat()
    more = [
        [f"L{number:05d}" if at == key else early if at == known else cell for at, cell in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    corrected = [[("死亡" if at == outcome else early if at == known else cell) for at, cell in enumerate(row)] for row in rows[:3]]
    with (path.parent / "2025-12-late.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *more, *corrected])
    later = DAYS[-1] + dt.timedelta(days=2)
    with project_on(folder, later).leased(label="pull", as_of=later) as ctx:
        from riskwatch.runner.pull import pull

        assert sum(entry.new + entry.changed + entry.stale for entry in pull(ctx)) > len(rows)
    found = again(folder, DAYS[3])
    assert found.same
    assert [text.partition(":")[0] for text in found.records] == ["hospital-injury-cards"]
    # It is these records that make no difference, not the lack of any: seen, the day is another.
    with Project(folder).context(as_of=DAYS[3]) as ctx:
        assert ctx.store.count_records("injury", DAYS[3]) > len(rows)


def test_a_changed_definition_is_named(lived: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(lived, folder)
    path = folder / "config" / "grading.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("lookback_days: 60", "lookback_days: 20"), encoding="utf-8")
    found = again(folder, DAYS[3])
    assert found.definitions == ("grading (changed, config/grading.yaml)",)
    assert not found.same
    assert set(found.differences) == {name for name, same in found.identical.items() if not same}
