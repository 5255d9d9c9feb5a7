"""Strict YAML: plain data, the position of every key and value, and every problem of a file at once.

A file is read as a stream of parser events and turned into data here, so that nothing is resolved behind the reader's back.
Only what cannot be misread is accepted: ``null``, ``true``, ``false``, decimal numbers without leading zeros, and text. Everything
that readers of YAML 1.1 and 1.2 are known to disagree about (``010000``, ``12:30``, ``no``, ``1_000``, ``0x1F``) is a problem that says
how to write it.
Dates stay text; the definition's type turns them into dates.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from riskwatch.definitions.scalars import read_scalar
from riskwatch.errors import Problem

__all__ = ["Document", "Key", "Position", "YamlPath", "parse_yaml", "read_yaml"]

Key = str | int
YamlPath = tuple[Key, ...]
Position = tuple[int, int]

MAX_BYTES = 4_000_000
MAX_NODES = 200_000
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain data with the position of each part.

    Attributes
    ----------
    file : str
        Name as shown in messages, relative to the project.
    data : Any
        Mappings, lists, text, numbers, booleans and None.
    values, keys : mapping of path to (line, column)
        1-based positions of each value, and of each key of a mapping.
    sha256 : str
        Of the bytes of the file.
    """

    file: str
    data: Any
    values: Mapping[YamlPath, Position]
    keys: Mapping[YamlPath, Position]
    sha256: str = ""

    def position(self, path: YamlPath, *, of_key: bool = False) -> Position:
        """Line and column of the value at ``path`` (or of its key), or of the nearest part that encloses it."""
        if of_key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return (1, 1)

    def problem(self, path: YamlPath, message: str, *, of_key: bool = False) -> Problem:
        """Make a problem positioned at ``path``."""
        line, column = self.position(path, of_key=of_key)
        return Problem(self.file, line, column, message)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """What an anchor stands for; marks are relative to it, so that an alias can repeat them at another path."""

    data: Any
    values: Mapping[YamlPath, Position]
    keys: Mapping[YamlPath, Position]


class _TooLargeError(Exception):
    """The file expands to more nodes, or nests deeper, than any definition needs."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


@dataclass(slots=True)
class _Builder:
    file: str
    problems: list[Problem] = field(default_factory=list)
    values: dict[YamlPath, Position] = field(default_factory=dict)
    keys: dict[YamlPath, Position] = field(default_factory=dict)
    anchors: dict[str, _Anchor | None] = field(default_factory=dict)
    nodes: int = 0

    def report(self, position: Position, message: str) -> None:
        self.problems.append(Problem(self.file, *position, message))

    def count(self, number: int, position: Position) -> None:
        self.nodes += number
        if self.nodes > MAX_NODES:
            raise _TooLargeError(f"expands to more than {MAX_NODES} values (aliases repeated too often?)", position)

    def node(self, event: Event, events: Iterator[Event], path: YamlPath) -> Any:
        position = _start(event)
        if len(path) > MAX_DEPTH:
            raise _TooLargeError(f"nested deeper than {MAX_DEPTH} levels", position)
        self.values[path] = position
        if isinstance(event, AliasEvent):
            return self.alias(event, path, position)
        self.count(1, position)
        if not isinstance(event, NodeEvent):  # pragma: no cover - the parser yields nodes only here
            raise TypeError(f"unexpected YAML event {event!r}")
        tag = getattr(event, "tag", None)
        if tag:
            self.report(position, f"tag {_shown_tag(str(tag))} is not allowed: write plain text, numbers, lists and mappings")
        anchor = event.anchor
        if anchor:
            if anchor in self.anchors:
                self.report(position, f"anchor &{anchor} is defined twice")
            self.anchors[anchor] = None
        if isinstance(event, ScalarEvent):
            data: Any = self.scalar(event, position)
        elif isinstance(event, SequenceStartEvent):
            data = self.sequence(events, path)
        else:
            data = self.mapping(events, path)
        if anchor:
            self.anchors[anchor] = _Anchor(data, _relative(self.values, path), _relative(self.keys, path))
        return data

    def alias(self, event: AliasEvent, path: YamlPath, position: Position) -> Any:
        name = str(event.anchor)
        if name not in self.anchors:
            self.report(position, f"alias *{name} has no anchor before it")
            return None
        anchor = self.anchors[name]
        if anchor is None:
            self.report(position, f"alias *{name} contains itself")
            return None
        self.count(len(anchor.values), position)
        self.values.update({path + tail: mark for tail, mark in anchor.values.items() if tail})
        self.keys.update({path + tail: mark for tail, mark in anchor.keys.items() if tail})
        return anchor.data

    def scalar(self, event: ScalarEvent, position: Position) -> Any:
        text = str(event.value)
        if event.style is not None:
            return text
        value, complaint = read_scalar(text)
        if complaint:
            self.report(position, complaint)
        return value

    def sequence(self, events: Iterator[Event], path: YamlPath) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, CollectionEndEvent):
                break
            items.append(self.node(event, events, (*path, len(items))))
        return items

    def mapping(self, events: Iterator[Event], path: YamlPath) -> dict[Key, Any]:
        entries: dict[Key, Any] = {}
        for event in events:
            if isinstance(event, CollectionEndEvent):
                break
            position = _start(event)
            key = self.key(event, events, position)
            if key is None:
                # The value is still read: it may hold problems of its own.
                self.node(next(events), events, (*path, "?"))
                continue
            here = (*path, key)
            if key in entries:
                self.report(position, f"duplicate key {_quoted(key)}, first given in line {self.keys[here][0]}")
                first, kept = self.values.copy(), self.keys.copy()
                self.node(next(events), events, here)
                self.values, self.keys = first, kept
                continue
            self.keys[here] = position
            entries[key] = self.node(next(events), events, here)
        return entries

    def key(self, event: Event, events: Iterator[Event], position: Position) -> Key | None:
        if not isinstance(event, ScalarEvent):
            self.report(position, "a key must be text")
            self.node(event, events, ("?",))
            return None
        text = str(event.value)
        if event.tag:
            self.report(position, f"tag {_shown_tag(str(event.tag))} is not allowed on a key")
        if event.anchor:
            self.report(position, f"anchor &{event.anchor} is not allowed on a key")
        if event.style is not None:
            return text
        if text == "<<":
            self.report(position, "merge key << is not allowed: use the file's `defaults` block")
            return None
        value, complaint = read_scalar(text)
        if complaint:
            self.report(position, complaint)
        if isinstance(value, bool) or value is None or isinstance(value, float):
            self.report(position, f'key {text or "(empty)"} is not text: write "{text}" in quotes')
            return text
        return value if isinstance(value, int) else text


def read_yaml(path: Path, file: str) -> tuple[Document | None, list[Problem]]:
    """Read one file strictly.

    Parameters
    ----------
    path : Path
        The file.
    file : str
        Its name in messages.

    Returns
    -------
    document : Document or None
        None where the file cannot be read or parsed at all. It is returned with problems where the rest can still be checked.
    problems : list of Problem
        All of them.
    """
    try:
        with path.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Problem(file, 1, 1, f"cannot be read: {error.strerror or error}")]
    return parse_yaml(content, file)


def parse_yaml(content: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """Parse the bytes of a file; see :func:`read_yaml`. The data of a document are not to be changed: they may be handed out again."""
    document, problems = _parse(content, file)
    return document, list(problems)


# Definitions are read again and again within one process (check, then run; notebooks), and the parser is the slow part.
@functools.lru_cache(maxsize=128)
def _parse(content: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    if len(content) > MAX_BYTES:
        return None, [Problem(file, 1, 1, f"is larger than {MAX_BYTES} bytes")]
    text, problems = _decode(content, file)
    if text is None:
        return None, problems
    tabs = _indented_by_tab(text, file)
    if tabs:
        return None, problems + tabs
    builder = _Builder(file, problems)
    try:
        data = _compose(text, builder)
    except _TooLargeError as error:
        builder.report(error.position, str(error))
        return None, builder.problems
    except RecursionError:
        return None, [*builder.problems, Problem(file, 1, 1, f"nested deeper than {MAX_DEPTH} levels")]
    except MarkedYAMLError as error:
        return None, [*builder.problems, _syntax_problem(error, text, file)]
    except ReaderError as error:
        before = text[: error.position]
        character = f"character U+{ord(text[error.position]):04X} is not allowed in YAML"
        return None, [*problems, Problem(file, before.count("\n") + 1, len(before) - before.rfind("\n"), character)]
    except YAMLError as error:  # pragma: no cover - the two above are all that the parser raises today
        return None, [*builder.problems, Problem(file, 1, 1, str(error))]
    digest = hashlib.sha256(content).hexdigest()
    document = Document(file, data, builder.values, builder.keys, digest)
    if data is None:
        return None, [*builder.problems, Problem(file, 1, 1, "is empty")]
    return document, builder.problems


def _compose(text: str, builder: _Builder) -> Any:
    events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
    data: Any = None
    documents = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if event.version:
                builder.report(_start(event), "a %YAML directive is not allowed")
            if event.tags:
                builder.report(_start(event), "a %TAG directive is not allowed")
            if documents > 1:
                builder.report(_start(event), "a second document begins here: one file holds one document")
        elif isinstance(event, NodeEvent):
            if documents == 1:
                data = builder.node(event, events, ())
            else:
                # Read on for syntax problems, at paths that nobody looks up.
                builder.node(event, events, ("?",))
    return data


def _decode(content: bytes, file: str) -> tuple[str | None, list[Problem]]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, [Problem(file, 1, 1, "is UTF-16: save it as UTF-8 without a byte order mark")]
    problems = []
    if content.startswith(b"\xef\xbb\xbf"):
        problems.append(Problem(file, 1, 1, "begins with a byte order mark: save it as UTF-8 without one"))
        content = content[3:]
    try:
        return content.decode("utf-8"), problems
    except UnicodeDecodeError as error:
        good = content[: error.start].decode("utf-8")
        looks = ""
        try:
            content.decode("gb18030")
            looks = " (it looks like GB18030)"
        except UnicodeDecodeError:
            pass
        message = f"byte 0x{content[error.start]:02X} is not UTF-8{looks}: save the file as UTF-8"
        return None, [*problems, Problem(file, good.count("\n") + 1, len(good) - good.rfind("\n"), message)]


def _indented_by_tab(text: str, file: str) -> list[Problem]:
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip():
            problems.append(Problem(file, number, indent.index("\t") + 1, "tab in the indentation: use spaces"))
    return problems


def _syntax_problem(error: MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    what = str(error.problem or error.context or "not YAML").strip()
    context = f" {error.context}" if error.problem and error.context else ""
    lines = text.split("\n")
    # The parser stops at the line after the culprit when that line was taken for the beginning of a longer text.
    near = [shown for shown in range(max(0, line - 1), line + 1) if shown < len(lines) and re.match(r"\s*(- )?[^\s#:\"']+：", lines[shown])]
    hint = f" (line {near[0] + 1} has a full-width colon ： where YAML wants ': ')" if near else ""
    return Problem(file, line + 1, column + 1, f"not valid YAML: {what}{context}{hint}")


def _relative(marks: Mapping[YamlPath, Position], path: YamlPath) -> dict[YamlPath, Position]:
    size = len(path)
    return {known[size:]: mark for known, mark in marks.items() if known[:size] == path}


def _start(event: Event) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _shown_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _quoted(key: Key) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key)
