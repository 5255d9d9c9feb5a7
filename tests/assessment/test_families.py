"""The tree of families: by its definition, under nulls with repeated looks, and against Benjamini-Hochberg."""

import numpy as np
import pandas as pd
import pytest
from assessment_world import REGIONS, RULES, TREES, quiet, signal, twice
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from riskwatch.assessment.discovery import discoveries, judge, q_values
from riskwatch.assessment.families import level_weights, look_shares, look_weights, tree_q_values
from riskwatch.assessment.protocols import TreePaths
from riskwatch.errors import DetectorError

PATHS = {name: TreePaths(tree) for name, tree in TREES.items()}


def simes(p, sizes=None):
    """Smallest level at which Benjamini-Hochberg with weights rejects anything."""
    order = np.argsort(p, kind="stable")
    grown = np.cumsum((np.ones(len(p)) if sizes is None else np.asarray(sizes, float))[order])
    return min(np.asarray(p)[order] * grown[-1] / grown)


def rejected(p, levels, level):
    """The tree procedure at one level, as it is written in words; True where rejected."""
    if not levels:
        order = np.argsort(p, kind="stable")
        passing = [k for k in range(1, len(p) + 1) if p[order[k - 1]] <= level * k / len(p) * (1 + 1e-12)]
        found = np.zeros(len(p), dtype=bool)
        found[order[: max(passing, default=0)]] = True
        return found
    groups = [np.flatnonzero(levels[0] == label) for label in sorted(set(levels[0]))]
    p_groups = np.array([_p_node(p[group], [one[group] for one in levels[1:]]) for group in groups])
    order = np.argsort(p_groups, kind="stable")
    grown = np.cumsum([len(groups[g]) for g in order])
    passing = [k for k in range(len(groups)) if p_groups[order[k]] <= level * grown[k] / len(p) * (1 + 1e-12)]
    found = np.zeros(len(p), dtype=bool)
    if passing:
        handed = level * grown[passing[-1]] / len(p)
        for g in order[: passing[-1] + 1]:
            found[groups[g]] = rejected(p[groups[g]], [one[groups[g]] for one in levels[1:]], handed)
    return found


def _p_node(p, levels):
    if not levels:
        return simes(p)
    groups = [np.flatnonzero(levels[0] == label) for label in sorted(set(levels[0]))]
    return simes(np.array([_p_node(p[g], [one[g] for one in levels[1:]]) for g in groups]), [len(g) for g in groups])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 2))
def test_q_values_are_the_smallest_rejecting_levels(seed, size, depth):
    random = np.random.default_rng(seed)
    p = random.uniform(size=size) ** random.integers(1, 5)
    levels = [random.integers(0, 3, size=size) for _ in range(depth)]
    q = tree_q_values(p, levels)
    for level in (*random.uniform(size=5), 0.05):
        assert (rejected(p, levels, level) == (q <= level)).all()


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=40))
def test_one_family_is_benjamini_hochberg(p):
    assert tree_q_values(p, []) == pytest.approx(q_values(p), abs=1e-12)
    assert tree_q_values(p, [np.zeros(len(p))]) == pytest.approx(q_values(p), abs=1e-12)


@given(st.integers(0, 10_000))
def test_a_single_strong_test_needs_the_same_p_wherever_it_hangs(seed):
    random = np.random.default_rng(seed)
    levels = [random.integers(0, 4, size=60), random.integers(0, 3, size=60)]
    p = np.ones(60)
    p[random.integers(60)] = 1e-5
    assert tree_q_values(p, levels).min() == pytest.approx(60e-5)


def test_neither_the_order_of_tests_nor_smaller_p_values_elsewhere_hurt():
    random = np.random.default_rng(5)
    p, levels = random.uniform(size=200) ** 3, [random.integers(0, 5, size=200), random.integers(0, 4, size=200)]
    q = tree_q_values(p, levels)
    order = random.permutation(200)
    assert tree_q_values(p[order], [one[order] for one in levels]) == pytest.approx(q[order], abs=1e-15)
    smaller = p.copy()
    smaller[:50] /= 10
    assert (tree_q_values(smaller, levels) <= q + 1e-15).all()


def test_what_is_no_p_value_is_refused():
    with pytest.raises(DetectorError, match="missing or negative, 1 of 2"):
        tree_q_values([0.1, np.nan], [])
    with pytest.raises(DetectorError, match="one label for each of 2 tests, got 1"):
        tree_q_values([0.1, 0.2], [["a"]])


def test_all_looks_together_spend_what_one_series_counts():
    assert look_shares([1, 2, 3], 0.75) == pytest.approx([0.75, 0.125, 0.0625])
    assert look_shares(np.arange(1, 60), 0.75).sum() == pytest.approx(1)
    assert look_weights([0, 0], [1, 1], first=0.75, most=8) == pytest.approx([0.25, 1.5])
    assert look_weights([0, 0], [1, 3], first=0.75, most=8) == pytest.approx([0.25, 0.125]), "a third look at the newest week"
    assert look_weights([7], [1], first=0.75, most=8) == pytest.approx([0.75])
    assert (look_weights([0] * 9, [1] * 9, first=0.75, most=8) == 1).all(), "a look back takes every period once"


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_levels_share_a_models_error_equally(seed, size):
    random = np.random.default_rng(seed)
    model, level = random.integers(0, 3, size=size), random.integers(0, 3, size=size)
    weight = level_weights(model, level)
    for one in np.unique(model):
        mine = model == one
        assert weight[mine].mean() == pytest.approx(1)
        sums = [weight[mine & (level == other)].sum() for other in np.unique(level[mine])]
        assert sums == pytest.approx([sums[0]] * len(sums))
    order = random.permutation(size)
    assert level_weights(model[order], level[order]) == pytest.approx(weight[order])
    assert level_weights([], []).size == 0


def test_the_whole_does_not_pay_for_the_number_of_its_parts():
    """One test of the whole province beside 4 of prefectures and 12 of counties: its weight is 17 / 3, a county's 17 / 36."""
    parts = [code for code, (_, level) in REGIONS.items() if level != "province"]
    whole = signal("dolls", "", p=1e-4)
    rows = pd.DataFrame([whole, *(signal("dolls", code, p=0.9, alarm=False) for code in parts)])
    by_tests = RULES.model_copy(update={"discovery": RULES.discovery.model_copy(update={"shared_by": "tests"})})
    first = RULES.discovery.looks.first
    assert RULES.discovery.shared_by == "levels"
    assert discoveries(rows, by_tests, PATHS)["q_value"].iloc[0] == pytest.approx(17 * 1e-4 / first)
    assert discoveries(rows, RULES, PATHS)["q_value"].iloc[0] == pytest.approx(3 * 1e-4 / first)
    assert discoveries(rows, RULES)["q_value"].iloc[0] == pytest.approx(17 * 1e-4 / first), "without a tree tests share alike"
    # A place known only as the province is no level of its own: it stands on that of the whole.
    more = pd.DataFrame([*rows.to_dict("records"), signal("dolls", "220000", p=0.9, alarm=False)])
    assert discoveries(more, RULES, PATHS)["q_value"].iloc[0] == pytest.approx(2 * 3 * 1e-4 / first)
    county = rows.assign(p_value=[0.9 if code != "220101" else 1e-4 for code in ["", *parts]])
    at = ["", *parts].index("220101")
    assert discoveries(county, RULES, PATHS)["q_value"].iloc[at] == pytest.approx(36 * 1e-4 / first)


def test_cells_left_out_for_their_count_are_tests_of_their_family():
    rows = [
        *twice("heaters", p=1e-4),
        *(signal("dolls", code, p=np.nan, reason="too-few-cases", alarm=False) for code in ("220100", "220200")),
    ]
    judged = judge(pd.DataFrame(rows), RULES, PATHS)
    assert judged.tested == {"tests": 2, "unseen": 2, "families": 3, "families_selected": 1, "repeated_looks": 1}
    # Four tests; both windows of the only family with anything in it: 4 x 0.0001 / 1.5 for the newest alone.
    assert judged.table["q_value"].min() == pytest.approx(4e-4 / 1.5)


def test_looks_that_were_taken_before_cost_and_rows_of_any_order_are_the_same():
    rows = pd.DataFrame([*twice("heaters", p=1e-4), *quiet("dolls", "220101"), *quiet("", "220100"), *quiet("", "", industry="C24")])
    first = discoveries(rows, RULES, PATHS)
    again = discoveries(rows.assign(looks=[1, 4, 1, 1, 1]), RULES, PATHS)
    assert again["q_value"].iloc[1] > first["q_value"].iloc[1]
    order = [4, 2, 0, 3, 1]
    shuffled = discoveries(rows.iloc[order], RULES, PATHS)
    assert shuffled["q_value"].sort_index().tolist() == first["q_value"].tolist()


# --- a quarter of daily runs -----------------------------------------------------------------------------------------

GROWN = np.array(
    [0.90, 0.93, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.992, 0.994, 0.996, 0.998, 1.0]
)  # share of a week's records known
SERIES = [(c, p, r) for c in range(4) for p in (0, 1, 2, 3, -1) for r in range(-1, 6)]
LEVELS = [np.array(part) for part in ([c for c, _, _ in SERIES], [f"{c}|{p}" for c, p, _ in SERIES], [r for _, _, r in SERIES])]


def rolled(counts):
    full = np.concatenate([counts.sum(2, keepdims=True), counts], 2)
    return np.concatenate([np.concatenate([full[c], full[c].sum(0, keepdims=True)]).ravel() for c in range(len(full))])


def quarter(random, effects, method, weeks=13):
    """Thirteen weeks, each judged on fourteen days while its records grow: false share over all days and power on the first."""
    mean = np.full((4, 4, 6), 8.0)
    raised, truth = mean.copy(), np.zeros(mean.shape)
    for c, p, places, factor in effects:
        raised[c, p, places] *= factor
        truth[c, p, places] = 1
    true, expected = rolled(truth) > 0, rolled(mean)
    steps = np.diff(np.concatenate([[0], GROWN]))
    known = [np.array([rolled(day) for day in random.poisson(raised * steps[:, None, None, None]).cumsum(0)]) for _ in range(weeks + 1)]
    ties = random.uniform(size=(weeks + 1, len(SERIES)))  # p-values are made exactly uniform, so that small counts hide nothing
    looks, last = np.zeros((weeks + 1, len(SERIES)), dtype=int), np.full((weeks + 1, len(SERIES)), -1.0)
    ever, at_once = np.zeros((2, weeks + 1, len(SERIES)), dtype=bool)
    for day in range(7, 7 * (weeks + 1)):
        pair = (day // 7 - 1, day // 7)
        p = []
        for week in pair:
            k = day - 7 * week
            count, mu = known[week][k], expected * GROWN[k]
            p.append(poisson.sf(count, mu) + ties[week] * poisson.pmf(count, mu))
            looks[week] += count != last[week]
            last[week] = count
        p = np.stack(p, axis=1).ravel()  # series by series, older week first
        if method == "bh":
            q = q_values(p)
        else:
            weight = look_weights(np.repeat(np.arange(len(SERIES)), 2), looks[list(pair)].T.ravel(), first=0.75, most=8)
            if method == "levels":
                weight *= np.repeat(level_weights(np.zeros(len(SERIES)), [r < 0 for _, _, r in SERIES]), 2)
            q = tree_q_values(p / weight, [np.repeat(level, 2) for level in LEVELS])
        for k, week in enumerate(pair):
            ever[week] |= q[k::2] < 0.05
            at_once[week] |= (day == 7 * week) & (q[k::2] < 0.05)
    hits = ever[1:weeks]
    return (hits & ~true).sum(1) / np.maximum(hits.sum(1), 1), (at_once[1:weeks] & true).sum(1) / max(true.sum(), 1)


@pytest.mark.parametrize("method", ["tree", "levels"])
def test_weeks_without_effect_have_no_more_false_hits_than_promised_over_all_days(method):
    """Ten quarters of nulls, 120 weeks: a false hit on any of the fourteen days of a week, in at most 5 % of weeks (three errors)."""
    random = np.random.default_rng(20261126)
    false = np.concatenate([quarter(random, [], method)[0] for _ in range(10)])
    assert (false > 0).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(false))


def test_among_real_effects_the_false_share_is_smaller_than_by_benjamini_hochberg_and_more_is_found_on_the_first_day():
    effects = [(0, 0, slice(None), 2.0), (1, 2, [1], 4.0), (2, 3, [0, 1, 2], 2.5)]
    tree, plain = (
        [np.concatenate(part) for part in zip(*(quarter(np.random.default_rng(seed), effects, method) for seed in range(4)), strict=True)]
        for method in ("tree", "bh")
    )
    assert tree[0].mean() <= 0.05
    assert tree[0].mean() <= plain[0].mean()
    assert tree[1].mean() >= plain[1].mean()
