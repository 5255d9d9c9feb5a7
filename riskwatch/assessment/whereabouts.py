"""Counts of a concern by region, as its models judged them, and where its excess lies."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from riskwatch.assessment.lookups import Lookups
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.reach import Reach, reach
from riskwatch.assessment.types import Subject

__all__ = ["weigh_places"]

Counts = dict[str, tuple[float, float]]

_REST = 1e-6  # expected cases outside the judged regions that are worth a place of their own


def weigh_places(
    judged: Lookups,
    rows: Sequence[int],
    subject: Subject,
    *,
    paths: Mapping[str, TreePaths],
    level: str,
    share: float,
    told_from: float = 0.0,
) -> tuple[Reach | None, list[str]]:
    """Weigh where the excess of a concern lies, over the regions of one level.

    Of each stream one model tells, as others count the same cases again: the one whose evidence speaks loudest, over the strata in which
    it does and the periods since it does; where the models in alarm know no places, another model of the stream over the same time.
    Where the subject itself was not judged by region, what lies below it is added up.

    Parameters
    ----------
    judged : Lookups
        Judged series-periods of the run.
    rows : sequence of int
        Rows of the concern's evidence.
    subject : Subject
    paths : mapping of str to TreePaths
    level : str
        Level of the region tree.
    share : float
        An excess in up to this share of the regions is weighed against one in all of them.
    told_from : float
        Log likelihood ratio of the likeliest placing against no excess, at least; below it no place is told.

    Returns
    -------
    Reach or None
    list of str
        The regions weighed; "" for all others together.
    """
    if not rows or subject.kind == "region":
        return None, []
    evidence = judged.placed.take(list(rows))
    tree = paths[subject.kind]
    inside = [code for code in judged.words(subject.kind) if code and tree.within(code, subject.code)]
    about = judged.placed.take(judged.about(subject.kind, inside))
    found: list[Counts] = []
    for stream, group in evidence.groupby("stream", sort=True):
        same = about.loc[(about["stream"] == stream).to_numpy()]
        found += next(([counts] for part in _candidates(same, group) if (counts := _by_place(part, subject, paths, level))), [])
    names = sorted({place for counts in found for place in counts if place})
    if not names:
        return None, []
    names += [""] if any("" in counts for counts in found) else []
    observed, expected = (np.array([[counts.get(place, (0.0, 0.0))[part] for place in names] for counts in found]) for part in (0, 1))
    return reach(observed, expected, most=int(share * len(names)), told_from=told_from), names


def _candidates(judged: pd.DataFrame, group: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield what each model of a stream judged, the loudest of the evidence first, then those that are silent.

    Of a model in alarm all periods since the evidence of its first alarm begins count, in each stratum: those that alarmed for the whole
    are the ones in which chance was high everywhere, and a place that was high in the others is a place all the same.
    """
    loudest = group.sort_values(["q_value", "p_value", "model"], kind="stable")["model"].unique().tolist()
    for model in loudest:
        began = group.loc[(group["model"] == model).to_numpy()].groupby("stratum")["evidence_start"].min()
        part = judged.loc[((judged["model"] == model) & judged["stratum"].isin(began.index)).to_numpy()]
        yield part.loc[(part["period_start"] >= part["stratum"].map(began)).to_numpy()]
    during = judged.loc[
        ((judged["period_end"] >= group["evidence_start"].min()) & (judged["period_start"] <= group["period_end"].max())).to_numpy()
    ]
    # The most that is known of the places: the model that expects most.
    others = during.loc[(~during["model"].isin(loudest) & (during["region"] != "")).to_numpy()]
    sizes = others.groupby("model", sort=True)["expected"].sum().sort_values(ascending=False, kind="stable")
    spoken = _days(group)
    for model in sizes.index:
        # A model that has not judged the time of the alarm cannot tell where it was: weeks after it there is no excess to be placed.
        if 2 * len(_days(others.loc[(others["model"] == model).to_numpy()]) & spoken) >= len(spoken):
            yield during.loc[(during["model"] == model).to_numpy()]


def _days(rows: pd.DataFrame) -> set[int]:
    """Return the days, as ordinals, that lie in a period of the rows."""
    periods = set(zip(rows["period_start"], rows["period_end"], strict=True))
    return {day for start, end in periods for day in range(start.toordinal(), end.toordinal() + 1)}


def _by_place(part: pd.DataFrame, subject: Subject, paths: Mapping[str, TreePaths], level: str) -> Counts:
    """Return observed and expected by region of a level, and under "" what the whole has beyond them; empty where no region was judged."""
    regions, tree = paths["region"], paths[subject.kind]
    at_level = np.array([bool(region) and regions.level(region) == level for region in part["region"]], dtype=np.bool_)
    codes = part[subject.kind]
    own = (codes == subject.code).to_numpy()
    if not (own & at_level).any():
        below = sorted({str(code) for code in codes if code != subject.code})
        leaves = {code for code in below if not any(other != code and tree.within(other, code) for other in below)}
        own = codes.isin(leaves).to_numpy()
    used = part.loc[own & (at_level | (part["region"] == "").to_numpy())]
    cells: dict[tuple[str, str], dict[Hashable, Counts]] = defaultdict(lambda: defaultdict(dict))
    columns = (subject.kind, "stratum", "period_start", "region", "observed", "expected")
    for code, stratum, period, region, observed, expected in zip(*(used[name] for name in columns), strict=True):
        cells[code, stratum][period][region] = (observed, expected)
    observed_in: dict[str, list[float]] = defaultdict(list)
    expected_in: dict[str, list[float]] = defaultdict(list)
    for periods in cells.values():
        for region, o, e in _with_rest(periods.values()):
            observed_in[region].append(o)
            expected_in[region].append(e)
    return {region: (math.fsum(observed_in[region]), math.fsum(expected_in[region])) for region in observed_in}


def _with_rest(periods: Collection[Counts]) -> Iterator[tuple[str, float, float]]:
    """Yield the counts of each place in each period of one series and its parts, and under "" what lies in no judged place.

    The rest is the same places in every period: only periods in which all places were judged that ever were tell of it. In the newest
    weeks some places are not judged yet, and what lies in them is no place of its own.
    """
    known = {region for counts in periods for region in counts if region}
    for counts in periods:
        places = [(region, o, e) for region, (o, e) in counts.items() if region]
        yield from places
        if known and len(places) == len(known) and "" in counts:
            rest = counts[""][0] - math.fsum(o for _, o, _ in places)
            expected = counts[""][1] - math.fsum(e for _, _, e in places)
            if expected > _REST and rest >= 0:
                yield "", rest, expected
