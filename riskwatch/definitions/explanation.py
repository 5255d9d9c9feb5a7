"""Where a value comes from, what it overrides, and what it means."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import BaseModel

from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.layers import DEFAULT, Origin, hide_password, origin_of
from riskwatch.definitions.rooms import CATALOGUES, catalogue_type, detectors
from riskwatch.definitions.strict_yaml import YamlPath
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
from riskwatch.definitions.validation import at_path, classes_at, fields_at
from riskwatch.errors import DetectorError, ProjectError

__all__ = ["NO_DEFAULT", "Explanation", "explain"]

TYPES: dict[str, type[BaseModel]] = {
    "settings": ProjectSettings,
    "models": ModelDefinition,
    "sources": SourceDefinition,
    "pipelines": PipelineDefinition,
    "centres": Centre,
    "dimensions": DimensionFile,
    "holidays": HolidayCalendar,
}


class _NoDefault:
    """Marks a value that has no built-in default."""

    def __repr__(self) -> str:
        return "(none)"


NO_DEFAULT = _NoDefault()


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to ``riskwatch explain PATH``.

    Attributes
    ----------
    path : str
        As asked.
    value : Any
        In force now.
    origin : Origin
        Where it was said: ``file:line:column``, an environment variable, the command line, or the built-in default.
    default : Any
        Built-in default; :data:`NO_DEFAULT` if there is none.
    description : str
        What it means, with its unit.
    chain : tuple of (value, Origin)
        Everything that was said about it, lowest first; the last one is in force.
    """

    path: str
    value: Any
    origin: Origin
    default: Any
    description: str
    chain: tuple[tuple[Any, Origin], ...]

    def __str__(self) -> str:
        lines = [f"{self.path} = {_text(self.value)}", f"  from {self.origin}"]
        if self.description:
            lines.append(f"  {self.description}")
        lines += [f"  overrides {_text(value)} from {origin}" for value, origin in reversed(self.chain[:-1])]
        return "\n".join(lines)


def explain(definitions: Definitions, path: str) -> Explanation:
    """Say what the value at a dotted path is and where it comes from.

    Parameters
    ----------
    definitions : Definitions
        Of the project.
    path : str
        ``settings.database``, ``models.injury-counts.parameters.alpha``, ``centres.jilin.region``.

    Returns
    -------
    Explanation

    Raises
    ------
    ProjectError
        If nothing is called so; the message names the nearest.
    """
    head, tail = definitions.split(path)
    draft = definitions.drafts[head]
    model = _type_of(str(head[0]))
    data = draft.data
    default, description = _documented(model, tail, data) if model else (NO_DEFAULT, "")
    if model is ModelDefinition and tail[:1] == ("parameters",) and len(tail) == 2:
        default, note = _parameter(str(data.get("detector")), str(tail[1]))
        description = note or description
    said = [(_said(at_path(layer.data, tail)), layer.locate(tail)) for layer in draft.layers if layer.has(tail)]
    if not said and default is NO_DEFAULT:
        holder = at_path(data, tail[:-1])
        known = {*(fields_at(model, data, tail[:-1]) if model else ()), *(map(str, holder) if isinstance(holder, dict) else ())}
        raise ProjectError(f"{'.'.join(map(str, (*head, *tail[:-1])))}: {unknown('key', str(tail[-1]), known)}")
    chain = tuple(([] if default is NO_DEFAULT else [(default, DEFAULT)]) + said)
    value = _said(at_path(data, tail)) if said else default
    return Explanation(path, value, origin_of(draft.layers, tail) if said else DEFAULT, default, description, chain)


def _type_of(kind: str) -> type[BaseModel] | None:
    return TYPES.get(kind) or (catalogue_type(CATALOGUES[kind]) if kind in CATALOGUES else None)


def _documented(model: type[BaseModel], path: YamlPath, data: Any) -> tuple[Any, str]:
    """Return built-in default and description of what stands at ``path``; of the nearest documented part that encloses it."""
    if not path:
        return NO_DEFAULT, (model.__doc__ or "").split("\n", maxsplit=1)[0]
    for depth in range(len(path) - 1, -1, -1):
        for found in classes_at(model, data, path[:depth]):
            field = found.model_fields.get(str(path[depth]))
            if field is None:
                continue
            description = field.description or ""
            if field.is_required():
                return NO_DEFAULT, description
            whole = _plain(field.get_default(call_default_factory=True))
            inner = path[depth + 1 :]
            default = at_path(whole, inner)
            return (NO_DEFAULT if inner and default is None else default), description
    return NO_DEFAULT, ""


def _parameter(detector: str, name: str) -> tuple[Any, str]:
    """Return default and meaning (with unit) of a detector's parameter; detectors are frozen dataclasses."""
    registry = detectors()
    if detector not in registry.names:
        return NO_DEFAULT, ""
    try:
        made = registry.make(detector)
    except (DetectorError, TypeError):
        return NO_DEFAULT, ""
    rules: dict[str, Any] = {}
    for field in dataclasses.fields(made) if dataclasses.is_dataclass(made) else ():
        if field.name == name:
            rules.update(field.metadata)
    unit, note = rules.get("unit"), rules.get("note")
    meaning = "; ".join(part for part in (note, f"in {unit}" if unit else None) if part)
    return getattr(made, name, NO_DEFAULT), f"parameter of {detector}" + (f": {meaning}" if meaning else "")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def _said(value: Any) -> Any:
    """Hide the password of a URL that came from the environment or the command line."""
    return hide_password(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    return repr(value) if value is NO_DEFAULT else json.dumps(value, ensure_ascii=False, default=str)
