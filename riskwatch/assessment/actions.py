"""Suggested handling measures: grade x object, owner by level of the region, due day, legal basis."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace

from riskwatch.assessment.duedates import due_day
from riskwatch.assessment.measures import GENERAL, Deadline, StatutoryClock
from riskwatch.assessment.protocols import TreePaths, WorkCalendar
from riskwatch.assessment.rules import OBJECTS, ActionCatalogue, ActionRule
from riskwatch.assessment.types import Action, Grade, Scope, Subject

__all__ = ["Bodies", "Desk", "Wanted", "choose", "clocks_for", "measures_for", "owner_of"]


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of law that a concern falls under: that of its goods (None where it cannot be told), and overlays.

    ``possible``: of a category, those of the products below it; empty where that cannot be told either.
    """

    goods: str | None
    overlays: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What measures are wanted for: the concern, how grave, how far, and what speaks for it."""

    grade: Grade
    subject: Subject
    scope: Scope
    source_types: frozenset[str]
    streams: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Desk:
    """What measures are chosen with: the catalogue, the regions and the working days."""

    catalogue: ActionCatalogue
    regions: TreePaths
    calendar: WorkCalendar | None
    products: TreePaths | None = None
    industries: TreePaths | None = None

    def bodies(self, subject: Subject, source_types: Collection[str] = (), streams: Collection[str] = ()) -> Bodies:
        """Return the bodies of law for a concern: by its goods, and overlays by goods, streams or types of evidence."""
        industry, goods = self._industry(subject), None
        known = bool(industry) and self.industries is not None
        overlays = set()
        for name, domain in self.catalogue.domains.items():
            inside = self._within(subject, industry, domain.products, domain.industries)
            if domain.overlay:
                if inside or set(domain.source_types) & set(source_types) or set(domain.streams) & set(streams):
                    overlays.add(name)
            elif inside and goods is None:
                goods = name
        return Bodies(goods if goods is not None or not known else GENERAL, frozenset(overlays))

    def bodies_of(self, wanted: Wanted) -> Bodies:
        """Return the bodies of law whose measures are wanted; of a category of goods, those of the products below it."""
        found = self.bodies(wanted.subject, wanted.source_types, wanted.streams)
        return found if found.goods is not None else replace(found, possible=self._possible(wanted.subject))

    def _possible(self, subject: Subject) -> frozenset[str]:
        leaves = self.products.leaves(subject.code) if subject.kind == "product" and self.products is not None else ()
        goods = {self.bodies(Subject("product", leaf)).goods for leaf in leaves}
        return frozenset(one for one in goods if one is not None) if None not in goods else frozenset()

    def _industry(self, subject: Subject) -> str:
        if subject.kind == "industry":
            return subject.code
        if subject.kind == "product" and self.products is not None:
            return str(self.products.attribute(subject.code, "industry", inherit=True) or "")
        return ""

    def _within(self, subject: Subject, industry: str, products: Collection[str], industries: Collection[str]) -> bool:
        if subject.kind == "product" and self.products is not None and any(self.products.within(subject.code, code) for code in products):
            return True
        return bool(industry) and self.industries is not None and any(self.industries.within(industry, code) for code in industries)

    def applies(self, domains: Collection[str], bodies: Bodies) -> bool:
        """Whether something for ``domains`` concerns these goods; what cannot be told is left to the reader, but for overlays."""
        if not domains or bodies.overlays & set(domains):
            return True
        own = [name for name in domains if name == GENERAL or not self.catalogue.domains[name].overlay]
        if bodies.goods is None:
            return bool(bodies.possible.intersection(own)) if bodies.possible else bool(own)
        return bodies.goods in own


def measures_for(wanted: Wanted, desk: Desk, *, brief: bool = True) -> tuple[ActionRule, ...]:
    """Return the rules whose measures are proposed, by object and then in the order of the catalogue; none below level IV.

    ``brief`` leaves out the routine ones, which digests and reports do not show.
    """
    return _measures(wanted, desk, desk.bodies_of(wanted), brief=brief) if wanted.grade >= Grade.IV else ()


def _measures(wanted: Wanted, desk: Desk, bodies: Bodies, *, brief: bool) -> tuple[ActionRule, ...]:
    chosen = [
        action
        for action in desk.catalogue.actions
        if action.grade == wanted.grade.name
        and (action.brief or not brief)
        and (not action.scopes or wanted.scope.value in action.scopes)
        and (not action.source_types or set(action.source_types) & wanted.source_types)
        and (not action.subjects or wanted.subject.kind in action.subjects)
        and desk.applies(action.domains, bodies)
    ]
    return tuple(sorted(chosen, key=lambda action: OBJECTS.index(action.object)))


def clocks_for(wanted: Wanted, desk: Desk) -> tuple[StatutoryClock, ...]:
    """Return the statutory clocks that can run for a concern, in the order of the catalogue."""
    bodies = desk.bodies_of(wanted)
    return tuple(
        clock
        for clock in desk.catalogue.clocks
        if (not clock.source_types or set(clock.source_types) & wanted.source_types) and desk.applies(clock.domains, bodies)
    )


def choose(
    grade: Grade,
    subject: Subject,
    scope: Scope,
    source_types: Collection[str],
    *,
    as_of: dt.date,
    desk: Desk,
    streams: Collection[str] = (),
    brief: bool = True,
) -> tuple[Action, ...]:
    """Return the measures for one concern, by object and then in the order of the catalogue; none below level IV."""
    wanted = Wanted(grade, subject, scope, frozenset(source_types), frozenset(streams))
    if grade < Grade.IV:
        return ()
    bodies = desk.bodies_of(wanted)
    return tuple(_action(rule, subject, as_of, desk, bodies) for rule in _measures(wanted, desk, bodies, brief=brief))


def _due(clock: Deadline, as_of: dt.date, desk: Desk) -> tuple[dt.date | None, str]:
    if clock.amount is None or clock.starts not in desk.catalogue.proposed_events:
        return None, ""
    return due_day(as_of, clock.amount, clock.unit, desk.calendar)


def _action(rule: ActionRule, subject: Subject, as_of: dt.date, desk: Desk, bodies: Bodies) -> Action:
    clock = rule.deadline
    provisions = [(key, desk.catalogue.legal_basis[key]) for key in rule.legal]
    provisions = [(key, basis) for key, basis in provisions if desk.applies(basis.domains, bodies)]
    due, how = _due(clock, as_of, desk)
    return Action(
        object=rule.object,
        stage=rule.stage,
        measure=rule.measure.model_dump(),
        owner=owner_of(rule.owner, subject.region, desk),
        deadline=clock.amount,
        unit=clock.unit,
        starts=clock.starts,
        due_on=due,
        legal_basis=tuple({"key": key, **basis.model_dump(mode="json")} for key, basis in provisions),
        due_basis=how,
        rule=rule.id,
    )


def owner_of(owner: str, region: str, desk: Desk) -> dict[str, str]:
    """Return who acts: a fixed body, or the authority at the level of the anchor; with the place where it is known."""
    levels, regions = desk.catalogue.owner_levels, desk.regions
    key = levels.get(regions.level(region), levels["default"]) if owner == "anchor" else owner
    body = desk.catalogue.owners[key].model_dump()
    # A county's bureau for a concern anchored at a prefecture: the county is one of several, no place is named.
    place = next((part for part in regions.path(region) if levels.get(regions.level(part)) == key), "")
    if not place:
        return {"zh": body["zh"], "en": body["en"]}
    return {"zh": f"{body['zh']}（{regions.name(place, 'zh')}）", "en": f"{body['en']} ({regions.name(place, 'en')})"}
