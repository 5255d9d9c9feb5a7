"""How far a concern reaches: isolated, regional, industry-wide or systemic, with the figures behind it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import binom, norm

from riskwatch.assessment.facts import Facts
from riskwatch.assessment.lookups import Lookups
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import ScopeRules
from riskwatch.assessment.spatial import clustering
from riskwatch.assessment.suppliers import SupplierFigures
from riskwatch.assessment.types import Evidence, Scope, Step, Subject
from riskwatch.assessment.whereabouts import weigh_places

__all__ = ["ScopeFigures", "by_chance", "decide_scope", "scope_figures", "tells_of_harm"]


@dataclass(frozen=True, slots=True)
class ScopeFigures:
    """What the scope is decided on.

    ``touched`` of ``judged`` regions (on the level of spread) show an excess by themselves; ``by_chance`` is the probability of so
    many or more touched regions were there no spread. Where no such region was judged, ``touched`` counts those with cases and
    ``by_chance`` is None. ``largest_region_share`` is None where no place is known. ``untouched_excess_p`` is the one-sided p-value of the
    excess of all untouched regions together: small where the rest of the jurisdiction is high too, only too thin to show it region by
    region. ``morans_i`` and ``joins`` (borders between touched regions) say whether neighbours are high together.

    ``wide`` and ``one_place`` are the probabilities that the excess lies everywhere and in one region
    (:mod:`riskwatch.assessment.reach`), None where no region was judged; ``places`` is the likeliest set of the ``weighed`` regions if
    it is not everywhere. ``witnesses``: the kinds of witnesses that speak for the concern by a hit. ``narrow``: the place of the
    concern lies below the level of spread (one county). ``local``: it lies on that level or below, and firms were counted there alone.
    ``suppliers``: whether the failures of several firms rest on one supplier (:mod:`riskwatch.assessment.suppliers`), None where no
    unusual failures speak for the concern. ``harm``: those of the witnesses who tell of people hurt, None where that is not known of
    them: all may.
    """

    cases: float
    touched: int
    judged: int
    by_chance: float | None
    largest_region: str
    largest_region_share: float | None
    producers: int
    largest_producer_share: float | None
    sharing_producers: int
    hospitals: int
    largest_batch_share: float | None = None
    largest_platform_share: float | None = None
    untouched_excess_p: float | None = None
    morans_i: float | None = None
    morans_p: float | None = None
    joins: int = 0
    joins_p: float | None = None
    witnesses: tuple[str, ...] = ()
    wide: float | None = None
    one_place: float | None = None
    places: tuple[str, ...] = ()
    weighed: int = 0
    narrow: bool = False
    local: bool = False
    suppliers: SupplierFigures | None = None
    harm: tuple[str, ...] | None = None


def scope_figures(
    judged: Lookups,
    rows: Sequence[int],
    subject: Subject,
    facts: Facts,
    *,
    paths: Mapping[str, TreePaths],
    rules: ScopeRules,
    borders: Collection[tuple[str, str]] = (),
    witnesses: Sequence[str] = (),
    harm: Sequence[str] | None = None,
    suppliers: SupplierFigures | None = None,
) -> ScopeFigures:
    """Collect the figures from the judged series about ``subject`` and from the records.

    Parameters
    ----------
    judged : Lookups
        Judged series-periods of the run.
    rows : sequence of int
        Rows of the concern's evidence; the models and periods in them say which other series are comparable.
    borders : collection of (str, str)
        Pairs of neighbouring regions, for the spatial figures.
    witnesses : sequence of str
        Kinds of witnesses among the hits.
    harm : sequence of str, optional
        Those of them who tell of people hurt.
    suppliers : SupplierFigures, optional
    """
    regions = paths["region"]
    places = _places(judged, rows, subject, paths=paths, rules=rules)
    touched = {place for place, one in places.items() if one.p_value < rules.touched_p}
    asked = len(places)
    excess = {place: max(one.excess, 0.0) for place, one in places.items() if one.own}
    rest = [one for place, one in sorted(places.items()) if place not in touched]
    untouched = None
    if touched and rest and (expected := math.fsum(one.expected for one in rest)) > 0:
        untouched = float(norm.sf(math.fsum(one.excess for one in rest) / math.sqrt(expected)))
    scores = {place: one.excess / math.sqrt(max(one.expected, 0.5)) for place, one in places.items()}
    found, names = weigh_places(
        judged, rows, subject, paths=paths, level=rules.spread_level, share=rules.systemic_share, told_from=rules.told_from
    )
    spatial = clustering(scores, touched, borders, permutations=rules.permutations, seed=rules.seed)
    by_place: dict[str, float] = defaultdict(float)
    for region, count in facts.by_region.items():
        by_place[regions.at_level(region, rules.spread_level) or region] += count
    shares = excess if sum(excess.values()) > 0 else by_place
    total = sum(shares.values())
    largest = max(shares, key=lambda place: (shares[place], place), default="")
    checks, injury = facts.spot_check, facts.injury
    cases = (checks.failed if checks else 0.0) + (injury.persons if injury else 0.0) + (facts.notice.notices if facts.notice else 0.0)
    chance = by_chance(len(touched), asked, rules.touched_p) if asked else None
    return ScopeFigures(
        cases=cases,
        touched=len(touched) if asked else sum(1 for count in by_place.values() if count > 0),
        judged=asked,
        by_chance=chance,
        largest_region=largest if total > 0 else "",
        largest_region_share=shares[largest] / total if total > 0 else None,
        producers=checks.producers if checks else 0,
        largest_producer_share=checks.largest_producer_share if checks else None,
        sharing_producers=checks.sharing_producers if checks else 0,
        hospitals=injury.hospitals if injury else 0,
        largest_batch_share=checks.largest_batch_share if checks else None,
        largest_platform_share=max(
            (one.largest_platform_share for one in facts.others.values() if one.largest_platform_share is not None), default=None
        ),
        untouched_excess_p=untouched,
        morans_i=spatial.morans_i,
        morans_p=spatial.morans_p,
        joins=spatial.joins,
        joins_p=spatial.joins_p,
        witnesses=tuple(sorted(set(witnesses))),
        wide=None if found is None else found.wide,
        one_place=None if found is None else found.single,
        places=() if found is None else tuple(names[place] or "?" for place in found.places),
        weighed=len(names),
        local=bool(regions.at_level(subject.region, rules.spread_level)),
        narrow=bool(regions.at_level(subject.region, rules.spread_level)) and regions.level(subject.region) != rules.spread_level,
        suppliers=suppliers,
        harm=None if harm is None else tuple(sorted(set(harm))),
    )


@lru_cache(maxsize=4096)
def by_chance(touched: int, judged: int, touched_p: float) -> float:
    """Return the probability that so many or more of the judged regions are touched by chance, regions taken as independent."""
    return float(binom.sf(touched - 1, judged, touched_p))


def tells_of_harm(evidence: Sequence[Evidence], facts: Facts, rules: ScopeRules) -> list[Evidence]:
    """Return the evidence that may tell of people hurt: all, but for complaints of which too few state an injury.

    Complaints that never say whether anyone was hurt are taken to tell of it.
    """
    complaints = facts.others.get("complaint")
    injured = complaints.counts.get("with_injury") if complaints is not None else None
    unhurt = isinstance(injured, int) and injured < rules.injured_complainants
    return [one for one in evidence if not (unhurt and one.stream == "complaint")]


@dataclass(frozen=True, slots=True)
class _Place:
    """The judged series about a concern in one region of the level of spread."""

    p_value: float  # smallest of its series with an excess, times their number
    excess: float
    expected: float
    own: bool  # judged as a whole, not only in parts of it


def _places(
    judged: Lookups, rows: Sequence[int], subject: Subject, *, paths: Mapping[str, TreePaths], rules: ScopeRules
) -> dict[str, _Place]:
    """Return what was judged in each region of the level of spread, in the models, strata and periods of the evidence."""
    if not rows or subject.kind == "region":
        return {}
    regions = paths["region"]
    same = judged.about(subject.kind, [subject.code])
    same = same[np.isin(judged.moments[same], judged.moments[list(rows)])]
    figures = (judged.table[name].to_numpy(np.float64)[same].tolist() for name in ("p_value", "excess", "expected"))
    whole: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    parts: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for region, *three in zip(judged.texts("region", same).tolist(), *figures, strict=True):
        if not region:
            continue
        own = regions.level(region) == rules.spread_level
        place = region if own else regions.at_level(region, rules.spread_level)
        if place:
            (whole if own else parts)[place].append((three[0], three[1], three[2]))
    found = {}
    for place in sorted({*whole, *parts}):
        # Where the region itself was judged its parts are not asked again, and many tests are not one: each counts.
        some = whole.get(place) or parts[place]
        smallest = min((p for p, excess, _ in some if excess > 0), default=1.0)
        found[place] = _Place(
            min(1.0, smallest * len(some)),
            math.fsum(excess for _, excess, _ in some),
            math.fsum(expected for *_, expected in some),
            place in whole,
        )
    return found


def decide_scope(figures: ScopeFigures, rules: ScopeRules) -> tuple[Scope, list[Step]]:
    """Return the scope and the rules looked at, the first that holds deciding."""
    one_firm = figures.largest_producer_share is not None and figures.largest_producer_share >= rules.one_firm_share
    many_firms = (
        figures.producers >= rules.min_producers
        and figures.largest_producer_share is not None
        and figures.largest_producer_share <= rules.largest_producer_share
    )
    # Some firms of a category fail every month: they mean something only where failures are what is unusual.
    measured = not figures.witnesses or "measurement" in figures.witnesses
    # Cases in every prefecture are normal for a common product: only where the excess lies shows spread.
    placed = figures.wide is not None
    spread = figures.wide is not None and figures.wide >= rules.wide_probability
    told = figures.witnesses if figures.harm is None else figures.harm
    harmed = bool(set(told) & set(rules.systemic_witnesses))
    one_batch = figures.largest_batch_share is not None and figures.largest_batch_share >= rules.one_firm_share
    concentrated = figures.largest_region_share is not None and figures.largest_region_share >= rules.regional_share
    no_place = figures.largest_region_share is None
    everywhere = spread or not (placed or concentrated)
    # One cause in the goods of several firms is the system's, hurt or not. People hurt everywhere are the system's too, unless it is
    # known that firms fail each by itself: of one firm's failures that is never said, as they name one supplier.
    verdict = figures.suppliers.verdict if figures.suppliers is not None else "unknown"
    apart = verdict == "none" and measured
    supplied: dict[str, object] = {f"supplier_{name}": value for name, value in asdict(figures.suppliers or SupplierFigures()).items()}
    tests: list[tuple[str, bool, Scope, dict[str, object]]] = [
        (
            "scope.few-cases",
            figures.cases < rules.min_cases and figures.touched < 2,
            Scope.ISOLATED,
            {"cases": figures.cases, "needed": rules.min_cases},
        ),
        (
            "scope.one-firm",
            measured and (one_firm or one_batch) and not (spread and figures.hospitals > 0),
            Scope.ISOLATED,
            {
                "largest_producer_share": figures.largest_producer_share,
                "largest_batch_share": figures.largest_batch_share,
                "threshold": rules.one_firm_share,
                "producers": figures.producers,
            },
        ),
        (
            "scope.one-county",
            figures.narrow and figures.producers < rules.min_producers,
            Scope.ISOLATED,
            {"producers": figures.producers, "needed": rules.min_producers},
        ),
        (
            "scope.systemic",
            (everywhere and measured and verdict == "shared") or (spread and harmed and not apart),
            Scope.SYSTEMIC,
            {
                "wide": figures.wide,
                "wide_needed": rules.wide_probability,
                "witnesses": list(figures.witnesses),
                "witnesses_of_harm": list(told),
                "witnesses_needed": list(rules.systemic_witnesses),
                "regions_touched": figures.touched,
                "regions_judged": figures.judged,
                "by_chance": figures.by_chance,
                "untouched_excess_p": figures.untouched_excess_p,
                "morans_i": figures.morans_i,
                "morans_p": figures.morans_p,
                "joins": figures.joins,
                "joins_p": figures.joins_p,
                "producers": figures.producers,
                "largest_producer_share": figures.largest_producer_share,
                **supplied,
            },
        ),
        (
            "scope.industry-wide",
            (many_firms and measured and everywhere)
            # Two firms of one prefecture do not say how many there are where the excess lies.
            or (spread and measured and figures.local and figures.touched > 1)
            or (spread and harmed and apart)
            or (no_place and figures.hospitals >= rules.min_hospitals),
            Scope.INDUSTRY_WIDE,
            {
                "producers": figures.producers,
                "needed": rules.min_producers,
                "largest_producer_share": figures.largest_producer_share,
                "largest_region_share": figures.largest_region_share,
                "hospitals": figures.hospitals,
            },
        ),
        (
            "scope.regional",
            placed or concentrated or figures.touched >= 2,
            Scope.REGIONAL,
            {
                "places": list(figures.places),
                "one_place": figures.one_place,
                "largest_region": figures.largest_region,
                "largest_region_share": figures.largest_region_share,
                "threshold": rules.regional_share,
                "regions_touched": figures.touched,
            },
        ),
    ]
    steps: list[Step] = []
    for rule, holds, scope, inputs in tests:
        steps.append(Step(rule, inputs, scope.value if holds else "does not hold"))
        if holds:
            return scope, steps
    steps.append(Step("scope.otherwise", {}, Scope.ISOLATED.value))
    return Scope.ISOLATED, steps
