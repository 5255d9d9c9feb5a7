"""What no replay uses any more goes; what is in use stays; what went is computed again, the same."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from riskwatch.api import Project
from riskwatch.backtest import prune as pruning
from riskwatch.backtest.cache import Cache
from riskwatch.backtest.plan import plan_detections
from riskwatch.backtest.prune import Pruned, prune, unused_days
from riskwatch.backtest.replay import replay
from riskwatch.backtest.setting import Setting, composed
from riskwatch.backtest.use import in_use
from riskwatch.cli import main
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.project import init_project
from tests.backtest.conftest import DAYS
from tests.backtest.test_replay import standing

DAY = 86_400


def age(folder: Path, days: float) -> None:
    """Let everything in a folder be used last so many days ago."""
    moment = time.time() - days * DAY
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (moment, moment))


def filled(folder: Path) -> Cache:
    """Make a folder of replays with two results, definitions, a tried setting, a page and something of a person's own; all 40 days old."""
    cache = Cache(folder / "cache")
    for key in ("aa1", "bb2"):
        cache.write("detection", key, {"one": pa.table({"n": [1, 2]})}, key)
    for name in ("definitions/0123/config/grading.yaml", "settings/4567/config/grading.yaml", "replays/89ab/backtest.zh.html", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text", encoding="utf-8")
    age(folder, 40)
    return cache


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_what_is_old_goes_and_a_dry_run_says_so_before(tmp_path: Path) -> None:
    folder = tmp_path / "backtest"
    filled(folder)
    before = files(folder)
    told = prune(folder, 30, dry_run=True)
    assert files(folder) == before
    done = prune(folder, 30)
    assert files(folder) == {"notes.txt"}
    assert dataclasses.replace(told, dry_run=False) == done
    assert done.files == {"detection": 2, "definitions": 1, "settings": 1, "replays": 1}
    assert (done.bytes["replays"], done.kept_files) == (4, {})
    assert prune(folder, 30) == Pruned(30, dry_run=False, files={}, bytes={}, kept_files={}, kept_bytes={})


def test_what_is_asked_for_read_or_written_stays(tmp_path: Path) -> None:
    folder = tmp_path / "backtest"
    cache = filled(folder)
    cache.write("looks", "cc3", {}, None)
    cache.write("looks", "dd4", {}, None)
    age(folder / "cache" / "looks", 40)
    assert cache.has("detection", "aa1")
    assert cache.read("looks", "cc3")[1] is None
    page = folder / "replays" / "89ab" / "figures.csv"
    page.write_text("new", encoding="utf-8")
    done = prune(folder, 30)
    assert done.files == {"detection": 1, "looks": 1, "definitions": 1, "settings": 1}
    assert files(folder / "cache") == {"detection/aa/aa1.arrow", "looks/cc/cc3.arrow"}
    # A page and its tables are one thing.
    assert files(folder / "replays") == {"89ab/backtest.zh.html", "89ab/figures.csv"}


def test_to_ask_again_on_the_same_day_writes_nothing(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    path = cache.path("detection", "aa1")
    age(path, 0.5)
    before = path.stat().st_mtime_ns
    assert cache.has("detection", "aa1")
    assert path.stat().st_mtime_ns == before
    assert not cache.has("detection", "ee5")


def test_what_killed_ones_left_goes_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "backtest"
    filled(folder)
    for name, days in (("cache/detection/aa/aa1.arrow.7.part", 1.5), ("cache/looks/bb/bb2.arrow.8.part", 0.5)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("half", encoding="utf-8")
        age(folder / name, days)
    (folder / "definitions" / "cdef.part" / "config").mkdir(parents=True)
    (folder / "definitions" / "cdef.part" / "config" / "hazards.yaml").write_text("x", encoding="utf-8")
    age(folder / "definitions" / "cdef.part", 2)
    done = prune(folder, 60)
    assert (done.files, done.kept_files["unfinished"]) == ({"unfinished": 2}, 1)
    assert not (folder / "definitions" / "cdef.part").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "backtest", tmp_path / "elsewhere"
    filled(folder)
    elsewhere.mkdir()
    (elsewhere / "report.html").write_text("mine", encoding="utf-8")
    age(elsewhere, 90)
    (folder / "replays" / "link").symlink_to(elsewhere, target_is_directory=True)
    prune(folder, 30)
    assert files(elsewhere) == {"report.html"}


def test_refused_while_a_replay_is_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "backtest"
    filled(folder)
    before = files(folder)
    with in_use(folder), in_use(folder):
        with pytest.raises(RiskwatchError, match="a replay of this project is under way"):
            prune(folder, 30)
        assert prune(folder, 30, dry_run=True).files["detection"] == 2
    assert files(folder) == before
    assert prune(folder, 30).files["detection"] == 2


def test_an_open_setting_is_a_replay_under_way(setting: Setting) -> None:
    with pytest.raises(RiskwatchError, match="under way"):
        prune(setting.folder, 30)


def test_limits(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="2 days or more, got 1"):
        prune(tmp_path, 1)
    assert prune(tmp_path / "none", 2).files == {}
    assert not (tmp_path / "none").exists()


def test_definitions_are_composed_whole_after_a_killed_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, other, folder = tmp_path / "project", tmp_path / "other", tmp_path / "backtest"
    init_project(project)
    (other / "config").mkdir(parents=True)
    shutil.copy(project / "config" / "grading.yaml", other / "config" / "grading.yaml")
    made = composed(project, other, folder / "definitions")
    whole = files(made)
    age(folder, 40)
    # Composed again, it is in use.
    composed(project, other, folder / "definitions")
    assert prune(folder, 30).files == {}
    age(folder, 40)

    def half(path: Path, *_: object, **options: object) -> None:
        if not options:
            next(Path(path).rglob("*.yaml")).unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pruning.shutil, "rmtree", half)
        with pytest.raises(KeyboardInterrupt):
            prune(folder, 30)
    assert not made.exists()
    assert files(composed(project, other, folder / "definitions")) == whole
    age(folder, 40)
    prune(folder, 30)
    assert files(folder) == set()


def test_a_replay_after_pruning_ends_the_same(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed half-way, and with what later days use still there: only what went is computed again."""
    pipeline = setting.definitions.pipelines["daily"]
    whole = replay(setting, pipeline, DAYS)
    mine = dataclasses.replace(setting, folder=tmp_path)
    shutil.copytree(setting.folder / "cache", tmp_path / "cache")
    age(tmp_path, 40)
    found, todo, _ = plan_detections(mine, pipeline, DAYS[3:])
    assert not todo
    used = {mine.cache.path("detection", key) for key in found.keys.values()}
    unlink, gone = Path.unlink, []

    def dies(self: Path, **options: bool) -> None:
        if len(gone) == 3:
            raise KeyboardInterrupt
        gone.append(self)
        unlink(self, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path, 30)
    assert not any(path.exists() for path in gone)
    done = prune(tmp_path, 30)
    assert set(tmp_path.rglob("*.arrow")) == used
    assert done.kept_files == {"detection": len(used)}
    again = replay(mine, pipeline, DAYS)
    assert sum(again.counts.new_detections.values()) == again.counts.detections - len(used)
    pd.testing.assert_frame_equal(standing(again), standing(whole))


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    init_project(project)
    opened = Project(project)
    assert unused_days(opened.definitions) == 30
    folder = opened.var / "backtest"
    filled(folder)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["riskwatch", "--project", str(project), "retention", "replays", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().out

    code, out = call("--dry-run")
    assert code == 0
    assert out.endswith(f"files, {sum(prune(folder, 30, dry_run=True).bytes.values()):,} bytes would go\n")
    assert "detection\t2\t" in out
    assert call("--older-than", "50")[1].endswith("unused for 50 days: 0 files, 0 bytes deleted\n")
    assert call()[1].startswith("kind\tfiles deleted\tbytes deleted\tfiles kept\tbytes kept\n")
    assert files(folder) == {"notes.txt"}
    assert call("--older-than", "1")[0] == 2
