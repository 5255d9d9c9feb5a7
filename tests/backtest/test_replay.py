"""A replayed day equals the run that was made on it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from riskwatch.api import Project
from riskwatch.backtest.cache import Cache
from riskwatch.backtest.frames import load_detection
from riskwatch.backtest.plan import plan_detections
from riskwatch.backtest.replay import Replay, replay
from riskwatch.backtest.setting import Place, Setting, composed, open_setting
from riskwatch.digest import render_json
from riskwatch.errors import StoreError
from riskwatch.runner.detect import SERIES, detect
from riskwatch.store import CaseRow
from tests.backtest.conftest import DAYS


def test_a_replayed_day_equals_the_run_made_on_it(lived: Path, setting: Setting) -> None:
    """Signals, warnings, events, cases and digests, on each of four days."""
    pipeline = setting.definitions.pipelines["daily"]
    made = replay(setting, pipeline, DAYS, digests=True)
    assert not made.failed
    project = Project(lived)
    with project.store() as store:
        # What is to be equal must be there: warnings that came and changed, on more than one day.
        assert len({row.as_of for row in store.read_events()}) > 1
        for day in DAYS:
            decided = next(one for one in made.lives.days if one.day == day)
            stored = {row.warning_id: row for row in store.read_warnings(as_of=day) if row.as_of == day}
            replayed = {one.warning_id: one for one in decided.warnings if one.last_run == day}
            assert replayed.keys() == stored.keys()
            for name, row in stored.items():
                assert json.loads(json.dumps(replayed[name].to_payload())) == row.payload
            events = [row.payload for row in store.read_events(since=day, until=day)]
            key = lambda one: (one["warning_id"], one["event_id"])  # noqa: E731
            assert sorted((one.to_payload() for one in decided.events), key=key) == sorted(events, key=key)
            for digest in made.digests[day]:
                kept = store.read_digest(digest.header.centre, day, language="zh+en")
                assert kept is not None
                path = lived / "var" / "demo" / "digests" / day.isoformat() / f"{digest.header.centre}.json"
                assert render_json(digest) == path.read_text(encoding="utf-8")
        assert _cases(made.lives.history.case_events) == _cases(store.read_case_events())


def _cases(rows: list[CaseRow]) -> list[tuple[object, ...]]:
    return sorted((row.case_id, row.as_of.isoformat(), row.kind, row.event_id, json.dumps(row.payload, sort_keys=True)) for row in rows)


def test_detections_equal_the_stored_ones(lived: Path, setting: Setting) -> None:
    """Every judgement of every day, number by number, as its run stored it."""
    pipeline = setting.definitions.pipelines["daily"]
    replay(setting, pipeline, DAYS)
    found, todo, _ = plan_detections(setting, pipeline, DAYS)
    assert not todo
    by = ["model", *SERIES, "period_start"]
    order = lambda frame: frame.astype(dict.fromkeys([*SERIES, "reason", "model"], "object")).sort_values(by).reset_index(drop=True)  # noqa: E731
    for day in DAYS:
        with Project(lived).context(as_of=day) as ctx:
            real = detect(ctx)
        assert sorted(real.reused) == sorted(found.models)  # read back: nothing is judged again to be compared with itself
        mine = pd.concat(
            [
                load_detection(setting.cache, found.keys[name, day], setting.definitions.models[name], setting.trees).signals
                for name in found.models
            ]
        )
        pd.testing.assert_frame_equal(order(real.signals), order(mine), check_dtype=False, check_exact=True)


def standing(made: Replay) -> pd.DataFrame:
    return made.lives.standing.reset_index(drop=True)


def other_setting(lived: Path, folder: Path, **edits: str) -> Path:
    """Write files of definitions, each an edit ``old => new`` of the project's own."""
    for name, edit in edits.items():
        inside = Path(name.replace("__", "/")).with_suffix(".yaml")
        old, new = edit.split(" => ")
        text = (lived / inside).read_text(encoding="utf-8")
        assert old in text
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        (folder / inside).write_text(text.replace(old, new), encoding="utf-8")
    return composed(lived, folder, folder / "composed")


def test_a_change_of_one_model_judges_this_model_alone(lived: Path, setting: Setting, tmp_path: Path) -> None:
    replay(setting, setting.definitions.pipelines["daily"], DAYS)
    folder = other_setting(lived, tmp_path, models__complaints="alpha: 0.005 => alpha: 0.0055")
    with open_setting(Place(str(lived), str(folder))) as other:
        made = replay(other, other.definitions.pipelines["daily"], DAYS)
    # Two days on which nothing was new and the same months are judged share one detection.
    own = {
        key
        for (name, _), key in plan_detections(setting, setting.definitions.pipelines["daily"], DAYS)[0].keys.items()
        if name == "complaints"
    }
    assert made.counts.new_detections == {"complaints": len(own)}
    assert len(own) < made.counts.detections <= len(DAYS) * len(setting.definitions.models)


def test_a_change_of_grading_judges_nothing_anew(lived: Path, setting: Setting, tmp_path: Path) -> None:
    base = replay(setting, setting.definitions.pipelines["daily"], DAYS)
    folder = other_setting(lived, tmp_path, config__grading="lookback_days: 60 => lookback_days: 19")
    with open_setting(Place(str(lived), str(folder))) as other:
        made = replay(other, other.definitions.pipelines["daily"], DAYS)
        again = replay(other, other.definitions.pipelines["daily"], DAYS)
    assert made.counts.new_detections == {}
    assert made.counts.new_assessments == len(DAYS)
    assert not standing(made).equals(standing(base))
    assert (again.counts.new_assessments, standing(again).equals(standing(made))) == (0, True)


def test_a_dry_run_says_what_is_missing_and_writes_nothing(lived: Path, setting: Setting, tmp_path: Path) -> None:
    replay(setting, setting.definitions.pipelines["daily"], DAYS)
    folder = other_setting(lived, tmp_path, models__complaints="alpha: 0.005 => alpha: 0.0056")
    files = sorted(setting.folder.rglob("*"))
    with open_setting(Place(str(lived), str(folder))) as other:
        made = replay(other, other.definitions.pipelines["daily"], DAYS, dry_run=True)
    assert (set(made.counts.new_detections), made.counts.new_assessments) == ({"complaints"}, None)
    assert sorted(setting.folder.rglob("*")) == files


def test_a_replay_that_broke_off_goes_on_where_it_was(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = setting.definitions.pipelines["daily"]
    whole = replay(setting, pipeline, DAYS)
    mine = dataclasses.replace(setting, folder=tmp_path)
    written = 0
    write = Cache.write

    def dies(self: Cache, kind: str, key: str, tables: Mapping[str, pa.Table], note: object = None) -> None:
        nonlocal written
        written += 1
        if written in {4, 12}:
            raise KeyboardInterrupt
        write(self, kind, key, tables, note)

    monkeypatch.setattr(Cache, "write", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            replay(mine, pipeline, DAYS)
    made = replay(mine, pipeline, DAYS)
    assert sum(made.counts.new_detections.values()) < made.counts.detections
    pd.testing.assert_frame_equal(standing(made), standing(whole))


def test_records_that_arrive_meanwhile_are_noticed(setting: Setting) -> None:
    """The keys were made before they came: some days would be with them, others without."""
    before = dataclasses.replace(setting.arrivals, batches=setting.arrivals.batches[:-1])
    with pytest.raises(StoreError, match="arrived meanwhile"):
        replay(dataclasses.replace(setting, arrivals=before), setting.definitions.pipelines["daily"], DAYS[-1:])


@pytest.mark.slow
def test_killed_with_two_workers_and_started_again(lived: Path, setting: Setting) -> None:
    """kill -9 of the parent: its workers end with it, and what they had written is used."""
    pipeline = setting.definitions.pipelines["daily"]
    whole = replay(setting, pipeline, DAYS)
    other = lived.parent / "killed"
    shutil.copytree(lived, other)
    shutil.rmtree(other / "var" / "demo" / "backtest")
    arguments = ["backtest", "daily", "--from", str(DAYS[0]), "--to", str(DAYS[-1]), "--workers", "2", "--json"]
    command = [sys.executable, "-m", "riskwatch", "--project", str(other), *arguments]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cache = other / "var" / "demo" / "backtest" / "cache" / "detection"
    while not list(cache.rglob("*.arrow")):
        assert started.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    started.kill()
    started.wait()
    assert children
    for child in children:
        for _ in range(500):
            if not Path(f"/proc/{child}").exists():
                break
            time.sleep(0.02)
        assert not Path(f"/proc/{child}").exists()
    with open_setting(Place(str(other), str(other))) as opened:
        made = replay(opened, pipeline, DAYS, workers=2)
    pd.testing.assert_frame_equal(standing(made), standing(whole))
