"""What a panel knows besides its counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import PanelError
from riskwatch.panel import Completeness, Covariates, Panel

WEEKS = pd.period_range("2021-01-04", periods=4, freq="W-SUN")
VALUES = np.arange(8.0).reshape(2, 4)


def panel(**context):
    return Panel(VALUES, pd.Index(["a", "b"]), WEEKS, VALUES + 1, **context)


def full():
    return panel(
        covariates=Covariates(("festival", "shift"), VALUES, np.array([[True, True], [True, False]])),
        completeness=Completeness(np.linspace(0.3, 1, 8).reshape(2, 4), np.full((2, 4), 0.1)),
    )


def test_select_cuts_what_belongs_to_series():
    part = full().select(["b"])
    np.testing.assert_array_equal(part.covariates.values, VALUES)
    np.testing.assert_array_equal(part.covariates.applies, [[True], [False]])
    np.testing.assert_array_equal(part.completeness.share, full().completeness.share[1:])
    np.testing.assert_array_equal(part.exposure, VALUES[1:] + 1)


def test_head_cuts_what_belongs_to_periods():
    part = full().head(WEEKS[1])
    np.testing.assert_array_equal(part.covariates.values, VALUES[:, :2])
    assert part.covariates.applies.shape == (2, 2)
    assert part.completeness.error.shape == (2, 2)
    assert panel().head(WEEKS[1]).covariates is None


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"covariates": Covariates(("x",), np.ones((1, 3)))}, r"covariates must have a value per period \(4\), got 3"),
        (
            {"covariates": Covariates(("x",), np.ones((1, 4)), np.ones((1, 3), bool))},
            r"applies must have a column per series \(2\), got 3",
        ),
        ({"completeness": Completeness(np.ones((2, 3)), np.zeros((2, 3)))}, r"completeness must have shape .* = \(2, 4\), got \(2, 3\)"),
    ],
)
def test_context_must_fit_the_panel(context, message):
    with pytest.raises(PanelError, match=message):
        panel(**context)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Covariates(("x", "x"), np.ones((2, 4))), "names must be unique"),
        (lambda: Covariates(("x",), np.ones((2, 4))), r"one row per name \(1\), got shape \(2, 4\)"),
        (lambda: Covariates(("x",), np.array([[np.nan, 1.0]])), "values must be finite; 1 are not"),
        (lambda: Covariates(("x",), np.ones((1, 4)), np.ones((2, 2), bool)), r"applies must have one row per name \(1\)"),
        (lambda: Completeness(np.ones((2, 4)), np.zeros((1, 4))), "one shape"),
        (lambda: Completeness(np.full((1, 1), 1.5), np.zeros((1, 1))), r"lie in \[0, 1\]"),
        (lambda: Completeness(np.full((1, 1), np.nan), np.zeros((1, 1))), r"lie in \[0, 1\]"),
        (lambda: Completeness(np.ones((1, 1)), np.full((1, 1), -0.1)), "errors be >= 0"),
    ],
)
def test_bad_context(make, message):
    with pytest.raises(PanelError, match=message):
        make()
