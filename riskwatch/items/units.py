"""Units of measured values: one number in another unit of the same dimension, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.items.measured import normal_unit

__all__ = ["REASONS", "UnitTable"]

FloatArray = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

REASONS = ("", "unit-missing", "unit-unknown", "unit-incompatible")


class _UnitRow(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> str: ...
    @property
    def factor(self) -> float: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, eq=False)
class UnitTable:
    """Spelling -> (dimension, factor); two spellings that are the same text are the same unit, in the table or not.

    Make it with :meth:`of` from the ``units`` of ``config/standards.yaml``.
    """

    known: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[_UnitRow]) -> UnitTable:
        """Build the table; spellings are brought to one form first."""
        return cls({normal_unit(name): (row.dimension, row.factor) for row in rows for name in (row.name, *row.aliases)})

    def factors(self, given: object, wanted: object) -> tuple[FloatArray, Texts]:
        """Return what numbers in one unit are multiplied by to be in another.

        Parameters
        ----------
        given, wanted : array-like of str, shape (n,)
            Units; "" where none is written.

        Returns
        -------
        factor : array of float, shape (n,)
            NaN where there is none.
        reason : array of str, shape (n,)
            One of :data:`REASONS`. A missing unit is told, not guessed; two missing ones are the same.
        """
        old, new = (pd.Series(cast("Any", part), dtype="object").fillna("").astype("object") for part in (given, wanted))
        pairs = pd.MultiIndex.from_arrays([old.to_numpy(), new.to_numpy()])
        codes, distinct = pd.factorize(pairs)
        found = [self._factor(str(one), str(other)) for one, other in distinct]
        factors, reasons = np.array([factor for factor, _ in found]), np.array([reason for _, reason in found], dtype=object)
        return (factors[codes], reasons[codes]) if found else (np.empty(0), np.empty(0, dtype=object))

    def _factor(self, given: str, wanted: str) -> tuple[float, str]:
        one, other = normal_unit(given), normal_unit(wanted)
        if one == other:
            return 1.0, ""
        if not one or not other:
            return np.nan, "unit-missing"
        if one not in self.known or other not in self.known:
            return np.nan, "unit-unknown"
        (dimension, factor), (wanted_dimension, wanted_factor) = self.known[one], self.known[other]
        if dimension != wanted_dimension:
            return np.nan, "unit-incompatible"
        return float(f"{factor / wanted_factor:.12g}"), ""
