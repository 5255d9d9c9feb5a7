"""The checks of each field as a pandera schema, made from the stream's declaration.

A column of 50,000 rows has few distinct values, so parsing asks the schema about distinct values only and carries its verdict
to the rows: 0.2 ms a field instead of several. pandera takes 0.4 s to import, so it is imported when a schema is first made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions import Tree, credit_codes_valid, looks_like_credit_code
from riskwatch.records.rules import MOMENT, RowRule, row_rules, text_values
from riskwatch.records.streams import Field, Stream

__all__ = ["CREDIT_CODE_FIELDS", "broken_rules", "field_schema", "only_length", "schema_for"]

CREDIT_CODE_FIELDS = frozenset({"importer", "producer", "respondent", "sampled", "supplier"})
"""Fields that hold an enterprise: a unified social credit code or a key of the source."""

# A production day may be long ago; the others are bounded by the source's earliest day.
_OLD_IS_FINE = frozenset({"production_date"})
_EPOCH = dt.date(1970, 1, 1)


def _by_value(test: Callable[[object], npt.NDArray[np.bool_]]) -> Callable[[pd.Series], pd.Series]:
    return lambda values: pd.Series(test(values.to_numpy(dtype=object)), index=values.index)


def _credit_code_kept(codes: object) -> npt.NDArray[np.bool_]:
    return ~looks_like_credit_code(codes) | credit_codes_valid(codes)


def _is_moment(values: pd.Series) -> pd.Series:
    return values.astype(str).str.match(MOMENT)


def only_length(field: Field, trees: Mapping[str, Tree]) -> bool:
    """Tell whether the length of its text is all that a field's schema looks at."""
    free = field.kind in {"text", "code"} and not field.choices and field.tree not in trees
    return free and field.name not in CREDIT_CODE_FIELDS


def _checks(field: Field, trees: Mapping[str, Tree], earliest: dt.date | None, today: dt.date | None) -> list[Any]:
    from pandera.pandas import Check  # noqa: PLC0415 - 0.4 s

    checks: list[Any] = []
    if field.kind in {"int", "float"}:
        checks.append(Check(np.isfinite, error="not-finite"))
        if field.kind == "int":
            checks.append(Check(lambda values: ~np.isfinite(values) | (values == np.floor(values)), error="not-an-integer"))
        if field.minimum is not None:
            checks.append(Check.ge(field.minimum, error="below-minimum"))
        if field.maximum is not None:
            checks.append(Check(lambda values, most=field.maximum: ~np.isfinite(values) | (values <= most), error="above-maximum"))
    elif field.kind == "date":
        first = _EPOCH + dt.timedelta(days=1) if field.name in _OLD_IS_FINE else earliest
        if first is not None:
            checks.append(Check.ge(pd.Timestamp(first), error="too-early"))
        if today is not None and not field.ahead:
            checks.append(Check.le(pd.Timestamp(today), error="in-future"))
    elif field.kind == "moment":
        # As ISO text a moment sorts as it should; what is none has been found already.
        if earliest is not None:
            begin = earliest.isoformat()
            checks.append(Check(lambda values, begin=begin: ~_is_moment(values) | (values.astype(str) >= begin), error="too-early"))
        if today is not None:
            last = f"{today.isoformat()}T24"
            checks.append(Check(lambda values, last=last: ~_is_moment(values) | (values.astype(str) <= last), error="in-future"))
    elif field.choices:
        checks.append(Check.isin(field.choices, error="unknown-value"))
    elif field.tree and field.tree in trees:
        checks.append(Check(_by_value(trees[field.tree].contains), error="unknown-code"))
    elif field.kind in {"text", "code"}:
        checks.append(Check.str_length(max_value=field.max_length, error="too-long"))
    if field.name in CREDIT_CODE_FIELDS:
        checks.append(Check(_by_value(_credit_code_kept), error="credit-code-checksum"))
    return checks


def field_schema(field: Field, trees: Mapping[str, Tree], *, earliest: dt.date | None = None, today: dt.date | None = None) -> Any:
    """Return the pandera ``SeriesSchema`` of a field's distinct values, or None where it has nothing to check."""
    from pandera.pandas import SeriesSchema  # noqa: PLC0415 - 0.4 s

    checks = _checks(field, trees, earliest, today)
    return SeriesSchema(None, checks=checks, nullable=True) if checks else None


def schema_for(stream: Stream, trees: Mapping[str, Tree], *, earliest: dt.date | None = None, today: dt.date | None = None) -> Any:
    """Return the pandera ``DataFrameSchema`` that parsed records of a stream satisfy.

    Parameters
    ----------
    stream : Stream
        Declaration of the fields.
    trees : mapping of str to Tree
        By dimension; codes of a dimension without a tree are not checked.
    earliest, today : date, optional
        Bounds of dates; None is open.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        One column per field and a check for each rule between fields, whose ``error`` is the rule's name; validate with
        ``lazy=True`` to have every finding.
    """
    from pandera.pandas import Check, Column, DataFrameSchema  # noqa: PLC0415 - 0.4 s

    columns = {
        field.name: Column(None, checks=_checks(field, trees, earliest, today), nullable=not field.required) for field in stream.all_fields
    }

    def kept(rule: RowRule) -> Any:
        def check(frame: pd.DataFrame) -> pd.Series:
            return pd.Series(~rule.broken({name: _plain(name, frame[name]) for name in (rule.field, rule.other)}), index=frame.index)

        return Check(check, error=rule.name)

    return DataFrameSchema(columns, checks=[kept(rule) for rule in row_rules(frozenset(columns))])


def _plain(name: str, column: pd.Series) -> npt.NDArray[np.generic]:
    if isinstance(column.dtype, pd.CategoricalDtype):  # of the fields in rules, only verdicts and moments are
        return text_values(name, column.astype("object").tolist())
    return column.to_numpy()


def broken_rules(schema: Any, values: pd.Series) -> dict[str, npt.NDArray[np.int64]]:
    """Ask a schema about distinct values.

    Returns
    -------
    dict of rule name to array of int
        Positions in ``values`` that break the rule; empty if all is well.
    """
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - 0.4 s

    try:
        schema.validate(values, lazy=True)
    except SchemaErrors as error:
        found = error.failure_cases
        return {str(rule): np.sort(cases["index"].to_numpy(dtype=np.int64)) for rule, cases in found.groupby("check", sort=False)}
    return {}
