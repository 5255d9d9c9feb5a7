"""What a panel knows besides its counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import PanelError
from riskwatch.panel import Breakdown, Completeness, Covariates, Panel, build_panel

WEEKS = pd.period_range("2021-01-04", periods=4, freq="W-SUN")
VALUES = np.arange(8.0).reshape(2, 4)


def panel(**context):
    return Panel(VALUES, pd.Index(["a", "b"]), WEEKS, VALUES + 1, **context)


def by_laboratory():
    parts = np.stack([np.floor(VALUES / 2), VALUES - np.floor(VALUES / 2)])
    return Breakdown("laboratory", ("a", "b"), parts, parts + np.array([1.0, 0.0])[:, None, None])


def test_breakdown_is_cut_with_the_panel():
    part = panel(breakdown=by_laboratory()).select(["b"]).head(WEEKS[1])
    assert part.breakdown.labels == ("a", "b")
    np.testing.assert_array_equal(part.breakdown.observed, by_laboratory().observed[:, 1:, :2])
    np.testing.assert_array_equal(part.breakdown.exposure.sum(axis=0), part.exposure)


def test_breakdown_is_built_from_records():
    """Every record is in the label it names, those without a name in one of their own; labels add up; the rarest of many are one."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "event_date": pd.to_datetime("2021-01-04") + pd.to_timedelta(rng.integers(0, 70, 900), unit="D"),
            "selection": rng.choice(["random", "targeted"], 900),
            "laboratory": rng.choice(["b", "a", None], 900, p=[0.5, 0.3, 0.2]),
            "inspected": 1,
            "failed": rng.integers(0, 2, 900),
        }
    )
    given = {"levels": {}, "trees": {}, "frequency": "week", "until": pd.Timestamp("2021-03-14").date(), "stratify": ["selection"]}
    built = build_panel(frame, **given, numerator="failed", denominator="inspected", breakdown="laboratory").panel
    assert built.breakdown.labels == ("(missing)", "a", "b")
    np.testing.assert_array_equal(built.breakdown.exposure.sum(axis=0), built.exposure)
    for label, name in enumerate([None, "a", "b"]):
        mine = frame[frame["laboratory"].isna() if name is None else frame["laboratory"] == name]
        assert built.breakdown.exposure[label].sum() == len(mine)
        assert built.breakdown.observed[label].sum() == mine["failed"].sum()
    alone = build_panel(frame, **given, numerator="failed", breakdown="laboratory").panel
    assert alone.breakdown.exposure is None
    many = frame.assign(laboratory=[f"{at % 100:03d}" for at in range(900)])
    labels = build_panel(many, **given, numerator="failed", denominator="inspected", breakdown="laboratory").panel.breakdown.labels
    assert len(labels) == 61
    assert labels[-1] == "(other)"
    with pytest.raises(PanelError, match=r"frame lacks the column\(s\) lab"):
        build_panel(frame, **given, numerator="failed", breakdown="lab")


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
        (
            {"breakdown": Breakdown("laboratory", ("a",), VALUES[None], VALUES[None])},
            r"breakdown.exposure must add up to exposure; 8 cells do not, first 0 of 1",
        ),
        ({"breakdown": Breakdown("laboratory", ("a",), VALUES[None])}, r"breakdown.exposure must be there if and only if exposure is"),
        (
            {"breakdown": Breakdown("laboratory", ("a",), np.ones((1, 1, 4)), np.ones((1, 1, 4)))},
            r"must have shape \(label, series, period\)",
        ),
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
        (lambda: Breakdown("laboratory", ("a", "a"), np.ones((2, 1, 1))), "labels must be unique"),
        (lambda: Breakdown("laboratory", ("a",), np.ones((2, 1, 1))), r"must have shape \(label, series, period\) with 1 labels"),
        (lambda: Breakdown("laboratory", ("a",), -np.ones((1, 1, 1))), "finite and >= 0; 1 are not"),
        (lambda: Breakdown("laboratory", ("a",), np.ones((1, 1, 1)), np.ones((1, 1, 2))), "one shape"),
    ],
)
def test_bad_context(make, message):
    with pytest.raises(PanelError, match=message):
        make()
