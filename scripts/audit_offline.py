"""Audit pinned versions against a folder of advisories (OSV, one YAML or JSON file each), for machines without a network.

``.venv/bin/python scripts/audit_offline.py constraints.txt FOLDER``, where FOLDER is a copy of https://github.com/pypa/advisory-database.
Ends with 1 for a known vulnerability, with 2 where FOLDER holds no advisories.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from ruamel.yaml import YAML


def pinned(path: Path) -> dict[str, Version]:
    """Return the versions that a file of constraints pins, by name."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): Version(next(iter(one.specifier)).version) for one in wanted}


def advisories(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield every advisory below ``folder``."""
    yaml = YAML(typ="safe")
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json" or path.suffix in {".yaml", ".yml"}:
            text = path.read_text(encoding="utf-8")
            content = json.loads(text) if path.suffix == ".json" else yaml.load(text)
            if isinstance(content, dict) and "affected" in content and "withdrawn" not in content:
                yield content


def concerns(version: Version, affected: Mapping[str, Any]) -> bool:
    """Whether a version is listed, or lies in a range (OSV: introduced <= version < fixed, or <= last_affected)."""
    if any(_version(text) == version for text in affected.get("versions", ())):
        return True
    for span in affected.get("ranges", ()):
        inside = False
        for event in span["events"] if span["type"] == "ECOSYSTEM" else ():
            ((what, text),) = event.items()
            limit = Version("0.dev0") if text == "0" else _version(text)
            if limit is None:
                continue
            if what == "introduced" and version >= limit:
                inside = True
            elif (what == "fixed" and version >= limit) or (what == "last_affected" and version > limit):
                inside = False
        if inside:
            return True
    return False


def _version(text: object) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:
        return None


def main(constraints: str, folder: str) -> int:
    """Print what is known of the pinned versions; return the exit code."""
    versions = pinned(Path(constraints))
    read, newest, found = 0, "", []
    for one in advisories(Path(folder)):
        read, newest = read + 1, max(newest, str(one.get("modified", "")))
        for affected in one["affected"]:
            name = canonicalize_name(affected["package"]["name"])
            if affected["package"]["ecosystem"] == "PyPI" and name in versions and concerns(versions[name], affected):
                found.append(f"audit: {name} {versions[name]}: {one['id']} {' '.join(one.get('aliases', []))}")
    if not read:
        sys.stderr.write(f"audit: NOT MADE: no advisories in {folder}\n")
        return 2
    known = sorted(set(found))
    sys.stdout.write("".join(f"{line}\n" for line in known))
    of = f"{read:,} advisories, the newest of {newest[:10]}"
    sys.stdout.write(f"audit: {len(versions)} packages looked up in {of}; {len(known)} known vulnerabilities\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
