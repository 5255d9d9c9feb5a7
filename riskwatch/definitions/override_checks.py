"""Checks of a model's ``overrides:``: every entry must mean some series and change something for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskwatch.definitions.entries import Collector, Draft, Entry
from riskwatch.definitions.overrides import FLOORS, TREES, named, values_of, words_of
from riskwatch.definitions.parameter_checks import check_parameters
from riskwatch.definitions.rooms import Detectors, TreeFacts
from riskwatch.definitions.strict_yaml import YamlPath
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import ModelDefinition, Override, SeriesChoice
from riskwatch.definitions.validation import dotted
from riskwatch.errors import DetectorError

__all__ = ["check_overrides"]

_ABSENT = object()


def check_overrides(
    entry: Entry[ModelDefinition], trees: Mapping[str, TreeFacts], profile: str, registry: Detectors | None, collector: Collector
) -> None:
    """Check the overrides of one model against its levels, the trees of a profile and its detector.

    Parameters
    ----------
    entry : Entry of ModelDefinition
    trees : mapping of str to TreeFacts
        By dimension; what a tree that could not be read in full does not hold is not called unknown.
    profile : str
        For messages.
    registry : Detectors or None
        None: parameters are not looked at.
    collector : Collector
    """
    draft, model = entry.draft, entry.value
    own = _made(model, registry)
    for number, given in enumerate(model.overrides):
        path: YamlPath = ("overrides", number)
        _check_where(draft, model, number, trees=trees, profile=profile, collector=collector)
        if not list(values_of(given)):
            collector.add(draft, path, f"{dotted(path)} changes nothing: give parameters, {' or '.join(FLOORS)}")
            continue
        if own is not None and registry is not None and given.parameters:
            _check_parameters(draft, model, number, trees=trees, registry=registry, collector=collector)
        later = [place for place, other in enumerate(model.overrides) if place > number and other.where == given.where]
        hidden = next((place for place in later if _says_all(model.overrides[place], given)), None)
        if hidden is not None:
            where = words_of(given.where)
            collector.add(draft, path, f"{dotted(path)} is wholly overridden by overrides[{hidden}], which is for {where} as well")
        elif own is not None and _says_nothing_new(model, number, own, trees):
            collector.add(draft, path, f"{dotted(path)} changes nothing: for {words_of(given.where)} all of it is so without this entry")


def _made(model: ModelDefinition, registry: Detectors | None) -> Any:
    """Return the model's own detector; None where it cannot be made, which is told elsewhere."""
    if registry is None or model.detector not in registry.names:
        return None
    try:
        return registry.make(model.detector, **model.parameters)
    except DetectorError:
        return None


def _check_where(
    draft: Draft, model: ModelDefinition, number: int, *, trees: Mapping[str, TreeFacts], profile: str, collector: Collector
) -> None:
    """Check that the codes exist and that the model judges series of them."""
    path: YamlPath = ("overrides", number, "where")
    given = named(model.overrides[number].where)
    known = True
    for part in TREES:
        facts, code = trees.get(part), given.get(part)
        if code is None:
            continue
        if facts is not None and facts.complete and code not in facts.codes:
            collector.add(draft, (*path, part), f"{dotted((*path, part))}: {unknown('code', code, facts.codes)}")
            known = False
        elif facts is None:
            collector.add(draft, (*path, part), f"{dotted((*path, part))}: there is no {part} tree in profile {profile}")
            known = False
    fields = {*model.stratify, *(["item"] if model.by_item else [])}
    for text in given.get("stratum", "").split(", ") if "stratum" in given else ():
        field, _, value = text.partition("=")
        if not value or field not in fields:
            some = ", ".join(f"{name}=..." for name in sorted(fields)) or "none, it does not stratify"
            collector.add(draft, (*path, "stratum"), f'{dotted((*path, "stratum"))}: "{text}" is no stratum of the model; it has {some}')
            known = False
    if known and not any(_reached(given, level.model_dump(exclude_none=True), trees) for level in model.levels):
        named_levels = (level.model_dump(exclude_none=True) for level in model.levels)
        levels = "; ".join(", ".join(f"{name} {at}" for name, at in level.items()) or "all" for level in named_levels)
        what = words_of(model.overrides[number].where)
        collector.add(draft, path, f"{dotted(path)}: the model judges no series of {what}, nor below; it judges: {levels}", of_key=True)


def _reached(given: Mapping[str, str], level: Mapping[str, str], trees: Mapping[str, TreeFacts]) -> bool:
    """Tell whether a level has series of the codes, or below them, in every dimension named."""
    for part in TREES:
        if part not in given:
            continue
        if part not in level:
            return False
        facts = trees.get(part)
        if facts is None or not facts.complete:
            continue
        if not any(facts.within(code, given[part]) for code, at in facts.level_of.items() if at == level[part]):
            return False
    return True


def _check_parameters(
    draft: Draft, model: ModelDefinition, number: int, *, trees: Mapping[str, TreeFacts], registry: Detectors, collector: Collector
) -> None:
    """Check the parameters of an entry, laid over the model's own and over those of earlier entries that may mean the same series."""
    given = model.overrides[number]
    at: YamlPath = ("overrides", number, "parameters")
    made = check_parameters(draft, model.detector, given.parameters, registry, collector, at=at, beneath=model.parameters)
    if made is None:
        return
    needed = made.min_periods(model.frequency)
    if model.history_periods < needed:
        message = f"{dotted(at)}: {model.detector} then needs {needed} periods, and history_periods is {model.history_periods}"
        collector.add(draft, at, message, of_key=True)
    for place, earlier in enumerate(model.overrides[:number]):
        if set(earlier.parameters) - set(given.parameters) and _may_meet(earlier.where, given.where, trees):
            try:
                beneath = {**model.parameters, **earlier.parameters}
                registry.make(model.detector, **beneath)
            except DetectorError:
                continue  # told at that entry
            try:
                registry.make(model.detector, **{**beneath, **given.parameters})
            except DetectorError as error:
                message = f"{dotted(at)}: with overrides[{place}], which may mean the same series: {error.message.splitlines()[0]}"
                collector.add(draft, at, message, of_key=True)


def _may_meet(one: SeriesChoice, other: SeriesChoice, trees: Mapping[str, TreeFacts]) -> bool:
    """Tell whether one series could be meant by both: in each dimension that both name, one code lies within the other's."""
    mine, theirs = named(one), named(other)
    for part in TREES:
        facts = trees.get(part)
        if part in mine and part in theirs and facts is not None and facts.complete:
            a, b = mine[part], theirs[part]
            if not (facts.within(a, b) or facts.within(b, a)):
                return False
    here, there = (dict(text.partition("=")[::2] for text in given.get("stratum", "").split(", ") if text) for given in (mine, theirs))
    return all(there.get(field, value) == value for field, value in here.items())


def _says_nothing_new(model: ModelDefinition, number: int, own: Any, trees: Mapping[str, TreeFacts]) -> bool:
    """Tell whether all that an entry says is the model's own, and no earlier entry that may mean the same series says otherwise."""
    given = model.overrides[number]
    before = [entry for entry in model.overrides[:number] if _may_meet(entry.where, given.where, trees)]
    for path, value in values_of(given):
        base = getattr(own, path[1], _ABSENT) if path[0] == "parameters" else getattr(model, path[0])
        if value != base or any(other != base for entry in before for where, other in values_of(entry) if where == path):
            return False
    return True


def _says_all(later: Override, earlier: Override) -> bool:
    """Tell whether a later entry gives every value that an earlier one gives."""
    return {path for path, _ in values_of(earlier)} <= {path for path, _ in values_of(later)}
