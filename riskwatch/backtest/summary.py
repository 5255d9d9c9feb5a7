"""A replay and its score together: what the command line prints and the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.types import Subject
from riskwatch.backtest.compare import differences
from riskwatch.backtest.hazards import KnownHazard
from riskwatch.backtest.replay import Replay
from riskwatch.backtest.rules import BacktestRules, rules_in
from riskwatch.backtest.score import Ground, hazard_table, lives_table, score_table, weeks_table
from riskwatch.backtest.setting import Setting
from riskwatch.casework.precision import closures
from riskwatch.casework.rules import LifecycleRules
from riskwatch.lifecycle.types import fingerprint
from riskwatch.runner.casework import case_event
from riskwatch.store import WarningRow

__all__ = ["Scored", "compare", "ground_of", "rules_of", "score"]


@dataclass(frozen=True)
class Scored:
    """A replay with what its warnings were worth.

    Attributes
    ----------
    replay : Replay
    lives, table, weeks, hazards : pandas.DataFrame
        See :mod:`riskwatch.backtest.score`.
    """

    replay: Replay
    lives: pd.DataFrame
    table: pd.DataFrame
    weeks: pd.DataFrame
    hazards: pd.DataFrame


def rules_of(setting: Setting) -> BacktestRules:
    """Return ``config/backtest.yaml``.

    Raises
    ------
    ProjectError
        If the project has none.
    """
    return rules_in(setting.definitions, hint="`riskwatch init DIR` writes one to copy from")


def ground_of(setting: Setting, lives: pd.DataFrame, rules: BacktestRules) -> Ground:
    """Return what a score rests on; what people did with the project's own warnings is put to those of the replay.

    A warning of the replay is the project's if both have the same subject and place and were there at the same time: a replay of every
    week opens a warning on another day than a run of every day did, and its id tells the day.
    """
    events = [case_event(row) for row in setting.store.read_case_events()]
    stored = {row.warning_id: row for row in setting.store.read_warnings()}
    people = {event.case_id for event in events if event.actor}
    reasons: dict[str, str] = {}
    if content := setting.definitions.catalogue("lifecycle"):
        kinds = {name: str(one.counts) for name, one in LifecycleRules.model_validate(content).closures.items()}
        table = closures(events)
        reasons = {case: kinds.get(reason, "none") for case, reason in zip(table["case_id"], table["reason"], strict=True)}
    same = _same(lives, stored)
    return Ground(
        paths={name: TreePaths(tree_of(setting.trees, name)) for name in ("product", "region")},
        centres={name: centre.region for name, centre in setting.definitions.centres.items()},
        acted={name for name, others in same.items() if people.intersection(others)},
        closures={name: reasons[other] for name, others in same.items() for other in others if other in reasons},
        rules=rules,
    )


def _same(lives: pd.DataFrame, stored: Mapping[str, WarningRow]) -> dict[str, list[str]]:
    """Return, for each warning of a replay, the project's own warnings of the same concern and time."""
    by_mark: dict[str, list[WarningRow]] = {}
    for row in stored.values():
        by_mark.setdefault(row.fingerprint, []).append(row)
    found = {}
    for one in lives.to_dict("records"):
        mark = fingerprint(Subject(one["kind"], one["code"], one["region"]))
        mine = [row for row in by_mark.get(mark, ()) if row.first_seen <= one["last_day"] and row.last_seen >= one["first_day"]]
        found[str(one["warning_id"])] = sorted((row.warning_id for row in mine), key=lambda name: name != one["warning_id"])
    return found


def score(setting: Setting, replay: Replay, hazards: Sequence[KnownHazard] = (), rules: BacktestRules | None = None) -> Scored:
    """Score a replay by ``config/backtest.yaml``."""
    told = rules or rules_of(setting)
    lives = replay.lives
    events = pd.DataFrame([(row.warning_id, row.as_of, row.kind) for row in lives.history.events], columns=["warning_id", "day", "kind"])
    nobody = Ground({name: TreePaths(tree_of(setting.trees, name)) for name in ("product", "region")}, {}, (), {}, told)
    ground = ground_of(setting, lives_table(lives.standing, events, replay.days, nobody), told)
    table = lives_table(lives.standing, events, replay.days, ground)
    return Scored(
        replay,
        table,
        score_table(table, replay.days, ground),
        weeks_table(table, replay.days),
        hazard_table(lives.standing, hazards, replay.days, ground),
    )


def compare(setting: Setting, before: Scored, after: Scored) -> pd.DataFrame:
    """Return how the warnings of ``after`` differ from those of ``before``."""
    return differences(before.lives, after.lives, TreePaths(tree_of(setting.trees, "region")))
