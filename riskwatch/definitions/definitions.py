"""What a project says: typed definitions, their hashes, and where each value stands."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from riskwatch.definitions.entries import Draft
from riskwatch.definitions.layers import Origin, origin_of
from riskwatch.definitions.model_tests import ModelTest
from riskwatch.definitions.rooms import resolve
from riskwatch.definitions.secrets import is_reference
from riskwatch.definitions.secrets import resolve as resolve_secret
from riskwatch.definitions.strict_yaml import Key, YamlPath
from riskwatch.definitions.suggest import did_you_mean
from riskwatch.definitions.types import (
    Centre,
    DimensionFile,
    ModelDefinition,
    PipelineDefinition,
    ProjectSettings,
    SourceDefinition,
)
from riskwatch.errors import ProjectError

__all__ = ["Definitions"]


@dataclasses.dataclass(frozen=True, eq=False)
class Definitions:
    """All definitions of a project for one profile.

    Attributes
    ----------
    root : Path
        The project's folder.
    profile, profiles : str, tuple of str
        The profile in force, and all that the project knows.
    settings : ProjectSettings
        With overrides applied.
    sources, models, centres : mapping
        By name, those in force in ``profile``; ``all_sources`` and so on hold every one.
    pipelines : mapping
        By name.
    dimensions : tuple of DimensionFile
        Files of the trees in force.
    catalogues : mapping of str to mapping
        Content of ``config/<kind>.yaml`` by kind (``rooms.CATALOGUES``, and holidays), checked; see :meth:`catalogue`.
    hashes : mapping of str to str
        sha256 of what each definition says once inherited (``models.injury-counts``): layout and comments do not change it.
    files : mapping of str to str
        sha256 of the bytes of each file.
    drafts : mapping
        Layers of each definition, for provenance.
    environ : mapping
        The environment that the overrides were read from.
    tests : mapping
        Unit tests of models by name.
    """

    root: Path
    profile: str
    profiles: tuple[str, ...]
    settings: ProjectSettings
    sources: Mapping[str, SourceDefinition]
    models: Mapping[str, ModelDefinition]
    pipelines: Mapping[str, PipelineDefinition]
    centres: Mapping[str, Centre]
    dimensions: tuple[DimensionFile, ...]
    all_sources: Mapping[str, SourceDefinition]
    all_models: Mapping[str, ModelDefinition]
    all_centres: Mapping[str, Centre]
    all_dimensions: tuple[DimensionFile, ...]
    catalogues: Mapping[str, Mapping[Any, Any]]
    hashes: Mapping[str, str]
    files: Mapping[str, str]
    drafts: Mapping[YamlPath, Draft] = dataclasses.field(repr=False)
    environ: Mapping[str, str] = dataclasses.field(repr=False)
    tests: Mapping[str, ModelTest] = dataclasses.field(default_factory=dict)

    def catalogue(self, kind: str) -> Mapping[Any, Any]:
        """Return the content of ``config/<kind>.yaml``; empty where the project has none."""
        return self.catalogues.get(kind, {})

    @property
    def data(self) -> Path:
        """Folder that ``{data}`` stands for."""
        return self.root / self.settings.data

    @property
    def var(self) -> Path:
        """Folder that ``{var}`` stands for: the database, digests and locks of this profile."""
        return self.root / self.settings.var / self.profile

    def path(self, template: str) -> Path:
        """Resolve ``{data}`` and ``{var}`` in a path; relative paths start at the project's folder.

        Raises
        ------
        ProjectError
            If the template has another placeholder.
        """
        try:
            return resolve(template, {"root": self.root, "data": self.data, "var": self.var})
        except (KeyError, IndexError, ValueError) as error:
            raise ProjectError(f"path {template!r}: unknown placeholder {error}", hint="known: {data}, {var}") from None

    def database_url(self) -> str:
        """Return the SQLAlchemy URL, placeholders, ``env:NAME`` and ``file:PATH`` resolved. It may hold a password: never log it.

        Raises
        ------
        ProjectError
            If the environment variable is not set, or the file cannot be used.
        """
        text = self.settings.database
        if is_reference(text):
            return self.secret(text, "settings.database")
        return text.replace("{var}", self.var.resolve().as_posix()).replace("{data}", self.data.resolve().as_posix())

    def secret(self, reference: str, what: str) -> str:
        """Return the secret that ``env:NAME`` or ``file:PATH`` names; ``what`` says in messages where it stands.

        Raises
        ------
        ProjectError
            If it cannot be had; see :func:`riskwatch.definitions.secrets.resolve`.
        """
        return resolve_secret(reference, root=self.root, environ=self.environ, what=what)

    def where(self, path: str) -> Origin:
        """Say where the value at a dotted path comes from (``models.injury-counts.parameters.alpha``).

        Raises
        ------
        ProjectError
            If no definition is meant.
        """
        head, tail = self.split(path)
        draft = self.drafts[head]
        return origin_of(draft.layers, tail)

    def split(self, path: str) -> tuple[YamlPath, YamlPath]:
        """Split a dotted path into the definition that is meant and the path within it.

        Raises
        ------
        ProjectError
            If no definition is meant; the message names the nearest.
        """
        parts = [part for part in re.split(r"[.\[\]]+", path) if part]
        heads = {tuple(map(str, head)): head for head in self.drafts}
        for length in range(len(parts), 0, -1):
            head = heads.get(tuple(parts[:length]))
            if head is not None:
                return head, _keys(self.drafts[head].data, parts[length:])
        known = sorted(".".join(map(str, head)) for head in self.drafts)
        near = did_you_mean(".".join(parts[:2]), known) or f"; known: {', '.join(dict.fromkeys(name.split('.')[0] for name in known))}"
        raise ProjectError(f'no definition is called "{path}"{near}')


def _keys(data: Any, parts: Sequence[str]) -> YamlPath:
    """Turn ``["levels", "0", "product"]`` into ``("levels", 0, "product")``: what a part means depends on what holds it."""
    path: list[Key] = []
    for part in parts:
        key: Key = part
        if isinstance(data, Mapping):
            key = next((known for known in data if str(known) == part), part)
            data = data.get(key)
        elif isinstance(data, (list, tuple)) and part.isdecimal():
            key = int(part)
            data = data[key] if key < len(data) else None
        else:
            data = None
        path.append(key)
    return tuple(path)
