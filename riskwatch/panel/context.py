"""What is known about a panel besides its counts: influences by date, and how complete the newest periods are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.errors import PanelError

__all__ = ["Completeness", "Covariates"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Covariates:
    """Known influences on the log mean, common to all series or to some of them: moving holidays, worked days, dated level shifts.

    Parameters
    ----------
    names : tuple of str
        One per covariate, unique.
    values : array of float, shape (covariate, period)
        Finite; 0 where the influence is absent.
    applies : array of bool, shape (covariate, series), optional
        Which series a covariate acts on; by default all.

    Raises
    ------
    PanelError
        If shapes do not fit, names repeat or values are not finite.
    """

    names: tuple[str, ...]
    values: FloatArray
    applies: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        problems = []
        if values.ndim != 2 or len(values) != len(self.names):
            problems.append(f"values must have one row per name ({len(self.names)}), got shape {values.shape}")
        elif not np.isfinite(values).all():
            problems.append(f"values must be finite; {int((~np.isfinite(values)).sum())} are not")
        if len(set(self.names)) != len(self.names):
            problems.append("names must be unique")
        if self.applies is not None and (self.applies.ndim != 2 or len(self.applies) != len(self.names)):
            problems.append(f"applies must have one row per name ({len(self.names)}), got shape {self.applies.shape}")
        if problems:
            raise PanelError("Covariates: " + "; ".join(problems))
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, eq=False)
class Completeness:
    """Share of each cell's records that had arrived when the panel was made.

    Parameters
    ----------
    share : array of float, shape (series, period)
        Expected share, in [0, 1]; 1 for a period that has ripened.
    error : array of float, shape (series, period)
        Standard error of the share; 0 where it is certain.

    Raises
    ------
    PanelError
        If shapes differ or values are out of range.
    """

    share: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        if self.share.shape != self.error.shape:
            raise PanelError(f"Completeness: share and error must have one shape, got {self.share.shape} and {self.error.shape}")
        if not ((self.share >= 0) & (self.share <= 1)).all() or not (self.error >= 0).all():
            raise PanelError("Completeness: shares must lie in [0, 1] and errors be >= 0")
