"""Gains in closed form against brute force, the exact optimum, and plans that beat a proportional one on a simulated truth."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.coverage import coverage
from riskwatch.coverage.advisor import OBJECTIVES, PLAN, advise, worth
from riskwatch.coverage.gains import allocate, hazard_gains, information_gains, totals, variance
from riskwatch.coverage.priors import cell_counts, posteriors, priors_by_moments
from riskwatch.errors import RecordError
from tests.coverage.conftest import AS_OF, checks, province

REFERENCE = pd.read_csv(Path(__file__).parents[1] / "reference" / "sampling_gains.csv")


@pytest.mark.parametrize(("column", "repeat_value"), [("hazard_0", 0.0), ("hazard_half", 0.5), ("hazard_1", 1.0)])
def test_hazard_gains_are_those_of_r(column, repeat_value):
    a, b, n = (REFERENCE[name].to_numpy(dtype=float) for name in ("a", "b", "n"))
    found = totals(hazard_gains(a, b, 30, repeat_value=repeat_value), n.astype(int))
    np.testing.assert_allclose(found, REFERENCE[column], rtol=1e-11)


def test_information_gains_are_those_of_r():
    a, b, n = (REFERENCE[name].to_numpy(dtype=float) for name in ("a", "b", "n"))
    # The reference is the difference of two variances: relative to the first of them it is exact.
    found = totals(information_gains(a, b, 30), n.astype(int))
    assert np.abs(found - REFERENCE["information"]).max() < 1e-14
    np.testing.assert_allclose(found, REFERENCE["information"], rtol=1e-8)


def test_long_recurrences_stay_true():
    """500 samples: with r = 0 the gain is a / (s + m) times a product; with r = 1 it is the mean."""
    a, b = np.array([0.3, 4.0, 60.0]), np.array([3.0, 90.0, 700.0])
    m = np.arange(500)
    product = np.concatenate([np.ones((3, 1)), np.cumprod((b[:, None] + m[:-1]) / ((a + b)[:, None] + m[:-1]), axis=1)], axis=1)
    np.testing.assert_allclose(hazard_gains(a, b, 500, repeat_value=0.0), a[:, None] / ((a + b)[:, None] + m) * product, rtol=1e-9)
    np.testing.assert_allclose(hazard_gains(a, b, 500, repeat_value=1.0), np.repeat((a / (a + b))[:, None], 500, axis=1), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 50), st.floats(0.05, 500)), min_size=1, max_size=4),
    st.integers(0, 9),
    st.floats(0, 1),
    st.data(),
)
def test_the_allocation_is_the_best_of_all(cells, samples, repeat_value, data):
    a, b = (np.array(part) for part in zip(*cells, strict=True))
    upper = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(cells), max_size=len(cells))))
    lower = np.array([data.draw(st.integers(0, int(high))) for high in upper])
    gains = hazard_gains(a, b, 5, repeat_value=repeat_value) + information_gains(a, b, 5)
    n = allocate(gains, samples, lower=lower, upper=upper)
    if lower.sum() > samples:
        lower, upper = np.zeros_like(lower), lower
    assert (n >= lower).all()
    assert (n <= upper).all()
    assert n.sum() == min(samples, upper.sum())
    best = max(
        totals(gains, np.array(choice)).sum()
        for choice in itertools.product(*[range(low, high + 1) for low, high in zip(lower, upper, strict=True)])
        if sum(choice) == n.sum()
    )
    assert totals(gains, n).sum() == pytest.approx(best, rel=1e-12)


def test_ties_go_to_fewer_samples_and_then_to_the_first_cell():
    gains = np.full((4, 3), 0.1)
    assert allocate(gains, 6).tolist() == [2, 2, 1, 1]
    assert allocate(gains, 2).tolist() == [1, 1, 0, 0]
    assert allocate(gains, 0).tolist() == [0, 0, 0, 0]
    assert allocate(gains, 99).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": -1}, "samples must be >= 0"),
        ({"samples": 1, "lower": np.array([2, 0]), "upper": np.array([1, 1])}, "bounds must satisfy"),
        ({"samples": 1, "upper": np.array([9, 1])}, "bounds must satisfy"),
    ],
)
def test_what_cannot_be_handed_out_is_refused(arguments, message):
    with pytest.raises(RecordError, match=message):
        allocate(np.array([[3.0, 2.0], [3.0, 1.0]]), **arguments)
    with pytest.raises(RecordError, match="must not rise"):
        allocate(np.array([[1.0, 2.0]]), 1)


# --- priors ----------------------------------------------------------------------------------------------------------


def counted(seed, rates, n, product="P0304"):
    """Cells of one product with given true rates."""
    rng = np.random.default_rng(seed)
    failed = rng.binomial(n, rates)
    names = [f"{number:06d}" for number in range(len(rates))]
    return pd.DataFrame({"product": product, "region": names, "inspected": n, "failed": failed})


def test_moments_recover_the_prior_and_tell_chance_from_difference(trees):
    rng = np.random.default_rng(5)
    n = rng.integers(5, 60, 4000)
    cells = counted(1, rng.beta(0.1 * 30, 0.9 * 30, n.size), n)
    alike = counted(2, np.full(n.size, 0.1), n, "P0201")
    found = priors_by_moments(pd.concat([cells, alike]), trees["product"], strength=(2.0, 500.0)).set_index("product")
    assert found.loc["P0304", "rate"] == pytest.approx(0.1, abs=0.005)
    assert found.loc["P0304", "strength"] == pytest.approx(30, rel=0.12)
    assert found.loc["P0201", "strength"] > 300


def test_a_product_without_samples_takes_its_parents_rate(trees):
    rows = [("P0301", "220102", 400, 80), ("P0304", "220102", 0, 0), ("P0801", "220102", 4000, 40), ("P0803", "220102", 0, 0)]
    cells = pd.DataFrame(rows, columns=["product", "region", "inspected", "failed"])
    found = priors_by_moments(cells, trees["product"], strength=(5.0, 100.0)).set_index("product")
    assert found.loc["P0304", "rate"] == pytest.approx(0.2, abs=0.01)
    assert found.loc["P0803", "rate"] == pytest.approx(0.01, abs=0.001)
    assert found.loc["P0304", "strength"] == 5.0


def test_old_samples_fade_and_only_comparison_samples_count(trees, rules, catalogue):
    advice = rules.advice
    records = checks(
        [
            ("2025-12-31", "P0304", "220102", "random", "county", 4, 1),
            ("2024-12-31", "P0304", "220102", "random", "county", 8, 2),
            ("2022-01-01", "P0304", "220102", "random", "county", 8, 2),  # too old
            ("2025-12-30", "P0304", "220102", "targeted", "county", 50, 50),
        ]
    )
    cells = cell_counts(records, trees, catalogue, as_of=AS_OF, coverage=rules.coverage, advice=advice).set_index(["product", "region"])
    row = cells.loc[("P0304", "220102")]
    assert (row["inspected"], row["failed"]) == (12, 3)
    assert row["weighted_inspected"] == pytest.approx(4 + 8 * 0.5)
    assert row["weighted_failed"] == pytest.approx(1 + 2 * 0.5)
    assert row["last_sampled"] == pd.Timestamp("2025-12-31")
    assert (cells.drop(index=("P0304", "220102"))["inspected"] == 0).all()


def test_a_missing_prior_is_named(trees, rules, catalogue):
    cells = cell_counts(province(), trees, catalogue, as_of=AS_OF, coverage=rules.coverage, advice=rules.advice)
    with pytest.raises(RecordError, match=r"not so for .*P0201"):
        posteriors(cells, pd.DataFrame({"product": ["P0101"], "rate": [0.1], "strength": [5.0]}))


# --- plans -----------------------------------------------------------------------------------------------------------


def plan_of(records, trees, rules, catalogue, *, samples=150, objective="mixture", **changes):
    advice = rules.advice.model_copy(update=changes)
    cells = cell_counts(records, trees, catalogue, as_of=AS_OF, coverage=rules.coverage, advice=advice)
    frame = coverage(records, trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    priors = priors_by_moments(cells, trees["product"], strength=advice.strength)
    return advise(cells, frame, priors, trees, catalogue, rules=advice, samples=samples, objective=objective, as_of=AS_OF)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_plan_hands_out_all_samples_within_bounds_whatever_the_row_order(objective, trees, rules, catalogue):
    records = province(3)
    plan = plan_of(records, trees, rules, catalogue, objective=objective)
    assert list(plan.columns) == list(PLAN)
    assert (plan["n"].sum(), plan.attrs["unplaced"]) == (150, 0)
    assert plan["n"].max() <= rules.advice.cell_maximum
    assert plan["minimum"].sum() >= 75
    assert (plan["objective_value"].diff().dropna() <= 0).all()
    assert plan["reason_zh"].str.contains("列入目录").all()
    assert plan["reason_en"].str.contains("in the catalogue for").all()
    again = plan_of(records.sample(frac=1, random_state=1), trees, rules, catalogue, objective=objective)
    pd.testing.assert_frame_equal(plan, again)


def test_each_objective_is_best_at_its_own_and_the_mixture_lies_between(trees, rules, catalogue):
    records = province(3)
    plans = {name: plan_of(records, trees, rules, catalogue, objective=name, minimum_share=0.0) for name in OBJECTIVES}
    information = {name: plan["information"].sum() for name, plan in plans.items()}
    hazard = {name: plan["hazard"].sum() for name, plan in plans.items()}
    assert information["information"] > information["mixture"] > information["hazard"]
    assert hazard["hazard"] > hazard["mixture"] > hazard["information"]


def test_minima_come_first_and_what_is_still_missing_is_said(trees, rules, catalogue):
    records = province(3)
    all_minima = plan_of(records, trees, rules, catalogue, samples=40, minimum_share=1.0)
    assert all_minima["minimum"].sum() == all_minima["n"].sum() == 40
    missing = all_minima.attrs["unmet_minimum"]
    assert missing > 0
    enough = plan_of(records, trees, rules, catalogue, samples=missing + 40, minimum_share=1.0)
    assert enough.attrs["unmet_minimum"] == 0


def test_too_many_samples_are_said_to_have_no_place(trees, rules, catalogue):
    plan = plan_of(province(3), trees, rules, catalogue, samples=2000, cell_maximum=1)
    assert plan.attrs["unplaced"] == 2000 - 1440


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"samples": 0}, "samples must be >= 1"), ({"objective": "fame"}, "objective must be one of")],
)
def test_odd_questions_are_refused(changes, message, trees, rules, catalogue):
    with pytest.raises(RecordError, match=message):
        plan_of(province(3), trees, rules, catalogue, **changes)


def test_the_advice_beats_a_proportional_plan_on_a_simulated_truth(trees, rules, catalogue):
    """Rates drawn from a beta prior by product; the plans see two years of samples, never the truth.

    Same N, same cells. Failures found by the hazard plan and the squared error left by the information plan are counted on the truth.
    """
    rng = np.random.default_rng(11)
    advice = rules.advice.model_copy(update={"minimum_share": 0.0, "repeat_value": 1.0, "cell_maximum": 20})
    empty = cell_counts(province(1, 10), trees, catalogue, as_of=AS_OF, coverage=rules.coverage, advice=advice)
    empty = empty.sort_values(["product", "region"], ignore_index=True)
    frame = coverage(province(1, 10), trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    people = empty["population"].to_numpy()
    products = empty["product"].unique()
    found, left = [], []
    for _ in range(12):
        level = rng.beta(2, 20, products.size)
        mean = level[np.searchsorted(products, empty["product"])]
        truth = rng.beta(15 * mean, 15 * (1 - mean))
        seen = rng.poisson(4.0 * people / people.mean())
        failed = rng.binomial(seen, truth)
        cells = empty.assign(inspected=seen, failed=failed, weighted_inspected=seen.astype(float), weighted_failed=failed.astype(float))
        priors = priors_by_moments(cells, trees["product"], strength=advice.strength)
        share = people / people.sum()
        proportional = rng.multinomial(300, share)
        numbers = {"proportional": proportional}
        for objective in ("hazard", "information"):
            plan = advise(cells, frame, priors, trees, catalogue, rules=advice, samples=300, objective=objective, as_of=AS_OF)
            keyed = plan.set_index(["product", "region"])["n"]
            numbers[objective] = keyed.reindex(pd.MultiIndex.from_frame(cells[["product", "region"]])).fillna(0).to_numpy().astype(int)
        a, b = posteriors(cells, priors)
        value = worth(cells, priors, catalogue, advice, as_of=AS_OF)
        weight = value.information[:, 0] / information_gains(a, b, 1)[:, 0]
        unit = value.hazard[:, 0] / (a / (a + b))
        found.append([(unit * numbers[name] * truth).sum() for name in ("hazard", "proportional")])
        errors = []
        for name in ("information", "proportional"):
            n = numbers[name]
            new = rng.binomial(n, truth)
            errors.append((weight * ((a + new) / (a + b + n) - truth) ** 2).sum())
        left.append([*errors, (weight * (a / (a + b) - truth) ** 2).sum()])
    (hazard, plain), (information, spread, before) = np.mean(found, axis=0), np.mean(left, axis=0)
    assert hazard > 1.6 * plain
    assert before - information > 1.3 * (before - spread) > 0


def test_variance_is_that_of_the_beta_distribution():
    from scipy.stats import beta

    a, b = np.array([0.5, 3.0]), np.array([9.0, 40.0])
    np.testing.assert_allclose(variance(a, b), beta(a, b).var(), rtol=1e-12)
