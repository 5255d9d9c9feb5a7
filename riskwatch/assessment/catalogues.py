"""``config/hazards.yaml`` and ``config/actions.yaml`` as typed data: classes of hazard, measures and their legal basis."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import OBJECTS, ActionObject, Basis, Rule, ScopeName, Stage, Text, Unit, WarningLevel

__all__ = ["ActionCatalogue", "ActionRule", "Deadline", "HarmGivenDefect", "HazardCatalogue", "HazardClass", "LegalBasis"]

# --- config/hazards.yaml ---------------------------------------------------------------------------------------------


class HarmGivenDefect(Rule):
    """Assumed probability that a defective unit harms someone during its life."""

    value: float = Field(gt=0, le=1)
    basis: Basis


class HazardClass(Rule):
    """One class of hazard and how it is recognised.

    Patterns are regular expressions, searched without regard to case: ``items`` in the names of failing test items, ``causes``
    in injury causes, ``diagnoses`` in the nature of the injury, ``notices`` in foreign notices, ``complaints`` in complaints, accident
    reports, recalls, claims and the press.
    """

    label: Text
    severity: int = Field(ge=1, le=4, description="default where no injury says better")
    presumed_lethal: bool = False
    illegal_additive: bool = False
    label_only: bool = False
    hidden: bool = Field(False, description="users cannot see, smell or feel it in time")
    floor: WarningLevel | None = Field(None, description="grade that one failing item of this class warrants by itself")
    harm_given_defect: HarmGivenDefect
    items: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    akin: tuple[str, ...] = Field((), description="classes by which the same defect may show elsewhere: sources of akin hazards agree")

    @model_validator(mode="after")
    def _patterns(self) -> HazardClass:
        for name in ("items", "causes", "diagnoses", "notices", "complaints"):
            for pattern in getattr(self, name):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{name}: {pattern!r} is not a regular expression: {error}") from None
        if (self.presumed_lethal or self.illegal_additive) and self.floor is None:
            raise ValueError("a presumed-lethal or illegal-additive class needs a floor")
        return self


class HazardCatalogue(Rule):
    """``config/hazards.yaml``: classes in order of precedence, the first match wins."""

    version: str = Field(min_length=1)
    ontology: Basis | None = Field(None, description="where the words that tie items, injuries, notices and complaints come from")
    classes: dict[str, HazardClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _unknown(self) -> HazardCatalogue:
        if "unknown" not in self.classes:
            raise ValueError("classes needs an entry 'unknown'")
        wrong = sorted({name for known in self.classes.values() for name in known.akin if name not in self.classes})
        if wrong:
            raise ValueError(f"akin: {wrong} are no classes")
        return self


GENERAL = "general"  # goods that no domain names

# --- config/actions.yaml ---------------------------------------------------------------------------------------------


class Domain(Rule):
    """Goods that a body of law is about; whatever is in no domain is :data:`GENERAL`."""

    label: Text
    industries: tuple[str, ...] = Field((), description="industry codes, with all below them")
    products: tuple[str, ...] = Field((), description="product codes, with all below them")


class LegalBasis(Rule):
    """A provision. ``verified`` is true only where the text of the provision was read."""

    law: Text
    article: str = Field(description="article numbers; empty where they are not known")
    text: Text = Field(description="what the provision says on this, in our words")
    verified: bool
    domains: tuple[str, ...] = Field((), description="only for goods of these domains; empty: all")


class Deadline(Rule):
    """An amount of time from a start event; ``amount`` null means at once or without a clock."""

    amount: int | None = Field(None, ge=0)
    unit: Unit = ""
    starts: str = ""
    verified: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Deadline:
        if self.amount is not None and not (self.unit and self.starts):
            raise ValueError("deadline: an amount needs a unit and a start event")
        return self


class ActionRule(Rule):
    """One measure for one grade, object and stage."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    grade: WarningLevel
    object: ActionObject
    stage: Stage
    measure: Text
    owner: str = Field(description="key of owners, or 'anchor': the authority at the level of the anchor region")
    deadline: Deadline = Deadline()
    legal: tuple[str, ...] = Field((), description="keys of legal_basis")
    scopes: tuple[ScopeName, ...] = Field((), description="only for these scopes; empty: all")
    source_types: tuple[str, ...] = Field((), description="only with evidence of one of these types; empty: all")
    subjects: tuple[Literal["product", "industry", "region"], ...] = Field((), description="only for these subjects; empty: all")
    domains: tuple[str, ...] = Field((), description="only for goods of these domains; empty: all")


class ActionCatalogue(Rule):
    """``config/actions.yaml``."""

    version: str = Field(min_length=1)
    stages: dict[Stage, Text]
    starts: dict[str, Text] = Field(description="start events")
    proposed_events: tuple[str, ...] = Field(description="start events that are taken to happen on the as-of day")
    owners: dict[str, Text]
    owner_levels: dict[str, str] = Field(description="level of the region tree -> key of owners; 'default' for others")
    domains: dict[str, Domain] = Field(description="bodies of law; goods in none of them are 'general'")
    legal_basis: dict[str, LegalBasis]
    actions: tuple[ActionRule, ...]

    @model_validator(mode="after")
    def _references(self) -> ActionCatalogue:
        problems: list[str] = []
        seen: set[str] = set()
        for action in self.actions:
            if action.id in seen:
                problems.append(f"action {action.id!r} is there twice")
            seen.add(action.id)
            problems += [f"action {action.id!r}: legal basis {key!r} is not defined" for key in action.legal if key not in self.legal_basis]
            if action.owner != "anchor" and action.owner not in self.owners:
                problems.append(f"action {action.id!r}: owner {action.owner!r} is not defined")
            if action.deadline.starts and action.deadline.starts not in self.starts:
                problems.append(f"action {action.id!r}: start event {action.deadline.starts!r} is not defined")
            if action.stage not in self.stages:
                problems.append(f"action {action.id!r}: stage {action.stage!r} has no label")
        problems += [
            f"owner_levels.{level}: owner {key!r} is not defined" for level, key in self.owner_levels.items() if key not in self.owners
        ]
        known = {GENERAL, *self.domains}
        used = [(f"legal basis {key!r}", basis.domains) for key, basis in self.legal_basis.items()]
        used += [(f"action {action.id!r}", action.domains) for action in self.actions]
        problems += [f"{what}: domain {name!r} is not defined" for what, names in used for name in names if name not in known]
        if "default" not in self.owner_levels:
            problems.append("owner_levels needs an entry 'default'")
        problems += [f"proposed_events: {event!r} is not defined in starts" for event in self.proposed_events if event not in self.starts]
        for level in ("I", "II", "III", "IV"):
            have = {action.object for action in self.actions if action.grade == level}
            problems += [f"grade {level} has no action for {kind!r}" for kind in OBJECTS if kind not in have]
        if problems:
            raise ValueError("; ".join(problems))
        return self
