"""``where=``: which rows are wanted, by column; a code of a tree stands for all below it."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping

import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.errors import ProjectError
from riskwatch.records.streams import STREAMS
from riskwatch.store.tables import RECORD_TABLES

__all__ = ["Where", "allowed_values", "narrowed", "record_values"]

Where = Mapping[str, object]
"""Column -> the value wanted, or several of them."""


def _listed(column: str, value: object, asked: str) -> list[object]:
    """Return the values wanted of a column as a list; a text is one value."""
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if not values or any(one is None for one in values):
        raise ProjectError(
            f"{asked}: where must name at least one value for {column}, got {value!r}", hint="leave a column out to allow all"
        )
    return values


def allowed_values(where: Where, columns: Mapping[str, str], trees: Mapping[str, Tree], *, asked: str) -> dict[str, list[object]]:
    """Return, for each column that ``where`` names, all values that it allows.

    Parameters
    ----------
    where : mapping
        Column -> value or values.
    columns : mapping of str to str
        Column -> the tree that its codes are of: ``product``, ``industry`` or ``region``; "" for a column of plain values.
    trees : mapping of str to Tree
        A column whose tree the project does not have takes its values as they are.
    asked : str
        What is asked for, for messages.

    Returns
    -------
    dict of str to list
        A code of a tree is followed by all codes below it, in the order of the tree.

    Raises
    ------
    ProjectError
        If a column is not there (the message names those that are), a code is not in its tree, or no value is given.
    """
    wrong = [name for name in where if name not in columns]
    if wrong:
        near = difflib.get_close_matches(wrong[0], columns, n=1)
        raise ProjectError(
            f"{asked}: no column {wrong[0]!r} to choose by" + (f"; did you mean {near[0]!r}?" if near else ""),
            hint=f"columns are {', '.join(columns)}",
        )
    return {name: _below(name, _listed(name, value, asked), columns[name], trees, asked) for name, value in where.items()}


def _below(column: str, values: list[object], tree_name: str, trees: Mapping[str, Tree], asked: str) -> list[object]:
    tree = trees.get(tree_name)
    if tree is None:
        return values
    found: dict[object, None] = {}
    for value in values:
        if value not in tree:
            near = difflib.get_close_matches(str(value), [str(code) for code in tree.codes], n=3)
            raise ProjectError(
                f"{asked}: {column} {value!r} is not in the {tree_name} tree",
                hint=(f"near it: {', '.join(near)}; " if near else "")
                + f"Project.trees[{tree_name!r}].names() lists codes; they are texts",
            )
        found.update(dict.fromkeys(str(code) for code in tree.codes[tree.is_within(tree.codes, str(value))]))
    return list(found)


def record_values(stream: str, where: Where, trees: Mapping[str, Tree]) -> dict[str, list[object]]:
    """Return the values that ``where`` allows in the records of a stream; days may be texts ("2025-12-01").

    Raises
    ------
    ProjectError
        As :func:`allowed_values`; if there is no such stream, or a day is none.
    """
    if stream not in STREAMS:
        raise ProjectError(f'records: no stream "{stream}"', hint=f"streams are {', '.join(sorted(STREAMS))}")
    fields = {field.name: field for field in STREAMS[stream].all_fields}
    columns = {name: fields[name].tree if name in fields else "" for name in ["source", *fields, *RECORD_TABLES[stream].c.keys()]}
    found = allowed_values(where, columns, trees, asked=f"records of {stream}")
    days = {name for name in found if (name in fields and fields[name].kind == "date") or name == "known_at"}
    return {name: [_day(value, name) for value in values] if name in days else values for name, values in found.items()}


def _day(value: object, column: str) -> object:
    if not isinstance(value, str):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise ProjectError(f"records: {column} must be a day like 2025-12-31, got {value!r}") from error


def narrowed(frame: pd.DataFrame, where: Where | None, trees: Mapping[str, Tree], *, asked: str) -> pd.DataFrame:
    """Return the rows of a frame that ``where`` allows; columns called product, industry and region hold codes of the tree of that name.

    Raises
    ------
    ProjectError
        As :func:`allowed_values`.
    """
    if not where:
        return frame
    columns = {str(name): str(name) if name in {"product", "industry", "region"} else "" for name in frame.columns}
    kept = pd.Series(data=True, index=frame.index)
    for name, values in allowed_values(where, columns, trees, asked=asked).items():
        kept &= frame[name].isin(values)
    return frame.loc[kept].reset_index(drop=True)
