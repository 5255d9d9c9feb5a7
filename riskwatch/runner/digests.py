"""Digests of a run: one per centre, built from what the run decided, kept in the store, rendered to files in both languages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskwatch.assessment import Action, Assessment
from riskwatch.casework.view import Handling
from riskwatch.definitions.types import Centre
from riskwatch.digest import (
    Digest,
    Labels,
    QualityReport,
    Trees,
    build_digest,
    labels_from_rules,
    render_html,
    render_json,
    render_markdown,
    summarise_recent,
)
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.runner.clusters import alarmed_clusters, county_outlines
from riskwatch.runner.context import RunContext
from riskwatch.runner.coverage import centre_summaries
from riskwatch.runner.detect import SERIES, Detection
from riskwatch.runner.dossier_rules import dossier_rules
from riskwatch.runner.dossiers import dossier_frames
from riskwatch.runner.indicators import indicator_inputs

__all__ = ["DIGEST_LANGUAGE", "DigestInputs", "build_digests", "render_all", "render_files", "render_forms", "render_stored", "write_files"]

DIGEST_LANGUAGE = "zh+en"  # a stored digest holds both languages


@dataclass(frozen=True)
class DigestInputs:
    """What all digests of a run share."""

    assessments: Sequence[Assessment]
    warnings: Sequence[EarlyWarning]
    events: Sequence[WarningEvent]
    detection: Detection
    signals: pd.DataFrame
    quality: QualityReport
    open_actions: Mapping[str, Sequence[Action]]
    handled: Mapping[str, Handling] | None = None


def _labels(ctx: RunContext) -> Labels:
    return labels_from_rules(
        levels={str(name): level for name, level in ctx.grading.levels.items()},
        hazards=ctx.hazards.classes,
        starts=ctx.actions.starts,
        models={name: model.label for name, model in ctx.definitions.models.items()},
        reviewers={str(name): count for name, count in ctx.grading.review.reviewers.items()},
        domains={
            domain: {str(name): level for name, level in ctx.grading.for_domain(domain, ctx.as_of).levels.items()}
            for domain in ctx.grading.domains
        },
    )


def _histories(detection: Detection) -> dict[tuple[str, str, str, str, str], pd.DataFrame]:
    found = {}
    for run in detection.runs:
        for key, rows in run.history.items():
            product, industry, region, stratum = key.split("|", len(SERIES) - 1)
            frame = pd.DataFrame(rows)
            frame["period_start"] = pd.to_datetime(frame["period_start"])
            found[(run.model, product, industry, region, stratum)] = frame
    return found


def build_digests(ctx: RunContext, inputs: DigestInputs) -> list[Digest]:
    """Build the digest of every centre in force, in the order of their definitions."""
    labels = _labels(ctx)
    trees = Trees(product=ctx.trees.get("product"), industry=ctx.trees.get("industry"), region=ctx.trees.get("region"))
    histories = _histories(inputs.detection)
    span = dossier_rules(ctx.definitions).look_back
    recent = ctx.as_of - dt.timedelta(days=span.recent_days)
    records = {
        "spot_check": ctx.store.read_records(
            "spot_check", as_of=ctx.as_of, since=ctx.as_of - dt.timedelta(days=span.firm_days), until=ctx.as_of
        ),
        "injury": ctx.store.read_records("injury", as_of=ctx.as_of, since=recent, until=ctx.as_of),
        "external_notice": ctx.store.read_records("external_notice", as_of=ctx.as_of, since=recent, until=ctx.as_of),
    }
    known = [source.newest_known for source in inputs.quality.sources if source.newest_known is not None]
    indicators = indicator_inputs(ctx)
    catalogue = centre_summaries(ctx)
    dossiers = dossier_frames(ctx)
    clusters = alarmed_clusters(ctx, inputs.signals)
    digests = []
    with ctx.reporter.task("digest", total=len(ctx.definitions.centres)) as task:
        for centre in ctx.definitions.centres.values():
            digests.append(
                build_digest(
                    centre=centre,
                    as_of=ctx.as_of,
                    issue_no=ctx.store.issue_number(centre.name, ctx.as_of),
                    assessments=inputs.assessments,
                    warnings=inputs.warnings,
                    events=inputs.events,
                    signals=inputs.signals,
                    series_history=histories,
                    quality=inputs.quality,
                    recent=summarise_recent(
                        records,
                        as_of=ctx.as_of,
                        region=centre.region,
                        trees=trees,
                        window_days=span.recent_days,
                        firm_days=span.firm_days,
                    ),
                    labels=labels,
                    trees=trees,
                    data_cutoff=min(max(known), ctx.as_of) if known else ctx.as_of,
                    open_actions=inputs.open_actions,
                    fdr=ctx.grading.confidence.q_weak,
                    catalogue=catalogue.get(centre.name),
                    simulated=ctx.definitions.settings.simulated,
                    indicators=indicators,
                    dossiers=dossiers,
                    clusters=clusters,
                    handled=inputs.handled,
                )
            )
            task.advance()
    return digests


def render_forms(digest: Digest, centre: Centre, outlines: Sequence[Mapping[str, object]] = ()) -> dict[str, str]:
    """Return the digest's forms by ending: ``zh.html``, ``zh.md``, ``en.html``, ``en.md`` and ``json``."""
    forms = {}
    for language in centre.languages:
        forms[f"{language}.html"] = render_html(digest, language, outlines=outlines)
        forms[f"{language}.md"] = render_markdown(digest, language)
    forms["json"] = render_json(digest)
    return forms


def render_all(ctx: RunContext, digests: Sequence[Digest]) -> dict[str, dict[str, str]]:
    """Return all forms of all digests, by centre."""
    outlines = _outlines(ctx, digests)
    rendered = {}
    with ctx.reporter.task("render", total=len(digests)) as task:
        for digest in digests:
            rendered[digest.header.centre] = render_forms(digest, ctx.definitions.centres[digest.header.centre], outlines)
            task.advance()
    return rendered


def write_files(ctx: RunContext, forms: Mapping[str, Mapping[str, str]]) -> list[Path]:
    """Write rendered digests under ``out/<day>/``; each file appears whole or not at all.

    The JSON of a centre comes last, so that one that equals the digest vouches for the others.
    """
    folder = ctx.out / ctx.as_of.isoformat()
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for centre, texts in forms.items():
            for form, text in texts.items():
                path = folder / f"{centre}.{form}"
                temporary = path.with_name(path.name + ".part")
                temporary.write_text(text, encoding="utf-8", newline="")
                paths.append(temporary.replace(path))
    except OSError as error:
        raise RiskwatchError(
            f"Cannot write the digests of {ctx.as_of} under {folder}: {error.strerror or error}.",
            hint="free space or mend the folder's rights, then run again: what was decided is stored, only the files are written then",
        ) from error
    return paths


def render_files(ctx: RunContext, digests: Sequence[Digest]) -> list[Path]:
    """Write all forms of all digests under ``out/<day>/``, and leave those of digests whose files are there as they are."""
    centres = ctx.definitions.centres
    paths = {digest.header.centre: _paths(ctx, centres[digest.header.centre]) for digest in digests}
    write_files(ctx, render_all(ctx, [digest for digest in digests if not _written(paths[digest.header.centre], digest)]))
    return [path for listed in paths.values() for path in listed]


def _paths(ctx: RunContext, centre: Centre) -> list[Path]:
    forms = [f"{language}.{kind}" for language in centre.languages for kind in ("html", "md")]
    return [ctx.out / ctx.as_of.isoformat() / f"{centre.name}.{form}" for form in (*forms, "json")]


def _written(paths: Sequence[Path], digest: Digest) -> bool:
    return all(path.exists() for path in paths) and paths[-1].read_text(encoding="utf-8") == render_json(digest)


def _outlines(ctx: RunContext, digests: Sequence[Digest]) -> tuple[Mapping[str, object], ...]:
    """Return the outlines of counties; none where no card has a map."""
    drawn = any(card.cluster is not None for digest in digests for card in digest.warnings)
    return county_outlines(ctx) if drawn else ()


def render_stored(ctx: RunContext, centres: Sequence[str]) -> dict[str, dict[str, str]]:
    """Render again the digests that the store holds for a day.

    Raises
    ------
    ProjectError
        If no run has made a digest for that centre and day.
    """
    rendered = {}
    for name in centres:
        row = ctx.store.read_digest(name, ctx.as_of, language=DIGEST_LANGUAGE)
        if row is None:
            raise ProjectError(f"no digest of centre {name} for {ctx.as_of}", hint=f"riskwatch run daily --as-of {ctx.as_of}")
        digest = Digest.model_validate(row.payload)
        rendered[name] = render_forms(digest, ctx.definitions.centres[name], _outlines(ctx, [digest]))
    return rendered
