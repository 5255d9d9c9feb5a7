"""Replay of the simulated province: run days of a week from cold, after a change of thresholds alone, and days one after the other.

What counts is CPU seconds per run day: a replay of two years is 104 times the first two, or 730 times the third. One process does all,
so that its CPU seconds are all there are.

    RISKWATCH_BENCH_REPLAY_DAYS=4 python -m pytest benchmarks/bench_replay.py -c benchmarks/pytest.ini
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from benchmarks.conftest import size
from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.backtest.replay import Replay, replay
from riskwatch.backtest.setting import Place, Setting, composed, open_setting
from riskwatch.project import init_project

GROUP = "replay, simulated province"
DAYS = size("REPLAY_DAYS", 4)
LAST = dt.date(2025, 12, 24)
CHANGE = ("q_weak: 0.05 ", "q_weak: 0.04 ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("replay") / "project"
    init_project(made)
    datasets.simulate_province(seed=1).write(made / "data")
    Project(made).run("daily")
    return made


def _place(folder: Path, definitions: Path) -> Place:
    return Place(str(folder), str(definitions))


def _replayed(setting: Setting, days: list[dt.date]) -> Replay:
    made = replay(setting, setting.definitions.pipelines["daily"], days)
    assert not made.failed
    return made


def _weekly() -> list[dt.date]:
    return [LAST - dt.timedelta(weeks=number) for number in reversed(range(DAYS))]


def test_weekly_from_cold(measure, folder):
    with open_setting(_place(folder, folder)) as setting:
        made = measure(lambda: _replayed(setting, _weekly()), group=GROUP, name="peer: weekly, from cold", units=DAYS, of="run days")
    assert made.counts.new_assessments == DAYS


def test_thresholds_alone(measure, folder, tmp_path):
    """The cache is that of the replay from cold; records are read by a process that has read none."""
    text = (folder / "config" / "grading.yaml").read_text(encoding="utf-8")
    assert CHANGE[0] in text
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "grading.yaml").write_text(text.replace(*CHANGE), encoding="utf-8")
    other = composed(folder, tmp_path, tmp_path / "definitions")
    with open_setting(_place(folder, other)) as setting:
        made = measure(lambda: _replayed(setting, _weekly()), group=GROUP, name="thresholds alone", units=DAYS, of="run days")
    assert not made.counts.new_detections
    assert made.counts.new_assessments == DAYS


def test_daily_from_cold(measure, folder, tmp_path):
    """Neighbouring days in a cache of their own: a model is judged again only where its records changed."""
    days = [LAST - dt.timedelta(days=number) for number in reversed(range(DAYS))]
    with open_setting(_place(folder, folder)) as setting:
        apart = dataclasses.replace(setting, folder=tmp_path)
        made = measure(lambda: _replayed(apart, days), group=GROUP, name="daily, from cold", units=DAYS, of="run days")
    assert made.counts.new_assessments == DAYS
    assert made.counts.detections < DAYS * len(setting.definitions.models)
