"""What is wrong with an installation, and how to mend it: definitions, database, disk, font, sources, runs, clock, mail, environment."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import shutil
import smtplib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from riskwatch.definitions import Definitions
from riskwatch.definitions.secrets import is_reference, resolve
from riskwatch.definitions.types import HttpReader, SqlReader
from riskwatch.dimensions import Tree
from riskwatch.errors import DefinitionError, RiskwatchError
from riskwatch.runner.context import open_store
from riskwatch.runner.freshness import ABSENT, freshness_by_source
from riskwatch.runner.quality import source_state
from riskwatch.store import Store
from riskwatch.store.figures import run_states
from riskwatch.store.migrate import head_version, schema_version
from riskwatch.store.occurrences import moment

__all__ = ["Finding", "broken_definitions", "examine"]

_LEAST_FREE = 1_000_000_000  # bytes
_MAIL_SECONDS = 5.0
# Clocks of two machines that share a database may differ by so much without harm.
_CLOCK_SLACK = dt.timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``mark`` is ok, note or wrong."""

    mark: str
    what: str
    found: str
    remedy: str = ""


def examine(definitions: Definitions, trees: Mapping[str, Tree], *, today: dt.date, now: dt.datetime | None = None) -> list[Finding]:
    """Look at everything that a run needs; nothing is changed but that an absent database is made, and an older one brought up to date.

    Parameters
    ----------
    definitions : Definitions
    trees : mapping of str to Tree
    today : date
        The project's day.
    now : datetime, optional
        The clock's reading, with a zone; default: the system's.
    """
    now = now or dt.datetime.now(dt.UTC)
    findings = [
        Finding("ok", "definitions", f"{len(definitions.models)} models, {len(definitions.sources)} sources, profile {definitions.profile}")
    ]
    findings += [Finding("ok", f"{name} tree", f"{len(tree)} codes") for name, tree in sorted(trees.items())]
    findings.append(_disk(definitions.var))
    findings.append(_font())
    findings += list(_environment(definitions))
    findings += list(_mail(definitions.catalogue("delivery")))
    try:
        with open_store(definitions) as store:
            findings.append(Finding("ok", "database", f"{store.describe()}{_size(store)}"))
            findings.append(_schema(store))
            findings += list(_clock(definitions, store, today, now))
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


def _size(store: Store) -> str:
    path = store.database.path
    return "" if path is None or not path.is_file() else f", {path.stat().st_size / 1e6:,.0f} MB"


def _schema(store: Store) -> Finding:
    found, head = schema_version(store.database), head_version()
    if found == head:
        return Finding("ok", "migrations", f"schema {found}, the newest")
    remedy = "install one riskwatch everywhere that uses this database"
    return Finding("wrong", "migrations", f"schema {found}, this riskwatch writes {head}", remedy)


def _clock(definitions: Definitions, store: Store, today: dt.date, now: dt.datetime) -> Iterator[Finding]:
    """Hold the clock against what the store has seen of time: one that was set back makes new records older than old ones."""
    zone = definitions.settings.timezone
    local = now.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    behind = "set the clock (timedatectl set-ntp true); until then nothing new is known to be newer than what is stored"
    seen = [run["started_at"] for name in definitions.pipelines for run in run_states(store.database, name)]
    seen += [store.source_status(name).last_pull_at for name in definitions.sources]
    newest = max((moment(text) for text in seen if text is not None), default=None)
    if newest is not None and newest > now + _CLOCK_SLACK:
        yield Finding("wrong", "clock", f"{local} lies before {newest.isoformat(timespec='seconds')}, which the store has seen", behind)
    else:
        pinned = f"; the day is pinned to {today}" if definitions.settings.as_of is not None else ""
        yield Finding("ok", "clock", f"{local} in {zone}{pinned}")
    for name in definitions.pipelines:
        decided = store.newest_run_day(name)
        if decided is not None and decided > today:
            found = f"{decided} is decided already, and today is {today}: no run can be made before then"
            yield Finding("wrong", f"pipeline {name}", found, "set the clock; or restore a backup from before the run of that day")


def _mail(delivery: Mapping[Any, Any]) -> Iterator[Finding]:
    """Greet each mail server that ``config/delivery.yaml`` names; no mail is sent and no password used."""
    for channel in delivery.get("channels") or ():
        if channel.get("kind") != "smtp":
            continue
        name, host, port = f"mail {channel.get('name')}", str(channel.get("host")), int(channel.get("port") or 0)
        kind = smtplib.SMTP_SSL if channel.get("security") == "tls" else smtplib.SMTP
        try:
            with kind(host, port, timeout=_MAIL_SECONDS) as server:
                code, _ = server.ehlo()
        except (OSError, smtplib.SMTPException) as error:
            yield Finding(
                "wrong",
                name,
                f"{host}:{port} does not answer: {error}",
                "check host, port and security in config/delivery.yaml",
            )
        else:
            yield Finding("ok", name, f"{host}:{port} answers ({code})")


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
