"""Terms after a failed spot check: which run, which are due soon, which are overdue, which were met.

An order to correct starts two terms: to correct, and to recheck. A failed recheck is announced, and the announcement opens the second
recheck; if that fails too, the law's next step is up to the authority. A term is met by what is on record: silence is overdue.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.enterprises.identity import enterprise_ids, is_claimed, is_recheck, texts
from riskwatch.enterprises.rules import Clocks, Term
from riskwatch.items.intervals import exact_interval

__all__ = ["CLOSURE_COLUMNS", "STATES", "TERM_COLUMNS", "closure_by_region", "orders_missing", "terms"]

Texts = npt.NDArray[np.object_]
Days = npt.NDArray[np.datetime64]

TERM_COLUMNS = (
    "enterprise", "order_key", "product", "region", "producer_region", "term", "started_on", "opens_on", "due_on", "done_on", "result",
    "days_left", "state", "article", "verified", "text_zh", "text_en",
)  # fmt: skip
CLOSURE_COLUMNS = ("region", "orders", "due", "closed_in_time", "share", "lower", "upper")
STATES = ("overdue", "due-soon", "running", "waiting", "met-late", "met")
_DEEPEST = 8  # rechecks of rechecks that are followed; a chain that runs in a circle ends here
_NEVER = np.datetime64("NaT", "D")


def _roots(keys: Texts, above: Texts) -> Texts:
    """Return the key of the sample that a chain of rechecks began with."""
    parent = dict(zip(keys.tolist(), above.tolist(), strict=True))
    parent = {key: other for key, other in parent.items() if other}
    roots = np.where(above != "", above, keys).astype(object)
    for _ in range(_DEEPEST):
        moved = np.array([parent.get(key, key) for key in roots.tolist()], dtype=object)
        if (moved == roots).all():
            break
        roots = moved
    return roots


def _days(frame: pd.DataFrame, name: str) -> Days:
    return frame[name].to_numpy("datetime64[D]") if name in frame else np.full(len(frame), _NEVER)


def _orders(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per order to correct: where it stands, when it was given, when the correction was done."""
    given = frame[~np.isnat(frame["ordered_on"].to_numpy("datetime64[D]"))]
    if given.empty:
        return pd.DataFrame(columns=["root", "ordered_on", "rectified_on"])
    grouped = given.groupby("root", sort=True)
    return pd.DataFrame({"ordered_on": grouped["ordered_on"].min(), "rectified_on": grouped["rectified_on"].min()}).reset_index()


def _rechecks(frame: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """Return the rechecks of each order by day: a record of its own, or what the first record says of its recheck."""
    own = frame[frame["recheck"]]
    rows = own.assign(day=own["event_date"], result=own["verdict"], announced=own["published_on"], own=True)
    told = frame[~frame["recheck"] & frame["recheck_on"].notna()]
    told = told.assign(day=told["recheck_on"], result=told["recheck_result"], announced=told["published_on"], own=False)
    both = pd.concat([rows, told], ignore_index=True)[["root", "key", "day", "result", "announced", "own"]]
    both = both[both["day"] <= as_of]
    # An announcement cannot come before what it announces: then the day of the recheck stands for it.
    both["announced"] = both["announced"].where(both["announced"] >= both["day"], both["day"])
    both = both.sort_values(["root", "day", "own", "key"], ascending=[True, True, False, True], kind="stable")
    return both.drop_duplicates(["root", "day"], ignore_index=True)


def _term(name: str, term: Term, orders: pd.DataFrame, *, started: Days, done: Days, result: Texts) -> pd.DataFrame:
    return orders.assign(
        term=name,
        started_on=started,
        opens_on=started + np.timedelta64(term.opens, "D"),
        due_on=started + np.timedelta64(term.amount, "D"),
        done_on=done,
        result=result,
        article=term.article,
        verified=term.basis.verified,
        text_zh=term.text.zh,
        text_en=term.text.en,
    )


def _rows(frame: pd.DataFrame, roots: pd.Series) -> npt.NDArray[np.int64]:
    """Return the place in ``frame``, one row per root, of each root; -1 where it is not there."""
    return np.asarray(pd.Index(frame["root"]).get_indexer(pd.Index(roots)), dtype=np.int64)


def _text_of(frame: pd.DataFrame, name: str, roots: pd.Series) -> Texts:
    return np.append(frame[name].to_numpy(dtype=object), "")[_rows(frame, roots)]


def _day_of(frame: pd.DataFrame, name: str, roots: pd.Series) -> Days:
    return np.append(frame[name].to_numpy("datetime64[D]"), _NEVER)[_rows(frame, roots)]


def terms(records: pd.DataFrame, clocks: Clocks, *, as_of: dt.date) -> pd.DataFrame:
    """Return every term that an order started, and how it stands on a day.

    Parameters
    ----------
    records : DataFrame
        Spot checks as known on the as-of day: ``record_key, event_date, product, region, producer, verdict, ordered_on, rectified_on,
        recheck_on, recheck_of, recheck_result, published_on``; used where present: ``source, check_type, producer_region``.
    clocks : Clocks
    as_of : date

    Returns
    -------
    DataFrame
        Columns :data:`TERM_COLUMNS`, overdue first (longest first), then by days left. ``state`` is one of :data:`STATES` (``waiting``:
        not open yet). ``days_left`` may be negative, NaN once met. ``correct`` is met by the day of correction, or by a recheck that
        passed if that came earlier or alone; ``recheck`` by the first recheck whatever its result (``result``); ``second_recheck`` exists
        where the first one failed, and is met by the first recheck on or after ``opens_on``.
    """
    today = np.datetime64(as_of, "D")
    source = texts(records, "source")
    key, above = (np.where(texts(records, name) == "", "", source + "\n" + texts(records, name)) for name in ("record_key", "recheck_of"))
    frame = pd.DataFrame(
        {
            "key": key, "root": _roots(key, above), "enterprise": enterprise_ids(records), "product": texts(records, "product"),
            "region": texts(records, "region"), "producer_region": texts(records, "producer_region"), "verdict": texts(records, "verdict"),
            "recheck": is_recheck(records), "recheck_result": texts(records, "recheck_result"),
            **{name: _days(records, name) for name in ("event_date", "published_on", "ordered_on", "rectified_on", "recheck_on")},
        }
    )  # fmt: skip
    frame = frame[frame["event_date"].to_numpy("datetime64[D]") <= today]
    for name in ("ordered_on", "rectified_on"):
        frame[name] = frame[name].where(frame[name] <= today)
    orders = _orders(frame)
    if orders.empty:
        return pd.DataFrame(columns=list(TERM_COLUMNS))
    # The first sample says whose the order is; where only its recheck is on record, that one does.
    first = frame.sort_values(["root", "recheck", "event_date", "key"], kind="stable").drop_duplicates("root")
    for name in ("enterprise", "product", "region", "producer_region"):
        orders[name] = _text_of(first, name, orders["root"])
    orders["order_key"] = orders["root"].str.split("\n").str[-1]
    made = _rechecks(frame, today)
    # A recheck before the order belongs to something else.
    made = made[made["day"].to_numpy("datetime64[D]") >= _day_of(orders, "ordered_on", made["root"])]
    return _judged(orders, made, clocks, today)


def _judged(orders: pd.DataFrame, made: pd.DataFrame, clocks: Clocks, today: np.datetime64) -> pd.DataFrame:
    head, passed = made.drop_duplicates("root"), made[made["result"] == "pass"].drop_duplicates("root")
    start = orders["ordered_on"].to_numpy("datetime64[D]")
    recheck_day, recheck_result = _day_of(head, "day", orders["root"]), _text_of(head, "result", orders["root"])
    passed_day = _day_of(passed, "day", orders["root"])
    corrected = np.fmin(orders["rectified_on"].to_numpy("datetime64[D]"), passed_day)
    parts = [
        _term("correct", clocks.correct, orders, started=start, done=corrected, result=np.full(len(orders), "", dtype=object)),
        _term("recheck", clocks.recheck, orders, started=start, done=recheck_day, result=recheck_result),
    ]
    again = np.flatnonzero(recheck_result == "fail")
    if again.size:
        failed = orders.iloc[again].reset_index(drop=True)
        announced = _day_of(head, "announced", failed["root"])
        opens = failed[["root"]].assign(opens=announced + np.timedelta64(clocks.second_recheck.opens, "D"))
        later = made[made["day"].to_numpy("datetime64[D]") >= _day_of(opens, "opens", made["root"])].drop_duplicates("root")
        done, result = _day_of(later, "day", failed["root"]), _text_of(later, "result", failed["root"])
        parts.append(_term("second_recheck", clocks.second_recheck, failed, started=announced, done=done, result=result))
    table = pd.concat(parts, ignore_index=True)
    due, done, opens_on = (table[name].to_numpy("datetime64[D]") for name in ("due_on", "done_on", "opens_on"))
    left = (due - today).astype(np.int64)
    met = ~np.isnat(done)
    table["state"] = np.select(
        [met & (done <= due), met, left < 0, opens_on > today, left <= clocks.due_soon_days],
        ["met", "met-late", "overdue", "waiting", "due-soon"],
        "running",
    )
    table["days_left"] = np.where(met, np.nan, left.astype(np.float64))
    for name in ("started_on", "opens_on", "due_on", "done_on"):
        table[name] = table[name].astype("datetime64[s]")
    order = pd.DataFrame(
        {
            "state": pd.Categorical(table["state"], STATES, ordered=True).codes,
            **{name: table[name] for name in ("days_left", "due_on", "root", "term")},
        }
    ).sort_values(["state", "days_left", "due_on", "root", "term"], kind="stable")
    return table.loc[order.index, list(TERM_COLUMNS)].reset_index(drop=True)


def orders_missing(records: pd.DataFrame, *, as_of: dt.date, after_days: int = 30) -> int:
    """Count the failed samples, published at least so many days ago, for which no order is on record.

    Rechecks and failures that the producer denies are left out. It may mean that nothing was ordered, or that orders are not reported.
    """
    failing = (texts(records, "verdict") == "fail") & ~is_recheck(records) & ~is_claimed(records)
    published = _days(records, "published_on")
    known = np.where(np.isnat(published), _days(records, "event_date"), published)
    old = known <= np.datetime64(as_of, "D") - np.timedelta64(after_days, "D")
    ordered = ~np.isnat(_days(records, "ordered_on"))
    source = texts(records, "source")
    key, above = (source + "\n" + texts(records, name) for name in ("record_key", "recheck_of"))
    have = set(key[ordered].tolist()) | set(above[ordered].tolist())
    return int(sum(one not in have for one in key[failing & old].tolist()))


def closure_by_region(
    table: pd.DataFrame,
    tree: Tree | None = None,
    *,
    as_of: dt.date,
    level: str = "prefecture",
    place: str = "region",
    coverage: float = 0.95,
) -> pd.DataFrame:
    """Return, by region, how many orders were closed in time.

    Parameters
    ----------
    table : DataFrame
        Of :func:`terms`.
    tree : Tree, optional
        Region tree; None counts by the code on record.
    as_of : date
        The day as which the terms were judged.
    level : str
        Level of the tree at which is counted.
    place : {"region", "producer_region"}
        Place of sampling or of production.
    coverage : float
        Of the exact interval.

    Returns
    -------
    DataFrame
        Columns :data:`CLOSURE_COLUMNS`, sorted by region, "" for orders that lie in no region of that level. ``due``: orders whose term
        for the recheck ended by the as-of day; ``closed_in_time``: of those, a recheck passed on or before its last day. An order that is
        still within its term is not in the share, closed or not: those that close early would make the newest orders look better than
        they are.
    """
    if table.empty:
        return pd.DataFrame(columns=list(CLOSURE_COLUMNS))
    rechecks = table[table["term"] == "recheck"]
    codes = rechecks[place].to_numpy(dtype=object)
    region = codes if tree is None else tree.ancestor_at(codes, level)
    ended = rechecks["due_on"].to_numpy("datetime64[D]") <= np.datetime64(as_of, "D")
    closed = ended & (rechecks["state"] == "met").to_numpy() & (rechecks["result"] == "pass").to_numpy()
    frame = pd.DataFrame({"region": region, "orders": 1, "due": ended.astype(np.int64), "closed_in_time": closed.astype(np.int64)})
    out = frame.groupby("region", sort=True).sum().reset_index()
    out["share"] = out["closed_in_time"] / out["due"].where(out["due"] > 0)
    out["lower"], out["upper"] = exact_interval(out["closed_in_time"], out["due"], coverage)
    return out[list(CLOSURE_COLUMNS)]
