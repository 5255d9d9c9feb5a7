"""Who is one enterprise: its credit code, else the key its source gave it; nobody is put together with somebody else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions.credit import looks_like_credit_code

__all__ = ["BAD_KINDS", "enterprise_ids", "is_claimed", "is_recheck", "texts"]

Texts = npt.NDArray[np.object_]
BoolArray = npt.NDArray[np.bool_]

BAD_KINDS = ("recheck", "follow-up")
"""Check types that are no samples of an enterprise's ordinary production."""


def texts(frame: pd.DataFrame, name: str) -> Texts:
    """Return a text column as an array of str, "" where it is missing or absent."""
    if name not in frame:
        return np.full(len(frame), "", dtype=object)
    return np.asarray(frame[name].astype("object").fillna("").to_numpy(), dtype=object)


def enterprise_ids(records: pd.DataFrame, column: str = "producer") -> Texts:
    """Return one name for the enterprise of each record, "" where none is named.

    A unified social credit code stands for itself. Any other key means something within its source only, so the source goes before it:
    ``cn-food/E8fbf``. A missing producer is no enterprise: two records without one say nothing about a repeat.

    Parameters
    ----------
    records : DataFrame
        With ``column`` and, where keys are not credit codes, ``source``.
    """
    codes, distinct = pd.factorize(texts(records, column))
    proper = np.append(looks_like_credit_code(distinct), False)
    names = np.append(np.asarray(distinct, dtype=object), "")[codes]
    own = proper[codes] | (names == "")
    sources = texts(records, "source")
    return np.where(own | (sources == ""), names, sources + "/" + names).astype(object)


def is_recheck(records: pd.DataFrame) -> BoolArray:
    """Tell which records are rechecks of an earlier sample."""
    return np.asarray((texts(records, "check_type") == "recheck") | (texts(records, "recheck_of") != ""), dtype=np.bool_)


def is_claimed(records: pd.DataFrame) -> BoolArray:
    """Tell which records the nominal producer denies having made (企业否认)."""
    if "counterfeit_claim" not in records:
        return np.zeros(len(records), np.bool_)
    return np.asarray(records["counterfeit_claim"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_))
