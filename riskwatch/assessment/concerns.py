"""Alarms about one subject become one concern, anchored at the smallest place that explains them.

A product and its category, a county and its prefecture, an industry and the product behind it alarm together. What carries
most of the excess is the concern; the others are its evidence. Shares are taken from judged series of the same model, period and
stratum, and where there are none from the records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.lookups import Candidate, Lookups, span
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.recalled import Behind
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.types import Evidence, Subject

__all__ = ["Concern", "Excess", "merge"]

Key = tuple[str, str]  # kind, code
_CODES = ("product", "industry", "region")


@dataclass(frozen=True)
class Concern:
    """One subject and the rows (of the judged table) that speak for it; ``cases``: the events, where it is but a list of them."""

    subject: Subject
    rows: tuple[int, ...]
    cases: tuple[FloorEvent, ...] = ()


class Excess:
    """Excess of any judged series-period, by its coordinates; rows are numbered as in the judged table."""

    def __init__(self, judged: Lookups) -> None:
        self._judged = judged
        self._values = judged.table["excess"].to_numpy(np.float64)
        # Series are compared within a model, stratum and period alone, and few of these are ever asked for.
        self._known: dict[int, dict[tuple[str, ...], float]] = {}

    def _of_group(self, group: int) -> dict[tuple[str, ...], float]:
        """Return the excess of all series of one model, stratum and period by their codes."""
        if group not in self._known:
            rows = np.flatnonzero(self._judged.groups == group)
            codes = zip(*(self._judged.texts(name, rows).tolist() for name in _CODES), strict=True)
            self._known[group] = dict(zip(codes, self._values[rows].tolist(), strict=True))
        return self._known[group]

    def share(self, rows: Sequence[int], **other: str) -> float | None:
        """Return the excess of the series with ``other`` codes over that of alarms ``rows``; None where no such series was judged."""
        whole = part = 0.0
        found = False
        for row in rows:
            own = self._judged.candidates[row].evidence
            key = (other.get("product", own.product), other.get("industry", own.industry), other.get("region", own.region))
            value = self._of_group(int(self._judged.groups[row])).get(key)
            if value is not None:
                found = True
                whole += float(self._values[row])
                part += max(value, 0.0)
        return part / whole if found and whole > 0 else None


def _key(one: Evidence) -> Key:
    for kind, code in (("product", one.product), ("industry", one.industry), ("region", one.region)):
        if code:
            return kind, code
    return "region", ""


class _Merger:
    def __init__(self, judged: Lookups, behind: Behind, paths: Mapping[str, TreePaths], rules: GradingRules) -> None:
        self.judged, self.behind, self.paths, self.rules = judged, behind, paths, rules
        self.excess = Excess(judged)
        self.places = judged.words("region") - {""}
        self.placing = judged.words("model", judged.about("region", self.places))

    def some(self, rows: Sequence[int]) -> list[Candidate]:
        return [self.judged.candidates[row] for row in rows]

    def record_share(self, rows: Sequence[int], **other: str) -> float:
        """Share of what the records of ``rows`` count that lies within ``other`` codes, over the streams of the rows."""
        whole = part = 0.0
        by_stream: dict[str, list[Candidate]] = defaultdict(list)
        for one in self.some(rows):
            by_stream[one.evidence.stream].append(one)
        for stream, group in sorted(by_stream.items()):
            window = span(group)
            told = {name: {getattr(one.evidence, name) for one in group} for name in _CODES}
            codes = {name: next(iter(some)) if len(some) == 1 else "" for name, some in told.items()}
            whole += self.behind.count(stream, codes, window)
            part += self.behind.count(stream, {**codes, **other}, window)
        return part / whole if whole > 0 else 0.0

    def share(self, rows: Sequence[int], **other: str) -> float:
        exact = self.excess.share(rows, **other)
        return self.record_share(rows, **other) if exact is None else exact

    # --- one kind of subject -----------------------------------------------------------------------------------------

    def forest(self, kind: str, rows: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """Merge the alarmed codes of one kind along its tree; return code -> rows."""
        paths = self.paths[kind]
        codes = sorted(rows)
        parent: dict[str, str | None] = {}
        for code in codes:
            above = [part for part in paths.path(code)[:-1] if part in rows]
            if not above and code and "" in rows:
                above = [""]
            parent[code] = above[-1] if above else None
        children: dict[str, list[str]] = defaultdict(list)
        for code, above_code in parent.items():
            if above_code is not None:
                children[above_code].append(code)
        merged: dict[str, list[int]] = {}

        def descend(code: str) -> list[str]:
            return [code, *(below for child in children[code] for below in descend(child))]

        def resolve(code: str) -> str:
            """Settle the tree under ``code``; return the subject that speaks for ``code``."""
            below = children[code]
            shares = sorted(((self.share(rows[code], **{kind: child}), child) for child in below), key=lambda pair: (-pair[0], pair[1]))
            if shares and shares[0][0] >= self.rules.merging.absorb_share:
                targets = [resolve(child) for _, child in shares]
                merged[targets[0]] = merged[targets[0]] + rows[code]
                return targets[0]
            apart = self._apart(kind, code, rows, {child: [row for part in descend(child) for row in rows[part]] for child in below})
            targets = [resolve(child) for _, child in shares if child in apart]
            rest = [part for child in below if child not in apart for part in descend(child)]
            own = rows[code] + [row for part in rest for row in rows[part]]
            if apart and sum(share for share, child in shares if child in apart) >= self.rules.merging.absorb_share:
                merged[targets[0]] = merged[targets[0]] + own
                return targets[0]
            merged[code] = own
            return code

        for code in codes:
            if parent[code] is None:
                resolve(code)
        return merged

    def _apart(self, kind: str, code: str, rows: Mapping[str, list[int]], below: Mapping[str, list[int]]) -> set[str]:
        """Return the codes under ``code`` that are a trouble of their own: strong, and in a place where none of the others is.

        Two products of one category that fail in two ends of a province are two hazards; several that fail in the same places
        are what the category is there to say.
        """
        if kind == "region" or not below:
            return set()
        paths = self.paths["region"]
        whole = self.anchor((kind, code), rows[code])
        places = {child: self.anchor((kind, child), found) for child, found in below.items()}
        strong = {
            child
            for child, found in below.items()
            if min(one.evidence.q_value for one in self.some(found)) < self.rules.confidence.q_strong
        }

        def alone(child: str) -> bool:
            here = places[child]
            others = [there for other, there in places.items() if other != child]
            return bool(here) and here != whole and not any(paths.within(here, there) or paths.within(there, here) for there in others)

        return {child for child in strong if alone(child)}

    # --- across kinds ------------------------------------------------------------------------------------------------

    def absorb(self, kind: str, merged: dict[Key, list[int]], into: Sequence[str]) -> None:
        """Hand concerns of ``kind`` to a product or industry that carries most of their excess, alone or as the first of several."""
        for key in sorted(key for key in merged if key[0] == kind):
            best: tuple[float, Key] | None = None
            together = self._together(merged[key], [other for other in merged if other[0] == "product"])
            for other in sorted(candidate for candidate in merged if candidate[0] in into):
                share = self.share(merged[key], **{other[0]: other[1]})
                if share >= self.rules.merging.absorb_share and (best is None or share > best[0]):
                    best = (share, other)
            best = best or together
            if best is not None:
                merged[best[1]] = merged[best[1]] + merged.pop(key)

    def _together(self, rows: Sequence[int], products: Sequence[Key]) -> tuple[float, Key] | None:
        """Return the product that carries most of the excess, if the products in alarm together carry enough of it.

        A city with two dangerous products is not a third concern. Only judged series tell: shares of records would let any common
        product explain a rise that has nothing to do with it.
        """
        paths = self.paths["product"]
        outermost = [key for key in products if not any(key != other and paths.within(key[1], other[1]) for other in products)]
        parts = sorted((-(self.excess.share(rows, product=key[1]) or 0.0), key) for key in outermost)
        total = -sum(part for part, _ in parts)
        return (-parts[0][0], parts[0][1]) if parts and total >= self.rules.merging.absorb_share else None

    # --- the place ---------------------------------------------------------------------------------------------------

    def anchor(self, key: Key, rows: Sequence[int]) -> str:
        kind, code = key
        if kind == "region":
            return code
        paths = self.paths["region"]
        # Only the rows about the subject itself (or below it) place it; a region's own alarm that it absorbed does not.
        seen = {row: self.judged.candidates[row].evidence for row in rows}
        own = [row for row in rows if self.paths[kind].within(getattr(seen[row], kind), code)]
        # A model that knows no places (foreign notices, say) corroborates, but does not widen the place that others show.
        own = [row for row in own if seen[row].model in self.placing] or own
        by_region: dict[str, list[int]] = {region: [] for region in sorted({seen[row].region for row in own})}
        for row in own:
            by_region[seen[row].region].append(row)
        keep = [region for region in by_region if not self._explained(region, by_region)]
        if "" in keep:
            return self._whole(key, by_region[""])
        return paths.common(keep)

    def _explained(self, region: str, by_region: Mapping[str, list[int]]) -> bool:
        """Whether alarmed regions below ``region`` carry most of its excess."""
        paths = self.paths["region"]
        below = [other for other in by_region if other != region and paths.within(other, region)]
        outermost = [one for one in below if not any(one != other and paths.within(one, other) for other in below)]
        total = sum(self.excess.share(by_region[region], region=other) or 0.0 for other in outermost)
        return total >= self.rules.merging.anchor_share

    def _whole(self, key: Key, rows: Sequence[int]) -> str:
        """Return the place of an alarm on the series over all regions: where most of the excess is, else the whole jurisdiction."""
        kind, code = key
        paths = self.paths["region"]
        same = self.judged.words("region", self.judged.about(kind, [code])) - {""}
        found = ""
        judged: set[str] = set()
        for region in sorted(same, key=lambda one: (len(paths.path(one)), one)):
            share = self.excess.share(rows, region=region)
            if share is None:
                continue
            judged.add(region)
            if share >= self.rules.merging.anchor_share and paths.within(region, found):
                found = region
        counts: dict[str, float] = defaultdict(float)
        some = self.some(rows)
        window = span(some)
        for stream in sorted({one.evidence.stream for one in some}):
            if stream in self.behind.streams:
                for region, value in self.behind.by_region(stream, Subject(kind, code), window).items():
                    counts[region] += value
        counted = {region: value for region, value in counts.items() if value > 0}
        if not found and sum(counted.values()) >= self.rules.scope.min_cases:
            # Counts follow the population; they place an alarm only where no judged series says better.
            densest = self._densest(counted)
            if not any(paths.within(region, densest) or paths.within(densest, region) for region in judged):
                found = densest
        if found:
            return found
        roots = {paths.path(region)[0] for region in counted}
        root = roots.pop() if len(roots) == 1 else ""
        # The whole jurisdiction is the smallest place that holds every place watched, not the root of the code list.
        watched = paths.common(sorted(self.places))
        known = bool(counted) and paths.within(watched, root) and all(paths.within(one, watched) for one in counted)
        return watched if known else root

    def _densest(self, counts: Mapping[str, float]) -> str:
        """Return the deepest region with at least ``anchor_share`` of the counts; "" where none is known."""
        paths = self.paths["region"]
        totals: dict[str, float] = defaultdict(float)
        for region, value in counts.items():
            for part in paths.path(region):
                totals[part] += value
        enough = [region for region, value in totals.items() if value >= self.rules.merging.anchor_share * sum(counts.values())]
        return max(enough, key=lambda region: (len(paths.path(region)), totals[region], region), default="")


def merge(judged: Lookups, behind: Behind, paths: Mapping[str, TreePaths], rules: GradingRules) -> list[Concern]:
    """Merge the alarms of a run into concerns, each shown once.

    Parameters
    ----------
    judged : Lookups
        Judged series-periods; ``candidate`` marks the alarms.
    behind : Behind
        Records, for shares where no series was judged.
    paths : mapping of str to TreePaths
        ``product``, ``industry``, ``region``.
    rules : GradingRules
        ``merging`` and ``scope`` are read.

    Returns
    -------
    list of Concern
        Sorted by subject; every alarm is evidence of exactly one concern.
    """
    merger = _Merger(judged, behind, paths, rules)
    by_kind: dict[str, dict[str, list[int]]] = {"product": defaultdict(list), "industry": defaultdict(list), "region": defaultdict(list)}
    for row, one in judged.candidates.items():
        kind, code = _key(one.evidence)
        by_kind[kind][code].append(row)
    merged: dict[Key, list[int]] = {}
    for kind, rows in by_kind.items():
        for code, found in merger.forest(kind, rows).items():
            merged[kind, code] = found
    merger.absorb("industry", merged, ("product",))
    merger.absorb("region", merged, ("product", "industry"))
    concerns = [Concern(Subject(key[0], key[1], merger.anchor(key, rows)), tuple(sorted(rows))) for key, rows in merged.items()]
    return sorted(concerns, key=lambda concern: concern.subject)
