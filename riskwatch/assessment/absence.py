"""Who fell silent: hospitals and laboratories, judged by their own rhythm of arrivals; and what the data may have made up."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from scipy.stats import gamma

from riskwatch.assessment.certainty_rules import AbsenceRules, ArtefactRules
from riskwatch.assessment.protocols import TreePaths

__all__ = ["REPORTER_COLUMNS", "artefact_flags", "recall_flags", "reporter_homes", "reporters", "silent_shares", "standard_flags"]

REPORTER_COLUMNS = ("reporter", "records", "arrivals", "last", "gap_days", "usual_gap", "longest_gap", "p_value", "silent")
REGULAR = 0.25  # the spread of the gaps is taken as at least this share of their mean: few gaps look more regular than they are
WEEK = 7


def reporters(records: pd.DataFrame, *, as_of: dt.date, rules: AbsenceRules) -> pd.DataFrame:
    """Return who reports, in what rhythm, and who is silent.

    Gaps between days of arrival are taken as a renewal process with gamma-distributed gaps, fitted by moments to the gaps of the history:
    ``p_value`` is the probability of a gap longer than the present one. A weekly batch that comes two days late is no silence, nor is a
    small hospital's quiet week, for its usual gaps are long.

    Parameters
    ----------
    records : pandas.DataFrame
        ``reporter``, ``known_at`` (day of arrival); rows without a reporter are left out.

    Returns
    -------
    pandas.DataFrame
        One row per reporter heard within ``forget_days``, by name, columns :data:`REPORTER_COLUMNS`; gaps in natural days.
    """
    part = records.loc[records["reporter"].notna().to_numpy(), ["reporter", "known_at"]]
    part = part.assign(known_at=pd.to_datetime(part["known_at"]).dt.normalize(), reporter=part["reporter"].astype(str))
    day = pd.Timestamp(as_of)
    part = part.loc[((part["known_at"] <= day) & (part["reporter"] != "")).to_numpy()]
    rows = []
    for name, arrivals in part.groupby("reporter", sort=True)["known_at"]:
        last = arrivals.max()
        gap = (day - last).days
        if gap > rules.forget_days:
            continue
        usual = arrivals[arrivals >= last - pd.Timedelta(days=rules.history_days)]
        days = np.unique(usual.to_numpy().astype("datetime64[D]").astype(np.int64))
        gaps = np.diff(days).astype(np.float64)
        known = len(days) >= rules.min_arrivals
        mean, longest, p = float("nan"), float("nan"), 1.0
        if known:
            mean, longest = float(gaps.mean()), float(gaps.max())
            spread = max(float(gaps.std()), REGULAR * mean)
            shape = (mean / spread) ** 2
            p = float(gamma.sf(gap, shape, scale=mean / shape))
        silent = known and gap > rules.gap_factor * longest and p < rules.p_value
        rows.append((str(name), len(usual), len(days), last.date(), gap, mean, longest, p, bool(silent)))
    return pd.DataFrame(rows, columns=list(REPORTER_COLUMNS))


def reporter_homes(records: pd.DataFrame, found: pd.DataFrame, paths: TreePaths) -> dict[str, tuple[int, int]]:
    """Return region -> (silent, expected) reporters that are at home there.

    Home is the smallest region with more than half of a reporter's records of known place: a hospital's is its county, a laboratory's that
    tests for the whole province the province, and "" where no region has so many. Regions above a home do not count it again.

    Parameters
    ----------
    records : pandas.DataFrame
        ``reporter``, ``region`` of the history.
    found : pandas.DataFrame
        From :func:`reporters`.
    """
    known = records.loc[records["region"].notna().to_numpy() & records["reporter"].notna().to_numpy()]
    counts = known.groupby(["reporter", "region"], sort=True).size().reset_index(name="count")
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    sums: dict[str, int] = defaultdict(int)
    columns = (counts[name].tolist() for name in ("reporter", "region", "count"))
    for reporter, code, count in zip(*columns, strict=True):
        sums[str(reporter)] += int(count)
        for place in dict.fromkeys(paths.path(str(code))):
            totals[str(reporter)][place] += int(count)
    homes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for reporter, silent in zip(found["reporter"], found["silent"], strict=True):
        most = [place for place, count in totals[reporter].items() if 2 * count > sums[reporter]]
        home = max(most, key=lambda place: len(paths.path(place)), default="")
        homes[home][0] += bool(silent)
        homes[home][1] += 1
    return {home: (silent, expected) for home, (silent, expected) in sorted(homes.items())}


def silent_shares(records: pd.DataFrame, found: pd.DataFrame, paths: TreePaths) -> dict[str, float]:
    """Return region -> share of its records that silent reporters brought while they reported; regions without any are left out.

    Parameters
    ----------
    records : pandas.DataFrame
        ``reporter``, ``region`` of the history.
    found : pandas.DataFrame
        From :func:`reporters`: those who have left are no longer expected and count in no sum.
    """
    silent = set(found.loc[found["silent"].to_numpy(dtype=bool), "reporter"])
    if not silent:
        return {}
    shares = _shares(records.loc[records["reporter"].isin(set(found["reporter"])).to_numpy()], silent, paths)
    return {region: share for region, share in shares.items() if share > 0}


def _shares(records: pd.DataFrame, some: Collection[str], paths: TreePaths) -> dict[str, float]:
    """Return region (with all above it, "" for everything) -> share of the records that come from ``some`` reporters."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    region = records["region"].astype("object").where(records["region"].notna(), "")
    counts = records.assign(region=region).groupby(["reporter", "region"], sort=True).size().reset_index(name="count")
    columns = (counts[name].tolist() for name in ("reporter", "region", "count"))
    for reporter, code, count in zip(*columns, strict=True):
        for place in dict.fromkeys(("", *paths.path(str(code)))):
            totals[place][0] += int(count)
            totals[place][1] += int(count) if reporter in some else 0
    return {place: bad / total for place, (total, bad) in sorted(totals.items())}


def artefact_flags(
    stream: str, records: pd.DataFrame, *, as_of: dt.date, rules: ArtefactRules, paths: TreePaths
) -> list[dict[str, object]]:
    """Return flags for areas where new reporters, or late batches, bring much of the recent records.

    A reporter is new for ``new_days`` after its first record, unless most reporters are: then the source itself is new. It has a backlog
    where the last week brought ``backlog_factor`` times its usual number of records, and they were ``backlog_delay`` times as late.

    Parameters
    ----------
    records : pandas.DataFrame
        ``reporter``, ``region``, ``event_date``, ``known_at``: the history, at least ``new_days`` longer than the recent days.
    """
    part = records.loc[records["reporter"].notna().to_numpy()]
    if part.empty:
        return []
    day = pd.Timestamp(as_of)
    event, known = pd.to_datetime(part["event_date"]), pd.to_datetime(part["known_at"])
    recent = part.loc[((event > day - pd.Timedelta(days=rules.recent_days)) & (event <= day)).to_numpy()]
    first = known.groupby(part["reporter"]).min()
    fresh = set(first.index[(first > day - pd.Timedelta(days=rules.new_days)).to_numpy()])
    if 2 * len(fresh) > len(first):
        fresh = set()
    late = _late(part.assign(_event=event, _known=known), day, rules)
    flags: list[dict[str, object]] = []
    for kind, some in (("new-hospital", fresh), ("backlog", late)):
        if not some:
            continue
        shares = _shares(part.loc[(known > day - pd.Timedelta(days=WEEK)).to_numpy()] if kind == "backlog" else recent, some, paths)
        # The sum over everything is no region; a flag without a region would speak for the whole stream.
        flags += [
            {"kind": kind, "stream": stream, "region": region, "share": round(share, 3)}
            for region, share in shares.items()
            if region and share >= rules.new_share
        ]
    return flags


def _late(part: pd.DataFrame, day: pd.Timestamp, rules: ArtefactRules) -> set[str]:
    found = set()
    age = (day - part["_known"]).dt.days
    delay = (part["_known"] - part["_event"]).dt.days
    table = part.assign(_week=age // WEEK, _delay=delay)
    for name, rows in table.groupby("reporter", sort=True):
        now, before = rows.loc[rows["_week"] == 0], rows.loc[rows["_week"] > 0]
        if len(now) < rules.backlog_min or before.empty:
            continue
        weeks = int(before["_week"].max())
        usual = len(before) / weeks
        slow = float(now["_delay"].median()) >= rules.backlog_delay * max(1.0, float(before["_delay"].median()))
        if len(now) >= rules.backlog_factor * usual and slow:
            found.add(str(name))
    return found


def standard_flags(
    changes: Iterable[tuple[dt.date, Collection[str]]], *, as_of: dt.date, rules: ArtefactRules, stream: str = "spot_check"
) -> list[dict[str, object]]:
    """Return a flag for each product whose standard took effect within ``standard_days``; one without products speaks for none."""
    return [
        {"kind": "new-standard", "stream": stream, "product": product, "since": since.isoformat()}
        for since, products in sorted((since, tuple(sorted(products))) for since, products in changes)
        if 0 <= (as_of - since).days <= rules.standard_days
        for product in products
    ]


def recall_flags(recalls: pd.DataFrame, *, as_of: dt.date, rules: ArtefactRules) -> list[dict[str, object]]:
    """Return a flag for each product and region with a recall completed within ``recall_days``.

    Parameters
    ----------
    recalls : pandas.DataFrame
        From :func:`riskwatch.dossiers.registers.recalls_in_force`: ``product, region, ends_on, state``. While any recall of the product
        runs or is overdue, there is no flag; nor for a recall that names no product.
    """
    named = recalls.loc[recalls["product"].notna().to_numpy()]
    unfinished = set(named.loc[(named["state"] != "completed").to_numpy(), "product"])
    newest: dict[tuple[str, str], dt.date] = {}
    done = named.loc[(named["state"] == "completed").to_numpy()]
    for product, region, day in zip(done["product"], done["region"], pd.to_datetime(done["ends_on"]), strict=True):
        if product not in unfinished and (as_of - day.date()).days <= rules.recall_days:
            key = (str(product), "" if pd.isna(region) else str(region))
            newest[key] = max(newest.get(key, day.date()), day.date())
    return [
        {"kind": "recall-completed", "product": product, "region": region, "since": day.isoformat()}
        for (product, region), day in sorted(newest.items())
    ]
