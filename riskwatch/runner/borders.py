"""Which regions are neighbours, for the spatial figures of the scope."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["borders_of"]

FILE = Path("config") / "geo" / "adjacency.csv"


def borders_of(root: Path) -> tuple[tuple[str, str], ...]:
    """Return the pairs of neighbouring regions of a project; none where it has no such file."""
    path = root / FILE
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple((row["code_a"], row["code_b"]) for row in csv.DictReader(file))
