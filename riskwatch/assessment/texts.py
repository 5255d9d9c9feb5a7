"""Columns of texts as plain Python strings: Arrow strings and categories are slow to read one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Coded", "coded", "joined", "texts_of"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of texts as numbers: ``words[ids]`` are its values."""

    ids: Ids
    words: npt.NDArray[np.object_]

    @property
    def texts(self) -> npt.NDArray[np.object_]:
        """The values, shape (rows,)."""
        return np.asarray(self.words[self.ids], dtype=object)


def texts_of(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return the values of a column as texts, "" where one is missing; each category is read once.

    Parameters
    ----------
    column : pandas.Series

    Returns
    -------
    array of str, shape (rows,)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = np.array([*(str(word) for word in column.cat.categories), ""], dtype=object)
        return np.asarray(words[column.cat.codes.to_numpy()], dtype=object)  # -1, missing, reads the last
    plain = column.astype("object")
    values = plain.where(plain.notna(), "").tolist()
    found = np.empty(len(values), dtype=object)
    found[:] = [value if type(value) is str else str(value) for value in values]
    return found


def coded(column: pd.Series) -> Coded:
    """Return a column as numbers of its distinct texts, "" where one is missing.

    Parameters
    ----------
    column : pandas.Series
    """
    values: Iterable[object]
    if isinstance(column.dtype, pd.CategoricalDtype):
        at, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        at, values = pd.factorize(column.to_numpy(dtype=object))
    # Different values may be the same text, a missing one and "" for instance.
    places, words = pd.factorize(np.array([*(str(value) for value in values), ""], dtype=object))
    return Coded(places.astype(np.int64)[at], np.asarray(words, dtype=object))  # -1, missing, reads the last


def joined(*columns: Ids) -> Ids:
    """Return the number of each distinct combination, in the order in which they first occur.

    Parameters
    ----------
    *columns : array of int, shape (rows,)
        Numbers from 0 on.
    """
    ids = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        ids = pd.factorize(ids * (int(column.max(initial=0)) + 1) + column)[0].astype(np.int64)
    return ids
