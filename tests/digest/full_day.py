"""A day with ten warnings of level I and II at the province, beside the blue ones of the ordinary day."""

from __future__ import annotations

import dataclasses

from riskwatch.assessment.types import Grade, Subject
from tests.digest import conftest as ordinary

PLACES = ("220100", "220104", "220102", "220184", "220281", "220200", "222401", "220500", "222400", "220000")
CODES = ("P0101", "P0102", "P0201", "P0301", "P0401", "P0501", "P0601", "P0701", "P0101", "P0201")


def ten_urgent(red=3):
    """Return assessments and warnings: ten copies of the orange blanket with subjects and figures of their own, the first ``red`` red."""
    day = ordinary.province_day()
    blanket, rest = day.assessments[0], day.assessments[4:]
    made, raised = [], []
    for number, (code, place) in enumerate(zip(CODES, PLACES, strict=True)):
        grade = Grade.I if number < red else Grade.II
        evidence = tuple(
            dataclasses.replace(one, product=code, region=place if one.region == "220100" else one.region, observed=one.observed + number)
            for one in blanket.evidence
        )
        made.append(dataclasses.replace(blanket, subject=Subject("product", code, place), evidence=evidence, grade=grade))
        raised.append(ordinary.warning(200 + number, made[-1].subject, "new", grade))
    subjects = {one.subject for one in rest}
    return [*made, *rest], [*raised, *(one for one in day.warnings if one.subject in subjects)]


def digest(red=3, centre=ordinary.PROVINCE, **changes):
    """Build that day's digest; the pictures are those of the new series."""
    assessments, warnings = ten_urgent(red)
    known = {one.warning_id for one in warnings}
    events = [one for one in ordinary.province_day().events if one.warning_id in known]
    history = {
        ordinary.series_key(one.model, one.product, one.industry, one.region, one.stratum): ordinary.history(one, seed=seed)
        for seed, item in enumerate(assessments)
        for one in item.evidence
    }
    arguments = {"assessments": assessments, "warnings": warnings, "events": events, "series_history": history}
    return ordinary.make(centre, signals=ordinary.signals_frame(assessments), **{**arguments, **changes})
