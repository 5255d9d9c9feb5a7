"""What one run is made of, frozen at its start: definitions, trees, store, the as-of day and the clock reading."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.calendar import HolidayCalendar
from riskwatch.definitions import Definitions
from riskwatch.dimensions import Tree
from riskwatch.runner.progress import Reporter
from riskwatch.store import Store

__all__ = ["RunContext", "open_store"]


@dataclass(frozen=True)
class RunContext:
    """Everything a step may read; nothing in it changes while the run lasts.

    Attributes
    ----------
    now : datetime
        The clock, read once, in UTC.
    as_of : date
        The day as which the run is made: only what was known by its end is seen.
    out : Path
        Folder for rendered digests.
    heartbeat : callable
        Called between pieces of work: renews the lease.
    quiet : bool
        Write no messages to be sent: days that are caught up are told once, with the last of them.
    catch_up_from : date or None
        First day that was missed: the messages of this run speak for all days since then.
    kept : dict
        What is made once and used by several steps, by name and content; a replay hands it from day to day.
    """

    root: Path
    definitions: Definitions
    trees: dict[str, Tree]
    store: Store
    holidays: HolidayCalendar
    as_of: dt.date
    now: dt.datetime
    out: Path
    grading: GradingRules
    actions: ActionCatalogue
    hazards: HazardCatalogue
    dry_run: bool = False
    quiet: bool = False
    catch_up_from: dt.date | None = None
    heartbeat: Callable[[], None] = lambda: None
    reporter: Reporter = Reporter()  # noqa: RUF009 - stateless
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self.definitions.settings.timezone)

    @property
    def today(self) -> dt.date:
        """The calendar day of ``now`` in the project's zone."""
        return self.now.astimezone(self.zone).date()


@contextlib.contextmanager
def open_store(definitions: Definitions) -> Iterator[Store]:
    """Open the project's store, made and migrated if need be."""
    definitions.var.mkdir(parents=True, exist_ok=True)
    with Store.open(definitions.database_url(), zone=definitions.settings.timezone) as store:
        yield store
