"""Where a case stands: from dated events to the step, the terms that run, and what follows. Proposals; persons decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from riskwatch.assessment.duedates import due_day
from riskwatch.assessment.ladder_rules import Ladder, LadderCatalogue, LadderTerm, Result
from riskwatch.assessment.protocols import WorkCalendar
from riskwatch.enterprises.rules import Clocks
from riskwatch.errors import ProjectError

__all__ = [
    "CASE_COLUMNS",
    "Dated",
    "Position",
    "Running",
    "case_events",
    "case_positions",
    "ladder_position",
    "step_counts",
    "verdict",
    "with_clocks",
]

Dated = tuple[dt.date, str]
CASE_COLUMNS = (
    "enterprise", "order_key", "product", "region", "producer_region", "step", "result", "entered_on", "due_on", "overdue", "proposed",
)  # fmt: skip
_CASE = ["enterprise", "order_key", "product", "region", "producer_region"]


@dataclass(frozen=True, slots=True)
class Running:
    """A term that runs on the step of a case.

    Attributes
    ----------
    name : str
        Key of the ladder's terms.
    started_on, opens_on, due_on : date or None
        None where the event that starts it is not on record.
    how : str
        How it was counted, a key of :data:`riskwatch.assessment.duedates.HOW`; "" without a day.
    met : bool
        An event on record met it.
    overdue : bool
        It ran out without being met; never for a right.
    lapse : str
        Step that is then proposed; "" for none.
    """

    name: str
    started_on: dt.date | None
    opens_on: dt.date | None
    due_on: dt.date | None
    how: str
    met: bool
    overdue: bool
    lapse: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a case stands on a day.

    Attributes
    ----------
    step : str
        Key of the ladder's steps.
    entered_on : date or None
        Day of the event that led there; None where nothing has happened yet.
    result : {"open", "closes", "escalates"}
        What it means for the warning: a lapse with a next step escalates, whatever the step itself says.
    terms : tuple of Running
    overdue : bool
    proposed : str
        Step that a lapse proposes; "" for none.
    next : tuple of (event, step)
        Where each event would lead.
    ignored : tuple of (date, event, reason)
        Events that changed nothing: ``too-early`` (before the term opened), ``not-awaited`` on that step.
    """

    step: str
    entered_on: dt.date | None
    result: Result
    terms: tuple[Running, ...]
    overdue: bool
    proposed: str
    next: tuple[tuple[str, str], ...]
    ignored: tuple[tuple[dt.date, str, str], ...]


def with_clocks(catalogue: LadderCatalogue, clocks: Clocks | None) -> LadderCatalogue:
    """Return the ladders with the lengths of ``config/enterprises.yaml`` filled in.

    Raises
    ------
    ProjectError
        If a ladder takes a term from there and there is none.
    """
    ladders = {}
    for name, ladder in catalogue.ladders.items():
        terms = {}
        for key, term in ladder.terms.items():
            if not term.enterprise_clock:
                terms[key] = term
                continue
            if clocks is None:
                raise ProjectError(
                    f"config/ladders.yaml: ladder {name!r}, term {key!r} takes its length from config/enterprises.yaml, which is not there",
                    hint="`riskwatch init DIR` writes one to copy from",
                )
            clock = getattr(clocks, term.enterprise_clock)
            filled = {"enterprise_clock": "", "amount": clock.amount, "opens": clock.opens, "unit": clock.unit}
            terms[key] = LadderTerm.model_validate({**term.model_dump(), **filled})
        ladders[name] = ladder.model_copy(update={"terms": terms})
    return catalogue.model_copy(update={"ladders": ladders})


def _start(term: LadderTerm, seen: Mapping[str, dt.date]) -> dt.date | None:
    return next((seen[event] for event in term.starts if event in seen), None)


def _opens(term: LadderTerm, start: dt.date, calendar: WorkCalendar | None) -> dt.date:
    return due_day(start, term.opens, term.unit, calendar)[0] if term.opens else start


def _too_early(ladder: Ladder, step: str, dated: Dated, seen: Mapping[str, dt.date], calendar: WorkCalendar | None) -> bool:
    day, event = dated
    for name in ladder.steps[step].terms:
        term = ladder.terms[name]
        start = _start(term, seen)
        if term.opens and event in term.meets and start is not None and day < _opens(term, start, calendar):
            return True
    return False


def ladder_position(
    ladder: Ladder, history: Iterable[Dated], *, as_of: dt.date, order: Iterable[str], calendar: WorkCalendar | None = None
) -> Position:
    """Return where a case stands on a day.

    Parameters
    ----------
    ladder : Ladder
        With its clocks filled in (:func:`with_clocks`).
    history : iterable of (date, event)
        What happened, in any order; later events than ``as_of`` are left out, and events given twice count once.
    as_of : date
    order : iterable of str
        Events in the order in which those of one day are taken (``LadderCatalogue.events``).
    calendar : WorkCalendar, optional
        Working days; without it, or where it does not know the year, natural days are counted and the answer says so.

    Raises
    ------
    ProjectError
        If an event is not in ``order``.
    """
    rank = {event: place for place, event in enumerate(order)}
    given = {(day, event) for day, event in history if day <= as_of}
    unknown = sorted(event for _, event in given if event not in rank)
    if unknown:
        raise ProjectError(f"ladder_position: event {unknown[0]!r} is not known", hint=f"known: {', '.join(rank)}")
    step, entered = ladder.first, None
    seen: dict[str, dt.date] = {}
    met: dict[str, dt.date] = {}
    ignored: list[tuple[dt.date, str, str]] = []
    for day, event in sorted(given, key=lambda one: (one[0], rank[one[1]])):
        if _too_early(ladder, step, (day, event), seen, calendar):
            ignored.append((day, event, "too-early"))
            continue
        to = ladder.steps[step].on.get(event)
        met[event] = day
        if to is None:
            seen.setdefault(event, day)
            # It may still start a term (the day of the result, the day a defect became known).
            if not any(event in term.starts for term in ladder.terms.values()):
                ignored.append((day, event, "not-awaited"))
            continue
        seen[event] = day
        if to != step:
            step, entered = to, day
    running = tuple(_running(name, ladder.terms[name], seen, met, as_of=as_of, calendar=calendar) for name in ladder.steps[step].terms)
    proposed = next((term.lapse for term in running if term.overdue and term.lapse), "")
    here = ladder.steps[step]
    return Position(
        step=step,
        entered_on=entered,
        result="escalates" if proposed else here.result,
        terms=running,
        overdue=any(term.overdue for term in running),
        proposed=proposed,
        next=tuple(here.on.items()),
        ignored=tuple(ignored),
    )


def _running(
    name: str,
    term: LadderTerm,
    seen: Mapping[str, dt.date],
    met: Mapping[str, dt.date],
    *,
    as_of: dt.date,
    calendar: WorkCalendar | None,
) -> Running:
    start = _start(term, seen)
    if start is None or term.amount is None:
        return Running(name, None, None, None, "", met=False, overdue=False, lapse=term.lapse)
    due, how = due_day(start, term.amount, term.unit, calendar)
    done = any(event in met and met[event] >= start for event in term.meets)
    late = as_of > due and not done and not term.right
    return Running(name, start, _opens(term, start, calendar), due, how, met=done, overdue=late, lapse=term.lapse)


def case_events(terms: pd.DataFrame) -> dict[tuple[str, ...], list[Dated]]:
    """Return the dated events of each order, from the terms that it started.

    Parameters
    ----------
    terms : DataFrame
        Of :func:`riskwatch.enterprises.terms`.

    Returns
    -------
    dict
        (enterprise, order key, product, region, region of production) -> events. The announcement of a failed recheck is the day that the
        terms take for it: its publication, else the recheck itself.
    """
    found: dict[tuple[str, ...], list[Dated]] = {}
    columns = [*_CASE, "term", "started_on", "done_on", "result"]
    for *case, term, started, done, result in terms[columns].itertuples(index=False, name=None):
        events = found.setdefault(tuple(str(part) for part in case), [])
        if not pd.isna(started):
            events.append((pd.Timestamp(started).date(), "announced" if term == "second_recheck" else "ordered"))
        if pd.isna(done):
            continue
        day = pd.Timestamp(done).date()
        if term == "correct":
            events.append((day, "rectified"))
        elif result in {"pass", "fail"}:
            events.append((day, "recheck-passed" if result == "pass" else "recheck-failed"))
    return found


def case_positions(
    terms: pd.DataFrame, ladder: Ladder, *, as_of: dt.date, order: Iterable[str], calendar: WorkCalendar | None = None
) -> pd.DataFrame:
    """Return where each order stands.

    Returns
    -------
    DataFrame
        Columns :data:`CASE_COLUMNS`, one row per order, sorted. ``due_on``: the first end of a term that runs on the step and is not met.
        Internal: it holds codes of enterprises.
    """
    names = tuple(order)
    rows = []
    for case, events in sorted(case_events(terms).items()):
        at = ladder_position(ladder, events, as_of=as_of, order=names, calendar=calendar)
        due = min((term.due_on for term in at.terms if term.due_on is not None and not term.met), default=None)
        rows.append((*case, at.step, at.result, at.entered_on, due, at.overdue, at.proposed))
    frame = pd.DataFrame(rows, columns=list(CASE_COLUMNS))
    for name in ("entered_on", "due_on"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    return frame


def step_counts(cases: pd.DataFrame) -> dict[str, int]:
    """Return how many cases stand on each step, by name of the step."""
    return {str(step): int(count) for step, count in cases["step"].value_counts().sort_index().items()}


def verdict(cases: pd.DataFrame) -> Result:
    """Return what the cases mean for their warning: one that escalates, escalates it; only all together close it."""
    results = set(cases["result"])
    if "escalates" in results:
        return "escalates"
    return "closes" if results == {"closes"} else "open"
