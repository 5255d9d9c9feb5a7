from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from riskwatch.datasets import default_hazards, expected_grade, random_hazards, simulate_province
from riskwatch.datasets.codelists import build_world
from riskwatch.datasets.hazards import check_hazards
from riskwatch.datasets.random_hazards import LETHAL_ITEMS, MIX, HazardKind
from riskwatch.errors import RiskwatchError

FIRST, LAST = dt.date(2025, 1, 20), dt.date(2025, 12, 14)


@pytest.fixture(scope="module")
def drawn():
    return random_hazards(5, 24, first=FIRST, last=LAST)


def test_same_seed_same_hazards_and_another_seed_others(drawn):
    assert random_hazards(5, 24, first=FIRST, last=LAST) == drawn
    assert random_hazards(6, 24, first=FIRST, last=LAST) != drawn


def test_they_can_be_injected_and_lie_within_their_time(drawn):
    check_hazards(drawn, build_world())
    assert [hazard.hazard_id for hazard in drawn] == [f"R{number:02d}" for number in range(1, 25)]
    for hazard in drawn:
        assert min(hazard.start, hazard.samples_from) >= FIRST
        assert hazard.start < hazard.end <= LAST
        assert 2.0 <= hazard.relative_risk <= 12.0
        assert (hazard.stream == "both") == (hazard.defect_from is not None)
        assert bool(hazard.item) == hazard.in_spot_checks
        assert bool(hazard.mechanism) == hazard.in_injuries


def test_no_product_is_in_two_and_avoided_ones_in_none(drawn):
    products = [product for hazard in drawn for product in hazard.products]
    assert len(products) == len(set(products))
    without = random_hazards(5, 10, first=FIRST, last=LAST, avoid=products[:20])
    assert not {product for hazard in without for product in hazard.products} & set(products[:20])


def test_scopes_say_how_far_they_reach(drawn):
    for hazard in drawn:
        if hazard.scope == "isolated":
            assert len(hazard.regions) == len(hazard.products) == 1
        elif hazard.scope == "regional":
            assert 2 <= len(hazard.regions) <= 3
        else:
            assert hazard.regions == ()
            assert len({code[:3] for code in hazard.products}) == 1
            assert len(hazard.products) >= 2
        assert (hazard.producers > 0) == (hazard.scope == "systemic")


def test_kinds_come_as_often_as_their_weights_say():
    found = Counter((hazard.scope, hazard.stream) for hazard in random_hazards(3, 40, first=dt.date(2024, 1, 8), last=LAST))
    weight = sum(kind.weight for kind in MIX)
    for scope, stream in {(kind.scope, kind.stream) for kind in MIX}:
        wanted = 40 * sum(kind.weight for kind in MIX if (kind.scope, kind.stream) == (scope, stream)) / weight
        number = sum((kind.scope, kind.stream) == (scope, stream) for kind in MIX)
        assert abs(found[scope, stream] - wanted) <= 1 + number


def test_the_rule_of_grades_gives_those_of_the_demonstration_but_for_three_by_one_level():
    order = ["IV", "III", "II", "I"]
    world = build_world()
    hazards = [one for one in default_hazards(dt.date(2021, 1, 1), dt.date(2025, 12, 31), world) if one.kind == "hazard"]
    off = {}
    for one in hazards:
        grade = expected_grade(one.scope, one.stream, admitted=one.admitted, died=one.died, item=one.item)
        if grade != one.grade_expected:
            off[one.hazard_id] = abs(order.index(grade) - order.index(one.grade_expected))
    assert len(off) <= 3
    assert set(off.values()) <= {1}


@pytest.mark.parametrize(
    ("traits", "grade"),
    [
        ({"scope": "isolated", "stream": "injury"}, "IV"),
        ({"scope": "isolated", "stream": "both"}, "IV"),
        ({"scope": "isolated", "stream": "injury", "admitted": 0.25}, "III"),
        ({"scope": "regional", "stream": "injury", "admitted": 0.3}, "III"),
        ({"scope": "isolated", "stream": "injury", "died": 0.02}, "II"),
        ({"scope": "regional", "stream": "both"}, "II"),
        ({"scope": "regional", "stream": "both", "died": 0.03}, "I"),
        ({"scope": "isolated", "stream": "spot_check", "item": LETHAL_ITEMS[0]}, "II"),
    ],
)
def test_expected_grade(traits, grade):
    assert expected_grade(**traits) == grade


def test_they_leave_the_ordinary_records_as_they_were():
    kind = HazardKind("regional", "injury", "light", 1)
    hazards = random_hazards(2, 2, first=dt.date(2021, 2, 1), last=dt.date(2021, 6, 1), mix=[kind])
    options = {"seed": 4, "end": dt.date(2021, 6, 30), "scale": 0.3}
    quiet, loud = simulate_province(hazards=(), **options), simulate_province(hazards=hazards, **options)
    usual = loud.injuries[loud.injuries["hazard_id"] == ""]
    assert usual["record_key"].tolist() == quiet.injuries["record_key"].tolist()
    assert len(loud.injuries) > len(quiet.injuries)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(RiskwatchError, match="count must be >= 0, got -1"):
        random_hazards(1, -1, first=FIRST, last=LAST)
    with pytest.raises(RiskwatchError, match="number 1 of 3"):
        random_hazards(1, 3, first=FIRST, last=FIRST + dt.timedelta(days=20))
