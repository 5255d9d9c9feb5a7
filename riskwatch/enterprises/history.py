"""What is known of each enterprise: samples, failures, repeats, follow-ups, rechecks. One pass over all records.

Ordinary samples, follow-ups and rechecks are counted apart: a recheck is drawn because of a failure, so it says nothing about a rate.
Failures that the nominal producer denies (企业否认) are counted as claims and as nothing else until they are decided.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.enterprises.identity import enterprise_ids, is_claimed, is_recheck, texts

__all__ = ["HISTORY_COLUMNS", "Histories", "enterprise_history"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

HISTORY_COLUMNS = (
    "enterprise", "region", "products", "samples", "failed", "random_samples", "random_failed", "claims", "failed_window",
    "repeat_failures", "failed_products", "passed_window", "follow_ups", "follow_up_failures", "rechecks", "recheck_failures",
    "last_sample", "last_failure",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories of enterprises, and what could not be given to any.

    Attributes
    ----------
    frame : DataFrame
        Columns :data:`HISTORY_COLUMNS`, one row per enterprise, sorted by ``enterprise``. ``samples`` and ``failed``: of ordinary samples
        of all time, follow-ups and rechecks left out; ``random_...``: those drawn at random. Within the window: ``failed_window``
        distinct failed batches (follow-ups included, rechecks not; a sample without a batch number is a batch of its own),
        ``repeat_failures`` those beyond the first, ``failed_products``, ``passed_window`` (samples that passed, follow-ups included),
        ``follow_ups``, ``follow_up_failures``, ``rechecks``, ``recheck_failures``. ``claims``: failures that it denies, counted nowhere
        else. ``region``: where it produced last; "" if not stated.
    unattributed, unattributed_failed : int
        Samples without a named producer, and those of them that failed.
    """

    frame: pd.DataFrame
    unattributed: int
    unattributed_failed: int


def _counts(codes: IntArray, size: int, chosen: BoolArray, weights: npt.NDArray[np.float64] | None = None) -> IntArray:
    used = None if weights is None else weights[chosen]
    return np.asarray(np.bincount(codes[chosen], weights=used, minlength=size), dtype=np.int64)


def _newest(codes: IntArray, size: int, days: npt.NDArray[np.datetime64], chosen: BoolArray) -> npt.NDArray[np.datetime64]:
    """Return the newest chosen day of each enterprise, NaT where it has none."""
    newest = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(newest, codes[chosen], days[chosen].astype("datetime64[s]").astype(np.int64))
    return newest.view("datetime64[s]")


def _distinct(codes: IntArray, size: int, chosen: BoolArray, *keys: npt.NDArray[np.object_]) -> IntArray:
    """Count, for each enterprise, the distinct values of some columns together among the chosen rows."""
    numbers = [pd.factorize(key[chosen])[0] for key in keys]
    frame = pd.DataFrame({"enterprise": codes[chosen], **{str(k): number for k, number in enumerate(numbers)}}).drop_duplicates()
    return np.asarray(np.bincount(frame["enterprise"].to_numpy(dtype=np.int64), minlength=size), dtype=np.int64)


def enterprise_history(records: pd.DataFrame, *, as_of: dt.date, window_days: int) -> Histories:
    """Count what the records say of each enterprise.

    Parameters
    ----------
    records : DataFrame
        Spot checks as known on the as-of day: ``record_key, event_date, product, producer, selection, verdict, inspected, failed``; used
        where present: ``source, check_type, recheck_of, batch_no, counterfeit_claim, producer_region``.
    as_of : date
        Last day of the window; later records are left out.
    window_days : int
        Length of the window for repeats, natural days.
    """
    event = records["event_date"].to_numpy("datetime64[D]")
    records = records[event <= np.datetime64(as_of, "D")]
    names = enterprise_ids(records)
    known = names != ""
    bad = (records["failed"].to_numpy(np.float64) > 0) | (texts(records, "verdict") == "fail")
    lost, lost_failed = int((~known).sum()), int((~known & bad).sum())
    records, bad, names = records[known], bad[known], names[known]
    codes, distinct = pd.factorize(names, sort=True)
    codes, size = codes.astype(np.int64), len(distinct)
    event = records["event_date"].to_numpy("datetime64[D]")
    inspected, failed = records["inspected"].to_numpy(np.float64), records["failed"].to_numpy(np.float64)
    recheck, claim = is_recheck(records), is_claimed(records) & bad
    follow_up = ~recheck & ((texts(records, "selection") == "follow-up") | (texts(records, "check_type") == "follow-up"))
    ordinary = ~recheck & ~follow_up & ~claim
    random = ordinary & (texts(records, "selection") == "random")
    recent = event > np.datetime64(as_of, "D") - np.timedelta64(window_days, "D")
    counted = bad & ~claim
    in_window = counted & ~recheck & recent
    product, batch = texts(records, "product"), texts(records, "batch_no")
    key = texts(records, "source") + "\n" + texts(records, "record_key")
    lot = np.where(batch == "", "key\n" + key, "batch\n" + batch).astype(object)
    batches = _distinct(codes, size, in_window, product, lot)
    frame = pd.DataFrame(
        {
            "enterprise": np.asarray(distinct, dtype=object),
            "region": _last_region(codes, size, event, texts(records, "producer_region"), key),
            "products": _distinct(codes, size, np.ones(len(records), np.bool_), product),
            "samples": _counts(codes, size, ordinary, inspected),
            "failed": _counts(codes, size, ordinary, failed),
            "random_samples": _counts(codes, size, random, inspected),
            "random_failed": _counts(codes, size, random, failed),
            "claims": _counts(codes, size, claim),
            "failed_window": batches,
            "repeat_failures": np.maximum(batches - 1, 0),
            "failed_products": _distinct(codes, size, in_window, product),
            "passed_window": _counts(codes, size, ~recheck & ~claim & recent, np.maximum(inspected - failed, 0.0)),
            "follow_ups": _counts(codes, size, follow_up & recent),
            "follow_up_failures": _counts(codes, size, follow_up & counted & recent),
            "rechecks": _counts(codes, size, recheck & recent),
            "recheck_failures": _counts(codes, size, recheck & counted & recent),
            "last_sample": _newest(codes, size, event, np.ones(len(records), np.bool_)),
            "last_failure": _newest(codes, size, event, counted),
        }
    )
    return Histories(frame[list(HISTORY_COLUMNS)], lost, lost_failed)


def _last_region(
    codes: IntArray, size: int, event: npt.NDArray[np.datetime64], region: npt.NDArray[np.object_], key: npt.NDArray[np.object_]
) -> npt.NDArray[np.object_]:
    """Return the place of production on the newest record of each enterprise that states one."""
    frame = pd.DataFrame({"enterprise": codes, "event": event, "key": key, "region": region})[region != ""]
    newest = frame.sort_values(["event", "key"], kind="stable").drop_duplicates("enterprise", keep="last")
    out = np.full(size, "", dtype=object)
    out[newest["enterprise"].to_numpy(dtype=np.int64)] = newest["region"].to_numpy(dtype=object)
    return out
