"""What is asked of an alert budget and what came of it, as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskwatch.backtest.budget import Search, Value
from riskwatch.backtest.replay import Counts
from riskwatch.backtest.rules import BacktestRules

__all__ = ["GRADING", "TRIALS", "Budget", "Trial", "TuneOutcome"]

GRADING = "config/grading.yaml"
TRIALS = (
    "setting", "values", "warnings", "per_week", "per_week_low", "per_week_high", "events_alone", "dispersion", "ahead_low", "ahead_high",
    "kept", "hazards", "in_time", "today", "chosen",
)  # fmt: skip
"""One row per replayed setting, strictest first. ``setting``: its place on the knob's path. ``dispersion`` to ``kept``: what the warnings
say of the weeks that follow, see :mod:`riskwatch.backtest.ahead`."""


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
    calibration: list[list[dict[str, Any]]] = field(default_factory=list)


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
    calibration : DataFrame or None
        Of the models: :func:`riskwatch.backtest.calibration.calibration_table`.
    models : mapping of str to mapping of str to str
        Name of a model -> language -> what readers call it.
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
    calibration: pd.DataFrame | None = None
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
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
            "trials": rows(self.trials),
            "changes": [] if self.changes is None else rows(self.changes),
            "reliability": [] if self.reliability is None else rows(self.reliability),
            "calibration": [] if self.calibration is None else rows(self.calibration),
            "diff": self.diff,
            "to_compute": {name: dict(counts.new_detections) for name, counts in self.counted},
            "files": [str(path) for path in self.files],
        }
