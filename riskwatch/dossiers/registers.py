"""Recalls, licences, laboratories and trade notices as they stand on a day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskwatch.dossiers.rules import LABORATORIES, RECALLS

__all__ = ["certificates_in_force", "laboratory_status", "open_trade_notices", "recalls_in_force"]


def _until(frame: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    return frame.loc[(pd.to_datetime(frame["event_date"]) <= pd.Timestamp(as_of)).to_numpy()]


def recalls_in_force(
    recalls: pd.DataFrame, *, as_of: dt.date, ended_days: int = RECALLS.ended_days, complete: float = RECALLS.complete
) -> pd.DataFrame:
    """Return recalls that run, or that ended within ``ended_days``.

    Parameters
    ----------
    recalls : DataFrame
        Records of the stream ``recall`` as known on the day: ``event_date, product, region, affected, ends_on, completion``.
    complete : float
        Share from which a recall that has ended counts as completed.

    Returns
    -------
    DataFrame
        ``product, region, begun, ends_on, affected, completion, state``; ``state`` is
        ``running``, ``completed`` or ``overdue`` (its end has passed and the share is below ``complete``). Least completed first.
    """
    rows = _until(recalls, as_of)
    day = pd.Timestamp(as_of)
    ends = pd.to_datetime(rows["ends_on"])
    share = rows["completion"].astype(float)
    over = ends.notna() & (ends <= day)
    frame = (
        rows[["product", "region", "affected"]]
        .astype({"product": "object", "region": "object"})
        .assign(
            begun=pd.to_datetime(rows["event_date"]),
            ends_on=ends,
            completion=share,
            state=np.where(~over, "running", np.where(share >= complete, "completed", "overdue")),
        )
    )
    frame = frame[(~over | (ends > day - pd.Timedelta(days=ended_days))).to_numpy()]
    columns = ["product", "region", "begun", "ends_on", "affected", "completion", "state"]
    return frame[columns].sort_values(["completion", "begun", "product"], kind="stable", ignore_index=True)


def _newest(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    keyed = rows.assign(**{name: rows[name].astype("object").where(rows[name].notna(), "") for name in by})
    order = keyed.assign(_key=keyed["record_key"].astype(str)).sort_values([*by, "event_date", "_key"], kind="stable")
    return order.drop_duplicates(by, keep="last").drop(columns="_key")


def certificates_in_force(certificates: pd.DataFrame, *, as_of: dt.date) -> pd.DataFrame:
    """Return the status of each firm's licence or certificate on a day.

    Parameters
    ----------
    certificates : DataFrame
        Stream ``certification``: ``record_key, event_date, enterprise, scheme, product, region, status, valid_until``.

    Returns
    -------
    DataFrame
        ``enterprise, scheme, product, region, since, status, valid_until``. A valid one whose last day has passed is ``expired``.
        ``enterprise`` is internal: pages show counts by product, scheme and status.
    """
    rows = _newest(_until(certificates, as_of), ["enterprise", "scheme", "product"])
    until = pd.to_datetime(rows["valid_until"])
    passed = (until < pd.Timestamp(as_of)) & (rows["status"].astype("object") == "valid")
    frame = rows.assign(
        since=pd.to_datetime(rows["event_date"]), status=rows["status"].astype("object").mask(passed, "expired"), valid_until=until
    )
    columns = ["enterprise", "scheme", "product", "region", "since", "status", "valid_until"]
    return frame[columns].reset_index(drop=True)


def laboratory_status(laboratories: pd.DataFrame, *, as_of: dt.date, due_days: int = LABORATORIES.due_days) -> pd.DataFrame:
    """Return the state of each laboratory's items on a day: what was valid lapses by itself when its last day has passed.

    Parameters
    ----------
    laboratories : DataFrame
        Stream ``laboratory``: ``record_key, event_date, laboratory, item, calibration, calibration_until, capability``.
    due_days : int
        A calibration that ends within so many days is ``due``.

    Returns
    -------
    DataFrame
        ``laboratory, item, since, calibration, calibration_until, capability, fit``; ``fit`` is False where results should not be relied on
        (calibration lapsed or failed, capability suspended or none).
    """
    rows = _newest(_until(laboratories, as_of), ["laboratory", "item"])
    until, state = pd.to_datetime(rows["calibration_until"]), rows["calibration"].astype("object")
    day = pd.Timestamp(as_of)
    good = state.isin(["valid", "due"])
    state = state.mask(good & (until < day), "lapsed").mask(good & (until >= day) & (until <= day + pd.Timedelta(days=due_days)), "due")
    capability = rows["capability"].astype("object")
    fit = state.isin(["valid", "due"]) & ~capability.isin(["suspended", "none"])
    frame = rows.assign(since=pd.to_datetime(rows["event_date"]), calibration=state, calibration_until=until, fit=fit.astype(bool))
    columns = ["laboratory", "item", "since", "calibration", "calibration_until", "capability", "fit"]
    return frame[columns].reset_index(drop=True)


def open_trade_notices(notices: pd.DataFrame, *, as_of: dt.date) -> pd.DataFrame:
    """Return notices whose comments are still due, the nearest deadline first.

    Parameters
    ----------
    notices : DataFrame
        Stream ``trade_notice``: ``event_date, system, member, hs_code, product, title, comment_until``.

    Returns
    -------
    DataFrame
        ``system, member, hs_code, product, title, notified, comment_until, days_left``.
    """
    rows = _until(notices, as_of)
    until, day = pd.to_datetime(rows["comment_until"]), pd.Timestamp(as_of)
    frame = rows.assign(notified=pd.to_datetime(rows["event_date"]), comment_until=until, days_left=(until - day).dt.days)
    frame = frame[(until >= day).to_numpy()]
    columns = ["system", "member", "hs_code", "product", "title", "notified", "comment_until", "days_left"]
    order = frame.assign(member=frame["member"].astype(str), title=frame["title"].astype(str))
    return frame.loc[order.sort_values(["comment_until", "member", "title"], kind="stable").index, columns].reset_index(drop=True)
