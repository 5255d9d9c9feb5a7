"""Failures and inspections of a panel as the detectors of shares need them: checked, and grouped into siblings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.signals import REASONS
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["checked_counts", "families_of", "pooled", "refuse", "siblings", "sorted_siblings"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_REASON = {text: number for number, text in enumerate(REASONS)}


def checked_counts(panel: Panel, name: str) -> tuple[FloatArray, FloatArray]:
    """Return failures and inspections.

    Raises
    ------
    DetectorError
        Without exposure, if a count is not a whole number, or failures exceed inspections.
    """
    x, n = panel.observed, panel.exposure
    if n is None:
        raise DetectorError(f"{name}: the panel needs exposure (inspections), got none", hint="build_panel(..., denominator='inspected')")
    with np.errstate(invalid="ignore"):
        wrong = {
            "failures must be whole numbers": np.isfinite(x) & (x != np.floor(x)),
            "inspections must be whole numbers": np.isfinite(n) & (n != np.floor(n)),
            "failures must be <= inspections": x > n,
        }
    lines = []
    for rule, bad in wrong.items():
        if bad.any():
            row, column = np.argwhere(bad)[0]
            lines.append(
                f"{name}: {rule}; {int(bad.sum())} cells are not, first {x[row, column]:g} of {n[row, column]:g} "
                f"for series {panel.index[row]!r} in {panel.periods[column]}"
            )
    if lines:
        raise DetectorError("\n".join(lines))
    return x, n


def refuse(
    reason: npt.NDArray[np.uint8], now: tuple[FloatArray, FloatArray], looked: npt.NDArray[np.bool_], *, shortest: int, min_inspected: int
) -> IntArray:
    """Write into ``reason`` why a judged period is refused, the weightiest reason last; return the rows that are judged.

    Parameters
    ----------
    reason : array of uint8, shape (series,)
        Changed in place.
    now : tuple of array, shape (series,)
        Failures and inspections of the judged period.
    looked : array of bool, shape (series, baseline period)
        Whether anything was inspected.
    shortest : int
        Periods with inspections that a baseline needs.
    min_inspected : int
        Fewer inspections in the judged period are not judged.
    """
    x, n = now
    reason[n < min_inspected] = _REASON["too-few-cases"]
    reason[looked.sum(axis=1) < shortest] = _REASON["too-short"]
    reason[np.isnan(x) | np.isnan(n)] = _REASON["missing"]
    reason[n == 0] = _REASON["no-exposure"]
    return np.flatnonzero(reason == 0)


def siblings(index: pd.Index[Any]) -> list[IntArray]:
    """Return the rows of each group of siblings: the same stratum, summed over the same dimensions; all series without named levels."""
    if not isinstance(index, pd.MultiIndex):
        return [np.arange(len(index))]
    group = np.zeros(len(index), np.int64)
    for at, name in enumerate(index.names):
        labels = index.levels[at]
        codes = np.asarray(index.codes[at])
        if name == "stratum":
            number = codes + 1
        else:
            blank = np.append(np.asarray([label == "" for label in labels], dtype=np.int64), 0)
            number = blank[codes]
        group = group * (int(number.max(initial=0)) + 1) + number
    return [np.flatnonzero(group == one) for one in np.unique(group)]


def families_of(index: pd.Index[Any], groups: Sequence[IntArray]) -> list[int]:
    """Return a number for each group of siblings, the same for groups of other strata that are summed over the same dimensions."""
    if not isinstance(index, pd.MultiIndex):
        return [0] * len(groups)
    first = index[[rows[0] for rows in groups]]
    at = [place for place, name in enumerate(index.names) if name != "stratum"]
    return [sum(2**place for place in at if key[place] == "") for key in first]


def pooled(index: pd.Index[Any], *, strata: bool) -> pd.Index[Any]:
    """Return the index without its strata where series of all ``strata`` are siblings (strata that are terms)."""
    if strata and isinstance(index, pd.MultiIndex) and "stratum" in index.names and index.nlevels > 1:
        return index.droplevel("stratum")
    return index


def sorted_siblings(index: pd.Index[Any]) -> list[list[IntArray]]:
    """Return, per stratum, its groups of siblings, the one that names most dimensions first; rows in the order of their keys.

    Sums over rows in this order do not depend on the order of the series in the panel.
    """
    order = np.argsort(index.argsort())
    groups = [rows[np.argsort(order[rows])] for rows in siblings(index)]
    if not isinstance(index, pd.MultiIndex) or "stratum" not in index.names:
        return [[rows] for rows in groups]
    other = [name for name in index.names if name != "stratum"]
    strata: dict[Any, list[tuple[tuple[int, int, tuple[str, ...]], IntArray]]] = {}
    for rows in groups:
        first = index[rows[0]]
        named = tuple(str(name) for name, value in zip(index.names, first, strict=True) if name in other and value != "")
        stratum = first[index.names.index("stratum")]
        strata.setdefault(stratum, []).append(((-len(named), -len(rows), named), rows))
    return [[rows for _, rows in sorted(strata[stratum], key=lambda pair: pair[0])] for stratum in sorted(strata)]
