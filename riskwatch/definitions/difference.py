"""What differs between two sets of definitions: value by value as they are in force, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.explanation import NO_DEFAULT, Explanation, explain
from riskwatch.definitions.overrides import words_of
from riskwatch.errors import ProjectError

__all__ = ["Change", "differences"]

Kind = Literal["added", "removed", "changed"]
_NAMES = ("name", "id")
_ABSENT = object()
# A definition that is there on one side only is one change, not one for each of its values.
_KINDS = {"models": "model", "sources": "source", "pipelines": "pipeline", "centres": "centre", "dimensions": "code list"}
_LONG = 80  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs.

    Attributes
    ----------
    path : str
        Dotted path, as ``riskwatch explain`` takes it; thresholds of overrides as ``models.NAME.overrides[SERIES].KEY``.
    kind : {"added", "removed", "changed"}
    before, after : object
        Values in force, built-in defaults included; None where there is none.
    description : str
        What the value means, with its unit.
    where : str
        ``file:line:column`` of the side that says it: after, or before for what was removed.
    """

    path: str
    kind: Kind
    before: Any
    after: Any
    description: str
    where: str

    def __str__(self) -> str:
        what = f"{self.path}: {self.words}"
        return what + (f"\n    {self.description}" if self.description else "") + (f"\n    {self.where}" if self.where else "")

    @property
    def words(self) -> str:
        """What became of the value: raised or lowered (with the factor) for numbers, switched on or off, set, left out."""
        if self.kind != "changed":
            # An override is one threshold of some series, and says little without its value; other parts may be whole definitions.
            value = self.after if self.kind == "added" else self.before
            return f"{self.kind}: {_text(value)}" if "[" in self.path else self.kind
        before, after = self.before, self.after
        if isinstance(before, bool) and isinstance(after, bool):
            return f"switched {'on' if after else 'off'}"
        if _number(before) and _number(after):
            factor = f" ({after / before:.3g} times)" if before > 0 and after > 0 else ""
            return f"{'raised' if after > before else 'lowered'} from {before} to {after}{factor}"
        if isinstance(before, list) and isinstance(after, list) and not any(isinstance(one, (dict, list)) for one in (*before, *after)):
            gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
            parts = [f"{word} {', '.join(map(str, some))}" for word, some in (("without", gone), ("with", new)) if some]
            return "; ".join(parts) or "in another order"
        return f"changed from {_text(before)} to {_text(after)}"


def differences(before: Definitions, after: Definitions) -> list[Change]:
    """Return every value that is in force otherwise in ``after`` than in ``before``, by path.

    Layout, comments, the order of definitions and of keys, and saying what is the default anyway are no differences. Entries of lists that
    have a name or an id are held against the entry of the same name.

    Parameters
    ----------
    before, after : Definitions
        Of two projects, or of one at two times.
    """
    found: list[Change] = []
    for head in sorted({*before.drafts, *after.drafts}, key=lambda path: tuple(map(str, path))):
        name = ".".join(map(str, head))
        if head not in before.drafts or head not in after.drafts:
            kind: Kind = "added" if head in after.drafts else "removed"
            side = after if kind == "added" else before
            found.append(Change(name, kind, None, None, _KINDS.get(str(head[0]), ""), _where(side, name)))
        elif before.hashes.get(name) != after.hashes.get(name):
            found += _within(name, before, after, before.drafts[head].data, after.drafts[head].data)
    return found


def _within(path: str, before: Definitions, after: Definitions, old: Any, new: Any) -> Iterator[Change]:
    """Yield the changes below a path; a part that only one side has is one change."""
    if old == new:
        return
    if path.endswith(".overrides") and path.startswith("models."):
        yield from _overrides(path, before, after, old, new)
        return
    ours, theirs = _entries(old), _entries(new)
    if ours is not None and theirs is not None:
        for key in sorted({*ours, *theirs}, key=str):
            yield from _within(f"{path}.{key}", before, after, ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
        return
    told = _told(after, path) or _told(before, path)
    default = _plain(told.default) if told is not None else _ABSENT
    values = [default if value is _ABSENT else value for value in (old, new)]
    if values[0] == values[1]:
        return
    absent = values.index(_ABSENT) if _ABSENT in values else None
    kind: Kind = "changed" if absent is None else "added" if absent == 0 else "removed"
    side = before if new is _ABSENT else after
    description = told.description if told is not None else ""
    first, second = (None if value is _ABSENT else value for value in values)
    yield Change(path, kind, first, second, description, _where(side, path))


def _overrides(path: str, before: Definitions, after: Definitions, old: Any, new: Any) -> Iterator[Change]:
    """Yield what differs in a model's overrides, threshold by threshold for the series that are meant; then their order, if it does."""
    ours, theirs = _thresholds(old), _thresholds(new)
    model = path.removesuffix(".overrides")
    for key in sorted({*ours, *theirs}):
        (first, here), (second, there) = ours.get(key, (_ABSENT, 0)), theirs.get(key, (_ABSENT, 0))
        if first == second:
            continue
        series, name = key
        side, number = (before, here) if second is _ABSENT else (after, there)
        told = _told(side, f"{model}.{name}")
        meaning = told.description if told is not None else ""
        general = f"for {series}; the model's other series: {_text(_plain(told.value))}" if told is not None else f"for {series}"
        kind: Kind = "added" if first is _ABSENT else "removed" if second is _ABSENT else "changed"
        told_values = [None if value is _ABSENT else value for value in (first, second)]
        description = "; ".join(filter(None, (general, meaning)))
        where = _where(side, f"{path}[{number}].{name}")
        yield Change(f"{path}[{series}].{name}", kind, told_values[0], told_values[1], description, where)
    shared = {series for series, _ in ours} & {series for series, _ in theirs}
    common = [[series for series in dict.fromkeys(series for series, _ in side) if series in shared] for side in (ours, theirs)]
    if common[0] != common[1]:
        note = "a later entry wins over an earlier one that means the same series"
        yield Change(path, "changed", common[0], common[1], note, _where(after, path))


def _thresholds(entries: Any) -> dict[tuple[str, str], tuple[Any, int]]:
    """Return what a list of overrides says: (series, key) -> value and the number of the entry that has the last word on it."""
    found: dict[tuple[str, str], tuple[Any, int]] = {}
    for number, entry in enumerate(entries if isinstance(entries, (list, tuple)) else ()):
        series = words_of(entry["where"])
        values = {name: value for name, value in entry.items() if name not in {"where", "parameters"}}
        values |= {f"parameters.{name}": value for name, value in (entry.get("parameters") or {}).items()}
        for name, value in values.items():
            found.pop((series, name), None)
            found[series, name] = (value, number)
    return found


def _entries(value: Any) -> Mapping[Any, Any] | None:
    """Return what a value holds by name; None where it is one value to be held against another as a whole."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(one, Mapping) for one in value):
        for key in _NAMES:
            names = [one.get(key) for one in value]
            if None not in names and len(set(map(str, names))) == len(names):
                return dict(zip(map(str, names), value, strict=True))
    return None


def _told(side: Definitions, path: str) -> Explanation | None:
    try:
        return explain(side, path)
    except ProjectError:
        return None  # an entry of a list goes by its name here and by its place there


def _where(side: Definitions, path: str) -> str:
    """Say where a value stands, or the nearest part that encloses it."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            origin = side.where(".".join(parts[:length]))
        except ProjectError:
            continue
        return str(origin)
    return ""


def _plain(value: Any) -> Any:
    return _ABSENT if value is NO_DEFAULT else list(value) if isinstance(value, tuple) else value


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False, default=str)
    return told if len(told) <= _LONG else told[: _LONG - 1] + "…"
