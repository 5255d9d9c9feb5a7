"""What was not sampled: the grid of key products and regions against the catalogue's plan.

A cell without samples is a gap. It has no rate, and it is never read as safe: higher-level checks bar lower levels from sampling the
same product again (产品质量法 art. 15), so absence of samples has causes that say nothing of quality.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.coverage.grid import Hits, Regions, hits_of, regions_at, window
from riskwatch.coverage.rules import CatalogueVersion, CoverageRules
from riskwatch.dimensions import Tree

__all__ = ["CHANNEL", "FRAME", "STATES", "coverage"]

CHANNEL = "channel"
"""Level of the rows that hold a product's channels; their region is the jurisdiction."""

STATES = ("sampled", "thin", "gap")
FRAME = (
    "level", "product", "region", "channel", "weight", "severity", "population", "expected", "comparison", "other", "repeat", "failed",
    "rate", "share", "last_sampled", "days_since", "in_season", "season_samples", "higher_level", "state", "note_zh", "note_en",
)  # fmt: skip
"""Columns of the frame that :func:`coverage` returns."""

_YEAR = 365.0
_EPOCH = dt.date(1970, 1, 1).toordinal()
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def coverage(
    records: pd.DataFrame,
    trees: Mapping[str, Tree],
    catalogue: CatalogueVersion,
    *,
    as_of: dt.date,
    rules: CoverageRules,
    window_days: int | None = None,
    levels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Hold the samples of a window against the catalogue, cell by cell.

    Parameters
    ----------
    records : DataFrame
        Spot checks as they were known on ``as_of``, columns :data:`riskwatch.coverage.grid.COLUMNS`. The order of rows does not matter.
    trees : mapping of str to Tree
        ``product`` and ``region``.
    catalogue : CatalogueVersion
        The version in force.
    as_of : date
        Last day of the window.
    rules : CoverageRules
    window_days, levels
        Instead of those in ``rules``.

    Returns
    -------
    DataFrame
        One row per cell, columns :data:`FRAME`: every entry of the catalogue that the tree knows x every region of each level for which
        it states a minimum, and x every channel it names (``level`` is "channel"). ``expected`` is the minimum over the window (a year
        is 365 days); ``comparison``, ``other`` and ``repeat`` count samples by what they may be used for; ``failed`` and ``rate`` are
        of comparison samples only, NaN where there are none; ``share`` is (comparison + other) / expected, at most 1; ``last_sampled``
        ignores repeats; ``season_samples`` counts those in the entry's months; ``higher_level`` counts samples that higher levels took
        of the product in the region above.

    Raises
    ------
    RecordError
        If ``records`` lack a column.
    """
    days = rules.window_days if window_days is None else window_days
    products, regions = trees.get("product"), trees.get("region")
    if products is None or regions is None:
        return _frame([])
    hits = hits_of(window(records, as_of, days), catalogue, rules, products)
    known = [number for number, entry in enumerate(catalogue.entries) if entry.product in products]
    parts = []
    for level in rules.levels if levels is None else levels:
        chosen = regions_at(regions, level, catalogue.jurisdiction, as_of)
        entries = np.array([number for number in known if level in catalogue.entries[number].minimum], dtype=np.int64)
        if entries.size and chosen.codes.size:
            parts.append(_level(hits, catalogue, rules, tree=regions, regions=chosen, entries=entries, level=level, days=days, as_of=as_of))
    channels = [(number, channel) for number in known for channel in catalogue.entries[number].channels]
    if channels:
        parts.append(_channels(hits, catalogue, regions, channels, days=days, as_of=as_of))
    return _frame(parts)


def _frame(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(FRAME)] if parts else pd.DataFrame(columns=list(FRAME))


def _place(tree: Tree, codes: pd.Series, level: str, of_code: Mapping[str, int]) -> Ints:
    """Return each record's place among the regions of a level; -1 outside them."""
    category = pd.Categorical(codes)
    above = tree.ancestor_at(category.categories, level)
    table = np.array([*(of_code.get(str(code), -1) for code in above), -1], dtype=np.int64)
    return np.asarray(table[category.codes])


def _level(
    hits: Hits,
    catalogue: CatalogueVersion,
    rules: CoverageRules,
    *,
    tree: Tree,
    regions: Regions,
    entries: Ints,
    level: str,
    days: int,
    as_of: dt.date,
) -> pd.DataFrame:
    """Count one level of the region tree: [entries x regions], entries first."""
    size = (entries.size, regions.codes.size)
    number = np.full(len(catalogue.entries), -1, dtype=np.int64)
    number[entries] = np.arange(entries.size)
    place = _place(tree, hits.records["region"], level, regions.of_code)[hits.row]
    entry = number[hits.entry]
    used = (place >= 0) & (entry >= 0)
    cell = np.where(used, entry * size[1] + place, -1)
    minimum = np.array([catalogue.entries[one].minimum[level] for one in entries])
    counted = _count(hits, catalogue, cell, size[0] * size[1], as_of)
    higher = _higher(hits, tree, regions, entry, checks=rules.higher_checks.get(level, ()), size=size)
    keys = {
        "level": level,
        "product": np.repeat([catalogue.entries[one].product for one in entries], size[1]).astype(object),
        "region": np.tile(regions.codes, size[0]),
        "channel": "",
        "population": np.tile(regions.population, size[0]),
    }
    return _finish(
        keys, np.repeat(entries, size[1]), np.repeat(minimum, size[1]), counted, higher=higher, catalogue=catalogue, days=days, as_of=as_of
    )


def _channels(
    hits: Hits, catalogue: CatalogueVersion, tree: Tree, channels: Sequence[tuple[int, str]], *, days: int, as_of: dt.date
) -> pd.DataFrame:
    """Count the channels that entries name, over the whole jurisdiction."""
    cells = {pair: place for place, pair in enumerate(channels)}
    channel = hits.records["channel"].astype("object").to_numpy()[hits.row]
    region = pd.Categorical(hits.records["region"])
    jurisdiction = catalogue.jurisdiction
    known = not jurisdiction or jurisdiction in tree
    inside = np.append(tree.is_within(region.categories, jurisdiction) if known else np.zeros(len(region.categories), bool), False)
    within = inside[region.codes][hits.row]
    cell = np.full(hits.row.size, -1, dtype=np.int64)
    for (number, name), place in cells.items():
        cell[within & (hits.entry == number) & (channel == name)] = place
    entries = np.array([number for number, _ in channels], dtype=np.int64)
    minimum = np.array([catalogue.entries[number].channels[name] for number, name in channels])
    counted = _count(hits, catalogue, cell, len(channels), as_of)
    keys = {
        "level": CHANNEL,
        "product": np.array([catalogue.entries[number].product for number, _ in channels], dtype=object),
        "region": jurisdiction,
        "channel": np.array([name for _, name in channels], dtype=object),
        "population": np.full(len(channels), np.nan),
    }
    return _finish(keys, entries, minimum, counted, higher=np.zeros(len(channels), np.int64), catalogue=catalogue, days=days, as_of=as_of)


def _count(hits: Hits, catalogue: CatalogueVersion, cell: Ints, cells: int, as_of: dt.date) -> dict[str, npt.NDArray[np.generic]]:
    """Count hits by cell; whole numbers, so the order of rows does not matter."""

    def total(values: Ints, chosen: npt.NDArray[np.bool_]) -> Ints:
        at = chosen & (cell >= 0)
        return np.asarray(np.bincount(cell[at], weights=values[at].astype(np.float64), minlength=cells).astype(np.int64))

    fresh = ~hits.repeat
    last = np.full(cells, np.iinfo(np.int64).min)
    seen = fresh & (cell >= 0) & (hits.inspected > 0)
    np.maximum.at(last, cell[seen], hits.day[seen])
    calendar = np.zeros((len(catalogue.entries), 13), dtype=np.bool_)
    for number, entry in enumerate(catalogue.entries):
        calendar[number, list(entry.season)] = True
    month = hits.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    missing = last == np.iinfo(np.int64).min
    day = np.where(missing, np.datetime64("NaT"), last.astype("datetime64[D]"))
    since = np.where(missing, np.nan, as_of.toordinal() - _EPOCH - np.where(missing, 0, last).astype(np.float64))
    return {
        "comparison": total(hits.inspected, hits.comparison),
        "other": total(hits.inspected, hits.other),
        "repeat": total(hits.inspected, hits.repeat),
        "failed": total(hits.failed, hits.comparison),
        "last_sampled": day.astype("datetime64[s]"),
        "days_since": since,
        "season_samples": total(hits.inspected, fresh & calendar[hits.entry, month]),
    }


def _higher(hits: Hits, tree: Tree, regions: Regions, entry: Ints, *, checks: Sequence[str], size: tuple[int, int]) -> Ints:
    """Return, by cell, the samples that higher levels took of the product in the region above the cell's."""
    parents = [tree.parent_of(str(code)) for code in regions.codes]
    out = np.zeros(size, dtype=np.int64)
    kind = hits.records["check_type"].astype("object").to_numpy()[hits.row].astype(str)
    barred = np.isin(kind, list(checks)) & ~hits.repeat & (entry >= 0)
    for level in sorted({str(tree.level_of(parent)) for parent in parents if parent}):
        above = {parent: place for place, parent in enumerate(sorted({p for p in parents if p and tree.level_of(p) == level}))}
        place = _place(tree, hits.records["region"], level, above)[hits.row]
        at = barred & (place >= 0)
        flat = np.bincount(entry[at] * len(above) + place[at], weights=hits.inspected[at], minlength=size[0] * len(above))
        table = flat.astype(np.int64).reshape(size[0], len(above))
        columns = [column for column, parent in enumerate(parents) if parent in above]
        out[:, columns] = table[:, [above[parents[column]] for column in columns]]
    return out.ravel()


def _finish(
    keys: Mapping[str, object],
    entry: Ints,
    minimum: Floats,
    counted: Mapping[str, npt.NDArray[np.generic]],
    *,
    higher: Ints,
    catalogue: CatalogueVersion,
    days: int,
    as_of: dt.date,
) -> pd.DataFrame:
    """Turn counts into states, shares and notes."""
    frame = pd.DataFrame({**keys, **counted, "higher_level": higher}, index=pd.RangeIndex(entry.size))
    frame["weight"] = np.array([one.weight for one in catalogue.entries])[entry]
    frame["severity"] = np.array([one.severity for one in catalogue.entries])[entry]
    frame["in_season"] = np.array([as_of.month in one.season for one in catalogue.entries])[entry]
    frame["expected"] = minimum * days / _YEAR
    samples = (frame["comparison"] + frame["other"]).to_numpy(dtype=np.float64)
    tested = frame["comparison"].to_numpy(dtype=np.float64)
    frame["rate"] = np.divide(frame["failed"].to_numpy(dtype=np.float64), tested, out=np.full(entry.size, np.nan), where=tested > 0)
    frame["share"] = np.minimum(samples / frame["expected"].to_numpy(), 1.0)
    frame["state"] = np.select([samples == 0, samples < frame["expected"].to_numpy()], ["gap", "thin"], "sampled").astype(object)
    seasonal = np.array([bool(one.season) for one in catalogue.entries])[entry]
    notes = [
        _note(state, int(n), plan, int(above), off_season=bool(has_season and n > 0 and not in_time))
        for state, n, plan, above, has_season, in_time in zip(
            frame["state"], samples, frame["expected"], higher, seasonal, frame["season_samples"], strict=True
        )
    ]
    frame["note_zh"], frame["note_en"] = [zh for zh, _ in notes], [en for _, en in notes]
    return frame


def _note(state: str, samples: int, plan: float, higher: int, *, off_season: bool) -> tuple[str, str]:
    zh, en = [], []
    if state == "gap":
        zh.append("窗口期内无样本：属监测空白，不等于安全")
        en.append("no sample in the window: a gap, which is not the same as safe")
    elif state == "thin":
        zh.append(f"样本 {samples}，计划 {plan:g}")
        en.append(f"{samples} samples of {plan:g} planned")
    if state != "sampled" and higher:
        zh.append(f"上级已在上一级区域抽查 {higher} 批，下级不得重复抽查（产品质量法第十五条）")
        en.append(f"higher levels took {higher} samples in the region above; lower ones may not repeat them (Product Quality Law art. 15)")
    if off_season:
        zh.append("样本均不在重点季节")
        en.append("no sample in the season that matters")
    return "；".join(zh), "; ".join(en)
