"""What is known about a panel besides its counts: influences by date, how complete the newest periods are, who found what, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskwatch.errors import PanelError

__all__ = ["Breakdown", "Completeness", "Covariates", "Geography"]

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


@dataclass(frozen=True, eq=False)
class Geography:
    """Where the series of a panel are.

    Parameters
    ----------
    places : tuple of str
        Codes of places, unique.
    coordinates : array of float, shape (place, 2)
        Longitude and latitude in degrees, or plane coordinates in km; finite.
    place : array of int, shape (series,)
        Position of each series' place in ``places``; -1 where it has none.
    kind : {"degrees", "km"}
        What the coordinates are.
    tier : array of int, shape (place,), optional
        Places are compared with those of their own tier only (counties with counties); by default all are of one.
    borders : array of int, shape (pair, 2), optional
        Neighbouring places.

    Raises
    ------
    PanelError
        If shapes do not fit, places repeat, coordinates are not finite or out of range, or positions are not of a place.
    """

    places: tuple[str, ...]
    coordinates: FloatArray
    place: npt.NDArray[np.int64]
    kind: Literal["degrees", "km"] = "degrees"
    tier: npt.NDArray[np.int64] | None = None
    borders: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        coordinates = np.asarray(self.coordinates, dtype=np.float64).reshape(-1, 2)
        place = np.asarray(self.place, dtype=np.int64)
        known, problems = len(self.places), []
        if self.kind not in {"degrees", "km"}:
            problems.append(f"kind must be degrees or km, got {self.kind!r}")
        if len(set(self.places)) != known:
            problems.append("places must be unique")
        if len(coordinates) != known:
            problems.append(f"coordinates must have one row per place ({known}), got {len(coordinates)}")
        elif not np.isfinite(coordinates).all():
            problems.append(f"coordinates must be finite; {int((~np.isfinite(coordinates)).sum())} are not")
        elif self.kind == "degrees" and (np.abs(coordinates) > [180, 90]).any():
            problems.append("coordinates must be a longitude within 180 and a latitude within 90 degrees, in this order")
        if place.ndim != 1 or ((place < -1) | (place >= known)).any():
            problems.append(f"place must hold one position per series, -1 to {known - 1}")
        tier = np.zeros(known, np.int64) if self.tier is None else np.asarray(self.tier, dtype=np.int64)
        if tier.shape != (known,):
            problems.append(f"tier must have one number per place ({known}), got shape {tier.shape}")
        pairs = None if self.borders is None else np.asarray(self.borders, dtype=np.int64).reshape(-1, 2)
        if pairs is not None and ((pairs < 0) | (pairs >= known)).any():
            problems.append(f"borders must hold positions of places, 0 to {known - 1}")
        if problems:
            raise PanelError("Geography: " + "; ".join(problems))
        for name, checked in (("coordinates", coordinates), ("place", place), ("tier", tier), ("borders", pairs)):
            object.__setattr__(self, name, checked)

    def take(self, rows: npt.NDArray[np.intp] | slice) -> Geography:
        """Return the geography of some series."""
        return Geography(self.places, self.coordinates, self.place[rows], self.kind, self.tier, self.borders)
