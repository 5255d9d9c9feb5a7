"""The configuration reference, generated from the types: ``docs/configuration.md``.

``python -m riskwatch.definitions.reference PROJECT`` writes it.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from riskwatch.definitions.model_tests import ModelTest
from riskwatch.definitions.settings import ENVIRONMENT_PREFIX
from riskwatch.definitions.types import (
    Centre,
    DimensionFile,
    HolidayCalendar,
    ModelDefinition,
    PipelineDefinition,
    ProjectSettings,
    SourceDefinition,
)

__all__ = ["PATH", "reference", "write_reference"]

PATH = "docs/configuration.md"

_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dt.date: "date",
    Any: "any",
    type(None): "null",
}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_FILES: tuple[tuple[str, type[BaseModel], str], ...] = (
    (
        "config/riskwatch.yaml",
        ProjectSettings,
        "Settings. Two more keys: `profiles:` maps a profile to settings that differ in it; `models: {defaults: …}` is for every model.",
    ),
    (
        "models/*.yaml",
        ModelDefinition,
        "A file holds a list `models:` and, if wanted, `defaults:` that all models in it inherit, and `tests:`.",
    ),
    (
        "models/*.yaml, tests",
        ModelTest,
        "Series with what a model and the grading are to say of them: `riskwatch check --test`, docs/tuning.md.",
    ),
    ("pipelines/*.yaml", PipelineDefinition, "One pipeline a file, or a list `pipelines:`."),
    ("config/sources/*.yaml", SourceDefinition, "One source a file, or a list `sources:`."),
    ("config/centres.yaml", Centre, "A list `centres:`."),
    ("config/dimensions.yaml", DimensionFile, "A list `dimensions:`."),
    ("config/holidays.yaml", HolidayCalendar, "Dates of China's public holidays."),
)
_HEAD = f"""# Configuration reference

Generated from the types by `python -m riskwatch.definitions.reference`; a test fails when this page is out of date.

## How files are read
Definitions are data: `models/`, `pipelines/` and `config/`. `riskwatch check` reads all of them and reports every problem at once, as
`file:line:column: message`; `riskwatch explain PATH` says what a value is, where it was said, and what it overrides.

YAML is read strictly. These are errors:
- unknown and duplicate keys;
- codes with leading zeros without quotes (`010000` is written `"010000"`);
- `12:30`, `yes`, `no`, `on`, `off`, `0x1F`, `1_000` without quotes;
- a number where text is due, and a quoted number where a number is due;
- tags (`!!python/...`), merge keys (`<<`), aliases that contain themselves or expand without end;
- tabs in the indentation, a byte order mark, any encoding but UTF-8, a second document in one file.

JSON Schemas for editors are in `config/schemas/`; the first line of a file names its schema.

## Who has the last word
Settings, lowest first: built-in default, `config/riskwatch.yaml`, its block for the profile, the environment variable
`{ENVIRONMENT_PREFIX}<SETTING>` (`{ENVIRONMENT_PREFIX}DATA`, say), the command line.

Models, lowest first: built-in default, `models.defaults` of `config/riskwatch.yaml`, `defaults` of the file, the model, the command line
(`models.NAME.KEY=VALUE`). Mappings merge key by key, so that overriding one parameter never resets another; lists and single values
replace. Parameters that a layer gives for one detector are not inherited by a model that chooses another.

A definition with `profiles:` is in force in those profiles only. Placeholders in paths: `{{data}}` is `settings.data`, `{{var}}` is
`settings.var` and the profile (`var/demo`).
"""


def reference() -> str:
    """Return the reference as Markdown."""
    parts = [_HEAD]
    for file, model, note in _FILES:
        parts.append(f"\n## {file}\n{note}\n")
        parts += [f"\n### {found.__name__}\n{_summary(found)}\n\n{_table(found)}" for found in _family(model)]
    return "".join(parts)


def write_reference(root: Path) -> Path:
    """Write the reference into ``docs`` and return the file."""
    path = root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reference(), encoding="utf-8")
    return path


def _family(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the class and those that its fields hold, each once; labels in two languages explain themselves."""
    found = [model]
    for current in found:
        for field in current.model_fields.values():
            found += [inner for inner in _classes(field.annotation) if inner not in found and inner.__name__ != "Bilingual"]
    return found


def _classes(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for argument in typing.get_args(annotation) for inner in _classes(argument)]


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n", maxsplit=1)[0]


def _table(model: type[BaseModel]) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | {_type(field.annotation)}{_bounds(field)} | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(_type(argument) for argument in arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"list of {_type(arguments[0])}"
        return f"list of {len(arguments)}: {', '.join(_type(argument) for argument in arguments)}"
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    if annotation.__name__ == "Bilingual":
        return "`{zh: text, en: text}`"
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _bounds(field: FieldInfo) -> str:
    texts = []
    for rule in field.metadata:
        texts += [f"{sign} {getattr(rule, key):g}" for key, sign in _SIGNS.items() if getattr(rule, key, None) is not None]
        if getattr(rule, "min_length", None):
            texts.append("not empty")
        if getattr(rule, "pattern", None):
            texts.append(f"`{rule.pattern}`")
    return f" ({', '.join(texts)})" if texts else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see there"
    if value in ((), {}):
        return "empty"
    shown = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)
    return f"`{shown}`".replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(f"{write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else '.'))}\n")
