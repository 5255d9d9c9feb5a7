"""A profile: rows of features on one robust scale, with what is missing said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import RecordError

__all__ = ["Feature", "Profile", "blocks", "make_profile", "robust_scale"]

Floats = npt.NDArray[np.float64]
# Makes the median absolute deviation of a normal distribution its standard deviation.
_MAD = 1.4826
_BLOCKS, _BLOCK_ROWS = 10, 50


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a profile.

    Attributes
    ----------
    name : str
    zh, en : str
        What it is called.
    harm : int
        1: a high value is bad; -1: a low one is; 0: neither.
    """

    name: str
    zh: str
    en: str
    harm: int


@dataclass(frozen=True, eq=False)
class Profile:
    """Rows to be looked at, in the order of their keys.

    Attributes
    ----------
    kind : str
        "product-region" or "enterprise".
    keys : DataFrame
        What each row is about.
    features : tuple of Feature
        Columns of ``values``.
    values : array, shape (rows, features)
        Centred on the stratum's median and scaled; 0 where missing.
    missing : array of bool, shape (rows, features)
    raw : array, shape (rows, features)
        Before centring; NaN where missing.
    stratum : array of int, shape (rows,)
        Rows whose usual level is one (one product, one main category): values are centred on its median.
    block : array of int, shape (rows,)
        Rows that rest on about as much data: what is noise differs by block, so values are exchanged within blocks only.
    absent : mapping of str to (zh, en)
        Features left out, and why.
    """

    kind: str
    keys: pd.DataFrame
    features: tuple[Feature, ...]
    values: Floats
    missing: npt.NDArray[np.bool_]
    raw: Floats
    stratum: npt.NDArray[np.int64]
    block: npt.NDArray[np.int64]
    absent: Mapping[str, tuple[str, str]]


def blocks(size: Floats) -> npt.NDArray[np.int64]:
    """Return the number of each row's block: equal shares of the rows by size, of at least 50 rows and ten blocks at most."""
    many = max(1, min(_BLOCKS, size.size // _BLOCK_ROWS))
    rank = np.empty(size.size, dtype=np.int64)
    rank[np.argsort(size, kind="stable")] = np.arange(size.size)
    return rank * many // max(size.size, 1)


def robust_scale(raw: Floats, stratum: npt.NDArray[np.int64]) -> Floats:
    """Centre each column on its stratum's median and divide by the scaled median absolute deviation of the whole column.

    Strata with fewer than five known values are centred on the column's median: a median of three is one of them. Where more than half
    of the deviations are zero the standard deviation takes the place of the median one. Missing values stay NaN; a column without any
    spread becomes 0.

    Parameters
    ----------
    raw : array, shape (rows, features)
    stratum : array of int, shape (rows,)
    """
    out = np.full(raw.shape, np.nan)
    for column in range(raw.shape[1]):
        values = pd.Series(raw[:, column])
        grouped = values.groupby(stratum)
        centre = grouped.transform("median").where(grouped.transform("count") >= 5, values.median())
        apart = (values - centre).to_numpy()
        known = apart[np.isfinite(apart)]
        if not known.size:
            continue
        scale = _MAD * float(np.median(np.abs(known)))
        if scale <= 1e-12:
            scale = float(np.sqrt(np.mean(known**2)))
        out[:, column] = apart / scale if scale > 1e-12 else np.where(np.isfinite(apart), 0.0, np.nan)
    return out


def make_profile(
    kind: str,
    keys: pd.DataFrame,
    columns: Sequence[tuple[Feature, Floats]],
    *,
    stratum: npt.NDArray[np.int64],
    size: Floats,
    absent: Mapping[str, tuple[str, str]],
) -> Profile:
    """Put columns together: scale them, note what is missing, leave out those that never vary or are hardly ever known.

    ``size`` says how much data each row rests on; see :func:`blocks`.

    Raises
    ------
    RecordError
        If keys repeat.
    """
    if keys.duplicated().any():
        raise RecordError(f"make_profile: {int(keys.duplicated().sum())} keys of the {kind} profile repeat")
    left_out = dict(absent)
    raw = np.column_stack([values for _, values in columns]) if columns else np.empty((len(keys), 0))
    scaled = robust_scale(raw, stratum)
    kept = []
    for number, (feature, _) in enumerate(columns):
        known = np.isfinite(raw[:, number])
        if known.mean() < 0.5 if known.size else True:
            left_out[feature.name] = ("一半以上的行未知", "not known for more than half of the rows")
        elif np.ptp(raw[known, number]) <= 1e-12:
            left_out[feature.name] = ("各行相同", "the same in all rows")
        else:
            kept.append(number)
    missing = ~np.isfinite(raw[:, kept])
    return Profile(
        kind=kind,
        keys=keys.reset_index(drop=True),
        features=tuple(columns[number][0] for number in kept),
        values=np.where(missing, 0.0, scaled[:, kept]),
        missing=missing,
        raw=raw[:, kept],
        stratum=stratum,
        block=blocks(size),
        absent=left_out,
    )
