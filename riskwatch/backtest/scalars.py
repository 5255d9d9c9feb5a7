"""Change single values of a YAML text and nothing else: comments, order, quotes and every other byte stay."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from riskwatch.errors import ProjectError

__all__ = ["edited", "unified", "value_at", "written"]


def written(value: bool | float | str) -> str:
    """Return a value as it stands in YAML: numbers without an exponent, which some readers take for a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)


def value_at(text: str, path: str) -> Any:
    """Return the value at a dotted path of mapping keys.

    Raises
    ------
    ProjectError
        If there is none.
    """
    found: Any = YAML(typ="safe", pure=True).load(text)
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise ProjectError(f"tune: no value at {path}", hint="`riskwatch explain grading` lists what there is")
        found = found[key]
    return found


def edited(text: str, changes: Mapping[str, bool | float | str]) -> str:
    """Return ``text`` with the scalars at some paths replaced.

    Parameters
    ----------
    text : str
        One YAML document, a mapping.
    changes : mapping of str to scalar
        Dotted path of mapping keys -> new value. Quoted values stay quoted as they were.

    Raises
    ------
    ProjectError
        If a path leads to no plain value, or the new text would not say exactly what was asked for (an anchor that others share, say).
    """
    root = YAML(typ="safe", pure=True).compose(text)
    places = sorted(((_scalar(root, path), value) for path, value in changes.items()), key=lambda one: -one[0].start_mark.index)
    new = text
    for node, value in places:
        told = f"{node.style}{written(value)}{node.style}" if node.style in {"'", '"'} else written(value)
        new = new[: node.start_mark.index] + told + new[node.end_mark.index :]
    safe = YAML(typ="safe", pure=True)
    wanted = safe.load(text)
    try:
        got = safe.load(new)
    except YAMLError:  # an anchor went with its value
        got = None
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = wanted
        for key in parents:
            at = at[key]
        at[last] = value
    if got != wanted:
        raise ProjectError(
            f"tune: {', '.join(changes)} cannot be changed alone", hint="write the value out where an anchor or a tag is used"
        )
    return new


def _scalar(root: Node | None, path: str) -> ScalarNode:
    node = root
    for key in path.split("."):
        if not isinstance(node, MappingNode):
            node = None
            break
        node = next((value for name, value in node.value if name.value == key), None)
    if not isinstance(node, ScalarNode):
        raise ProjectError(f"tune: no plain value at {path}")
    return node


def unified(before: str, after: str, name: str) -> str:
    """Return what differs as a unified diff that ``git apply`` and ``patch -p1`` take; "" where nothing does."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
