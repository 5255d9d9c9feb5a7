"""Profiles of products in regions, and of enterprises, from the records of a window.

All rates and mixes are drawn to the product's own by a few prior samples, so that three samples never look like a fact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.anomalies.features import Feature, Profile, make_profile
from riskwatch.anomalies.rules import AnomalyRules
from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError

__all__ = ["CHECK_COLUMNS", "INJURY_COLUMNS", "ITEM_COLUMNS", "enterprise_profile", "product_region_profile"]

CHECK_COLUMNS = ("record_id", "event_date", "product", "region", "selection", "check_type", "producer", "inspected", "failed")
ITEM_COLUMNS = ("record_id", "item", "verdict", "safety_item")
INJURY_COLUMNS = ("event_date", "product", "region", "persons", "severity", "outcome")
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_COMPLAINTS = {"complaints": ("本项目无投诉数据流", "this project has no stream of complaints")}
# Without these the injury counts of a small region would be ruled by one case.
_INJURY_PRIOR = 3.0


def _codes(tree: Tree, codes: pd.Series, level: str) -> npt.NDArray[np.object_]:
    """Return each record's ancestor at a level, '' where it has none."""
    category = pd.Categorical(codes)
    above = np.append(np.asarray(tree.ancestor_at(category.categories, level), dtype=object), "")
    return np.asarray(above[category.codes], dtype=object)


def _window(frame: pd.DataFrame, as_of: dt.date, days: int, columns: tuple[str, ...], name: str) -> pd.DataFrame:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise RecordError(f"anomalies: {name} records must have the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    last = pd.Timestamp(as_of)
    inside = (frame["event_date"] <= last) & (frame["event_date"] > last - pd.Timedelta(days=days))
    return frame.loc[inside.to_numpy(), list(columns)].reset_index(drop=True)


def _sum(cell: Ints, weights: Floats | Ints | npt.NDArray[np.bool_], size: int) -> Floats:
    """Sum whole numbers by cell (-1: none), so that the order of rows does not matter."""
    used = cell >= 0
    return np.asarray(np.bincount(cell[used], weights=np.asarray(weights, dtype=np.float64)[used], minlength=size)[:size])


def _share(part: Floats, whole: Floats, prior: Floats, strength: float) -> Floats:
    """Return the logit of a share drawn to its prior."""
    centre = np.clip(prior, 1e-4, 1.0 - 1e-4)
    return np.asarray(special.logit((part + strength * centre) / (whole + strength)))


def _mix(cell: Ints, stratum_of_cell: Ints, items: pd.Series, size: int, strength: float) -> Floats:
    """Return the Hellinger distance between each cell's mix of failed items and its stratum's, drawn to the latter; NaN without any."""
    used = cell >= 0
    if not used.any():
        return np.full(size, np.nan)
    kind, _ = pd.factorize(items[used], sort=True)
    width = int(kind.max()) + 1
    table = np.bincount(cell[used] * width + kind, minlength=size * width).reshape(size, width).astype(np.float64)
    strata = int(stratum_of_cell.max()) + 1
    whole = np.zeros((strata, width))
    np.add.at(whole, stratum_of_cell, table)
    total = whole.sum(axis=1, keepdims=True)
    usual = np.divide(whole, total, out=np.zeros_like(whole), where=total > 0)[stratum_of_cell]
    own = (table + strength * usual) / (table.sum(axis=1, keepdims=True) + strength)
    distance = np.sqrt(np.maximum(1.0 - np.sqrt(own * usual).sum(axis=1), 0.0))
    return np.asarray(np.where(table.sum(axis=1) > 0, distance, np.nan))


def _failed_items(items: pd.DataFrame, checks: pd.DataFrame) -> tuple[pd.DataFrame, Ints]:
    """Return failed items of the checks, and the row of ``checks`` that each belongs to."""
    failed = items[items["verdict"].astype("object") == "fail"] if len(items) else items
    row = pd.Index(checks["record_id"]).get_indexer(pd.Index(failed["record_id"])).astype(np.int64)
    return failed[row >= 0].reset_index(drop=True), row[row >= 0]


def product_region_profile(
    checks: pd.DataFrame,
    items: pd.DataFrame,
    injuries: pd.DataFrame,
    trees: Mapping[str, Tree],
    rules: AnomalyRules,
    *,
    as_of: dt.date,
) -> Profile:
    """Return the profile of every product in every region of the rules' levels that has enough records.

    Parameters
    ----------
    checks : DataFrame
        Spot checks known on ``as_of``, columns :data:`CHECK_COLUMNS`. Rates come from random samples only.
    items : DataFrame
        Their test items, columns :data:`ITEM_COLUMNS`; may be empty.
    injuries : DataFrame
        Injuries known on ``as_of``, columns :data:`INJURY_COLUMNS`; may be empty.
    trees : mapping of str to Tree
        ``product`` and ``region``.
    as_of : date
        Last day of the window.

    Returns
    -------
    Profile
        Keys ``product, region``; strata are products. Features: ``failure`` (logit of the shrunken failure rate), ``mix`` (distance of
        the failed items from the product's), ``safety`` (share of safety items), ``trend`` (failure of the newer half against the older),
        ``sampling`` (samples against the population's share of the product's), ``injury`` (injuries likewise), ``severe`` (share of
        severe ones), ``injury_trend``. Where the tree has no population the region's share of all records stands in.

    Raises
    ------
    RecordError
        If columns are missing.
    """
    setting, k = rules.product_region, rules.shrinkage
    days = setting.window_days
    products, regions = trees["product"], trees["region"]
    checks = _window(checks, as_of, days, CHECK_COLUMNS, "spot-check")
    hurt = _window(injuries, as_of, days, INJURY_COLUMNS, "injury") if len(injuries) else pd.DataFrame(columns=list(INJURY_COLUMNS))
    pairs = {}
    for name, frame in (("check", checks), ("injury", hurt)):
        pairs[name] = pd.DataFrame(
            {
                "product": _codes(products, frame["product"], setting.product_level),
                "region": _codes(regions, frame["region"], setting.region_level),
            }
        )
    random = (checks["selection"].astype("object") == "random").to_numpy()
    counted = pd.concat(
        [
            pairs["check"].assign(samples=checks["inspected"].to_numpy() * random, persons=0),
            pairs["injury"].assign(samples=0, persons=hurt["persons"].to_numpy()),
        ]
    ).astype({"samples": "float64", "persons": "float64"})
    counted = counted[(counted["product"] != "") & (counted["region"] != "")]
    sums = counted.groupby(["product", "region"], sort=True)[["samples", "persons"]].sum()
    sums = sums[(sums["samples"] >= setting.minimum_samples) | (sums["persons"] >= setting.minimum_injuries)]
    keys = sums.index.to_frame(index=False).astype(object)
    size = len(keys)
    place = pd.MultiIndex.from_frame(keys)
    cell = {name: place.get_indexer(pd.MultiIndex.from_frame(frame)).astype(np.int64) for name, frame in pairs.items()}
    stratum, _ = pd.factorize(keys["product"], sort=True)
    stratum = stratum.astype(np.int64)
    older = {
        name: (frame["event_date"] <= pd.Timestamp(as_of) - pd.Timedelta(days=days / 2)).to_numpy()
        for name, frame in (("check", checks), ("injury", hurt))
    }
    n, x = (_sum(cell["check"], checks[name].to_numpy() * random, size) for name in ("inspected", "failed"))
    n_old, x_old = (_sum(cell["check"], checks[name].to_numpy() * (random & older["check"]), size) for name in ("inspected", "failed"))
    rate = _own(x, n, stratum)
    columns: list[tuple[Feature, Floats]] = [
        (Feature("failure", "不合格率", "failure rate", 1), np.where(n > 0, _share(x, n, rate, k), np.nan)),
        (
            Feature("trend", "不合格率走势", "trend of the failure rate", 1),
            np.where(
                (n_old > 0) & (n - n_old > 0),
                _share(x - x_old, n - n_old, rate, k) - _share(x_old, n_old, rate, k),
                np.nan,
            ),
        ),
    ]
    absent = dict(_COMPLAINTS)
    people = _shares(regions, keys, counted, absent)
    expected_n = people * _of_stratum(n, stratum)
    columns.append((Feature("sampling", "抽样强度", "sampling against population", -1), np.log((n + 1.0) / (expected_n + 1.0))))
    failed, row = _failed_items(items, checks) if len(items) else (items, np.empty(0, np.int64))
    if len(failed):
        at = cell["check"][row]
        safe = failed["safety_item"].fillna(value=False).to_numpy(dtype=bool)
        safe_x, all_x = _sum(at, safe, size), _sum(at, np.ones(len(at)), size)
        columns.append(
            (
                Feature("mix", "不合格项目构成偏离", "unusual mix of failed items", 1),
                _mix(at, stratum, failed["item"].astype("object"), size, k),
            )
        )
        columns.append(
            (
                Feature("safety", "安全项目占比", "share of safety items", 1),
                np.where(all_x > 0, _share(safe_x, all_x, _own(safe_x, all_x, stratum), k), np.nan),
            )
        )
    else:
        absent["mix"] = absent["safety"] = ("无不合格项目数据", "no failed items are known")
    if len(hurt):
        columns += _injury_features(hurt, cell["injury"], older["injury"], stratum=stratum, people=people, k=k)
    else:
        absent["injury"] = absent["severe"] = absent["injury_trend"] = ("无伤害监测数据", "no injuries are known")
    size_of = np.log1p(n) + np.log1p(sums["persons"].to_numpy(dtype=np.float64))
    return make_profile("product-region", keys, columns, stratum=stratum, size=size_of, absent=absent)


def _of_stratum(values: Floats, stratum: Ints) -> Floats:
    """Return each row's sum over its stratum."""
    return np.asarray(np.bincount(stratum, weights=values)[stratum]) if stratum.size else values


def _own(part: Floats, whole: Floats, stratum: Ints) -> Floats:
    """Return the stratum's own share for each row, a little drawn to that of all."""
    total = (part.sum() + 0.5) / (whole.sum() + 1.0)
    return np.asarray((_of_stratum(part, stratum) + total) / (_of_stratum(whole, stratum) + 1.0))


def _shares(tree: Tree, keys: pd.DataFrame, counted: pd.DataFrame, absent: dict[str, tuple[str, str]]) -> Floats:
    """Return each region's share of the people, or of all records where the tree does not know them, within the product's regions."""
    stratum, _ = pd.factorize(keys["product"], sort=True)
    people = pd.to_numeric(pd.Series(tree.attribute(keys["region"].to_numpy(dtype=object), "population", inherit=False)), errors="coerce")
    size = people.to_numpy(dtype=np.float64)
    if not (np.isfinite(size) & (size > 0)).all():
        absent["population"] = ("地区人口未知，以记录占比代替", "population is not known: shares of all records stand in")
        records = counted.groupby("region", sort=True)[["samples", "persons"]].sum()
        share = (records / records.sum().replace(0.0, np.nan)).mean(axis=1)
        size = keys["region"].map(share).to_numpy(dtype=np.float64)
    return np.asarray(size / _of_stratum(size, stratum.astype(np.int64)))


def _injury_features(
    hurt: pd.DataFrame, cell: Ints, older: npt.NDArray[np.bool_], *, stratum: Ints, people: Floats, k: float
) -> list[tuple[Feature, Floats]]:
    size = stratum.size
    persons = hurt["persons"].to_numpy(dtype=np.float64)
    grave = (hurt["severity"].astype("object") == "severe") | hurt["outcome"].astype("object").isin(["admitted", "died"])
    y, severe = _sum(cell, persons, size), _sum(cell, persons * grave.to_numpy(), size)
    y_old = _sum(cell, persons * older, size)
    expected = people * _of_stratum(y, stratum)
    rise = np.log((y - y_old + _INJURY_PRIOR) / (y_old + _INJURY_PRIOR))
    return [
        (Feature("injury", "伤害强度", "injuries against population", 1), np.log((y + _INJURY_PRIOR) / (expected + _INJURY_PRIOR))),
        (
            Feature("severe", "重伤占比", "share of severe injuries", 1),
            np.where(y > 0, _share(severe, y, _own(severe, y, stratum), k), np.nan),
        ),
        (Feature("injury_trend", "伤害走势", "trend of injuries", 1), rise),
    ]


def enterprise_profile(
    checks: pd.DataFrame, items: pd.DataFrame, trees: Mapping[str, Tree], rules: AnomalyRules, *, as_of: dt.date
) -> Profile:
    """Return the profile of every producer with enough samples.

    For internal use: the keys hold ``row`` (a number without meaning) and ``enterprise`` (code or source key, as recorded); names are
    never read.

    Parameters
    ----------
    checks, items, as_of
        As for :func:`product_region_profile`. All ways of selection count: this is about persistence, not about comparison.

    Returns
    -------
    Profile
        Strata are the categories (parents in the product tree) that most of the producer's samples are of. Features: ``failure`` (logit of
        the rate, drawn to that expected of its products), ``repeat`` (half-years with a failure against those expected of the rate),
        ``recheck`` (failed follow-ups), ``mix``, ``safety``, ``products``, ``regions`` (Simpson's index without bias: the chance that two
        samples differ, which does not depend on how many there are) and ``trend``.

    Raises
    ------
    RecordError
        If columns are missing.
    """
    k, days = rules.shrinkage, rules.enterprise.window_days
    products = trees["product"]
    checks = _window(checks, as_of, days, CHECK_COLUMNS, "spot-check")
    names = checks["producer"].astype("object").fillna("").astype(str)
    checks = checks[(names != "").to_numpy()].reset_index(drop=True)
    producer = checks["producer"].astype(str)
    samples = checks.groupby(producer, sort=True)["inspected"].sum()
    kept = samples.index[samples >= rules.enterprise.minimum_samples]
    cell = pd.Index(kept).get_indexer(pd.Index(producer)).astype(np.int64)
    size = len(kept)
    keys = pd.DataFrame({"row": np.arange(1, size + 1), "enterprise": np.asarray(kept, dtype=object)})
    inspected, failed = (checks[name].to_numpy(dtype=np.float64) for name in ("inspected", "failed"))
    again = (
        checks["selection"].astype("object").isin(["follow-up"]).to_numpy()
        | (checks["check_type"].astype("object") == "recheck").to_numpy()
    )
    # What a firm's rate would be if its products failed as everybody's do.
    product, _ = pd.factorize(checks["product"].astype("object").fillna(""), sort=True)
    usual = (np.bincount(product, weights=failed) + 0.5) / (np.bincount(product, weights=inspected) + 10.0) if product.size else np.empty(0)
    n, x = _sum(cell, inspected * ~again, size), _sum(cell, failed * ~again, size)
    # Summed by firm and product first: floats are added in one order whatever that of the rows.
    expected = _expected(cell, product.astype(np.int64), inspected * ~again, usual, size)
    base = np.divide(expected, n, out=np.full(size, float(usual.mean()) if usual.size else 0.1), where=n > 0)
    category = _categories(products, checks["product"])
    stratum = _main(cell, category, inspected, size)
    half = ((pd.Timestamp(as_of) - checks["event_date"]).dt.days // 183).to_numpy().astype(np.int64)
    spells = int(half.max()) + 1 if half.size else 1
    by_half_n, by_half_x = (
        np.bincount(cell[cell >= 0] * spells + half[cell >= 0], weights=values[cell >= 0], minlength=size * spells).reshape(size, spells)
        for values in (inspected, failed)
    )
    bad_halves = (by_half_x > 0).sum(axis=1)
    chance = (1.0 - (1.0 - np.clip(base, 0.0, 1.0))[:, None] ** by_half_n).sum(axis=1)
    older = (checks["event_date"] <= pd.Timestamp(as_of) - pd.Timedelta(days=days / 2)).to_numpy()
    n_old, x_old = _sum(cell, inspected * (older & ~again), size), _sum(cell, failed * (older & ~again), size)
    r, r_x = _sum(cell, inspected * again, size), _sum(cell, failed * again, size)
    variety = [_variety(cell, checks[name].astype("object").fillna("").astype(str), inspected, size) for name in ("product", "region")]
    columns: list[tuple[Feature, Floats]] = [
        (
            Feature("failure", "不合格率（与同类产品比）", "failure rate against its products'", 1),
            np.asarray(_share(x, n, base, k) - special.logit(np.clip(base, 1e-4, 1 - 1e-4))),
        ),
        (Feature("repeat", "反复不合格", "repeated failures", 1), np.sqrt(bad_halves) - np.sqrt(chance)),
        (
            Feature("recheck", "复查不合格", "failed rechecks", 1),
            np.where(r > 0, _share(r_x, r, np.full(size, r_x.sum() / max(r.sum(), 1.0)), k), np.nan),
        ),
        (
            Feature("trend", "不合格率走势", "trend of the failure rate", 1),
            np.where((n_old > 0) & (n - n_old > 0), _share(x - x_old, n - n_old, base, k) - _share(x_old, n_old, base, k), np.nan),
        ),
        (Feature("products", "产品多样性", "variety of products", 0), variety[0]),
        (Feature("regions", "地区分散度", "spread over regions", 0), variety[1]),
    ]
    absent = dict(_COMPLAINTS)
    bad, row = _failed_items(items, checks) if len(items) else (items, np.empty(0, np.int64))
    if len(bad):
        at = cell[row]
        safe = bad["safety_item"].fillna(value=False).to_numpy(dtype=bool)
        safe_x, all_x = _sum(at, safe, size), _sum(at, np.ones(len(at)), size)
        columns.append(
            (
                Feature("mix", "不合格项目构成偏离", "unusual mix of failed items", 1),
                _mix(at, stratum, bad["item"].astype("object"), size, k),
            )
        )
        columns.append(
            (
                Feature("safety", "安全项目占比", "share of safety items", 1),
                np.where(all_x > 0, _share(safe_x, all_x, _own(safe_x, all_x, stratum), k), np.nan),
            )
        )
    else:
        absent["mix"] = absent["safety"] = ("无不合格项目数据", "no failed items are known")
    return make_profile("enterprise", keys, columns, stratum=stratum, size=n + r, absent=absent)


def _expected(cell: Ints, product: Ints, inspected: Floats, usual: Floats, size: int) -> Floats:
    used = cell >= 0
    if not used.any():
        return np.zeros(size)
    key, inverse = np.unique(cell[used] * usual.size + product[used], return_inverse=True)
    counts = np.bincount(inverse, weights=inspected[used], minlength=key.size)
    return np.asarray(np.bincount(key // usual.size, weights=counts * usual[key % usual.size], minlength=size))


def _categories(tree: Tree, codes: pd.Series) -> npt.NDArray[np.object_]:
    """Return the parent of each product code; the code itself at the top or where it is unknown."""
    category = pd.Categorical(codes)
    above = [(tree.parent_of(str(code)) or str(code)) if code in tree else str(code) for code in category.categories]
    return np.asarray(np.array([*above, ""], dtype=object)[category.codes], dtype=object)


def _main(cell: Ints, category: npt.NDArray[np.object_], inspected: Floats, size: int) -> Ints:
    """Return the category of most samples of each cell as a number; ties go to the first code."""
    kind, names = pd.factorize(pd.Series(category), sort=True)
    used = cell >= 0
    width = max(len(names), 1)
    table = np.bincount(cell[used] * width + kind[used], weights=inspected[used], minlength=size * width).reshape(size, width)
    return np.asarray(table.argmax(axis=1).astype(np.int64))


def _variety(cell: Ints, values: pd.Series, inspected: Floats, size: int) -> Floats:
    """Return the chance that two samples of a cell differ (Simpson 1949, the form without bias); NaN for fewer than two."""
    kind, names = pd.factorize(values, sort=True)
    used = cell >= 0
    key, inverse = np.unique(cell[used] * max(len(names), 1) + kind[used], return_inverse=True)
    count = np.bincount(inverse, weights=inspected[used], minlength=key.size)
    owner = key // max(len(names), 1)
    n = np.bincount(owner, weights=count, minlength=size)
    same = np.bincount(owner, weights=count * (count - 1.0), minlength=size)
    return np.asarray(np.where(n > 1, 1.0 - same / np.maximum(n * (n - 1.0), 1.0), np.nan))
