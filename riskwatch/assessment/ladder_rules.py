"""``config/ladders.yaml`` as typed data: the steps of a case, what leads on, and the terms on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import Rule, Stage, Text, Unit

__all__ = ["Ladder", "LadderCatalogue", "LadderStep", "LadderTerm", "Result"]

Result = Literal["open", "closes", "escalates"]


class LadderTerm(Rule):
    """A term that runs while a case stands on certain steps."""

    label: Text
    owner: str = Field(description="key of owners in config/actions.yaml")
    amount: int | None = Field(None, ge=1, description="length; empty where enterprise_clock gives it")
    opens: int = Field(0, ge=0, description="units from the start before which the act does not count")
    unit: Unit = ""
    enterprise_clock: Literal["", "correct", "recheck", "second_recheck"] = Field(
        "", description="take length and opening from this clock of config/enterprises.yaml"
    )
    starts: tuple[str, ...] = Field(min_length=1, description="events that start it; the first of them that is on record counts")
    meets: tuple[str, ...] = Field(min_length=1, description="events that meet it")
    lapse: str = Field("", description="step that is proposed when it runs out; empty: the owner's superior is told")
    right: bool = Field(False, description="true: a right that ends, not a duty; its end is no delay")
    legal: tuple[str, ...] = Field(min_length=1, description="keys of legal_basis in config/actions.yaml")

    @model_validator(mode="after")
    def _length(self) -> LadderTerm:
        if bool(self.enterprise_clock) == (self.amount is not None):
            raise ValueError("a term has either an amount or an enterprise_clock")
        if self.amount is not None and (not self.unit or self.opens >= self.amount):
            raise ValueError(f"a term needs a unit, and opens < amount ({self.amount}), got {self.unit!r} and {self.opens}")
        return self


class LadderStep(Rule):
    """One step: what is done there, by whom, and where each event leads."""

    label: Text
    stage: Stage
    owner: str = Field(description="key of owners in config/actions.yaml")
    result: Result = Field("open", description="what a case on this step means for the warning")
    measure: Text
    legal: tuple[str, ...] = Field(min_length=1, description="keys of legal_basis in config/actions.yaml")
    terms: tuple[str, ...] = Field((), description="terms that run here")
    on: dict[str, str] = Field(default_factory=dict, description="event -> next step")


class Ladder(Rule):
    """Steps of one kind of case."""

    label: Text
    domains: tuple[str, ...] = Field(min_length=1, description="bodies of law of config/actions.yaml")
    from_records: bool = Field(description="whether the spot checks on record tell where a case stands")
    first: str
    terms: dict[str, LadderTerm] = Field(default_factory=dict)
    steps: dict[str, LadderStep]

    @model_validator(mode="after")
    def _whole(self) -> Ladder:
        problems = [*self._undefined()] or [*self._dead_ends()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _undefined(self) -> Iterator[str]:
        if self.first not in self.steps:
            yield f"first step {self.first!r} is not defined"
        for name, step in self.steps.items():
            yield from (f"step {name!r}: {event!r} leads to {to!r}, no step" for event, to in step.on.items() if to not in self.steps)
            yield from (f"step {name!r}: term {term!r} is not defined" for term in step.terms if term not in self.terms)
            if (step.result == "closes") == bool(step.on):
                yield f"step {name!r}: a step that closes leads nowhere, every other one leads on"
        yield from (
            f"term {name!r}: lapse {one.lapse!r} is no step" for name, one in self.terms.items() if one.lapse not in {"", *self.steps}
        )

    def _dead_ends(self) -> Iterator[str]:
        """Yield steps that cannot be reached from the first, or from which no case can be closed."""
        ahead = {name: {*step.on.values(), *(self.terms[term].lapse for term in step.terms)} - {""} for name, step in self.steps.items()}
        reached, todo = {self.first}, [self.first]
        while todo:
            new = ahead[todo.pop()] - reached
            reached |= new
            todo += sorted(new)
        yield from (f"step {name!r} cannot be reached" for name in self.steps if name not in reached)
        closing = {name for name, step in self.steps.items() if step.result == "closes"}
        while grown := {name for name, to in ahead.items() if to & closing} - closing:
            closing |= grown
        yield from (f"step {name!r}: no way to close a case from there" for name in self.steps if name not in closing)


class LadderCatalogue(Rule):
    """``config/ladders.yaml``."""

    version: str = Field(min_length=1)
    case_days: int = Field(ge=1, description="orders older than so many natural days are not counted in a warning's cases")
    events: dict[str, Text] = Field(description="events, in the order in which those of one day are taken")
    ladders: dict[str, Ladder]

    @model_validator(mode="after")
    def _events(self) -> LadderCatalogue:
        for name, ladder in self.ladders.items():
            used = {event for step in ladder.steps.values() for event in step.on}
            used |= {event for term in ladder.terms.values() for event in (*term.starts, *term.meets)}
            unknown = sorted(used - set(self.events))
            if unknown:
                raise ValueError(f"ladder {name!r}: event {unknown[0]!r} is not defined in events")
        return self

    def for_domain(self, domain: str | None) -> tuple[str, ...]:
        """Return the names of the ladders for goods of ``domain``; all where it cannot be told."""
        return tuple(name for name, ladder in self.ladders.items() if domain is None or domain in ladder.domains)
