"""Quality indicators as they stand on a day: read from the store, put together by the pure functions of ``riskwatch.indicators``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.digest.indicators import IndicatorInputs
from riskwatch.errors import ProjectError
from riskwatch.indicators.attainment import attainment
from riskwatch.indicators.comparison import NATION
from riskwatch.indicators.derived import DERIVED_SOURCE, derive, fields_of
from riskwatch.indicators.forms import Derived
from riskwatch.indicators.overview import band_of, overview
from riskwatch.indicators.rules import IndicatorCatalogue
from riskwatch.indicators.values import RECORD_COLUMNS, prepare
from riskwatch.runner.context import RunContext

__all__ = ["IndicatorReport", "catalogue_of", "explain_number", "indicator_inputs", "indicator_report", "labelled_targets", "with_targets"]

_READ = [*RECORD_COLUMNS, "source", "known_at"]


@dataclass(frozen=True, eq=False)
class IndicatorReport:
    """What is known of all indicators on a day.

    Attributes
    ----------
    catalogue : IndicatorCatalogue
    values : DataFrame
        ``indicators.values.VALUE_COLUMNS``: every period of every series.
    overview : DataFrame
        ``indicators.overview.OVERVIEW_COLUMNS``: the newest of each series, compared.
    targets : DataFrame
        ``indicators.attainment.TARGET_COLUMNS``.
    records : int
        Indicator records that the figures rest on, derived ones aside.
    unknown : tuple of str
        Indicator codes in the records that ``config/indicators.yaml`` does not define.
    """

    catalogue: IndicatorCatalogue
    values: pd.DataFrame
    overview: pd.DataFrame
    targets: pd.DataFrame
    records: int
    unknown: tuple[str, ...]


def catalogue_of(ctx: RunContext) -> IndicatorCatalogue | None:
    """Return ``config/indicators.yaml``, None where the project has none."""
    content = ctx.definitions.catalogue("indicators")
    return IndicatorCatalogue.model_validate(content) if content else None


def indicator_report(ctx: RunContext, *, regions: Sequence[str] = (), derived: bool = True) -> IndicatorReport:
    """Return the report of a day.

    Parameters
    ----------
    ctx : RunContext
    regions : sequence of str
        Regions to report on, the nation for comparison besides; empty: those of the centres in force and of the records.
    derived : bool
        Whether figures are worked out from this system's own records as well.

    Raises
    ------
    ProjectError
        If the project has no ``config/indicators.yaml``, or a region is not in the tree.
    """
    catalogue = catalogue_of(ctx)
    if catalogue is None:
        raise ProjectError("this project has no config/indicators.yaml", hint="riskwatch init NEW writes one that can be copied")
    tree = ctx.trees.get("region")
    for region in regions:
        if tree is not None and region not in tree:
            raise ProjectError(f'indicators: region "{region}" is not in the region tree', hint="codes are those of config/dimensions.yaml")
    records = ctx.store.read_records("indicator", columns=_READ, as_of=ctx.as_of, until=ctx.as_of)
    if regions:
        records = records.loc[records["region"].astype("object").isin([*regions, NATION]).to_numpy()]
    codes = {str(code) for code in records["indicator"].dropna().unique()}
    places = list(regions) or _places(ctx, records)
    frames = [records[_READ]]
    if derived:
        frames += _derived(ctx, catalogue, [place for place in places if place != NATION])
    given = [frame for frame in frames if len(frame)]
    values = prepare(pd.concat([frame.astype({"region": "object", "indicator": "object"}) for frame in given] or frames, ignore_index=True),
                     catalogue.indicators, catalogue.methods)  # fmt: skip
    shown = overview(values, catalogue, as_of=ctx.as_of)
    judged = attainment(values, catalogue, as_of=ctx.as_of, regions=[place for place in places if place != NATION])
    return IndicatorReport(catalogue, values, shown, judged, len(records), tuple(sorted(codes - set(catalogue.indicators))))


def _places(ctx: RunContext, records: pd.DataFrame) -> list[str]:
    """Return the regions of the centres in force, then those of the records; a centre without a region sees everything."""
    centres = [centre.region for centre in ctx.definitions.centres.values() if centre.region]
    return list(dict.fromkeys([*centres, *sorted({str(code) for code in records["region"].dropna().unique()})]))


def _derived(ctx: RunContext, catalogue: IndicatorCatalogue, regions: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the figures of every derived indicator; each stream is read once."""
    forms = {code: item.form for code, item in catalogue.indicators.items() if isinstance(item.form, Derived) and regions}
    within = _codes_within(ctx, regions)
    for stream in sorted({form.stream for form in forms.values()}):
        mine = {code: form for code, form in forms.items() if form.stream == stream}
        columns = list(dict.fromkeys(["event_date", *(name for form in mine.values() for name in fields_of(form))]))
        records = ctx.store.read_records(stream, columns=columns, as_of=ctx.as_of, until=ctx.as_of)
        if records.empty:
            continue
        first = pd.to_datetime(records["event_date"]).min()
        year = int(first.year) + int((first.month, first.day) > (1, 15))
        for code, form in mine.items():
            periods = catalogue.indicators[code].periods
            yield derive(records, code, form, regions=within, periods=periods, as_of=ctx.as_of, first_year=year)


def _codes_within(ctx: RunContext, regions: Sequence[str]) -> Mapping[str, Collection[str]]:
    tree = ctx.trees.get("region")
    if tree is None:
        return {region: {region} for region in regions}

    def below(code: str) -> Iterator[str]:
        yield code
        for child in tree.children(code):
            yield from below(child)

    return {region: set(below(region)) if region in tree else {region} for region in regions}


def indicator_inputs(ctx: RunContext) -> IndicatorInputs | None:
    """Return what digests say about indicators; None where the project has none, or no record of one is known on the day.

    Figures that are worked out from this system's own records are left out: what they rest on stands in the digest already.
    """
    if catalogue_of(ctx) is None or not ctx.store.count_records("indicator", ctx.as_of):
        return None
    report = indicator_report(ctx, derived=False)
    return IndicatorInputs(report.overview, report.targets, report.catalogue)


def with_targets(report: IndicatorReport) -> pd.DataFrame:
    """Return the overview with labels and, beside yearly figures, the scored target that matters: due next, else the newest passed one."""
    scored = report.targets.loc[(report.targets["kind"] == "q").to_numpy()].copy()
    scored["rank"] = np.where(scored["passed"].astype(bool), 10_000 - scored["year"].astype(int), scored["year"].astype(int))
    scored = scored.sort_values(["passed", "rank", "target"], kind="stable").drop_duplicates(["indicator", "region"])
    beside = scored.assign(period_type="year", target_state=scored["state"], gap=scored["now_gap"])
    columns = ["indicator", "region", "period_type", "target", "target_state", "gap", "chance", "chance_year", "risk"]
    frame = report.overview.merge(beside[columns], on=["indicator", "region", "period_type"], how="left")
    return _labelled(frame, report.catalogue)


def labelled_targets(report: IndicatorReport) -> pd.DataFrame:
    """Return the targets with their labels, the unit, and the figure of the text."""
    frame = _labelled(report.targets, report.catalogue)
    known = report.catalogue.all_targets
    figures = [known[name].value for name in frame["target"]]
    return frame.assign(
        asked=[float("nan") if figure is None else figure for figure in figures],
        label_zh=[known[name].label.zh for name in frame["target"]],
        label_en=[known[name].label.en for name in frame["target"]],
    )


def _labelled(frame: pd.DataFrame, catalogue: IndicatorCatalogue) -> pd.DataFrame:
    found = [catalogue.indicators[str(code)] for code in frame["indicator"]]
    return frame.assign(
        label_zh=[item.label.zh for item in found],
        label_en=[item.label.en for item in found],
        unit=[item.unit.zh for item in found],
        decimals=[item.decimals for item in found],
    )


def explain_number(ctx: RunContext, name: str, *, region: str = "") -> dict[str, Any]:
    """Trace the figures of one indicator or target: what it means, what it was made from, and where each rule stands.

    Parameters
    ----------
    ctx : RunContext
    name : str
        Code of an indicator or number of a target.
    region : str
        Default: the first centre's region, or every region where that is everything.

    Returns
    -------
    dict
        JSON-able: ``id``, ``definition`` (with ``where``: file:line:column), ``target`` or None, ``methods``, ``figures`` (one for each
        region and length of period: value, interval, how it was made, its inputs, comparisons) and ``attainment``.

    Raises
    ------
    ProjectError
        If nothing is called so.
    """
    catalogue = catalogue_of(ctx)
    known = [] if catalogue is None else [*catalogue.indicators, *catalogue.all_targets]
    if catalogue is None or name not in known:
        raise ProjectError(f'indicators: no indicator or target is called "{name}"', hint=f"known: {', '.join(known) or 'none'}")
    target = catalogue.all_targets.get(name)
    code = name if target is None else target.indicator
    centres = [centre.region for centre in ctx.definitions.centres.values()]
    regions = [region] if region else [place for place in centres[:1] if place]
    report = indicator_report(ctx, regions=regions)
    definition = catalogue.indicators[code]
    shown = report.overview.loc[(report.overview["indicator"] == code).to_numpy()]
    shown = shown.loc[shown["region"].isin(regions).to_numpy()] if regions else shown
    targets = {key: item for key, item in catalogue.all_targets.items() if key == name or (target is None and item.indicator == code)}
    judged = report.targets.loc[report.targets["target"].isin(list(targets)).to_numpy()]
    series = report.values.loc[(report.values["indicator"] == code).to_numpy()]
    return {
        "id": name,
        "as_of": ctx.as_of.isoformat(),
        "definition": {
            "code": code,
            **definition.model_dump(mode="json"),
            "where": str(ctx.definitions.where(f"indicators.indicators.{code}.formula")),
        },
        "targets": {
            key: {**item.model_dump(mode="json"), "where": str(ctx.definitions.where(f"{catalogue.place_of(key)}.indicator"))}
            for key, item in targets.items()
        },
        "methods": {
            **catalogue.methods.model_dump(mode="json"),
            "where": str(ctx.definitions.where("indicators.methods.level")),
        },
        "figures": [_figure(ctx, row, series, catalogue) for row in shown.to_dict("records")],
        "attainment": [_plain(row) for row in judged.to_dict("records")],
    }


def _figure(ctx: RunContext, row: Mapping[Any, Any], series: pd.DataFrame, catalogue: IndicatorCatalogue) -> dict[str, Any]:
    definition = catalogue.indicators[row["indicator"]]
    own = series.loc[((series["region"] == row["region"]) & (series["period_type"] == row["period_type"])).to_numpy()]
    if isinstance(definition.form, Derived):
        stream = definition.form.stream
        records = int(row["n"]) if definition.form.denominator is None else None
        inputs = {"stream": stream, "source": DERIVED_SOURCE, "records": records, "n": _plain_value(row["n"]),
                  "newest_known": _newest(ctx, stream)}  # fmt: skip
    else:
        inputs = {"stream": "indicator", "source": row["source"], "records": len(own), "n": _plain_value(row["n"]),
                  "newest_known": f"{own['known_at'].max():%Y-%m-%d}"}  # fmt: skip
    bands = {}
    for key in definition.bands:
        band = band_of(float(row["value"]), catalogue.bands[key])
        if band is not None:
            bands[key] = {**band.label.model_dump(), "verified": catalogue.bands[key].basis.verified}
    return {
        **_plain(row),
        "inputs": inputs,
        "bands": bands,
        "history": [_plain(item) for item in own[["period", "value", "lower", "upper", "status"]].to_dict("records")],
    }


def _newest(ctx: RunContext, stream: str) -> str | None:
    sources = {name for name, source in ctx.definitions.sources.items() if source.stream == stream}
    fresh = ctx.store.freshness(ctx.as_of)
    days = fresh.loc[fresh["source"].isin(sources).to_numpy(), "newest_known"].dropna()
    return None if days.empty else f"{days.max():%Y-%m-%d}"


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): _plain_value(value) for key, value in row.items()}


def _plain_value(value: Any) -> Any:
    """Return ``value`` as JSON knows it: no NaN, no numpy, days as text."""
    if isinstance(value, dt.date):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
