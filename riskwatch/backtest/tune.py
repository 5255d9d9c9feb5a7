"""Meet an alert budget: replay settings of one knob, choose the one whose warnings come nearest to it, and say what it would change."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.backtest.ahead import Ahead, ahead_after
from riskwatch.backtest.budget import Search, at_least, poisson_interval, search, settings_of
from riskwatch.backtest.calibration import calibration_table
from riskwatch.backtest.compare import differences
from riskwatch.backtest.hazards import read_hazards
from riskwatch.backtest.outcome import LEDGER
from riskwatch.backtest.plan import run_days
from riskwatch.backtest.reliability import edges_of, reliability_table
from riskwatch.backtest.replay import check_days
from riskwatch.backtest.rules import BudgetRules, Knob
from riskwatch.backtest.scalars import unified, value_at
from riskwatch.backtest.setting import Place, Setting, open_setting
from riskwatch.backtest.summary import rules_of
from riskwatch.backtest.trials import Runs, budget_rules, fits, inside, with_values
from riskwatch.backtest.tuned import GRADING, TRIALS, Budget, TuneOutcome
from riskwatch.definitions import load_definitions
from riskwatch.definitions.types import Centre
from riskwatch.errors import ProjectError
from riskwatch.runner.progress import Reporter
from riskwatch.sources import ADAPTERS

__all__ = ["apply_budget", "open_runs", "tune_budget"]

_LOOK_BACK_DAYS = 730


def tune_budget(budget: Budget, reporter: Reporter | None = None) -> TuneOutcome:
    """Replay settings of a knob until the number of warnings a week comes as near to the budget as it can. Nothing is applied.

    Raises
    ------
    ProjectError
        If the budget is not positive, a level, centre, knob or pipeline is unknown, or the period holds no records or lies ahead.
    """
    with open_runs(budget, reporter) as run:
        outcome = run.outcome
        if budget.dry_run:
            outcome.counted = [("strictest", run.counts(0)), ("today", run.counts(outcome.today))]
        else:
            wanted = budget.per_week * outcome.weeks
            outcome.search = search(lambda at: len(run.trial(at).rises), len(outcome.settings), wanted, outcome.today)
            _conclude(outcome, run, outcome.search)
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
        turned = budget_rules(rules)
        name, knob = _knob(turned, budget.knob)
        settings, today = settings_of(
            knob, {one: value_at(original, inside(one)) for one in knob.thresholds}, lambda one: fits(original, one)
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
        yield Runs(setting, outcome, original, grades=grades, hazards=hazards, reporter=reporter or Reporter())


def _conclude(outcome: TuneOutcome, run: Runs, found: Search) -> None:
    setting, grades, original = run.own, run.grades, run.original
    outcome.trials = _table(outcome, run, found)
    outcome.before, outcome.after = run.trial(outcome.today), run.trial(found.chosen)
    told = differences(outcome.before.lives, outcome.after.lives, TreePaths(tree_of(setting.trees, "region")))
    outcome.changes = told[told["grade_before"].isin(grades) | told["grade_after"].isin(grades)].reset_index(drop=True)
    outcome.reliability = reliability_table(outcome.before.lives, edges_of(setting.grading), level=outcome.rules.interval)
    outcome.models = {name: {"zh": one.label.zh, "en": one.label.en} for name, one in setting.definitions.models.items()}
    outcome.calibration = calibration_table(outcome.before.calibration, level=outcome.rules.interval)
    if found.met == "yes":
        outcome.text = with_values(original, outcome.settings[found.chosen], outcome.settings[outcome.today])
        outcome.diff = unified(original, outcome.text, GRADING)


def _table(outcome: TuneOutcome, run: Runs, found: Search) -> pd.DataFrame:
    rows = []
    for at, count in found.counts.items():
        one = run.trial(at)
        low, high = (end / outcome.weeks for end in poisson_interval(count, outcome.rules.interval))
        ahead = _ahead(outcome, one.rises)
        rows.append(
            {
                "setting": at,
                "values": dict(one.values),
                "warnings": count,
                "per_week": count / outcome.weeks,
                "per_week_low": low,
                "per_week_high": high,
                "events_alone": int(one.rises["events_alone"].astype(bool).sum()),
                "dispersion": ahead.dispersion,
                "ahead_low": ahead.low,
                "ahead_high": ahead.high,
                "kept": ahead.kept,
                "hazards": len(one.hazards),
                "in_time": int(one.hazards["in_time"].sum()),
                "today": at == outcome.today,
                "chosen": at == found.chosen,
            }
        )
    return pd.DataFrame(rows, columns=list(TRIALS))


def _ahead(outcome: TuneOutcome, rises: pd.DataFrame) -> Ahead:
    """Return what the warnings of a setting say of the weeks that follow."""
    rules = budget_rules(outcome.rules)
    last = outcome.first + dt.timedelta(days=round(7 * outcome.weeks) - 1)
    return ahead_after(
        rises["day"].tolist(), outcome.first, last, outcome.budget.per_week, ahead=rules.ahead_weeks, block_weeks=rules.block_weeks,
        within=rules.within, level=outcome.rules.interval,
    )  # fmt: skip


def _centre(centres: Mapping[str, Centre], asked: str) -> Centre:
    found = centres.get(asked) or next((one for one in centres.values() if one.region and one.region == asked), None)
    if found is None:
        known = ", ".join(f"{name} ({one.region})" if one.region else name for name, one in centres.items())
        raise ProjectError(f'tune budget: no centre "{asked}" in force', hint=f"centres in force: {known or 'none'}")
    return found


def _knob(rules: BudgetRules, asked: str) -> tuple[str, Knob]:
    name = asked or next(iter(rules.knobs))
    if name not in rules.knobs:
        raise ProjectError(f'tune budget: no knob "{asked}"', hint=f"knobs in config/backtest.yaml: {', '.join(rules.knobs)}")
    return name, rules.knobs[name]


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
