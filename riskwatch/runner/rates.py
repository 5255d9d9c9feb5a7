"""Failure rates from the store: which records, which windows, and the names of what is compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.errors import RateError
from riskwatch.rates import RECORD_COLUMNS, RateRules, change, compare, window_of
from riskwatch.runner.context import RunContext

__all__ = ["earlier_window", "failure_rates", "rate_rules"]

Window = tuple[dt.date, dt.date]

EARLIER = ("previous", "year-ago")


def rate_rules(ctx: RunContext) -> RateRules:
    """Return the rules of ``config/rates.yaml``."""
    return RateRules.model_validate(ctx.definitions.catalogue("rates"))


def earlier_window(window: Window, asked: str | Window) -> Window:
    """Return the window to compare with: as given, the same length right before ("previous"), or a year earlier ("year-ago").

    Raises
    ------
    RateError
        If the word is none of these.
    """
    if not isinstance(asked, str):
        return asked
    start, end = window
    if asked == "previous":
        return start - (end - start) - dt.timedelta(days=1), start - dt.timedelta(days=1)
    if asked == "year-ago":
        shift = pd.DateOffset(years=1)
        return (pd.Timestamp(start) - shift).date(), (pd.Timestamp(end) - shift).date()
    raise RateError(f"compare with {asked!r} is unknown", hint=f"say {' or '.join(EARLIER)}, or give first and last day")


def failure_rates(
    ctx: RunContext,
    *,
    by: str = "region",
    level: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    compare_with: str | Window | None = None,
    sources: Sequence[str] = (),
    within: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return raw and standardised failure rates as known on the as-of day, or their change if there is a window to compare with.

    Parameters
    ----------
    ctx : RunContext
    by, level, within
        As for :func:`riskwatch.rates.compare`.
    since, until : date, optional
        First and last day of sampling. Default: the window of ``config/rates.yaml`` that ends on ``until``; until the as-of day.
    compare_with : {"previous", "year-ago"} or (date, date), optional
        An earlier window: the result is then that of :func:`riskwatch.rates.change`.
    sources : sequence of str
        Only records of these sources.

    Returns
    -------
    DataFrame
        With ``name_zh`` and ``name_en`` after ``code``; ``attrs`` also hold ``since, until, as_of`` and ``before`` where there is one.

    Raises
    ------
    RateError
        If the days are in the wrong order or no sample serves comparison.
    """
    rules = rate_rules(ctx)
    end = until or ctx.as_of
    start = since or window_of(end, rules.windows.comparison)[0]
    if start > end:
        raise RateError(f"the window {start} to {end} ends before it begins")
    before = None if compare_with is None else earlier_window((start, end), compare_with)
    records = ctx.store.read_records(
        "spot_check",
        columns=list(RECORD_COLUMNS),
        as_of=ctx.as_of,
        sources=list(sources) or None,
        since=start if before is None else min(start, before[0]),
        until=end,
    )
    if before is None:
        table = compare(records, ctx.trees, rules, by=by, level=level, window=(start, end), within=within)
    else:
        table = change(records, ctx.trees, rules, before=before, after=(start, end), by=by, level=level, within=within)
    told = {**table.attrs, "since": start, "until": end, "as_of": ctx.as_of, "before": before}
    table = _named(table, ctx.trees["region" if by == "producer_region" else by])
    table.attrs = told
    return table


def _named(table: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    words = {"": ("合计", "all"), "?": ("未编码", "no code")}
    out = table.copy()
    for place, language in enumerate(("zh", "en"), start=1):
        names = [words[code][place - 1] if code in words else tree.name(code, language) for code in table["code"]]
        out.insert(place, f"name_{language}", names)
    return out
