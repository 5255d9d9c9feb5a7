"""Which items fail, how often, where and at how many producers; and which are new.

Items say why samples fail; they are no units: one sample may fail several. Every count here is of samples. Most published lists hold
failing items only; then it is not known how many samples were tested for an item, and the share is of the failing samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.items.intervals import adjusted, exact_interval, fisher_greater

__all__ = ["NEW_ITEM_COLUMNS", "TABLE_COLUMNS", "classes_of", "item_table", "new_items"]

TABLE_COLUMNS = (
    "item", "hazard", "failed", "failing_samples", "share", "share_lower", "share_upper", "tested", "rate", "rate_lower", "rate_upper",
    "products", "regions", "producers", "producer_unknown", "first_seen", "last_seen",
)  # fmt: skip
NEW_ITEM_COLUMNS = (
    "item", "hazard", "failed", "samples", "failed_before", "samples_before", "ratio", "p_value", "q_value", "new", "first_seen",
)  # fmt: skip
_UNKNOWN = "unknown"

Classifier = Callable[[str], str] | Mapping[str, str]


def classes_of(items: pd.Series, classifier: Classifier | None) -> npt.NDArray[np.object_]:
    """Return the hazard class of each item name, each distinct one looked at once; "unknown" where none is known."""
    codes, distinct = pd.factorize(items)
    if classifier is None:
        return np.full(len(codes), _UNKNOWN, dtype=object)
    if isinstance(classifier, Mapping):
        known: Mapping[str, str] = classifier
        found = [known.get(str(name), _UNKNOWN) for name in distinct]
    else:
        found = [classifier(str(name)) for name in distinct]
    return np.array([*found, _UNKNOWN], dtype=object)[codes]


def _linked(records: pd.DataFrame, items: pd.DataFrame, columns: Sequence[str], key: str) -> pd.DataFrame:
    """Return item rows with columns of their samples; one row per sample and item (the worst verdict)."""
    place = pd.Index(records[key]).get_indexer(pd.Index(items[key]))
    inside = place >= 0
    verdict = items["verdict"].astype("object").to_numpy()[inside]
    frame = pd.DataFrame({key: items[key].to_numpy()[inside], "item": items["item"].astype("object").to_numpy()[inside]})
    for name in columns:
        values = records[name].array.take(place[inside])
        frame[name] = values.astype("object") if isinstance(values.dtype, pd.CategoricalDtype) else values
    frame["fails"] = verdict == "fail"
    frame["counts"] = np.isin(verdict, ["pass", "fail", "undetermined"])
    frame = frame[frame["counts"] & (frame["item"] != "") & frame["item"].notna()]
    return frame.sort_values(["fails", key, "item"], ascending=[False, True, True], kind="stable").drop_duplicates([key, "item"])


def item_table(
    records: pd.DataFrame,
    items: pd.DataFrame,
    *,
    by: Sequence[str] = (),
    classifier: Classifier | None = None,
    key: str = "record_id",
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the samples that fail each item.

    Parameters
    ----------
    records : DataFrame
        One row per sample: ``key, event_date, product, region, verdict`` and the columns of ``by``; ``producer`` where known.
    items : DataFrame
        ``key, item, verdict``: failing items, and those that passed where the list has them. Rows of other samples are left aside.
    by : sequence of str
        Columns of ``records`` that tables are split by (product, region, selection, ...).
    classifier : callable or mapping, optional
        Item name -> hazard class.
    key : str
        Column that ties items to samples.
    level : float
        Coverage of the intervals (exact, Clopper & Pearson).

    Returns
    -------
    DataFrame
        ``by`` and :data:`TABLE_COLUMNS`, most frequent first within each group. ``failed`` samples failing the item; ``share`` of the
        group's ``failing_samples`` (shares add up to more than 1: a sample may fail several items); ``tested`` and ``rate`` only where
        passed results are listed too, else NaN; ``products``, ``regions``, ``producers``: how many different ones among the failing samples
        (``producer_unknown``: samples that name none, not counted as a producer).
    """
    groups = list(by)
    columns = list(dict.fromkeys([*groups, "event_date", "product", "region", *(["producer"] if "producer" in records else [])]))
    rows = _linked(records, items, columns, key)
    if "producer" not in rows:
        rows["producer"] = pd.Series(np.full(len(rows), None, dtype=object), index=rows.index)
    rows["producer"] = rows["producer"].where(rows["producer"] != "", None)
    failing = rows[rows["fails"]]
    if failing.empty:
        return pd.DataFrame(columns=[*groups, *TABLE_COLUMNS])
    keys = [*groups, "item"]
    grouped = failing.groupby(keys, sort=True, observed=True, dropna=False)
    table = pd.DataFrame(
        {
            "failed": grouped.size(),
            "products": grouped["product"].nunique(),
            "regions": grouped["region"].nunique(),
            "producers": grouped["producer"].nunique(),
            "producer_unknown": grouped.size() - grouped["producer"].count(),
            "first_seen": grouped["event_date"].min(),
            "last_seen": grouped["event_date"].max(),
        }
    )
    both = rows.groupby(keys, sort=True, observed=True, dropna=False)["fails"].agg(["size", "sum"]).reindex(table.index)
    # Where only failures are listed, nobody knows how many were tested.
    table["tested"] = both["size"].where(both["size"] > both["sum"]).astype("float64")
    table = table.reset_index()
    bad = records[records["verdict"].astype("object") == "fail"]
    if groups:
        sizes = bad.assign(**{name: bad[name].astype("object") for name in groups if isinstance(bad[name].dtype, pd.CategoricalDtype)})
        counted = sizes.groupby(groups, observed=True, dropna=False).size().rename("failing_samples").reset_index()
        table = table.merge(counted, on=groups, how="left")
    else:
        table["failing_samples"] = len(bad)
    # A list may say that a sample passed and yet name a failing item.
    table["failing_samples"] = np.maximum(table["failing_samples"].fillna(0).astype("int64"), table["failed"])
    table["hazard"] = classes_of(table["item"], classifier)
    table["share"] = table["failed"] / table["failing_samples"]
    table["share_lower"], table["share_upper"] = exact_interval(table["failed"], table["failing_samples"], level)
    table["rate"] = table["failed"] / table["tested"]
    table["rate_lower"], table["rate_upper"] = exact_interval(table["failed"], table["tested"], level)
    order = table.sort_values([*groups, "failed", "item"], ascending=[*[True] * len(groups), False, True], kind="stable", ignore_index=True)
    return order[[*groups, *TABLE_COLUMNS]]


def new_items(
    records: pd.DataFrame,
    items: pd.DataFrame,
    *,
    since: object,
    baseline_since: object,
    until: object = None,
    by: Sequence[str] = (),
    classifier: Classifier | None = None,
    key: str = "record_id",
) -> pd.DataFrame:
    """Find items that fail now and did not, or hardly, before.

    Parameters
    ----------
    records, items, by, classifier, key
        As for :func:`item_table`. Give records of one kind of sampling only: a campaign against an item makes it look new.
    since, until : date-like
        First and last day of the window looked at; ``until`` None: to the newest record.
    baseline_since : date-like
        First day of the baseline, which ends on the day before ``since``.

    Returns
    -------
    DataFrame
        ``by`` and :data:`NEW_ITEM_COLUMNS`, smallest p-value first: samples and samples failing the item in both windows, ``ratio`` of
        the two rates (inf where it never failed before), one-sided p-value of Fisher's exact test, its false-discovery rate (items that
        fail in either window are tests), and ``new``: no sample of the baseline failed it. NaN where the baseline has no samples.
    """
    groups = list(by)
    event = records["event_date"].to_numpy("datetime64[D]")
    start, first = np.datetime64(str(since)[:10], "D"), np.datetime64(str(baseline_since)[:10], "D")
    newest = event.max() if len(event) else start
    last = newest if until is None else np.datetime64(str(until)[:10], "D")
    window = np.select([(event >= start) & (event <= last), (event >= first) & (event < start)], ["now", "before"], "")
    marked = records.assign(window=window)[window != ""]
    marked = marked.assign(**{name: marked[name].astype("object") for name in groups})
    rows = _linked(marked, items, [*groups, "window", "event_date"], key)
    failing = rows[rows["fails"]]
    now = failing[failing["window"] == "now"]
    if now.empty:
        return pd.DataFrame(columns=[*groups, *NEW_ITEM_COLUMNS])
    keys = [*groups, "item"]
    grouped = now.groupby(keys, sort=True, dropna=False)
    table = pd.DataFrame({"failed": grouped.size(), "first_seen": grouped["event_date"].min()})
    earlier = failing[failing["window"] == "before"].groupby(keys, dropna=False).size()
    table["failed_before"] = earlier.reindex(table.index).fillna(0).astype("int64")
    table = table.reset_index()
    for name, chosen in (("samples", "now"), ("samples_before", "before")):
        part = marked[marked["window"] == chosen]
        if groups:
            table = table.merge(part.groupby(groups, dropna=False).size().rename(name).reset_index(), on=groups, how="left")
            table[name] = table[name].fillna(0).astype("int64")
        else:
            table[name] = len(part)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = (
            table["failed"].to_numpy() / table["samples"].to_numpy(),
            table["failed_before"].to_numpy() / table["samples_before"].to_numpy(),
        )
        table["ratio"] = rates[0] / rates[1]
    table["p_value"] = fisher_greater(table["failed"], table["samples"], table["failed_before"], table["samples_before"])
    # An item that failed before and not now is a test as well, with p = 1.
    tests = len(failing.drop_duplicates(keys))
    table["q_value"] = adjusted(table["p_value"].to_numpy(np.float64), tests)
    table["new"] = (table["failed_before"] == 0) & (table["samples_before"] > 0)
    table["hazard"] = classes_of(table["item"], classifier)
    table = table.sort_values(["p_value", "item", *groups], kind="stable", ignore_index=True)
    return table[[*groups, *NEW_ITEM_COLUMNS]]
