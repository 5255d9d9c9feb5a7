"""The key-product catalogue (重点监管产品目录) as typed, frozen data: dated versions, what each asks of sampling, and the plan's numbers.

``config/catalogue.yaml`` is read into :class:`CatalogueFile`. Nothing here counts anything.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from riskwatch.dimensions import Tree
from riskwatch.records.streams import CHANNELS, CHECK_TYPES, SELECTIONS
from riskwatch.rulebase import Basis, Rule, Text

__all__ = ["AdviceRules", "CatalogueFile", "CatalogueVersion", "CoverageRules", "Entry", "unknown_codes"]

Share = Annotated[float, Field(ge=0, le=1)]
Month = Annotated[int, Field(ge=1, le=12)]
PerYear = Annotated[float, Field(gt=0, le=100_000)]


class Entry(Rule):
    """One key product: what is asked of sampling, and why."""

    product: str = Field(min_length=1, description="product code; everything below it in the tree is included")
    label: Text = Field(description="name in the catalogue, which may differ from the tree's")
    reason: Text = Field(description="why it is in the catalogue")
    weight: float = Field(gt=0, le=1000, description="importance against the other entries; 1 is ordinary")
    severity: Literal[1, 2, 3, 4] = Field(description="what a failing product may do at worst: 1 slight to 4 lethal")
    minimum: dict[str, PerYear] = Field(
        min_length=1, description="level of the region tree -> samples per year that each region of that level must have"
    )
    channels: dict[str, PerYear] = Field({}, description="channel -> samples per year within the whole jurisdiction")
    vulnerable: tuple[Literal["children", "elderly", "patients", "pregnant"], ...] = Field((), description="vulnerable users")
    season: tuple[Month, ...] = Field((), description="months in which sampling tells most; empty: all year")

    @model_validator(mode="after")
    def _channels_known(self) -> Entry:
        odd = sorted(set(self.channels) - set(CHANNELS))
        if odd:
            raise ValueError(f"channels: {', '.join(odd)} unknown; known: {', '.join(CHANNELS)}")
        if len(set(self.season)) != len(self.season):
            raise ValueError(f"season: a month is there twice: {list(self.season)}")
        return self


class CatalogueVersion(Rule):
    """The catalogue as it stood from one day on, until the next version."""

    version: str = Field(min_length=1, description="name of the version, shown with every figure")
    in_force_from: dt.date = Field(description="first day on which it is used")
    basis: Basis = Field(description="where the entries come from")
    jurisdiction: str = Field("", description="region code within which it applies; empty: the whole region tree")
    entries: tuple[Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> CatalogueVersion:
        codes = [entry.product for entry in self.entries]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"version {self.version!r}: product {', '.join(twice)} is there twice")
        return self

    def entry(self, product: str) -> Entry | None:
        """Return the entry of a product code; None where the catalogue has none."""
        return next((entry for entry in self.entries if entry.product == product), None)


class CoverageRules(Rule):
    """What counts as looking at a cell (one key product in one region)."""

    window_days: int = Field(365, ge=7, le=3660, description="days before the as-of day that are looked at, that day included")
    levels: tuple[str, ...] = Field(("county", "prefecture"), min_length=1, description="levels of the region tree that cells lie on")
    comparison: tuple[str, ...] = Field(("random",), min_length=1, description="ways of selection whose rates may be compared")
    repeats: tuple[str, ...] = Field(("recheck", "follow-up"), description="check types that test a known failure again: no new coverage")
    higher_checks: dict[str, tuple[str, ...]] = Field(
        {"county": ("national", "provincial", "prefecture"), "prefecture": ("national", "provincial")},
        description="level -> check types of higher levels, which bar that level from sampling the same again (产品质量法 art. 15)",
    )
    top: int = Field(5, ge=1, le=100, description="gaps that a summary names")

    @model_validator(mode="after")
    def _words_known(self) -> CoverageRules:
        for name, given, known in (
            ("comparison", self.comparison, SELECTIONS),
            ("repeats", self.repeats, (*CHECK_TYPES, *SELECTIONS)),
            ("higher_checks", tuple(kind for kinds in self.higher_checks.values() for kind in kinds), CHECK_TYPES),
        ):
            odd = sorted(set(given) - set(known))
            if odd:
                raise ValueError(f"{name}: {', '.join(odd)} unknown; known: {', '.join(known)}")
        return self


class AdviceRules(Rule):
    """How the next samples are placed."""

    basis: Basis = Field(description="where these numbers come from")
    level: str = Field("county", description="level of the region tree on which samples are placed")
    history_days: int = Field(1095, ge=28, le=7320, description="days of comparison samples that the posterior rests on")
    half_life_days: float = Field(365.0, gt=0, le=36_500, description="a sample this old counts half: rates drift")
    strength: tuple[float, float] = Field((5.0, 200.0), description="lowest and highest strength of a product's prior, in samples")
    cell_maximum: int = Field(12, ge=1, le=1000, description="samples that one cell may get in one plan")
    minimum_share: Share = Field(0.5, description="share of the plan that may go to minima of the catalogue before anything else")
    repeat_value: Share = Field(
        0.5, description="worth of a further failure found in the same cell against the one before; 1: all alike, 0: only the first"
    )
    harm: tuple[float, float, float, float] = Field((1.0, 2.0, 5.0, 10.0), description="harm weight of a failure by severity 1 to 4")
    vulnerable_factor: float = Field(1.5, ge=1, le=10, description="factor on harm where users are vulnerable")
    season_factor: float = Field(1.5, ge=1, le=10, description="factor on both objectives while the entry's season runs")
    mixture: Share = Field(0.5, description="share of information against hazard where both are asked for")

    @model_validator(mode="after")
    def _in_order(self) -> AdviceRules:
        if not 0 < self.strength[0] <= self.strength[1]:
            raise ValueError(f"strength: must rise and be positive, got {list(self.strength)}")
        if min(self.harm) <= 0 or list(self.harm) != sorted(self.harm):
            raise ValueError(f"harm: must be positive and not fall with severity, got {list(self.harm)}")
        return self


class CatalogueFile(Rule):
    """``config/catalogue.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    coverage: CoverageRules = Field(description="what counts as coverage")
    advice: AdviceRules = Field(description="how the next samples are placed")
    catalogues: tuple[CatalogueVersion, ...] = Field(min_length=1, description="dated versions; the newest in force on a day is used")

    @model_validator(mode="after")
    def _dated_apart(self) -> CatalogueFile:
        for name in ("version", "in_force_from"):
            seen = [str(getattr(one, name)) for one in self.catalogues]
            twice = sorted({value for value in seen if seen.count(value) > 1})
            if twice:
                raise ValueError(f"catalogues: {name} {', '.join(twice)} is there twice")
        return self

    def in_force(self, day: dt.date) -> CatalogueVersion | None:
        """Return the newest version that is in force on a day; None before the first."""
        started = [one for one in self.catalogues if one.in_force_from <= day]
        return max(started, key=lambda one: one.in_force_from) if started else None


def unknown_codes(catalogue: CatalogueVersion, tree: Tree | None) -> tuple[str, ...]:
    """Return the catalogue's product codes that a tree does not know, in the order of the catalogue.

    A project may hold several profiles with different trees; entries whose code is absent are left out of the grid and reported, so
    that a catalogue for one profile does no harm in another.
    """
    return tuple(entry.product for entry in catalogue.entries if tree is None or entry.product not in tree)
