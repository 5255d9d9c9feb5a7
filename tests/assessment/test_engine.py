import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from assessment_world import AS_OF, RULES, WEEKS, injuries, judge_run, quiet, samples, signal, twice

from riskwatch.assessment import Grade, Scope, from_payload, to_payload
from riskwatch.assessment.rules import CONFIDENCES
from riskwatch.errors import StoreError


def only(found):
    assert len(found) == 1, [one.subject for one in found]
    return found[0]


def subjects(found):
    return {(one.subject.kind, one.subject.code, one.subject.region) for one in found}


# --- merging ---------------------------------------------------------------------------------------------------------


def test_a_leaf_that_carries_the_excess_absorbs_its_category():
    """Scooters 20 of the toys' 30: shown once, as scooters, with the category's alarm as evidence."""
    found = only(judge_run([*twice("scooters"), *twice("toys", observed=60, expected=30), *quiet("dolls", "")]))
    assert found.subject.code == "scooters"
    assert {e.product for e in found.evidence} == {"scooters", "toys"}


def test_a_category_with_many_leaves_is_the_concern():
    rows = [*twice("toys", observed=90, expected=30)]
    for leaf in ("scooters", "dolls", "kites"):
        rows += twice(leaf)
    found = only(judge_run(rows))
    assert found.subject.code == "toys"
    assert {e.product for e in found.evidence} == {"toys", "scooters", "dolls", "kites"}


def test_strong_leaves_in_places_of_their_own_are_not_swallowed_by_their_category():
    """Two products in two ends of the province are two hazards; weak ones, and those of one place, are what the category says."""
    toys = twice("toys", observed=90, expected=30)
    apart = [*twice("dolls", "220100"), *twice("kites", "220300")]
    weak = [*quiet("scooters", "220200"), *twice("scooters", "220200", observed=14, p=0.02)][1:]
    whole = [*quiet("dolls", ""), *quiet("kites", ""), *quiet("scooters", "")]
    assert subjects(judge_run([*toys, *apart, *weak, *whole])) >= {("product", "dolls", "220100"), ("product", "kites", "220300")}
    together = [*twice("dolls", "220100"), *twice("kites", "220101")]
    assert {one[1] for one in subjects(judge_run([*toys, *together, *weak, *whole]))} == {"toys"}
    found = {one.subject.code: one for one in judge_run([*toys, *apart, *weak, *whole])}
    assert sum(len(one.evidence) for one in found.values()) == 8, "every alarm is evidence of one concern"


def test_shares_come_from_records_where_no_leaf_was_judged_alike():
    """The leaf was rolled up in the injuries and alarmed in the spot checks: nine in ten injuries are of the leaf."""
    spot = {"stream": "spot_check", "stratum": "selection=random"}
    rows = [*twice("toys", observed=60, expected=30), *twice("kites", **spot)]
    assert only(judge_run(rows, injuries("kites", 18) + injuries("dolls", 2))).subject.code == "kites"
    assert only(judge_run(rows, injuries("kites", 2) + injuries("dolls", 18))).subject.code == "toys"


def test_a_region_and_an_industry_are_not_shown_beside_the_product_behind_them():
    rows = [*twice("scooters", "220100"), *twice("", "220100", observed=60, expected=30)]
    assert subjects(judge_run(rows)) == {("product", "scooters", "220100")}
    checks = samples("dolls", 20, 9, industry="C24")
    rows = [
        *twice("dolls", stream="spot_check"),
        *twice("", industry="C24", stream="spot_check", observed=40, expected=20),
    ]
    assert {one[1] for one in subjects(judge_run(rows, checks=[checks]))} == {"dolls"}


def test_a_region_is_not_shown_beside_several_products_that_make_its_excess():
    """Two products carry 9 and 8 of the city's 30: together more than half, and the first has the city's alarm as evidence."""
    city = twice("", "220100", observed=60, expected=30)
    scooters = twice("scooters", "220100", observed=19, expected=10)
    heaters = twice("heaters", "220100", observed=18, expected=10)
    found = {one.subject.code: one for one in judge_run([*scooters, *heaters, *city])}
    assert sorted(found) == ["heaters", "scooters"]
    assert [e.product for e in found["scooters"].evidence].count("") == 2
    few = twice("heaters", "220100", observed=14, expected=10)
    assert subjects(judge_run([*scooters, *few, *city])) == {
        ("product", "heaters", "220100"),
        ("product", "scooters", "220100"),
        ("region", "220100", "220100"),
    }


def test_an_industry_alone_is_an_industry_concern():
    rows = twice("", industry="C24", stream="spot_check")
    for checks in ((), [samples("dolls", 5, 1, industry="C38")]):
        found = only(judge_run(rows, checks=checks))
        assert (found.subject.kind, found.subject.code) == ("industry", "C24")


def test_two_products_are_two_concerns():
    assert {one[1] for one in subjects(judge_run([*twice("scooters"), *twice("heaters")]))} == {"scooters", "heaters"}


# --- the place -------------------------------------------------------------------------------------------------------


def test_the_anchor_is_the_smallest_region_with_the_alarms():
    assert only(judge_run(twice("dolls", "220101"))).subject.region == "220101"
    assert only(judge_run([*twice("dolls", "220101"), *twice("dolls", "220102")])).subject.region == "220100"
    assert only(judge_run([*twice("dolls", "220101"), *twice("dolls", "220201")])).subject.region == "220000"


def test_a_county_explains_its_prefecture_and_the_whole():
    rows = [*twice("dolls", "220101"), *twice("dolls", "220100", observed=42, expected=20), *twice("dolls", "", observed=130, expected=105)]
    assert only(judge_run(rows)).subject.region == "220101"
    rows[-1]["observed"] = rows[-2]["observed"] = 200
    assert only(judge_run(rows)).subject.region in ("", "220000")


def test_an_alarm_on_the_whole_goes_where_judged_series_show_the_excess():
    rows = twice("dolls", observed=40, expected=10)
    calm = [one for week in (0, 1) for one in quiet("dolls", "220200", week=week)]
    high = [one for week in (0, 1) for one in quiet("dolls", "220100", week=week, observed=35, expected=10, p=0.4)]
    assert only(judge_run([*rows, *calm, *high])).subject.region == "220100"
    assert only(judge_run([*rows, *calm], injuries("dolls", 10, "220101"))).subject.region == "220101"
    spread = [row for code in ("220101", "220201", "220301", "220401") for row in injuries("dolls", 5, code)]
    assert only(judge_run(rows, spread)).subject.region == "220000"


def test_a_model_without_places_does_not_widen_the_place():
    found = only(judge_run([*twice("dolls", "220101"), *twice("dolls", stream="external_notice")]))
    assert found.subject.region == "220101"
    assert found.confidence == "C3"


def test_a_few_records_do_not_place_an_alarm():
    assert only(judge_run(twice("dolls"), injuries("dolls", 2, "220103"))).subject.region == "220000"
    assert only(judge_run(twice("dolls"))).subject.region == ""


# --- confidence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "level"),
    [
        (twice("dolls", p=0.001), "C2"),
        ([signal("dolls", p=0.001)], "C1"),
        (twice("dolls", p=0.03), "C1"),
        (twice("dolls", p=0.15), "C0"),
        ([signal("dolls", p=0.001, week=0), *quiet("dolls", "")], "C1"),
        ([*twice("dolls", p=0.001), *twice("dolls", p=0.001, stream="spot_check")], "C3"),
        ([*twice("dolls", p=0.001), *twice("dolls", p=0.001, stream="press")], "C2"),
    ],
)
def test_confidence(rows, level):
    assert only(judge_run(rows)).confidence == level


@pytest.mark.parametrize(
    ("streams", "level", "witnesses"),
    [
        (("injury", "complaint", "insurance_claim"), "C2", ["persons"]),
        (("spot_check", "trade_inspection"), "C2", ["measurement"]),
        (("injury", "complaint", "trade_inspection"), "C3", ["measurement", "persons"]),
        (("complaint", "external_notice"), "C3", ["foreign authority", "persons"]),
        (("complaint", "press"), "C2", ["persons"]),
    ],
)
def test_types_with_one_witness_do_not_confirm_each_other(streams, level, witnesses):
    found = only(judge_run([row for stream in streams for row in twice("dolls", p=0.001, stream=stream)]))
    assert found.confidence == level
    assert next(step for step in found.steps if step.rule == "confidence.independent-sources").inputs["witnesses"] == witnesses


def test_a_centre_may_take_complaints_for_a_witness_of_their_own():
    rows = [*twice("dolls", p=0.001), *twice("dolls", p=0.001, stream="complaint")]
    named = {kind: witness for kind, witness in RULES.confidence.witnesses.items() if kind != "complaint"}
    rules = RULES.model_copy(update={"confidence": RULES.confidence.model_copy(update={"witnesses": named})})
    assert only(judge_run(rows, rules=rules)).confidence == "C3"


def test_a_silent_source_makes_its_evidence_worth_nothing():
    rows = twice("dolls", p=0.001)
    cards = injuries("dolls", 10)
    assert only(judge_run(rows, cards, quality={"sources": {"hospital-cards": "silent"}})).confidence == "C0"
    assert only(judge_run(rows, cards, quality={"streams": {"injury": {"state": "silent"}}})).confidence == "C0"
    assert only(judge_run(rows, cards, quality={"sources": {"hospital-cards": "late", "other": "silent"}})).confidence == "C2"


def test_a_flag_speaks_for_what_it_names_and_no_more():
    rows = twice("dolls", "220101", p=0.001)
    named = {"kind": "confirmed-by-laboratory", "product": "toys", "region": "220100"}
    assert only(judge_run(rows, quality={"flags": [named]})).confidence == "C3"
    assert only(judge_run(rows, quality={"flags": [{**named, "product": "heating"}]})).confidence == "C2"
    assert only(judge_run(rows, quality={"flags": [{"kind": "confirmed-by-laboratory"}]})).confidence == "C2"


def test_more_evidence_never_lowers_the_confidence():
    random = np.random.default_rng(3)
    extra = [signal("dolls", code, p=float(p)) for code, p in zip(("220101", "220201", "220301"), (1e-9, 1e-4, 0.04), strict=True)]
    extra += [signal("dolls", p=0.001, stream=stream) for stream in ("spot_check", "external_notice", "press")]
    for _ in range(6):
        chosen = [extra[i] for i in random.permutation(len(extra))[: random.integers(0, len(extra))]]
        fewer = only(judge_run([*twice("dolls", p=0.002), *chosen]))
        more = only(judge_run([*twice("dolls", p=0.002), *chosen, *(row for row in extra if row not in chosen)]))
        assert CONFIDENCES.index(more.confidence) >= CONFIDENCES.index(fewer.confidence)


# --- scope -----------------------------------------------------------------------------------------------------------


def test_scopes():
    one_firm = judge_run(twice("dolls", stream="spot_check"), checks=[samples("dolls", 20, 8, producers=1)])
    assert only(one_firm).scope is Scope.ISOLATED
    county = judge_run(twice("dolls", "220101"), injuries("dolls", 20))
    assert only(county).scope is Scope.ISOLATED
    regional = judge_run(twice("dolls", "220100"), injuries("dolls", 20))
    assert only(regional).scope is Scope.REGIONAL
    everywhere = [samples("dolls", 12, 6, code, producers=6) for code in ("220101", "220201", "220301", "220401")]
    wide = judge_run(twice("dolls", stream="spot_check"), checks=everywhere)
    assert only(wide).scope is Scope.INDUSTRY_WIDE
    prefectures = [row for code in ("220100", "220200", "220300") for row in twice("dolls", code, stream="spot_check")]
    # Failing samples alone are the industry's; once people are hurt in as many places it is the system's.
    failing = only(judge_run([*prefectures, *quiet("dolls", "220400", stream="spot_check")], checks=everywhere))
    assert failing.scope is Scope.INDUSTRY_WIDE
    hurt = [row for code in ("220100", "220200", "220300") for row in twice("dolls", code)]
    systemic = only(judge_run([*prefectures, *quiet("dolls", "220400", stream="spot_check"), *hurt], checks=everywhere))
    assert systemic.scope is Scope.SYSTEMIC
    assert systemic.scope_figures["wide"] > 0.5
    assert systemic.scope_figures["touched"] == 3
    assert systemic.scope_figures["judged"] == 4
    assert systemic.scope_figures["by_chance"] == pytest.approx(4 * 0.05**3 * 0.95 + 0.05**4)
    nowhere = [{**row, "region": None} for row in injuries("dolls", 20)]
    assert only(judge_run(twice("dolls"), nowhere)).scope is Scope.INDUSTRY_WIDE


def test_evidence_that_lies_in_two_weeks_is_read_in_both():
    """Three firms failed in the week before, one in the judged one: by that week alone it would be one firm."""
    checks = [samples("dolls", 12, 3, producers=12, week=0), samples("dolls", 4, 1, producers=12, week=1, tag="late")]
    alone = signal("dolls", stream="spot_check", week=1)
    by_last, by_both = (only(judge_run([{**alone, **more}], checks=checks)) for more in ({}, {"evidence_start": WEEKS[0][0]}))
    assert by_last.scope is Scope.ISOLATED
    assert by_both.scope is not Scope.ISOLATED
    assert [one.facts["spot_checks"]["failed"] for one in (by_last, by_both)] == [1, 4]
    assert [one.facts["spot_checks"]["inspected"] for one in (by_last, by_both)] == [4, 16]


def test_injuries_in_every_prefecture_are_not_spread_by_themselves():
    """A common product hurts people everywhere; only prefectures with an excess of their own count."""
    cards = [row for code in ("220101", "220201", "220301", "220401") for row in injuries("dolls", 5, code)]
    found = only(judge_run([*twice("dolls", "220100"), *(one for c in ("220200", "220300", "220400") for one in quiet("dolls", c))], cards))
    assert found.scope_figures["touched"] == 1
    assert "lift.spread" not in next(step for step in found.steps if step.rule == "lift").inputs.get("because", [])


def test_many_units_are_uplifted_only_where_systemic():
    rows = [row for code in ("220100", "220200", "220300") for row in twice("heaters", code)]
    cards = [row for code in ("220101", "220201", "220301") for row in injuries("heaters", 10, code, cause="烧烫伤")]
    found = only(judge_run(rows, cards))
    assert found.scope is Scope.SYSTEMIC
    uplift = next(step for step in found.steps if step.rule == "risk.population-uplift")
    # 30 seen / 0.2 / 2,000,000 units x 8 years / 14 days = 1.57 %, severity 1: medium; above a million units it is serious.
    assert uplift.inputs["risk"] == "M"
    assert uplift.outcome == found.risk == "S"
    local = only(judge_run(twice("heaters", "220101"), injuries("heaters", 10, cause="烧烫伤")))
    assert next(step for step in local.steps if step.rule == "risk.population-uplift").outcome == "not for this scope"


# --- floors, lowers, caps --------------------------------------------------------------------------------------------


def test_a_death_needs_no_alarm():
    found = only(judge_run(injury=injuries("dolls", 1, outcome="died", severity="severe")))
    assert (found.grade, found.severity, found.confidence) == (Grade.II, 4, "C0")
    assert found.subject.region == "220101"
    assert found.facts["injuries"]["deaths"] == 1


@pytest.mark.parametrize("cause", ["自杀/自伤", "他杀（暴力）", "机动车车祸"])
def test_a_death_by_violence_or_traffic_is_not_from_the_product(cause):
    assert judge_run(injury=injuries("dolls", 1, outcome="died", cause=cause)) == []


def test_a_death_on_a_vehicle_without_a_motor_may_be_from_the_product():
    found = only(judge_run(injury=injuries("dolls", 1, outcome="died", cause="非机动车车祸")))
    assert found.grade == Grade.II


def test_an_old_death_is_no_floor():
    old = [{**row, "event_date": AS_OF - dt.timedelta(days=61)} for row in injuries("dolls", 1, outcome="died")]
    assert judge_run(injury=old) == []


def test_a_known_lethal_item_needs_no_alarm_and_a_banned_drug_has_no_floor():
    found = only(judge_run(checks=[samples("dolls", 5, 1, item="三聚氰胺")]))
    assert (found.grade, found.hazard) == (Grade.II, "illegal-additive")
    assert judge_run(checks=[samples("dolls", 5, 1, item="氯霉素")]) == []


def test_a_failed_recheck_is_yellow_and_counts_firms():
    found = only(judge_run(checks=[samples("dolls", 4, 3, producers=2, check_type="recheck", selection="follow-up")]))
    assert found.grade == Grade.III
    assert found.facts["floor_events"] == [{"rule": "recheck-failed", "grade": "III", "count": 3.0, "newest": "2024-06-12", "firms": 2}]


def test_a_large_single_event_is_graded_by_itself():
    crowd = [{**row, "persons": 12, "event_date": AS_OF - dt.timedelta(days=3)} for row in injuries("dolls", 1, outcome="admitted")]
    assert only(judge_run(injury=crowd)).grade == Grade.III
    scattered = [{**row, "event_date": AS_OF - dt.timedelta(days=n)} for n, row in enumerate(injuries("dolls", 12, outcome="admitted"))]
    assert judge_run(injury=scattered) == []


def test_a_death_joins_the_concern_that_speaks_for_it():
    cards = injuries("dolls", 10) + injuries("dolls", 1, outcome="died")
    assert only(judge_run(twice("dolls", "220101"), cards)).grade >= Grade.II
    elsewhere = injuries("dolls", 10) + injuries("dolls", 1, "220201", outcome="died")
    assert {one[2] for one in subjects(judge_run(twice("dolls", "220101"), elsewhere))} == {"220101", "220201"}


def test_targeted_samples_and_one_firm_lower_once():
    base = {"stream": "spot_check", "stratum": "selection=random"}
    random = only(judge_run(twice("scooters", **base), checks=[samples("scooters", 30, 12)]))
    rows = twice("scooters", stream="spot_check", stratum="selection=targeted")
    targeted = only(judge_run(rows, checks=[samples("scooters", 30, 12, selection="targeted", producers=1)]))
    assert "random samples" in " ".join(step.outcome for step in targeted.steps)
    lower = next(step for step in targeted.steps if step.rule == "lower")
    assert lower.inputs["because"] == ["lower.only-targeted-samples", "lower.one-firm-only"]
    assert next(step for step in random.steps if step.rule == "lower").inputs["because"] == []


def test_label_items_and_media_are_capped():
    labels = only(judge_run(twice("scooters", stream="spot_check"), checks=[samples("scooters", 30, 25, item="标签标识")]))
    assert labels.hazard == "label-only"
    assert labels.grade <= Grade.IV
    media = only(judge_run(twice("scooters", stream="press", p=1e-9)))
    assert media.grade <= Grade.IV


# --- facts, words, order ---------------------------------------------------------------------------------------------


def test_duplicates_count_once_and_persons_are_not_singled_out():
    cards = injuries("dolls", 10, age=30) + injuries("dolls", 2, age=70, tag="old")
    # One hospital and day is not enough to be the same event: these two differ in age.
    assert cards[0]["hospital"] == cards[10]["hospital"]
    again = [{**row, "record_key": row["record_key"] + "-copy"} for row in cards]
    found = only(judge_run(twice("dolls", "220101"), cards + again))
    assert found.facts["injuries"]["persons"] == 12
    assert found.facts["duplicates_left_out"] == {"injury": 12}
    bands = found.facts["injuries"]["age_bands"]
    assert bands["65+"] is None
    assert bands["25-44"] is None, "the only other band would give it away by subtraction"
    assert bands["0-4"] == 0


def test_no_names_and_no_keys_leave():
    checks = samples("dolls", 30, 12, producers=3)
    text = json.dumps([to_payload(one) for one in judge_run(twice("dolls", stream="spot_check"), checks=[checks])], ensure_ascii=False)
    for secret in ("某某有限公司", '"P0"', '"P1"', "S-dolls"):
        assert secret not in text


def test_failure_rates_are_told_by_selection_with_intervals():
    checks = [samples("dolls", 40, 4), samples("dolls", 10, 5, selection="targeted")]
    figures = only(judge_run(twice("dolls", stream="spot_check"), checks=checks)).facts["spot_checks"]
    assert {name: (part["failed"], part["inspected"]) for name, part in figures["by_selection"].items()} == {
        "random": (4.0, 40.0),
        "targeted": (5.0, 10.0),
    }
    assert figures["by_selection"]["random"]["low"] < 0.1 < figures["by_selection"]["random"]["high"]


def test_unknown_units_are_said_and_a_judgement_asked_for():
    found = only(judge_run(twice("dolls"), injuries("dolls", 20, severity="moderate")))
    assert found.probability is None
    assert found.risk_range is not None
    assert found.facts["review"] is True
    assert found.facts["probability_is_assumed"] is True
    assert any("units in use" in sentence["en"] for sentence in found.what_would_change)


def test_what_would_change_names_grades_that_differ():
    found = only(judge_run([signal("scooters", p=0.001)], injuries("scooters", 20, age=9)))
    here = RULES.levels[found.grade.name].label
    assert found.what_would_change
    for sentence in found.what_would_change:
        assert sentence["zh"] != sentence["en"]
        assert here.en + " (" not in sentence["en"]
    assert "next window" in found.what_would_change[0]["en"]
    assert "下一窗口" in found.what_would_change[0]["zh"]


def test_the_order_of_rows_does_not_matter():
    rows = [*twice("scooters", "220101"), *twice("toys", observed=60, expected=30), *twice("heaters", "220201"), *quiet("dolls", "220301")]
    cards = injuries("scooters", 12) + injuries("heaters", 8, "220201", outcome="admitted") + injuries("dolls", 1, outcome="died")
    checks = [samples("kites", 20, 6, item="三聚氰胺")]
    first = judge_run(rows, cards, checks)
    random = np.random.default_rng(11)
    for _ in range(3):
        shuffled = [(list(np.array(part, dtype=object)[random.permutation(len(part))])) for part in (rows, cards)]
        parts, items = checks[0]
        again = judge_run(
            *shuffled, [([parts[i] for i in random.permutation(len(parts))], [items[i] for i in random.permutation(len(items))])]
        )
        assert [to_payload(one) for one in again] == [to_payload(one) for one in first]


def test_an_empty_run_is_an_empty_list():
    assert judge_run() == []


def test_payload_goes_through_json_and_back():
    found = only(judge_run([*twice("scooters", upper=float("inf")), *twice("toys", observed=60, expected=30)], injuries("scooters", 12)))
    payload = json.loads(json.dumps(to_payload(found), allow_nan=False))
    back = from_payload(payload)
    assert to_payload(back) == payload
    for name in ("subject", "as_of", "evidence", "risk_range", "scope", "grade", "probability_range", "actions"):
        assert getattr(back, name) == getattr(found, name)
    with pytest.raises(StoreError, match="no assessment as written by to_payload: KeyError: 'subject'"):
        from_payload({})


def test_ties_and_dates_as_pandas_stamps_are_the_same_run():
    rows = twice("scooters")
    stamps = [{**row, "period_start": pd.Timestamp(row["period_start"]), "period_end": pd.Timestamp(row["period_end"])} for row in rows]
    assert [to_payload(one) for one in judge_run(rows)] == [to_payload(one) for one in judge_run(stamps)]


def test_a_recall_abroad_lifts_and_names_the_hazard():
    notice = {
        "source": "rasff",
        "event_date": AS_OF - dt.timedelta(days=4),
        "product": "dolls",
        "region": None,
        "industry": None,
        "origin": "220101",
        "risk_decision": "serious",
        "hazard_class": "Pathogenic micro-organisms",
        "hazard": None,
        "notices": 1,
    }
    rows = twice("dolls", stream="external_notice")
    notices = [{**notice, "record_key": str(n), "title": "dolls from abroad", "notice_type": "information"} for n in range(4)]
    plain = only(judge_run(rows, notices=notices))
    assert plain.hazard == "microbiological"
    assert plain.facts["external"]["notices"] == 4
    assert plain.facts["external"]["largest_origins"] == {"220101": 4.0}
    recalled = only(judge_run(rows, notices=[*notices[:3], {**notices[3], "notice_type": "recall from consumers"}]))
    assert "lift.recalled-abroad" in next(step for step in recalled.steps if step.rule == "lift").inputs["because"]
    assert recalled.facts["external"]["recalled"] == 1
