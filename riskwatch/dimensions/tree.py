"""One code tree: who is above whom, what each code is called, and the same asked of millions of values at once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions.crosswalk import Crosswalk
from riskwatch.errors import DimensionError

__all__ = ["Tree"]

_FIRST, _LAST = np.datetime64("0001-01-01"), np.datetime64("9999-12-31")
Codes = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Tree:
    """A dimension's codes and their order.

    Parameters
    ----------
    dimension : str
        ``product``, ``industry`` or ``region``.
    codes : pandas.Index of str
        Unique codes.
    parent : array of int, shape (codes,)
        Position of the parent in ``codes``; -1 for a root.
    level : array of str, shape (codes,)
        Name of each code's level.
    name_zh, name_en : array of str, shape (codes,)
        Labels; an empty one falls back to the other language.
    valid_from, valid_to : array of datetime64[D], shape (codes,)
        First and last day of validity; NaT is open.
    attributes : DataFrame, indexed by code
        Further columns of the files, as text.
    places : sequence of str
        ``file:line`` of each code, for messages.
    crosswalk : Crosswalk
        Moved codes.

    Raises
    ------
    DimensionError
        If codes repeat, parents make a cycle, or levels do not lie in one order; the message lists every finding.

    Notes
    -----
    Arrays of codes may be a numpy array, list, Series or Categorical. A Categorical (or a categorical Series) is worked on by its
    categories and comes back as one: pass categoricals where there are millions of rows.
    """

    dimension: str
    codes: pd.Index
    parent: npt.NDArray[np.int64]
    level: Codes
    name_zh: Codes
    name_en: Codes
    valid_from: npt.NDArray[np.datetime64]
    valid_to: npt.NDArray[np.datetime64]
    attributes: pd.DataFrame
    places: Sequence[str] = ()
    crosswalk: Crosswalk = field(default_factory=Crosswalk)
    levels: tuple[str, ...] = field(init=False)
    depth: npt.NDArray[np.int64] = field(init=False)
    # [depth x code]: position of the ancestor (or itself) at that depth, -1 below the code.
    _lineage: npt.NDArray[np.int64] = field(init=False, repr=False)
    # [level x code]: position of the ancestor (or itself) of that level, -1 if none.
    _at_level: npt.NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size = len(self.codes)
        problems = [
            f"{self._place(position)}: {self.dimension} code {self.codes[position]!r} appears twice"
            for position in np.flatnonzero(self.codes.duplicated()).tolist()
        ]
        depth = self._depths()
        problems += [
            f"{self._place(position)}: {self.dimension} code {self.codes[position]!r} is its own ancestor (cycle through parent "
            f"{self.codes[self.parent[position]]!r})"
            for position in np.flatnonzero(depth < 0).tolist()
        ]
        if problems:
            raise DimensionError("\n".join(problems))
        lineage = np.full((int(depth.max(initial=-1)) + 1, size), -1, dtype=np.int64)
        columns = np.arange(size)
        current = columns.copy()
        while (current >= 0).any():
            some = current >= 0
            lineage[depth[current[some]], columns[some]] = current[some]
            current = np.where(some, self.parent[current], -1)
        levels = self._level_order(depth)
        at_level = np.full((len(levels), size), -1, dtype=np.int64)
        number = pd.Index(levels).get_indexer(pd.Index(self.level))
        for row in lineage:
            some = row >= 0
            at_level[number[row[some]], columns[some]] = row[some]
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "_lineage", lineage)
        object.__setattr__(self, "_at_level", at_level)

    @property
    def fingerprint(self) -> str:
        """Hash of the codes, their order, levels and moves: what series built with this tree rest on."""
        text = "\n".join(f"{code}\t{parent}\t{level}" for code, parent, level in zip(self.codes, self.parent, self.level, strict=True))
        return hashlib.sha256(f"{text}\n{self.crosswalk}".encode()).hexdigest()

    # --- building ---------------------------------------------------------------------------------------------------

    def _place(self, position: int) -> str:
        return self.places[position] if position < len(self.places) else self.dimension

    def _depths(self) -> npt.NDArray[np.int64]:
        """Return each code's distance from its root; -1 on and below a cycle."""
        depth = np.where(self.parent < 0, 0, -1)
        while True:
            ready = (depth < 0) & (self.parent >= 0)
            ready[ready] = depth[self.parent[ready]] >= 0
            if not ready.any():
                return depth
            depth[ready] = depth[self.parent[ready]] + 1

    def _level_order(self, depth: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """Return level names from the top down; every code's level must be below its parent's."""
        inner = self.parent >= 0
        below = pd.DataFrame({"upper": self.level[self.parent[inner]], "lower": self.level[inner], "code": np.flatnonzero(inner)})
        edges = below.drop_duplicates(["upper", "lower"])
        mean_depth = pd.Series(depth).groupby(pd.Series(self.level, dtype="object")).mean()
        order = {str(name): place for place, name in enumerate(mean_depth.sort_values(kind="stable").index)}
        # Sort by repeated relaxation: a level stands below every level that is a parent's somewhere.
        for _ in range(len(order)):
            for upper, lower in zip(edges["upper"], edges["lower"], strict=True):
                order[lower] = max(order[lower], order[upper] + 1)
        bad = [
            f"{self._place(int(code))}: {self.dimension} code {self.codes[code]!r} has level {lower!r}, which is not below its parent's "
            f"level {upper!r}"
            for upper, lower, code in zip(edges["upper"], edges["lower"], edges["code"], strict=True)
            if order[lower] <= order[upper]
        ]
        if bad:
            raise DimensionError("\n".join(bad), hint="one level name may not stand both above and below another in a tree")
        return tuple(sorted(order, key=lambda name: order[name]))

    # --- asking about many codes ------------------------------------------------------------------------------------

    def positions(self, codes: object) -> npt.NDArray[np.int64]:
        """Return the position of each code in :attr:`codes`, -1 for an unknown, empty or missing one."""
        if isinstance(codes, pd.Series | pd.Index):
            codes = codes.array
        if isinstance(codes, pd.Categorical):
            table = np.append(self.codes.get_indexer(codes.categories), -1)
            return np.asarray(table[codes.codes], dtype=np.int64)
        return np.asarray(self.codes.get_indexer(pd.Index(np.asarray(cast("Any", codes), dtype=object))), dtype=np.int64)

    def _take(self, positions: npt.NDArray[np.int64], like: object) -> Any:
        """Return codes at positions ('' for -1), as a Categorical if the question was one."""
        kind = like.array if isinstance(like, pd.Series | pd.Index) else like
        if isinstance(kind, pd.Categorical):
            used, inverse = np.unique(positions, return_inverse=True)
            return pd.Categorical.from_codes(inverse, categories=pd.Index(self._text(used)))
        return self._text(positions)

    def _text(self, positions: npt.NDArray[np.int64]) -> Codes:
        return np.append(self.codes.to_numpy(dtype=object), "")[positions]

    def contains(self, codes: object) -> npt.NDArray[np.bool_]:
        """Tell which codes are in the tree; False for empty and missing ones."""
        return self.positions(codes) >= 0

    def ancestor_at(self, codes: object, level: str) -> Any:
        """Return the ancestor (or the code itself) of each code at a level.

        Parameters
        ----------
        codes : array-like of str, shape (n,)
            Codes.
        level : str
            A name in :attr:`levels`.

        Returns
        -------
        array of str (or Categorical, if ``codes`` was one), shape (n,)
            '' where the code is unknown, or has no ancestor of that level (it stands above it, or its branch skips it).

        Raises
        ------
        DimensionError
            If the tree has no such level.
        """
        if level not in self.levels:
            close = get_close_matches(level, self.levels, n=1)
            raise DimensionError(
                f"the {self.dimension} tree has no level {level!r}; it has {', '.join(self.levels) or 'none'}",
                hint=f"did you mean {close[0]!r}?" if close else "",
            )
        positions = self.positions(codes)
        return self._take(np.where(positions >= 0, self._at_level[self.levels.index(level), positions], -1), codes)

    def is_within(self, codes: object, ancestor: str) -> npt.NDArray[np.bool_]:
        """Tell which codes are the ancestor or below it; everything in the tree is within ''.

        Raises
        ------
        DimensionError
            If ``ancestor`` is neither '' nor in the tree.
        """
        positions = self.positions(codes)
        if ancestor == "":
            return positions >= 0
        above = self._position(ancestor)
        return np.asarray((positions >= 0) & (self._lineage[self.depth[above], positions] == above), dtype=np.bool_)

    def level_of(self, codes: object) -> Any:
        """Return the level of one code (str in, str out) or of many ('' for unknown ones)."""
        if isinstance(codes, str):
            return str(self.level[self._position(codes)])
        return np.append(self.level, "")[self.positions(codes)]

    def common_ancestor(self, codes: object) -> str:
        """Return the lowest code that all known codes are within; '' if there is none or no code is known."""
        positions = np.unique(self.positions(codes))
        positions = positions[positions >= 0]
        if not positions.size:
            return ""
        shared = self._lineage[:, positions]
        same = (shared == shared[:, :1]).all(axis=1) & (shared[:, 0] >= 0)
        lowest = np.flatnonzero(same)
        return str(self.codes[shared[lowest[-1], 0]]) if lowest.size else ""

    def resolve(self, codes: object, on: object = None) -> Any:
        """Return today's code of the unit that each code meant on a day; see :meth:`Crosswalk.follow`.

        Parameters
        ----------
        codes : array-like of str, shape (n,)
            Codes as written.
        on : date, or array-like of dates of shape (n,), optional
            Day (or days) on which they were written; None or NaT: lately.

        Returns
        -------
        array of str (or Categorical, if ``codes`` was one), shape (n,)
            Unknown and missing codes come back as they are.
        """
        kind = codes.array if isinstance(codes, pd.Series | pd.Index) else codes
        values = np.asarray(cast("Any", kind), dtype=object)
        moved = np.asarray(pd.Index(values).isin(list(self.crosswalk.codes())), dtype=np.bool_)
        if not moved.any():
            return kind if isinstance(kind, pd.Categorical) else values
        days = (
            np.full(len(values), _LAST)
            if on is None
            else np.broadcast_to(np.asarray(cast("Any", on)).astype("datetime64[D]"), values.shape)
        )
        asked = np.where(np.isnat(days), _LAST, days)[moved]
        result = values.copy()
        result[moved] = self.crosswalk.resolve(values[moved], asked, self._live())
        return pd.Categorical(result) if isinstance(kind, pd.Categorical) else result

    def _live(self) -> Mapping[str, tuple[np.datetime64, np.datetime64]]:
        moved = [code for code in self.crosswalk.codes() if code in self.codes]
        first = np.where(np.isnat(self.valid_from), _FIRST, self.valid_from)
        last = np.where(np.isnat(self.valid_to), _LAST, self.valid_to)
        return {code: (first[position], last[position]) for code, position in zip(moved, self.positions(moved), strict=True)}

    def valid_on(self, codes: object, on: object) -> npt.NDArray[np.bool_]:
        """Tell which codes are in the tree and valid on a day (or on each row's day)."""
        positions = self.positions(codes)
        day = np.asarray(cast("Any", on)).astype("datetime64[D]")
        first, last = self.valid_from[positions], self.valid_to[positions]
        return (positions >= 0) & (np.isnat(first) | (first <= day)) & (np.isnat(last) | (day <= last))

    def changes(self) -> list[tuple[dt.date, str]]:
        """Return (day, code) of every dated change: a code became valid, lost a unit to another code, or took one over; by day and code.

        Codes that are not in the tree are left out.
        """
        dated = {(day, code) for day, code in zip(self.valid_from.tolist(), self.codes, strict=True) if day is not None}
        dated |= {(move.effective_on.item(), code) for move in self.crosswalk.moves for code in (move.from_code, move.to_code)}
        return sorted((day, str(code)) for day, code in dated if code in self.codes)

    # --- asking about one code --------------------------------------------------------------------------------------

    def _position(self, code: str) -> int:
        try:
            return int(cast("int", self.codes.get_loc(code)))
        except KeyError:
            close = get_close_matches(str(code), [str(known) for known in self.codes], n=1, cutoff=0.75)
            hint = f"did you mean {close[0]!r} ({self.name(close[0], 'zh')})?" if close else ""
            raise DimensionError(f"the {self.dimension} tree has no code {code!r}", hint=hint) from None

    def __contains__(self, code: object) -> bool:
        return code in self.codes

    def __len__(self) -> int:
        return len(self.codes)

    def children(self, code: str = "") -> list[str]:
        """Return the codes right below a code, in file order; the roots for ''."""
        above = -1 if code == "" else self._position(code)
        return [str(child) for child in self.codes[self.parent == above]]

    def parent_of(self, code: str) -> str:
        """Return the parent of a code, '' for a root."""
        above = self.parent[self._position(code)]
        return str(self.codes[above]) if above >= 0 else ""

    def leaves(self, code: str = "") -> list[str]:
        """Return the codes without children that are the code or below it; all leaves for ''."""
        leaf = np.ones(len(self.codes), dtype=np.bool_)
        leaf[self.parent[self.parent >= 0]] = False
        return [str(below) for below in self.codes[leaf & self.is_within(self.codes, code)]]

    def path(self, code: str) -> list[str]:
        """Return the codes from the root down to a code, itself included."""
        position = self._position(code)
        return [str(self.codes[above]) for above in self._lineage[: self.depth[position] + 1, position]]

    def name(self, code: str, language: str = "zh") -> str:
        """Return a code's label; the other language's where it has none, the code where it has no label at all.

        Raises
        ------
        DimensionError
            If the code is not in the tree or the language is neither ``zh`` nor ``en``.
        """
        if language not in {"zh", "en"}:
            raise DimensionError(f"language must be zh or en, got {language!r}")
        position = self._position(code)
        first, second = (self.name_zh, self.name_en) if language == "zh" else (self.name_en, self.name_zh)
        return str(first[position] or second[position] or code)

    def names(self, level: str | None = None) -> dict[str, str]:
        """Return label -> code, in both languages, for labels that belong to one code only (of a level, if given)."""
        if level is not None and level not in self.levels:
            raise DimensionError(f"the {self.dimension} tree has no level {level!r}; it has {', '.join(self.levels)}")
        wanted: Iterable[int] = range(len(self.codes)) if level is None else np.flatnonzero(self.level == level).tolist()
        found: dict[str, set[str]] = {}
        for position in wanted:
            for label in {str(self.name_zh[position]), str(self.name_en[position])} - {""}:
                found.setdefault(label, set()).add(str(self.codes[position]))
        return {label: codes.pop() for label, codes in found.items() if len(codes) == 1}

    def attribute(self, codes: object, name: str, *, inherit: bool = True) -> Codes:
        """Return an attribute of each code ('' if none); with ``inherit``, that of the nearest ancestor that has one."""
        positions = self.positions(codes)
        if name not in self.attributes.columns:
            return np.full(len(positions), "", dtype=object)
        values = self.attributes[name].to_numpy(dtype=object)
        result = values.copy()
        if inherit:
            for row in self._lineage:
                some = row >= 0
                own = np.where(some, values[row], "")
                result = np.where(own != "", own, result)
        return np.append(np.asarray(result, dtype=object), "")[positions]

    @staticmethod
    def parse_day(text: str) -> np.datetime64:
        """Return the day of an ISO text; NaT for ''."""
        return np.datetime64(dt.date.fromisoformat(text)) if text else np.datetime64("NaT", "D")
