"""In which order the measures of a warning are read: what must be done at once first."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import get_args

from riskwatch.assessment.rulebase import Stage
from riskwatch.digest.card_model import ActionLine

__all__ = ["first_first", "within_a_day"]

_STAGES: tuple[str, ...] = get_args(Stage)
_HOURS = {"hour": 1.0, "natural-day": 24.0, "working-day": 24.0}


def _hours(action: ActionLine) -> float:
    """Return the length of a deadline; infinite where none is set."""
    return math.inf if action.deadline is None else action.deadline * _HOURS.get(action.unit, 24.0)


def first_first(actions: Sequence[ActionLine]) -> tuple[ActionLine, ...]:
    """Return measures in the order in which they are read.

    What is due at once (a deadline of nothing, whenever its clock starts), then by due day, then by the length of the deadline (two hours
    before the end of the day), then by stage (verify before handle); what is equal in all stays in the order of the catalogue. A measure
    without a due day, because its clock has not started, stands after those with one.
    """

    def urgency(action: ActionLine) -> tuple[bool, dt.date, float, int]:
        stage = _STAGES.index(action.stage) if action.stage in _STAGES else len(_STAGES)
        return action.deadline != 0, action.due_on or dt.date.max, _hours(action), stage

    return tuple(sorted(actions, key=urgency))


def within_a_day(actions: Sequence[ActionLine]) -> tuple[ActionLine, ...]:
    """Return those of ``actions`` that are due at once or within 24 hours, whose clock runs, in reading order."""
    return tuple(
        action for action in first_first(actions) if action.deadline == 0 or (action.due_on is not None and _hours(action) <= 24.0)
    )
