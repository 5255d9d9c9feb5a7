"""An office with the shipped rules over a small tree, warnings and days for the tests of casework."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from riskwatch.assessment import Grade, Scope, Subject
from riskwatch.assessment.protocols import TreePaths
from riskwatch.calendar import HolidayCalendar
from riskwatch.casework.case import Case
from riskwatch.casework.office import Office
from riskwatch.casework.rules import LifecycleRules
from riskwatch.casework.verbs import Request, perform
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from tests.made_warnings import RULES, Tree, load

DAY = dt.date(2025, 12, 1)  # a Monday
LEVELS = {"CN": "country", "220000": "province", "220100": "prefecture", "220200": "prefecture", "220102": "county"}
PARENTS = {"220000": "CN", "220100": "220000", "220200": "220000", "220102": "220100"}


class Regions(Tree):
    """A country, a province, two prefectures and a county."""

    def __init__(self) -> None:
        super().__init__()

    def path(self, code: str) -> tuple[str, ...]:
        """Return the codes from the root."""
        if code not in LEVELS:
            raise KeyError(code)
        return (*self.path(PARENTS[code]), code) if code in PARENTS else (code,)

    def level_of(self, code: str) -> str:
        """Return the level of a code."""
        return LEVELS[code]


def make_office() -> Office:
    """Return the office of the shipped configuration."""
    return Office(
        rules=LifecycleRules.model_validate(load("lifecycle.yaml")),
        reviewers={str(name): count for name, count in RULES.review.reviewers.items()},
        regions=TreePaths(Regions()),
        products=TreePaths(Tree(category=3, product=5)),
        calendar=HolidayCalendar.from_config(load("holidays.yaml")),
    )


OFFICE = make_office()


def warned(number: int = 1, grade: Grade = Grade.III, region: str = "220100", product: str = "P0601", **changes: Any) -> EarlyWarning:
    """Return a warning that was opened on :data:`DAY`."""
    given: dict[str, Any] = {
        "warning_id": f"w{number}",
        "fingerprint": f"f{number}",
        "subject": Subject("product", product, region),
        "state": "unchanged",
        "grade": grade,
        "scope": Scope.REGIONAL,
        "hazard": "electrical",
        "first_seen": DAY,
        "last_seen": DAY,
        "last_changed": DAY,
        "last_run": DAY,
        "opened": DAY,
        "series": (("injury-weekly", "", product, "", region),),
    }
    return EarlyWarning(**{**given, **changes})


def started(warning: EarlyWarning) -> Case:
    """Return the case with which nobody has done anything."""
    return Case.start(warning.warning_id, DAY, OFFICE.rules.first)


def worsened(warning: EarlyWarning, day: dt.date) -> WarningEvent:
    """Return the event of a warning that became worse."""
    return WarningEvent("e", warning.warning_id, day, "worsened", "raised", {"zh": "加重", "en": "worse"}, Grade.IV, warning.grade)


def asked(verb: str, actor: str, *, day: dt.date = DAY, at: str = "2025-12-01T01:00:00.000000Z", **more: Any) -> Request:
    """Return a request with a note."""
    return Request(verb, actor, day, at, **{"note": "seen", **more})


def do(case: Case, warning: EarlyWarning, verb: str, actor: str, *, others: dict[str, Case] | None = None, **more: Any) -> Case:
    """Return the case after a person has acted."""
    return case.after(perform(asked(verb, actor, **more), case, warning, OFFICE, others=others))


@pytest.fixture
def office() -> Office:
    """Return the office of the shipped configuration."""
    return OFFICE
