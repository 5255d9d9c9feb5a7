"""``did you mean "injury"?``: the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "unknown"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the nearest of ``known``, or an empty string."""
    lower = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.lower().replace("_", "-"), [key.replace("_", "-") for key in lower], n=1, cutoff=0.6)
    for key, candidate in lower.items():
        if near and key.replace("_", "-") == near[0]:
            return f'; did you mean "{candidate}"?'
    return ""


def unknown(kind: str, name: str, known: Iterable[str], *, within: str = "", limit: int = 12) -> str:
    """Say that ``name`` is no known ``kind`` (``within`` a stream or profile), with the nearest name or, if none is near, what there is."""
    names = sorted(known)
    message = f'unknown {kind} "{name}"' + (f" in {within}" if within else "")
    near = did_you_mean(name, names)
    if near:
        return message + near
    if not names:
        return f"{message}; there is none"
    shown = ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
    return f"{message}; known: {shown}"
