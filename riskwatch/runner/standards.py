"""Dated changes of standards as level shifts of the models that ask for them."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.calendar import level_shift
from riskwatch.definitions import Definitions
from riskwatch.definitions.types import Bilingual, LevelShift, ModelDefinition
from riskwatch.items.rules import StandardCatalogue

__all__ = ["level_shifts_of", "standard_catalogue", "standard_shifts"]


def standard_catalogue(definitions: Definitions) -> StandardCatalogue:
    """Return ``config/standards.yaml``; without the file nothing converts and no standard changes."""
    content = definitions.catalogue("standards") or {"version": "none", "not_detected_passes": False}
    return StandardCatalogue.model_validate(content)


def level_shifts_of(catalogue: StandardCatalogue, profile: str) -> tuple[LevelShift, ...]:
    """Return the changes of standards in force in a profile as level shifts, oldest first.

    Changes of one day for the same products are one shift: two equal columns could not be told apart.
    """
    together: dict[tuple[dt.date, tuple[str, ...]], list[str]] = {}
    texts: dict[tuple[dt.date, tuple[str, ...]], tuple[list[str], list[str]]] = {}
    for change in catalogue.changes(profile):
        if not change.level_shift:
            continue
        at = (change.effective_from, tuple(sorted(change.products)))
        together.setdefault(at, []).append(f"{change.standard} ({change.basis.source})")
        zh, en = texts.setdefault(at, ([], []))
        zh.append(change.title.zh)
        en.append(change.title.en)
    return tuple(
        LevelShift(
            since=since,
            where={"product": products} if products else {},
            reason=Bilingual(zh="；".join(texts[since, products][0]), en="; ".join(texts[since, products][1])),
            source="; ".join(sources),
        )
        for (since, products), sources in together.items()
    )


def standard_shifts(definitions: Definitions, model: ModelDefinition, periods: pd.PeriodIndex) -> list[tuple[str, LevelShift]]:
    """Return name and shift of each change of a standard within the periods of a model that asks for them (``standard_changes``).

    A change before the first period or after the last is the same for all periods: it says nothing and is left out.
    """
    if not model.standard_changes:
        return []
    found = level_shifts_of(standard_catalogue(definitions), definitions.profile)
    within = [shift for shift in found if (column := level_shift(periods, shift.since)).min() < column.max()]
    return [(f"standard-{number}-{shift.since}", shift) for number, shift in enumerate(within, start=1)]
