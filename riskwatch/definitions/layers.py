"""Layered values: who said what, and who has the last word."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from riskwatch.definitions.strict_yaml import Document, Position, YamlPath

__all__ = ["DEFAULT", "Layer", "Origin", "hide_password", "merge", "origin_of", "speaker"]

_PASSWORD = re.compile(r"(://[^/@:\s]*:)[^@/\s]+@")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes
    ----------
    kind : {"default", "file", "environment", "command line"}
        What sort of place.
    file, line, column : str, int, int
        The place in a file.
    name : str
        The environment variable or the override as given.
    """

    kind: Literal["default", "file", "environment", "command line"]
    file: str = ""
    line: int = 0
    column: int = 0
    name: str = ""

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.file}:{self.line}:{self.column}"
        if self.kind == "default":
            return "built-in default"
        return f"{self.kind} {self.name}".strip()


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place: part of a document, an environment variable, or the command line.

    Attributes
    ----------
    data : mapping
        What it says, in the shape of the definition.
    document : Document, optional
        The file it stands in, with ``base`` the path of ``data`` there.
    origin : Origin, optional
        Where it comes from if not from a file.
    """

    data: Mapping[Any, Any]
    document: Document | None = None
    base: YamlPath = ()
    origin: Origin = DEFAULT

    def has(self, path: YamlPath) -> bool:
        """Tell whether this layer says anything at ``path``."""
        here: Any = self.data
        for part in path:
            in_list = isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here)
            if not in_list and not (isinstance(here, Mapping) and part in here):
                return False
            here = here[part]
        return True

    def locate(self, path: YamlPath, *, of_key: bool = False) -> Origin:
        """Say where ``path`` stands."""
        if self.document is None:
            return self.origin
        line, column = self.document.position(self.base + path, of_key=of_key)
        return Origin("file", self.document.file, line, column)

    def position(self, path: YamlPath, *, of_key: bool = False) -> tuple[str, Position]:
        """File name and position for a problem; the variable or override, at 1:1, where there is no file."""
        if self.document is None:
            return str(self.origin), (1, 1)
        return self.document.file, self.document.position(self.base + path, of_key=of_key)


def merge(layers: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Lay mappings over one another, lowest first.

    Mappings merge key by key, at any depth, so that an override of one parameter never resets another; lists and single values replace.
    """
    merged: dict[Any, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
                merged[key] = merge([merged[key], value])
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def origin_of(layers: Sequence[Layer], path: YamlPath, *, of_key: bool = False) -> Origin:
    """Say which layer has the last word on ``path``; the nearest enclosing part where none names it."""
    layer = speaker(layers, path)
    return layer.locate(path, of_key=of_key) if layer else DEFAULT


def speaker(layers: Sequence[Layer], path: YamlPath) -> Layer | None:
    """Return the highest layer that says anything at ``path``, or at the nearest part that encloses it."""
    # A part that nobody names is looked for in files first: that is where it can be added.
    in_files_first = [*filter(_in_file, reversed(layers)), *reversed(layers)]
    for length in range(len(path), -1, -1):
        for layer in reversed(layers) if length == len(path) else in_files_first:
            if layer.has(path[:length]):
                return layer
    return None


def hide_password(text: str) -> str:
    """Return ``text`` without the password of a URL in it."""
    return _PASSWORD.sub(r"\1***@", text)


def _in_file(layer: Layer) -> bool:
    return layer.document is not None
