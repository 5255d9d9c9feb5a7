"""From plain data to typed definitions: pydantic's findings in our words, each at a path of the data.

The same data are validated twice. As JSON in strict mode, a quoted number is not a number and a number is not text, yet lists
become tuples and ISO text becomes dates. As Python objects, a number that stands as a key where text is due is found too, which JSON cannot
tell apart. Findings at one path are reported once.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union

from pydantic import BaseModel, ValidationError

from riskwatch.definitions.strict_yaml import Key, YamlPath
from riskwatch.definitions.suggest import did_you_mean

__all__ = ["Finding", "at_path", "classes_at", "dotted", "fields_at", "shown", "validate"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "date_type": "a date YYYY-MM-DD",
    "date_parsing": "a date YYYY-MM-DD",
    "date_from_datetime_parsing": "a date YYYY-MM-DD",
    "date_from_datetime_inexact": "a date YYYY-MM-DD",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "none_required": "null",
}
_PATTERNS = {r"^[a-z][a-z0-9-]*$": "be lower-case letters, digits and hyphens, beginning with a letter"}
_BOUNDS = {"greater_than_equal": (">=", "ge"), "greater_than": (">", "gt"), "less_than_equal": ("<=", "le"), "less_than": ("<", "lt")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at a path of the data; ``of_key`` where the key, not its value, is to blame."""

    path: YamlPath
    message: str
    of_key: bool = False


def validate(model: type[ModelT], data: Any) -> tuple[ModelT | None, list[Finding]]:
    """Turn plain data into ``model``.

    Parameters
    ----------
    model : type
        A pydantic model.
    data : Any
        What the YAML says.

    Returns
    -------
    value : model or None
        None where there are findings.
    findings : list of Finding
        All of them, in the order of the fields.
    """
    value: ModelT | None = None
    errors: list[Any] = []
    try:
        value = model.model_validate_json(json.dumps(data, ensure_ascii=False), strict=True)
    except ValidationError as error:
        errors += error.errors(include_url=False)
    try:
        model.model_validate(data)
    except ValidationError as error:
        errors += error.errors(include_url=False)
    if not errors:
        return value, []
    return None, _findings(model, data, errors)


def _findings(model: type[BaseModel], data: Any, errors: Sequence[Mapping[str, Any]]) -> list[Finding]:
    wanted: dict[YamlPath, list[str]] = {}
    findings: dict[YamlPath, Finding] = {}
    for error in errors:
        path, of_key = _data_path(data, error["loc"])
        kind = str(error["type"])
        if kind in _KINDS and not of_key:
            expected = _KINDS[kind]
            if expected not in wanted.setdefault(path, []):
                wanted[path].append(expected)
            message = f"must be {' or '.join(wanted[path])}, got {shown(at_path(data, path))}{_quote_hint(expected, at_path(data, path))}"
            if path not in findings or findings[path].message.startswith("must be "):
                findings[path] = Finding(path, message)
        elif path not in findings:
            findings[path] = _finding(model, data, path, error, of_key=of_key)
    # What is wrong inside a list or mapping is not reported again for the whole of it.
    inner = {path[:length] for path in findings for length in range(len(path))}
    return [finding for path, finding in findings.items() if path not in inner or finding.of_key]


def _finding(model: type[BaseModel], data: Any, path: YamlPath, error: Mapping[str, Any], *, of_key: bool) -> Finding:
    kind = str(error["type"])
    context = error.get("ctx", {})
    value = at_path(data, path)
    if of_key:
        return Finding(path, f'key {path[-1]} must be text: write "{path[-1]}" in quotes', of_key=True)
    if kind == "extra_forbidden":
        near = did_you_mean(str(path[-1]), fields_at(model, data, path[:-1]))
        return Finding(path, f'unknown key "{path[-1]}"{near}', of_key=True)
    if kind == "missing":
        return Finding(path, "is required")
    if kind in _BOUNDS:
        sign, name = _BOUNDS[kind]
        return Finding(path, f"must be {sign} {context[name]:g}, got {shown(value)}")
    if kind in {"literal_error", "union_tag_invalid"}:
        if kind == "union_tag_invalid":
            path = (*path, str(context["discriminator"]).strip("'"))
            value = at_path(data, path)
        expected = str(context.get("expected") or context.get("expected_tags")).replace("'", "")
        near = did_you_mean(str(value), [part.strip() for part in expected.replace(" or ", ",").split(",")])
        return Finding(path, f"must be one of {expected}, got {shown(value)}{near}")
    if kind == "union_tag_not_found":
        return Finding((*path, str(context["discriminator"]).strip("'")), "is required")
    if kind == "string_pattern_mismatch":
        rule = _PATTERNS.get(context["pattern"], f"match {context['pattern']}")
        return Finding(path, f"must {rule}, got {shown(value)}")
    if kind in {"too_short", "too_long", "string_too_short", "string_too_long"}:
        return Finding(path, f"must have {error['msg'].split(' should have ')[-1].split(' after ')[0]}, got {shown(value)}")
    message = str(error["msg"]).removeprefix("Value error, ")
    return Finding(path, f"{message[:1].lower()}{message[1:]}, got {shown(value)}" if kind != "value_error" else message)


def _data_path(data: Any, loc: Sequence[Key]) -> tuple[YamlPath, bool]:
    """Drop from pydantic's location what is not in the data: names of union members, function wrappers."""
    path: list[Key] = []
    here = data
    for number, part in enumerate(loc):
        if part == "[key]":
            return tuple(path), True
        if isinstance(here, Mapping):
            matching = [key for key in here if str(key) == str(part)]
            if matching:
                path.append(matching[0])
                here = here[matching[0]]
            elif number == len(loc) - 1 and not _is_type_name(part):
                path.append(part)
        elif isinstance(here, list) and isinstance(part, int):
            path.append(part)
            here = here[part] if part < len(here) else None
    return tuple(path), False


def _is_type_name(part: Key) -> bool:
    return isinstance(part, str) and (part in {"str", "int", "float", "bool", "folder", "sql", "http"} or "[" in part)


def at_path(data: Any, path: YamlPath) -> Any:
    """Return what ``data`` holds at ``path``; None where there is nothing."""
    for part in path:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, (list, tuple)) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def shown(value: Any) -> str:
    """Show a value of a definition as its author would recognise it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return str(value)


def _quote_hint(expected: str, value: Any) -> str:
    if expected == "text" and isinstance(value, (int, float)):
        return f': write "{shown(value)}" in quotes'
    if expected in {"a number", "a whole number", "true or false"} and isinstance(value, str):
        return ": without quotes" if _bare_number(value) or value in {"true", "false"} else ""
    return ""


def _bare_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def fields_at(model: type[BaseModel], data: Any, path: YamlPath) -> list[str]:
    """Names of the keys that are allowed at ``path``; empty where keys are free."""
    return sorted({name for found in classes_at(model, data, path) for name in found.model_fields})


def classes_at(model: type[BaseModel], data: Any, path: YamlPath) -> list[type[BaseModel]]:
    """Return the classes whose fields are the keys at ``path`` (the chosen one of a union); empty where keys are free."""
    annotation: Any = model
    for depth, part in enumerate(path):
        annotation = _step(annotation, part, at_path(data, path[:depth]))
    holder = at_path(data, path)
    return [
        candidate
        for candidate in _members(annotation)
        if isinstance(candidate, type) and issubclass(candidate, BaseModel) and _fits(candidate, holder)
    ]


def _step(annotation: Any, part: Key, holder: Any) -> Any:
    for candidate in _members(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            if part in candidate.model_fields and _fits(candidate, holder):
                return candidate.model_fields[str(part)].annotation
        else:
            arguments = typing.get_args(candidate)
            if typing.get_origin(candidate) is dict:
                return arguments[1]
            if typing.get_origin(candidate) in {tuple, list} and isinstance(part, int):
                return arguments[0]
    return None


def _members(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [member for argument in typing.get_args(annotation) for member in _members(argument)]
    return [annotation]


def _fits(model: type[BaseModel], holder: Any) -> bool:
    """Tell whether ``model`` is the member of a union that ``holder`` chose by its ``kind``."""
    kind = model.model_fields.get("kind")
    chosen = holder.get("kind") if isinstance(holder, Mapping) else None
    return kind is None or chosen is None or chosen in typing.get_args(kind.annotation)


def dotted(path: YamlPath) -> str:
    """``parameters.alpha``, ``levels[0].product``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
