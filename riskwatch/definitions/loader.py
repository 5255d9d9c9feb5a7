"""Read a project's definitions: every file, every problem, then typed values."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from riskwatch.definitions.calendar_checks import check_holidays
from riskwatch.definitions.checks import World, check_centre, check_delivery, check_model, check_pipeline, check_settings, check_standards
from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.entries import Collector, Draft, Entry, digest
from riskwatch.definitions.files import (
    CENTRES_FILE,
    DIMENSIONS_FILE,
    PROJECT_FILE,
    ProjectFiles,
    dimension_drafts,
    model_drafts,
    named_drafts,
    plain_draft,
    test_drafts,
)
from riskwatch.definitions.layers import Layer
from riskwatch.definitions.model_tests import ModelTest
from riskwatch.definitions.rooms import CATALOGUES, built_trees, catalogue_type, detectors, tree_facts
from riskwatch.definitions.secret_checks import check_secrets
from riskwatch.definitions.settings import Overrides, ProjectFile, read_overrides, read_project_file, settings_draft
from riskwatch.definitions.source_checks import check_source
from riskwatch.definitions.strict_yaml import YamlPath
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import Centre, DimensionFile, ModelDefinition, PipelineDefinition, ProjectSettings, SourceDefinition
from riskwatch.definitions.validation import validate
from riskwatch.errors import DefinitionError, Problem, ProjectError

__all__ = ["check", "load_definitions"]

ValueT = TypeVar("ValueT", bound=BaseModel)


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
    found, problems = _load(root, profile, overrides or {}, os.environ if environ is None else environ, adapters)
    if problems or found is None:
        raise DefinitionError(problems)
    return found


def check(
    root: Path,
    *,
    profile: str | None = None,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    adapters: Collection[str] | None = None,
) -> list[Problem]:
    """Return every problem of a project's definitions, in the order of files and lines; see :func:`load_definitions`.

    Once the YAML is sound, the code lists of every profile are built as well, and their problems returned.
    """
    found, problems = _load(root, profile, overrides or {}, os.environ if environ is None else environ, adapters)
    if found is not None:
        root = found.root
        # Lists that lie in the data folder are for `doctor` and the run: the folder may be elsewhere today.
        shipped = [file for file in found.all_dimensions if "{data}" not in f"{file.path}{file.crosswalk}"]
        for name in found.profiles:
            here = [file for file in shipped if _applies(file, name)]
            problems += [_tree_problem(line) for line in built_trees(here, {"root": root, "data": found.data})[1]]
    return sorted(set(problems))


def _tree_problem(line: str) -> Problem:
    """Turn ``file:12: message`` of a tree into a problem; without a line it stands at the head of the file."""
    file, _, rest = line.partition(":")
    number, _, message = rest.partition(":")
    if number.strip().isdecimal():
        return Problem(file, int(number), 1, message.strip())
    return Problem(file, 1, 1, rest.strip() or "is broken")


@dataclasses.dataclass(slots=True)
class _Content:
    """Everything that was read, typed where it could be."""

    settings: Entry[ProjectSettings] | None
    sources: dict[str, Entry[SourceDefinition]]
    models: dict[str, Entry[ModelDefinition]]
    pipelines: dict[str, Entry[PipelineDefinition]]
    centres: dict[str, Entry[Centre]]
    dimensions: list[Entry[DimensionFile]]
    tests: dict[str, Entry[ModelTest]]
    plain: dict[str, Draft]
    # Names in the files, of definitions that are wrong in themselves too.
    source_names: frozenset[str]
    model_names: frozenset[str]

    def named(self) -> Iterator[tuple[YamlPath, Draft, str]]:
        """Yield path, draft and sha256 of every definition."""
        if self.settings:
            yield ("settings",), self.settings.draft, self.settings.sha256
        groups: dict[str, Mapping[str, Entry[Any]]] = {
            "sources": self.sources,
            "models": self.models,
            "pipelines": self.pipelines,
            "centres": self.centres,
        }
        for kind, entries in groups.items():
            for name, entry in entries.items():
                yield (kind, name), entry.draft, entry.sha256
        for number, dimension in enumerate(self.dimensions):
            yield ("dimensions", number), dimension.draft, dimension.sha256
        for name, draft in self.plain.items():
            yield (name,), draft, digest(draft.data)


def _load(
    root: Path, profile: str | None, overrides: Mapping[str, str], environ: Mapping[str, str], adapters: Collection[str] | None
) -> tuple[Definitions | None, list[Problem]]:
    root = Path(root).resolve()
    if not (root / PROJECT_FILE).is_file():
        raise ProjectError(f"{root} holds no project: {PROJECT_FILE} is missing", hint="`riskwatch init DIR` makes one")
    collector = Collector()
    files = ProjectFiles(root, collector)
    document = files.read(PROJECT_FILE)
    if document is None:
        return None, collector.problems
    project = read_project_file(document, collector)
    content = _content(files, project, read_overrides(overrides, environ, profile, collector))
    _check_profiles(content, project.profile_names, collector)
    for name, settings in _settings_of_profiles(project, content.settings, collector):
        _check_world(name, settings, content, root=root, adapters=adapters, collector=collector)
    for test in content.tests.values():
        if test.value.model not in content.model_names:
            collector.add(test.draft, ("model",), unknown("model", test.value.model, content.model_names))
    for pipeline in content.pipelines.values():
        check_pipeline(pipeline, content.source_names, content.model_names, collector)
    for read in files.documents.values():
        check_secrets(read, collector)
    if content.settings is None or collector.problems:
        return None, collector.problems
    return _definitions(content.settings, content, files, project, environ), []


def _content(files: ProjectFiles, project: ProjectFile, given: Overrides) -> _Content:
    collector = files.collector
    # Settings with a problem are not used, not even the parts that are sound: the profile may be what is wrong.
    before = len(collector.problems)
    settings = collector.entry(settings_draft(project, given, None, collector), ProjectSettings)
    if len(collector.problems) > before:
        settings = None
    centre_file = files.read(CENTRES_FILE)
    plain = {kind: draft for kind in (*CATALOGUES, "holidays") if (draft := plain_draft(files, kind))}
    for kind, draft in plain.items():
        if kind == "holidays":
            check_holidays(draft, collector)
        elif model := catalogue_type(CATALOGUES[kind]):
            collector.findings(draft, validate(model, draft.data)[1])
    sources = named_drafts(files.folder("config/sources"), "source", "sources", collector)
    models = model_drafts(files, project, given)
    return _Content(
        settings,
        _typed(sources, SourceDefinition, collector),
        _typed(models, ModelDefinition, collector),
        _typed(named_drafts(files.folder("pipelines"), "pipeline", "pipelines", collector), PipelineDefinition, collector),
        _typed(named_drafts([centre_file] if centre_file else [], "centre", "centres", collector), Centre, collector),
        [entry for draft in dimension_drafts(files) if (entry := collector.entry(draft, DimensionFile))],
        _typed(test_drafts(files), ModelTest, collector),
        plain,
        frozenset(sources),
        frozenset(models),
    )


def _typed(drafts: Mapping[str, Draft], model: type[ValueT], collector: Collector) -> dict[str, Entry[ValueT]]:
    return {name: entry for name, draft in drafts.items() if (entry := collector.entry(draft, model))}


def _settings_of_profiles(
    project: ProjectFile, current: Entry[ProjectSettings] | None, collector: Collector
) -> Iterator[tuple[str, Entry[ProjectSettings]]]:
    """Yield every profile with its settings: those in force, and what the file says for the others."""
    for name in project.profile_names:
        if current and current.value.profile == name:
            yield name, current
            continue
        draft = settings_draft(project, Overrides(), name, collector)
        draft = dataclasses.replace(draft, layers=(*draft.layers, Layer({"profile": name})))
        entry = collector.entry(draft, ProjectSettings)
        if entry:
            yield name, entry


def _check_world(
    profile: str, settings: Entry[ProjectSettings], content: _Content, *, root: Path, adapters: Collection[str] | None, collector: Collector
) -> None:
    """Check what is in force in one profile."""
    check_settings(settings.draft, settings.value, collector)
    here = [(number, entry.value) for number, entry in enumerate(content.dimensions) if _applies(entry.value, profile)]
    facts, complaints = tree_facts(here, {"root": root, "data": root / settings.value.data})
    for number, key, message in complaints:
        collector.add(content.dimensions[number].draft, (key,), message)
    sources = {name: entry for name, entry in content.sources.items() if _applies(entry.value, profile)}
    models = {name: entry for name, entry in content.models.items() if _applies(entry.value, profile)}
    sound = not any(problem.file == DIMENSIONS_FILE for problem in collector.problems)
    world = World(profile, sources, facts, content.source_names - set(content.sources), sound)
    for source in sources.values():
        check_source(source, world, adapters, collector)
    registry = detectors() if models else None
    for model in models.values():
        check_model(model, world, registry, collector)
    for centre in content.centres.values():
        if _applies(centre.value, profile):
            check_centre(centre, world, collector)
    if standards := content.plain.get("standards"):
        check_standards(standards, world, collector)
    if delivery := content.plain.get("delivery"):
        check_delivery(delivery, [centre.value.name for centre in content.centres.values()], world, collector)


def _check_profiles(content: _Content, known: Collection[str], collector: Collector) -> None:
    entries: list[Entry[Any]] = [*content.sources.values(), *content.models.values(), *content.centres.values(), *content.dimensions]
    for entry in entries:
        for number, name in enumerate(entry.value.profiles):
            if name not in known:
                collector.add(entry.draft, ("profiles", number), f"profiles[{number}]: {unknown('profile', name, known)}")


def _definitions(
    settings: Entry[ProjectSettings], content: _Content, files: ProjectFiles, project: ProjectFile, environ: Mapping[str, str]
) -> Definitions:
    profile = settings.value.profile
    named = list(content.named())
    return Definitions(
        root=files.root,
        profile=profile,
        profiles=project.profile_names,
        settings=settings.value,
        sources=_in_force(content.sources, profile),
        models=_in_force(content.models, profile),
        pipelines={name: entry.value for name, entry in content.pipelines.items()},
        centres=_in_force(content.centres, profile),
        dimensions=tuple(entry.value for entry in content.dimensions if _applies(entry.value, profile)),
        all_sources={name: entry.value for name, entry in content.sources.items()},
        all_models={name: entry.value for name, entry in content.models.items()},
        all_centres={name: entry.value for name, entry in content.centres.items()},
        all_dimensions=tuple(entry.value for entry in content.dimensions),
        catalogues={kind: draft.data for kind, draft in content.plain.items()},
        hashes={".".join(map(str, path)): sha256 for path, _, sha256 in named},
        files={name: files.documents[name].sha256 for name in sorted(files.documents)},
        drafts={path: draft for path, draft, _ in named},
        environ=dict(environ),
        tests={name: entry.value for name, entry in content.tests.items()},
    )


def _applies(value: Any, profile: str) -> bool:
    return not value.profiles or profile in value.profiles


def _in_force(entries: Mapping[str, Entry[ValueT]], profile: str) -> dict[str, ValueT]:
    return {name: entry.value for name, entry in entries.items() if _applies(entry.value, profile)}
