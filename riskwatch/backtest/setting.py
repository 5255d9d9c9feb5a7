"""Where a replay takes place: the project's records, the definitions of the project or of another folder, a folder of its own."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.backtest.cache import Cache
from riskwatch.backtest.shelf import Shelf
from riskwatch.backtest.use import in_use, mark_used
from riskwatch.backtest.view import Arrivals, History, PastStore
from riskwatch.calendar import HolidayCalendar
from riskwatch.definitions import Definitions, load_definitions
from riskwatch.dimensions import Tree, load_trees
from riskwatch.errors import ProjectError
from riskwatch.project import FOLDERS, find_project
from riskwatch.runner.context import RunContext, open_store
from riskwatch.runner.progress import Reporter
from riskwatch.sources import ADAPTERS
from riskwatch.store import Store

__all__ = ["Place", "Setting", "composed", "open_setting"]


@dataclass(frozen=True)
class Place:
    """What a worker needs to open the same setting; small, and it can be sent to another process.

    Attributes
    ----------
    project : str
        Folder of the project whose records are replayed.
    definitions : str
        Folder of the definitions in force: the project's, or one from :func:`composed`.
    profile : str or None
    overrides : mapping of str to str
        As ``riskwatch --set`` takes them.
    """

    project: str
    definitions: str
    profile: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """An open setting: what all days of a replay share.

    ``loaded``: the project's own definitions, and those in force; with them another process opens the same setting without reading files.
    """

    place: Place
    loaded: tuple[Definitions, Definitions] = field(repr=False)
    trees: dict[str, Tree]
    holidays: HolidayCalendar
    grading: GradingRules
    actions: ActionCatalogue
    hazards: HazardCatalogue
    store: Store
    arrivals: Arrivals
    folder: Path
    shelf: Shelf | None = None
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def definitions(self) -> Definitions:
        """Those in force."""
        return self.loaded[1]

    @property
    def cache(self) -> Cache:
        """Results by what they rest on."""
        return Cache(self.folder / "cache")

    def context(self, day: dt.date, history: History | None = None, reporter: Reporter | None = None) -> RunContext:
        """Return the context of one past day; its clock stands at the end of that day."""
        zone = self.definitions.settings.timezone
        store = PastStore(self.store.database, zone=zone, day=day, arrivals=self.arrivals, history=history, shelf=self.shelf)
        return RunContext(
            root=self.definitions.root,
            definitions=self.definitions,
            trees=self.trees,
            store=store,
            holidays=self.holidays,
            as_of=day,
            now=dt.datetime.combine(day, dt.time(23, 59, 59), tzinfo=store.zone).astimezone(dt.UTC),
            out=self.folder / "digests",
            grading=self.grading,
            actions=self.actions,
            hazards=self.hazards,
            dry_run=True,
            reporter=reporter or Reporter(),
            kept=self.kept,
        )


def composed(project: Path, other: Path, folder: Path) -> Path:
    """Return a folder of definitions: ``other`` itself if it is a project, else the project's with the files of ``other`` in their places.

    Parameters
    ----------
    project : Path
    other : Path
        A project, or a folder with some of ``config/``, ``models/``, ``pipelines/`` in it.
    folder : Path
        Where composed definitions are written, by content.

    Raises
    ------
    ProjectError
        If ``other`` is no folder or holds neither.
    """
    if not other.is_dir():
        raise ProjectError(f"backtest: no folder {other}", hint="--config and --against take a folder with config/, models/ or pipelines/")
    if (other / "config" / "riskwatch.yaml").is_file():
        return find_project(other)
    parts = [name for name in FOLDERS if (other / name).is_dir()]
    if not parts:
        raise ProjectError(
            f"backtest: {other} holds none of {', '.join(f'{name}/' for name in FOLDERS)}",
            hint="give a project, or a folder with the files that differ in the folders that they belong to",
        )
    files = {path.relative_to(project): path for name in FOLDERS for path in _files(project / name)}
    files.update({path.relative_to(other): path for name in parts for path in _files(other / name)})
    digest = hashlib.sha256()
    for inside, path in sorted(files.items()):
        digest.update(inside.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    target = folder / digest.hexdigest()[:16]
    mark_used(target)
    for inside, path in files.items():
        if not (target / inside).exists():
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            part = (target / inside).with_name(f"{inside.name}.{os.getpid()}.part")
            shutil.copyfile(path, part)
            part.replace(target / inside)
    return target


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _definitions(place: Place, own: Definitions | None) -> tuple[Definitions, Definitions]:
    """Return the project's own definitions, which say where data and results lie, and those that are replayed."""
    if own is None:
        own = load_definitions(Path(place.project), profile=place.profile, overrides=place.overrides, adapters=ADAPTERS)
    if place.definitions == place.project:
        return own, own
    settings = {
        **place.overrides,
        "settings.data": str(own.data.resolve()),
        "settings.var": str((own.root / own.settings.var).resolve()),
        "settings.database": own.settings.database,
    }
    return own, load_definitions(Path(place.definitions), profile=own.profile, overrides=settings, adapters=ADAPTERS)


@contextlib.contextmanager
def open_setting(place: Place, own: Definitions | None = None, loaded: tuple[Definitions, Definitions] | None = None) -> Iterator[Setting]:
    """Open the records and definitions of a replay.

    Parameters
    ----------
    place : Place
    own : Definitions, optional
        The project's own, where they are loaded already.
    loaded : pair of Definitions, optional
        Those of a setting that is open elsewhere.

    Raises
    ------
    DefinitionError
        If any definition is wrong.
    StoreError
        If the project's store cannot be used.
    """
    own, definitions = _definitions(place, own) if loaded is None else loaded
    with in_use(own.var / "backtest"), open_store(own) as store:
        yield Setting(
            place=place,
            loaded=(own, definitions),
            trees=load_trees(definitions.dimensions, root=definitions.root, data=own.data),
            holidays=HolidayCalendar.from_config(definitions.catalogue("holidays")),
            grading=GradingRules.model_validate(definitions.catalogue("grading")),
            actions=ActionCatalogue.model_validate(definitions.catalogue("actions")),
            hazards=HazardCatalogue.model_validate(definitions.catalogue("hazards")),
            store=store,
            arrivals=Arrivals.read(store),
            folder=own.var / "backtest",
            shelf=Shelf(store.database),
        )
