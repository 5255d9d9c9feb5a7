"""Which regions are neighbours: for the spatial figures of the scope, and for scans over zones that hang together."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["borders_hash", "borders_of"]

FILE = Path("config") / "geo" / "adjacency.csv"


def borders_of(root: Path) -> tuple[tuple[str, str], ...]:
    """Return the pairs of neighbouring regions of a project; none where it has no such file."""
    path = root / FILE
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple((row["code_a"], row["code_b"]) for row in csv.DictReader(file))


def borders_hash(borders: Iterable[tuple[str, str]]) -> str:
    """Return a hash of the pairs, whatever their order and whichever of a pair stands first."""
    pairs = sorted({"|".join(sorted(pair)) for pair in borders})
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()
