"""What every detector must do, whatever its method, as checks that a plug-in's own tests can run.

>>> from riskwatch.detectors import contract, detector
>>> contract.findings(detector("ears-c1"))
[]

In a plug-in's tests: ``contract.check(MyDetector())``, or one test for each clause:
``@pytest.mark.parametrize("clause", contract.CLAUSES)`` and ``assert contract.CLAUSES[clause](MyDetector()) == ""``.

The clauses hold for methods that judge each series by its own past or by its siblings. What a method finds, and how well its p-values hold
their level, they do not say: see notebooks/03_choosing_a_detector.ipynb and benchmarks/calibration.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.detectors.registry import Detector
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["CLAUSES", "FIELDS", "check", "findings", "made_panel"]

FIELDS = ("expected", "lower", "upper", "p_value", "alarm", "reason")
_SERIES, _WEEKS = 40, 330


def made_panel() -> Panel:
    """Return six years and a bit of weekly counts of 40 series with season, exposure about five times the counts, and some gaps."""
    rng = np.random.default_rng(11)
    periods = pd.period_range("2015-01-05", periods=_WEEKS, freq="W-SUN")
    mean = np.geomspace(0.3, 60, _SERIES)[:, None] * (1 + 0.4 * np.sin(2 * np.pi * np.arange(_WEEKS) / 52.18))
    exposure = rng.poisson(5 * mean + 3).astype(float)
    observed = rng.binomial(exposure.astype(int), 0.2).astype(float)
    observed[rng.random(observed.shape) < 0.02] = np.nan
    observed[exposure == 0] = np.nan
    return Panel(observed, pd.Index([f"s{at:02d}" for at in range(_SERIES)], name="series"), periods, exposure)


def _differ(left: Signals, right: Signals, rows: Any = slice(None), columns: Any = slice(None)) -> str:
    """Return the fields in which ``left`` is not, bit by bit, these cells of ``right``."""
    return ", ".join(
        name for name in FIELDS if not np.array_equal(getattr(left, name), getattr(right, name)[rows, columns], equal_nan=name != "reason")
    )


def _frozen(given: Detector) -> str:
    judge: Any = given  # whatever a plug-in has registered
    fits, declared = isinstance(judge, Detector), dataclasses.is_dataclass(judge)
    if not fits:
        return "it must have name, hash, min_periods(frequency) and detect(panel, periods)"
    if not declared:
        return "it must be a dataclass, so that the registry knows its parameters"
    same: Any = dataclasses.replace(judge)
    if same != judge or same.hash != judge.hash:
        return "two detectors with the same parameters must be equal and have the same hash"
    names = [item.name for item in dataclasses.fields(judge)]
    try:
        for name in names:
            setattr(judge, name, getattr(judge, name))
    except AttributeError:
        return ""
    return f"it must be frozen: {names[0]} could be set" if names else ""


def _hashed(judge: Detector) -> str:
    level: Any = getattr(judge, "alpha", None)
    if level is None:
        return "it must have a parameter alpha, the one-sided level of a single test"
    other: Any = dataclasses.replace(judge, alpha=level / 2)  # type: ignore[type-var]  # _frozen tells whether it is a dataclass
    return "" if other.hash != judge.hash else "hash must change with alpha: results are kept under it"


def _shapes(judge: Detector) -> str:
    panel = made_panel()
    periods = panel.periods[[-30, -2, -1]]
    signals = judge.detect(panel, periods)
    if not (signals.periods.equals(periods) and signals.index.equals(panel.index)):
        return "signals must have the panel's index and the periods that were asked for, in their order"
    if (signals.detector, signals.detector_hash) != (judge.name, judge.hash):
        return "signals must carry the detector's name and hash"
    judged = signals.reason == 0
    if not judged.any():
        return "it must judge some cells of made_panel()"
    wrong = [name for name in FIELDS[:4] if not np.array_equal(np.isnan(getattr(signals, name)), ~judged)]
    if wrong:
        return f"{', '.join(wrong)} must be NaN where, and only where, there is a reason not to judge"
    missing = np.isnan(signals.observed)
    return "" if not (missing & judged).any() else "a missing count is no zero: it must not be judged"


def _one_story(judge: Detector) -> str:
    panel = made_panel()
    signals = judge.detect(panel, panel.periods[-20:])
    judged = signals.reason == 0
    if signals.alarm[~judged].any():
        return "what was not judged must not alarm"
    p = signals.p_value[judged]
    if not ((p >= 0) & (p <= 1)).all():
        return "p_value must lie between 0 and 1"
    level = float(getattr(judge, "alpha", np.nan))
    if not np.array_equal(signals.alarm[judged], p <= level):
        return "alarm must be p_value <= alpha"
    above = (signals.observed > signals.upper)[judged]
    return "" if np.array_equal(signals.alarm[judged], above) else "alarm must be observed > upper: limit and p-value tell the same story"


def _newest(judge: Detector) -> str:
    panel = made_panel()
    wrong = _differ(judge.detect(panel), judge.detect(panel, panel.periods[-3:]), columns=slice(2, 3))
    return f"without periods the newest one must be judged, as it is among others; differ: {wrong}" if wrong else ""


def _future(judge: Detector) -> str:
    panel = made_panel()
    now = panel.periods[-20]
    wrong = _differ(judge.detect(panel.head(now)), judge.detect(panel, panel.periods[-20:-19]))
    return f"what comes after the judged period must not matter; differ: {wrong}" if wrong else ""


def _order(judge: Detector) -> str:
    panel = made_panel()
    order = np.random.default_rng(3).permutation(_SERIES)
    wrong = _differ(judge.detect(panel.select(panel.index[order])), judge.detect(panel), rows=order)
    return f"the order of the series must not matter, to the last bit; differ: {wrong}" if wrong else ""


def _unchanged(judge: Detector) -> str:
    panel = made_panel()
    judge.detect(panel)
    again = made_panel()
    for name in ("observed", "exposure"):
        if not np.array_equal(getattr(panel, name), getattr(again, name), equal_nan=True):
            return f"it must not write into the panel: {name} has changed"
    return ""


def _short(judge: Detector) -> str:
    panel = made_panel()
    needed = judge.min_periods("week")
    if not 1 <= needed < _WEEKS:
        return f"min_periods('week') must be at least 1 and leave some of {_WEEKS} weeks to judge, got {needed}"
    if needed > 1 and (judge.detect(panel.head(panel.periods[needed - 2])).reason == 0).any():
        return f"with fewer than min_periods('week') = {needed} periods nothing must be judged"
    enough = judge.detect(panel.head(panel.periods[min(needed + 5, _WEEKS - 1)]))
    return "" if (enough.reason == 0).any() else f"with more than min_periods('week') = {needed} periods something must be judged"


def _nothing(judge: Detector) -> str:
    periods = made_panel().periods
    none = judge.detect(Panel(np.empty((0, _WEEKS)), pd.Index([]), periods, np.empty((0, _WEEKS))))
    if none.p_value.shape != (0, 1):
        return f"a panel without series must give signals of shape (0, 1), got {none.p_value.shape}"
    empty = np.full((2, _WEEKS), np.nan)
    signals = judge.detect(Panel(empty, pd.RangeIndex(2), periods, empty))
    known = [REASONS.index(name) for name in ("missing", "too-short")]
    return "" if np.isin(signals.reason, known).all() else "a series that is missing as a whole must be refused as missing or too-short"


def _steady(judge: Detector) -> str:
    periods = made_panel().periods
    for value in (0.0, 7.0, 1e6):
        counts = np.full((_SERIES, _WEEKS), value)
        if judge.detect(Panel(counts, pd.RangeIndex(_SERIES), periods, np.maximum(10 * counts, 50.0))).alarm.any():
            return f"a series that has always been {value:g} must not alarm at {value:g}"
    return ""


def _jump(judge: Detector) -> str:
    rng = np.random.default_rng(9)
    counts = rng.poisson(20.0, (_SERIES, _WEEKS)).astype(float)
    counts[1, -1] = 100.0
    signals = judge.detect(Panel(counts, pd.RangeIndex(_SERIES), made_panel().periods, np.full(counts.shape, 200.0)))
    return "" if signals.alarm[1, 0] else "a jump from 20 to 100 must alarm"


def _foreign(judge: Detector) -> str:
    try:
        judge.detect(made_panel(), pd.period_range("2031-01-06", periods=1, freq="W-SUN"))
    except DetectorError:
        return ""
    except Exception as error:  # noqa: BLE001 - whatever else it raises is the finding
        return f"a period that is not in the panel must raise DetectorError, got {type(error).__name__}"
    return "a period that is not in the panel must raise DetectorError, got signals"


CLAUSES: dict[str, Callable[[Detector], str]] = {
    "frozen": _frozen,
    "hashed": _hashed,
    "shapes": _shapes,
    "one story": _one_story,
    "newest by default": _newest,
    "no future": _future,
    "no order": _order,
    "panel unchanged": _unchanged,
    "short history": _short,
    "nothing to judge": _nothing,
    "steady series": _steady,
    "a jump": _jump,
    "foreign periods": _foreign,
}
"""Clause -> a function that returns what is wrong with a detector, "" for nothing."""


def findings(judge: Detector) -> list[str]:
    """Return what is wrong with a detector, one line per broken clause; empty if it keeps them all.

    A detector that compares neighbours needs a panel with a geography, which these panels have not.
    """
    found = []
    for name, clause in CLAUSES.items():
        try:
            wrong = clause(judge)
        except Exception as error:  # noqa: BLE001 - a plug-in's error is a finding; the other clauses are still looked at
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            found.append(f"{name}: {wrong}")
    return found


def check(judge: Detector) -> None:
    """Raise if a detector breaks the contract.

    Raises
    ------
    DetectorError
        One line per broken clause.
    """
    found = findings(judge)
    if found:
        raise DetectorError(
            f"{getattr(judge, 'name', type(judge).__name__)} breaks the contract of detectors:\n" + "\n".join(found),
            hint="riskwatch.detectors.contract.CLAUSES holds each clause as a function",
        )
