"""Meet an alert budget: replay settings of one knob, choose the one whose warnings come nearest to it, and say what it would change."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from ruamel.yaml import YAML

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.rules import GradingRules
from riskwatch.backtest.budget import Search, Value, at_least, poisson_interval, reaches, rises_of, search, settings_of
from riskwatch.backtest.cache import key_of
from riskwatch.backtest.compare import differences
from riskwatch.backtest.hazards import KnownHazard, read_hazards
from riskwatch.backtest.outcome import LEDGER
from riskwatch.backtest.plan import run_days
from riskwatch.backtest.reliability import edges_of, reliability_table
from riskwatch.backtest.replay import Counts, Replay, check_days, replay
from riskwatch.backtest.rules import BacktestRules, BudgetRules, Knob
from riskwatch.backtest.scalars import edited, unified, value_at, written
from riskwatch.backtest.score import hazard_table
from riskwatch.backtest.setting import Place, Setting, composed, open_setting
from riskwatch.backtest.summary import ground_of, rules_of, score
from riskwatch.definitions import load_definitions
from riskwatch.definitions.types import CentreDefinition
from riskwatch.errors import ProjectError
from riskwatch.runner.progress import Reporter, Task
from riskwatch.sources import ADAPTERS

__all__ = ["GRADING", "TRIALS", "Budget", "Runs", "Trial", "TuneOutcome", "apply_budget", "open_runs", "tune_budget"]

GRADING = "config/grading.yaml"
TRIALS = (
    "setting",
    "values",
    "warnings",
    "per_week",
    "per_week_low",
    "per_week_high",
    "events_alone",
    "hazards",
    "in_time",
    "today",
    "chosen",
)
"""One row per replayed setting, strictest first. ``setting``: its place on the knob's path."""
_LOOK_BACK_DAYS = 730


@dataclass(frozen=True)
class Budget:
    """What is asked for; see ``riskwatch tune budget --help``.

    Attributes
    ----------
    grade : str
        Least level that counts: ``III+``.
    per_week : float
        Warnings a week that are opened at it or above, or raised to it.
    centre : str
        Name of a centre or code of its jurisdiction.
    knob : str
        Of ``config/backtest.yaml``; "": the first.
    first, last : date or None
        Period; None: the last two years, or as long as there are records with enough history before them.
    step : int
        Days between run days.
    """

    project: Path
    grade: str
    per_week: float
    centre: str
    today: dt.date
    knob: str = ""
    first: dt.date | None = None
    last: dt.date | None = None
    step: int = 7
    pipeline: str = "daily"
    profile: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    hazards: Path | None = None
    workers: int = 1
    dry_run: bool = False


@dataclass(frozen=True)
class Trial:
    """One replayed setting: rises to the level that count, lives of the centre's warnings, hazards of its jurisdiction."""

    values: Mapping[str, Value]
    rises: pd.DataFrame
    lives: pd.DataFrame
    hazards: pd.DataFrame
    failed: Mapping[dt.date, Mapping[str, str]]


@dataclass
class TuneOutcome:
    """What came of it.

    Attributes
    ----------
    budget : Budget
    centre : str
        Its name.
    knob : str
    settings : list of mapping
        Of the knob, strictest first; ``today``: place of those in force.
    first, last : date
        Period that counts; ``weeks`` in it.
    days : list of date
        Replayed; those before ``first`` only warm up.
    search : Search or None
        None where ``dry_run``.
    trials : DataFrame
        :data:`TRIALS`.
    before, after : Trial or None
        Today's setting and the chosen one.
    changes : DataFrame or None
        What the centre would have gained and lost at the level: :data:`riskwatch.backtest.compare.DIFFERENCES`.
    reliability : DataFrame or None
        Of today's setting: :func:`riskwatch.backtest.reliability.reliability_table`.
    diff : str
        Reviewable; "" where nothing is to be changed or the budget cannot be met.
    text : str
        The whole file as it would be.
    counted : list of (str, Counts)
        With ``dry_run``: what replaying the strictest and today's setting would compute.
    files : list of Path
    """

    budget: Budget
    centre: str
    label: Mapping[str, str]
    knob: str
    knob_label: Mapping[str, str]
    settings: list[dict[str, Value]]
    today: int
    rules: BacktestRules
    first: dt.date
    last: dt.date
    days: list[dt.date]
    weeks: float
    simulated: bool
    search: Search | None = None
    trials: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(TRIALS)))
    before: Trial | None = None
    after: Trial | None = None
    changes: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    diff: str = ""
    text: str = ""
    counted: list[tuple[str, Counts]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def met(self) -> str:
        """``yes``, ``too low`` or ``too high``: see :class:`riskwatch.backtest.budget.Search`; "" where nothing was replayed."""
        return "" if self.search is None else self.search.met

    @property
    def failed(self) -> bool:
        """Whether some model failed on some day."""
        return any(one is not None and one.failed for one in (self.before, self.after))

    def row(self, setting: int | None) -> dict[str, Any] | None:
        """Return one trial by its place on the knob's path."""
        found = self.trials[self.trials["setting"] == setting].to_dict("records")
        return {str(key): value for key, value in found[0].items()} if found else None

    def as_json(self, rows: Callable[[pd.DataFrame], list[dict[str, object]]]) -> dict[str, Any]:
        """Return it for a script; ``rows`` turns a frame into plain rows."""
        return {
            "grade": self.budget.grade,
            "per_week": self.budget.per_week,
            "centre": self.centre,
            "knob": self.knob,
            "first": str(self.first),
            "last": str(self.last),
            "weeks": self.weeks,
            "run_days": len(self.days),
            "met": self.met,
            "monotone": None if self.search is None else self.search.monotone,
            "settings": len(self.settings),
            "trials": rows(self.trials.assign(values=[dict(one) for one in self.trials["values"]])),
            "changes": [] if self.changes is None else rows(self.changes),
            "reliability": [] if self.reliability is None else rows(self.reliability),
            "diff": self.diff,
            "to_compute": {name: dict(counts.new_detections) for name, counts in self.counted},
            "files": [str(path) for path in self.files],
        }


def tune_budget(budget: Budget, reporter: Reporter | None = None) -> TuneOutcome:
    """Replay settings of a knob until the number of warnings a week comes as near to the budget as it can. Nothing is applied.

    Raises
    ------
    ProjectError
        If the budget is not positive, a level, centre, knob or pipeline is unknown, the period holds no records or lies ahead, or ``--set``
        fixes what is to be tuned.
    """
    with open_runs(budget, reporter) as run:
        outcome = run.outcome
        if budget.dry_run:
            outcome.counted = [("strictest", run.counts(0)), ("today", run.counts(outcome.today))]
        else:
            wanted = budget.per_week * outcome.weeks
            outcome.search = search(lambda at: len(run.trial(at).rises), len(outcome.settings), wanted, outcome.today)
            _conclude(outcome, run)
    return outcome


@contextlib.contextmanager
def open_runs(budget: Budget, reporter: Reporter | None = None) -> Iterator[Runs]:
    """Check what is asked for, and open the replays of its settings; ``outcome`` of what is yielded says which there are.

    Raises
    ------
    ProjectError
        As :func:`tune_budget`.
    """
    if not (math.isfinite(budget.per_week) and budget.per_week > 0):
        raise ProjectError(
            f"tune budget: --per-week must be above 0, got {budget.per_week:g}",
            hint="what is never to be read needs no warnings: silence it",
        )
    grades = at_least(budget.grade)
    fixed = [name for name in budget.overrides if name.startswith("grading.")]
    if fixed:
        raise ProjectError(f"tune budget: --set {fixed[0]} fixes what is to be tuned", hint="leave it out; --knob says what is turned")
    own = load_definitions(budget.project, profile=budget.profile, overrides=budget.overrides, adapters=ADAPTERS)
    centre = _centre(own.centres, budget.centre)
    if budget.pipeline not in own.pipelines:
        raise ProjectError(f'no pipeline "{budget.pipeline}" in force', hint=f"pipelines in force: {', '.join(own.pipelines) or 'none'}")
    ledger = own.data / LEDGER
    listed = budget.hazards or (ledger if own.settings.simulated and ledger.is_file() else None)
    hazards = read_hazards(listed) if listed is not None else ()
    original = (own.root / GRADING).read_bytes().decode("utf-8")
    with open_setting(Place(str(budget.project), str(budget.project), budget.profile, dict(budget.overrides))) as setting:
        rules = rules_of(setting)
        turned = _rules(rules)
        name, knob = _knob(turned, budget.knob)
        settings, today = settings_of(
            knob, {one: value_at(original, _inside(one)) for one in knob.thresholds}, lambda one: _fits(original, one)
        )
        first, last = _period(setting, budget, turned)
        warm_up = -(-turned.warm_up_days // budget.step) * budget.step
        days = run_days(first - dt.timedelta(days=warm_up), last, budget.step)
        check_days(days, budget.today)
        counted = [day for day in days if day >= first]
        # What stood on the very first day is no rise: without days before, the first counts for nothing.
        weeks = (len(counted) - (not warm_up)) * budget.step / 7.0
        if weeks <= 0:
            raise ProjectError(f"tune budget: no run day counts from {first} to {last}", hint="take a longer period")
        outcome = TuneOutcome(
            budget, centre.name, {"zh": centre.label.zh, "en": centre.label.en}, name, {"zh": knob.label.zh, "en": knob.label.en},
            settings, today, rules, first, counted[-1], days, weeks, own.settings.simulated,
        )  # fmt: skip
        yield Runs(setting, outcome, original, grades, centre.region, hazards, reporter or Reporter())


def _conclude(outcome: TuneOutcome, run: Runs) -> None:
    setting, grades, original = run.own, run.grades, run.original
    found = outcome.search
    assert found is not None  # noqa: S101 - the caller's own
    outcome.trials = _table(outcome, run, found)
    outcome.before, outcome.after = run.trial(outcome.today), run.trial(found.chosen)
    told = differences(outcome.before.lives, outcome.after.lives, TreePaths(tree_of(setting.trees, "region")))
    outcome.changes = told[told["grade_before"].isin(grades) | told["grade_after"].isin(grades)].reset_index(drop=True)
    outcome.reliability = reliability_table(outcome.before.lives, edges_of(setting.grading), level=outcome.rules.interval)
    if found.met == "yes":
        outcome.text = _edited(original, outcome.settings[found.chosen], outcome.settings[outcome.today])
        outcome.diff = unified(original, outcome.text, GRADING)


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
        self, own: Setting, outcome: TuneOutcome, original: str, grades: Sequence[str], region: str, hazards: Sequence[KnownHazard],
        reporter: Reporter,
    ) -> None:  # fmt: skip
        self.own, self.outcome, self.original, self.grades = own, outcome, original, grades
        self._regions = TreePaths(tree_of(own.trees, "region"))
        self._region, self._reporter = region, reporter
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
        text = _edited(self.original, outcome.settings[at], outcome.settings[outcome.today])
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
        )


def _in_time(hazards: pd.DataFrame, rules: BacktestRules) -> list[bool]:
    """Whether each hazard was warned of before its official action, or, where none is known, soon after its start."""
    soon = (hazards["after_start_days"] <= _rules(rules).in_time_days).tolist()
    early = (hazards["lead_days"] >= 0).tolist()
    return [one if told else other for told, one, other in zip(hazards["official"].notna(), early, soon, strict=True)]


def _table(outcome: TuneOutcome, run: Runs, found: Search) -> pd.DataFrame:
    rows = []
    for at, count in found.counts.items():
        one = run.trial(at)
        low, high = (end / outcome.weeks for end in poisson_interval(count, outcome.rules.interval))
        rows.append(
            {
                "setting": at,
                "values": dict(one.values),
                "warnings": count,
                "per_week": count / outcome.weeks,
                "per_week_low": low,
                "per_week_high": high,
                "events_alone": int(one.rises["events_alone"].astype(bool).sum()),
                "hazards": len(one.hazards),
                "in_time": int(one.hazards["in_time"].sum()),
                "today": at == outcome.today,
                "chosen": at == found.chosen,
            }
        )
    return pd.DataFrame(rows, columns=list(TRIALS))


def _centre(centres: Mapping[str, CentreDefinition], asked: str) -> CentreDefinition:
    found = centres.get(asked) or next((one for one in centres.values() if one.region and one.region == asked), None)
    if found is None:
        known = ", ".join(f"{name} ({one.region})" if one.region else name for name, one in centres.items())
        raise ProjectError(f'tune budget: no centre "{asked}" in force', hint=f"centres in force: {known or 'none'}")
    return found


def _rules(rules: BacktestRules) -> BudgetRules:
    if rules.budget is None:
        raise ProjectError("config/backtest.yaml has no section budget", hint="`riskwatch init DIR` writes one to copy from")
    return rules.budget


def _knob(rules: BudgetRules, asked: str) -> tuple[str, Knob]:
    name = asked or next(iter(rules.knobs))
    if name not in rules.knobs:
        raise ProjectError(f'tune budget: no knob "{asked}"', hint=f"knobs in config/backtest.yaml: {', '.join(rules.knobs)}")
    return name, rules.knobs[name]


def _inside(threshold: str) -> str:
    return threshold.removeprefix("grading.")


def _edited(original: str, values: Mapping[str, Value], today: Mapping[str, Value]) -> str:
    changes = {_inside(name): value for name, value in values.items() if value != today[name]}
    return edited(original, changes) if changes else original


def _fits(original: str, values: Mapping[str, Value]) -> bool:
    """Whether the grading rules allow a setting."""
    content: Any = YAML(typ="safe", pure=True).load(original)
    for name, value in values.items():
        *parents, last = _inside(name).split(".")
        at = content
        for key in parents:
            at = at[key]
        at[last] = value
    try:
        GradingRules.model_validate(content)
    except ValidationError:
        return False
    return True


def _period(setting: Setting, budget: Budget, rules: BudgetRules) -> tuple[dt.date, dt.date]:
    """Return the period that counts.

    Raises
    ------
    ProjectError
        If nothing became known in it.
    """
    every = [these.known[~np.isnat(these.known)] for these in setting.arrivals.streams.values()]
    days = np.concatenate([one for one in every if one.size]) if any(one.size for one in every) else np.empty(0, "datetime64[D]")
    if not days.size:
        raise ProjectError("tune budget: the store holds no records", hint="riskwatch run daily")
    oldest, newest = _day(days.min()), _day(days.max())
    last = budget.last or budget.today
    first = budget.first or max(last - dt.timedelta(days=_LOOK_BACK_DAYS), oldest + dt.timedelta(days=rules.history_days))
    if first > newest or last < oldest or first > last:
        raise ProjectError(
            f"tune budget: no records for a period from {first} to {last}", hint=f"records became known from {oldest} to {newest}"
        )
    return first, last


def _day(value: np.datetime64) -> dt.date:
    return dt.date.fromisoformat(str(value.astype("datetime64[D]")))


class _Named(Reporter):
    """Shows of a replay what takes time, under the name of its setting."""

    def __init__(self, outer: Reporter, name: str) -> None:
        self._outer, self._name = outer, name

    @contextlib.contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        outer = self._outer if label in {"detect", "assess"} and total else Reporter()
        with outer.task(f"{label} [{self._name}]", total=total) as task:
            yield task


def apply_budget(outcome: TuneOutcome) -> Path | None:
    """Write the proposed thresholds into the project's own file, whole or not at all; None where there is nothing to change.

    Raises
    ------
    ProjectError
        If the file was changed since it was read.
    """
    if not outcome.diff:
        return None
    path = outcome.budget.project / GRADING
    now = path.read_bytes().decode("utf-8")
    if unified(now, outcome.text, GRADING) != outcome.diff:
        raise ProjectError(f"tune budget: {GRADING} was changed meanwhile; nothing is applied", hint="run the same command again")
    part = path.with_suffix(".yaml.part")
    part.write_text(outcome.text, encoding="utf-8", newline="")
    return part.replace(path)
