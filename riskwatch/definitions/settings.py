"""The settings of a project: built-in default, ``config/riskwatch.yaml``, its profile block, environment, command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from riskwatch.definitions.entries import Collector, Draft
from riskwatch.definitions.layers import Layer, Origin, hide_password, merge
from riskwatch.definitions.strict_yaml import Document, YamlPath, parse_yaml
from riskwatch.definitions.suggest import did_you_mean, unknown
from riskwatch.definitions.types import ModelDefinition, ProjectSettings

__all__ = ["Overrides", "ProjectFile", "read_overrides", "read_project_file", "settings_draft"]

ENVIRONMENT_PREFIX = "RISKWATCH_"


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectFile:
    """``config/riskwatch.yaml`` taken apart.

    Attributes
    ----------
    base : Layer
        Settings for every profile.
    profiles : mapping of str to Layer
        What a profile changes in them.
    model_defaults : Layer or None
        What every model inherits.
    """

    base: Layer
    profiles: Mapping[str, Layer]
    model_defaults: Layer | None

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Profiles that this project knows: the one in force by default, and those with a block of their own."""
        default = self.base.data.get("profile", ProjectSettings.model_fields["profile"].default)
        return tuple(dict.fromkeys([str(default), *self.profiles]))


@dataclasses.dataclass(frozen=True, slots=True)
class Overrides:
    """Values from the environment and the command line, as layers; the later ones win."""

    settings: tuple[Layer, ...] = ()
    models: Mapping[str, tuple[Layer, ...]] = dataclasses.field(default_factory=dict)


def read_project_file(document: Document, collector: Collector) -> ProjectFile:
    """Take ``config/riskwatch.yaml`` apart; what is not a mapping where one is due is reported and left out."""
    data = document.data
    if not isinstance(data, Mapping):
        collector.at(document, (), "must be a mapping of settings")
        return ProjectFile(Layer({}, document), {}, None)
    known = {*ProjectSettings.model_fields, "profiles", "models"}
    for key in data:
        if key not in known:
            collector.at(document, (key,), f'unknown key "{key}"{did_you_mean(str(key), known)}', of_key=True)
    base = {key: value for key, value in data.items() if key in ProjectSettings.model_fields}
    profiles: dict[str, Layer] = {}
    given = data.get("profiles") or {}
    if isinstance(given, Mapping):
        for name, block in given.items():
            path: YamlPath = ("profiles", name)
            if not isinstance(name, str):
                collector.at(document, path, f'profiles: key {name} must be text: write "{name}" in quotes', of_key=True)
            elif block is not None and not isinstance(block, Mapping):
                collector.at(document, path, f'profiles: "{name}" must be a mapping of settings')
            else:
                profiles[name] = Layer(_without_profile(document, path, block or {}, collector), document, path)
    else:
        collector.at(document, ("profiles",), "profiles must be a mapping of profile to settings")
    models = data.get("models") or {}
    defaults: Layer | None = None
    if not isinstance(models, Mapping) or set(models) - {"defaults"}:
        collector.at(document, ("models",), "models may hold `defaults` only: what every model inherits")
    elif models.get("defaults"):
        defaults = model_defaults(document, ("models", "defaults"), models["defaults"], collector)
    return ProjectFile(Layer(base, document), profiles, defaults)


def _without_profile(document: Document, path: YamlPath, block: Mapping[Any, Any], collector: Collector) -> Mapping[Any, Any]:
    if "profile" not in block:
        return block
    collector.at(document, (*path, "profile"), "profile cannot be changed within a profile", of_key=True)
    return {key: value for key, value in block.items() if key != "profile"}


def model_defaults(document: Document, path: YamlPath, block: Any, collector: Collector) -> Layer | None:
    """Read a block of model defaults: keys of a model definition other than its name."""
    if not isinstance(block, Mapping):
        collector.at(document, path, "defaults must be a mapping")
        return None
    known = {name for name in ModelDefinition.model_fields if name != "name"}
    for key in block:
        if key not in known:
            message = f'defaults: unknown key "{key}"{did_you_mean(str(key), known)}'
            collector.at(document, (*path, key), message, of_key=True)
    return Layer({key: value for key, value in block.items() if key in known}, document, path)


def read_overrides(overrides: Mapping[str, str], environ: Mapping[str, str], profile: str | None, collector: Collector) -> Overrides:
    """Turn ``RISKWATCH_DATA=...``, ``settings.data=...`` and ``models.NAME.KEY=...`` into layers.

    Environment variables that name no setting are left alone: tokens and test switches share the prefix.
    """
    settings: list[Layer] = []
    models: dict[str, list[Layer]] = {}
    for field in ProjectSettings.model_fields:
        name = ENVIRONMENT_PREFIX + field.upper()
        if name in environ:
            settings.append(_layer(ProjectSettings, (field,), environ[name], Origin("environment", name=name), collector))
    for dotted_path, text in overrides.items():
        origin = Origin("command line", name=hide_password(f"{dotted_path}={text}"))
        head, *rest = dotted_path.split(".")
        if head == "settings" and rest:
            settings.append(_layer(ProjectSettings, tuple(rest), text, origin, collector))
        elif head == "models" and len(rest) > 1:
            models.setdefault(rest[0], []).append(_layer(ModelDefinition, tuple(rest[1:]), text, origin, collector))
        else:
            message = f'cannot override "{dotted_path}"; write settings.KEY=VALUE or models.NAME.KEY=VALUE'
            collector.add(Draft("", "", (Layer({}, origin=origin),)), (), message)
    if profile is not None:
        settings.append(Layer({"profile": profile}, origin=Origin("command line", name=f"settings.profile={profile}")))
    return Overrides(tuple(settings), {name: tuple(layers) for name, layers in models.items()})


def _layer(model: type[BaseModel], path: tuple[str, ...], text: str, origin: Origin, collector: Collector) -> Layer:
    value: Any = text
    field = model.model_fields.get(path[0])
    is_text = field is not None and len(path) == 1 and str in {field.annotation, *get_args(field.annotation)}
    if text == "null":
        value = None
    elif not is_text:
        document, problems = parse_yaml(text.encode(), str(origin))
        collector.reader(problems)
        value = document.data if document else text
    for key in reversed(path):
        value = {key: value}
    return Layer(value, origin=origin)


def settings_draft(project: ProjectFile, overrides: Overrides, profile: str | None, collector: Collector) -> Draft:
    """Lay the settings over one another for one profile.

    Parameters
    ----------
    project : ProjectFile
        What the file says.
    overrides : Overrides
        Environment and command line.
    profile : str, optional
        The profile to make settings for; None: the one that the layers choose.
    collector : Collector
        Takes the problem of an unknown profile.
    """
    layers = [project.base, *overrides.settings]
    chosen = profile or merge([layer.data for layer in layers]).get("profile", project.profile_names[0])
    if chosen not in project.profile_names:
        draft = Draft("", "", tuple(layers))
        collector.add(draft, ("profile",), unknown("profile", str(chosen), _texts(project.profile_names)))
        return draft
    block = project.profiles.get(chosen)
    return Draft("", "", (project.base, *([block] if block else []), *overrides.settings))


def _texts(names: Iterable[object]) -> list[str]:
    return [str(name) for name in names]
