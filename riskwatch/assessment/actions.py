"""Suggested handling measures: grade x object, owner by level of the region, due day, legal basis."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from riskwatch.assessment.catalogues import GENERAL
from riskwatch.assessment.protocols import TreePaths, WorkCalendar
from riskwatch.assessment.rules import OBJECTS, ActionCatalogue, ActionRule
from riskwatch.assessment.types import Action, Grade, Scope, Subject
from riskwatch.errors import RiskwatchError

__all__ = ["Desk", "choose", "due_day"]


def due_day(start: dt.date, amount: int, unit: str, calendar: WorkCalendar | None) -> tuple[dt.date, str]:
    """Return the last day of a deadline and how it was counted.

    The start day itself is not counted (民法典 art. 201, unverified). Working days follow ``calendar`` with its adjusted workdays;
    without one they are counted as natural days, which can only be earlier, and the answer says so. Hours fall on the
    day that holds the same time of day: less than 24 hours is due on the start day itself, so that no clock is read too late.
    """
    if unit == "hour":
        return start + dt.timedelta(days=amount // 24), "hours"
    if unit == "working-day" and calendar is not None:
        try:
            return calendar.add_working_days(start, amount), "working-days"
        except RiskwatchError:
            # The calendar does not know the year (holidays are announced late in the year before): count as without one, and say so.
            pass
    how = "natural-days" if unit == "natural-day" else "natural-days-no-calendar"
    return start + dt.timedelta(days=amount), how


@dataclass(frozen=True, eq=False)
class Desk:
    """What measures are chosen with: the catalogue, the regions and the working days."""

    catalogue: ActionCatalogue
    regions: TreePaths
    calendar: WorkCalendar | None
    products: TreePaths | None = None
    industries: TreePaths | None = None

    def domain(self, subject: Subject) -> str | None:
        """Return the body of law that a subject falls under; None where it cannot be told (a region, a mixed category)."""
        products, industries = self.products, self.industries
        industry = subject.code if subject.kind == "industry" else ""
        if subject.kind == "product" and products is not None:
            for name, domain in self.catalogue.domains.items():
                if any(products.within(subject.code, code) for code in domain.products):
                    return name
            industry = str(products.attribute(subject.code, "industry", inherit=True) or "")
        if not industry or industries is None:
            return None
        for name, domain in self.catalogue.domains.items():
            if any(industries.within(industry, code) for code in domain.industries):
                return name
        return GENERAL


def choose(
    grade: Grade, subject: Subject, scope: Scope, source_types: Collection[str], *, as_of: dt.date, desk: Desk
) -> tuple[Action, ...]:
    """Return the measures for one concern, by object and then in the order of the catalogue; none below level IV."""
    if grade < Grade.IV:
        return ()
    domain = desk.domain(subject)
    chosen = [
        action
        for action in desk.catalogue.actions
        if action.grade == grade.name
        and (not action.scopes or scope.value in action.scopes)
        and (not action.source_types or set(action.source_types) & set(source_types))
        and (not action.subjects or subject.kind in action.subjects)
        and _applies(action.domains, domain)
    ]
    chosen.sort(key=lambda action: OBJECTS.index(action.object))
    return tuple(_action(action, subject, as_of, desk, domain) for action in chosen)


def _applies(domains: Collection[str], domain: str | None) -> bool:
    """Whether something for ``domains`` concerns goods of ``domain``; what cannot be told is left to the reader."""
    return not domains or domain is None or domain in domains


def _action(rule: ActionRule, subject: Subject, as_of: dt.date, desk: Desk, domain: str | None) -> Action:
    clock = rule.deadline
    provisions = [(key, desk.catalogue.legal_basis[key]) for key in rule.legal]
    provisions = [(key, basis) for key, basis in provisions if _applies(basis.domains, domain)]
    due, how = None, ""
    if clock.amount is not None and clock.starts in desk.catalogue.proposed_events:
        due, how = due_day(as_of, clock.amount, clock.unit, desk.calendar)
    return Action(
        object=rule.object,
        stage=rule.stage,
        measure=rule.measure.model_dump(),
        owner=_owner(rule.owner, subject.region, desk),
        deadline=clock.amount,
        unit=clock.unit,
        starts=clock.starts,
        due_on=due,
        legal_basis=tuple({"key": key, **basis.model_dump(mode="json")} for key, basis in provisions),
        due_basis=how,
    )


def _owner(owner: str, region: str, desk: Desk) -> dict[str, str]:
    """Return who acts: a fixed body, or the authority at the level of the anchor; with the place where it is known."""
    levels, regions = desk.catalogue.owner_levels, desk.regions
    key = levels.get(regions.level(region), levels["default"]) if owner == "anchor" else owner
    body = desk.catalogue.owners[key].model_dump()
    # A county's bureau for a concern anchored at a prefecture: the county is one of several, no place is named.
    place = next((part for part in regions.path(region) if levels.get(regions.level(part)) == key), "")
    if not place:
        return {"zh": body["zh"], "en": body["en"]}
    return {"zh": f"{body['zh']}（{regions.name(place, 'zh')}）", "en": f"{body['en']} ({regions.name(place, 'en')})"}
