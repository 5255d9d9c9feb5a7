"""The nearest input that moves the grade: a search on the grading function itself, along one input at a time, upwards and downwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from riskwatch.assessment.situation import Move, Situation
from riskwatch.assessment.types import Grade

__all__ = ["Nearest", "nearest_changes"]

STEP = 0.05  # decades between two looks; the function need not be monotone (units in use lower p and raise the uplift)
TOLERANCE = 0.0005  # decades: the threshold is found to one part in a thousand


@dataclass(frozen=True, slots=True)
class Nearest:
    """One input, moved just as far as it takes.

    ``distance`` is in decades for q, probability and units in use, in ``share_step`` for shares, in ones for the others.
    """

    input: str  # q | probability | units | targeted | windows | severity | producers | prefectures
    before: float
    after: float
    distance: float
    grade: Grade


def nearest_changes(situation: Situation, *, q: float | None, probability: float, severity: int) -> tuple[Nearest, ...]:
    """Return, for each input and for a higher and a lower grade, the smallest change that leads there; nearest first.

    Parameters
    ----------
    q : float or None
        Smallest q-value of the evidence, None without evidence.
    probability, severity : float, int
        Of the scenario that drives the risk.
    """
    rules = situation.rules.uncertainty.nearest
    found: list[Nearest] = []
    if q is not None:
        found += _along(situation, "q", q, rules.decades, lambda x: Move(q=x), scaled=True)
        found += _counted(situation, "windows", situation.longest, rules.windows, lambda k: Move(windows=k), least=1)
    if probability > 0:
        found += _along(situation, "probability", probability, rules.decades, lambda x: Move(probability=x), scaled=True)
    found += _counted(situation, "severity", severity, 3, lambda k: Move(severity=k), least=1, most=4)
    if situation.units is not None:
        found += _along(situation, "units", situation.units, rules.decades, lambda x: Move(units=x), scaled=True)
    if situation.targeted_share is not None:
        found += _along(situation, "targeted", situation.targeted_share, 1.0, lambda x: Move(targeted=x), scaled=False)
    figures = situation.figures
    if figures.producers:
        found += _counted(situation, "producers", figures.producers, rules.producers, lambda k: Move(producers=k), least=1)
    if figures.judged:
        found += _counted(
            situation, "prefectures", figures.touched, rules.prefectures, lambda k: Move(prefectures=k), least=0, most=figures.judged
        )
    return tuple(sorted(found, key=lambda one: (one.distance, one.input, -one.grade)))


def _along(
    situation: Situation, name: str, value: float, reach: float, move: Callable[[float], Move], *, scaled: bool
) -> Iterator[Nearest]:
    """Search a continuous input: outwards in steps, then by bisection between the last step that did not move the grade and the next."""
    now = situation.grade()
    unit = 1.0 if scaled else situation.rules.uncertainty.nearest.share_step
    best: dict[int, Nearest] = {}
    for side in (-1.0, 1.0):
        seen: set[int] = set()
        last = 0.0
        limit = reach if scaled else (value if side < 0 else 1.0 - value)
        for x in np.arange(STEP, limit + STEP / 2, STEP).tolist():
            step = min(x, limit)
            way = _way(situation.grade(move(side * step)), now)
            if way and way not in seen:
                seen.add(way)
                at = _bisect(situation, now, way, move, side, last, step)
                after = value * 10 ** (side * at) if scaled else value + side * at
                change = Nearest(name, value, after, at / unit, situation.grade(move(side * at)))
                if way not in best or change.distance < best[way].distance:
                    best[way] = change
            last = step
            if len(seen) == 2:
                break
    yield from best.values()


def _bisect(  # noqa: PLR0917 - one search
    situation: Situation, now: Grade, way: int, move: Callable[[float], Move], side: float, low: float, high: float
) -> float:
    """Return the smallest shift found in (low, high] that moves the grade ``way``; at ``high`` it does."""
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        if _way(situation.grade(move(side * middle)), now) == way:
            high = middle
        else:
            low = middle
    return high


def _counted(
    situation: Situation, name: str, value: int, reach: int, move: Callable[[int], Move], *, least: int, most: int | None = None
) -> Iterator[Nearest]:
    """Search an input that is counted, one by one."""
    now = situation.grade()
    best: dict[int, Nearest] = {}
    for size in range(1, reach + 1):
        for shift in (size, -size):
            after = value + shift
            if after < least or (most is not None and after > most):
                continue
            grade = situation.grade(move(shift))
            way = _way(grade, now)
            if way and way not in best:
                best[way] = Nearest(name, float(value), float(after), float(size), grade)
    yield from best.values()


def _way(grade: Grade, now: Grade) -> int:
    return (grade > now) - (grade < now)
