"""``config/lifecycle.yaml`` as typed data: what people do with a warning, who may, within which time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import WarningLevel
from riskwatch.rulebase import Basis, Rule, Text

__all__ = ["VERBS", "Actor", "LifecycleRules", "Reach", "Transition", "Verb", "VerbRule"]

Verb = Literal["ack", "assign", "comment", "confirm", "regrade", "act", "recheck", "close", "reopen", "merge"]
VERBS: tuple[Verb, ...] = ("ack", "assign", "comment", "confirm", "regrade", "act", "recheck", "close", "reopen", "merge")
Reach = Literal["related", "covers", "owner"]
Days = Annotated[int, Field(ge=0, le=1000)]


class StageRule(Rule):
    """One stage of a case."""

    label: Text
    deadline: dict[WarningLevel, Days] = Field(
        default_factory=dict, description="working days until the case must have left the stage, by level; a level without one has no term"
    )


class VerbRule(Rule):
    """Something a person does with a case, and who may."""

    label: Text
    roles: tuple[str, ...] = Field(min_length=1, description="an actor needs one of these")
    reach: Reach = Field(
        description="related: the actor's region and the warning's overlap; covers: the actor's region contains the warning's; "
        "owner: that, and the actor is at or above the level that owns the case"
    )
    note_required: bool = Field(False, description="a reason in words must be given")


class Transition(Rule):
    """Where a verb leads."""

    stages: tuple[str, ...] = Field(alias="from", min_length=1, description="stages in which the verb may be used")
    verb: Verb
    to: str = Field("", description="stage after it; empty: the case stays where it is")
    result: Literal["", "passed", "failed"] = Field("", description="of a recheck: the result that this line is for; empty: it is ordered")
    reviewed: bool = Field(
        False,
        description="takes effect once as many different actors have said the same as review.reviewers of config/grading.yaml asks for",
    )
    partly: str = Field("", description="reviewed: stage while signatures are missing; empty: the case stays where it is")
    roles: tuple[str, ...] = Field((), description="roles here, where they are fewer than those of the verb")


class Actor(Rule):
    """A desk or post that may act. No personal names: who sits there is the centre's own register."""

    label: Text
    roles: tuple[str, ...] = Field(min_length=1, description="keys of roles")
    region: str = Field("", description="region code of its jurisdiction; empty: everywhere")
    active: bool = Field(True, description="false: kept for the history, may no longer act")
    logins: tuple[str, ...] = Field(
        (), description="accounts of the operating system that may act as this desk at the command line; empty: any that may run it"
    )


class Acknowledgement(Rule):
    """How long an acknowledgement holds."""

    basis: Basis
    working_days: dict[WarningLevel, Annotated[int, Field(ge=1, le=1000)]] = Field(description="by level; no one may ask for longer")


class Closure(Rule):
    """A coded reason for closing."""

    label: Text
    counts: Literal["true", "false", "none"] = Field(
        description="what it says of the warning: right, wrong, or nothing (left out of precision)"
    )


class SilenceRules(Rule):
    """What may be silenced, and for how long."""

    basis: Basis
    maximum_days: int = Field(ge=1, le=3660, description="longest silence in natural days")
    levels: tuple[WarningLevel, ...] = Field(min_length=1, description="levels that a silence hides; others stay whatever it matches")
    roles: tuple[str, ...] = Field(min_length=1, description="who may add or end one; the actor's region must contain the matcher's")


class Escalation(Rule):
    """Who owns a case, and who does after a missed term."""

    basis: Basis
    levels: tuple[str, ...] = Field(min_length=1, description="levels of the region tree that have an owner, lowest first")
    labels: dict[str, Text] = Field(description="level -> who that is")
    owner_of_level: dict[WarningLevel, str] = Field(description="warning level -> lowest level that may own a case of it")

    @model_validator(mode="after")
    def _known(self) -> Escalation:
        for what, names in (("labels", set(self.labels)), ("owner_of_level", set(self.owner_of_level.values()))):
            odd = sorted(names - set(self.levels))
            if odd:
                raise ValueError(f"escalation.{what}: {odd[0]!r} is not in levels {list(self.levels)}")
        missing = [name for name in self.levels if name not in self.labels]
        if missing:
            raise ValueError(f"escalation.labels needs an entry for {missing[0]!r}")
        return self


class Automatic(Rule):
    """What follows by itself."""

    basis: Basis
    asked_again: str = Field(description="stage of an open case whose warning became worse than what people had decided")
    reopened: str = Field(description="stage of a closed case whose warning became worse")
    recheck_stage: str = Field(description="stage in which the orders on record are looked at (config/ladders.yaml)")
    recheck_failed: str = Field(description="stage after a failed recheck on record")
    recheck_closes: tuple[WarningLevel, ...] = Field(description="levels at which passed rechecks of all orders close a case by themselves")
    recheck_closes_as: str = Field(description="closure reason then")
    recovered_closes: tuple[WarningLevel, ...] = Field(
        description="levels at which a case that nobody took up is closed when its warning recovers"
    )
    recovered_closes_as: str = Field(description="closure reason then")


class LifecycleRules(Rule):
    """``config/lifecycle.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    basis: Basis
    first: str = Field(description="stage of a new case")
    closed: str = Field(description="stage of a closed case")
    stages: dict[str, StageRule] = Field(description="in their order")
    roles: dict[str, Text] = Field(description="kinds of duty")
    verbs: dict[Verb, VerbRule]
    transitions: tuple[Transition, ...]
    acknowledgement: Acknowledgement
    escalation: Escalation
    closures: dict[str, Closure] = Field(description="coded reasons for closing")
    merged_as: str = Field(description="closure reason of a case merged into another")
    silences: SilenceRules
    automatic: Automatic
    actors: dict[str, Actor] = Field(description="id -> desk or post")

    @model_validator(mode="after")
    def _whole(self) -> LifecycleRules:
        problems = [*self._unknown(), *self._ambiguous()] or [*self._stuck()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _unknown(self) -> Iterator[str]:
        automatic = self.automatic
        named = {"first": self.first, "closed": self.closed}
        named |= {f"automatic.{name}": getattr(automatic, name) for name in ("asked_again", "reopened", "recheck_stage", "recheck_failed")}
        yield from (f"{key}: {stage!r} is no stage" for key, stage in named.items() if stage not in self.stages)
        for number, one in enumerate(self.transitions, start=1):
            odd = [stage for stage in (*one.stages, one.to, one.partly) if stage and stage not in self.stages]
            yield from (f"transition {number} ({one.verb}): {stage!r} is no stage" for stage in odd)
            yield from (f"transition {number} ({one.verb}): {role!r} is no role" for role in one.roles if role not in self.roles)
            if one.verb not in self.verbs:
                yield f"transition {number}: verb {one.verb!r} has no entry in verbs"
            if one.partly and not one.reviewed:
                yield f"transition {number} ({one.verb}): partly needs reviewed: true"
            if one.result and one.verb != "recheck":
                yield f"transition {number} ({one.verb}): only a recheck has a result"
            if (one.verb in {"close", "merge"}) != (one.to == self.closed):
                yield f"transition {number}: close and merge lead to {self.closed!r}, and nothing else does"
        for verb, rule in self.verbs.items():
            yield from (f"verbs.{verb}: {role!r} is no role" for role in rule.roles if role not in self.roles)
        yield from (f"silences: {role!r} is no role" for role in self.silences.roles if role not in self.roles)
        for name, actor in self.actors.items():
            yield from (f"actors.{name}: {role!r} is no role" for role in actor.roles if role not in self.roles)
        for key in ("merged_as", "automatic.recheck_closes_as", "automatic.recovered_closes_as"):
            reason = getattr(automatic, key.partition(".")[2]) if "." in key else getattr(self, key)
            if reason not in self.closures:
                yield f"{key}: {reason!r} is no closure reason"

    def _ambiguous(self) -> Iterator[str]:
        seen: set[tuple[str, str, str]] = set()
        for one in self.transitions:
            for stage in one.stages:
                key = (stage, one.verb, one.result)
                if key in seen:
                    yield f"{one.verb} from {stage!r} has two transitions"
                seen.add(key)

    def _stuck(self) -> Iterator[str]:
        """Yield stages from which a case can never be closed."""
        closing = {self.closed}
        while grown := {stage for one in self.transitions if one.to in closing for stage in one.stages} - closing:
            closing |= grown
        yield from (f"stage {stage!r}: no way to close a case from there" for stage in self.stages if stage not in closing)

    def transition(self, stage: str, verb: str, result: str = "") -> Transition | None:
        """Return where ``verb`` leads from ``stage``; None where it may not be used."""
        return next((one for one in self.transitions if one.verb == verb and stage in one.stages and one.result == result), None)

    def allowed(self, stage: str) -> tuple[str, ...]:
        """Return the verbs that may be used in ``stage``."""
        return tuple(verb for verb in VERBS if any(one.verb == verb and stage in one.stages for one in self.transitions))
