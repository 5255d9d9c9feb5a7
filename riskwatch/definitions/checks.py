"""Checks of models, pipelines, centres and settings against streams, trees, sources and detectors."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from riskwatch.definitions.cron import cron_complaints
from riskwatch.definitions.entries import Collector, Draft, Entry
from riskwatch.definitions.override_checks import check_overrides
from riskwatch.definitions.parameter_checks import check_parameters
from riskwatch.definitions.rooms import Detectors, TreeFacts
from riskwatch.definitions.secrets import form_complaint, is_reference
from riskwatch.definitions.strict_yaml import YamlPath
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import Centre, ModelDefinition, PipelineDefinition, ProjectSettings, SourceDefinition
from riskwatch.definitions.validation import dotted
from riskwatch.errors import DetectorError
from riskwatch.records.streams import STREAMS, Field, Stream

__all__ = ["World", "check_centre", "check_delivery", "check_model", "check_pipeline", "check_settings", "check_standards"]

STEPS = ("pull", "detect", "assess", "profile", "warn", "digest", "report", "deliver", "retain")
_NEEDS = {"assess": "detect", "profile": "assess", "warn": "assess"}
DIMENSIONS = ("product", "industry", "region")
NUMBERS = ("int", "float")
# Free texts may hold personal data; their scrubbed terms do not, and are the only thing that is made of them.
FREE_TEXTS = ("narrative",)
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/@:]*:[^@/]+@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class World:
    """What is in force in one profile, for definitions to be checked against."""

    profile: str
    sources: Mapping[str, Entry[SourceDefinition]]
    trees: Mapping[str, TreeFacts]
    # Names of sources that are wrong in themselves: nobody is told twice that they cannot be used.
    broken_sources: Collection[str] = ()
    # False where a dimension file is wrong in itself: a missing tree is then no news.
    trees_sound: bool = True


def check_settings(draft: Draft, settings: ProjectSettings, collector: Collector) -> None:
    """Check the database URL, the time zone and the placeholders."""
    if is_reference(settings.database):
        complaint = form_complaint(settings.database)
        if complaint:
            collector.add(draft, ("database",), f'database: {complaint}, got "{settings.database}"')
    elif _URL_PASSWORD.match(settings.database):
        collector.add(draft, ("database",), "database must not hold a password: write env:NAME and set that variable to the URL")
    elif "://" not in settings.database:
        collector.add(draft, ("database",), f'database must be a URL such as sqlite:///{{var}}/riskwatch.db, got "{settings.database}"')
    for name in re.findall(r"{(\w*)}", settings.database):
        if name not in {"var", "data"}:
            collector.add(draft, ("database",), f"database has the unknown placeholder {{{name}}}; known: {{var}}")
    try:
        zoneinfo.ZoneInfo(settings.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = unknown("time zone", settings.timezone, zoneinfo.available_timezones())
        collector.add(draft, ("timezone",), near)
    if not settings.languages:
        collector.add(draft, ("languages",), "languages must name at least one of zh, en")


def check_model(entry: Entry[ModelDefinition], world: World, registry: Detectors | None, collector: Collector) -> None:
    """Check one model against its stream, sources, trees and detector."""
    draft, model = entry.draft, entry.value
    if registry is not None:
        _check_detector(draft, model, registry, collector)
        _check_fit(draft, model, registry, collector)
    _check_level_shifts(draft, model, world, collector)
    if world.trees_sound:
        check_overrides(entry, world.trees, world.profile, registry, collector)
    for number, level in enumerate(model.levels):
        for dimension in DIMENSIONS:
            name = getattr(level, dimension)
            facts = world.trees.get(dimension)
            if name is None or (facts and (name in facts.levels or not facts.complete)):
                continue
            path = ("levels", number, dimension)
            if facts is None and world.trees_sound:
                collector.add(draft, path, f"levels[{number}].{dimension}: there is no {dimension} tree in profile {world.profile}")
            elif facts is not None:
                collector.add(draft, path, f"levels[{number}].{dimension}: {unknown('level', name, facts.levels)}")
    doubles = [number for number, level in enumerate(model.levels) if level in model.levels[:number]]
    for number in doubles:
        collector.add(draft, ("levels", number), f"levels[{number}] repeats levels[{model.levels.index(model.levels[number])}]")
    stream = STREAMS.get(model.stream)
    if stream is None:
        collector.add(draft, ("stream",), unknown("stream", model.stream, STREAMS))
        return
    for number, name in enumerate(model.sources):
        source = world.sources.get(name)
        if source is None and name in world.broken_sources:
            continue
        if source is None:
            where = unknown("source", name, world.sources, within=f"profile {world.profile}")
            collector.add(draft, ("sources", number), f"sources[{number}]: {where}")
        elif source.value.stream != model.stream:
            message = f'sources[{number}]: source "{name}" feeds stream {source.value.stream}, not {model.stream}'
            collector.add(draft, ("sources", number), message)
    if model.standard_changes and model.stream != "spot_check":
        collector.add(
            draft, ("standard_changes",), f"standard_changes: only for models of stream spot_check, not {model.stream}", of_key=True
        )
    _check_measures(draft, model, stream, collector)
    _check_slices(draft, model, stream, collector)


def _check_measures(draft: Draft, model: ModelDefinition, stream: Stream, collector: Collector) -> None:
    for key, name in (("numerator", model.numerator), ("denominator", model.denominator)):
        found = _field(draft, (key,), name, stream, collector) if name is not None else None
        if found and found.kind not in NUMBERS:
            collector.add(draft, (key,), f"{key} must be a number field of stream {stream.name}, {found.name} is {found.kind}")
    if model.denominator == model.numerator:
        collector.add(draft, ("denominator",), f"denominator must differ from numerator, both are {model.numerator}")
    if model.distinct is not None:
        found = _field(draft, ("distinct", "field"), model.distinct.field, stream, collector)
        if found and found.kind not in {"text", "code"}:
            message = f"distinct.field: {found.name} of stream {stream.name} names nobody, it is {found.kind}"
            collector.add(draft, ("distinct", "field"), message)
        for key in ("denominator", "breakdown", "delay"):
            if getattr(model, key) is not None:
                collector.add(draft, ("distinct",), f"distinct: cannot stand beside {key}, distinct counts do not add up", of_key=True)
    for number, name in enumerate(model.product_fields):
        found = _field(draft, ("product_fields", number), name, stream, collector)
        if found and found.tree != "product":
            message = f"product_fields[{number}]: {found.name} of stream {stream.name} does not hold product codes"
            collector.add(draft, ("product_fields", number), message)


def _check_slices(draft: Draft, model: ModelDefinition, stream: Stream, collector: Collector) -> None:
    for number, name in enumerate(model.stratify):
        found = _field(draft, ("stratify", number), name, stream, collector)
        if found and (found.kind not in {"text", "code", "bool"} or found.personal):
            why = "holds personal data" if found.personal else f"is {found.kind}"
            collector.add(draft, ("stratify", number), f"stratify[{number}]: {found.name} cannot make strata, it {why}")
    if model.breakdown is not None:
        found = _field(draft, ("breakdown",), model.breakdown, stream, collector)
        if found and (found.kind not in {"text", "code"} or found.personal):
            why = "holds personal data" if found.personal else f"is {found.kind}"
            collector.add(draft, ("breakdown",), f"breakdown: {found.name} cannot split the counts, it {why}")
        if model.breakdown in model.stratify:
            message = f"breakdown: {model.breakdown} makes strata already (stratify), each with one value of it"
            collector.add(draft, ("breakdown",), message)
    if model.by_item and (not stream.items or model.denominator is None or "product" not in model.product_fields[:1]):
        message = f"by_item: needs a stream with test items, a denominator and product_fields [product]; stream {stream.name}"
        collector.add(draft, ("by_item",), f"{message}, denominator {model.denominator}, product_fields {list(model.product_fields)}")
    if model.terms is not None:
        _check_terms(draft, model, stream, collector)
    for name, allowed in model.where.items():
        found = _field(draft, ("where", name), name, stream, collector)
        for number, value in enumerate(allowed):
            if found and found.choices and value not in found.choices:
                message = f"where.{name}[{number}]: {unknown('value', value, found.choices)}"
                collector.add(draft, ("where", name, number), message)
    for name, (low, high) in model.between.items():
        found = _field(draft, ("between", name), name, stream, collector)
        if found and found.kind not in NUMBERS:
            collector.add(draft, ("between", name), f"between.{name} must be a number field, it is {found.kind}", of_key=True)
        if low > high:
            collector.add(draft, ("between", name), f"between.{name} must be [low, high], got [{low:g}, {high:g}]")


def _check_terms(draft: Draft, model: ModelDefinition, stream: Stream, collector: Collector) -> None:
    """Check that a model of terms reads a text and asks for nothing that terms do not have."""
    asked = model.terms.field if model.terms is not None else ""
    found = _field(draft, ("terms", "field"), asked, stream, collector)
    if found and found.kind != "text":
        collector.add(draft, ("terms", "field"), f"terms.field: {found.name} of stream {stream.name} is {found.kind}, not text")
    if found and found.personal and found.name not in FREE_TEXTS:
        collector.add(draft, ("terms", "field"), f"terms.field: {found.name} is personal; free texts: {', '.join(FREE_TEXTS)}")
    counted = model.terms.counted if model.terms is not None else ""
    measure = _field(draft, ("terms", "counted"), counted, stream, collector) if counted else None
    if measure and measure.kind not in NUMBERS:
        collector.add(draft, ("terms", "counted"), f"terms.counted must be a number field, {measure.name} is {measure.kind}")
    for key in ("denominator", "by_item", "stratify", "breakdown", "delay", "covariates", "level_shifts", "standard_changes", "overrides"):
        if getattr(model, key):
            collector.add(draft, (key,), f"{key}: terms are counted in records of all records; leave it out", of_key=True)
    if any(level.model_dump(exclude_none=True) for level in model.levels):
        collector.add(draft, ("levels",), "levels: terms are placed by their records; write levels: [{}]", of_key=True)


def _field(draft: Draft, path: YamlPath, name: str, stream: Stream, collector: Collector) -> Field | None:
    """Return the field of the stream, or report that there is none; a path that ends in the name blames the key."""
    for field in stream.all_fields:
        if field.name == name:
            return field
    of_key = path[-1] == name
    known = [field.name for field in stream.all_fields]
    label = dotted(path[:-1] if of_key else path)
    collector.add(draft, path, f"{label}: {unknown('field', name, known, within=f'stream {stream.name}')}", of_key=of_key)
    return None


def _check_detector(draft: Draft, model: ModelDefinition, registry: Detectors, collector: Collector) -> None:
    if model.detector not in registry.names:
        collector.add(draft, ("detector",), unknown("detector", model.detector, registry.names))
        return
    check_parameters(draft, model.detector, model.parameters, registry, collector)


def _check_fit(draft: Draft, model: ModelDefinition, registry: Detectors, collector: Collector) -> None:
    """Check that the detector can use what the model gives it, and gets as much history as it needs."""
    if model.detector not in registry.names:
        return
    try:
        method = registry.make(model.detector, **model.parameters)
    except DetectorError:
        return  # told already
    needed = method.min_periods(model.frequency)
    if model.history_periods < needed:
        message = f"history_periods must be >= {needed} for {model.detector} by {model.frequency}, got {model.history_periods}"
        collector.add(draft, ("history_periods",), message)
    for key in ("covariates", "level_shifts", "standard_changes"):
        if getattr(model, key) and not getattr(method, "uses_covariates", False):
            collector.add(draft, (key,), f"{key}: {model.detector} takes no covariates and would leave them aside", of_key=True)
    if model.breakdown is not None and not getattr(method, "uses_breakdown", False):
        message = f"breakdown: {model.detector} knows no effects of labels and would leave them aside"
        collector.add(draft, ("breakdown",), message, of_key=True)
    if getattr(method, "uses_geography", False):
        for number, level in enumerate(model.levels):
            if level.region is None:
                message = f"levels[{number}]: {model.detector} compares neighbouring regions, and this level names none"
                collector.add(draft, ("levels", number), message)
    if len(set(model.covariates)) < len(model.covariates):
        collector.add(draft, ("covariates",), "covariates must not repeat")
    if model.delay is None:
        return
    if model.delay.history_days <= model.delay.max_delay_days:
        message = f"delay.history_days must be > max_delay_days ({model.delay.max_delay_days}), got {model.delay.history_days}"
        collector.add(draft, ("delay", "history_days"), message)
    if not hasattr(method, "min_share"):
        collector.add(
            draft, ("delay",), f"delay: {model.detector} takes every period for complete (it has no parameter min_share)", of_key=True
        )
    if model.denominator is not None:
        message = "delay: a model with a denominator compares what was reported with what was reported; raise ripe_after_days instead"
        collector.add(draft, ("delay",), message, of_key=True)


def _check_level_shifts(draft: Draft, model: ModelDefinition, world: World, collector: Collector) -> None:
    for number, shift in enumerate(model.level_shifts):
        for dimension, codes in shift.where.items():
            facts = world.trees.get(dimension)
            path: YamlPath = ("level_shifts", number, "where", dimension)
            if facts is None:
                if world.trees_sound:
                    collector.add(draft, path, f"{dotted(path)}: there is no {dimension} tree in profile {world.profile}")
                continue
            for place, code in enumerate(codes):
                if facts.complete and code not in facts.codes:
                    collector.add(draft, (*path, place), f"{dotted((*path, place))}: {unknown('code', code, facts.codes)}")


def check_pipeline(entry: Entry[PipelineDefinition], sources: Collection[str], models: Collection[str], collector: Collector) -> None:
    """Check one pipeline: its schedule, the order of its steps, and the names in them (of any profile)."""
    draft, pipeline = entry.draft, entry.value
    if pipeline.schedule:
        for complaint in cron_complaints(pipeline.schedule):
            collector.add(draft, ("schedule",), f"schedule: {complaint}")
    done: list[str] = []
    for number, step in enumerate(pipeline.steps):
        path = ("steps", number, "step")
        if step.step in done:
            collector.add(draft, path, f"steps[{number}]: {step.step} is given twice")
        elif done and STEPS.index(step.step) < STEPS.index(done[-1]):
            collector.add(draft, path, f"steps[{number}]: {step.step} must come before {done[-1]}; order: {', '.join(STEPS)}")
        elif step.step in _NEEDS and _NEEDS[step.step] not in done:
            collector.add(draft, path, f"steps[{number}]: {step.step} needs {_NEEDS[step.step]} before it")
        done.append(step.step)
        for key, owner, given, known in (("sources", "pull", step.sources, sources), ("models", "detect", step.models, models)):
            if given and step.step != owner:
                collector.add(
                    draft, ("steps", number, key), f"steps[{number}]: {key} may stand at step {owner} only, not at {step.step}", of_key=True
                )
            for place, name in enumerate(given):
                if name not in known:
                    message = f"steps[{number}].{key}[{place}]: {unknown(key[:-1], name, known)}"
                    collector.add(draft, ("steps", number, key, place), message)


def check_centre(entry: Entry[Centre], world: World, collector: Collector) -> None:
    """Check that a centre's region is in the tree, and that it has a language."""
    draft, centre = entry.draft, entry.value
    facts = world.trees.get("region")
    if centre.region and facts is None and world.trees_sound:
        collector.add(draft, ("region",), f"region: there is no region tree in profile {world.profile}")
    elif centre.region and facts and facts.complete and centre.region not in facts.codes:
        message = f'region "{centre.region}" is not in the region tree of profile {world.profile}'
        collector.add(draft, ("region",), message)
    if not centre.languages:
        collector.add(draft, ("languages",), "languages must name at least one of zh, en")


def check_standards(draft: Draft, world: World, collector: Collector) -> None:
    """Check that the products of changed standards (``config/standards.yaml``) are in the tree of the profile."""
    facts = world.trees.get("product")
    entries = draft.data.get("standards") or []
    if facts is None or not facts.complete or not isinstance(entries, list):
        return
    for number, change in enumerate(entries):
        profiles, codes = (change.get(name) or [] if isinstance(change, dict) else [] for name in ("profiles", "products"))
        if profiles and world.profile not in profiles:
            continue
        for place, code in enumerate(codes):
            if code not in facts.codes:
                message = f'standards[{number}].products[{place}]: "{code}" is not in the product tree of profile {world.profile}'
                collector.add(draft, ("standards", number, "products", place), message)


def check_delivery(draft: Draft, centres: Collection[str], world: World, collector: Collector) -> None:
    """Check that the centres and products of routes (``config/delivery.yaml``) exist: a slip would keep a message from its readers."""
    facts = world.trees.get("product")
    routes = draft.data.get("routes") or []
    for number, entry in enumerate(routes if isinstance(routes, list) else []):
        route = entry if isinstance(entry, dict) else {}
        for place, name in enumerate(_listed(route, "centres")):
            if name not in centres:
                path = ("routes", number, "centres", place)
                collector.add(draft, path, f"routes[{number}].centres[{place}]: {unknown('centre', str(name), centres)}")
        profiles = _listed(route, "profiles")
        if facts is None or not facts.complete or (profiles and world.profile not in profiles):
            continue
        for place, code in enumerate(_listed(route, "products")):
            if code not in facts.codes:
                message = f'routes[{number}].products[{place}]: "{code}" is not in the product tree of profile {world.profile}'
                collector.add(draft, ("routes", number, "products", place), message)


def _listed(entry: Mapping[str, object], name: str) -> list[object]:
    """Return a list of an entry that is not validated yet; empty where it is none."""
    found = entry.get(name)
    return found if isinstance(found, list) else []
