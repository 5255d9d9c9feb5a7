"""Small helpers to build large frames of repeated labels without repeating the labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["category", "concat_frames", "labelled", "pick"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def pick(table: FloatArray, rows: IntArray, uniform: FloatArray) -> IntArray:
    """Draw one column for each event.

    Parameters
    ----------
    table : array of float, shape (row, column)
        Probabilities; each row sums to one.
    rows : array of int, shape (event,)
        The row that each event draws from.
    uniform : array of float, shape (event,)
        Uniform numbers in [0, 1).
    """
    cumulative = np.cumsum(table, axis=1)
    chosen = np.zeros(rows.size, dtype=np.int64)
    for column in range(table.shape[1] - 1):
        chosen += uniform >= cumulative[rows, column]
    # A row that sums to a hair under one must not spill into a column of probability zero.
    last = table.shape[1] - 1 - (table[:, ::-1] > 0).argmax(axis=1)
    return np.asarray(np.minimum(chosen, last[rows]), dtype=np.int64)


def labelled(codes: npt.NDArray[np.integer[Any]], labels: Iterable[str]) -> pd.Categorical:
    """Return the categorical with these codes, -1 for missing; labels must differ."""
    return cast(
        "pd.Categorical",
        pd.Categorical.from_codes(codes.tolist() if codes.size == 0 else codes, categories=pd.Index(list(labels), dtype="str")),
    )


def category(rows: IntArray, labels: list[str]) -> pd.Categorical:
    """Return the categorical ``labels[rows]``; labels may repeat."""
    unique = sorted(set(labels))
    position = {label: number for number, label in enumerate(unique)}
    lookup = np.array([position[label] for label in labels], dtype=np.int64)
    return labelled(lookup[rows], unique)


def concat_frames(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate; categoricals stay categoricals, over the sorted union of their labels."""
    for name in parts[0].columns:
        if isinstance(parts[0][name].dtype, pd.CategoricalDtype):
            united = sorted(set().union(*(set(part[name].cat.categories) for part in parts)))
            dtype = pd.CategoricalDtype(united)
            parts = [part.assign(**{name: part[name].astype(dtype)}) for part in parts]
    return pd.concat(parts, ignore_index=True)
