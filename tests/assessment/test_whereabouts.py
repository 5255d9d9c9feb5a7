"""Which counts are weighed where an excess lies: the same places in every period, since the first alarm."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from assessment_world import TREES, signal

from riskwatch.assessment.lookups import Lookups
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.types import Subject
from riskwatch.assessment.whereabouts import weigh_places

PATHS = {kind: TreePaths(tree) for kind, tree in TREES.items()}
PLACES = ("220100", "220200", "220300", "220400")


def judged(counts, *, product="dolls", expected=1.0, **other):
    """Rows of one week: the whole first, then the places that were judged."""
    return [
        signal(product, place, observed=float(observed), expected=expected * (4 if not place else 1), q_value=0.001, **other)
        for place, observed in counts.items()
    ]


def weigh(rows, evidence, *, product="dolls", told_from=0.0):
    table = pd.DataFrame(rows)
    return weigh_places(
        Lookups(table), evidence, Subject("product", product, "220000"), paths=PATHS, level="prefecture", share=0.5, told_from=told_from
    )


FIRST = {"": 12, "220100": 6, "220200": 5, "220300": 0, "220400": 1}


def test_what_is_not_judged_yet_is_no_place_of_its_own():
    """In the newest week three of four places are still silent: their cases are in the whole, and said nothing of another place."""
    rows = judged(FIRST, week=0) + judged({"": 9, "220300": 1}, week=1)
    found, names = weigh(rows, [0, 5])
    assert names == list(PLACES)
    assert found.places == (0, 1)
    assert found.wide < 0.1


def test_places_that_are_never_judged_count_together():
    rows = judged({"": 12, "220100": 1, "220200": 1}, week=0)
    found, names = weigh(rows, [0])
    assert names == ["220100", "220200", ""]
    assert found.places == (2,)  # ten of the twelve, where two were expected


def test_periods_since_the_first_alarm_count_though_the_whole_was_quiet():
    """The second week alarmed nowhere: the places that were high in it are what it tells."""
    quiet = {"": 6, "220100": 4, "220200": 2, "220300": 0, "220400": 0}
    rows = judged(FIRST, week=0) + judged(quiet, week=1, alarm=False)
    one, _ = weigh(rows[:5], [0])
    both, _ = weigh(rows, [0])
    assert both.places == one.places == (0, 1)
    assert both.wide < one.wide


def test_periods_before_the_first_alarm_do_not_count():
    rows = judged({"": 40, "220300": 40, "220100": 0, "220200": 0, "220400": 0}, week=0, alarm=False) + judged(FIRST, week=1)
    assert weigh(rows, [5]) == weigh(rows[5:], [0])


def test_periods_in_which_the_evidence_of_the_first_alarm_lies_count():
    rows = judged({"": 10, "220300": 10, "220100": 0, "220200": 0, "220400": 0}, week=0, alarm=False) + judged(FIRST, week=1)
    both = [{**row, "evidence_start": rows[0]["period_start"]} for row in rows]
    assert weigh(both, [5]) == weigh(rows, [0, 5]) != weigh(rows, [5])


def test_a_stratum_without_an_alarm_does_not_count():
    rows = judged(FIRST, week=0, stratum="cause=a") + judged({"": 40, "220400": 40}, week=0, stratum="cause=b", alarm=False)
    assert weigh(rows, [0]) == weigh(rows[:5], [0])


def test_a_category_that_was_not_judged_by_place_is_placed_by_its_products():
    rows = judged(FIRST, week=0) + judged({"": 3}, product="kites", week=0) + judged({"": 20}, product="toys", week=0)
    found, names = weigh(rows, [len(rows) - 1], product="toys")
    assert names == list(PLACES)  # what is known of kites is no place
    assert found.places == (0, 1)


def test_too_small_an_excess_is_placed_nowhere():
    few = judged({"": 5, "220100": 2, "220200": 1, "220300": 1, "220400": 1}, week=0)
    assert weigh(few, [0])[0].wide > 0.5  # the prior's word
    assert weigh(few, [0], told_from=3.0)[0] is None
    assert weigh(judged(FIRST, week=0), [0], told_from=3.0)[0] is not None


@pytest.mark.parametrize(("days", "told"), [(14, True), (15, False)])
def test_another_model_tells_only_of_a_time_that_it_judged(days, told):
    """An alarm without places over so many days, the last week of which another model judged by place."""
    alarm = signal("dolls", "", model="injury-severe", q_value=0.001, week=0)
    alarm["period_start"] = alarm["evidence_start"] = alarm["period_end"] - dt.timedelta(days=days - 1)
    found, _ = weigh([alarm, *judged(FIRST, week=0, alarm=False)], [0])
    assert (found is not None) is told


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter(seed):
    rows = judged(FIRST, week=0) + judged({"": 9, "220300": 1}, week=1)
    table = pd.DataFrame(rows)
    turned = table.sample(frac=1.0, random_state=seed)
    subject = Subject("product", "dolls", "220000")
    straight, other = (
        weigh_places(
            Lookups(frame.reset_index(drop=True)),
            [frame.index.get_loc(0), frame.index.get_loc(5)],
            subject,
            paths=PATHS,
            level="prefecture",
            share=0.5,
        )
        for frame in (table, turned)
    )
    assert straight == other
