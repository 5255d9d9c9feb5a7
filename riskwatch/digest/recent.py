"""Counts from the newest records of a jurisdiction: injuries, firms, external notices, running terms.

Only counts leave this module. It reads columns that identify firms (``producer``) to count distinct ones and drops them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

import pandas as pd

from riskwatch.digest.inputs import Recent, RecordClock, Trees
from riskwatch.digest.model import ExternalSignal, FirmCounts, Text
from riskwatch.digest.names import Namer
from riskwatch.digest.privacy import scrub

__all__ = ["summarise_recent"]


def summarise_recent(
    records: Mapping[str, pd.DataFrame],
    *,
    as_of: dt.date,
    region: str = "",
    trees: Trees | None = None,
    window_days: int = 28,
    firm_days: int = 365,
    rectify_days: int = 60,
    recheck_days: int = 75,
    external_most: int = 40,
) -> Recent:
    """Count what the newest records say about one jurisdiction.

    Parameters
    ----------
    records : mapping of stream name to DataFrame
        Stored records known on ``as_of`` (columns of ``records.STREAMS``; absent streams and columns count as nothing known).
        Spot checks should reach back ``firm_days``, the others ``window_days``.
    as_of : date
        The day of the digest; later events are ignored.
    region : str
        Jurisdiction; "" for everything.
    trees : Trees, optional
        For membership and names. Without a region tree only exact codes match.
    window_days, firm_days : int
        Days (as_of included) over which events, and firms, are counted.
    rectify_days, recheck_days : int
        Terms in natural days from the order to correct; 60 and 75 are read in 监督抽查办法 (令18) arts. 45–47, unverified.
    external_most : int
        Most external lines kept, highest counts first.

    Returns
    -------
    Recent
        Counts only.
    """
    trees = trees or Trees()
    namer = Namer(trees)
    injuries = _within(_until(records.get("injury"), as_of), region, namer, ("region",))
    checks = _within(_until(records.get("spot_check"), as_of), region, namer, ("producer_region", "region"))
    sampled = _within(_until(records.get("spot_check"), as_of), region, namer, ("region",))
    notices = _since(_until(records.get("external_notice"), as_of), as_of, window_days)
    window = _since(injuries, as_of, window_days)
    newest = None if window.empty else window["event_date"].max()
    day = window[window["event_date"] == newest] if newest is not None else window
    return Recent(
        window_days=window_days,
        records=len(window) + len(_since(sampled, as_of, window_days)) + len(notices),
        newest_injury_day=None if newest is None else newest.date(),
        day_persons=_persons(day),
        day_admitted=_persons(day, "admitted"),
        day_died=_persons(day, "died"),
        persons=_persons(window),
        admitted=_persons(window, "admitted"),
        died=_persons(window, "died"),
        firms=_firms(_since(checks, as_of, firm_days), firm_days),
        external=_external(notices, namer, external_most),
        clocks=_clocks(checks, rectify_days, recheck_days),
    )


def _until(frame: pd.DataFrame | None, as_of: dt.date) -> pd.DataFrame:
    if frame is None or frame.empty or "event_date" not in frame:
        return pd.DataFrame({"event_date": pd.Series(dtype="datetime64[s]")})
    return frame[frame["event_date"] <= pd.Timestamp(as_of)]


def _since(frame: pd.DataFrame, as_of: dt.date, days: int) -> pd.DataFrame:
    return frame[frame["event_date"] > pd.Timestamp(as_of) - pd.Timedelta(days=days)]


def _within(frame: pd.DataFrame, region: str, namer: Namer, columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows whose first filled column of ``columns`` lies in ``region``. An unknown place belongs to no jurisdiction but the whole."""
    if not region or frame.empty:
        return frame
    place = pd.Series(pd.NA, index=frame.index, dtype="object")
    for name in columns:
        if name in frame:
            place = place.where(place.notna(), frame[name].astype("object"))
    known = [code for code in pd.unique(place.dropna()) if code]
    inside = {code for code in known if namer.relation(str(code), region) == "inside"}
    return frame[place.isin(inside)]


def _persons(frame: pd.DataFrame, outcome: str | None = None) -> int:
    if outcome is not None:
        if "outcome" not in frame:
            return 0
        frame = frame[frame["outcome"].astype("object") == outcome]
    return round(float(frame["persons"].sum())) if "persons" in frame else len(frame)


def _firms(checks: pd.DataFrame, days: int) -> FirmCounts | None:
    if checks.empty or "producer" not in checks:
        return None
    firm = checks["producer"].astype("object")
    if "producer_name" in checks:
        firm = firm.where(firm.notna() & (firm != ""), checks["producer_name"].astype("object"))
    known = firm.notna() & (firm != "")
    if not known.any():
        return None
    failing = (
        pd.to_numeric(checks["failed"], errors="coerce").fillna(0) > 0 if "failed" in checks else pd.Series(data=False, index=checks.index)
    )
    failures = failing[known].groupby(firm[known].to_numpy()).sum()
    recheck = (
        checks["recheck_result"].astype("object") if "recheck_result" in checks else pd.Series(pd.NA, index=checks.index, dtype="object")
    )
    return FirmCounts(
        window_days=days,
        checked=len(failures),
        failed=int((failures > 0).sum()),
        failed_repeatedly=int((failures > 1).sum()),
        rechecked=int(firm[known & recheck.isin(["pass", "fail", "undetermined"])].nunique()),
        failed_recheck=int(firm[known & (recheck == "fail")].nunique()),
    )


def _clocks(checks: pd.DataFrame, rectify_days: int, recheck_days: int) -> tuple[RecordClock, ...]:
    if checks.empty or "ordered_on" not in checks:
        return ()
    ordered = pd.to_datetime(checks["ordered_on"])
    found: list[RecordClock] = []
    terms: tuple[tuple[Literal["rectify", "recheck"], str, int], ...] = (
        ("rectify", "rectified_on", rectify_days),
        ("recheck", "recheck_on", recheck_days),
    )
    for kind, done, days in terms:
        still = ordered[ordered.notna() & (checks[done].isna() if done in checks else True)]
        counts = (still + pd.Timedelta(days=days)).dt.date.value_counts().sort_index()
        found += [RecordClock(kind, dt.date.fromisoformat(str(due)), int(count)) for due, count in counts.items()]
    return tuple(found)


def _external(notices: pd.DataFrame, namer: Namer, most: int) -> tuple[ExternalSignal, ...]:
    if notices.empty or "system" not in notices:
        return ()
    keys = ["system", "product", "hazard", "risk_decision", "origin"]
    frame = pd.DataFrame(
        {key: notices[key].astype("object").where(notices[key].notna(), "").astype(str) if key in notices else "" for key in keys},
        index=notices.index,
    )
    frame["notices"] = pd.to_numeric(notices["notices"]).to_numpy() if "notices" in notices else 1
    frame["event_date"] = notices["event_date"]
    grouped = frame.groupby(keys, sort=True, observed=True).agg(notices=("notices", "sum"), newest=("event_date", "max")).reset_index()
    grouped = grouped.sort_values(["notices", "newest", *keys], ascending=[False, False, *([True] * len(keys))], kind="stable")
    return tuple(
        ExternalSignal(
            system=scrub(str(row["system"]), limit=40),
            product=namer.product(str(row["product"])) if row["product"] else None,
            hazard=scrub(str(row["hazard"]), limit=60),
            decision=scrub(str(row["risk_decision"]), limit=40),
            origin=_place(namer, str(row["origin"])),
            notices=int(row["notices"]),
            newest=pd.Timestamp(row["newest"]).date(),
        )
        for row in grouped.head(most).to_dict("records")
    )


def _place(namer: Namer, code: str) -> Text | None:
    return namer.region(code) if code else None
