"""What makes a replay fast changes no number, and nothing is recalled that rests on something else."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment import GradingRules, discovery
from riskwatch.assessment.protocols import TreePaths
from riskwatch.backtest.codec import decode, encode
from riskwatch.backtest.judged import load_judged
from riskwatch.backtest.plan import plan_assessments, plan_detections, plan_looks
from riskwatch.backtest.replay import replay
from riskwatch.backtest.setting import Place, Setting, open_setting
from riskwatch.backtest.shelf import Shelf
from riskwatch.backtest.view import PastStore
from riskwatch.backtest.work import AssessTask, judged_day, signals_of
from riskwatch.errors import StoreError
from riskwatch.records.streams import STREAMS
from riskwatch.runner.looks import FIGURES, KEY, SeenFigures, count_looks
from riskwatch.store.tables import RECORD_TABLES
from tests.backtest.conftest import DAYS
from tests.backtest.test_replay import other_setting

DAY = DAYS[-1]


def both(setting: Setting, day: dt.date) -> tuple[PastStore, PastStore]:
    """Return a day's store with records in memory, and one that asks the database."""
    stores = (setting.context(day).store, dataclasses.replace(setting, shelf=None).context(day).store)
    assert isinstance(stores[0], PastStore)
    assert isinstance(stores[1], PastStore)
    return stores


def same(found: pd.DataFrame, asked: pd.DataFrame) -> None:
    """Values, types, and the order of categories: series stand in the order in which the codes came."""
    pd.testing.assert_frame_equal(found, asked)
    for name, kind in asked.dtypes.items():
        assert found[name].dtype == kind
        if isinstance(kind, pd.CategoricalDtype):
            assert found[name].cat.categories.tolist() == asked[name].cat.categories.tolist()


@pytest.mark.parametrize("stream", sorted(STREAMS))
def test_records_from_memory_are_those_of_the_database(setting: Setting, stream: str) -> None:
    """Every stream, all columns, whole and in a window, on the first day and the last, in either order of days."""
    for day in (DAY, DAYS[0], dt.date(2020, 1, 1)):
        memory, database = both(setting, day)
        names = [*RECORD_TABLES[stream].c.keys()]
        for limits in ({}, {"since": day - dt.timedelta(days=60), "until": day}, {"sources": ["nobody"]}):
            same(memory.read_records(stream, names, day, **limits), database.read_records(stream, names, day, **limits))
        same(memory.read_records(stream, as_of=day), database.read_records(stream, as_of=day))
        same(memory.first_known(stream, None, day), database.first_known(stream, None, day))


@pytest.mark.parametrize(
    "limits",
    [
        {"where": {"selection": ["random", "nothing"]}},
        {"where": {"selection": []}},
        {"where": {"selection": ["random"], "source": ["provincial-spot-checks"]}, "sources": ["provincial-spot-checks", "x"]},
        {"between": {"failed": (1, 1e9)}, "since": dt.date(2025, 1, 1)},
        {"where": {"failed": [1]}},
    ],
)
def test_limits_mean_the_same_in_memory(setting: Setting, limits: dict[str, Any]) -> None:
    memory, database = both(setting, DAY)
    columns = ["record_id", "event_date", "selection", "failed", "product"]
    found = memory.read_records("spot_check", columns, DAY, **limits)
    same(found, database.read_records("spot_check", columns, DAY, **limits))
    assert len(found) or not limits.get("where", {}).get("selection", [""])


def test_items_from_memory_are_those_of_the_database(setting: Setting) -> None:
    memory, database = both(setting, DAY)
    ids = memory.read_records("spot_check", ["record_id"], DAY, between={"failed": (1, 9)})["record_id"].tolist()
    assert ids
    same(memory.read_items("spot_check", ids[::2]), database.read_items("spot_check", ids[::2]))
    same(memory.read_items("spot_check", []), database.read_items("spot_check", []))
    same(memory.read_items("spot_check", as_of=DAYS[1]), database.read_items("spot_check", as_of=DAYS[1]))


def test_a_large_stream_stays_in_the_database(setting: Setting) -> None:
    """Memory does not grow with the size of the province."""
    small = dataclasses.replace(setting, shelf=Shelf(setting.store.database, most=0))
    same(small.context(DAY).store.read_records("injury", as_of=DAY), both(setting, DAY)[1].read_records("injury", as_of=DAY))
    assert small.shelf is not None
    assert not small.shelf._columns


def test_rows_that_go_away_are_told(setting: Setting) -> None:
    shelf = Shelf(setting.store.database)
    assert shelf.holds("injury")
    shelf._sizes["injury"] = (shelf._sizes["injury"][0] + 1, shelf._sizes["injury"][1])
    with pytest.raises(StoreError, match="went away while they were read"):
        shelf.records("injury", ["event_date"], DAY)


def test_days_share_a_vintage_where_the_same_records_are_seen(setting: Setting) -> None:
    """The vintage may change without the records, never the other way round; it lasts until a record comes or goes."""
    shared = changed = 0
    for stream in STREAMS:
        before: tuple[str, list[int]] | None = None
        for number in range(40):
            day = DAYS[0] + dt.timedelta(days=number - 15)
            rows = both(setting, day)[0].read_records(stream, ["record_id"], day)["record_id"].tolist()
            now = (setting.arrivals.vintage(stream, None, day), rows)
            if before is not None:
                shared += now[0] == before[0]
                changed += now[1] != before[1]
                assert now[1] == before[1] or now[0] != before[0]
            before = now
    assert shared
    assert changed


# --- what thresholds do not change ------------------------------------------------------------------------------------


def judged_tasks(setting: Setting, folder: Path) -> list[AssessTask]:
    """Return the tasks of a replay whose assessments are not there, but its detections."""
    pipeline = setting.definitions.pipelines["daily"]
    replay(setting, pipeline, DAYS)
    found, todo, _ = plan_detections(setting, pipeline, DAYS)
    assert not todo
    keys, _ = plan_looks(setting, found)
    return plan_assessments(dataclasses.replace(setting, folder=folder), pipeline, found, keys)[1]


def test_judged_series_come_back_exactly(setting: Setting, tmp_path: Path) -> None:
    task = judged_tasks(setting, tmp_path)[-1]
    read = load_judged(setting.cache, task.judged)
    paths = {name: TreePaths(setting.trees[name]) for name in ("product", "industry", "region")}
    made = discovery.control(signals_of(setting, task.day)[1], setting.grading, paths)
    pd.testing.assert_frame_equal(read.controlled.table, made.table, check_exact=True)
    assert [type(value) for value in read.controlled.table.iloc[0]] == [type(value) for value in made.table.iloc[0]]
    np.testing.assert_array_equal(read.controlled.family_q, made.family_q)
    assert read.controlled.counts == made.counts
    assert len(made.table)
    again = judged_day(setting, task)
    assert (again.first_alarm, again.streams) == (read.first_alarm, read.streams)


def test_only_the_rules_that_it_reads_change_the_key_of_judged_series(lived: Path, setting: Setting, tmp_path: Path) -> None:
    mine = [task.judged for task in judged_tasks(setting, tmp_path / "mine")]
    assert len(set(mine)) == len(DAYS)
    changes = {
        "first: 0.75 => first: 0.7": False,
        "retrospect: 8 => retrospect: 4": False,
        "families: [branch, model, subject, place] => families: [model, subject]": False,
        "spread_level: prefecture => spread_level: county": False,
        "q_weak: 0.05 => q_weak: 0.04": True,
        "absorb_share: 0.5 => absorb_share: 0.7": True,
    }
    for number, (change, kept) in enumerate(changes.items()):
        folder = other_setting(lived, tmp_path / str(number), config__grading=change)
        with open_setting(Place(str(lived), str(folder))) as other:
            keys = [task.judged for task in judged_tasks(other, tmp_path / f"other-{number}")]
        assert (keys == mine) is kept, change
        assert kept or not set(keys) & set(mine), change


def test_the_control_reads_no_rules_but_those_of_its_key(setting: Setting, tmp_path: Path) -> None:
    """A section that :func:`control` reads and that is not in its key would go stale."""
    task = judged_tasks(setting, tmp_path)[-1]
    read: set[str] = set()

    class Watched:
        def __init__(self, rules: object, above: str = "") -> None:
            self._rules, self._above = rules, above

        def __getattr__(self, name: str) -> object:
            value = getattr(self._rules, name)
            if self._above == "" and name != "discovery":
                return Watched(value, f"{name}.")
            read.add(f"{self._above}{name}")
            return value

    _, signals = signals_of(setting, task.day)
    paths = {name: TreePaths(setting.trees[name]) for name in ("product", "industry", "region")}
    watched: Any = Watched(setting.grading)
    discovery.control(signals, watched, paths)
    assert read == {"discovery", "scope.spread_level"}
    assert set(discovery.control_rules(setting.grading)) == {"discovery", "spread_level"}
    assert GradingRules.model_fields["discovery"].annotation is type(setting.grading.discovery)


def test_frames_come_back_exactly() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "share": [0.1 + 0.2, np.nan, -np.inf],
            "day": np.array(["2025-01-01", "NaT", "2026-02-03"], "datetime64[s]"),
            "mixed": pd.Series(["a", None, dt.date(2025, 1, 1)], dtype=object),
            "words": pd.Series(["a", "b", "c"], dtype=object),
            "text": pd.array(["a", None, "c"], dtype=pd.StringDtype(na_value=np.nan)),
            "code": pd.Categorical(["b", None, "a"], categories=["b", "a"]),
            "group": pd.Categorical.from_codes([0, 1, 0], categories=pd.Index(["x", "y"], dtype=object)),
            "flag": [True, False, True],
        }
    )
    for one in (frame, frame.iloc[:0]):
        found = decode(json.loads(json.dumps(encode(one))))
        pd.testing.assert_frame_equal(found, one, check_exact=True, check_index_type=False)
    with pytest.raises(TypeError, match="no form for"):
        encode(frame.iloc[1:])


# --- looks ------------------------------------------------------------------------------------------------------------


def test_seen_figures_count_as_looks_are_counted() -> None:
    """Many days in few numbers give the looks that each day's frames give: corrections, no cases, cells that were not judged."""
    rng = np.random.default_rng(7)
    seen, before = SeenFigures(), pd.DataFrame(columns=[*KEY, *FIGURES])
    most = 0
    for day in range(12):
        rows = [(product, region, week) for product in "abcd" for region in ("", "x", "y") for week in range(day, day + 4)]
        frame = pd.DataFrame(rows, columns=["product", "region", "week"]).sample(frac=0.9, random_state=day)
        frame["model"], frame["industry"], frame["stratum"] = "m", "", "s"
        frame["period_start"] = [dt.date(2025, 1, 6) + dt.timedelta(weeks=int(week)) for week in frame["week"]]
        frame["observed"] = rng.choice([0.0, -0.0, 1e-12, 1.0, 2.0, 2.0 + 1e-12, 3.0, np.nan], len(frame))
        frame["p_value"] = rng.choice([np.nan, 0.5], len(frame), p=[0.3, 0.7])
        signals = frame[[*KEY, *FIGURES, "p_value"]]
        if day == 5:
            signals = signals.assign(p_value=np.nan)
        judged = signals.loc[signals["p_value"].notna(), [*KEY, *FIGURES]]
        if len(judged):
            before = before[before["period_start"] >= min(judged["period_start"])] if len(before) else before
            expected = count_looks(before, signals)
            before = pd.concat([before, judged], ignore_index=True) if len(before) else judged
        else:
            expected = np.ones(len(signals), np.int64)
        found = seen.count(signals)
        np.testing.assert_array_equal(found, expected)
        most = max(most, int(found.max()))
    assert most > 2
