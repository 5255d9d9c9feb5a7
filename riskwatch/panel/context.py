"""What is known about a panel besides its counts: influences by date, how complete the newest periods are, and who found what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.errors import PanelError

__all__ = ["Breakdown", "Completeness", "Covariates"]

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


@dataclass(frozen=True, eq=False)
class Breakdown:
    """The counts of each cell split by a label that is no dimension of the panel: by laboratory, say.

    Parameters
    ----------
    field : str
        What the labels are, as a field of the stream ("laboratory").
    labels : tuple of str
        Unique. Records without a value have a label of their own.
    observed : array of float, shape (label, series, period)
        Finite and >= 0; the labels of a cell add up to the panel's count, and are 0 where that is missing.
    exposure : array of float, shape (label, series, period), optional
        The same of the denominator.

    Raises
    ------
    PanelError
        If shapes do not fit, labels repeat or values are not finite and >= 0.
    """

    field: str
    labels: tuple[str, ...]
    observed: FloatArray
    exposure: FloatArray | None = None

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.labels)) != len(self.labels):
            problems.append("labels must be unique")
        for name in ("observed", "exposure"):
            given = getattr(self, name)
            if given is None and name == "exposure":
                continue
            values = np.asarray(given, dtype=np.float64)
            if values.ndim != 3 or len(values) != len(self.labels):
                problems.append(f"{name} must have shape (label, series, period) with {len(self.labels)} labels, got {values.shape}")
            elif not (np.isfinite(values) & (values >= 0)).all():
                problems.append(f"{name} must be finite and >= 0; {int((~(np.isfinite(values) & (values >= 0))).sum())} are not")
            object.__setattr__(self, name, values)
        if not problems and self.exposure is not None and self.exposure.shape != self.observed.shape:
            problems.append(f"observed and exposure must have one shape, got {self.observed.shape} and {self.exposure.shape}")
        if problems:
            raise PanelError(f"Breakdown by {self.field}: " + "; ".join(problems))
