"""What a spot check may be used for, and which stratum it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import RateError
from riskwatch.rates.rules import PURPOSES, PurposeRule, RateRules

__all__ = ["NONE", "UNKNOWN", "as_category", "purpose_of", "stratum_of"]

UNKNOWN = "?"
"""Stands for a value that was not recorded."""
NONE = "none"
"""Purpose of a record that serves none: its selection was not recorded."""


def as_category(values: Any) -> pd.Categorical:
    """Return text as a categorical with its categories in order; missing and empty text is -1."""
    given = values.array if isinstance(values, pd.Series | pd.Index) else values
    column = given if isinstance(given, pd.Categorical) else pd.Categorical(np.asarray(given, dtype=object))
    used = column.remove_unused_categories()
    names = sorted(str(name) for name in used.categories if str(name))
    # An empty text means that nothing was recorded.
    table = np.append(pd.Index(names).get_indexer(used.categories.astype(str)), -1)
    return pd.Categorical.from_codes(table[used.codes], categories=pd.Index(names, dtype=object))


def need(records: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise RateError if columns are absent."""
    absent = [name for name in columns if name not in records.columns]
    if absent:
        raise RateError(f"{what}: records lack the column(s) {', '.join(absent)}", hint="read them from the store with columns=[...]")


def purpose_of(records: pd.DataFrame, rules: RateRules) -> npt.NDArray[np.object_]:
    """Return what each record may be used for.

    Parameters
    ----------
    records : DataFrame
        Spot checks with ``selection`` and ``check_type``.
    rules : RateRules

    Returns
    -------
    array of str, shape (record,)
        "persistence", "hazard", "comparison" or "none" (no purpose fits; the selection was not recorded, say). The first that fits.

    Raises
    ------
    RateError
        If a column is absent.
    """
    need(records, ["selection", "check_type"], "purpose_of")
    selection, check_type = as_category(records["selection"]), as_category(records["check_type"])
    out = np.full((len(selection.categories) + 1, len(check_type.categories) + 1), NONE, dtype=object)
    # Few pairs of values: each is decided once.
    for s, chosen in enumerate([*selection.categories, ""]):
        for c, kind in enumerate([*check_type.categories, ""]):
            fits = [name for name in PURPOSES if _fits(chosen, kind, getattr(rules.purposes, name))]
            out[s, c] = fits[0] if fits else NONE
    # Position -1 is the last row or column: not recorded.
    return np.asarray(out[selection.codes, check_type.codes], dtype=object)


def _fits(selection: str, check_type: str, rule: PurposeRule) -> bool:
    by_selection = selection in rule.selections
    by_type = check_type in rule.check_types
    if rule.match == "any":
        return by_selection or by_type
    return by_selection and (by_type or (not check_type and rule.unknown_check_type))


def stratum_of(records: pd.DataFrame, rules: RateRules) -> pd.Categorical:
    """Return the label of each record's stratum, for example ``provincial|random|online``; what was not recorded is "?".

    Raises
    ------
    RateError
        If a column of ``rules.strata`` is absent.
    """
    need(records, rules.strata, "stratum_of")
    number = np.zeros(len(records), dtype=np.int64)
    labels = np.array([""], dtype=object)
    for place, name in enumerate(rules.strata):
        column = as_category(records[name])
        size = len(column.categories) + 1
        number = number * size + np.where(column.codes < 0, size - 1, column.codes)
        names = np.array([*column.categories, UNKNOWN], dtype=object)
        labels = (labels[:, None] + ("|" if place else "") + names[None, :]).ravel()
    used, inverse = np.unique(number, return_inverse=True)
    order = np.argsort(labels[used].astype(str))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return pd.Categorical.from_codes(rank[inverse], categories=pd.Index(labels[used][order], dtype=object))
