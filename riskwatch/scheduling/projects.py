"""The project that a long-lived process works on: read anew when its files change, kept as it was while they are wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from riskwatch.api import Project
from riskwatch.errors import RiskwatchError
from riskwatch.project import FOLDERS
from riskwatch.store.lease import Clock

__all__ = ["Place", "Projects"]

Stamp = tuple[tuple[str, int, int], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What a project is opened with."""

    root: Path
    profile: str | None = None
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    clock: Clock | None = None

    def open(self) -> Project:
        """Open the project; DefinitionError if a definition is wrong."""
        return Project(self.root, profile=self.profile, settings=self.settings, clock=self.clock)


class Projects:
    """Hands out the project as its files stand; a wrong edit stops no run, it is reported and the last sound state goes on.

    Parameters
    ----------
    place : Place
    report : callable
        Takes the error of an edit that is wrong, once.

    Raises
    ------
    DefinitionError
        If the project is wrong from the start.
    """

    def __init__(self, place: Place, report: Callable[[RiskwatchError], Any]) -> None:
        self._place, self._report = place, report
        self._project = place.open()
        self._stamp = self._look()
        self.broken: RiskwatchError | None = None

    def current(self) -> Project:
        """Return the project, read anew if a file has changed since."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._project = self._place.open()
            except RiskwatchError as error:
                self.broken = error
                self._report(error)
            else:
                self.broken = None
        return self._project

    def _look(self) -> Stamp:
        return tuple(sorted(_stamps(self._project)))


def _stamps(project: Project) -> Iterator[tuple[str, int, int]]:
    paths = [path for folder in FOLDERS for path in (project.root / folder).rglob("*") if path.suffix in {".yaml", ".yml", ".csv"}]
    # Code lists may lie in the data folder.
    paths += [project.definitions.path(entry.path) for entry in project.definitions.dimensions]
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        yield str(path), found.st_mtime_ns, found.st_size
