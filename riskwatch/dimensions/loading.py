"""Read trees from files: CSV of one line per code, or a named adapter for code lists that come in their own layout.

Tree format, UTF-8, every cell read as text::

    code,parent,level,name_zh,name_en,valid_from,valid_to,...
    220000,,province,吉林省,Jilin,,
    220184,220100,county,公主岭市,Gongzhuling,2020-06-19,

``code``, ``parent`` and ``level`` are needed, and one of the names; further columns are kept as attributes. Several files of
one dimension make up one tree, in any order: a parent may stand in another file. Every finding in all files is reported at once.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from riskwatch.dimensions.crosswalk import Crosswalk, Move, is_pseudo_region
from riskwatch.dimensions.tree import Tree
from riskwatch.errors import DimensionError

__all__ = ["ADAPTERS", "DimensionFileLike", "build_tree", "load_trees"]

_STANDARD = ("code", "parent", "level", "name_zh", "name_en", "valid_from", "valid_to")
_LEVEL = re.compile(r"[a-z][a-z0-9-]*")


class DimensionFileLike(Protocol):
    """What a dimension entry of ``config/dimensions.yaml`` must offer (``definitions.DimensionFile`` does)."""

    @property
    def dimension(self) -> str:
        """``product``, ``industry`` or ``region``."""

    @property
    def path(self) -> str:
        """File, relative to the project root; ``{data}`` stands for the data folder."""

    @property
    def format(self) -> str:
        """``tree`` or a name in :data:`ADAPTERS`."""

    @property
    def options(self) -> Mapping[str, str]:
        """``levels``: allowed level names, comma-separated; ``root``: root code that an adapter adds."""

    @property
    def crosswalk(self) -> str | None:
        """CSV of moved codes, or None."""


@dataclass
class _Entry:
    """One line of a tree, before it is checked."""

    code: str
    parent: str
    level: str
    name_zh: str
    name_en: str
    place: str
    valid_from: str = ""
    valid_to: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


def _read_csv(path: Path, needed: Sequence[str], shown: str) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, cells) of a CSV; cells are stripped text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            lacking = [name for name in needed if name not in header]
            if lacking:
                raise DimensionError(
                    f"{shown}:1: column {lacking[0]!r} is missing; found: {', '.join(header) or 'an empty file'}",
                    hint=f"the header needs {', '.join(needed)}",
                )
            rows = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DimensionError(
                        f"{shown}:{reader.line_num}: {len(cells)} cells, the header has {len(header)}", hint="quote commas"
                    )
                rows.append((reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
            return rows
    except FileNotFoundError:
        raise DimensionError(f"{shown}: no such file", hint="paths are relative to the project root; {data} is the data folder") from None
    except UnicodeDecodeError as error:
        raise DimensionError(f"{shown}: not UTF-8 (byte {error.start})", hint="save code lists as UTF-8") from None


def _read_parquet(path: Path, shown: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise DimensionError(f"{shown}: no such file", hint="is the data folder right? {data} stands for it") from None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _tree_csv(path: Path, shown: str, options: Mapping[str, str]) -> list[_Entry]:
    del options
    entries = []
    for line, row in _read_csv(path, ("code", "parent", "level"), shown):
        extra = {name: value for name, value in row.items() if name not in _STANDARD}
        code, parent, level, name_zh, name_en, valid_from, valid_to = (row.get(name, "") for name in _STANDARD)
        entries.append(_Entry(code, parent, level, name_zh, name_en, f"{shown}:{line}", valid_from, valid_to, extra))
    return entries


def _neiss_codebook(path: Path, shown: str, options: Mapping[str, str]) -> list[_Entry]:
    """Read the product codes of the US injury surveillance system: ``neiss`` > ``neiss:<group>`` > ``neiss:<code>``.

    The groups are ranges of the code, not an official classification; codes outside every range come under ``neiss:other``.
    """
    del options
    frame = _read_parquet(path, shown)
    group = frame["code_band_group"].fillna("other").astype(str)
    entries = [_Entry("neiss", "", "all", "NEISS 全部产品", "all NEISS products", f"{shown}:root")]
    entries += [_Entry(f"neiss:{_slug(name)}", "neiss", "category", name, name, f"{shown}:{name}") for name in sorted(set(group))]
    for number, (code, label, above) in enumerate(zip(frame["code"], frame["label"].fillna(""), group, strict=True), start=1):
        text = str(label).capitalize() or f"product {code}"
        entries.append(_Entry(f"neiss:{int(code)}", f"neiss:{_slug(above)}", "product", text, text, f"{shown}:{number}"))
    return entries


def _gb2260_divisions(path: Path, shown: str, options: Mapping[str, str]) -> list[_Entry]:
    """Read current GB/T 2260 divisions (code,name,level,province_code,prefecture_code); pseudo-regions are left out."""
    rows = _read_csv(path, ("code", "name", "level", "province_code", "prefecture_code"), shown)
    known = {row["code"] for _, row in rows}
    pseudo = set(np.array(sorted(known))[is_pseudo_region(sorted(known))].tolist())
    root = options.get("root", "")
    entries = [_Entry(root, "", "country", "全国", "China", f"{shown}:root")] if root else []
    for line, row in rows:
        code = row["code"]
        if code in pseudo:
            continue
        above = [row["prefecture_code"], row["province_code"]]
        parent = root if row["level"] == "province" else next((other for other in above if other in known and other != code), root)
        entries.append(_Entry(code, parent, row["level"], row["name"], "", f"{shown}:{line}"))
    return entries


def _gbt4754(path: Path, shown: str, options: Mapping[str, str]) -> list[_Entry]:
    """Read GB/T 4754 (version,code,name,level,parent); levels become section, division, group and class."""
    del options
    rows = _read_csv(path, ("code", "name", "level", "parent"), shown)
    return [_Entry(row["code"], row["parent"], row["level"].split(" ")[0], row["name"], "", f"{shown}:{line}") for line, row in rows]


ADAPTERS: dict[str, Callable[[Path, str, Mapping[str, str]], list[_Entry]]] = {
    "tree": _tree_csv,
    "neiss-codebook": _neiss_codebook,
    "gb2260-divisions": _gb2260_divisions,
    "gbt4754": _gbt4754,
}
"""Readers of code lists by the ``format`` that a dimension file names."""


def _resolve_path(text: str, root: Path, data: Path) -> Path:
    return root / text.replace("{data}", str(data))


def load_trees(files: Sequence[DimensionFileLike], root: Path, data: Path) -> dict[str, Tree]:
    """Load every tree that the files describe.

    Parameters
    ----------
    files : sequence of DimensionFileLike
        Entries of ``config/dimensions.yaml`` that apply (the caller picks the profile).
    root : Path
        Project root that paths are relative to.
    data : Path
        Folder that ``{data}`` stands for.

    Returns
    -------
    dict of str to Tree
        By dimension.

    Raises
    ------
    DimensionError
        Listing every duplicate code, missing parent, cycle, unknown level, unreadable date and wrong crosswalk line, with file
        and line.
    """
    problems: list[str] = []
    entries: dict[str, list[_Entry]] = {}
    moves: dict[str, list[Move]] = {}
    for file in files:
        adapter = ADAPTERS.get(file.format)
        if adapter is None:
            problems.append(f"{file.path}: format {file.format!r} is unknown; known: {', '.join(ADAPTERS)}")
            continue
        try:
            read = adapter(_resolve_path(file.path, root, data), file.path, file.options)
        except DimensionError as error:
            problems.append(error.message)
            continue
        problems += _level_problems(read, file)
        entries.setdefault(file.dimension, []).extend(read)
        if file.crosswalk:
            try:
                moves.setdefault(file.dimension, []).extend(
                    _read_moves(_resolve_path(file.crosswalk, root, data), file.crosswalk, problems)
                )
            except DimensionError as error:
                problems.append(error.message)
    trees = {}
    for dimension, found in entries.items():
        tree = _build(dimension, found, moves.get(dimension, []), problems)
        if tree is not None:
            trees[dimension] = tree
    if problems:
        raise DimensionError("\n".join(problems))
    return trees


def build_tree(dimension: str, frame: pd.DataFrame, moves: Sequence[Move] = ()) -> Tree:
    """Build a tree from a frame instead of files; for notebooks and simulations.

    Parameters
    ----------
    dimension : str
        ``product``, ``industry`` or ``region``.
    frame : DataFrame
        Columns as in a tree file: ``code``, ``parent``, ``level`` and a name; all text, '' or missing for none.
    moves : sequence of Move
        Moved codes.

    Raises
    ------
    DimensionError
        As :func:`load_trees`; places are row numbers of the frame.
    """
    lacking = [name for name in ("code", "parent", "level") if name not in frame.columns]
    if lacking:
        raise DimensionError(f"{dimension}: column {lacking[0]!r} is missing; found: {', '.join(map(str, frame.columns))}")
    text = frame.astype(object).where(frame.notna(), "").astype(str)
    entries = []
    for number, row in enumerate(text.to_dict("records"), start=1):
        code, parent, level, name_zh, name_en, valid_from, valid_to = (row.get(name, "") for name in _STANDARD)
        extra = {str(name): value for name, value in row.items() if name not in _STANDARD}
        entries.append(_Entry(code, parent, level, name_zh, name_en, f"{dimension} row {number}", valid_from, valid_to, extra))
    problems: list[str] = []
    tree = _build(dimension, entries, list(moves), problems)
    if tree is None:
        raise DimensionError("\n".join(problems))
    return tree


def _level_problems(entries: Sequence[_Entry], file: DimensionFileLike) -> list[str]:
    allowed = [name.strip() for name in file.options.get("levels", "").split(",") if name.strip()]
    problems = []
    for entry in entries:
        if allowed and entry.level not in allowed:
            problems.append(
                f"{entry.place}: code {entry.code!r}: level {entry.level!r} is unknown; levels of this file: {', '.join(allowed)}"
            )
        elif not _LEVEL.fullmatch(entry.level):
            problems.append(
                f"{entry.place}: code {entry.code!r}: level {entry.level!r} is unknown; a level is lower-case letters, digits, '-'"
            )
    return problems


def _read_moves(path: Path, shown: str, problems: list[str]) -> list[Move]:
    moves = []
    for line, row in _read_csv(path, ("from_code", "to_code", "effective_on"), shown):
        day = _day(row["effective_on"], f"{shown}:{line}: effective_on", problems)
        if np.isnat(day):
            if not row["effective_on"]:
                problems.append(f"{shown}:{line}: effective_on is empty: a move needs its day")
            continue
        moves.append(Move(row["from_code"], day, row["to_code"], row.get("note", ""), f"{shown}:{line}"))
    return moves


def _day(text: str, where: str, problems: list[str]) -> np.datetime64:
    try:
        return Tree.parse_day(text)
    except ValueError:
        problems.append(f"{where}: {text!r} is not a date (write 2020-06-19)")
        return np.datetime64("NaT", "D")


def _build(dimension: str, entries: list[_Entry], moves: list[Move], problems: list[str]) -> Tree | None:
    """Return the tree, or None after adding what is wrong to ``problems``."""
    before = len(problems)
    unique: dict[str, _Entry] = {}
    for entry in entries:
        if not entry.code:
            problems.append(f"{entry.place}: code is empty")
        elif entry.code in unique:
            problems.append(f"{entry.place}: {dimension} code {entry.code!r} appears twice (first in {unique[entry.code].place})")
        else:
            unique[entry.code] = entry
        if not (entry.name_zh or entry.name_en):
            problems.append(f"{entry.place}: code {entry.code!r} has no name")
    problems += [
        f"{entry.place}: {dimension} code {entry.code!r}: parent {entry.parent!r} is in no file of this dimension"
        for entry in unique.values()
        if entry.parent and entry.parent not in unique
    ]
    crosswalk = Crosswalk()
    try:
        crosswalk = Crosswalk(tuple(moves))
    except DimensionError as error:
        problems.append(error.message)
    problems += [
        f"{move.place}: {move.from_code} moves to {move.to_code}, which is not in the {dimension} tree"
        for move in moves
        if move.to_code not in unique and move.to_code not in crosswalk.codes()
    ]
    listed = list(unique.values())
    codes = pd.Index([entry.code for entry in listed], dtype=object)
    first = np.array([_day(entry.valid_from, f"{entry.place}: valid_from", problems) for entry in listed], dtype="datetime64[D]")
    last = np.array([_day(entry.valid_to, f"{entry.place}: valid_to", problems) for entry in listed], dtype="datetime64[D]")
    problems += [f"{listed[at].place}: code {listed[at].code!r}: valid_to is before valid_from" for at in np.flatnonzero(last < first)]

    def column(values: list[str]) -> Any:
        return np.array(values, dtype=object)

    try:
        tree = Tree(
            dimension=dimension,
            codes=codes,
            parent=np.asarray(codes.get_indexer(pd.Index([entry.parent for entry in listed], dtype=object)), dtype=np.int64),
            level=column([entry.level for entry in listed]),
            name_zh=column([entry.name_zh for entry in listed]),
            name_en=column([entry.name_en for entry in listed]),
            valid_from=first,
            valid_to=last,
            attributes=pd.DataFrame([entry.attributes for entry in listed], index=codes, dtype=object).fillna(""),
            places=[entry.place for entry in listed],
            crosswalk=crosswalk,
        )
    except DimensionError as error:
        problems.append(error.message)
        return None
    for code in sorted(crosswalk.codes()):
        try:
            tree.resolve([code])
        except DimensionError as error:
            problems.append(error.message)
    return tree if len(problems) == before else None
