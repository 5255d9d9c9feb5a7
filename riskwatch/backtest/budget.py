"""How often warnings reach a centre, and which setting of a threshold comes nearest to what it can read. Pure functions.

Sources
-------
Exact interval of a Poisson rate: Garwood (1936), Biometrika 28(3/4), 437-442.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import special

from riskwatch.assessment.protocols import TreePaths
from riskwatch.backtest.rules import Knob
from riskwatch.backtest.score import GRADES
from riskwatch.errors import ProjectError

__all__ = ["RISES", "Search", "at_least", "poisson_interval", "reaches", "rises_of", "search", "settings_of", "weeks_of"]

RISES = (
    "warning_id", "day", "grade", "grade_before", "kind", "code", "name_zh", "name_en", "region", "place_zh", "place_en", "events_alone",
)  # fmt: skip
"""One row each time that a warning reached a level; see :func:`rises_of`."""
Value = bool | int | float | str


def at_least(level: str) -> tuple[str, ...]:
    """Return the levels from ``III+`` (or ``III``) up, lowest first.

    Raises
    ------
    ProjectError
        If there is no such level.
    """
    name = level.removesuffix("+")
    if name not in GRADES:
        raise ProjectError(f"tune budget: no level {level!r}", hint="levels: IV+ (all warnings), III+, II+, I")
    return GRADES[GRADES.index(name) :]


def reaches(regions: TreePaths, place: str, jurisdiction: str) -> bool:
    """Whether a centre reads of a place: it lies in the jurisdiction, or the jurisdiction lies in it."""
    return not place or not jurisdiction or regions.within(place, jurisdiction) or regions.within(jurisdiction, place)


def rises_of(
    standing: pd.DataFrame, days: Sequence[dt.date], first: dt.date, grades: Sequence[str], read: Callable[[str], bool]
) -> pd.DataFrame:
    """Return each time that a warning was opened at, or raised to, one of some levels.

    Parameters
    ----------
    standing : pandas.DataFrame
        :data:`riskwatch.backtest.lives.STANDING`.
    days : sequence of date
        Days replayed. What stood on the first of them is no rise: everything that had been going on is new on it.
    first : date
        Rises before it are left out; days before it only tell what stood already.
    grades : sequence of str
    read : callable
        Region -> whether the centre reads of it.

    Returns
    -------
    pandas.DataFrame
        :data:`RISES`, by day. ``grade_before``: "" where it was opened. A warning that was held below and rises again counts again;
        one that another spoke for meanwhile and stands by itself again, at a level that it had, does not. ``events_alone``: it rests on
        recorded events (a death, a failed recheck), whatever the thresholds.
    """
    rows = []
    held: dict[str, str] = {}
    for row in standing.sort_values(["day", "warning_id"], kind="stable").to_dict("records"):
        name, grade = str(row["warning_id"]), str(row["grade"])
        before = held.get(name, "")
        held[name] = grade
        new = grade in grades and before not in grades
        if new and row["day"] >= first and row["day"] != days[0] and read(str(row["region"])):
            rows.append({**{key: row[key] for key in RISES if key in row}, "grade_before": before, "events_alone": not row["models"]})
    return pd.DataFrame(rows, columns=list(RISES))


def weeks_of(rises: pd.DataFrame, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Return rises by week (its Monday) and level: ``week, grade, opened``; every week from the first to the last day."""
    start, end = (day - dt.timedelta(days=day.weekday()) for day in (first, last))
    counts = {
        key: len(group) for key, group in rises.groupby([rises["day"].map(lambda day: day - dt.timedelta(days=day.weekday())), "grade"])
    }
    weeks = [start + dt.timedelta(days=7 * number) for number in range((end - start).days // 7 + 1)]
    return pd.DataFrame(
        [(week, grade, counts.get((week, grade), 0)) for week in weeks for grade in GRADES], columns=["week", "grade", "opened"]
    )


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the mean of a Poisson count (Garwood 1936).

    Examples
    --------
    >>> [round(float(end), 4) for end in poisson_interval(10)]
    [4.7954, 18.3904]
    """
    tail = (1.0 - level) / 2.0
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    return low, float(special.gammaincinv(count + 1, 1.0 - tail))


def settings_of(knob: Knob, today: Mapping[str, Value], fits: Callable[[Mapping[str, Value]], bool]) -> tuple[list[dict[str, Value]], int]:
    """Return the settings of a knob, strictest first, and the place of today's among them.

    Parameters
    ----------
    knob : Knob
    today : mapping of str to scalar
        Threshold -> value in force.
    fits : callable
        Whether the rules allow a setting; those that they do not are left out.

    Raises
    ------
    ProjectError
        If today's value is no number where factors are asked for, or not one of the values.
    """
    if knob.values:
        (name,) = knob.thresholds
        if today[name] not in knob.values:
            raise ProjectError(
                f"tune budget: {name} is {today[name]!r}, not one of the knob's values {', '.join(map(str, knob.values))}",
                hint="add it to config/backtest.yaml, budget.knobs",
            )
        made: list[dict[str, Value]] = [{name: value} for value in knob.values]
    else:
        wrong = [name for name, value in today.items() if isinstance(value, (bool, str))]
        if wrong:
            raise ProjectError(f"tune budget: {wrong[0]} is {today[wrong[0]]!r}, and only numbers can be multiplied")
        made = []
        least, most = float(knob.least or 1.0), float(knob.most or 1.0)
        for step in range(-20 * knob.per_decade, 20 * knob.per_decade + 1):
            factor = 10.0 ** (step / knob.per_decade)
            if step == 0:
                made.append(dict(today))
            elif least * (1 - 1e-9) <= factor <= most * (1 + 1e-9):
                made.append({name: float(f"{float(value) * factor:.2g}") for name, value in today.items()})
    kept = [one for one in made if one == dict(today) or fits(one)]
    # Rounded to two digits, neighbours may be one and the same.
    different = [one for at, one in enumerate(kept) if at == 0 or one != kept[at - 1]]
    return different, different.index(dict(today))


@dataclass(frozen=True)
class Search:
    """What a search came to.

    Attributes
    ----------
    counts : mapping of int to int
        Place of each setting that was tried -> warnings.
    chosen : int
        The nearest to the budget; of two equally near, the one nearer to today's.
    below, above : int or None
        Nearest tried settings with at most, and with more than, the budget.
    met : {"yes", "too low", "too high"}
        Too low: even the strictest gives more. Too high: even the loosest gives less.
    monotone : bool
        Whether looser settings never gave fewer warnings, of those tried.
    """

    counts: Mapping[int, int]
    chosen: int
    below: int | None
    above: int | None
    met: str
    monotone: bool


def search(count: Callable[[int], int], size: int, wanted: float, today: int) -> Search:
    """Find the setting whose number of warnings is nearest to what is wanted.

    Warnings are taken to grow from setting 0 to the last, so halving finds where they step over the budget: the strictest and today's are
    always tried, the loosest where it is needed, then about log2(size) more; a setting that meets it to the last warning ends it. Where the
    trials show that they do not grow throughout, the nearest of all tried is chosen all the same, and ``monotone`` says so.

    Parameters
    ----------
    count : callable
        Setting -> warnings; asked once for each.
    size : int
        Number of settings.
    wanted : float
        Warnings over the whole period.
    today : int
        Place of today's setting.
    """
    counts: dict[int, int] = {}

    def tried(at: int) -> int:
        if at not in counts:
            counts[at] = count(at)
        return counts[at]

    low, high = 0, size - 1
    least = tried(0)
    now = tried(today)
    if least <= wanted:
        if now > wanted:
            high = today
        else:
            low = today
            if now < wanted and tried(high) <= wanted:
                low = high
        while high - low > 1 and counts[low] != wanted:
            middle = (low + high) // 2
            if tried(middle) <= wanted:
                low = middle
            else:
                high = middle
    chosen = min(counts, key=lambda at: (abs(counts[at] - wanted), abs(at - today), at))
    under = [at for at in counts if counts[at] <= wanted]
    over = [at for at in counts if counts[at] > wanted]
    ordered = [counts[at] for at in sorted(counts)]
    return Search(
        counts=dict(sorted(counts.items())),
        chosen=chosen,
        below=max(under, key=lambda at: (counts[at], -abs(at - today), at), default=None),
        above=min(over, key=lambda at: (counts[at], abs(at - today), at), default=None),
        met="yes" if under and (over or max(counts.values()) == wanted) else "too low" if not under else "too high",
        monotone=ordered == sorted(ordered),
    )
