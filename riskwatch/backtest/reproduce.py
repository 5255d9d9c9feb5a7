"""Make the digests of a past run again, from what the store held when it ran, and say what differs if they do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from riskwatch.backtest.forms import ComparedForm, compare_forms
from riskwatch.backtest.morning import MorningStore
from riskwatch.definitions import Definitions
from riskwatch.digest import Digest, render_json
from riskwatch.errors import ProjectError
from riskwatch.runner.code import code_hash
from riskwatch.runner.context import RunContext
from riskwatch.runner.digests import DIGEST_LANGUAGE, build_digests, render_all
from riskwatch.runner.pull import PullReport
from riskwatch.runner.recorded import config_files, libraries
from riskwatch.runner.run import RunReport, decide, digest_inputs
from riskwatch.store.tables import batch

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
        Centre -> whether the bytes of every form that the run recorded are the same, and the canonical JSON of what is stored.
    forms : mapping of str to mapping of str to ComparedForm
        Centre -> form -> how it compares; empty for a run that recorded none: then JSON alone is compared.
    definitions : tuple of str
        ``name (file)`` of definitions, and of tables and maps below ``config/``, that have changed since, come or gone.
    code : str
        What of the code and of the libraries is another; "" where all is the same.
    records : tuple of str
        Records that came later and count as known on that day, by source.
    differences : mapping of str to tuple of str
        Centre -> the first places in the JSON that differ.
    digests : mapping of str to Digest
        As made again.
    """

    run_id: str
    identical: Mapping[str, bool]
    forms: Mapping[str, Mapping[str, ComparedForm]]
    definitions: tuple[str, ...]
    code: str
    records: tuple[str, ...]
    differences: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, Digest]

    @property
    def same(self) -> bool:
        """Whether every digest came out the same."""
        return all(self.identical.values())


def reproduce(ctx: RunContext, pipeline: str, centres: Sequence[str] = ()) -> Reproduction:
    """Make the digests of ``ctx.as_of`` again and compare them with those that the run published.

    Parameters
    ----------
    ctx : RunContext
        Its definitions are those in force; its store is only read.
    pipeline : str
    centres : sequence of str
        Default: all for which the run made a digest.

    Raises
    ------
    ProjectError
        If no run of the pipeline has made a digest of that day, or the pipeline is no longer there.
    """
    run = _run_of(ctx, pipeline)
    recorded: Mapping[str, Mapping[str, str]] = run["counts"].get("forms", {})
    names = list(centres or recorded or ctx.definitions.centres)
    stored = {name: ctx.store.read_digest(name, ctx.as_of, language=DIGEST_LANGUAGE) for name in names}
    missing = [name for name, row in stored.items() if row is None and name not in recorded]
    if missing:
        raise ProjectError(f"no digest of centre {missing[0]} for {ctx.as_of}", hint=f"riskwatch run {pipeline} --as-of {ctx.as_of}")
    late, told = _late(ctx, run["started_at"])
    then, digests = _made(ctx, pipeline, run, late)
    made = {digest.header.centre: digest for digest in digests}
    rendered = render_all(then, digests)
    folder = ctx.definitions.var / "digests" / ctx.as_of.isoformat()
    forms = {name: compare_forms(recorded[name], rendered.get(name, {}), folder / name) for name in names if name in recorded}
    differing = {}
    for name, row in stored.items():
        # A centre that is gone has no digest; one that is no longer stored is known by what the run recorded.
        if name in made and row is not None:
            before, after = render_json(Digest.model_validate(row.payload)), render_json(made[name])
            if before != after:
                differing[name] = tuple(_paths(json.loads(before), json.loads(after)))[:SHOWN]
    return Reproduction(
        run_id=str(run["run_id"]),
        identical={
            name: name in made and name not in differing and all(form.identical for form in forms.get(name, {}).values()) for name in names
        },
        forms=forms,
        definitions=_changed(run, ctx.definitions),
        code=_code(run["counts"]),
        records=told,
        differences=differing,
        digests={name: made[name] for name in names if name in made},
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


def _made(ctx: RunContext, pipeline: str, run: Mapping[str, Any], late: Iterable[int]) -> tuple[RunContext, list[Digest]]:
    store = MorningStore(ctx.store.database, zone=str(ctx.store.zone), day=ctx.as_of, now=run["started_at"], late=late)
    then = dataclasses.replace(ctx, store=store, dry_run=True, kept={})
    pulls = [
        PullReport(source, failed=how == "failed", faults=["as the run found it"])
        for source, how in dict(run["counts"].get("pulls", {})).items()
    ]
    report = RunReport("", pipeline, ctx.as_of, dry_run=True, pulls=pulls)
    decided = decide(then, ctx.definitions.pipelines[pipeline], report)
    # The pipeline may have lost its step since.
    return then, list(decided.digests) or build_digests(then, digest_inputs(then, decided))


def _changed(run: Mapping[str, Any], now: Definitions) -> tuple[str, ...]:
    """Return the definitions that are not as the run had them; settings.var and the like name folders and change nothing."""
    then = run["definitions"]
    found = [f"{name} ({how}{_file(now, name)})" for name, how in _moved(then, now.hashes) if name != "settings"]
    if (files := run["counts"].get("files")) is not None:
        found += [f"{name} ({how})" for name, how in _moved(files, config_files(now.root))]
    return tuple(found)


def _moved(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what has another hash now, and how that came."""
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield name, "gone" if name not in now else "new" if name not in then else "changed"


def _file(now: Definitions, name: str) -> str:
    if name not in now.hashes:
        return ""
    try:
        return f", {now.where(name).file}"
    except ProjectError:
        return ""


def _code(counts: Mapping[str, Any]) -> str:
    before, now = str(counts.get("code", "")), code_hash(())
    found = [] if before == now else [f"code {before[:12] or 'not recorded'} then, {now[:12]} now"]
    here = libraries()
    found += [
        f"{name} {version} then, {here.get(name, 'none')} now"
        for name, version in counts.get("libraries", {}).items()
        if here.get(name) != version
    ]
    return "; ".join(found)


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
