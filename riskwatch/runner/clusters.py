"""Clusters of a day: the scans behind the alarms, with what each county had, for maps and for notebooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.calendar import period_bounds
from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors import detector
from riskwatch.detectors.space_time_scan import SpaceTimeScan
from riskwatch.digest.clusters import ClusterFigures
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.panel import Panel
from riskwatch.reports.rules import ReportRules
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import SERIES
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.outlines import read_outlines
from riskwatch.runner.overrides import partition
from riskwatch.runner.panels import model_panel, needs_geography

__all__ = ["alarmed_clusters", "county_outlines", "scan_tables"]

_DAYS = {"day": 1.0, "week": 7.0, "4-week": 28.0, "month": 365.25 / 12}
Key = tuple[str, str, str, str, str]


def scan_tables(ctx: RunContext, model: ModelDefinition, *, groups: Sequence[tuple[str, ...]] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a scan model's clusters in its judged periods, and for each all places scanned.

    Parameters
    ----------
    ctx : RunContext
    model : ModelDefinition
        Of a detector that compares neighbours.
    groups : sequence of (product, industry, stratum), optional
        Only these; default: all.

    Returns
    -------
    clusters : DataFrame
        As :meth:`riskwatch.detectors.space_time_scan.SpaceTimeScan.clusters`, and ``first_day``, ``last_day`` of the window,
        ``recurrence_years``.
    places : DataFrame
        As :meth:`riskwatch.detectors.space_time_scan.SpaceTimeScan.around`, and ``longitude``, ``latitude`` in degrees.

    Raises
    ------
    ProjectError
        If the model's detector is no scan.
    """
    method = detector(model.detector, **model.parameters)
    if not isinstance(method, SpaceTimeScan):
        raise ProjectError(f"model {model.name}: clusters need the detector space-time-scan, got {model.detector}")
    panel = model_panel(ctx, model, freshness_by_source(ctx.store, ctx.as_of)).panel
    if groups:
        panel = panel.select(_of_groups(panel, groups))
    clusters, places = method.around(panel, panel.periods[-model.judge :])
    if clusters.empty or panel.geography is None:
        return clusters, places
    clusters["first_day"] = pd.DatetimeIndex(period_bounds(pd.PeriodIndex(clusters["first"]))[0]).date
    clusters["last_day"] = pd.DatetimeIndex(period_bounds(pd.PeriodIndex(clusters["last"]))[1]).date
    clusters["recurrence_years"] = clusters["recurrence"] * _DAYS[model.frequency] / 365.25
    where = pd.DataFrame(panel.geography.coordinates, index=list(panel.geography.places), columns=["longitude", "latitude"])
    places[["longitude", "latitude"]] = where.loc[places["place"]].to_numpy()
    return clusters, places


def alarmed_clusters(ctx: RunContext, signals: pd.DataFrame) -> dict[Key, ClusterFigures]:
    """Return the clusters behind the alarms of scan models, by the series on which their p-values stand.

    Only groups with an alarm are scanned again: with the same seed they give the same clusters as the detection did.

    Parameters
    ----------
    ctx : RunContext
    signals : DataFrame
        Judged long frame of the run.
    """
    found: dict[Key, ClusterFigures] = {}
    for name in sorted(set(signals["model"])):
        model = ctx.definitions.models.get(str(name))
        if model is None or not needs_geography(model):
            continue
        alarms = signals[(signals["model"] == name) & signals["alarm"].astype(bool)]
        if alarms.empty:
            continue
        for part in partition(model, alarms[list(SERIES)], ctx.trees):
            mine = alarms.iloc[part.rows]
            groups = sorted(set(mine[["product", "industry", "stratum"]].itertuples(index=False, name=None)))
            clusters, places = scan_tables(ctx, part.model, groups=groups)
            for row in mine.to_dict("records"):
                cluster = _behind(row, clusters, places)
                if cluster is not None:
                    product, industry, region, stratum = (str(row[name]) for name in SERIES)
                    found[(model.name, product, industry, region, stratum)] = cluster
    return found


def county_outlines(ctx: RunContext) -> tuple[dict[str, Any], ...]:
    """Return the outlines of counties in force, each with its code in the property ``adcode``; none where the project has none.

    A file that cannot be read costs the outlines, not the digest: the run says so, and maps show dots.
    """
    content = ctx.definitions.catalogue("report")
    if not content:
        return ()
    try:
        found = [geometry for geometry in read_outlines(ctx, ReportRules.model_validate(content), "") if geometry.level == "county"]
    except RiskwatchError as error:
        ctx.reporter.say(f"maps of clusters: dots instead of outlines: {error}")
        return ()
    return tuple(
        {
            "geometry": feature.get("geometry"),
            "properties": {"adcode": dict(_mapping(feature.get("properties"))).get(geometry.code_property)},
        }
        for geometry in found
        for feature in geometry.features
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _of_groups(panel: Panel, groups: Sequence[tuple[str, ...]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    keys = zip(*(panel.index.get_level_values(name).astype(str) for name in ("product", "industry", "stratum")), strict=True)
    wanted = set(groups)
    return np.fromiter((key in wanted for key in keys), dtype=np.bool_, count=len(panel.index))


def _behind(row: dict[Any, Any], clusters: pd.DataFrame, places: pd.DataFrame) -> ClusterFigures | None:
    """Return the cluster that an alarm stands for: the one of its group and period that holds its region."""
    last: dt.date = row["period_end"]
    mine = np.ones(len(places), np.bool_)
    for part in ("product", "industry", "stratum"):
        mine &= (places[part].astype(str) == row[part]).to_numpy()
    mine &= pd.DatetimeIndex(period_bounds(pd.PeriodIndex(places["period"]))[1]).date == last
    group = places[mine]
    holds = group[(group["place"] == row["region"]) & group["inside"].astype(bool)]
    if holds.empty:
        return None
    number = int(holds["cluster"].iloc[0])
    same = clusters["cluster"] == number
    for part in ("product", "industry", "stratum", "period"):
        same &= clusters[part] == holds[part].iloc[0]
    one = clusters[same].iloc[0]
    columns = ["place", "longitude", "latitude", "inside", "observed", "expected"]
    table = group.loc[group["cluster"] == number, columns].reset_index(drop=True)
    return ClusterFigures(one["first_day"], one["last_day"], float(one["p_value"]), float(one["recurrence_years"]), table)
