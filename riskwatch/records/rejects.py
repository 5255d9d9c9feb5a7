"""Collect what is wrong with rows, and say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["SHOWN", "Rejects", "shorten"]

SHOWN = 80
"""Characters of a value that are repeated; the raw row is kept by the store."""

_COLUMNS = ("row_no", "field", "rule", "value", "message")


def shorten(texts: Any) -> Any:
    """Cut arrow texts at :data:`SHOWN` characters and say how long the cut ones were; null becomes ''."""
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    texts = pc.fill_null(texts, "")
    length = pc.utf8_length(texts)
    long = pc.greater(length, SHOWN)
    if not pc.any(long).as_py():
        return texts
    cut = pc.utf8_slice_codeunits(texts, 0, SHOWN)
    return pc.if_else(long, pc.binary_join_element_wise(cut, "… (", length.cast(texts.type), " characters)", ""), texts)


@dataclass
class Rejects:
    """Broken rules of one batch.

    Parameters
    ----------
    rows : int
        Rows in the batch.
    first_row : int
        Number of the first one in its file.
    """

    rows: int
    first_row: int
    bad: npt.NDArray[np.bool_] = field(init=False)
    _parts: list[pd.DataFrame] = field(init=False, default_factory=list)
    _of: dict[str, npt.NDArray[np.bool_]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.bad = np.zeros(self.rows, dtype=np.bool_)

    def add(self, at: npt.NDArray[np.int64], name: str, rule: str, raw: Any, why: str, *, personal: bool = False) -> None:
        """Reject rows.

        Parameters
        ----------
        at : array of int
            Positions in the batch.
        name : str
            Field to blame.
        rule : str
            A name in ``RULES``.
        raw : arrow array or None
            Raw column that the values come from, all rows long; None: no value to show.
        why : str
            What the rule asks for.
        personal : bool
            The message must not repeat the value.
        """
        if at.size:
            values = [] if raw is None else shorten(raw.take(pa.array(at))).to_pylist()
            self.add_values(at, name, rule, values, why, personal=personal)

    def add_values(
        self, at: npt.NDArray[np.int64], name: str, rule: str, values: Sequence[str], why: str, *, personal: bool = False
    ) -> None:
        """Reject rows, with the value to show for each; no values where there are none to show."""
        if not at.size:
            return
        self.bad[at] = True
        self._of.setdefault(name, np.zeros(self.rows, dtype=np.bool_))[at] = True
        quiet = personal or not values
        messages = [f"{name} {why}"] * len(at) if quiet else [f"{name} {why}; got {value!r}" for value in values]
        part = {"row_no": at + self.first_row, "field": name, "rule": rule, "value": list(values) or [""] * len(at), "message": messages}
        self._parts.append(pd.DataFrame(part))

    def of(self, name: str) -> npt.NDArray[np.bool_]:
        """Tell which rows broke a rule of this field."""
        return self._of.get(name, np.zeros(self.rows, dtype=np.bool_))

    def kept(self) -> npt.NDArray[np.int64]:
        """Return the positions of rows that broke no rule so far."""
        return np.flatnonzero(~self.bad)

    def frame(self) -> pd.DataFrame:
        """Return one line per broken rule, in the order of the file."""
        if not self._parts:
            return pd.DataFrame({name: pd.Series(dtype="int64" if name == "row_no" else "str") for name in _COLUMNS})
        return pd.concat(self._parts, ignore_index=True).sort_values("row_no", kind="stable", ignore_index=True)
