"""Make the digests of a past run again, from what the store held when it ran, and say what differs if they do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from riskwatch.backtest.view import WRITES, refuse
from riskwatch.definitions import Definitions
from riskwatch.digest import Digest, render_json
from riskwatch.errors import ProjectError
from riskwatch.runner.code import code_hash
from riskwatch.runner.context import RunContext
from riskwatch.runner.digests import DIGEST_LANGUAGE, build_digests
from riskwatch.runner.pull import PullReport
from riskwatch.runner.run import RunReport, decide, digest_inputs
from riskwatch.store import AssessmentRow, CaseRow, EventRow, Store, WarningRow
from riskwatch.store.database import Database
from riskwatch.store.tables import batch, quarantine

__all__ = ["Reproduction", "reproduce"]

SHOWN = 5  # places in a digest that are named where it differs


@dataclass(frozen=True)
class Reproduction:
    """The digests of a day, made again.

    Attributes
    ----------
    run_id : str
        The run that made the stored ones.
    identical : mapping of str to bool
        Centre -> whether the bytes of the canonical JSON are the same.
    definitions : tuple of str
        ``name (file)`` of definitions that have changed since, come or gone.
    code : str
        What of the code is another; "" where it is the same.
    records : tuple of str
        Records that came later and count as known on that day, by source.
    differences : mapping of str to tuple of str
        Centre -> the first places that differ.
    digests : mapping of str to Digest
        As made again.
    """

    run_id: str
    identical: Mapping[str, bool]
    definitions: tuple[str, ...]
    code: str
    records: tuple[str, ...]
    differences: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, Digest]

    @property
    def same(self) -> bool:
        """Whether every digest came out the same."""
        return all(self.identical.values())


class MorningStore(Store):
    """The store as a run found it: nothing that landed after its clock was read, nothing that was decided on its day or later."""

    def __init__(self, database: Database, *, zone: str, day: dt.date, now: str, late: Iterable[int]) -> None:
        super().__init__(database, zone=zone)
        self._before, self._now = day - dt.timedelta(days=1), now
        self.without = frozenset(late)
        for name in WRITES:
            setattr(self, name, refuse)

    def has_detection(self, detection_id: str) -> bool:  # noqa: ARG002 - part of the interface
        """Say no: what is to be made again is not read back."""
        return False

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        """Say how fresh each source was, with what waited in quarantine then."""
        frame = super().freshness(as_of)
        waits = sa.select(quarantine.c.source, sa.func.count().label("n")).where(
            quarantine.c.created_at <= self._now, sa.or_(quarantine.c.resolved_at.is_(None), quarantine.c.resolved_at > self._now)
        )
        heard = sa.select(batch.c.source).where(batch.c.landed_at <= self._now).distinct()
        with self.database.session("see what waited in quarantine") as session:
            counts = {row["source"]: row["n"] for row in session.rows(waits.group_by(quarantine.c.source))}
            known = {row["source"] for row in session.rows(heard)}
        frame = frame[frame["source"].isin(known)].reset_index(drop=True)
        return frame.assign(open_quarantine=frame["source"].map(counts).fillna(0).astype("int64"))

    def repeated_rows(self) -> int:
        """Return how many rows had only repeated what was known."""
        query = sa.select(sa.func.coalesce(sa.func.sum(batch.c.n_same), 0)).where(batch.c.landed_at <= self._now)
        with self.database.session("count repeated rows") as session:
            return int(session.scalar(query))

    def read_warnings(self, as_of: dt.date | None = None, states: Iterable[str] | None = None) -> list[WarningRow]:
        """Return the warnings as the days before left them."""
        return super().read_warnings(self._capped(as_of), states)

    def read_events(self, since: dt.date | None = None, until: dt.date | None = None, warning_id: str | None = None) -> list[EventRow]:
        """Return the events of the days before."""
        return super().read_events(since, self._capped(until), warning_id)

    def read_assessments(self, run_id: str | None = None, as_of: dt.date | None = None) -> list[AssessmentRow]:
        """Return assessments of the days before."""
        return [] if as_of is None or as_of > self._before else super().read_assessments(run_id, as_of)

    def read_case_events(self, until: dt.date | None = None, case_id: str | None = None) -> list[CaseRow]:
        """Return what people had done when the run began, and what had followed by itself on the days before."""
        rows = super().read_case_events(until, case_id)
        return [row for row in rows if (row.happened_at <= self._now if row.happened_at else row.as_of <= self._before)]

    def _capped(self, day: dt.date | None) -> dt.date:
        return self._before if day is None else min(day, self._before)


def reproduce(ctx: RunContext, pipeline: str, centres: Sequence[str]) -> Reproduction:
    """Make the digests of ``ctx.as_of`` again and compare them with those that are stored.

    Parameters
    ----------
    ctx : RunContext
        Its definitions are those in force; its store is only read.
    pipeline : str
    centres : sequence of str

    Raises
    ------
    ProjectError
        If no run of the pipeline has made a digest of that day, or the pipeline is no longer there.
    """
    run = _run_of(ctx, pipeline)
    stored = {name: ctx.store.read_digest(name, ctx.as_of, language=DIGEST_LANGUAGE) for name in centres}
    missing = [name for name, row in stored.items() if row is None]
    if missing:
        raise ProjectError(f"no digest of centre {missing[0]} for {ctx.as_of}", hint=f"riskwatch run {pipeline} --as-of {ctx.as_of}")
    late, told = _late(ctx, run["started_at"])
    made = {digest.header.centre: digest for digest in _made(ctx, pipeline, run, late)}
    identical, differing = {}, {}
    for name, row in stored.items():
        before = "" if row is None else render_json(Digest.model_validate(row.payload))
        after = render_json(made[name])
        identical[name] = before == after
        if before != after:
            differing[name] = tuple(_paths(json.loads(before), json.loads(after)))[:SHOWN]
    return Reproduction(
        run_id=str(run["run_id"]),
        identical=identical,
        definitions=_changed(run["definitions"], ctx.definitions),
        code=_code(run["counts"]),
        records=told,
        differences=differing,
        digests={name: made[name] for name in centres},
    )


def _run_of(ctx: RunContext, pipeline: str) -> dict[str, Any]:
    """Return the run whose digests are stored: the last one of that day."""
    if pipeline not in ctx.definitions.pipelines:
        raise ProjectError(
            f'no pipeline "{pipeline}" in force', hint=f"pipelines in force: {', '.join(ctx.definitions.pipelines) or 'none'}"
        )
    runs = [
        one for one in ctx.store.read_runs(limit=100_000) if (one["pipeline"], one["as_of"], one["state"]) == (pipeline, ctx.as_of, "done")
    ]
    if not runs:
        raise ProjectError(f"no run of {pipeline} for {ctx.as_of} is stored", hint=f"riskwatch run {pipeline} --as-of {ctx.as_of}")
    return max(runs, key=lambda one: int(str(one["run_id"]).rpartition("-")[2]))


def _late(ctx: RunContext, now: str) -> tuple[list[int], tuple[str, ...]]:
    """Return the batches that landed after the run and changed what is known as of its day, and what they brought."""
    query = sa.select(batch).where(batch.c.landed_at > now, batch.c.known_from.is_not(None), batch.c.known_from <= ctx.as_of)
    with ctx.store.database.session("see what landed later") as session:
        rows = session.rows(query.order_by(batch.c.batch_id))
    brought: dict[str, int] = {}
    for row in rows:
        brought[row["source"]] = brought.get(row["source"], 0) + int(row["n_new"]) + int(row["n_changed"]) + int(row["n_stale"])
    return [int(row["batch_id"]) for row in rows], tuple(f"{source}: {count}" for source, count in sorted(brought.items()))


def _made(ctx: RunContext, pipeline: str, run: Mapping[str, Any], late: Iterable[int]) -> list[Digest]:
    store = MorningStore(ctx.store.database, zone=str(ctx.store.zone), day=ctx.as_of, now=run["started_at"], late=late)
    then = dataclasses.replace(ctx, store=store, dry_run=True, kept={})
    pulls = [
        PullReport(source, failed=how == "failed", faults=["as the run found it"])
        for source, how in dict(run["counts"].get("pulls", {})).items()
    ]
    report = RunReport("", pipeline, ctx.as_of, dry_run=True, pulls=pulls)
    decided = decide(then, ctx.definitions.pipelines[pipeline], report)
    # The pipeline may have lost its step since.
    return list(decided.digests) or build_digests(then, digest_inputs(then, decided))


def _changed(then: Mapping[str, str], now: Definitions) -> tuple[str, ...]:
    """Return the definitions that are not as the run had them; settings.var and the like name folders and change nothing."""
    found = []
    for name in sorted({*then, *now.hashes}):
        if then.get(name) == now.hashes.get(name) or name == "settings":
            continue
        how = "gone" if name not in now.hashes else "new" if name not in then else "changed"
        found.append(f"{name} ({how}{_file(now, name)})")
    return tuple(found)


def _file(now: Definitions, name: str) -> str:
    if name not in now.hashes:
        return ""
    try:
        return f", {now.where(name).file}"
    except ProjectError:
        return ""


def _code(counts: Mapping[str, Any]) -> str:
    before, now = str(counts.get("code", "")), code_hash(())
    if before == now:
        return ""
    return f"code {before[:12] or 'not recorded'} then, {now[:12]} now"


def _paths(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Yield the places at which two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _paths(before.get(name), after.get(name), f"{at}.{name}" if at else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _paths(*pair, f"{at}[{number}]")
    elif before != after:
        yield at
