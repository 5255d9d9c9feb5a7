"""Which code this is: a hash of the package's own files, for results that outlive the process."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection
from pathlib import Path

import riskwatch

__all__ = ["code_hash"]

# What is no part of how a day is decided: faces, senders, drawing, and what makes data up.
FACES = ("api.py", "backtest", "cli", "datasets", "delivery", "plots", "reports", "scheduling", "template")
_READ = frozenset({".py", ".j2", ".json", ".csv", ".yaml", ".txt"})


@functools.cache
def code_hash(without: Collection[str] = FACES) -> str:
    """Return the sha256 of the package's files, names included; compiled files and caches do not count.

    Parameters
    ----------
    without : tuple of str
        First parts of paths inside the package that are left out.
    """
    root = Path(str(riskwatch.__file__)).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in _READ):
        inside = path.relative_to(root)
        if inside.parts[0] not in without:
            digest.update(inside.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
