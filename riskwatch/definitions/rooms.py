"""What the checks ask of other rooms: detectors, rule catalogues, trees.

They are imported when asked for, so that reading a definition does not load the numerical libraries before it must.
"""

from __future__ import annotations

import csv
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import DimensionFile
from riskwatch.errors import DimensionError

__all__ = ["CATALOGUES", "Complaint", "Detectors", "TreeFacts", "built_trees", "catalogue_type", "detectors", "resolve", "tree_facts"]

CATALOGUES = {
    "grading": "riskwatch.assessment.rules:GradingRules",
    "actions": "riskwatch.assessment.rules:ActionCatalogue",
    "ladders": "riskwatch.assessment.ladder_rules:LadderCatalogue",
    "emergency": "riskwatch.assessment.emergency_rules:EmergencyRules",
    "hazards": "riskwatch.assessment.rules:HazardCatalogue",
    "trends": "riskwatch.trends.rules:TrendRules",
    "indicators": "riskwatch.indicators.rules:IndicatorCatalogue",
    "catalogue": "riskwatch.coverage.rules:CatalogueFile",
    "anomalies": "riskwatch.anomalies.rules:AnomalyRules",
    "report": "riskwatch.reports.rules:ReportRules",
    "standards": "riskwatch.items.rules:StandardCatalogue",
    "enterprises": "riskwatch.enterprises.rules:EnterpriseRules",
    "rates": "riskwatch.rates.rules:RateRules",
    "dossiers": "riskwatch.dossiers.rules:DossierRules",
    "texts": "riskwatch.texts.rules:TextRules",
    "outside": "riskwatch.outside.rules:OutsideRules",
    "lifecycle": "riskwatch.casework.rules:LifecycleRules",
    "delivery": "riskwatch.delivery.rules:DeliveryRules",
    "schedule": "riskwatch.scheduling.rules:ScheduleRules",
    "retention": "riskwatch.store.retention_rules:RetentionRules",
    "backtest": "riskwatch.backtest.rules:BacktestRules",
}
"""Kind of file in ``config/`` -> module and class that checks it. A new kind is one line here."""

Complaint = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Detectors:
    """The detector registry: names, and the factory that checks parameters."""

    names: tuple[str, ...]
    make: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class TreeFacts:
    """What can be said of one dimension's tree without building it.

    Attributes
    ----------
    levels, codes : frozenset of str
        Found in the files that could be read.
    complete : bool
        False where a file needs an adapter or the data folder: nothing is then called unknown.
    level_of, above : mapping of str to str
        Level of each code, and the code above it ("" at the top).
    """

    levels: frozenset[str]
    codes: frozenset[str]
    complete: bool
    level_of: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)

    def within(self, code: str, ancestor: str) -> bool:
        """Tell whether ``code`` is ``ancestor`` or lies below it."""
        seen: set[str] = set()
        while code and code not in seen:
            if code == ancestor:
                return True
            seen.add(code)  # a file may be wrong and go in a circle
            code = self.above.get(code, "")
        return False


def _room(module: str, name: str) -> Any:
    """Return ``module.name``, imported now."""
    return getattr(importlib.import_module(module), name)


def detectors() -> Detectors:
    """Return the registry of :mod:`riskwatch.detectors`."""
    return Detectors(tuple(_room("riskwatch.detectors", "names")()), _room("riskwatch.detectors", "detector"))


def catalogue_type(name: str) -> type[BaseModel]:
    """Return the class written as ``module:Class``."""
    module, _, attribute = name.partition(":")
    found: type[BaseModel] = _room(module, attribute)
    return found


def resolve(template: str, places: Mapping[str, Path]) -> Path:
    """Replace ``{data}`` and ``{var}`` in a path; a relative path is taken from ``places["root"]``.

    Raises
    ------
    KeyError
        If a placeholder is unknown; its name is the argument.
    """
    return places["root"] / template.format_map({name: str(place) for name, place in places.items() if name != "root"})


def tree_facts(files: Sequence[tuple[int, DimensionFile]], places: Mapping[str, Path]) -> tuple[dict[str, TreeFacts], list[Complaint]]:
    """Read levels and codes of the trees.

    Parameters
    ----------
    files : sequence of (int, DimensionFile)
        Files of one profile with their number in ``config/dimensions.yaml``.
    places : mapping
        Folders that ``{data}`` and ``root`` stand for.

    Returns
    -------
    facts : dict
        By dimension.
    complaints : list of (int, str, str)
        Number of the file, the key to blame, and what is wrong.
    """
    levels: dict[str, set[str]] = {}
    codes: dict[str, dict[str, tuple[str, str]]] = {}
    partial: set[str] = set()
    complaints: list[Complaint] = []
    for number, file in files:
        levels.setdefault(file.dimension, set())
        codes.setdefault(file.dimension, {})
        for key, template in (("path", file.path), ("crosswalk", file.crosswalk or "")):
            odd = [name for name in re.findall(r"{(\w*)}", template) if name != "data"]
            complaints += [(number, key, f"{key} has the unknown placeholder {{{name}}}; known: {{data}}") for name in odd]
        if file.format != "tree" or "{" in file.path:
            partial.add(file.dimension)
            known = _room("riskwatch.dimensions", "ADAPTERS")
            if file.format not in known:
                complaints.append((number, "format", unknown("format", file.format, known)))
            continue
        try:
            read = _read_tree(places["root"] / file.path)
        except DimensionError as error:
            complaints.append((number, "path", f"path: {file.path} {error.message}"))
            partial.add(file.dimension)
            continue
        if file.crosswalk and "{" not in file.crosswalk and not (places["root"] / file.crosswalk).is_file():
            complaints.append((number, "crosswalk", f"crosswalk: {file.crosswalk} is no file"))
        codes[file.dimension].update(read)
        levels[file.dimension].update(level for level, _ in read.values())
    if partial and not complaints and places["data"].is_dir():
        built, _ = built_trees([file for _, file in files], places)
        for dimension in sorted(partial & set(built)):
            tree = built[dimension]
            levels[dimension].update(tree.levels)
            names = [*map(str, tree.codes), ""]
            codes[dimension].update(
                {name: (str(level), names[up]) for name, level, up in zip(names, tree.level, tree.parent, strict=False)}
            )
            partial.discard(dimension)
    return {
        dimension: TreeFacts(
            frozenset(levels[dimension]),
            frozenset(found),
            dimension not in partial,
            {code: level for code, (level, _) in found.items()},
            {code: above for code, (_, above) in found.items()},
        )
        for dimension, found in codes.items()
    }, complaints


def built_trees(files: Sequence[DimensionFile], places: Mapping[str, Path]) -> tuple[dict[str, Any], list[str]]:
    """Let :mod:`riskwatch.dimensions` build the trees; return them, or what it finds wrong (one line each)."""
    load_trees = _room("riskwatch.dimensions", "load_trees")
    try:
        return load_trees(files, places["root"], places["data"]), []
    except DimensionError as error:
        return {}, error.message.splitlines()


def _read_tree(path: Path) -> dict[str, tuple[str, str]]:
    """Return the level of each code of a tree file, and the code above it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = {"code", "parent", "level"} - set(reader.fieldnames or ())
            if missing:
                raise DimensionError(f"has no column {', '.join(sorted(missing))}")
            return {row["code"]: (row["level"], row["parent"] or "") for row in reader}
    except OSError as error:
        raise DimensionError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DimensionError(f"is not UTF-8: {error.reason} at byte {error.start}") from None
