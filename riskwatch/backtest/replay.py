"""Replay run days as they were known then: detections and assessments by workers, the state machine day by day."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from riskwatch.backtest.cache import key_of
from riskwatch.backtest.issues import digests_of
from riskwatch.backtest.lives import Day, Lives, live
from riskwatch.backtest.plan import Detections, plan_assessments, plan_detections, plan_looks
from riskwatch.backtest.pool import open_pool
from riskwatch.backtest.setting import Setting
from riskwatch.backtest.view import History
from riskwatch.backtest.work import AssessTask, assess, detect, looks
from riskwatch.definitions.types import PipelineDefinition
from riskwatch.digest import Digest
from riskwatch.errors import ProjectError, StoreError
from riskwatch.runner.digests import render_files
from riskwatch.runner.progress import Reporter
from riskwatch.store import CaseRow

__all__ = ["Counts", "Replay", "replay"]


@dataclass
class Counts:
    """How many results a replay rests on, how many were computed now, and what it took.

    Attributes
    ----------
    detections, assessments : int
        In all.
    new_detections : mapping of str to int
        Model -> days that were, or with ``dry_run`` would be, judged.
    new_assessments : int or None
        Days assessed; with ``dry_run`` None where it is not known before the detections are there.
    seconds : mapping of str to float
        By stage.
    """

    detections: int = 0
    assessments: int = 0
    new_detections: dict[str, int] = field(default_factory=dict)
    new_assessments: int | None = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Replay:
    """What a replay came to.

    Attributes
    ----------
    pipeline, profile : str
    days : sequence of date
    name : str
        By definitions and days: the same replay has the same name.
    counts : Counts
    lives : Lives
    failed : mapping of date to mapping of str to str
        Day -> model -> why it failed.
    digests : mapping of date to sequence of Digest
    """

    pipeline: str
    profile: str
    days: Sequence[dt.date]
    name: str
    counts: Counts
    lives: Lives = field(default_factory=Lives)
    failed: dict[dt.date, dict[str, str]] = field(default_factory=dict)
    digests: dict[dt.date, Sequence[Digest]] = field(default_factory=dict)


def replay(
    setting: Setting,
    pipeline: PipelineDefinition,
    days: Sequence[dt.date],
    *,
    workers: int = 1,
    dry_run: bool = False,
    digests: bool = False,
    reporter: Reporter | None = None,
) -> Replay:
    """Replay ``days`` in order, each as it was known then. Nothing is written but the files of the cache.

    Parameters
    ----------
    setting : Setting
    pipeline : PipelineDefinition
        Its steps detect, assess, profile and warn are taken; nothing is pulled, told or sent.
    days : sequence of date
        Ascending. The first begins with no warnings and no earlier looks.
    workers : int
        Processes; 1: all in this one.
    dry_run : bool
        Only count what is there and what is not.
    digests : bool
        Also write what each centre would have read (``digests/`` under the replay's folder).
    reporter : Reporter, optional

    Returns
    -------
    Replay

    Raises
    ------
    StoreError
        If records of the days arrived while they were replayed, or the store cannot be read.
    """
    told = reporter or Reporter()
    counts = Counts()
    clock = _Clock(counts)
    name = key_of(definitions=dict(setting.definitions.hashes), pipeline=pipeline.name, days=[day.isoformat() for day in days])[:12]
    found = Replay(pipeline.name, setting.definitions.profile, days, name, counts)
    with open_pool(setting, 1 if dry_run else workers) as pool:
        pool.start()
        with told.task("look", total=len(days)) as task:
            detections, todo, _ = plan_detections(setting, pipeline, days, task.advance)
        counts.detections = len(set(detections.keys.values()))
        for one in todo:
            counts.new_detections[one.model] = counts.new_detections.get(one.model, 0) + len(one.days)
        counts.assessments = len(days)
        clock.lap("look")
        if dry_run:
            counts.new_assessments = (
                None if todo else len(plan_assessments(setting, pipeline, detections, plan_looks(setting, detections)[0])[1])
            )
            return found
        with told.task("detect", total=sum(len(one.days) for one in todo)) as task:
            for one, failed in pool.results(detect, todo):
                _note(detections, one.model, {address for day, address, _ in one.days if day in failed}, failed)
                task.advance(len(one.days))
        clock.lap("detect")
        keys, uncounted = plan_looks(setting, detections)
        with told.task("looks", total=len(uncounted)) as task:
            for _ in pool.results(looks, uncounted):
                task.advance()
        clock.lap("looks")
        assessed, unassessed = plan_assessments(setting, pipeline, detections, keys)
        counts.new_assessments = len(unassessed)
        with told.task("assess", total=len(unassessed)) as task:
            ready = _as_assessed(assessed, pool.results(assess, unassessed), {one.key for one in unassessed}, task.advance)
            # The state machine takes the days in order, each as soon as it is there; digests wait until nothing can arrive any more.
            lives = Lives() if digests else live(setting, ready)
            for _ in ready:
                pass
        clock.lap("assess")
    if not setting.arrivals.still(setting.store, days[-1]):
        # What was computed lies under keys that nothing asks for any more.
        raise StoreError(
            "backtest: records of the replayed days arrived meanwhile", hint="start again; days that they do not touch are kept"
        )
    found.failed = detections.failed
    if digests:
        with told.task("warn", total=len(days)) as task:

            def each(day: Day, history: History) -> list[CaseRow]:
                made, followed = digests_of(setting, detections.of_day(day.day, keys), day, history)
                found.digests[day.day] = made
                ctx = dataclasses.replace(setting.context(day.day), out=folder_of(setting, name) / "digests")
                render_files(ctx, made)
                return followed

            lives = live(setting, assessed.items(), each=each, advance_bar=task.advance)
        clock.lap("warn")
    found.lives = lives
    return found


def _as_assessed(
    keys: Mapping[dt.date, str], results: Iterable[tuple[AssessTask, None]], waiting: set[str], advance_bar: Callable[[], None]
) -> Iterator[tuple[dt.date, str]]:
    """Yield each day and the key of its assessments, in order, as soon as they are there."""
    arriving = iter(results)
    for day, key in keys.items():
        while key in waiting:
            task, _ = next(arriving)
            waiting.discard(task.key)
            advance_bar()
        yield day, key
    for _ in arriving:
        advance_bar()


def folder_of(setting: Setting, name: str) -> Path:
    """Return where the files of a replay are written."""
    return setting.folder / "replays" / name


def _note(detections: Detections, model: str, addresses: set[str], failed: dict[dt.date, str]) -> None:
    """Write down a failure for every day that rests on the same detection."""
    why = next(iter(failed.values()), "")
    for day in detections.days:
        if detections.addresses[model, day] in addresses:
            detections.failed.setdefault(day, {})[model] = failed.get(day, why)


class _Clock:
    def __init__(self, counts: Counts) -> None:
        self._counts, self._last = counts, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._counts.seconds[stage] = now - self._last
        self._last = now


def check_days(days: Sequence[dt.date], today: dt.date) -> None:
    """Refuse days that have not ended.

    Raises
    ------
    ProjectError
        Naming the first of them.
    """
    ahead = [day for day in days if day > today]
    if ahead:
        raise ProjectError(f"backtest: {ahead[0]} lies ahead (today: {today})")
