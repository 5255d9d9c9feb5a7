"""From the clusters of a scan to the map on the card of a warning that rests on one."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from riskwatch.assessment.types import Evidence
from riskwatch.digest.cluster_model import ClusterMap, ClusterPlace
from riskwatch.digest.model import Text
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import amount, date, ratio, significant
from riskwatch.digest.sentences import Speaker
from riskwatch.digest.text import Wording

__all__ = ["ClusterFigures", "cluster_map", "cluster_text", "cluster_title"]

_MANY_YEARS = 1000.0
_FEW_YEARS = 2.0
_NAMED = 5  # counties named in a caption


@dataclass(frozen=True)
class ClusterFigures:
    """A cluster as the scan found it.

    Attributes
    ----------
    first, last : date
        First and last day of its window.
    p_value : float
    recurrence_years : float
        Years between false clusters as strong, if looked once a period.
    places : DataFrame
        All places scanned: ``place`` (code), ``longitude``, ``latitude`` (degrees), ``inside``, ``observed``, ``expected``.
    """

    first: dt.date
    last: dt.date
    p_value: float
    recurrence_years: float
    places: pd.DataFrame


def cluster_map(
    evidence: Sequence[Evidence], found: Mapping[tuple[str, str, str, str, str], ClusterFigures], namer: Namer, jurisdiction: str
) -> ClusterMap | None:
    """Return the strongest cluster that a concern rests on and that reaches into the jurisdiction, None without one.

    The map shows the counties around it too, of whatever jurisdiction: a cluster knows no borders.

    Parameters
    ----------
    evidence : sequence of Evidence
    found : mapping of (model, product, industry, region, stratum) to ClusterFigures
        By the series on which the p-value of a cluster stands.
    """
    keys = sorted({(item.model, item.product, item.industry, item.region, item.stratum) for item in evidence} & set(found))
    keys = [key for key in keys if any(namer.relation(str(code), jurisdiction) for code in _inside(found[key]))]
    if not keys:
        return None
    key = min(keys, key=lambda one: (found[one].p_value, one))
    cluster = found[key]
    rows = cluster.places.sort_values("place", kind="stable").to_dict("records")
    places = tuple(
        ClusterPlace(
            code=str(row["place"]),
            name=namer.region(str(row["place"])),
            longitude=significant(float(row["longitude"])),
            latitude=significant(float(row["latitude"])),
            inside=bool(row["inside"]),
            observed=float(row["observed"]),
            expected=float(f"{row['expected']:.6g}"),
        )
        for row in rows
    )
    inside = [place for place in places if place.inside]
    return ClusterMap(
        model=key[0],
        subject=namer.product(key[1]) if key[1] else namer.industry(key[2]) if key[2] else Text(zh="全部", en="all"),
        first=cluster.first,
        last=cluster.last,
        counties=len(inside),
        observed=math.fsum(place.observed for place in inside),
        expected=float(f"{math.fsum(place.expected for place in inside):.6g}"),
        p_value=float(f"{cluster.p_value:.6g}"),
        recurrence_years=significant(cluster.recurrence_years),
        places=places,
    )


def _inside(cluster: ClusterFigures) -> pd.Series[str]:
    return cluster.places.loc[cluster.places["inside"].astype(bool), "place"]


def cluster_title(
    words: Wording, *, subject: str, counties: int, days: tuple[dt.date, dt.date], observed: float, expected: float, years: float | None
) -> str:
    """Return one line about a cluster: what, how many counties, first and last day, cases, and in how many years chance makes one like it.

    ``years`` None: more than anybody can know.
    """
    return words(
        "cluster.title",
        subject=subject,
        n=counties,
        start=date(days[0]),
        end=date(days[1]),
        observed=amount(observed),
        expected=amount(expected),
        ratio=ratio(observed / expected if expected > 0 else math.inf),
        wait=_wait(years, words),
    )


def cluster_text(cluster: ClusterMap, say: Speaker) -> tuple[str, str]:
    """Return the title of a cluster's map, and its caption for those who cannot see it: the title and the counties with most cases."""
    title = cluster_title(
        say.t,
        subject=say.of(cluster.subject),
        counties=cluster.counties,
        days=(cluster.first, cluster.last),
        observed=cluster.observed,
        expected=cluster.expected,
        years=cluster.recurrence_years,
    )
    inside = sorted((place for place in cluster.places if place.inside), key=lambda place: (place.expected - place.observed, place.code))
    named = say.t.join([f"{say.of(place.name)} {amount(place.observed)}/{amount(place.expected)}" for place in inside[:_NAMED]])
    return title, say.t("cluster.caption", title=title, counties=named, more=say.t("cluster.more") if len(inside) > _NAMED else "")


def _wait(years: float | None, words: Wording) -> str:
    if years is None or years > _MANY_YEARS:
        return words("cluster.rare", n=amount(_MANY_YEARS))
    if years >= _FEW_YEARS:
        return words("cluster.years", n=amount(round(years, 1)))
    return words("cluster.months", n=amount(max(round(12 * years), 1)))
