"""The files of a project, taken apart into drafts of definitions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from riskwatch.definitions.entries import Collector, Draft
from riskwatch.definitions.layers import Layer
from riskwatch.definitions.settings import Overrides, ProjectFile, model_defaults
from riskwatch.definitions.strict_yaml import Document, YamlPath, read_yaml
from riskwatch.definitions.suggest import unknown
from riskwatch.errors import Problem

__all__ = [
    "CENTRES_FILE",
    "DIMENSIONS_FILE",
    "PROJECT_FILE",
    "ProjectFiles",
    "dimension_drafts",
    "model_drafts",
    "named_drafts",
    "plain_draft",
]

PROJECT_FILE = "config/riskwatch.yaml"
CENTRES_FILE = "config/centres.yaml"
DIMENSIONS_FILE = "config/dimensions.yaml"
# A project without one of these cannot run.
REQUIRED = (PROJECT_FILE, CENTRES_FILE, DIMENSIONS_FILE)


@dataclasses.dataclass(slots=True)
class ProjectFiles:
    """Documents by name relative to the project; problems of reading go to the collector."""

    root: Path
    collector: Collector
    documents: dict[str, Document] = dataclasses.field(default_factory=dict)

    def read(self, name: str) -> Document | None:
        """Read one file; None where there is none, or where it cannot be parsed."""
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
        """Read every .yaml file of a folder and the folders in it, in the order of their names; hidden files are left out."""
        for path in sorted((self.root / name).rglob("*")):
            shown = path.relative_to(self.root).as_posix()
            if path.name.startswith("."):
                continue
            if path.suffix == ".yml":
                self.collector.reader([Problem(shown, 1, 1, "is not read: rename it to end in .yaml")])
            elif path.suffix == ".yaml" and path.is_file() and (document := self.read(shown)):
                yield document


_MODEL_KEYS = ("models", "defaults", "tests")


def test_drafts(files: ProjectFiles) -> dict[str, Draft]:
    """Read the lists ``tests:`` of ``models/*.yaml``."""
    drafts: dict[str, Draft] = {}
    # The files were read, and what is wrong with them said, with the models.
    for name, document in sorted(files.documents.items()):
        if name.startswith("models/") and isinstance(document.data, Mapping) and "tests" in document.data:
            for test, layer in _listed(document, "test", "tests", files.collector, drafts):
                drafts[test] = Draft("test", test, (layer,))
    return drafts


def model_drafts(files: ProjectFiles, project: ProjectFile, given: Overrides) -> dict[str, Draft]:
    """Read ``models/*.yaml``: each model with what it inherits."""
    collector = files.collector
    drafts: dict[str, Draft] = {}
    for document in files.folder("models"):
        data = document.data
        if not isinstance(data, Mapping):
            collector.at(document, (), "must be a mapping with `models:` and, if wanted, `defaults:`")
            continue
        for key in data:
            if key not in _MODEL_KEYS:
                collector.at(document, (key,), unknown("key", str(key), _MODEL_KEYS), of_key=True)
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
    here: dict[str, Layer] = {name: draft.layers[-1] for name, draft in taken.items()}
    for number, item in enumerate(items):
        path: YamlPath = (key, number)
        if not isinstance(item, Mapping):
            collector.at(document, path, f"{key}[{number}] must be a mapping")
            continue
        name = item.get("name")
        if not isinstance(name, str):
            collector.at(
                document,
                (*path, "name"),
                f"{key}[{number}]: name must be text" if name is not None else f"{key}[{number}]: name is required",
            )
            continue
        if name in here:
            collector.at(document, (*path, "name"), f'{kind} "{name}" is defined twice, first at {here[name].locate(("name",))}')
            continue
        here[name] = Layer(item, document, path)
        yield name, here[name]


def named_drafts(documents: Iterable[Document], kind: str, key: str, collector: Collector) -> dict[str, Draft]:
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


def dimension_drafts(files: ProjectFiles) -> list[Draft]:
    """Read the list of ``config/dimensions.yaml``; these have numbers, not names."""
    document = files.read(DIMENSIONS_FILE)
    if document is None:
        return []
    data = document.data
    if not isinstance(data, Mapping) or not isinstance(data.get("dimensions"), list) or len(data) != 1:
        files.collector.at(document, (), "must be a mapping with a list `dimensions:` and nothing else")
        return []
    drafts = []
    for number, item in enumerate(data["dimensions"]):
        if isinstance(item, Mapping):
            drafts.append(Draft("dimension", str(number), (Layer(item, document, ("dimensions", number)),)))
        else:
            files.collector.at(document, ("dimensions", number), f"dimensions[{number}] must be a mapping")
    return drafts


def plain_draft(files: ProjectFiles, kind: str) -> Draft | None:
    """Read ``config/<kind>.yaml``, one mapping; None where the project has none."""
    document = files.read(f"config/{kind}.yaml")
    if document is None:
        return None
    if not isinstance(document.data, Mapping):
        files.collector.at(document, (), "must be a mapping")
        return None
    return Draft(kind, "", (Layer(document.data, document),))
