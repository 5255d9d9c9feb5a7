"""Where a value comes from, what it overrides, and what it means."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.entries import Draft
from riskwatch.definitions.layers import DEFAULT, Origin, hide_password, merge, origin_of
from riskwatch.definitions.overrides import FLOORS, PARTS, TREES, meant, named, words_of
from riskwatch.definitions.rooms import CATALOGUES, catalogue_type, detectors
from riskwatch.definitions.strict_yaml import YamlPath
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import (
    Centre,
    DimensionFile,
    HolidayCalendar,
    ModelDefinition,
    Override,
    PipelineDefinition,
    ProjectSettings,
    SourceDefinition,
)
from riskwatch.definitions.validation import at_path, classes_at, fields_at
from riskwatch.dimensions import Tree
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
    series : str
        Series of a model that the value is for (``product P0302, region 220100``); "" for the model as such.
    notes : tuple of str
        Why the series has a value of its own; and which other series have other values, with what and where.
    """

    path: str
    value: Any
    origin: Origin
    default: Any
    description: str
    chain: tuple[tuple[Any, Origin], ...]
    series: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" for {self.series}" if self.series else ""
        lines = [f"{self.path}{where} = {_text(self.value)}", f"  from {self.origin}"]
        if self.description:
            lines.append(f"  {self.description}")
        lines += [f"  overrides {_text(value)} from {origin}" for value, origin in reversed(self.chain[:-1])]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def explain(
    definitions: Definitions, path: str, *, series: Mapping[str, str] | None = None, trees: Mapping[str, Tree] | None = None
) -> Explanation:
    """Say what the value at a dotted path is and where it comes from.

    Parameters
    ----------
    definitions : Definitions
        Of the project.
    path : str
        ``settings.database``, ``models.injury-counts.parameters.alpha``, ``centres.jilin.region``.
    series : mapping of str to str, optional
        A series of a model: its codes by ``product, industry, region, stratum``; what is left out or "" is summed over. Without: the model.
    trees : mapping of str to Tree, optional
        Needed with ``series``.

    Returns
    -------
    Explanation

    Raises
    ------
    ProjectError
        If nothing is called so; the message names the nearest. If ``series`` names what is no model's, or a code that is in no tree.
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
    found = Explanation(path, value, origin_of(draft.layers, tail) if said else DEFAULT, default, description, chain)
    key = {part: code for part, code in (series or {}).items() if code}
    if model is not ModelDefinition:
        if key:
            raise ProjectError(
                f"{path}: only values of models differ by {', '.join(key)}", hint="riskwatch explain models.NAME.parameters.KEY"
            )
        return found
    return _of_series(found, definitions.all_models[str(head[1])], draft, tail, key=key, trees=trees or {})


def _of_series(
    found: Explanation, model: ModelDefinition, draft: Draft, tail: YamlPath, *, key: Mapping[str, str], trees: Mapping[str, Tree]
) -> Explanation:
    """Lay the overrides that mean a series over what was found for its model, and name those that mean others."""
    odd = [part for part in key if part not in PARTS]
    if odd:
        raise ProjectError(f"{found.path}: {unknown('dimension', odd[0], PARTS)}")
    for part in TREES:
        if part in key and (part not in trees or key[part] not in trees[part]):
            raise ProjectError(
                f'{part}: no code "{key[part]}" in the {part} tree', hint=f"riskwatch explain dimensions; {part} codes are quoted"
            )
    if not (tail[:1] == ("parameters",) or (len(tail) == 1 and tail[0] in FLOORS)):
        return dataclasses.replace(found, series=words_of(key))
    chain, others, reasons = list(found.chain), [], []
    value, origin = found.value, found.origin
    for number, entry in enumerate(model.overrides):
        said = _of_entry(entry, tail)
        if said is NO_DEFAULT:
            continue
        at = origin_of(draft.layers, ("overrides", number, *tail))
        if key and meant(entry.where, {part: [key.get(part, "")] for part in PARTS}, trees)[0]:
            value = merge([value, said]) if isinstance(value, dict) and isinstance(said, dict) else said
            origin = at
            chain.append((value, at))
            reasons = _reasons(entry)
        elif _open(entry, key, trees):
            others.append(f"{_text(said)} for {words_of(entry.where)} ({at}){''.join(f'; {reason}' for reason in _reasons(entry))}")
    notes = (*reasons, *(f"otherwise: {one}" for one in others))
    return dataclasses.replace(found, value=value, origin=origin, chain=tuple(chain), series=words_of(key), notes=notes)


def _of_entry(entry: Override, tail: YamlPath) -> Any:
    """Return what an entry says at a path of its model; :data:`NO_DEFAULT` for nothing."""
    if tail[0] in FLOORS:
        value = getattr(entry, str(tail[0]))
        return NO_DEFAULT if value is None else value
    if len(tail) == 1:
        return entry.parameters or NO_DEFAULT
    return at_path(entry.parameters, tail[1:]) if tail[1] in entry.parameters else NO_DEFAULT


def _open(entry: Override, key: Mapping[str, str], trees: Mapping[str, Tree]) -> bool:
    """Tell whether an entry means series next to or below one: what both name agrees, or the entry's code lies below the series'."""
    for part, code in named(entry.where).items():
        if part not in key or code == key[part]:
            continue
        tree = trees.get(part)
        if tree is None or not (tree.is_within([key[part]], code)[0] or tree.is_within([code], key[part])[0]):
            return False
    return True


def _reasons(entry: Override) -> list[str]:
    """Say why and since when an entry stands."""
    because = entry.because if isinstance(entry.because, str) else entry.because.en
    dated = f" (decided on {entry.dated})" if entry.dated else ""
    return [f"because {because}{dated}"] if because else [dated.strip(" ()")] if dated else []


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
