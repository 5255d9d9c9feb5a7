"""``config/emergency.yaml`` as typed data: levels of events, thresholds, first measures, call list by role."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import Basis, Rule, Text, WarningLevel

__all__ = ["RANKS", "Call", "Contact", "EmergencyRules", "FirstMeasure", "Role", "Scheme", "Threshold"]

RANKS: tuple[WarningLevel, ...] = ("IV", "III", "II", "I")  # ascending
FIGURES = ("deaths", "serious", "hurt", "hurt_with_death", "loss_yuan", "provinces")


class EventLevel(Rule):
    """One level of events."""

    label: Text
    declared_by: Text


class Threshold(Rule):
    """Figures of one event, any one of which makes this level."""

    level: WarningLevel
    deaths: int | None = Field(None, ge=1)
    serious: int | None = Field(None, ge=1, description="seriously injured persons")
    hurt: int | None = Field(None, ge=1, description="injured persons of any severity")
    hurt_with_death: int | None = Field(None, ge=1, description="injured persons where somebody died too")
    loss_yuan: float | None = Field(None, gt=0, description="direct loss")
    provinces: int | None = Field(None, ge=2, description="provinces concerned")

    @model_validator(mode="after")
    def _something(self) -> Threshold:
        if all(getattr(self, name) is None for name in FIGURES):
            raise ValueError(f"a threshold needs one of {', '.join(FIGURES)}")
        return self


class Scheme(Rule):
    """One plan or regulation that grades events."""

    label: Text
    basis: Basis
    domains: tuple[str, ...] = Field((), description="bodies of law of config/actions.yaml; empty: all goods")
    thresholds: tuple[Threshold, ...] = Field(min_length=1, description="gravest first")

    @model_validator(mode="after")
    def _falling(self) -> Scheme:
        ranks = [RANKS.index(one.level) for one in self.thresholds]
        if ranks != sorted(set(ranks), reverse=True):
            raise ValueError(f"thresholds must stand gravest first, each level once, got {[one.level for one in self.thresholds]}")
        for name in FIGURES:
            values = [value for one in self.thresholds if (value := getattr(one, name)) is not None]
            if values != sorted(values, reverse=True):
                raise ValueError(f"thresholds: {name} must fall with the level, got {values}")
        return self


class Contact(Rule):
    """How a role is reached; filled in by the centre. Offices and duty numbers, no persons."""

    office: str = Field("", max_length=120)
    phone: str = Field("", max_length=40)
    fallback: str = Field("", max_length=120, description="second way to reach it")


class Role(Rule):
    """Somebody who is called, by role."""

    label: Text
    contact: Contact = Contact()


class Call(Rule):
    """When a role is called."""

    role: str
    since: WarningLevel = Field(alias="from", description="called from this level up")
    within_hours: int = Field(ge=0, description="hours from when the event became known; 0: at once")
    legal: str = Field(description="key of legal_basis in config/actions.yaml")


class FirstMeasure(Rule):
    """What is done first."""

    id: str
    since: WarningLevel = Field(alias="from", description="proposed from this level up")
    text: Text
    legal: tuple[str, ...] = Field(min_length=1, description="keys of legal_basis in config/actions.yaml")


class EmergencyRules(Rule):
    """``config/emergency.yaml``."""

    version: str = Field(min_length=1)
    levels: dict[WarningLevel, EventLevel]
    schemes: dict[str, Scheme] = Field(min_length=1)
    readiness: dict[Literal["I", "II"], WarningLevel] = Field(
        description="grade of a warning without such an event -> level of its call list"
    )
    readiness_basis: Basis
    roles: dict[str, Role]
    calls: tuple[Call, ...]
    measures: tuple[FirstMeasure, ...]

    @model_validator(mode="after")
    def _whole(self) -> EmergencyRules:
        problems = [f"levels: {level!r} has no entry" for level in RANKS if level not in self.levels]
        problems += [f"calls: role {one.role!r} is not defined" for one in self.calls if one.role not in self.roles]
        called = [one.role for one in self.calls]
        problems += [f"calls: role {role!r} is called twice" for role in sorted({role for role in called if called.count(role) > 1})]
        problems += [f"roles: {role!r} is never called" for role in self.roles if role not in called]
        if problems:
            raise ValueError("; ".join(problems))
        return self
