"""Replays of the settings of a knob, each once: what a centre would have read, and what of the known hazards was warned of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from ruamel.yaml import YAML

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.rules import GradingRules
from riskwatch.backtest.budget import Value, reaches, rises_of
from riskwatch.backtest.cache import key_of
from riskwatch.backtest.hazards import KnownHazard
from riskwatch.backtest.replay import Counts, Replay, replay
from riskwatch.backtest.rules import BacktestRules, BudgetRules
from riskwatch.backtest.scalars import edited, written
from riskwatch.backtest.score import hazard_table
from riskwatch.backtest.setting import Place, Setting, composed, open_setting
from riskwatch.backtest.summary import ground_of, score
from riskwatch.backtest.tuned import GRADING, Trial, TuneOutcome
from riskwatch.errors import ProjectError
from riskwatch.runner.progress import Reporter, Task

__all__ = ["Runs", "budget_rules", "fits", "inside", "with_values"]


class Runs:
    """Replays of settings, each once.

    Attributes
    ----------
    outcome : TuneOutcome
        What is asked for, and what came of it so far.
    own : Setting
        Today's.
    original : str
        The project's own ``config/grading.yaml``.
    grades : sequence of str
        Levels that count.
    """

    def __init__(
        self,
        own: Setting,
        outcome: TuneOutcome,
        original: str,
        *,
        grades: Sequence[str],
        hazards: Sequence[KnownHazard],
        reporter: Reporter,
    ) -> None:
        self.own, self.outcome, self.original, self.grades = own, outcome, original, grades
        self._regions = TreePaths(tree_of(own.trees, "region"))
        self._region, self._reporter = own.definitions.centres[outcome.centre].region, reporter
        self._hazards = [one for one in hazards if not one.regions or any(self._read(place) for place in one.regions)]
        self._done: dict[int, Trial] = {}

    def _read(self, place: str) -> bool:
        return reaches(self._regions, place, self._region)

    def counts(self, at: int) -> Counts:
        """Return what replaying a setting would compute."""
        with self._open(at) as setting:
            return self._replay(setting, at, dry_run=True).counts

    def trial(self, at: int) -> Trial:
        """Return a replayed setting."""
        if at not in self._done:
            with self._open(at) as setting:
                self._done[at] = self._scored(setting, self._replay(setting, at), at)
        return self._done[at]

    @contextlib.contextmanager
    def _open(self, at: int) -> Iterator[Setting]:
        outcome = self.outcome
        if at == outcome.today:
            yield self.own
            return
        text = with_values(self.original, outcome.settings[at], outcome.settings[outcome.today])
        folder = self.own.folder / "settings" / key_of(text=text)[:16]
        (folder / "config").mkdir(parents=True, exist_ok=True)
        part = folder / f"{GRADING}.{os.getpid()}"
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(folder / GRADING)
        place = self.own.place
        definitions = composed(Path(place.project), folder, self.own.folder / "definitions")
        with open_setting(Place(place.project, str(definitions), place.profile, place.overrides)) as setting:
            yield setting

    def _replay(self, setting: Setting, at: int, *, dry_run: bool = False) -> Replay:
        outcome = self.outcome
        named = "today" if at == outcome.today else ", ".join(written(value) for value in outcome.settings[at].values())
        pipeline = setting.definitions.pipelines[outcome.budget.pipeline]
        return replay(
            setting, pipeline, outcome.days, workers=outcome.budget.workers, dry_run=dry_run, reporter=_Named(self._reporter, named)
        )

    def _scored(self, setting: Setting, replayed: Replay, at: int) -> Trial:
        outcome, standing = self.outcome, replayed.lives.standing
        counted = [day for day in replayed.days if day >= outcome.first]
        lives = score(setting, replayed, (), outcome.rules).lives
        mine = [
            outcome.centre in centres and last >= outcome.first for centres, last in zip(lives["centres"], lives["last_day"], strict=True)
        ]
        ground = ground_of(setting, lives.iloc[:0], outcome.rules)
        read = standing["grade"].isin(self.grades) & standing["region"].map(lambda place: self._read(str(place))).astype(bool)
        known = hazard_table(standing[read & (standing["day"] >= outcome.first)], self._hazards, counted, ground)
        return Trial(
            values=outcome.settings[at],
            rises=rises_of(standing, replayed.days, outcome.first, self.grades, self._read),
            lives=lives[np.asarray(mine, dtype=bool)].reset_index(drop=True),
            hazards=known.assign(in_time=_in_time(known, outcome.rules)),
            failed=replayed.failed,
            calibration=replayed.lives.calibration,
        )


def _in_time(hazards: pd.DataFrame, rules: BacktestRules) -> list[bool]:
    """Whether each hazard was warned of before its official action, or, where none is known, soon after its start."""
    soon = (hazards["after_start_days"] <= budget_rules(rules).in_time_days).tolist()
    early = (hazards["lead_days"] >= 0).tolist()
    return [one if told else other for told, one, other in zip(hazards["official"].notna(), early, soon, strict=True)]


def budget_rules(rules: BacktestRules) -> BudgetRules:
    """Return the section ``budget``.

    Raises
    ------
    ProjectError
        If there is none.
    """
    if rules.budget is None:
        raise ProjectError("config/backtest.yaml has no section budget", hint="`riskwatch init DIR` writes one to copy from")
    return rules.budget


def inside(threshold: str) -> str:
    """Return where a threshold stands inside its file."""
    return threshold.removeprefix("grading.")


def with_values(original: str, values: Mapping[str, Value], today: Mapping[str, Value]) -> str:
    """Return the text of the grading rules with the values that are not today's."""
    changes = {inside(name): value for name, value in values.items() if value != today[name]}
    return edited(original, changes) if changes else original


def fits(original: str, values: Mapping[str, Value]) -> bool:
    """Whether the grading rules allow a setting."""
    content: Any = YAML(typ="safe", pure=True).load(original)
    for name, value in values.items():
        *parents, last = inside(name).split(".")
        at = content
        for key in parents:
            at = at[key]
        at[last] = value
    try:
        GradingRules.model_validate(content)
    except ValidationError:
        return False
    return True


class _Named(Reporter):
    """Shows of a replay what takes time, under the name of its setting."""

    def __init__(self, outer: Reporter, name: str) -> None:
        self._outer, self._name = outer, name

    @contextlib.contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        outer = self._outer if label in {"detect", "assess"} and total else Reporter()
        with outer.task(f"{label} [{self._name}]", total=total) as task:
            yield task
