"""Anomalies support concerns and change nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd
import pytest

from riskwatch.assessment import Assessment, Grade, Scope, Subject, from_payload, to_payload
from riskwatch.assessment.supporting import RULE, WATCH, supporting
from riskwatch.errors import DetectorError


class Codes:
    """A tree by prefixes: each code lies below its shorter forms."""

    attributes = pd.DataFrame()

    def path(self, code):
        return [code[:length] for length in range(3, len(code) + 1)]

    def level_of(self, code):
        return str(len(code))

    def name(self, code, language):
        return code


TREES = {"product": Codes(), "region": Codes()}


def concern(kind="product", code="P0304", region="2202", confidence="C0", grade=Grade.WATCH):
    return Assessment(
        subject=Subject(kind, code, region),
        as_of=dt.date(2025, 12, 31),
        hazard="",
        evidence=(),
        severity=2,
        probability=None,
        probability_range=None,
        risk="M",
        risk_range=None,
        confidence=confidence,
        scope=Scope.ISOLATED,
        scope_figures={},
        grade=grade,
        steps=(),
        actions=(),
    )


def anomaly(product="P0304", region="2202", **changes):
    row = {
        "kind": "product-region",
        "product": product,
        "region": region,
        "score": 5.1,
        "p_value": 1e-5,
        "q_value": 0.01,
        "anomaly": True,
        "worse": True,
        "drivers_zh": "不合格率偏高（+3.0）",
        "drivers_en": "failure rate high (+3.0)",
        "evidence": "C1",
    }
    return {**row, **changes}


def test_a_match_adds_a_step_with_figures_in_both_languages_and_nothing_else():
    before = concern()
    found = supporting(pd.DataFrame([anomaly()]), [before], trees=TREES)
    (after,) = found.assessments
    assert dataclasses.replace(after, steps=()) == before
    (step,) = after.steps
    assert (step.rule, step.grade_after, step.outcome) == (RULE, Grade.WATCH, "supports: 1; C and grade unchanged")
    assert step.inputs["anomalies"][0]["drivers"] == {"zh": "不合格率偏高（+3.0）", "en": "failure rate high (+3.0)"}
    assert set(step.inputs["text"]) == {"zh", "en"}
    assert step.inputs["evidence"] == "C1"
    assert found.watch.empty
    assert from_payload(to_payload(after)).steps[0].rule == RULE


@pytest.mark.parametrize("confidence", ["C0", "C1", "C2", "C3"])
@pytest.mark.parametrize("grade", [Grade.NONE, Grade.IV, Grade.I])
def test_neither_confidence_nor_grade_ever_moves(confidence, grade):
    many = pd.DataFrame([anomaly(q_value=q) for q in (1e-9, 0.001, 0.05)])
    (after,) = supporting(many, [concern(confidence=confidence, grade=grade)], trees=TREES).assessments
    assert (after.confidence, after.grade) == (confidence, grade)
    assert after.steps[0].inputs["anomalies"][0]["q_value"] == 1e-9


@pytest.mark.parametrize(
    ("subject", "matches"),
    [
        (("product", "P03", "220"), True),  # the category in the province contains it
        (("product", "P0304", "220201"), True),  # a county of the anomaly's prefecture
        (("product", "P0304", ""), True),
        (("product", "P0304", "2203"), False),
        (("product", "P0401", "2202"), False),
        (("region", "220", ""), True),
        (("region", "220201", ""), False),
        (("industry", "C38", ""), False),
    ],
)
def test_what_a_concern_is_matched_by(subject, matches):
    found = supporting(pd.DataFrame([anomaly()]), [concern(*subject)], trees=TREES)
    assert bool(found.assessments[0].steps) is matches
    assert found.watch.empty is matches


def test_alone_it_is_a_line_of_the_watch_list_only_if_for_the_worse():
    rows = [anomaly("P0401", q_value=0.05), anomaly("P0402"), anomaly("P0403", worse=False), anomaly("P0404", anomaly=False)]
    rows.append(anomaly("", "", kind="enterprise"))
    found = supporting(pd.DataFrame(rows), [concern()], trees=TREES)
    assert found.assessments == (concern(),)
    assert list(found.watch.columns) == list(WATCH)
    assert found.watch["product"].tolist() == ["P0402", "P0401"]
    again = supporting(pd.DataFrame(rows[::-1]), [concern()], trees=TREES)
    pd.testing.assert_frame_equal(found.watch, again.watch)
    none = supporting(pd.DataFrame(rows).iloc[:0], [concern()], trees=TREES)
    assert none.watch.empty


def test_stronger_claims_and_missing_columns_are_refused():
    with pytest.raises(DetectorError, match="evidence of C1 at most, got C2"):
        supporting(pd.DataFrame([anomaly(evidence="C2")]), [], trees=TREES)
    with pytest.raises(DetectorError, match="missing: worse"):
        supporting(pd.DataFrame([anomaly()]).drop(columns="worse"), [], trees=TREES)
