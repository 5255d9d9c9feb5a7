"""How far a concern reaches: isolated, regional, industry-wide or systemic, with the figures behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import binom

from riskwatch.assessment.facts import Facts
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import ScopeRules
from riskwatch.assessment.types import Scope, Step, Subject

__all__ = ["ScopeFigures", "decide_scope", "scope_figures"]


@dataclass(frozen=True, slots=True)
class ScopeFigures:
    """What the scope is decided on.

    ``touched`` of ``judged`` regions (on the level of spread) show an excess by themselves; ``by_chance`` is the probability of so
    many or more touched regions were there no spread. Where no such region was judged, ``touched`` counts those with cases and
    ``by_chance`` is None. ``largest_region_share`` is None where no place is known.
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


def scope_figures(
    table: pd.DataFrame, rows: Sequence[int], subject: Subject, facts: Facts, *, paths: Mapping[str, TreePaths], rules: ScopeRules
) -> ScopeFigures:
    """Collect the figures from the judged series about ``subject`` and from the records.

    Parameters
    ----------
    table : pandas.DataFrame
        Judged series-periods of the run.
    rows : sequence of int
        Rows of the concern's evidence; the models and periods in them say which other series are comparable.
    """
    regions = paths["region"]
    touched: set[str] = set()
    judged: set[str] = set()
    excess: dict[str, float] = defaultdict(float)
    evidence = table.loc[list(rows)]
    if len(evidence) and subject.kind != "region":
        spans = set(zip(evidence["model"], evidence["stratum"], evidence["period_start"], strict=True))
        same = table.loc[((table[subject.kind] == subject.code) & (table["region"] != "")).to_numpy()]
        for row in same.to_dict("records"):
            if (row["model"], row["stratum"], row["period_start"]) not in spans:
                continue
            level = regions.level(row["region"])
            place = row["region"] if level == rules.spread_level else regions.at_level(row["region"], rules.spread_level)
            if not place:
                continue
            judged.add(place)
            if row["excess"] > 0 and row["p_value"] < rules.touched_p:
                touched.add(place)
            if level == rules.spread_level:
                excess[place] += max(row["excess"], 0.0)
    by_place: dict[str, float] = defaultdict(float)
    for region, count in facts.by_region.items():
        by_place[regions.at_level(region, rules.spread_level) or region] += count
    shares = excess if sum(excess.values()) > 0 else by_place
    total = sum(shares.values())
    largest = max(shares, key=lambda place: (shares[place], place), default="")
    checks, injury = facts.spot_check, facts.injury
    cases = (checks.failed if checks else 0.0) + (injury.persons if injury else 0.0) + (facts.notice.notices if facts.notice else 0.0)
    # One region more than chance would touch is what the binomial tail says, regions taken as independent.
    chance = float(binom.sf(len(touched) - 1, len(judged), rules.touched_p)) if judged else None
    return ScopeFigures(
        cases=cases,
        touched=len(touched) if judged else sum(1 for count in by_place.values() if count > 0),
        judged=len(judged),
        by_chance=chance,
        largest_region=largest if total > 0 else "",
        largest_region_share=shares[largest] / total if total > 0 else None,
        producers=checks.producers if checks else 0,
        largest_producer_share=checks.largest_producer_share if checks else None,
        sharing_producers=checks.sharing_producers if checks else 0,
        hospitals=injury.hospitals if injury else 0,
    )


def decide_scope(figures: ScopeFigures, rules: ScopeRules) -> tuple[Scope, list[Step]]:
    """Return the scope and the rules looked at, the first that holds deciding."""
    one_firm = figures.largest_producer_share is not None and figures.largest_producer_share >= rules.one_firm_share
    many_firms = (
        figures.producers >= rules.min_producers
        and figures.largest_producer_share is not None
        and figures.largest_producer_share <= rules.largest_producer_share
    )
    # Cases in every prefecture are normal for a common product: only regions with an excess of their own show spread.
    spread = figures.judged > 0 and figures.touched >= rules.min_prefectures
    most_regions = figures.judged > 0 and figures.touched * 2 >= figures.judged
    concentrated = figures.largest_region_share is not None and figures.largest_region_share >= rules.regional_share
    no_place = figures.largest_region_share is None
    tests: list[tuple[str, bool, Scope, dict[str, object]]] = [
        (
            "scope.few-cases",
            figures.cases < rules.min_cases and figures.touched < 2,
            Scope.ISOLATED,
            {"cases": figures.cases, "needed": rules.min_cases},
        ),
        (
            "scope.one-firm",
            one_firm and not (spread and figures.hospitals > 0),
            Scope.ISOLATED,
            {"largest_producer_share": figures.largest_producer_share, "threshold": rules.one_firm_share, "producers": figures.producers},
        ),
        (
            "scope.systemic",
            spread and (many_firms or (figures.producers == 0 and most_regions)),
            Scope.SYSTEMIC,
            {
                "regions_touched": figures.touched,
                "regions_judged": figures.judged,
                "by_chance": figures.by_chance,
                "needed": rules.min_prefectures,
                "producers": figures.producers,
                "largest_producer_share": figures.largest_producer_share,
            },
        ),
        (
            "scope.industry-wide",
            (many_firms and not concentrated) or (no_place and figures.hospitals >= rules.min_hospitals),
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
            concentrated or figures.touched >= 2,
            Scope.REGIONAL,
            {
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
