"""What assessment needs of code-list trees and calendars; the real ones live in other rooms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import pandas as pd

from riskwatch.errors import DimensionError

__all__ = ["Tree", "TreePaths", "WorkCalendar", "tree_of"]


@runtime_checkable
class Tree(Protocol):
    """A dimension tree (product, industry or region).

    Attributes
    ----------
    attributes : pandas.DataFrame
        Indexed by code. Read if there: ``units_in_use``, ``lifetime_years``, ``vulnerable``, ``hazards`` (products),
        ``population`` (regions).
    """

    attributes: pd.DataFrame

    def path(self, code: str) -> Sequence[str]:
        """Return the codes from the root down to ``code``, both included."""

    def level_of(self, code: str) -> str:
        """Return the name of the level on which ``code`` lies."""

    def name(self, code: str, language: str) -> str:
        """Return the name of ``code`` in ``zh`` or ``en``."""


@runtime_checkable
class WorkCalendar(Protocol):
    """Knows working days, adjusted workdays included (``riskwatch.calendar.HolidayCalendar`` is one)."""

    def add_working_days(self, start: dt.date, n: int) -> dt.date:
        """Return the ``n``-th working day after ``start``; the day itself is not counted. RiskwatchError for an unknown year."""


def tree_of(trees: object, dimension: str) -> Tree | None:
    """Return the tree of ``dimension`` from a mapping or an object with attributes; None where there is none."""
    found = trees.get(dimension) if isinstance(trees, Mapping) else getattr(trees, dimension, None)
    return cast("Tree | None", found)


class TreePaths:
    """Cached ancestor paths of a tree that answer "" and unknown codes without failing.

    "" stands for the sum over the whole tree and is above every code.
    """

    def __init__(self, tree: Tree | None) -> None:
        self.tree = tree
        self._paths: dict[str, tuple[str, ...]] = {"": ()}

    def path(self, code: str) -> tuple[str, ...]:
        """Return the codes from the root to ``code``; an unknown code is its own root."""
        known = self._paths.get(code)
        if known is None:
            known = self._read(code)
            self._paths[code] = known
        return known

    def _read(self, code: str) -> tuple[str, ...]:
        if self.tree is None:
            return (code,)
        try:
            codes = tuple(str(part) for part in self.tree.path(code))
        except (LookupError, ValueError, DimensionError):
            return (code,)
        if code not in codes:
            return (*codes, code)
        return codes if codes[-1] == code else codes[::-1]

    def within(self, code: str, ancestor: str) -> bool:
        """Whether ``code`` is ``ancestor`` or lies below it; everything lies within ""."""
        return not ancestor or ancestor in self.path(code)

    def leaves(self, code: str) -> tuple[str, ...]:
        """Return the codes below ``code`` that have none below them, of those with attributes; sorted."""
        codes = [] if self.tree is None else [str(one) for one in self.tree.attributes.index]
        below = [one for one in codes if one != code and self.within(one, code)]
        above = {part for one in below for part in self.path(one)[:-1]}
        return tuple(sorted(one for one in below if one not in above))

    def common(self, codes: Sequence[str]) -> str:
        """Return the deepest code that is above (or equal to) all ``codes``; "" where there is none."""
        paths = [self.path(code) for code in codes]
        shared = ""
        for parts in zip(*paths, strict=False):
            if len(set(parts)) > 1:
                break
            shared = parts[0]
        return shared

    def level(self, code: str) -> str:
        """Return the level of ``code``; "" where unknown."""
        if not code or self.tree is None:
            return ""
        try:
            return str(self.tree.level_of(code))
        except (LookupError, ValueError, DimensionError):
            return ""

    def at_level(self, code: str, level: str) -> str:
        """Return the ancestor of ``code`` on ``level``; "" where it has none."""
        for part in self.path(code):
            if self.level(part) == level:
                return part
        return ""

    def name(self, code: str, language: str) -> str:
        """Return the name of ``code``, or the code where the tree has none."""
        if not code or self.tree is None:
            return code
        try:
            return str(self.tree.name(code, language)) or code
        except (LookupError, ValueError, DimensionError):
            return code

    def attribute(self, code: str, name: str, *, inherit: bool = False) -> Any:
        """Return attribute ``name`` of ``code`` (with ``inherit``: of the nearest ancestor that has one); None where there is none."""
        if self.tree is None or not code:
            return None
        frame = self.tree.attributes
        if name not in frame.columns:
            return None
        for part in reversed(self.path(code)) if inherit else (code,):
            value: Any = frame.loc[part, name] if part in frame.index else None
            if value is not None and not pd.isna(value) and str(value).strip():
                return value
        return None
