"""Direct standardisation and decomposition against hand-computed and published examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.errors import RateError
from riskwatch.rates import decompose_change, standardise

# Das Gupta (1993), Census P23-186, example 5.1: household headship rates per 100, United States 1970 and 1985, by age.
SIZE_1970 = [12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9]
RATE_1970 = [1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8]
SIZE_1985 = [10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5]
RATE_1985 = [2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2]
# Example 5.3: deaths per 1,000, United States 1985 and 1970, by race (2) and age (11); sizes in thousands.
SIZE_53 = [
    [
     3041, 11577, 27450, 32711, 35480, 27411, 19555, 19795, 15254, 8022, 2472, 707, 2692, 6473, 6841, 6547, 4352, 3034, 2540, 1749, 804,
     236],
    [
     2968, 11484, 34614, 30992, 21983, 20314, 20928, 16897, 11339, 5720, 1315, 535, 2162, 6120, 4781, 3096, 2718, 2363, 1767, 1149, 448,
     117],
]  # fmt: skip
RATE_53 = [
    [9.163, 0.462, 0.248, 0.929, 1.084, 1.810, 4.715, 12.187, 27.728, 64.068, 157.570,
     17.208, 0.738, 0.328, 1.103, 2.045, 3.724, 8.052, 17.812, 34.128, 68.276, 125.161],
    [18.469, 0.751, 0.391, 1.146, 1.287, 2.672, 6.636, 15.691, 34.723, 79.763, 176.837,
     36.993, 1.352, 0.541, 2.040, 3.523, 6.746, 12.967, 24.471, 45.091, 74.902, 123.205],
]  # fmt: skip


def table(size, rate, per, **columns):
    size, rate = np.array(size, float), np.array(rate, float)
    return pd.DataFrame({**columns, "inspected": size, "failed": size * rate / per})


def test_kitagawa_against_the_published_headship_rates():
    ages = [f"age {number}" for number in range(13)]
    found = decompose_change(table(SIZE_1970, RATE_1970, 100, age=ages), table(SIZE_1985, RATE_1985, 100, age=ages), nested=["age"]).iloc[0]
    assert 100 * found["change"] == pytest.approx(2.9672, abs=5e-5)
    assert 100 * found["mix"] == pytest.approx(1.2269, abs=5e-5)
    assert 100 * found["within"] == pytest.approx(1.7403, abs=5e-5)
    assert found["unmatched"] == 0


def test_kitagawa_against_the_published_death_rates():
    keys = {"race": np.repeat(["a", "b"], 11), "age": np.tile(np.arange(11), 2)}
    new, old = (table(size, rate, 1000, **keys) for size, rate in zip(SIZE_53, RATE_53, strict=True))
    found = decompose_change(old, new, nested=["race", "age"]).iloc[0]
    assert 1000 * found["raw_before"] == pytest.approx(9.421833, abs=5e-6)
    assert 1000 * found["change"] == pytest.approx(-0.6862158, abs=5e-6)
    assert 1000 * found["mix"] == pytest.approx(1.5415096, abs=5e-6)
    assert 1000 * found["within"] == pytest.approx(-2.2277254, abs=5e-6)
    assert found["mix_race"] + found["mix_age"] == pytest.approx(found["mix"], abs=1e-15)


def test_a_factor_alone_is_what_a_product_of_two_gives():
    # Example 2.1 of the same manual: mean earnings as average earnings x share of earners; effects 4,369.9 and 1,487.2.
    from riskwatch.rates.decompose import _part

    factors = [[np.array([10930.0]), np.array([16591.0])], [np.array([0.717892]), np.array([0.825974])]]
    assert _part(factors, 0)[0] == pytest.approx(4369.913, abs=5e-4)
    assert sum(_part(factors, depth)[0] for depth in (0, 1)) == pytest.approx(16591 * 0.825974 - 10930 * 0.717892)


counts = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=12, max_size=12)


@settings(max_examples=20, deadline=None)
@given(before=counts, after=counts)
def test_parts_add_up_and_turning_time_round_turns_the_signs(before, after):
    keys = {"stratum": np.repeat(["s", "t"], 6), "category": np.tile(np.repeat(["A", "B"], 3), 2), "product": np.tile(["1", "2", "3"], 4)}
    frames = []
    for drawn in (before, after):
        n = np.array([pair[0] for pair in drawn], float)
        frames.append(pd.DataFrame({**keys, "inspected": n, "failed": np.floor(n * np.array([pair[1] for pair in drawn]))}))
    if min(frame["inspected"].sum() for frame in frames) == 0:
        return
    found, back = (decompose_change(a, b).iloc[0] for a, b in (frames, frames[::-1]))
    assert found["within"] + found["mix"] == pytest.approx(found["change"], abs=1e-12)
    assert found["mix_stratum"] + found["mix_category"] + found["mix_product"] == pytest.approx(found["mix"], abs=1e-12)
    for name in ("change", "within", "mix", "mix_stratum", "mix_category", "mix_product"):
        assert back[name] == pytest.approx(-found[name], abs=1e-12)
    same = decompose_change(frames[0], frames[0]).iloc[0]
    assert same["change"] == same["within"] == same["mix"] == 0


def test_errors_of_the_parts_against_simulation():
    rng = np.random.default_rng(1)
    times = 400
    keys = {"stratum": ["s"] * 6, "category": ["A"] * 3 + ["B"] * 3, "product": list("123456")}
    sizes, rate = [rng.integers(40, 200, 6) for _ in range(2)], np.array([0.05, 0.1, 0.2, 0.3, 0.1, 0.15])
    columns = {"time": np.repeat(np.arange(times), 6), **{name: values * times for name, values in keys.items()}}
    before, after = (
        pd.DataFrame({**columns, "inspected": np.tile(n, times), "failed": rng.binomial(n, rate, (times, 6)).ravel()}) for n in sizes
    )
    found = decompose_change(before, after, by="time")
    for name in ("change", "within", "mix"):
        assert found[f"{name}_se"].mean() == pytest.approx(found[name].std(), rel=0.12)


def test_standardisation_by_hand():
    cells = pd.DataFrame(
        {
            "region": ["a", "a", "b", "b"],
            "product": ["toys", "food", "toys", "food"],
            "inspected": [80, 20, 10, 90],
            "failed": [16, 1, 2, 9],
        }
    )
    found = standardise(cells, by="region", over=["product"]).set_index("region")
    # Mix 90:110. a: 0.45 x 0.20 + 0.55 x 0.05; b: 0.45 x 0.20 + 0.55 x 0.10. Raw rates tell the opposite: 17 % and 11 %.
    assert found.loc["a", "rate"] == pytest.approx(0.45 * 0.2 + 0.55 * 0.05)
    assert found.loc["b", "rate"] == pytest.approx(0.45 * 0.2 + 0.55 * 0.1)
    assert found["raw"].tolist() == [0.17, 0.11]
    assert (found["borrowed"] == 0).all()
    assert ((found["lower"] < found["rate"]) & (found["rate"] < found["upper"])).all()
    given_mix = pd.DataFrame({"product": ["toys", "food"], "weight": [3.0, 1.0]})
    assert standardise(cells, given_mix, by="region", over=["product"]).set_index("region").loc["a", "rate"] == pytest.approx(0.1625)


def test_what_is_borrowed_is_told():
    cells = pd.DataFrame({"region": ["a", "b", "b"], "product": ["toys", "toys", "food"], "inspected": [10, 10, 20], "failed": [1, 2, 4]})
    found = standardise(cells, by="region", over=["product"]).set_index("region")
    assert found["borrowed"].tolist() == [0.5, 0.0]
    assert found.loc["a", "rate"] == pytest.approx(0.5 * 0.1 + 0.5 * 0.2)
    assert found.loc["a", "weight"] == 0.5
    with pytest.raises(RateError, match="several cells have the same region, product"):
        standardise(pd.concat([cells, cells]), by="region", over=["product"])
    with pytest.raises(RateError, match="nothing was inspected"):
        standardise(cells.assign(inspected=0, failed=0), by="region", over=["product"])
