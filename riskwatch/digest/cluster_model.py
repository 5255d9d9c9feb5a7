"""A cluster of counties as part of a card: what the map shows, as data."""

from __future__ import annotations

import datetime as dt

from riskwatch.digest.parts import Part, Text

__all__ = ["ClusterMap", "ClusterPlace"]


class ClusterPlace(Part):
    """A county in the cluster's window; ``inside`` the cluster or around it."""

    code: str
    name: Text
    longitude: float | None
    latitude: float | None
    inside: bool
    observed: float
    expected: float


class ClusterMap(Part):
    """The cluster that a warning rests on.

    ``recurrence_years`` is how long one would wait on average for a cluster as strong without any cause, if one looked at this group once
    a period; null where the p-value is 0.
    """

    model: str
    subject: Text
    first: dt.date
    last: dt.date
    counties: int
    observed: float
    expected: float
    p_value: float
    recurrence_years: float | None
    places: tuple[ClusterPlace, ...]
