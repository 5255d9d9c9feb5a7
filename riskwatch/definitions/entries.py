"""One definition with its layers, and the collector of problems."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from riskwatch.definitions.layers import Layer, merge, speaker
from riskwatch.definitions.strict_yaml import Document, YamlPath
from riskwatch.definitions.validation import Finding, dotted, validate
from riskwatch.errors import Problem
from riskwatch.redaction import redacted

__all__ = ["Collector", "Draft", "Entry", "digest"]

ValueT = TypeVar("ValueT", bound=BaseModel)

_PROFILE = re.compile(r"\bprofile [\w-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the layers say about one definition, before it is typed."""

    kind: str
    name: str
    layers: tuple[Layer, ...]

    @property
    def data(self) -> dict[Any, Any]:
        """All layers merged, the highest last."""
        return merge([layer.data for layer in self.layers])

    @property
    def title(self) -> str:
        """How messages begin: ``model "injury-counts": ``."""
        return f'{self.kind} "{self.name}": ' if self.name else ""


@dataclass(frozen=True, slots=True)
class Entry(Generic[ValueT]):
    """One typed definition, where it stands, and its hash."""

    draft: Draft
    value: ValueT
    sha256: str

    @property
    def name(self) -> str:
        """Name of the definition."""
        return self.draft.name

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What it is made of, lowest first."""
        return self.draft.layers


@dataclass(slots=True)
class Collector:
    """Gathers problems; the same finding at the same place is kept once, however many definitions inherit it."""

    problems: list[Problem] = field(default_factory=list)
    _seen: set[tuple[str, int, int, str]] = field(default_factory=set)
    _unreadable: set[tuple[str, int, int]] = field(default_factory=set)

    def reader(self, problems: Iterable[Problem]) -> None:
        """Take the problems of reading a file; nothing more is said about the values they stand at."""
        for problem in problems:
            self.problems.append(problem)
            self._unreadable.add((problem.file, problem.line, problem.column))

    def add(self, draft: Draft, path: YamlPath, message: str, *, of_key: bool = False) -> None:
        """Report ``message`` at ``path`` of a definition."""
        layer = speaker(draft.layers, path)
        file, (line, column) = layer.position(path, of_key=of_key) if layer else (draft.kind, (1, 1))
        self._add(Problem(file, line, column, draft.title + message), message)

    def at(self, document: Document, path: YamlPath, message: str, *, of_key: bool = False) -> None:
        """Report ``message`` at ``path`` of a file."""
        self._add(document.problem(path, message, of_key=of_key), message)

    def findings(self, draft: Draft, findings: Sequence[Finding]) -> None:
        """Report what :func:`riskwatch.definitions.validation.validate` found."""
        for finding in findings:
            self.add(draft, finding.path, sentence(finding), of_key=finding.of_key)

    def entry(self, draft: Draft, model: type[ValueT]) -> Entry[ValueT] | None:
        """Type a draft; its problems are reported, and None returned if there are any."""
        value, findings = validate(model, draft.data)
        self.findings(draft, findings)
        return None if value is None else Entry(draft, value, digest(value.model_dump(mode="json")))

    def _add(self, problem: Problem, message: str) -> None:
        place = (problem.file, problem.line, problem.column)
        # What holds in several profiles is said for the first of them.
        kept = (*place, _PROFILE.sub("profile", message))
        if place in self._unreadable or kept in self._seen:
            return
        self._seen.add(kept)
        # What was found in place of a reference may be the secret itself.
        self.problems.append(replace(problem, message=redacted(problem.message)))


def sentence(finding: Finding) -> str:
    """Put the path in front of the message."""
    path = finding.path[:-1] if finding.of_key else finding.path
    return (f"{dotted(path)}: " if finding.of_key else f"{dotted(path)} ") + finding.message if path else finding.message


def digest(data: Any) -> str:
    """Return the sha256 of ``data`` in canonical JSON: comments, order of keys and layout do not change it."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
