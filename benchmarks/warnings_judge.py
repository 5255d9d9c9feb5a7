"""Warnings of a replay against the ledger of what was injected: used by bench_warnings.py.

Pure functions of the log, the hazards and the days on which a perfect observer sees them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from warnings_observer import Seen

from riskwatch.datasets import Hazard
from riskwatch.datasets.codelists import World

GRADES = ("IV", "III", "II", "I")
HIGH = ("III", "II", "I")
WITHIN_DAYS = 14
# Records of the last injuries and samples are known so many days after the end, and a warning about them is about the hazard.
RECENT_DAYS = 90


@dataclass(frozen=True)
class Places:
    """What lies in what: products under categories, counties under prefectures under the province."""

    product: Mapping[str, str]
    region: Mapping[str, str]

    @classmethod
    def of(cls, world: World) -> Places:
        """Read the trees of a world."""
        product = dict(zip(world.products["code"].astype(str), world.products["parent"].astype(str), strict=True))
        region = dict(zip(world.counties["code"].astype(str), world.counties["prefecture"].astype(str), strict=True))
        region.update(zip(world.counties["prefecture"].astype(str), world.counties["province"].astype(str), strict=True))
        return cls(product, region)

    @staticmethod
    def _within(code: str, other: str, above: Mapping[str, str]) -> bool:
        while code and code != other:
            code = above.get(code, "")
        return code == other

    def same_product(self, one: str, other: str) -> bool:
        """Whether two codes are the same, or a category and one of its products."""
        return bool(one and other) and (self._within(one, other, self.product) or self._within(other, one, self.product))

    def overlap(self, one: str, other: str) -> bool:
        """Whether one region lies in the other; "" is everything."""
        return self._within(one, other, self.region) or self._within(other, one, self.region)

    def common(self, regions: Sequence[str]) -> str:
        """Return the smallest region that holds all; the province for none."""
        paths = [self.path(region) for region in regions] or [["220000"]]
        shared = [code for code in paths[0] if all(code in path for path in paths)]
        return shared[0] if shared else ""

    def path(self, region: str) -> list[str]:
        """Return a region and all above it."""
        found = []
        while region:
            found.append(region)
            region = self.region.get(region, "")
        return found


def onset(hazard: Hazard) -> dt.date:
    """First day of the hazard in any stream."""
    return min(hazard.start, hazard.samples_from) if hazard.in_spot_checks else hazard.start


def over(hazard: Hazard, last: dt.date) -> dt.date:
    """Return the last day on which a warning can still be about the hazard."""
    return last if hazard.end is None else hazard.end + dt.timedelta(days=RECENT_DAYS)


def about(warning: Mapping[str, object], hazard: Hazard, places: Places) -> bool:
    """Whether the subject of a warning is a product of the hazard, in a place of it."""
    if warning["kind"] != "product":
        return False
    right = any(places.same_product(str(warning["code"]), code) for code in hazard.products)
    return right and (not hazard.regions or any(places.overlap(str(warning["region"]), code) for code in hazard.regions))


def touches(warning: Mapping[str, object], hazard: Hazard, places: Places) -> bool:
    """Whether some evidence of a warning, whatever its subject, is about a product or place of the hazard alone."""
    for _, product, region, *_ in warning["evidence"]:  # type: ignore[attr-defined]  # a list of lists
        if any(places.same_product(product, code) for code in hazard.products) and (
            not hazard.regions or any(places.overlap(region, code) for code in hazard.regions)
        ):
            return True
    return False


def single_firms(warning: Mapping[str, object]) -> bool:
    """Whether a warning is a list of failed rechecks alone: true of those firms, and no news of a hazard."""
    return not warning["evidence"] and set(warning["floors"]) == {"floor.recheck-failed"}  # type: ignore[call-overload]  # a list


def warned(log: Sequence[Mapping], hazard: Hazard, places: Places, *, needs: str = "any") -> list[tuple[dt.date, Mapping]]:
    """Return (day, warning) of every day on which a warning about the hazard stood that had news since the onset.

    ``needs``: "any"; "statistics": only where a statistical alarm speaks for it.
    """
    first, last = onset(hazard), over(hazard, dt.date.fromisoformat(log[-1]["day"]))
    news: set[str] = set()
    found = []
    for line in log:
        day = dt.date.fromisoformat(line["day"])
        if not first <= day <= last:
            continue
        for warning in line["warnings"]:
            if (
                warning["covered_by"]
                or single_firms(warning)
                or not about(warning, hazard, places)
                or (needs == "statistics" and not warning["evidence"])
            ):
                continue
            if dt.date.fromisoformat(warning["first_seen"]) >= first or warning["state"] == "worsened":
                news.add(warning["id"])
            if warning["id"] in news:
                found.append((day, warning))
    return found


def judge_hazard(log: Sequence[Mapping], hazard: Hazard, seen: Seen, places: Places) -> dict[str, object]:
    """Return one row: when it could be seen and was warned of, and whether scope, grade, product and place were right."""
    standing = warned(log, hazard, places)
    by_statistics = warned(log, hazard, places, needs="statistics")
    first = standing[0][0] if standing else None

    # The height: of the warnings on statistics before others, of those that name the product before those of its category, the
    # highest level; of the days at it, the last.
    def rank(pair: tuple[dt.date, Mapping]) -> tuple[bool, bool, int]:
        return bool(pair[1]["evidence"]), pair[1]["code"] in hazard.products, GRADES.index(pair[1]["grade"])

    height = max(standing, key=lambda pair: (rank(pair), pair[0]), default=None)
    # Records thin out once a hazard is over while its level is still held: the scope is the one stated on most days at the height.
    said = Counter(warning["scope"] for day, warning in standing if height and rank((day, warning)) == rank(height))
    scope = max(said, key=lambda name: (said[name], name), default="")
    top = height[1] if height else {}
    last = over(hazard, dt.date.fromisoformat(log[-1]["day"]))
    loose = any(
        touches(warning, hazard, places)
        for line in log
        if onset(hazard) <= dt.date.fromisoformat(line["day"]) <= last
        for warning in line["warnings"]
        if dt.date.fromisoformat(warning["first_seen"]) >= onset(hazard)
    )
    delay = (first - seen.first).days if first and seen.first else None
    delay_statistics = (by_statistics[0][0] - seen.first).days if by_statistics and seen.first else None
    return {
        "hazard": hazard.hazard_id,
        "scope": hazard.scope,
        "stream": hazard.stream,
        "grade": hazard.grade_expected,
        "products": " ".join(hazard.products),
        "regions": " ".join(hazard.regions),
        "onset": onset(hazard),
        "start": hazard.start,
        "end": hazard.end,
        "seen_injury": seen.injury,
        "seen_spot_check": seen.spot_check,
        "seen": seen.first,
        "warned": first,
        "delay": delay,
        "delay_statistics": delay_statistics,
        "in_time": delay is not None and delay <= WITHIN_DAYS,
        "in_time_statistics": delay_statistics is not None and delay_statistics <= WITHIN_DAYS,
        "warned_scope": scope,
        "warned_grade": top.get("grade", ""),
        "warned_risk": top.get("risk", ""),
        "warned_confidence": top.get("confidence", ""),
        "warned_code": top.get("code", ""),
        "warned_region": top.get("anchor", ""),
        "touched": loose or bool(standing),
        "scope_right": scope == hazard.scope,
        # The rules call one prefecture regional, the ledger isolated: with injuries alone no firm is known that would tell them apart.
        "scope_near": scope == hazard.scope or (len(hazard.regions) == 1 and scope == "regional"),
        # A defect of all firms that already hurts people and one of a shared supplier look alike where records name too few suppliers.
        "scope_told": scope == hazard.scope
        or (len(hazard.regions) == 1 and scope == "regional")
        or (hazard.stream == "both" and hazard.scope == "industry-wide" and scope == "systemic"),
        "grade_near": bool(top) and abs(GRADES.index(top["grade"]) - GRADES.index(hazard.grade_expected)) <= 1,
        "grade_exact": bool(top) and top["grade"] == hazard.grade_expected,
        "place_exact": bool(top) and top["anchor"] == places.common(hazard.regions),
    }


def high_warnings(log: Sequence[Mapping], hazards: Sequence[Hazard], places: Places, *, since: dt.date) -> pd.DataFrame:
    """Return every warning that was opened at or raised to III or higher from ``since`` on, and what explains it ("" for nothing)."""
    rows = []
    before: dict[str, str] = {}
    last_day = dt.date.fromisoformat(log[-1]["day"])
    for line in log:
        day = dt.date.fromisoformat(line["day"])
        now = {}
        for warning in line["warnings"]:
            if warning["covered_by"]:
                continue
            now[warning["id"]] = warning["grade"]
            if day < since or warning["grade"] not in HIGH or before.get(warning["id"]) in HIGH:
                continue
            alive = [hazard for hazard in hazards if onset(hazard) <= day <= over(hazard, last_day)]
            true = [hazard.hazard_id for hazard in alive if hazard.kind == "hazard" and about(warning, hazard, places)]
            beside = [hazard.hazard_id for hazard in alive if hazard.kind == "hazard" and touches(warning, hazard, places)]
            decoy = [hazard.hazard_id for hazard in alive if hazard.kind != "hazard" and hazard.products and about(warning, hazard, places)]
            rows.append(
                {
                    "day": day,
                    "id": warning["id"],
                    "grade": warning["grade"],
                    "kind": warning["kind"],
                    "code": warning["code"],
                    "region": warning["region"],
                    "basis": "statistics" if warning["evidence"] else "+".join(name.removeprefix("floor.") for name in warning["floors"]),
                    "models": " ".join(sorted({row[0] for row in warning["evidence"]})),
                    "explained": " ".join(true),
                    "beside": " ".join(beside),
                    "decoy": " ".join(decoy),
                    "cases": " ".join(warning.get("cases", ())),
                }
            )
        before = now
    columns = ["day", "id", "grade", "kind", "code", "region", "basis", "models", "explained", "beside", "decoy", "cases"]
    return pd.DataFrame(rows, columns=columns)


def per_centre_month(false: pd.DataFrame, centres: Sequence[str], places: Places, *, months: float) -> pd.Series:
    """Return warnings per month in each centre's jurisdiction: in it, or reaching over it.

    A list of single firms' cases (``cases``: their regions) counts where one of its cases lies, as the digest shows it, and not all over
    the province for which it was opened. The cases are those of the day on which it came to III.
    """
    reach = [str(cases).split() or [str(region)] for region, cases in zip(false["region"], false["cases"], strict=True)]
    counts = {centre: sum(any(places.overlap(region, centre) for region in some) for some in reach) / months for centre in centres}
    return pd.Series(counts, dtype=np.float64)
