"""What must survive beside kills: sources that are down, half a file, a clock set back, a broken model, a database that refuses."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import riskwatch.api
from riskwatch.api import Project
from riskwatch.errors import RiskwatchError, StoreError
from riskwatch.runner import overrides as detecting
from tests.faults.province import FIRST_DAY, deliver, make_province
from tests.faults.state import differences, state_of

KEPT = {
    "sources": ("hospital-injury-cards", "complaints"),
    "models": ("complaints", "media-reports"),
    "centres": ("changchun",),
}
CARDS = "hospital-injury-cards"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run once, on :data:`FIRST_DAY`."""
    folder = tmp_path_factory.mktemp("begun") / "demo"
    make_province(folder, kept=KEPT)
    assert Project(folder).run("daily", as_of=FIRST_DAY).exit_code == 0
    return folder


@pytest.fixture
def project(begun: Path, tmp_path: Path) -> Path:
    """A private copy of it."""
    shutil.copytree(begun, tmp_path / "demo")
    return tmp_path / "demo"


def run(folder: Path, days: int = 1) -> Any:
    return Project(folder).run("daily", as_of=FIRST_DAY + dt.timedelta(days=days))


def digest_of(folder: Path, days: int) -> Any:
    day = FIRST_DAY + dt.timedelta(days=days)
    return json.loads((folder / f"var/demo/digests/{day}/changchun.json").read_text(encoding="utf-8"))


def state(folder: Path) -> Any:
    return state_of(f"sqlite:///{folder}/var/demo/riskwatch.db", folder / "var", without=("riskwatch.db",))


def cards(folder: Path, as_of: dt.date | None = None) -> pd.DataFrame:
    frame = Project(folder).records("injury", as_of=as_of or dt.date(2025, 12, 31))
    return frame.drop(columns=["record_id", "batch_id"], errors="ignore").sort_values("record_key").reset_index(drop=True)


# --- sources -----------------------------------------------------------------------------------------------------------


def test_a_source_that_is_down_for_three_days_is_told_and_loses_nothing(project: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(project, twin)
    folder = project / "data" / "demo" / "injuries"
    folder.rename(folder.with_name("away"))
    for days in (1, 2, 3):
        report = run(project, days)
        assert report.exit_code == 1
        assert any(fault.startswith(f"{CARDS}:") for fault in report.faults)
        found = {entry["source"]: entry for entry in digest_of(project, days)["quality"]["sources"]}
        assert found[CARDS]["state"] == "failed"
        assert found["complaints"]["state"] in {"on-time", "late"}
        with Project(project).store() as store:
            assert store.source_status(CARDS).consecutive_failures == days
    folder.with_name("away").rename(folder)
    for place in (project, twin):
        deliver(place)
        assert run(place, 4).exit_code == 0
    with Project(project).store() as store:
        status = store.source_status(CARDS)
    assert (status.consecutive_failures, status.last_error) == (0, None)
    assert {entry["source"]: entry["state"] for entry in digest_of(project, 4)["quality"]["sources"]}[CARDS] in {"on-time", "late"}
    pd.testing.assert_frame_equal(cards(project), cards(twin))
    assert len(cards(project)) > len(cards(project, FIRST_DAY))


def test_half_a_file_is_read_as_far_as_it_goes_and_the_whole_one_adds_the_rest(project: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(project, twin)
    (late,) = (project / "late" / "injuries").iterdir()
    whole = late.read_bytes()
    target = project / "data" / "demo" / "injuries" / late.name
    lines = whole.splitlines(keepends=True)
    cut = sum(map(len, lines[: len(lines) // 2])) + len(lines[len(lines) // 2]) // 3
    while (whole[cut] & 0xC0) == 0x80:  # not within a character: that is refused as a whole, tests/sources has it
        cut += 1
    target.write_bytes(whole[:cut])
    first = run(project, 45)
    assert first.pulls[0].source == CARDS
    assert first.pulls[0].new > 0
    target.write_bytes(whole)
    second = run(project, 45)
    assert (second.pulls[0].changed, second.pulls[0].stale) == (0, 0)
    deliver(twin)
    run(twin, 45)
    mine, theirs = cards(project), cards(twin)
    assert mine["record_key"].tolist() == theirs["record_key"].tolist()
    same = [name for name in mine if name not in {"known_at", "row_no"}]
    pd.testing.assert_frame_equal(mine[same], theirs[same])


# --- the clock ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[dt.datetime], None]:
    def set_to(moment: dt.datetime) -> None:
        monkeypatch.setattr(riskwatch.api, "_clock", lambda: moment)

    return set_to


def test_a_clock_set_back_an_hour_between_runs_changes_nothing(project: Path, clock: Callable[[dt.datetime], None]) -> None:
    """The run that counts for a day is the last that was made, not the one whose clock was ahead."""
    noon, hour = dt.datetime(2026, 1, 5, 4, tzinfo=dt.UTC), dt.timedelta(hours=1)
    clock(noon)
    assert not run(project, 45).unchanged
    deliver(project)
    clock(noon - hour)
    second = run(project, 45)
    assert (second.unchanged, second.run_id[-2:]) == (False, "-2")
    clock(noon - hour / 2)
    third = run(project, 45)
    assert (third.unchanged, third.run_id) == (True, second.run_id)
    with Project(project).store() as store:
        newest = store.read_assessments(as_of=FIRST_DAY + dt.timedelta(days=45))
        assert newest == store.read_assessments(run_id=second.run_id)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        # No daylight saving: days of 24 hours.
        ("Asia/Shanghai", "2025-12-31T15:59:59", "2025-12-31"),
        ("Asia/Shanghai", "2025-12-31T16:00:00", "2026-01-01"),
        ("Asia/Kolkata", "2025-03-30T18:29:59", "2025-03-30"),
        ("Asia/Kolkata", "2025-03-30T18:30:00", "2025-03-31"),
        ("Pacific/Kiritimati", "2025-12-31T10:00:00", "2026-01-01"),
        # The day in spring that has 23 hours, from 05:00 to 04:00.
        ("America/New_York", "2025-03-09T04:59:59", "2025-03-08"),
        ("America/New_York", "2025-03-09T05:00:00", "2025-03-09"),
        ("America/New_York", "2025-03-10T03:59:59", "2025-03-09"),
        ("America/New_York", "2025-03-10T04:00:00", "2025-03-10"),
        # The day in autumn that has 25, with half past one twice.
        ("America/New_York", "2025-11-02T05:30:00", "2025-11-02"),
        ("America/New_York", "2025-11-02T06:30:00", "2025-11-02"),
        ("America/New_York", "2025-11-03T04:59:59", "2025-11-02"),
        ("America/New_York", "2025-11-03T05:00:00", "2025-11-03"),
    ],
)
def test_the_as_of_day_and_the_day_of_arrival_are_the_projects_own(
    zone: str, moment: str, day: str, begun: Path, clock: Callable[[dt.datetime], None]
) -> None:
    path = begun / "config" / "riskwatch.yaml"
    assert "as_of: 2025-12-31" in path.read_text(encoding="utf-8")
    instant = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
    clock(instant)
    project = Project(begun, settings={"settings.timezone": zone, "settings.as_of": "null"})
    assert project.day().isoformat() == day
    with project.context() as ctx:
        assert (ctx.as_of, ctx.today) == (project.day(), project.day())
        assert ctx.store.day(instant) == project.day()


# --- a model that breaks -----------------------------------------------------------------------------------------------


def broken(real: Any, error: BaseException) -> Any:
    def make(name: str, **parameters: Any) -> Any:
        if name == "sequential-nb":
            raise error
        return real(name, **parameters)

    return make


@pytest.mark.parametrize(
    "error", [KeyError("no such column"), RuntimeError("did not converge"), MemoryError(), AssertionError("odd")], ids=repr
)
def test_whatever_a_detector_raises_the_others_are_judged(project: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(detecting, "detector", broken(detecting.detector, error))
    deliver(project)
    report = run(project, 45)
    assert list(report.failed_models) == ["complaints"]
    assert report.failed_models["complaints"].startswith(type(error).__name__)
    assert report.exit_code == 1
    label = Project(project).definitions.models["complaints"].label
    quality = json.dumps(digest_of(project, 45)["quality"], ensure_ascii=False)
    assert label.zh in quality
    assert label.en in quality


def test_a_database_that_fails_while_a_model_is_judged_ends_the_run_and_not_the_model(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the day would stand with a model that never failed, and starting again would find nothing to do."""
    twin = tmp_path / "twin"
    shutil.copytree(project, twin)
    for place in (project, twin):
        deliver(place)
    run(twin, 45)
    with monkeypatch.context() as patch:
        patch.setattr(detecting, "detector", broken(detecting.detector, StoreError("the server went away")))
        with pytest.raises(StoreError, match="the server went away"):
            run(project, 45)
    report = run(project, 45)
    assert (report.failed_models, report.exit_code) == ({}, 0)
    assert differences(state(twin), state(project)) == []


# --- a database or disk that refuses -----------------------------------------------------------------------------------


def test_a_read_only_database_ends_the_run_with_4_and_stays_as_it_was(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(project)
    deliver(project)
    with monkeypatch.context() as patch:
        patch.setattr("riskwatch.store.database._SQLITE_PRAGMAS", ("PRAGMA query_only=ON",))
        with pytest.raises(StoreError, match="the database is read-only") as caught:
            run(project, 45)
    assert caught.value.exit_code == 4
    assert state(project) == before
    assert run(project, 45).exit_code == 0


def test_a_disk_that_is_full_when_digests_are_written_leaves_the_decisions_and_writes_them_later(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(project, twin)
    run(twin, 1)
    real = Path.write_text

    def full(path: Path, *args: Any, **kwargs: Any) -> int:
        if path.name.endswith("en.md.part"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(RiskwatchError, match=r"Cannot write the digests of .*: No space left on device") as caught:
            run(project, 1)
    assert caught.value.exit_code == 5
    assert "what was decided is stored" in caught.value.hint
    report = run(project, 1)
    assert (report.unchanged, report.exit_code) == (True, 0)
    assert differences(state(twin), state(project)) == []
