"""The class in force comes in, a proposed class and candidacy for the list of serious violators go out, each with its rule and figures.

A proposal is never better than what a listed enterprise may have, never an improvement on failing evidence, and more failures never give a
better one: :mod:`riskwatch.enterprises.rules` refuses rules that could.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.enterprises.identity import enterprise_ids
from riskwatch.enterprises.rules import CLASSES, BadAtLeast, CreditRules, GoodRecord, rank

__all__ = ["CLASS_COLUMNS", "PROPOSAL_COLUMNS", "current_classes", "propose"]

BoolArray = npt.NDArray[np.bool_]

CLASS_COLUMNS = ("enterprise", "class_in", "class_since", "valid_until", "expired", "listed", "authority")
PROPOSAL_COLUMNS = (
    "enterprise", "class_in", "class_since", "expired", "listed", "proposed", "change", "rule", "evidence", "candidacy", "reason_zh",
    "reason_en",
)  # fmt: skip
EVIDENCE = ("failed_window", "repeat_failures", "failed_products", "recheck_failures", "follow_up_failures", "overdue", "passed_window")
_NO_RULE = ("未触及任何规则", "no rule is met")
_KEPT = ("，维持现行等级", "; the class in force stays")
_DEFAULT = ("，按默认等级", "; the default class")
_LISTED = ("，已列入严重违法失信名单", "; on the list of serious violators")
_NO_BETTER = ("，不因此上调", "; no improvement on failing evidence")
_EXPIRED = ("，原等级已过有效期", "; the earlier class has expired")


def current_classes(credit: pd.DataFrame, *, as_of: dt.date) -> pd.DataFrame:
    """Return the newest class of each enterprise that was in force by a day.

    Parameters
    ----------
    credit : DataFrame
        Stream ``enterprise_credit`` as known on the as-of day: ``event_date, enterprise, credit_class, listed, valid_until, authority``;
        ``source`` where keys are not credit codes.
    as_of : date

    Returns
    -------
    DataFrame
        Columns :data:`CLASS_COLUMNS`, one row per enterprise. Of several records of one day the worst class counts. ``expired``:
        ``valid_until`` has passed; a class that expired is told and not used. A listing holds until a newer record takes it back.
    """
    event = credit["event_date"].to_numpy("datetime64[D]")
    rows = credit[event <= np.datetime64(as_of, "D")]
    frame = pd.DataFrame(
        {
            "enterprise": enterprise_ids(rows, "enterprise"),
            "class_in": rows["credit_class"].astype("object").to_numpy(),
            "class_since": rows["event_date"].to_numpy("datetime64[s]"),
            "valid_until": rows["valid_until"].to_numpy("datetime64[s]"),
            "listed": rows["listed"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_),
            "authority": rows["authority"].astype("object").fillna("").to_numpy(),
        }
    )
    frame = frame[frame["enterprise"] != ""]
    order = ["enterprise", "class_since", "listed", "class_in", "valid_until", "authority"]
    newest = frame.sort_values(order, kind="stable").drop_duplicates("enterprise", keep="last", ignore_index=True)
    newest["expired"] = (newest["valid_until"] < pd.Timestamp(as_of)).to_numpy(dtype=np.bool_)
    return newest[list(CLASS_COLUMNS)]


def _met(figures: pd.DataFrame, bounds: BadAtLeast) -> BoolArray:
    hits = [(figures[name] >= bound).to_numpy(dtype=np.bool_) for name, bound in bounds.bounds.items()]
    return np.asarray(np.logical_and.reduce(hits), dtype=np.bool_)


def _good(figures: pd.DataFrame, asked: GoodRecord) -> BoolArray:
    enough = (figures["passed_window"] >= asked.passed_window).to_numpy(dtype=np.bool_)
    most = {"failed_window": asked.failed_window, "recheck_failures": asked.recheck_failures, "overdue": asked.overdue}
    hits = [(figures[name] <= bound).to_numpy(dtype=np.bool_) for name, bound in most.items()]
    return np.asarray(np.logical_and.reduce([enough, *hits]), dtype=np.bool_)


def propose(
    history: pd.DataFrame, terms: pd.DataFrame, classes: pd.DataFrame, rules: CreditRules, *, overdue_since: dt.date | None = None
) -> pd.DataFrame:
    """Propose a credit class for every enterprise with samples or a class.

    Parameters
    ----------
    history : DataFrame
        ``frame`` of :func:`riskwatch.enterprises.history.enterprise_history`.
    terms : DataFrame
        Of :func:`riskwatch.enterprises.clocks.terms`: overdue ones are counted by enterprise.
    classes : DataFrame
        Of :func:`current_classes`.
    rules : CreditRules
    overdue_since : date, optional
        Terms whose last day lies before it no longer count: the first day of the window of the other figures.

    Returns
    -------
    DataFrame
        Columns :data:`PROPOSAL_COLUMNS`, sorted by enterprise. ``class_in`` "" where none; ``change``: ``worse``, ``better``, ``same``
        against the class in force, ``first`` where none is; ``rule``: id of the rule, "" where none is met; ``evidence``: figures that
        were looked at, as ``failed_window=3; ...``; ``candidacy``: id of the rule for the list of serious violators, "" for none.
    """
    late = terms["state"] == "overdue"
    if overdue_since is not None:
        late &= terms["due_on"] >= pd.Timestamp(overdue_since)
    overdue = terms.loc[late, "enterprise"].value_counts()
    figures = history.merge(classes, on="enterprise", how="outer", sort=True)
    figures["overdue"] = figures["enterprise"].map(overdue)
    names = [*EVIDENCE]
    figures[names] = figures[names].fillna(0).astype("int64")
    size = len(figures)
    listed = figures["listed"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_)
    expired = figures["expired"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_)
    class_in = figures["class_in"].astype("object").fillna("").to_numpy(dtype=object)
    in_force = (class_in != "") & ~expired
    base = np.array([rank(text) if holds else rank(rules.default) for text, holds in zip(class_in, in_force, strict=True)], dtype=np.int64)
    proposed, rule = base.copy(), np.full(size, "", dtype=object)
    reasons = {language: np.full(size, _NO_RULE[k], dtype=object) for k, language in enumerate(("zh", "en"))}
    open_, held = np.ones(size, np.bool_), np.zeros(size, np.bool_)
    for entry in rules.rules:
        hit = open_ & (
            _met(figures, entry.at_least) if entry.at_least is not None else _good(figures, entry.good or GoodRecord(passed_window=1))
        )
        own = rank(entry.credit_class)
        if entry.at_least is not None:
            proposed = np.where(hit, np.maximum(own, base), proposed)
            held |= hit & in_force & (own < base)
        else:
            proposed = np.where(hit, np.minimum(base, np.maximum(own, base - rules.max_improvement)), proposed)
        rule[hit] = entry.id
        reasons["zh"][hit], reasons["en"][hit] = entry.text.zh, entry.text.en
        open_ &= ~hit
    proposed = np.where(listed, np.maximum(proposed, rank(rules.listed)), proposed)
    for k, language in enumerate(("zh", "en")):
        text = reasons[language]
        none = rule == ""
        text = np.where(none & in_force, text + _KEPT[k], np.where(none, text + _DEFAULT[k], text))
        for chosen, words in ((held, _NO_BETTER), (expired, _EXPIRED), (listed, _LISTED)):
            text = np.where(chosen, text + words[k], text)
        reasons[language] = text.astype(object)
    candidacy = np.full(size, "", dtype=object)
    for pointer in reversed(rules.candidacy):
        candidacy[_met(figures, pointer.at_least) & ~listed] = pointer.id
    change = np.select([~in_force, proposed > base, proposed < base], ["first", "worse", "better"], "same")
    out = pd.DataFrame(
        {
            "enterprise": figures["enterprise"].to_numpy(dtype=object),
            "class_in": class_in,
            "class_since": figures["class_since"].to_numpy("datetime64[s]"),
            "expired": expired,
            "listed": listed,
            "proposed": np.array(CLASSES, dtype=object)[proposed],
            "change": change.astype(object),
            "rule": rule,
            "evidence": _evidence(figures),
            "candidacy": candidacy,
            "reason_zh": reasons["zh"],
            "reason_en": reasons["en"],
        }
    )
    return out[list(PROPOSAL_COLUMNS)]


def _evidence(figures: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return the figures of each enterprise as one text; alike figures share it."""
    columns = figures[list(EVIDENCE)].to_numpy(dtype=np.int64)
    distinct, inverse = np.unique(columns, axis=0, return_inverse=True)
    texts = ["; ".join(f"{name}={value}" for name, value in zip(EVIDENCE, row, strict=True)) for row in distinct.tolist()]
    return np.array(texts, dtype=object)[inverse.ravel()] if texts else np.empty(0, dtype=object)
