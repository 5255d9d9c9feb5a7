"""Whether failures of several firms rest on one supplier: the exact test, its three verdicts, and the scope that follows."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from assessment_world import RULES, judge_run, quiet, samples, twice
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from riskwatch.assessment import Scope
from riskwatch.assessment.scope import ScopeFigures, decide_scope
from riskwatch.assessment.suppliers import SupplierFigures, exact_p, standing_out

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "shared_supplier.csv"
SCOPE = RULES.scope
LEVEL = SCOPE.suppliers.p_value


def arrays(*columns):
    return tuple(np.array(column, dtype=np.int64) for column in columns)


def test_p_values_of_r():
    """R 4.2.2, one-sided: fisher.test for one product, mantelhaen.test(exact = TRUE) for several."""
    table = pd.read_csv(REFERENCE)
    for _, part in table.groupby("case"):
        found = exact_p(*(part[name].to_numpy(np.int64) for name in ("named", "known", "usual_named", "usual_known")))
        assert found == pytest.approx(part["p_value"].iloc[0], rel=1e-9)


@pytest.mark.parametrize(("x", "n", "k", "m"), [(8, 11, 3, 20), (1, 5, 1, 40), (0, 5, 7, 40), (6, 6, 0, 9), (3, 3, 9, 9)])
def test_p_value_of_one_product(x, n, k, m):
    assert exact_p(*arrays([x], [n], [k], [m])) == pytest.approx(hypergeom.sf(x - 1, n + m, x + k, n), rel=1e-10)


def test_a_product_without_usual_failures_says_nothing():
    alone = exact_p(*arrays([4], [6], [2], [20]))
    assert exact_p(*arrays([4, 9], [6, 9], [2, 0], [20, 0])) == pytest.approx(alone, rel=1e-12)
    assert exact_p(*arrays([9], [9], [0], [0])) == 1.0


def failures(*groups):
    """Failed samples from (count, product, firms, supplier): firms take turns."""
    rows = [
        {"product": product, "producer": f"{product}-{supplier}-F{number % firms}", "supplier": supplier}
        for count, product, firms, supplier in groups
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["product", "producer", "supplier"])


USUAL = failures((4, "a", 3, "S1"), (9, "a", 5, "S2"), (7, "a", 4, "S3"), (5, "a", 3, None))


def test_eight_of_eleven_name_one():
    now = failures((8, "a", 3, "S1"), (2, "a", 2, "S2"), (1, "a", 1, "S3"), (5, "a", 4, ""))
    found = standing_out(now, USUAL, SCOPE)
    assert (found.failed, found.known, found.same, found.producers, found.named, found.usual_known) == (16, 11, 8, 3, 3, 20)
    assert found.usual_share == pytest.approx(0.2)
    # Each of the three could come below the level by its margins, so p counts three times.
    assert found.p_value == pytest.approx(3 * hypergeom.sf(7, 31, 12, 11))
    assert found.verdict == "shared"


@pytest.mark.parametrize(
    "now",
    [
        failures((8, "a", 1, "S1"), (3, "a", 3, "S2")),  # one firm
        failures((8, "a", 2, "S1"), (3, "a", 3, "S2")),  # fewer than three
    ],
)
def test_the_failures_of_one_or_two_firms_are_no_shared_cause(now):
    found = standing_out(now, USUAL, SCOPE)
    assert found.p_value < LEVEL
    assert found.verdict == "unknown"


def test_one_firm_with_most_of_the_failures_is_no_shared_cause():
    now = pd.concat(
        [failures((7, "a", 1, "S1")), failures((3, "a", 3, "S1")).assign(producer=["x", "y", "z"]), failures((2, "a", 2, "S2"))]
    )
    found = standing_out(now, USUAL, SCOPE)
    assert found.producers == 4
    assert found.p_value < LEVEL
    assert found.verdict == "unknown"


def test_none_is_said_only_where_enough_is_known_and_none_comes_near():
    spread = failures((3, "a", 3, "S1"), (4, "a", 3, "S2"), (4, "a", 3, "S3"))
    assert standing_out(spread, USUAL, SCOPE).verdict == "none"
    assert standing_out(spread.iloc[:7], USUAL, SCOPE).verdict == "unknown"
    assert standing_out(spread, USUAL.iloc[:6], SCOPE).verdict == "unknown"
    assert standing_out(spread, USUAL.iloc[:0], SCOPE).p_value is None
    # The leader of the market has most failures now as ever: no surplus, none shared.
    leader = failures((15, "a", 6, "S1"), (5, "a", 4, "S2"))
    assert standing_out(failures((7, "a", 5, "S1"), (3, "a", 3, "S2")), leader, SCOPE).verdict == "none"
    # Seven of ten where a fifth is usual may be chance; it is no sign that none is shared either.
    few = failures((2, "a", 2, "S1"), (8, "a", 4, "S2"))
    near = standing_out(failures((7, "a", 4, "S1"), (2, "a", 2, "S2"), (1, "a", 1, "S3")), few, SCOPE)
    assert near.p_value >= LEVEL
    assert near.verdict == "unknown"


def test_what_is_usual_at_such_a_time_needs_no_supplier():
    """Only the failures beyond the usual ones are to be explained, and only they count as enough."""
    spread = failures((4, "a", 3, "S1"), (4, "a", 3, "S2"), (4, "a", 3, "S3"))
    assert standing_out(spread, USUAL, SCOPE, expected=3.0).verdict == "none"
    assert standing_out(spread, USUAL, SCOPE, expected=6.0).verdict == "unknown"
    # Six of twenty name one that has a twentieth of the usual failures: no half of all, but of the ten that are unusual.
    usual = failures((1, "a", 1, "S1"), (10, "a", 5, "S2"), (9, "a", 4, "S3"))
    now = failures((6, "a", 4, "S1"), (7, "a", 5, "S2"), (7, "a", 4, "S3"))
    loud = pd.concat([usual] * 3)
    assert standing_out(now, loud, SCOPE).verdict == "unknown"
    assert standing_out(now, loud, SCOPE, expected=10.0).verdict == "shared"


def test_nothing_known():
    nothing = standing_out(failures((6, "a", 3, None)), USUAL, SCOPE)
    assert asdict(nothing) == asdict(SupplierFigures(failed=6, usual_known=20))
    assert nothing.verdict == "unknown"
    assert standing_out(USUAL.iloc[:0], USUAL, SCOPE) == SupplierFigures(usual_known=20)


ROW = st.tuples(st.sampled_from("ab"), st.sampled_from(["F1", "F2", "F3", "F4", ""]), st.sampled_from(["S1", "S2", "S3", ""]))


@given(st.lists(ROW, max_size=18), st.lists(ROW, max_size=18), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_names_matter(now, usual, random):
    def frame(rows, rename=str):
        return pd.DataFrame(
            [(a, b and rename(b), c and rename(c)) for a, b, c in rows], columns=["product", "producer", "supplier"], dtype=object
        )

    found = standing_out(frame(now), frame(usual), SCOPE)
    mixed = [random.sample(rows, len(rows)) for rows in (now, usual)]
    backwards = {name: f"x{9 - int(name[1])}{name[0]}" for name in ("F1", "F2", "F3", "F4", "S1", "S2", "S3")}
    assert standing_out(frame(mixed[0]), frame(mixed[1]), SCOPE) == found
    other = standing_out(frame(mixed[0], backwards.get), frame(mixed[1], backwards.get), SCOPE)
    assert other == found
    assert found.p_value is None or 0 < found.p_value <= 1
    assert found.same <= found.known <= found.failed


def test_more_of_the_same_makes_p_smaller():
    """Scale: the same shares on twice as many failures are less likely to be chance."""
    once = failures((4, "a", 4, "S1"), (2, "a", 2, "S2"))
    single, double = (standing_out(pd.concat([once] * times), pd.concat([USUAL] * times), SCOPE) for times in (1, 2))
    assert double.p_value < single.p_value
    assert double.usual_share == pytest.approx(single.usual_share)


def test_no_shared_supplier_flags_at_most_at_the_nominal_rate():
    """Failures of both times come from the same firms, a few of which fail most: a supplier stands out by chance alone."""
    rng = np.random.default_rng(11)
    flagged, said = 0, {"shared": 0, "none": 0, "unknown": 0}
    for _ in range(200):
        firms = rng.dirichlet(rng.gamma(0.7, 1.0, 25) / np.arange(1, 26) ** 0.8 + 1e-3)
        weights = 1.0 / np.arange(1, 13)
        owner = rng.choice(12, 25, p=weights / weights.sum())

        def drawn(size, firms=firms, owner=owner):
            firm = rng.choice(25, size, p=firms)
            return pd.DataFrame({"product": "a", "producer": firm.astype(str), "supplier": owner[firm].astype(str)})

        found = standing_out(drawn(int(rng.integers(8, 25))), drawn(int(rng.integers(15, 40))), SCOPE)
        flagged += found.p_value < LEVEL
        said[found.verdict] += 1
    assert flagged <= 0.05 * 200 + 2 * np.sqrt(0.05 * 0.95 * 200)
    assert flagged >= 2  # it is no test that never flags
    assert said["shared"] <= 8
    assert said["none"] >= 150


# --- the scope --------------------------------------------------------------------------------------------------------

FIGURES = ScopeFigures(40.0, 4, 4, 0.001, "220100", 0.3, 6, 0.3, 6, 3, witnesses=("measurement", "persons"), wide=0.9, one_place=0.01)
SHARED = SupplierFigures(
    failed=16, known=11, named=3, same=8, producers=3, usual_known=20, usual_share=0.2, p_value=0.001, verdict="shared"
)


@pytest.mark.parametrize(
    ("changes", "verdict", "scope"),
    [
        ({}, "shared", Scope.SYSTEMIC),
        ({}, "unknown", Scope.SYSTEMIC),
        ({}, None, Scope.SYSTEMIC),
        ({}, "none", Scope.INDUSTRY_WIDE),
        ({"witnesses": ("measurement",)}, "shared", Scope.SYSTEMIC),
        ({"witnesses": ("measurement",)}, "unknown", Scope.INDUSTRY_WIDE),
        ({"witnesses": ("measurement",)}, "none", Scope.INDUSTRY_WIDE),
        # People are hurt and samples are as usual: their suppliers say nothing of it.
        ({"witnesses": ("persons",)}, "none", Scope.SYSTEMIC),
        ({"wide": 0.2}, "shared", Scope.REGIONAL),
        # Two firms in the place where the concern is anchored; suppliers are asked everywhere.
        ({"producers": 2, "largest_producer_share": 0.6}, "none", Scope.INDUSTRY_WIDE),
        ({"producers": 2, "largest_producer_share": 0.6}, "unknown", Scope.SYSTEMIC),
        ({"wide": None, "largest_region_share": None}, "shared", Scope.SYSTEMIC),
        # Failures everywhere, of which two firms lie in the one prefecture where the concern is anchored.
        ({"witnesses": ("measurement",), "producers": 2, "largest_producer_share": 0.6, "local": True}, "unknown", Scope.INDUSTRY_WIDE),
        ({"witnesses": ("measurement",), "producers": 2, "largest_producer_share": 0.6}, "unknown", Scope.REGIONAL),
        ({"witnesses": ("measurement",), "producers": 2, "local": True, "wide": 0.3}, "unknown", Scope.REGIONAL),
        ({"witnesses": ("measurement",), "producers": 2, "local": True, "touched": 1}, "unknown", Scope.REGIONAL),
    ],
)
def test_what_suppliers_decide(changes, verdict, scope):
    suppliers = None if verdict is None else replace(SHARED, verdict=verdict)
    found, steps = decide_scope(replace(FIGURES, suppliers=suppliers, **changes), SCOPE)
    assert found is scope
    looked = next(step for step in steps if step.rule == "scope.systemic")
    assert looked.inputs["supplier_known"] == (0 if verdict is None else 11)


PREFECTURES = ("220100", "220200", "220300", "220400")


def world(supplier, item="小零件"):
    """Six failures in each prefecture; whose parts they rest on is ``supplier(number)``. And the usual failures of the year before."""
    everywhere = [samples("dolls", 12, 6, f"{code[:4]}01", producers=6, item=item) for code in PREFECTURES]
    for rows, _ in everywhere:
        for number, row in enumerate(rows):
            row["supplier"] = supplier(number) if row["failed"] else None
    usual = []
    for number in range(24):
        (row,), _ = samples("dolls", 1, 1, "220101", tag=f"usual-{number}")
        usual.append({**row, "event_date": dt.date(2023, 3, 1), "producer": f"P{number % 6}", "supplier": f"S{number % 6}"})
    frame = pd.DataFrame([row for rows, _ in everywhere for row in rows])
    items = pd.DataFrame([one for _, part in everywhere for one in part])
    failed = pd.concat([frame[frame["failed"] > 0], pd.DataFrame(usual)], ignore_index=True)
    stratum = {"stream": "spot_check", "stratum": f"item={item}"}
    alarms = [row for code in PREFECTURES for row in (*twice("dolls", code, **stratum), *twice("dolls", code))]
    return judge_run(alarms, checks=everywhere, failures=lambda: (failed, items))


def text_of(found, language):
    return " ".join(sentence[language] for sentence in found.what_would_change)


def test_a_shared_supplier_makes_it_systemic_and_none_industry_wide():
    (shared,) = world(lambda number: "S1" if number < 5 else "S4")
    assert shared.scope is Scope.SYSTEMIC
    figures = shared.scope_figures["suppliers"]
    assert (figures["failed"], figures["known"], figures["same"], figures["producers"]) == (24, 24, 20, 5)
    assert figures["verdict"] == "shared"
    told = "20 of 24 failed samples with a known supplier name the same one; 5 firms"
    assert told in text_of(shared, "en")
    assert "范围变为行业性" in text_of(shared, "zh")
    (apart,) = world(lambda number: f"S{number}")
    assert apart.scope is Scope.INDUSTRY_WIDE
    assert apart.scope_figures["suppliers"]["verdict"] == "none"
    assert "the scope becomes systemic" in text_of(apart, "en")
    (unknown,) = world(lambda _: None)
    assert unknown.scope is Scope.SYSTEMIC
    assert "none of 24 failed samples names one" in text_of(unknown, "en")
    for one in (shared, apart, unknown):
        # Whose supplier it is stays in the store.
        assert not any(f"S{number}'" in str((one.scope_figures, one.steps, one.facts, one.what_would_change)) for number in range(6))


def test_only_failures_in_the_unusual_item_count():
    everywhere = [samples("dolls", 12, 6, f"{code[:4]}01", producers=6, item="其他") for code in PREFECTURES]
    stratum = {"stream": "spot_check", "stratum": "item=小零件"}
    alarms = [row for code in PREFECTURES for row in (*twice("dolls", code, **stratum), *twice("dolls", code))]
    (found,) = judge_run(alarms, checks=everywhere)
    assert found.scope_figures["suppliers"]["failed"] == 0


def test_goods_of_the_same_category_are_asked_too():
    """Firms that share a supplier make more than one product: kites fail the same item, in the same hands."""
    dolls = [samples("dolls", 12, 6, f"{code[:4]}01", producers=6) for code in PREFECTURES]
    kites = [samples("kites", 12, 3, "220101", producers=6)]
    alarms = [row for code in PREFECTURES for row in twice("dolls", code, stream="spot_check", stratum="item=小零件")]
    (found,) = judge_run(alarms, checks=[*dolls, *kites])
    assert found.scope_figures["suppliers"]["failed"] == 27


def test_injuries_alone_ask_no_supplier():
    alarms = [row for code in PREFECTURES[:3] for row in twice("dolls", code)]
    (found,) = judge_run([*alarms, *quiet("dolls", "220400")])
    assert found.scope_figures["suppliers"] is None
