"""Candidate zones of a scan: families of nested sets of places, circular, elliptic or connected by shared borders.

A family starts at one place and takes in the others one after another; every set on the way is a zone. Counts of a family's zones are
then running sums, whatever the family's shape.

Sources
-------
Circles: Kulldorff (1997), Communications in Statistics: Theory and Methods 26(6), 1481-1496. Ellipses and the penalty on long ones:
Kulldorff, Huang, Pickle, Duczmal (2006), Statistics in Medicine 25(22), 3929-3943.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from riskwatch.errors import DetectorError

__all__ = ["Zones", "circular_zones", "connected_zones", "distances", "elliptic_zones", "kilometres"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_EARTH_KM = 6371.0088  # mean radius
_TIE = 1e-9  # relative: places as far away as this join together
# Directions of each ratio of the axes, more of them for longer ellipses.
_ANGLES = {1.5: 4, 2.0: 6, 3.0: 9, 4.0: 12, 5.0: 15}


@dataclass(frozen=True, eq=False)
class Zones:
    """Families of nested zones, one after another in flat arrays.

    Attributes
    ----------
    members : array of int, shape (entry,)
        Places in the order in which they join their family.
    starts : array of int, shape (family + 1,)
        Where each family begins in ``members``; the last one is their number.
    ends : array of bool, shape (entry,)
        Whether the places of the family up to and including this entry are a zone.
    radius : array of float, shape (entry,)
        Distance of the entry from the centre, km; of an ellipse its minor half-axis; of connected zones in borders crossed.
    centre : array of int, shape (family,)
    weight : array of float, shape (family,)
        What the log-likelihood ratio is multiplied by, in (0, 1]; below 1 for long ellipses.
    shape, angle : array of float, shape (family,)
        Ratio of the axes, and direction of the longer one in degrees from the first coordinate's axis; 1 and 0 of circles.
    """

    members: IntArray
    starts: IntArray
    ends: npt.NDArray[np.bool_]
    radius: FloatArray
    centre: IntArray
    weight: FloatArray
    shape: FloatArray
    angle: FloatArray

    @property
    def families(self) -> int:
        """Number of families."""
        return len(self.centre)

    @property
    def family(self) -> IntArray:
        """Family of each entry."""
        return np.repeat(np.arange(self.families), np.diff(self.starts))

    def of(self, entry: int) -> IntArray:
        """Return the places of the zone that ends at an entry, in increasing order."""
        start = self.starts[np.searchsorted(self.starts, entry, side="right") - 1]
        return np.sort(self.members[start : entry + 1])


def kilometres(longitude_latitude: FloatArray) -> FloatArray:
    """Return plane coordinates in km about the middle of the places, shape (place, 2): for areas of some hundred kilometres."""
    middle = longitude_latitude.mean(axis=0) if len(longitude_latitude) else np.zeros(2)
    x, y = np.radians(longitude_latitude - middle).T
    return np.column_stack([x * np.cos(np.radians(middle[1])), y]) * _EARTH_KM


def distances(coordinates: FloatArray, *, kind: str = "degrees") -> FloatArray:
    """Return distances in km between all places, shape (place, place).

    Parameters
    ----------
    coordinates : array, shape (place, 2)
        Longitude and latitude in degrees, or plane coordinates in km.
    kind : {"degrees", "km"}
        Great circles, or straight lines.
    """
    first, second = coordinates[:, 0], coordinates[:, 1]
    if kind == "km":
        return np.asarray(np.hypot(first[:, None] - first, second[:, None] - second))
    longitude, latitude = np.radians(first), np.radians(second)
    chord = (
        np.sin((latitude[:, None] - latitude) / 2) ** 2
        + np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    )
    return np.asarray(2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))


def circular_zones(distance: FloatArray, size: FloatArray, *, max_share: float = 0.5, max_radius: float | None = None) -> Zones:
    """Return circles about each place, up to a share of the total size.

    Parameters
    ----------
    distance : array, shape (place, place)
        km.
    size : array, shape (place,)
        Population, expected cases or cases: what ``max_share`` is a share of.
    max_share : float
        Largest share of the total size within a zone. A place (with those that lie on the same spot) is a zone whatever its size.
    max_radius : float, optional
        km.
    """
    centre = np.arange(len(distance))
    return _nested(distance, centre, size, max_share=max_share, max_radius=max_radius)


def elliptic_zones(
    coordinates: FloatArray,
    size: FloatArray,
    *,
    max_share: float = 0.5,
    shapes: Sequence[float] = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0),
    penalty: float = 0.5,
) -> Zones:
    """Return circles and ellipses about each place.

    Parameters
    ----------
    coordinates : array, shape (place, 2)
        Plane coordinates, km.
    size, max_share
        As for circles.
    shapes : sequence of float
        Ratios of the longer to the shorter axis, >= 1.
    penalty : float
        Exponent a of the weight [4 s / (s + 1)^2]^a of ratio s: 0 for none, 1/2 for a medium one, 1 for a strong one.

    Raises
    ------
    DetectorError
        If a ratio is below 1.
    """
    wrong = [shape for shape in shapes if not shape >= 1]
    if wrong or not shapes:
        raise DetectorError(f"elliptic_zones: shapes must be >= 1 and at least one, got {wrong or list(shapes)}")
    parts, form, turn = [], [], []
    east = coordinates[:, 0][None, :] - coordinates[:, 0][:, None]
    north = coordinates[:, 1][None, :] - coordinates[:, 1][:, None]
    for shape in shapes:
        directions = 1 if shape == 1 else _ANGLES.get(float(shape), max(round(3 * shape), 2))
        for number in range(directions):
            angle = np.pi * number / directions
            along, across = east * np.cos(angle) + north * np.sin(angle), north * np.cos(angle) - east * np.sin(angle)
            parts.append(np.hypot(along / shape, across))
            form.append(np.full(len(coordinates), float(shape)))
            turn.append(np.full(len(coordinates), np.degrees(angle)))
    shape_of, angle_of = np.concatenate(form), np.concatenate(turn)
    centre = np.tile(np.arange(len(coordinates)), len(parts))
    weight = (4 * shape_of / (shape_of + 1) ** 2) ** penalty
    return _nested(np.concatenate(parts), centre, size, max_share=max_share, weight=weight, shape=shape_of, angle=angle_of)


def connected_zones(borders: IntArray, distance: FloatArray, size: FloatArray, *, max_share: float = 0.5) -> Zones:
    """Return zones that hang together: places join by the number of borders to cross, then by distance.

    Parameters
    ----------
    borders : array of int, shape (pair, 2)
        Neighbouring places, in either order.
    distance, size, max_share
        As for circles. Places that no border leads to are never taken in.
    """
    places = len(distance)
    pairs = np.asarray(borders, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(places, places)).tocsr()
    crossed = dijkstra(graph, directed=False, unweighted=True) if places else np.empty((0, 0))
    # Each ring is beyond the one before it: distance only orders places within a ring.
    farthest = float(distance.max(initial=0.0)) + 1.0
    zones = _nested(crossed + distance / (2 * farthest), np.arange(places), size, max_share=max_share)
    return dataclasses.replace(zones, radius=np.floor(zones.radius))


def _nested(
    key: FloatArray,
    centre: IntArray,
    size: FloatArray,
    *,
    max_share: float,
    max_radius: float | None = None,
    weight: FloatArray | None = None,
    shape: FloatArray | None = None,
    angle: FloatArray | None = None,
) -> Zones:
    """Return families in which places join by increasing ``key``, shape (family, place); infinite ones never."""
    families, places = key.shape
    order = np.argsort(key, axis=1, kind="stable")
    sorted_key = np.take_along_axis(key, order, axis=1)
    apart = np.ones((families, places), np.bool_)
    if places > 1:
        apart[:, :-1] = sorted_key[:, 1:] > sorted_key[:, :-1] * (1 + _TIE) + 1e-12
    inside = np.cumsum(size[order], axis=1) <= max_share * size.sum() * (1 + _TIE)
    inside &= np.isfinite(sorted_key)
    if max_radius is not None:
        inside &= sorted_key <= max_radius * (1 + _TIE)
    # The first group of places on one spot is always a zone; a group joins as a whole or not at all.
    ends = apart & (inside | (np.cumsum(apart, axis=1) - apart == 0))
    length = places - np.argmax(ends[:, ::-1], axis=1) if places else np.zeros(families, np.int64)
    kept = np.arange(places) < length[:, None]
    plain = np.ones(families)
    return Zones(
        members=order[kept].astype(np.int64),
        starts=np.concatenate([[0], np.cumsum(length)]).astype(np.int64),
        ends=ends[kept],
        radius=sorted_key[kept],
        centre=centre.astype(np.int64),
        weight=plain if weight is None else weight,
        shape=plain if shape is None else shape,
        angle=np.zeros(families) if angle is None else angle,
    )
