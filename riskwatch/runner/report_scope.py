"""What every part of a report is computed for: context, period, jurisdiction, rules; and records of the jurisdiction."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.reports.inputs import ReportPeriod
from riskwatch.reports.rules import ReportRules
from riskwatch.runner.context import RunContext

__all__ = ["Scope"]

_FEWEST = 2  # one unit alone cannot be compared
_MOST = 0.5  # of the samples


@dataclass(frozen=True)
class Scope:
    """The question that the report answers.

    Attributes
    ----------
    ctx : RunContext
        Store, trees, definitions, as-of day.
    period : ReportPeriod
    region : str
        Jurisdiction; "" for everything.
    rules : ReportRules
    """

    ctx: RunContext
    period: ReportPeriod
    region: str
    rules: ReportRules

    @property
    def day(self) -> dt.date:
        """The day as which warnings are read: the end of the period, or the as-of day where that comes first."""
        return min(self.period.last, self.ctx.as_of)

    @property
    def standing(self) -> RunContext:
        """The context as of :attr:`day`, for rooms that say how things stand then: only what was known on that day is seen."""
        return dataclasses.replace(self.ctx, as_of=self.day)

    @property
    def span(self) -> dict[str, dt.date]:
        """First and last day of the period's records, for an origin."""
        return {"first": self.period.first, "last": self.day}

    @property
    def where(self) -> dict[str, str]:
        """The jurisdiction, for an origin."""
        return {"region": self.region or "all"}

    def records(self, stream: str, columns: Sequence[str], first: dt.date, last: dt.date) -> pd.DataFrame:
        """Return records of the jurisdiction whose event lies within some days, as known on the as-of day."""
        names = list(dict.fromkeys([*columns, "region"]))
        return self._within(self.ctx.store.read_records(stream, names, self.ctx.as_of, since=first, until=last))

    def compared(self, stream: str, columns: Sequence[str], period: ReportPeriod) -> pd.DataFrame:
        """Return records of a past period as they were known when it was as old as the present one is now.

        Results arrive for weeks after the event: compared with a past period that is complete, the present one would always look small.
        Where nothing was known at that age (the store was filled later), the records are those known today. A period that has not ended is
        compared with as much of the past one.
        """
        age = self.ctx.as_of - self.period.last
        names = list(dict.fromkeys([*columns, "region"]))
        last = period.last if age >= dt.timedelta(0) else min(period.last, period.first + (self.ctx.as_of - self.period.first))
        then = period.last + age if age >= dt.timedelta(0) else last
        for day in (then, self.ctx.as_of):
            found = self.ctx.store.read_records(stream, names, day, since=period.first, until=last)
            if len(found):
                break
        return self._within(found)

    def _within(self, found: pd.DataFrame) -> pd.DataFrame:
        tree = self.ctx.trees.get("region")
        if self.region and tree is not None and len(found):
            found = found[tree.is_within(found["region"], self.region)]
        return found.reset_index(drop=True)

    def level_of(self, dimension: str, codes: pd.Series[str], samples: pd.Series[float]) -> str | None:
        """Return the tree level at which the report compares; None where the tree is absent or knows too few of the codes.

        Regions and industries: the first level (below the jurisdiction) at which there are several. Products: the finest level at which
        most samples lie in units that have enough of them to be compared (``small.min_inspected``): finer tables would hold noise.
        """
        tree = self.ctx.trees.get(dimension)
        if tree is None:
            return None
        text = codes.astype(object).where(codes.notna(), "").astype(str).to_numpy(dtype=object)
        size = samples.to_numpy(dtype="float64")
        levels = _levels_below(tree, self.region) if dimension == "region" else tree.levels
        several: list[str] = []
        enough: list[str] = []
        for level in levels:
            up = pd.Series(tree.ancestor_at(text, level))
            sums = pd.Series(size).groupby(up.to_numpy()).sum().drop("", errors="ignore")
            if len(sums) < _FEWEST:
                continue
            several.append(level)
            if sums[sums >= self.rules.small.min_inspected].sum() >= _MOST * size.sum():
                enough.append(level)
        if dimension == "product" and enough:
            return enough[-1]
        return several[0] if several else None

    def rolled_up(self, dimension: str, codes: pd.Series[str], below: str = "") -> pd.Series[str]:
        """Return codes rolled up to the widest level at which they still differ; "" for codes outside the tree.

        Parameters
        ----------
        dimension : str
            ``product``, ``industry`` or ``region``.
        codes : Series
        below : str
            Levels at and above the level of this code are not considered.
        """
        tree = self.ctx.trees.get(dimension)
        text = codes.astype(object).where(codes.notna(), "").astype(str)
        if tree is None:
            return text
        for level in _levels_below(tree, below):
            up = pd.Series(tree.ancestor_at(text.to_numpy(dtype=object), level), index=codes.index)
            if len(set(up) - {""}) > 1:
                return up
        return text


def _levels_below(tree: Tree, code: str) -> tuple[str, ...]:
    if not code or code not in tree:
        return tree.levels
    return tree.levels[tree.levels.index(str(tree.level_of(code))) + 1 :]
