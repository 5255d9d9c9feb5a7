"""What a model will lack on a day: history in the store, holiday data for its covariates."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.calendar import HolidayCalendar, last_complete_period, period_index, period_numbers, period_of, periods_from_numbers
from riskwatch.definitions import Definitions
from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors import detector
from riskwatch.errors import CalendarError, Problem, StoreError
from riskwatch.runner.freshness import ABSENT, Freshness, freshness_by_source
from riskwatch.runner.panels import calendar_columns
from riskwatch.store import Store

__all__ = ["outlook"]

_UNITS = {"day": "days", "week": "weeks", "4-week": "4-week periods", "month": "months"}
_AHEAD = dt.timedelta(days=60)


def outlook(definitions: Definitions, *, today: dt.date) -> tuple[list[Problem], list[Problem]]:
    """Look at every model in force as of a day.

    Parameters
    ----------
    definitions : Definitions
        Sound in themselves.
    today : date

    Returns
    -------
    problems : list of Problem
        What makes a run of the model fail today: a year without holiday data for a covariate.
    warnings : list of Problem
        Less history in the store than the detector needs (nothing is judged until it has come; without a store nothing is said), and
        holiday data that will run out within 60 days.
    """
    calendar = HolidayCalendar.from_config(definitions.catalogue("holidays"))
    problems: list[Problem] = []
    warnings: list[Problem] = []
    begins, fresh = _stored(definitions, today)
    for model in definitions.models.values():
        sources = _sources(definitions, model)
        known = [day for name in sources if (day := fresh.get(name, ABSENT).newest_known) is not None]
        heard = min(max(known), today) if known else today
        newest = int(period_numbers(pd.PeriodIndex([last_complete_period(heard, model.frequency, model.ripe_after_days)]))[0])
        oldest = newest - model.history_periods + 1
        days = {name: day for name in sources if (day := begins.get(name)) is not None}
        if days:
            first = min(days.values())
            oldest = max(oldest, int(period_of([first], model.frequency)[0]))
            warnings += _short(definitions, model, days, max(newest - oldest + 1, 0))
        lacking = _lacking(model, calendar, oldest, newest)
        if lacking is not None:
            problems.append(_problem(definitions, model, "covariates", str(lacking)))
            continue
        soon = periods_from_numbers([oldest], model.frequency)[0].start_time.date()
        ahead = period_index(model.frequency, soon, today + _AHEAD)
        lacking = _lacking(model, calendar, oldest, int(period_numbers(ahead)[-1]))
        if lacking is not None:
            warnings.append(_problem(definitions, model, "covariates", f"will fail within {_AHEAD.days} days: {lacking}"))
    return sorted(problems), sorted(warnings)


def _sources(definitions: Definitions, model: ModelDefinition) -> list[str]:
    return list(model.sources) or [name for name, source in definitions.sources.items() if source.stream == model.stream]


def _stored(definitions: Definitions, today: dt.date) -> tuple[dict[str, dt.date], dict[str, Freshness]]:
    """Return first event and freshness by source, nothing where there is no store yet or it cannot be reached."""
    begins: dict[str, dt.date] = {}
    try:
        store = Store.existing(definitions.database_url())
        if store is None:
            return {}, {}
        with store:
            for stream in {model.stream for model in definitions.models.values()}:
                begins |= store.first_events(stream, today)
            return begins, freshness_by_source(store, today)
    except StoreError:
        return {}, {}  # `riskwatch doctor` says what is wrong with the database


def _short(definitions: Definitions, model: ModelDefinition, days: dict[str, dt.date], there: int) -> list[Problem]:
    needed = detector(model.detector, **model.parameters).min_periods(model.frequency)
    if there >= needed:
        return []
    unit = _UNITS[model.frequency]
    message = (
        f'{model.detector} needs {needed} {unit}, stream "{model.stream}" (sources {", ".join(sorted(days))}) has {there} '
        f"(since {min(days.values())}): nothing is judged yet"
    )
    return [_problem(definitions, model, "detector", message)]


def _lacking(model: ModelDefinition, calendar: HolidayCalendar, oldest: int, newest: int) -> CalendarError | None:
    """Return what the calendar lacks for the model's covariates, None if nothing."""
    try:
        calendar_columns(model, periods_from_numbers(range(oldest, max(newest, oldest) + 1), model.frequency), calendar)
    except CalendarError as error:
        return error
    return None


def _problem(definitions: Definitions, model: ModelDefinition, key: str, message: str) -> Problem:
    place = definitions.where(f"models.{model.name}.{key}")
    return Problem(place.file or str(place), max(place.line, 1), max(place.column, 1), f'model "{model.name}": {message}')
