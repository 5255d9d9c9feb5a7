"""Codes that changed: a rise may be cases that were written under another code before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.certainty_rules import ArtefactRules
from riskwatch.assessment.protocols import TreePaths

__all__ = ["code_flags", "transfer_flags"]

YEAR = 12  # months


def code_flags(changes: Iterable[tuple[dt.date, str]], *, as_of: dt.date, rules: ArtefactRules) -> list[dict[str, object]]:
    """Return a flag for each product whose code changed within ``code_days``; of several changes the newest.

    Parameters
    ----------
    changes : iterable of (day, code)
        From :meth:`riskwatch.dimensions.Tree.changes` of the product tree.
    """
    newest: dict[str, dt.date] = {}
    for since, code in changes:
        if 0 <= (as_of - since).days <= rules.code_days:
            newest[code] = max(newest.get(code, since), since)
    return [{"kind": "code-change", "product": code, "since": since.isoformat()} for code, since in sorted(newest.items())]


def transfer_flags(
    stream: str, records: pd.DataFrame, *, as_of: dt.date, rules: ArtefactRules, products: TreePaths
) -> list[dict[str, object]]:
    """Return two flags for each pair of codes between which cases moved, though no list of codes says so.

    A code took over from another one (a sibling, or the code above or below it) from a month on, if in every complete month since then
    its share of the two is above that of all twelve months before, and the other one is below all of its own; if what it gained, against
    the same calendar months a year before, is at least ``transfer_min`` records and ``transfer_share`` of what was expected, as is what the
    other one lost; and if the two differ by at most ``transfer_match`` of the larger one. Counts are taken relative to the stream's records
    of other products in the month: late records and a growing stream are no change of codes, and the rise of one code is no fall of the
    other.

    Parameters
    ----------
    records : pandas.DataFrame
        ``product``, ``event_date``: the history, two years of it; in fewer than ``transfer_months`` + 12 complete months nothing is found.

    Returns
    -------
    list of mapping
        ``kind``, ``stream``, ``product``, ``since`` (first day of the month) and ``other``, the code to or from which cases moved.
    """
    counts = _monthly(records, as_of)
    codes, table = [str(code) for code in counts.columns], counts.to_numpy(dtype=np.float64)
    total = table.sum(axis=1)
    longest = min(YEAR, rules.code_days // 30, len(table) - YEAR)
    steps = []
    for after in range(rules.transfer_months, longest + 1):
        part, sums = table[-after - YEAR :], total[-after - YEAR :]
        for riser, faller in _pairs(codes, part, after, rules, products):
            if (step := _step(part[:, riser], part[:, faller], sums, after, rules)) > 0:
                steps.append((-step, after, riser, faller))
    found: dict[str, dict[str, object]] = {}
    # A code has one counterpart and one month: those with the clearest step.
    for _, after, riser, faller in sorted(steps):
        if codes[riser] not in found and codes[faller] not in found:
            since = counts.index[-after].to_timestamp().date().isoformat()
            for one, other in ((riser, faller), (faller, riser)):
                flag = {"kind": "code-change", "stream": stream, "product": codes[one], "since": since, "other": codes[other]}
                found[codes[one]] = flag
    return [flag for _, flag in sorted(found.items())]


def _monthly(records: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Return records by complete month (rows, without gaps) and product (columns, by code)."""
    part = records.loc[records["product"].notna().to_numpy(), ["product", "event_date"]]
    day = pd.to_datetime(part["event_date"])
    past = (day <= pd.Timestamp(as_of)).to_numpy()
    part, day = part.loc[past], day.loc[past]
    if part.empty:
        return pd.DataFrame(index=pd.PeriodIndex([], freq="M"))
    months = day.to_numpy().astype("datetime64[M]").astype(np.int64)  # since 1970
    numbers, codes = pd.factorize(part["product"].astype(str), sort=True)
    counts = np.zeros((int(np.ptp(months)) + 1, len(codes)), dtype=np.int64)
    np.add.at(counts, (months - months.min(), numbers), 1)
    index = pd.period_range(day.min(), periods=len(counts), freq="M")
    first = day.min().to_period("M") + int(day.min().day > 1)
    last = (pd.Timestamp(as_of) + pd.Timedelta(days=1)).to_period("M") - 1
    return pd.DataFrame(counts, index, codes).reindex(pd.period_range(first, last, freq="M"), fill_value=0)


def _pairs(
    codes: list[str], table: npt.NDArray[np.float64], after: int, rules: ArtefactRules, products: TreePaths
) -> Iterator[tuple[int, int]]:
    """Yield (code that grew, related code that shrank) by number, of those that could have moved enough records."""
    before, now = table[:after].sum(axis=0), table[YEAR:].sum(axis=0)
    # A loose look first, by the whole stream: few codes change much, and only these are compared with each other.
    change = now - before * now.sum() / max(1.0, before.sum())
    grown, shrunk = np.flatnonzero(change >= rules.transfer_min / 2), np.flatnonzero(change <= -rules.transfer_min / 2)
    paths = {number: products.path(codes[number]) for number in {*grown.tolist(), *shrunk.tolist()}}
    for riser in grown.tolist():
        for faller in shrunk.tolist():
            mine, other = paths[riser], paths[faller]
            if (len(mine) > 1 and mine[:-1] in {other[:-1], other}) or (len(other) > 1 and other[:-1] == mine):
                yield riser, faller


def _step(
    riser: npt.NDArray[np.float64], faller: npt.NDArray[np.float64], total: npt.NDArray[np.float64], after: int, rules: ArtefactRules
) -> float:
    """Return how clearly records moved: the step of the share of both codes, 0 for no move; arrays of shape (12 + after,)."""
    pair = riser + faller
    others = total - pair
    if (others <= 0).any() or (pair <= 0).any():
        return 0.0
    # Of the two together, a smaller step shows: what moves both is no part of it. The fall must show by itself: growth has none.
    up, down = riser / pair, faller / others
    step = float(up[YEAR:].min() - up[:YEAR].max())
    if step <= 0 or down[YEAR:].max() >= down[:YEAR].min():
        return 0.0
    scale = others[YEAR:].sum() / others[:after].sum()
    usual_up, usual_down = scale * riser[:after].sum(), scale * faller[:after].sum()
    gain, loss = riser[YEAR:].sum() - usual_up, usual_down - faller[YEAR:].sum()
    enough = gain >= max(rules.transfer_min, rules.transfer_share * usual_up)
    enough &= loss >= max(rules.transfer_min, rules.transfer_share * usual_down)
    return step if enough and abs(gain - loss) <= rules.transfer_match * max(gain, loss) else 0.0
