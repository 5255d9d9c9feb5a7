"""Pairs of labels that are reported together more often than their margins explain: from the store to a ranked list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.discovery import q_values
from riskwatch.detectors.gamma_poisson import fit_prior, posterior, squash
from riskwatch.detectors.information_component import information_component
from riskwatch.detectors.pair_expectation import PairTable, cross_table, expected_counts
from riskwatch.detectors.pair_history import first_appearance
from riskwatch.detectors.reporting_ratios import fisher_tail, four_fold, odds_ratio, proportional_ratio
from riskwatch.dimensions import Tree
from riskwatch.errors import DetectorError
from riskwatch.records.streams import STREAMS, Stream
from riskwatch.runner.context import RunContext

__all__ = ["PAIR_COLUMNS", "disproportionate_pairs", "sides_of"]

IntArray = npt.NDArray[np.int64]

PAIR_COLUMNS = (
    "left", "right", "left_zh", "left_en", "right_zh", "right_en", "observed", "expected", "ebgm", "eb05", "eb95", "ic", "ic025",
    "prr", "prr_lower", "ror", "ror_lower", "p_value", "q_value", "first",
)  # fmt: skip
_MEASURE = {"injury": "persons", "external_notice": "notices", "spot_check": "failed"}
_TREES = {"product": "product", "region": "region", "industry": "industry", "origin": "region", "producer_region": "region"}
_STRATA = ("year", "sex", "age")
_AGES = (0, 1, 5, 15, 25, 45, 65)
_RATIO = 1.01  # expected counts of one count this near are one cell when the prior is fitted
_JOIN = " & "


@dataclass(frozen=True, eq=False)
class _Rows:
    """Pairs of the records: labels and record number of each, shape (row,); stratum and weight of each record."""

    left: IntArray
    right: IntArray
    report: IntArray
    stratum: IntArray
    weight: npt.NDArray[np.float64]


def sides_of(by: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read "product,diagnosis" or "product,hazard+origin": the fields of the left and of the right label.

    Raises
    ------
    DetectorError
        If there are not two sides.
    """
    sides = [tuple(name.strip() for name in side.split("+") if name.strip()) for side in by.split(",")]
    if len(sides) != 2 or not all(sides):
        raise DetectorError(
            f"pairs: --by needs two sides with a comma between them, got {by!r}",
            hint="product,diagnosis; fields that belong together are joined by +: product,hazard+origin",
        )
    return sides[0], sides[1]


def disproportionate_pairs(
    ctx: RunContext,
    *,
    stream: str,
    by: str,
    level: str | None = None,
    sources: Sequence[str] = (),
    since: dt.date | None = None,
    until: dt.date | None = None,
    strata: Sequence[str] = ("year",),
    min_cases: int = 3,
    threshold: float = 2.0,
) -> pd.DataFrame:
    """Return the pairs of two labels with observed and expected counts and measures of disproportion, the surest first.

    Parameters
    ----------
    ctx : RunContext
    stream : str
        "injury", "external_notice", or "spot_check" (failures are then counted).
    by : str
        See :func:`sides_of`. A record that names several products pairs each of them, and is one report in all margins.
    level : str, optional
        Level of the product tree to lift products to ("category").
    sources : sequence of str
        Only records of these sources.
    since, until : date, optional
        First and last day; default: all, until the as-of day.
    strata : sequence of {"year", "sex", "age"} or fields of the stream
        Expected counts are independent within these.
    min_cases : int
        Pairs with fewer are left out of the list; they are in the margins, in the prior and in the control of false discoveries.
    threshold : float
        Ratio that EB05 must exceed for a pair to have appeared.

    Returns
    -------
    DataFrame
        :data:`PAIR_COLUMNS`. ``first`` is the last day of the month after which EB05 exceeded ``threshold`` for the first time, as known
        by event date; NaT where it never did. ``prr``, ``ror`` and ``p_value`` (Fisher's, one-sided) are of the table without strata;
        ``q_value`` controls false discoveries over all pairs that the labels could make. Ordered by EB05. ``attrs``: ``reports``,
        ``pairs``, ``since``, ``until``, ``prior``.

    Raises
    ------
    DetectorError
        If the stream has no counts of cases, a field is unknown or personal, or no record has both labels.
    """
    declared, sides = _checked(stream, by, strata)
    end = until or ctx.as_of
    frame = ctx.store.read_records(
        stream, columns=_columns(declared, sides, strata), as_of=ctx.as_of, sources=list(sources) or None, since=since, until=end
    )
    frame = frame[frame[_MEASURE[stream]].to_numpy(np.float64) > 0].reset_index(drop=True)
    rows, left, left_labels = _side(frame, declared, sides[0], ctx.trees, level)
    right_rows, right, right_labels = _side(frame, declared, sides[1], ctx.trees, level)
    if not len(rows) or not len(right_rows):
        raise DetectorError(
            f"pairs: no record of {stream} has both labels ({by}) up to {end}", hint="see riskwatch doctor for what is stored"
        )
    # One side may name several labels of a record: every one with every one.
    joined = pd.DataFrame({"row": rows, "left": left}).merge(pd.DataFrame({"row": right_rows, "right": right}), on="row")
    joined = joined[(joined["left"] >= 0) & (joined["right"] >= 0)]
    if joined.empty:
        raise DetectorError(
            f"pairs: no record of {stream} has both labels ({by}) up to {end}", hint="see riskwatch doctor for what is stored"
        )
    report, one, two = (joined[name].to_numpy(np.int64) for name in ("row", "left", "right"))
    rows_of = _Rows(one, two, report, _stratum(frame, strata), frame[_MEASURE[stream]].to_numpy(np.float64))
    table = cross_table(one, two, report, rows_of.stratum[report], rows_of.weight[report])
    plain = cross_table(one, two, report, weight=rows_of.weight[report])
    months = frame["event_date"].dt.to_period("M")
    month = (months.astype("int64") - int(months.astype("int64").min())).to_numpy(np.int64)
    appeared = _appearance(table, rows_of, month, min_cases, threshold)
    out = _measures(table, plain, left_labels, right_labels)
    out["first"] = _month_ends(months.min(), appeared)
    for side, fields in (("left", sides[0]), ("right", sides[1])):
        for language in ("zh", "en"):
            out[f"{side}_{language}"] = [_named(ctx.trees, fields, text, language) for text in out[side]]
    out = out[out["observed"] >= min_cases].sort_values(["eb05", "left", "right"], ascending=[False, True, True], ignore_index=True)
    prior = out.attrs["prior"]
    out = out[list(PAIR_COLUMNS)]
    out.attrs = {
        "reports": float(plain.total.sum()), "pairs": len(plain.left), "since": frame["event_date"].min().date(),
        "until": frame["event_date"].max().date(), "prior": prior,
    }  # fmt: skip
    return out


def _checked(stream: str, by: str, strata: Sequence[str]) -> tuple[Stream, tuple[tuple[str, ...], tuple[str, ...]]]:
    if stream not in _MEASURE:
        raise DetectorError(f"pairs: stream must be one of {', '.join(_MEASURE)}, got {stream!r}")
    declared, sides = STREAMS[stream], sides_of(by)
    fields = {one.name: one for one in declared.all_fields}
    names = [*sides[0], *sides[1], *(name for name in strata if name not in _STRATA)]
    for name in names:
        if name not in fields or fields[name].personal or fields[name].kind not in {"text", "code"}:
            known = [one for one, what in fields.items() if not what.personal and what.kind in {"text", "code"}]
            raise DetectorError(f"pairs: {stream} has no field {name!r} to pair by", hint="fields: " + ", ".join(known))
    if ("sex" in strata and "sex" not in fields) or ("age" in strata and "age" not in fields):
        raise DetectorError(f"pairs: {stream} has no age or sex to stratify by", hint="strata: year, or a field of the stream")
    return declared, sides


def _product_fields(declared: Stream) -> list[str]:
    names = {one.name for one in declared.all_fields}
    return [name for name in ("product", "product_2", "product_3") if name in names]


def _columns(declared: Stream, sides: tuple[tuple[str, ...], ...], strata: Sequence[str]) -> list[str]:
    names = ["event_date", _MEASURE[declared.name]]
    for name in (*sides[0], *sides[1]):
        names.extend(_product_fields(declared) if name == "product" else [name])
    names.extend(name for name in strata if name != "year")
    return list(dict.fromkeys(names))


def _side(
    frame: pd.DataFrame, declared: Stream, fields: Sequence[str], trees: Mapping[str, Tree], level: str | None
) -> tuple[IntArray, IntArray, list[str]]:
    """Return record numbers, label numbers (-1: a field is missing) and labels; a record stands once for each product it names."""
    everyone = np.arange(len(frame))
    rows, number, labels = everyone, np.zeros(len(frame), np.int64), [""]
    for name in fields:
        columns = _product_fields(declared) if name == "product" else [name]
        text = pd.concat([frame[column].astype("object").set_axis(everyone) for column in columns])
        text = text[text.notna() & (text.astype(str) != "")].astype(str)
        codes, found = text.factorize(sort=True)
        if name == "product" and level is not None:
            lifted = pd.Series(np.asarray(trees["product"].ancestor_at(np.asarray(found, dtype=object), level), dtype=object))
            again, found = lifted.factorize(sort=True)
            codes = again[codes]
        here = pd.DataFrame({"row": text.index.to_numpy(), "code": codes}).drop_duplicates()
        both = pd.DataFrame({"row": rows, "number": number}).merge(here[here["code"] >= 0], on="row")
        keys, at = np.unique(both["number"].to_numpy() * len(found) + both["code"].to_numpy(), return_inverse=True)
        joined = [(labels[key // len(found)], str(found[key % len(found)])) for key in keys.tolist()]
        labels = [_JOIN.join(part for part in pair if part) for pair in joined]
        rows, number = both["row"].to_numpy(np.int64), at.astype(np.int64)
    return rows, number, labels


def _stratum(frame: pd.DataFrame, strata: Sequence[str]) -> IntArray:
    number = np.zeros(len(frame), np.int64)
    for name in strata:
        if name == "year":
            part = frame["event_date"].dt.year.to_numpy(np.int64)
        elif name == "age":
            part = np.digitize(frame["age"].to_numpy(np.float64, na_value=-1.0), _AGES)
        else:
            part = frame[name].astype("object").fillna("").astype(str).factorize(sort=True)[0]
        part = np.unique(part, return_inverse=True)[1]
        number = number * (int(part.max(initial=0)) + 1) + part
    return np.asarray(np.unique(number, return_inverse=True)[1], np.int64)


def _appearance(table: PairTable, rows: _Rows, month: IntArray, min_cases: int, threshold: float) -> IntArray:
    """Return for each pair the number of the month in which it appeared; independence is within month and stratum."""
    months, width = int(month.max(initial=0)) + 1, int(rows.right.max()) + 1
    n, e = (np.zeros((len(table.left), months)) for _ in range(2))
    key = table.left * width + table.right
    for now in np.unique(month[rows.report]).tolist():
        inside = month[rows.report] == now
        left, right, report = rows.left[inside], rows.right[inside], rows.report[inside]
        part = cross_table(left, right, report, np.unique(rows.stratum[report], return_inverse=True)[1], rows.weight[report])
        n[np.searchsorted(key, part.left * width + part.right), now] = part.observed
        # Labels that this month lacks have margins of 0.
        row = np.pad(part.row, ((0, 0), (0, int(rows.left.max()) + 1 - part.row.shape[1])))
        column = np.pad(part.column, ((0, 0), (0, width - part.column.shape[1])))
        e[:, now] = expected_counts(row, column, part.total, table.left, table.right)
    return first_appearance(n, e, threshold=threshold, min_cases=min_cases)


def _measures(table: PairTable, plain: PairTable, left: list[str], right: list[str]) -> pd.DataFrame:
    n, e = table.observed, table.expected
    prior = fit_prior(*squash(n, e, ratio=_RATIO), pull=0.01)
    known, ic = posterior(prior, n, e), information_component(n, e)
    fold = four_fold(n, plain.row[0][plain.left], plain.column[0][plain.right], plain.total[0])
    prr, ror, p = proportional_ratio(fold), odds_ratio(fold), fisher_tail(fold)
    out = pd.DataFrame(
        {
            "left": np.asarray(left, dtype=object)[table.left], "right": np.asarray(right, dtype=object)[table.right],
            "observed": n, "expected": e, "ebgm": known.ebgm, "eb05": known.quantile(0.05), "eb95": known.quantile(0.95),
            "ic": ic.value, "ic025": ic.lower, "prr": prr.value, "prr_lower": prr.lower, "ror": ror.value, "ror_lower": ror.lower,
            "p_value": p, "q_value": q_values(p, unseen=(plain.row > 0).sum() * (plain.column > 0).sum() - len(p)),
        }
    )  # fmt: skip
    out.attrs["prior"] = prior.array.tolist()
    return out


def _month_ends(first: pd.Period, number: IntArray) -> pd.Series:
    ends = [pd.NaT if at < 0 else (first + at).end_time.normalize() for at in number.tolist()]
    return pd.Series(pd.DatetimeIndex(ends))


def _named(trees: Mapping[str, Tree], fields: Sequence[str], label: str, language: str) -> str:
    parts = []
    for name, code in zip(fields, label.split(_JOIN), strict=False):
        tree = trees.get(_TREES.get(name, ""))
        parts.append(tree.name(code, language) if tree is not None and code in tree else code)
    return " × ".join(parts)
