"""What is wrong with an installation, and how to mend it: definitions, database, disk, font, sources, runs, environment."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from riskwatch.definitions import Definitions
from riskwatch.definitions.secrets import is_reference, resolve
from riskwatch.definitions.types import HttpReader, SqlReader
from riskwatch.dimensions import Tree
from riskwatch.errors import DefinitionError, RiskwatchError
from riskwatch.runner.context import open_store
from riskwatch.runner.freshness import ABSENT, freshness_by_source
from riskwatch.runner.quality import source_state
from riskwatch.store import Store

__all__ = ["Finding", "broken_definitions", "examine"]

_LEAST_FREE = 1_000_000_000  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``mark`` is ok, note or wrong."""

    mark: str
    what: str
    found: str
    remedy: str = ""


def examine(definitions: Definitions, trees: Mapping[str, Tree], *, today: dt.date) -> list[Finding]:
    """Look at everything that a run needs; nothing is changed but that an absent database is made."""
    findings = [
        Finding("ok", "definitions", f"{len(definitions.models)} models, {len(definitions.sources)} sources, profile {definitions.profile}")
    ]
    findings += [Finding("ok", f"{name} tree", f"{len(tree)} codes") for name, tree in sorted(trees.items())]
    findings.append(_disk(definitions.var))
    findings.append(_font())
    findings += list(_environment(definitions))
    try:
        with open_store(definitions) as store:
            findings.append(Finding("ok", "database", store.describe()))
            findings += list(_store(definitions, store, today))
    except RiskwatchError as error:
        findings.append(Finding("wrong", "database", error.message, error.hint))
    return findings


def broken_definitions(error: DefinitionError) -> list[Finding]:
    """Return the findings for a project whose definitions cannot be loaded: nothing else can be looked at before they are mended."""
    return [Finding("wrong", "definitions", str(problem), "riskwatch check") for problem in error.problems]


def _disk(folder: Path) -> Finding:
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < _LEAST_FREE:
        return Finding("wrong", "disk", text, "free some space or move settings.var")
    return Finding("ok", "disk", text)


def _font() -> Finding:
    if importlib.util.find_spec("pylopdf_fonts_zh_cn") is None:
        return Finding(
            "wrong",
            "font",
            "package pylopdf-fonts-zh-cn is absent: Chinese labels in charts would be boxes",
            "pip install pylopdf-fonts-zh-cn",
        )
    return Finding("ok", "font", "Noto Sans SC")


def _environment(definitions: Definitions) -> Iterator[Finding]:
    for name, source in definitions.sources.items():
        for where, reference in _references(source.reader):
            try:
                resolve(reference, root=definitions.root, environ=os.environ, what=where)
            except RiskwatchError as error:
                yield Finding("wrong", f"source {name}", error.message, error.hint)


def _references(reader: object) -> Iterator[tuple[str, str]]:
    """Yield every secret that a reader names, with where it is named."""
    if isinstance(reader, SqlReader):
        yield "reader.url", reader.url or f"env:{reader.url_env}"
    elif isinstance(reader, HttpReader):
        if reader.token or reader.token_env:
            yield "reader.token", reader.token or f"env:{reader.token_env}"
        for key in ("headers", "parameters"):
            yield from ((f"reader.{key}.{name}", value) for name, value in getattr(reader, key).items() if is_reference(value))


def _store(definitions: Definitions, store: Store, today: dt.date) -> Iterator[Finding]:
    fresh = freshness_by_source(store, today)
    for name, source in definitions.sources.items():
        row = fresh.get(name, ABSENT)
        state = source_state(source, row.newest_event, today)
        found = f"{state}; newest event {row.newest_event or 'none'}"
        remedy = {"silent": f"riskwatch pull {name}; ask the sender", "late": "ask the sender"}.get(state, "")
        yield Finding("ok" if state in {"on-time", "closed"} else "wrong" if state == "silent" else "note", f"source {name}", found, remedy)
        if row.open_quarantine:
            found = f"{row.open_quarantine} findings wait"
            yield Finding("note", f"quarantine {name}", found, f"riskwatch quarantine list --source {name}")
    for pipeline in definitions.pipelines:
        last = store.newest_run_day(pipeline)
        if last is None:
            yield Finding("note", f"pipeline {pipeline}", "never ran", f"riskwatch run {pipeline}")
        else:
            behind = (today - last).days
            yield Finding(
                "ok" if behind <= 1 else "note",
                f"pipeline {pipeline}",
                f"last decided day {last}",
                f"riskwatch run {pipeline}" if behind > 1 else "",
            )
