"""Read a project's definitions: every file, every problem, then typed values."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from riskwatch.definitions.checks import World, check_centre, check_model, check_pipeline, check_settings
from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.entries import Collector, Draft, Entry, digest
from riskwatch.definitions.layers import Layer
from riskwatch.definitions.rooms import catalogue_type, detectors, tree_facts
from riskwatch.definitions.settings import Overrides, ProjectFile, model_defaults, read_overrides, read_project_file, settings_draft
from riskwatch.definitions.source_checks import check_source
from riskwatch.definitions.strict_yaml import Document, YamlPath, read_yaml
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import (
    Centre,
    DimensionFile,
    HolidayCalendar,
    ModelDefinition,
    PipelineDefinition,
    ProjectSettings,
    SourceDefinition,
)
from riskwatch.definitions.validation import validate
from riskwatch.errors import DefinitionError, Problem, ProjectError

__all__ = ["PROJECT_FILE", "check", "load_definitions"]

ValueT = TypeVar("ValueT", bound=BaseModel)

PROJECT_FILE = "config/riskwatch.yaml"
CENTRES_FILE = "config/centres.yaml"
DIMENSIONS_FILE = "config/dimensions.yaml"
HOLIDAYS_FILE = "config/holidays.yaml"
CATALOGUES = {"grading": "GradingRules", "actions": "ActionCatalogue", "hazards": "HazardCatalogue"}
# A project without one of these cannot run.
REQUIRED = (PROJECT_FILE, CENTRES_FILE, DIMENSIONS_FILE)


def load_definitions(
    root: Path,
    *,
    profile: str | None = None,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    adapters: Collection[str] | None = None,
) -> Definitions:
    """Read, type and cross-check all definitions of a project.

    Parameters
    ----------
    root : Path
        The project's folder.
    profile : str, optional
        The profile in force; wins over every other place that names one.
    overrides : mapping of str to str, optional
        From the command line: ``settings.KEY`` or ``models.NAME.KEY`` to a value.
    environ : mapping, optional
        Environment; ``RISKWATCH_<SETTING>`` overrides a setting. Default: that of the process.
    adapters : collection of str, optional
        Names of format adapters for sources, to check against.

    Returns
    -------
    Definitions

    Raises
    ------
    DefinitionError
        With every problem of every file, in every profile.
    ProjectError
        If ``root`` holds no project.
    """
    definitions, problems = _load(root, profile, overrides or {}, os.environ if environ is None else environ, adapters)
    if problems or definitions is None:
        raise DefinitionError(problems)
    return definitions


def check(
    root: Path,
    *,
    profile: str | None = None,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    adapters: Collection[str] | None = None,
) -> list[Problem]:
    """Return every problem of a project's definitions, in the order of files and lines; see :func:`load_definitions`."""
    return sorted(_load(root, profile, overrides or {}, os.environ if environ is None else environ, adapters)[1])


@dataclasses.dataclass(slots=True)
class _Files:
    """Documents by name relative to the project; problems of reading go to the collector."""

    root: Path
    collector: Collector
    documents: dict[str, Document] = dataclasses.field(default_factory=dict)

    def read(self, name: str) -> Document | None:
        path = self.root / name
        if not path.is_file():
            if name in REQUIRED:
                self.collector.reader([Problem(name, 1, 1, "is missing")])
            return None
        document, problems = read_yaml(path, name)
        self.collector.reader(problems)
        if document:
            self.documents[name] = document
        return document

    def folder(self, name: str) -> Iterator[Document]:
        for path in sorted((self.root / name).glob("*")):
            shown = path.relative_to(self.root).as_posix()
            if path.suffix == ".yml":
                self.collector.reader([Problem(shown, 1, 1, "is not read: rename it to end in .yaml")])
            elif path.suffix == ".yaml" and path.is_file() and (document := self.read(shown)):
                yield document


def _load(
    root: Path, profile: str | None, overrides: Mapping[str, str], environ: Mapping[str, str], adapters: Collection[str] | None
) -> tuple[Definitions | None, list[Problem]]:
    if not (root / PROJECT_FILE).is_file():
        raise ProjectError(f"{root} holds no project: {PROJECT_FILE} is missing", hint="`riskwatch init DIR` makes one")
    collector = Collector()
    files = _Files(root, collector)
    document = files.read(PROJECT_FILE)
    if document is None:
        return None, collector.problems
    project = read_project_file(document, collector)
    given = read_overrides(overrides, environ, profile, collector)
    settings = _settings(project, given, collector)

    models = _typed(_model_drafts(files, project, given, collector), ModelDefinition, collector)
    sources = _typed(_named(files.folder("config/sources"), "source", "sources", collector), SourceDefinition, collector)
    pipelines = _typed(_named(files.folder("pipelines"), "pipeline", "pipelines", collector), PipelineDefinition, collector)
    centre_file = files.read(CENTRES_FILE)
    centres = _typed(_named([centre_file] if centre_file else [], "centre", "centres", collector), Centre, collector)
    dimensions = _dimensions(files, collector)
    catalogues = {name: _catalogue(files, name, type_name, collector) for name, type_name in CATALOGUES.items()}
    holidays = _holidays(files, collector)

    for name in project.profile_names:
        here = settings if settings and settings.value.profile == name else None
        if here is None:
            draft = settings_draft(project, Overrides(), name, collector)
            draft = dataclasses.replace(draft, layers=(*draft.layers, Layer({"profile": name})))
            here = collector.entry(draft, ProjectSettings)
        if here is not None:
            check_settings(here.draft, here.value, collector)
            _check_world(name, here.value, root, models, sources, centres, dimensions, adapters, collector)
    for pipeline in pipelines.values():
        check_pipeline(pipeline, sources, models, collector)
    _check_profiles((*sources.values(), *models.values(), *centres.values(), *dimensions), project.profile_names, collector)
    if settings is None or collector.problems:
        return None, collector.problems
    current = settings.value.profile
    return (
        Definitions(
            root=root,
            profile=current,
            profiles=project.profile_names,
            settings=settings.value,
            sources=_in_force(sources, current),
            models=_in_force(models, current),
            pipelines={name: entry.value for name, entry in pipelines.items()},
            centres=_in_force(centres, current),
            dimensions=tuple(entry.value for entry in dimensions if _applies(entry.value, current)),
            all_sources={name: entry.value for name, entry in sources.items()},
            all_models={name: entry.value for name, entry in models.items()},
            all_centres={name: entry.value for name, entry in centres.items()},
            all_dimensions=tuple(entry.value for entry in dimensions),
            grading=_data(catalogues["grading"]),
            actions=_data(catalogues["actions"]),
            hazards=_data(catalogues["hazards"]),
            holidays=_data(holidays),
            hashes=_hashes(settings, sources, models, pipelines, centres, dimensions, catalogues, holidays),
            files={name: files.documents[name].sha256 for name in sorted(files.documents)},
            drafts=_drafts(settings, sources, models, pipelines, centres, dimensions, catalogues, holidays),
            environ=dict(environ),
        ),
        [],
    )


def _settings(project: ProjectFile, given: Overrides, collector: Collector) -> Entry[ProjectSettings] | None:
    before = len(collector.problems)
    draft = settings_draft(project, given, None, collector)
    entry = collector.entry(draft, ProjectSettings)
    return entry if len(collector.problems) == before else None


def _model_drafts(files: _Files, project: ProjectFile, given: Overrides, collector: Collector) -> dict[str, Draft]:
    drafts: dict[str, Draft] = {}
    for document in files.folder("models"):
        data = document.data
        if not isinstance(data, Mapping):
            collector.at(document, (), "must be a mapping with `models:` and, if wanted, `defaults:`")
            continue
        for key in data:
            if key not in {"models", "defaults"}:
                collector.at(document, (key,), unknown("key", str(key), ("models", "defaults")), of_key=True)
        defaults = model_defaults(document, ("defaults",), data["defaults"], collector) if data.get("defaults") is not None else None
        for name, own in _listed(document, "model", "models", collector, drafts):
            layers = [layer for layer in (project.model_defaults, defaults, own, *given.models.get(name, ())) if layer]
            drafts[name] = Draft("model", name, _with_own_parameters(layers))
    for name in given.models:
        if name not in drafts:
            collector.add(Draft("", "", given.models[name]), (), unknown("model", name, drafts))
    return drafts


def _with_own_parameters(layers: list[Layer]) -> tuple[Layer, ...]:
    """Leave out parameters that a layer wrote for another detector than the one that is chosen in the end."""
    chosen = next((layer.data["detector"] for layer in reversed(layers) if "detector" in layer.data), None)
    return tuple(
        dataclasses.replace(layer, data={key: value for key, value in layer.data.items() if key != "parameters"})
        if layer.data.get("detector", chosen) != chosen
        else layer
        for layer in layers
    )


def _listed(document: Document, kind: str, key: str, collector: Collector, taken: Mapping[str, Draft]) -> Iterator[tuple[str, Layer]]:
    """Yield name and layer of each definition in the list ``key`` of a file."""
    data = document.data
    items = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(items, list):
        collector.at(document, (key,) if items is not None else (), f"{key} must be a list of definitions")
        return
    here: dict[str, YamlPath] = {}
    for number, item in enumerate(items):
        path: YamlPath = (key, number)
        if not isinstance(item, Mapping):
            collector.at(document, path, f"{key}[{number}] must be a mapping")
            continue
        name = item.get("name")
        if not isinstance(name, str):
            collector.at(document, (*path, "name"), f"{key}[{number}]: name must be text" if name is not None else f"{key}[{number}]: name is required")
            continue
        if name in here or name in taken:
            layer = taken[name].layers[-1] if name in taken and name not in here else None
            first = str(layer.locate(("name",))) if layer else f"line {document.position((*here[name], 'name'))[0]}"
            collector.at(document, (*path, "name"), f'{kind} "{name}" is defined twice, first at {first}')
            continue
        here[name] = path
        yield name, Layer(item, document, path)


def _named(documents: Any, kind: str, key: str, collector: Collector) -> dict[str, Draft]:
    """Read definitions from files that hold either one of them, or a list under ``key``."""
    drafts: dict[str, Draft] = {}
    for document in documents:
        data = document.data
        if not isinstance(data, Mapping):
            collector.at(document, (), f"must be a {kind}, or a mapping with a list `{key}:`")
        elif key in data and (isinstance(data[key], list) or "name" not in data):
            for extra in data:
                if extra != key:
                    collector.at(document, (extra,), unknown("key", str(extra), (key,)), of_key=True)
            for name, layer in _listed(document, kind, key, collector, drafts):
                drafts[name] = Draft(kind, name, (layer,))
        elif not isinstance(data.get("name"), str):
            collector.at(document, ("name",), f"{kind}: name must be text" if "name" in data else f"{kind}: name is required")
        elif data["name"] in drafts:
            first = drafts[data["name"]].layers[0].locate(("name",))
            collector.at(document, ("name",), f'{kind} "{data["name"]}" is defined twice, first at {first}')
        else:
            drafts[data["name"]] = Draft(kind, data["name"], (Layer(data, document),))
    return drafts


def _typed(drafts: Mapping[str, Draft], model: type[ValueT], collector: Collector) -> dict[str, Entry[ValueT]]:
    return {name: entry for name, draft in drafts.items() if (entry := collector.entry(draft, model))}


def _dimensions(files: _Files, collector: Collector) -> list[Entry[DimensionFile]]:
    document = files.read(DIMENSIONS_FILE)
    if document is None:
        return []
    data = document.data
    if not isinstance(data, Mapping) or not isinstance(data.get("dimensions"), list) or len(data) != 1:
        collector.at(document, (), "must be a mapping with a list `dimensions:` and nothing else")
        return []
    drafts = []
    for number, item in enumerate(data["dimensions"]):
        if isinstance(item, Mapping):
            drafts.append(Draft("dimension", str(number), (Layer(item, document, ("dimensions", number)),)))
        else:
            collector.at(document, ("dimensions", number), f"dimensions[{number}] must be a mapping")
    return [entry for draft in drafts if (entry := collector.entry(draft, DimensionFile))]


def _catalogue(files: _Files, name: str, type_name: str, collector: Collector) -> Draft | None:
    document = files.read(f"config/{name}.yaml")
    if document is None:
        return None
    draft = Draft(name, "", (Layer(document.data if isinstance(document.data, Mapping) else {}, document),))
    if not isinstance(document.data, Mapping):
        collector.at(document, (), "must be a mapping")
    elif model := catalogue_type(type_name):
        collector.findings(draft, validate(model, document.data)[1])
    return draft


def _holidays(files: _Files, collector: Collector) -> Draft | None:
    document = files.read(HOLIDAYS_FILE)
    if document is None:
        return None
    draft = Draft("holidays", "", (Layer(document.data if isinstance(document.data, Mapping) else {}, document),))
    value, findings = validate(HolidayCalendar, document.data)
    collector.findings(draft, findings)
    if value is not None:
        days: dict[object, str] = {}
        for key, entries in (("holidays", value.holidays), ("adjusted_workdays", value.adjusted_workdays)):
            for number, entry in enumerate(entries):
                if entry.date in days:
                    collector.add(draft, (key, number, "date"), f"{key}[{number}]: {entry.date} is already in {days[entry.date]}")
                days.setdefault(entry.date, f"{key}[{number}]")
        for number, workday in enumerate(value.adjusted_workdays):
            if workday.date.weekday() < 5:
                message = f"adjusted_workdays[{number}]: {workday.date} is not a Saturday or Sunday"
                collector.add(draft, ("adjusted_workdays", number, "date"), message)
        for year, day in value.spring_festival.items():
            if day.year != year:
                collector.add(draft, ("spring_festival", year), f"spring_festival: {day} is not in {year}")
    return draft


def _check_world(
    profile: str,
    settings: ProjectSettings,
    root: Path,
    models: Mapping[str, Entry[ModelDefinition]],
    sources: Mapping[str, Entry[SourceDefinition]],
    centres: Mapping[str, Entry[Centre]],
    dimensions: list[Entry[DimensionFile]],
    adapters: Collection[str] | None,
    collector: Collector,
) -> None:
    here = [(number, entry.value) for number, entry in enumerate(dimensions) if _applies(entry.value, profile)]
    facts, complaints = tree_facts(here, {"root": root, "data": root / settings.data})
    for number, key, message in complaints:
        collector.add(dimensions[number].draft, (key,), message)
    world = World(
        profile,
        {name: entry for name, entry in sources.items() if _applies(entry.value, profile)},
        {name: entry for name, entry in models.items() if _applies(entry.value, profile)},
        facts,
    )
    for source in world.sources.values():
        check_source(source, world, adapters, collector)
    registry = detectors() if world.models else None
    for model in world.models.values():
        check_model(model, world, registry, collector)
    for centre in centres.values():
        if _applies(centre.value, profile):
            check_centre(centre, world, collector)


def _check_profiles(entries: Collection[Entry[Any]], known: Collection[str], collector: Collector) -> None:
    for entry in entries:
        for number, name in enumerate(entry.value.profiles):
            if name not in known:
                collector.add(entry.draft, ("profiles", number), f"profiles[{number}]: {unknown('profile', name, known)}")


def _applies(value: Any, profile: str) -> bool:
    return not value.profiles or profile in value.profiles


def _in_force(entries: Mapping[str, Entry[ValueT]], profile: str) -> dict[str, ValueT]:
    return {name: entry.value for name, entry in entries.items() if _applies(entry.value, profile)}


def _data(draft: Draft | None) -> dict[Any, Any]:
    return draft.data if draft else {}


def _each(
    settings: Entry[ProjectSettings],
    sources: Mapping[str, Entry[SourceDefinition]],
    models: Mapping[str, Entry[ModelDefinition]],
    pipelines: Mapping[str, Entry[PipelineDefinition]],
    centres: Mapping[str, Entry[Centre]],
    dimensions: list[Entry[DimensionFile]],
    catalogues: Mapping[str, Draft | None],
    holidays: Draft | None,
    take: Callable[[Entry[Any]], Any],
    take_plain: Callable[[Draft], Any],
) -> dict[YamlPath, Any]:
    found: dict[YamlPath, Any] = {("settings",): take(settings)}
    groups: dict[str, Mapping[str, Entry[Any]]] = {"sources": sources, "models": models, "pipelines": pipelines, "centres": centres}
    for kind, entries in groups.items():
        found.update({(kind, name): take(entry) for name, entry in entries.items()})
    found.update({("dimensions", number): take(entry) for number, entry in enumerate(dimensions)})
    found.update({(name,): take_plain(draft) for name, draft in {**catalogues, "holidays": holidays}.items() if draft})
    return found


def _hashes(*parts: Any) -> dict[str, str]:
    each = _each(*parts, take=lambda entry: entry.sha256, take_plain=lambda draft: digest(draft.data))
    return {".".join(map(str, path)): value for path, value in each.items()}


def _drafts(*parts: Any) -> dict[YamlPath, Draft]:
    return _each(*parts, take=lambda entry: entry.draft, take_plain=lambda draft: draft)
