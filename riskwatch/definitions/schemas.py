"""JSON Schemas for editors, one for each kind of file, made from the types.

A schema sees one file, not what it inherits: keys that a `defaults` block may supply are not required there. The loader checks the rest.

``python -m riskwatch.definitions.schemas PROJECT`` writes them to ``config/schemas``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from riskwatch.definitions.model_tests import ModelTest
from riskwatch.definitions.rooms import CATALOGUES, catalogue_type
from riskwatch.definitions.types import (
    Centre,
    DimensionFile,
    HolidayCalendar,
    ModelDefinition,
    PipelineDefinition,
    ProjectSettings,
    SourceDefinition,
)

__all__ = ["FOLDER", "schemas", "write_schemas"]

FOLDER = "config/schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """Return the schema of each kind of file, by the name of the kind."""
    made = {
        "riskwatch": _project(),
        "dimensions": _list_of("dimensions", DimensionFile, "config/dimensions.yaml: files of the code trees"),
        "centres": _list_of("centres", Centre, "config/centres.yaml: who reads the digests"),
        "holidays": _plain(HolidayCalendar, "config/holidays.yaml: public holidays of China"),
        "source": _one_or_list("sources", SourceDefinition, "config/sources/*.yaml: where records come from"),
        "model": _models(),
        "pipeline": _one_or_list("pipelines", PipelineDefinition, "pipelines/*.yaml: schedules and their steps"),
    }
    for kind, name in CATALOGUES.items():
        found = catalogue_type(name)
        if found is not None:
            made[kind] = _plain(found, f"config/{kind}.yaml")
    return made


def write_schemas(root: Path) -> list[Path]:
    """Write the schemas into a project's ``config/schemas`` and return the files."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, schema in schemas().items():
        path = folder / f"{kind}.json"
        path.write_text(as_text(schema), encoding="utf-8")
        written.append(path)
    return written


def as_text(schema: Mapping[str, Any]) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def _plain(model: type[BaseModel], title: str) -> Schema:
    schema, definitions = _parts(model)
    return _document(title, schema, definitions)


def _parts(model: type[BaseModel]) -> tuple[Schema, dict[str, Schema]]:
    schema = TypeAdapter(model).json_schema()
    definitions = schema.pop("$defs", {})
    return schema, definitions


def _document(title: str, schema: Schema, definitions: dict[str, Schema]) -> Schema:
    body = {key: value for key, value in schema.items() if key != "title"}
    return {"$schema": _DIALECT, "title": title, **body, **({"$defs": definitions} if definitions else {})}


def _list_of(key: str, model: type[BaseModel], title: str) -> Schema:
    schema, definitions = _parts(model)
    return _document(title, _holder({key: {"type": "array", "items": schema}}, [key]), definitions)


def _one_or_list(key: str, model: type[BaseModel], title: str) -> Schema:
    schema, definitions = _parts(model)
    definitions[model.__name__] = schema
    one: Schema = {"$ref": f"#/$defs/{model.__name__}"}
    return _document(title, {"oneOf": [one, _holder({key: {"type": "array", "items": one}}, [key])]}, definitions)


def _models() -> Schema:
    schema, definitions = _parts(ModelDefinition)
    definitions["ModelDefinition"] = {**schema, "required": ["name"]}
    definitions["ModelDefaults"] = _partial(schema, without="name")
    test, more = _parts(ModelTest)
    definitions |= {**more, "ModelTest": test}
    properties: Schema = {
        "defaults": {"$ref": "#/$defs/ModelDefaults", "description": "what every model of this file inherits, key by key"},
        "models": {"type": "array", "items": {"$ref": "#/$defs/ModelDefinition"}},
        "tests": {"type": "array", "items": {"$ref": "#/$defs/ModelTest"}, "description": "run by riskwatch check --test"},
    }
    return _document("models/*.yaml: what is watched, and how", _holder(properties, ["models"]), definitions)


def _project() -> Schema:
    schema, definitions = _parts(ProjectSettings)
    model, more = _parts(ModelDefinition)
    definitions |= {**more, "ProfileSettings": _partial(schema, without="profile"), "ModelDefaults": _partial(model, without="name")}
    properties = {
        **schema["properties"],
        "profiles": {
            "type": "object",
            "description": "settings that differ in a profile",
            "additionalProperties": {"$ref": "#/$defs/ProfileSettings"},
        },
        "models": _holder({"defaults": {"$ref": "#/$defs/ModelDefaults", "description": "what every model inherits, key by key"}}, []),
    }
    return _document("config/riskwatch.yaml: settings of the project", {**schema, "properties": properties}, definitions)


def _partial(schema: Schema, *, without: str) -> Schema:
    properties = {key: value for key, value in schema["properties"].items() if key != without}
    return {**{key: value for key, value in schema.items() if key not in {"required", "title"}}, "properties": properties}


def _holder(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **({"required": required} if required else {})}


if __name__ == "__main__":
    for made in write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        sys.stdout.write(f"{made}\n")
