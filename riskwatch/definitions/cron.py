"""Five-field cron lines, with day names.

Digits for days of the week are refused: cron counts 0 as Sunday, APScheduler as Monday, so that ``0 6 * * 1`` fires on Tuesday.
"""

from __future__ import annotations

import re

__all__ = ["cron_complaints"]

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12))
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\w+))?\Z")


def cron_complaints(line: str) -> list[str]:
    """Say what is wrong with a cron line.

    Parameters
    ----------
    line : str
        ``minute hour day-of-month month day-of-week``; lists, ranges and steps are allowed.

    Returns
    -------
    list of str
        One sentence for each fault; empty if there is none.
    """
    fields = line.split()
    if len(fields) != len(_FIELDS) + 1:
        return [f'must have five fields (minute hour day month weekday), got {len(fields)} in "{line}"']
    complaints = []
    for text, (name, low, high) in zip(fields, _FIELDS, strict=False):
        complaints += [f"{name} {fault}" for part in text.split(",") if (fault := _numeric_fault(part, low, high))]
    complaints += [f"day of week {fault}" for part in fields[-1].split(",") if (fault := _weekday_fault(part))]
    return complaints


def _numeric_fault(part: str, low: int, high: int) -> str:
    match = _PART.match(part)
    if not match:
        return f'"{part}" is not a number, range or step'
    for text in (match["low"], match["high"], match["step"]):
        if text is not None and not text.isdecimal():
            return f'must be a number from {low} to {high}, got "{text}"'
    ends = [int(text) for text in (match["low"], match["high"]) if text is not None]
    if any(not low <= end <= high for end in ends):
        return f'must be from {low} to {high}, got "{part}"'
    if ends != sorted(ends):
        return f'range "{part}" runs backwards'
    if match["step"]:
        first, last = (ends[0] if ends else low), (ends[1] if len(ends) > 1 else high)
        if not 1 <= int(match["step"]) <= max(last - first, 1):
            return f'step must be from 1 to {max(last - first, 1)} in "{part}"'
    return ""


def _weekday_fault(part: str) -> str:
    match = _PART.match(part)
    if not match:
        return f'"{part}" is not a day name or a range of them'
    if match["step"]:
        return f'"{part}": write the days out, {_DAYS[0]} to {_DAYS[-1]}'
    ends = [text for text in (match["low"], match["high"]) if text is not None]
    if any(end.isdecimal() for end in ends):
        return f'must be written with names ({", ".join(_DAYS)}), got "{part}": digits mean different days to different schedulers'
    if any(end.lower() not in _DAYS for end in ends):
        return f'must be one of {", ".join(_DAYS)}, got "{part}"'
    places = [_DAYS.index(end.lower()) for end in ends]
    return f'range "{part}" runs backwards: list the days' if places != sorted(places) else ""
