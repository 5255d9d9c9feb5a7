"""``config/actions.yaml`` as typed data: measures, statutory clocks, and the provisions behind them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import OBJECTS, ActionObject, Basis, Rule, ScopeName, Stage, Text, Unit, WarningLevel

__all__ = ["GENERAL", "ActionCatalogue", "ActionRule", "Deadline", "Domain", "LegalBasis", "StatutoryClock"]

GENERAL = "general"  # goods that no domain names
LEVELS: tuple[WarningLevel, ...] = ("IV", "III", "II", "I")


class Domain(Rule):
    """Goods that a body of law is about; whatever is in no domain is :data:`GENERAL`."""

    label: Text
    basis: Basis = Field(description="where the list of goods comes from")
    industries: tuple[str, ...] = Field((), description="industry codes, with all below them")
    products: tuple[str, ...] = Field((), description="product codes, with all below them")
    streams: tuple[str, ...] = Field((), description="streams whose evidence puts a concern into this domain (overlays only)")
    source_types: tuple[str, ...] = Field((), description="types of evidence that do the same (overlays only)")
    overlay: bool = Field(False, description="true: adds to the body of law of the goods (licences, imports); false: takes its place")

    @model_validator(mode="after")
    def _kinds(self) -> Domain:
        if not self.overlay and (self.streams or self.source_types):
            raise ValueError("streams and source_types decide overlays only: goods do not change their law with the record")
        if not (self.industries or self.products or self.streams or self.source_types):
            raise ValueError("a domain needs industries, products, streams or source_types")
        return self


class LegalBasis(Rule):
    """A provision. ``verified`` is true only where the text of the provision was read."""

    law: Text
    article: str = Field(description="article numbers; empty where they are not known")
    text: Text = Field(description="what the provision says on this, in our words")
    status: Literal["read", "secondary", "recalled"] = Field(
        description="read: the text itself; secondary: what others say it says; recalled: neither, to be looked up"
    )
    dated: dt.date = Field(description="when it was last looked at")
    verified: bool = Field(description="true where status is read")
    domains: tuple[str, ...] = Field((), description="only for goods of these domains; empty: all")

    @model_validator(mode="after")
    def _honest(self) -> LegalBasis:
        if self.verified != (self.status == "read"):
            raise ValueError(f"verified must be true where status is read and nowhere else, got {self.verified} with status {self.status}")
        if self.verified and not self.article:
            raise ValueError("a provision that was read has an article")
        return self


class Deadline(Rule):
    """An amount of time from a start event; ``amount`` null means at once or without a clock."""

    amount: int | None = Field(None, ge=0)
    unit: Unit = ""
    starts: str = Field("", description="key of starts")
    legal: str = Field("", description="key of the provision that sets the clock; empty: our own proposal")
    verified: bool = Field(False, description="true only where the clock itself was read in that provision")

    @model_validator(mode="after")
    def _whole(self) -> Deadline:
        if self.amount is not None and not (self.unit and self.starts):
            raise ValueError("deadline: an amount needs a unit and a start event")
        if self.verified and not self.legal:
            raise ValueError("deadline: a verified clock names the provision that sets it")
        return self


class ActionRule(Rule):
    """One measure for one grade, object and stage."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    grade: WarningLevel
    object: ActionObject
    stage: Stage
    measure: Text
    owner: str = Field(description="key of owners, or 'anchor': the authority at the level of the anchor region")
    force: int = Field(
        ge=0,
        le=5,
        description="how far it goes: 0 look and record, 1 inform or ask, 2 summon or check specially, 3 order to correct, 4 stop, seize, "
        "remove or investigate, 5 recall, warn the public or mobilise; never falls with a rising grade in one object and stage",
    )
    deadline: Deadline = Deadline()
    legal: tuple[str, ...] = Field((), description="keys of legal_basis")
    brief: bool = Field(True, description="true: also in digests and reports; false: routine, in `riskwatch actions` only")
    scopes: tuple[ScopeName, ...] = Field((), description="only for these scopes; empty: all")
    source_types: tuple[str, ...] = Field((), description="only with evidence of one of these types; empty: all")
    subjects: tuple[Literal["product", "industry", "region"], ...] = Field((), description="only for these subjects; empty: all")
    domains: tuple[str, ...] = Field((), description="only for goods of these domains; empty: all")


class StatutoryClock(Rule):
    """A clock that the law starts whatever the grade: complaints, re-inspection, recall classes, accident reports."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    object: ActionObject
    stage: Stage
    duty: Text
    owner: str = Field(description="key of owners, or 'anchor'")
    deadline: Deadline
    opens: int = Field(0, ge=0, description="units from the start event before which the act does not count")
    legal: tuple[str, ...] = Field(min_length=1, description="keys of legal_basis")
    source_types: tuple[str, ...] = Field((), description="only with evidence of one of these types; empty: all")
    domains: tuple[str, ...] = Field((), description="only for goods of these domains; empty: all")

    @model_validator(mode="after")
    def _is_a_clock(self) -> StatutoryClock:
        if self.deadline.amount is None:
            raise ValueError("a statutory clock needs an amount")
        if self.opens and self.opens >= self.deadline.amount:
            raise ValueError(f"opens must be < amount ({self.deadline.amount}), got {self.opens}")
        return self


class ActionCatalogue(Rule):
    """``config/actions.yaml``."""

    version: str = Field(min_length=1)
    stages: dict[Stage, Text]
    objects: dict[ActionObject, Text]
    starts: dict[str, Text] = Field(description="start events")
    proposed_events: tuple[str, ...] = Field(description="start events that are taken to happen on the as-of day")
    owners: dict[str, Text]
    owner_levels: dict[str, str] = Field(description="level of the region tree -> key of owners; 'default' for others")
    domains: dict[str, Domain] = Field(description="bodies of law; goods in none of them are 'general'")
    legal_basis: dict[str, LegalBasis]
    clocks: tuple[StatutoryClock, ...] = ()
    actions: tuple[ActionRule, ...]

    @model_validator(mode="after")
    def _references(self) -> ActionCatalogue:
        problems = [*self._undefined(), *self._gaps(), *self._falling()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _undefined(self) -> Iterator[str]:
        """Yield what names something that is not there."""
        seen: set[str] = set()
        entries = [("action", one) for one in self.actions] + [("clock", one) for one in self.clocks]
        for kind, one in entries:
            what = f"{kind} {one.id!r}"
            if one.id in seen:
                yield f"{what} is there twice"
            seen.add(one.id)
            keys = [*one.legal, *filter(None, [one.deadline.legal])]
            yield from (f"{what}: legal basis {key!r} is not defined" for key in keys if key not in self.legal_basis)
            if one.deadline.verified and not self.legal_basis[one.deadline.legal].verified:
                yield f"{what}: its clock cannot be verified where {one.deadline.legal!r} is not"
            if one.owner != "anchor" and one.owner not in self.owners:
                yield f"{what}: owner {one.owner!r} is not defined"
            if one.deadline.starts and one.deadline.starts not in self.starts:
                yield f"{what}: start event {one.deadline.starts!r} is not defined"
            if one.stage not in self.stages:
                yield f"{what}: stage {one.stage!r} has no label"
            yield from (f"{what}: domain {name!r} is not defined" for name in one.domains if name not in self.known_domains)
        for key, basis in self.legal_basis.items():
            yield from (f"legal basis {key!r}: domain {name!r} is not defined" for name in basis.domains if name not in self.known_domains)
        yield from (
            f"owner_levels.{level}: owner {key!r} is not defined" for level, key in self.owner_levels.items() if key not in self.owners
        )
        yield from (f"proposed_events: {event!r} is not defined in starts" for event in self.proposed_events if event not in self.starts)

    def _gaps(self) -> Iterator[str]:
        if "default" not in self.owner_levels:
            yield "owner_levels needs an entry 'default'"
        yield from (f"objects: {kind!r} has no label" for kind in OBJECTS if kind not in self.objects)
        for level in LEVELS:
            have = {action.object for action in self.actions if action.grade == level}
            yield from (f"grade {level} has no action for {kind!r}" for kind in OBJECTS if kind not in have)

    def _falling(self) -> Iterator[str]:
        """Yield where a lower grade would get a heavier measure than a higher one in the same object and stage."""
        for domain in sorted(self.known_domains):
            force: dict[tuple[str, str, str], int] = {}
            for action in self.actions:
                if not action.domains or domain in action.domains:
                    key = (action.object, action.stage, action.grade)
                    force[key] = max(force.get(key, 0), action.force)
            for kind, stage in sorted({key[:2] for key in force}):
                levels = [level for level in LEVELS if (kind, stage, level) in force]
                for low, high in itertools.pairwise(levels):
                    if force[kind, stage, low] > force[kind, stage, high]:
                        yield (
                            f"{kind} x {stage} ({domain}): grade {low} goes further ({force[kind, stage, low]}) than {high} "
                            f"({force[kind, stage, high]})"
                        )

    @property
    def known_domains(self) -> frozenset[str]:
        """All domains, :data:`GENERAL` included."""
        return frozenset({GENERAL, *self.domains})
