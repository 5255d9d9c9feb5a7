"""Figures of concerns are remembered exactly, and only where thresholds cannot change them."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment.behind import RecordBase
from riskwatch.assessment.memory import FACT_RULES
from riskwatch.backtest.codec import decode, encode
from riskwatch.backtest.memory import DayMemory
from riskwatch.backtest.replay import replay
from riskwatch.backtest.setting import Place, Setting, open_setting
from tests.backtest.conftest import DAYS
from tests.backtest.test_replay import other_setting, standing


class Watched:
    """Rules that note which of their sections are read."""

    def __init__(self, rules: object, read: set[str]) -> None:
        self._rules, self._read = rules, read

    def __getattr__(self, name: str) -> object:
        self._read.add(name)
        return getattr(self._rules, name)


def unassessed(setting: Setting, folder: Path) -> Setting:
    """Return a setting with a cache that holds the detections alone."""
    for kind in ("detection", "looks"):
        shutil.copytree(setting.folder / "cache" / kind, folder / "cache" / kind)
    return dataclasses.replace(setting, folder=folder)


def same(one: Any, other: Any) -> bool:
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_index_type=False)
        return True
    if isinstance(one, dict):
        return type(other) is dict and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other)))


@pytest.mark.parametrize(
    "value", [0.1 + 0.2, math.nan, -math.inf, (1, "a", None), frozenset({"b", "a"}), np.float64(1) / 3, {("a", "b"): [True]}]
)
def test_values_come_back_exactly(value: object) -> None:
    assert same(decode(json.loads(json.dumps(encode(value)))), value)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"no form for pathlib\.\S*Path"):
        encode([Path("file")])
    with pytest.raises(TypeError, match="no type 'Path'"):
        decode({"~": "Path", "v": {}})


def test_a_change_of_thresholds_recalls_the_figures(lived: Path, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure is recalled, equals the one made anew, and the replay is that of one without memory."""
    pipeline = setting.definitions.pipelines["daily"]
    replay(setting, pipeline, DAYS)
    recall = DayMemory.recall
    asked: list[tuple[str, bool]] = []

    def checked(self: DayMemory, name: str, basis: object, make: Any) -> Any:
        before = self.recalled
        found = recall(self, name, basis, make)
        asked.append((name, self.recalled > before))
        assert same(decode(json.loads(json.dumps(encode(make())))), decode(json.loads(json.dumps(encode(found)))))
        return found

    monkeypatch.setattr(DayMemory, "recall", checked)
    folder = other_setting(lived, tmp_path, config__grading="q_strong: 0.01 => q_strong: 0.004")
    with open_setting(Place(str(lived), str(folder))) as other:
        made = replay(other, other.definitions.pipelines["daily"], DAYS)
        monkeypatch.setattr(DayMemory, "recall", lambda _, __, ___, make: make())
        bare = replay(unassessed(other, tmp_path / "bare"), other.definitions.pipelines["daily"], DAYS)
    always = {"doubts", "duplicates", "facts", "floors", "heard", "outside", "reporters"}
    # The others are asked for by what is in alarm.
    assert always <= {name for name, _ in asked} <= always | {"by-region", "count", "suppliers"}
    assert all(recalled for _, recalled in asked)
    pd.testing.assert_frame_equal(standing(made), standing(bare))


def test_a_change_of_thresholds_reads_no_records(lived: Path, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay(setting, setting.definitions.pipelines["daily"], DAYS)

    def unread(*_: object) -> None:
        raise AssertionError("the records behind a run were read")

    folder = other_setting(lived, tmp_path, config__grading="q_strong: 0.01 => q_strong: 0.006")
    with open_setting(Place(str(lived), str(folder))) as other:
        monkeypatch.setattr(RecordBase, "__init__", unread)
        made = replay(other, other.definitions.pipelines["daily"], DAYS)
        assert made.counts.new_assessments
        with pytest.raises(AssertionError, match="were read"):
            replay(unassessed(other, tmp_path / "bare"), other.definitions.pipelines["daily"], DAYS)


def test_figures_read_no_rules_but_those_that_they_are_remembered_by(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A section of grading.yaml that :func:`gather` reads and that is not in its basis would go stale."""
    from riskwatch.assessment import engine

    read: set[str] = set()

    gather = engine.gather
    monkeypatch.setattr(
        engine, "gather", lambda subject, windows, base, rules, classifier: gather(subject, windows, base, Watched(rules, read), classifier)
    )
    replay(setting, setting.definitions.pipelines["daily"], DAYS[-2:])
    bare = unassessed(setting, tmp_path)
    replay(bare, setting.definitions.pipelines["daily"], DAYS[-2:])
    assert read
    assert read <= set(FACT_RULES)


def test_floors_read_no_rules_but_those_that_they_are_remembered_by(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riskwatch.assessment import floors

    read: set[str] = set()

    found = floors.find_floor_events
    monkeypatch.setattr(floors, "find_floor_events", lambda base, rules, *rest, **more: found(base, Watched(rules, read), *rest, **more))
    replay(setting, setting.definitions.pipelines["daily"], DAYS[-2:])
    replay(unassessed(setting, tmp_path), setting.definitions.pipelines["daily"], DAYS[-2:])
    assert read == {"floors"}
