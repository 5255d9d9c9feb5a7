"""Every form of a digest as a run published it, compared byte for byte with the same form made again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

__all__ = ["ComparedForm", "compare_forms"]

_SHOWN = 60  # characters of a line: a page's pictures are lines of a hundred thousand
_BEFORE = 15


@dataclass(frozen=True)
class ComparedForm:
    """One form of a centre's digest.

    Attributes
    ----------
    made : {"identical", "differs", "not made"}
        What was made again, beside what the run recorded.
    file : {"as published", "changed since", "not there"}
        The file that the run wrote, beside what the run recorded; no matter of what was made again.
    line : str
        First line that differs, as published and as made again; "" where the published file is not there to be read.
    """

    made: str
    file: str
    line: str = ""

    @property
    def identical(self) -> bool:
        """Whether the bytes made again are those that the run published."""
        return self.made == "identical"


def compare_forms(recorded: Mapping[str, str], made: Mapping[str, str], stem: Path) -> dict[str, ComparedForm]:
    """Compare the forms of one centre.

    Parameters
    ----------
    recorded : mapping of str to str
        Form -> sha256 that the run kept.
    made : mapping of str to str
        Form -> text as made again.
    stem : Path
        Of the published files, without the form.
    """
    found = {}
    for form, known in recorded.items():
        published = _read(stem.with_name(f"{stem.name}.{form}"))
        file = "not there" if published is None else "as published" if _sha256(published) == known else "changed since"
        again = made.get(form)
        if again is None:
            found[form] = ComparedForm("not made", file)
        elif _sha256(again.encode()) == known:
            found[form] = ComparedForm("identical", file)
        else:
            line = _first_difference(published, again.encode()) if published is not None and file == "as published" else ""
            found[form] = ComparedForm("differs", file, line)
    return found


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _first_difference(before: bytes, after: bytes) -> str:
    lines = zip_longest(before.decode(errors="replace").split("\n"), after.decode(errors="replace").split("\n"))
    number, (old, new) = next((number, pair) for number, pair in enumerate(lines, start=1) if pair[0] != pair[1])
    at = next(
        (at for at, pair in enumerate(zip(old or "", new or "", strict=False)) if pair[0] != pair[1]), min(len(old or ""), len(new or ""))
    )
    return f"line {number}: {_part(old, at)} published, {_part(new, at)} now"


def _part(line: str | None, at: int) -> str:
    """Return what of a line stands around the first character that differs."""
    if line is None:
        return "no such line"
    start = max(0, at - _BEFORE)
    text = line[start : start + _SHOWN]
    return f'"{"…" if start else ""}{text}{"…" if start + _SHOWN < len(line) else ""}"'
