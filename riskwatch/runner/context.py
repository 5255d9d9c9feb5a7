"""What one run is made of, frozen at its start: definitions, trees, store, the as-of day and the clock reading."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from riskwatch.calendar import HolidayCalendar
from riskwatch.definitions import Definitions
from riskwatch.dimensions import Tree
from riskwatch.errors import StoreError
from riskwatch.runner.progress import Reporter
from riskwatch.store import Store

__all__ = ["RunContext", "database_url", "open_store", "var_folder"]


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
    """

    root: Path
    definitions: Definitions
    trees: dict[str, Tree]
    store: Store
    holidays: HolidayCalendar
    as_of: dt.date
    now: dt.datetime
    out: Path
    dry_run: bool = False
    reporter: Reporter = Reporter()  # noqa: RUF009 - stateless

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self.definitions.settings.timezone)

    @property
    def today(self) -> dt.date:
        """The calendar day of ``now`` in the project's zone."""
        return self.now.astimezone(self.zone).date()


def var_folder(root: Path, definitions: Definitions) -> Path:
    """Return the folder for the database and the digests of the profile in force."""
    folder = Path(definitions.settings.var)
    return (folder if folder.is_absolute() else root / folder) / definitions.settings.profile


def database_url(root: Path, definitions: Definitions) -> str:
    """Return the SQLAlchemy URL of the project's database; ``env:NAME`` is read from the environment.

    Raises
    ------
    StoreError
        If the environment variable is not set.
    """
    raw = definitions.settings.database
    if raw.startswith("env:"):
        name = raw.removeprefix("env:")
        url = os.environ.get(name, "")
        if not url:
            raise StoreError(f"settings.database reads the URL from the environment variable {name}, which is not set", hint=f"export {name}=…")
        return url
    return raw.replace("{var}", str(var_folder(root, definitions).resolve()))


@contextlib.contextmanager
def open_store(root: Path, definitions: Definitions) -> Iterator[Store]:
    """Open the project's store, made and migrated if need be."""
    var_folder(root, definitions).mkdir(parents=True, exist_ok=True)
    with Store.open(database_url(root, definitions)) as store:
        yield store
