"""Outlines of regions for the maps of a report: GeoJSON files, read and checked before anything is drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from riskwatch.errors import ProjectError
from riskwatch.reports.inputs import Geometry
from riskwatch.reports.rules import Outline, ReportRules
from riskwatch.runner.context import RunContext

__all__ = ["complaint", "read_outlines"]

# How many lists lie around the rings or lines of a geometry.
_WRAPPED = {"LineString": 0, "MultiLineString": 1, "Polygon": 1, "MultiPolygon": 2}


def complaint(feature: object) -> str:
    """Return what is wrong with a feature of an outline; "" if it can be drawn."""
    if not isinstance(feature, Mapping):
        return "must be an object"
    properties, geometry = feature.get("properties"), feature.get("geometry")
    if not isinstance(properties, Mapping | None) or not isinstance(geometry, Mapping):
        return "must have properties and a geometry"
    kind = geometry.get("type")
    if kind not in _WRAPPED:
        return f"geometry type must be one of {', '.join(_WRAPPED)}, got {kind!r}"
    lines: Any = [geometry.get("coordinates")]
    try:
        for _ in range(_WRAPPED[kind]):
            lines = [inner for outer in lines for inner in outer]
        points = [(float(point[0]), float(point[1])) for line in lines for point in line]
        short = not lines or min(len(line) for line in lines) < 2
    except (TypeError, ValueError, IndexError, KeyError):
        return f"coordinates are not those of a {kind}"
    if short:
        return "a ring or line must have two points at least"
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
        return "coordinates must be finite"
    return ""


def read_outlines(ctx: RunContext, rules: ReportRules, region: str) -> tuple[Geometry, ...]:
    """Return the outlines in force; only regions within the jurisdiction, and without one every line feature too.

    Raises
    ------
    ProjectError
        If a file cannot be read, is no feature collection, or a feature cannot be drawn.
    """
    tree = ctx.trees.get("region")
    found = []
    for outline in rules.outlines:
        if outline.profiles and ctx.definitions.profile not in outline.profiles:
            continue
        kept = []
        for feature in _features(ctx, outline):
            code = str((feature.get("properties") or {}).get(outline.code, ""))
            line = "Line" in str(feature["geometry"]["type"])
            inside = not region or (tree is not None and code in tree and bool(tree.is_within([code], region)[0]))
            if (line and not region) or (inside and not line):
                kept.append(feature)
        if kept:
            found.append(Geometry(outline.level, tuple(kept), outline.code))
    return tuple(found)


def _features(ctx: RunContext, outline: Outline) -> list[dict[str, Any]]:
    hint = "mend the file, or remove the outline from config/report.yaml to draw interval plots only"
    where = f"report.outlines: {outline.path}"
    try:
        content = json.loads(ctx.definitions.path(outline.path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectError(f"{where} must be a GeoJSON feature collection: {type(error).__name__}: {error}", hint=hint) from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise ProjectError(f"{where} must be a GeoJSON feature collection: it has no list of features", hint=hint)
    for place, feature in enumerate(features):
        if wrong := complaint(feature):
            raise ProjectError(f"{where}: features[{place}]: {wrong}", hint=hint)
    return features
