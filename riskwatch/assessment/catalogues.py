"""``config/hazards.yaml`` as typed data: classes of hazard."""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import Basis, Rule, Text, WarningLevel

__all__ = ["HarmGivenDefect", "HazardCatalogue", "HazardClass"]

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
