"""``config/standards.yaml``: units of measured values, and dated changes of standards.

A standard that becomes stricter makes failure rates jump though no product became worse. An entry says which item of which products got
which limit on which day, so that measured values can be re-scored against the old limit (:mod:`riskwatch.items.rescore`) and models can
carry the day as a level shift.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

from pydantic import Field, model_validator

from riskwatch.items.measured import normal_unit
from riskwatch.items.units import UnitTable
from riskwatch.rulebase import Basis, Rule, Text

__all__ = ["StandardCatalogue", "StandardChange", "Unit"]

Operator = Literal["<=", "<", ">=", ">"]


class Unit(Rule):
    """One unit; values in units of one dimension can be compared."""

    name: str = Field(min_length=1, description="as written, for example mg/kg")
    dimension: str = Field(min_length=1, description="what is measured, for example mass fraction; only equal dimensions are converted")
    factor: float = Field(gt=0, description="value of one of this unit in the base unit of the dimension")
    aliases: tuple[str, ...] = Field((), description="other spellings; full-width forms and superscripts are known anyway")


class StandardChange(Rule):
    """One dated change of a standard, for one item of some products."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="unique name of the entry")
    standard: str = Field(min_length=1, description="number and year of the new edition, for example GB/T 28803.1-2025")
    title: Text = Field(description="what changed, in a few words")
    item: str = Field("", description="regular expression searched in item names, without regard to case; empty: no item (a marker)")
    products: tuple[str, ...] = Field((), description="codes of the product tree, with all below them; empty: all products")
    operator: Operator | None = Field(None, description="how value and limit are compared: <= at most, >= at least")
    old: float | Literal["none"] | None = Field(None, description="limit before; none: there was no limit; null: not known")
    new: float | Literal["none"] | None = Field(None, description="limit from the day on; none: there is no limit; null: not known")
    unit: str = Field("", description="unit of both limits; empty: a number without unit (pH, say)")
    effective_from: dt.date = Field(description="first day on which the new edition applies")
    level_shift: bool = Field(True, description="models with standard_changes: true carry this day as a level shift")
    simulated: bool = Field(False, description="made up for the demonstration; shown wherever it is used")
    profiles: tuple[str, ...] = Field((), description="profiles in which this applies; empty: all")
    basis: Basis = Field(description="where that is written")

    @model_validator(mode="after")
    def _consistent(self) -> StandardChange:
        try:
            re.compile(self.item)
        except re.error as error:
            raise ValueError(f"item: {self.item!r} is not a regular expression: {error}") from None
        limits = [limit for limit in (self.old, self.new) if limit is not None]
        if limits and not self.item:
            raise ValueError("a limit needs an item")
        if any(limit != "none" for limit in limits) and self.operator is None:
            raise ValueError("a limit needs an operator (<=, <, >= or >)")
        if self.old == "none" and self.new == "none":
            raise ValueError("old and new are both 'none': nothing changes")
        if self.simulated and self.basis.verified:
            raise ValueError("a simulated entry cannot be verified")
        return self


class StandardCatalogue(Rule):
    """``config/standards.yaml``."""

    version: str = Field(min_length=1, description="day of the last edit")
    not_detected_passes: bool = Field(
        description="a result 'not detected' without its detection limit passes a maximum limit: an assumption; false: undetermined"
    )
    units: tuple[Unit, ...] = Field((), description="units and how they convert")
    standards: tuple[StandardChange, ...] = Field((), description="dated changes, in any order")

    @model_validator(mode="after")
    def _unique(self) -> StandardCatalogue:
        problems: list[str] = []
        seen: dict[str, str] = {}
        for unit in self.units:
            for name in (unit.name, *unit.aliases):
                spelling = normal_unit(name)
                if spelling in seen:
                    problems.append(f"unit {name!r} is there twice (as {seen[spelling]!r})")
                seen[spelling] = name
        ids = [change.id for change in self.standards]
        problems += [f"standard {name!r} is there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def unit_table(self) -> UnitTable:
        """The units as a table that converts."""
        return UnitTable.of(self.units)

    def changes(self, profile: str | None = None) -> tuple[StandardChange, ...]:
        """Return the changes in force in a profile (None: all), oldest first."""
        kept = [change for change in self.standards if profile is None or not change.profiles or profile in change.profiles]
        return tuple(sorted(kept, key=lambda change: (change.effective_from, change.id)))
