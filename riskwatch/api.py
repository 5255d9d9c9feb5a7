"""``rw.Project``: one riskwatch project from Python. DataFrames in, DataFrames out.

>>> import riskwatch as rw
>>> project = rw.Project("demo")                      # doctest: +SKIP
>>> project.run("daily", as_of="2025-12-31")          # doctest: +SKIP
>>> project.warnings()                                # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from riskwatch.calendar import HolidayCalendar
from riskwatch.definitions import Definitions, load_definitions
from riskwatch.definitions.types import ModelDefinition, PipelineDefinition
from riskwatch.dimensions import Tree, load_trees
from riskwatch.errors import ProjectError
from riskwatch.panel import Panel
from riskwatch.project import find_project
from riskwatch.runner import Reporter, RunContext, RunReport, run_pipeline, var_folder
from riskwatch.runner.context import open_store
from riskwatch.runner.detect import detect, model_panel
from riskwatch.store import Store

__all__ = ["Project"]

Day = dt.date | str | None


class Project:
    """A folder with ``config/``, ``models/`` and ``pipelines/``, and the store behind it.

    Parameters
    ----------
    path : path-like
        The project's folder or one below it.
    profile : str, optional
        Profile in force; default: ``settings.profile``.
    settings : mapping of str to str, optional
        Overrides by dotted path, as ``riskwatch --set`` takes them, for example ``{"settings.data": "shared/data"}``.

    Raises
    ------
    ProjectError
        If there is no project at ``path``.
    DefinitionError
        If any definition is wrong; the error lists all problems.
    """

    def __init__(self, path: str | Path = ".", *, profile: str | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.root: Path = find_project(Path(path))
        self.definitions: Definitions = load_definitions(self.root, profile=profile, overrides=settings or {})
        self.trees: dict[str, Tree] = load_trees(self.definitions.dimension_files, root=self.root, data=self.data)

    @property
    def data(self) -> Path:
        """Folder that ``{data}`` in source paths stands for."""
        folder = Path(self.definitions.settings.data)
        return folder if folder.is_absolute() else self.root / folder

    @property
    def var(self) -> Path:
        """Folder of the database and the digests of the profile in force."""
        return var_folder(self.root, self.definitions)

    def day(self, as_of: Day = None) -> dt.date:
        """Return the as-of day: the argument, else the pinned one, else today in the project's zone."""
        if isinstance(as_of, str):
            return dt.date.fromisoformat(as_of)
        if as_of is not None:
            return as_of
        return self.definitions.settings.as_of or _clock().astimezone(self.definitions.zone).date()

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Open the project's store for the length of a ``with`` block."""
        with open_store(self.root, self.definitions) as store:
            yield store

    @contextlib.contextmanager
    def context(self, *, as_of: Day = None, dry_run: bool = False, reporter: Reporter | None = None) -> Iterator[RunContext]:
        """Freeze the inputs of a run: clock, as-of day, definitions, trees and an open store."""
        with self.store() as store:
            yield RunContext(
                root=self.root,
                definitions=self.definitions,
                trees=self.trees,
                store=store,
                holidays=HolidayCalendar.from_plain(self.definitions.holidays),
                as_of=self.day(as_of),
                now=_clock(),
                out=self.var / ("dry-run" if dry_run else "digests"),
                dry_run=dry_run,
                reporter=reporter or Reporter(),
            )

    def run(
        self,
        pipeline: str = "daily",
        *,
        as_of: Day = None,
        dry_run: bool = False,
        wait_seconds: float = 0.0,
        reporter: Reporter | None = None,
    ) -> RunReport:
        """Run a pipeline as of a day and return what it did.

        Raises
        ------
        LeaseHeldError
            If another run of this project is under way (after waiting ``wait_seconds``); it names the holder.
        AsOfError
            If the day lies before one that the store has already decided, and this is no dry run.
        """
        definition = self.pipeline(pipeline)
        with self.context(as_of=as_of, dry_run=dry_run, reporter=reporter) as ctx:
            if dry_run:
                return run_pipeline(ctx, definition)
            seconds = self.definitions.settings.lease_seconds
            with ctx.store.lease("run", holder=_holder(pipeline), seconds=seconds, wait_seconds=wait_seconds):
                return run_pipeline(ctx, definition)

    def pipeline(self, name: str) -> PipelineDefinition:
        """Return a pipeline by name; ProjectError names those there are."""
        if name not in self.definitions.pipelines:
            raise ProjectError(f'no pipeline "{name}"', hint=f"pipelines here: {', '.join(self.definitions.pipelines)}")
        return self.definitions.pipelines[name]

    def model(self, name: str) -> ModelDefinition:
        """Return a model by name; ProjectError names those in force."""
        if name not in self.definitions.models:
            raise ProjectError(
                f'no model "{name}" in profile {self.definitions.settings.profile}',
                hint=f"models in force: {', '.join(self.definitions.models)}",
            )
        return self.definitions.models[name]

    def records(
        self,
        stream: str,
        *,
        where: Mapping[str, Sequence[str]] | None = None,
        as_of: Day = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the records of a stream as they were known on a day (default: the project's day)."""
        with self.store() as store:
            return store.read_records(stream, columns=columns, as_of=self.day(as_of), where=where)

    def panel(self, model: str, *, as_of: Day = None) -> Panel:
        """Return the panel that a model watches, as it was known on a day."""
        with self.context(as_of=as_of) as ctx:
            return model_panel(ctx, self.model(model)).panel

    def signals(self, model: str | None = None, *, as_of: Day = None) -> pd.DataFrame:
        """Return the judgements of one model, or all, as of a day: one row per series and judged period."""
        with self.context(as_of=as_of) as ctx:
            return detect(ctx, [self.model(model).name] if model else ()).signals

    def warnings(self, *, as_of: Day = None, open_only: bool = True) -> pd.DataFrame:
        """Return the early warnings as they stood at the end of a day (default: the newest), most urgent first."""
        day = None if as_of is None else self.day(as_of)
        with self.store() as store:
            rows = [warning.summary() for warning in store.read_warnings(as_of=day, open_only=open_only)]
        return pd.DataFrame(rows)


def _clock() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def _holder(pipeline: str) -> str:
    return f"{pipeline} on {socket.gethostname()} (process {os.getpid()})"
