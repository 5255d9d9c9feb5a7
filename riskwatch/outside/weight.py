"""What notices about a product and hazard weigh: a likelihood ratio that only ever speaks for a concern, fades with age and is capped."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.outside.rules import OutsideRules, Presence, WeightRules

__all__ = ["NOTICES", "Outside", "Term", "Weight", "lowered", "weigh"]

NOTICES = ("notice", "system", "own", "product", "day", "hazard", "origin")
"""Columns of matched notices: one row per notice and code of the product tree; ``own`` is the notice's own code, ``hazard`` a class."""

Within = Callable[[str, str], bool]


@dataclass(frozen=True, eq=False)
class Outside:
    """All that a run knows of outside signals: rules, matched notices (:data:`NOTICES`), goods met here (``goods.GOODS``)."""

    rules: OutsideRules
    notices: pd.DataFrame
    goods: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Term:
    """What one system adds.

    Attributes
    ----------
    notices, made_here : int
        Notices that count, and those of them whose origin is this country.
    newest : date
        Day of the newest.
    stated : float
        Likelihood ratio of the system in the rules.
    share : float
        Share of it that counts (in logarithms), 0 to 1: number of notices, age, fit, presence of the good.
    ratio : float
        ``stated ** share``.
    """

    system: str
    notices: int
    made_here: int
    newest: dt.date
    stated: float
    share: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Weight:
    """Likelihood ratio of all notices together: at least 1, at most the cap."""

    ratio: float
    capped: bool
    terms: tuple[Term, ...]


def weigh(
    notices: pd.DataFrame,
    *,
    product: str,
    hazard: str,
    as_of: dt.date,
    presence: Presence,
    within: Within,
    tie: Callable[[str, str], str],
    home: Callable[[str], bool],
    rules: WeightRules,
) -> Weight:
    """Weigh the notices about a product and hazard.

    Each notice counts ``product share x hazard share x 2**(-age / half life)``; what the notices of one system count is summed and
    divided by ``enough``, at most 1, and multiplied by the share for the presence of the good. The logarithms of the systems' ratios,
    times these shares, are added, up to the logarithm of the cap. One more notice therefore never lowers the weight.

    Parameters
    ----------
    notices : DataFrame
        Columns :data:`NOTICES`.
    product, hazard : str
        Code of the product tree and hazard class of the concern.
    presence : str
        Whether the good is here.
    within : callable
        Whether a product code lies within another.
    tie : callable
        ``same``, ``akin``, ``unknown`` or ``differs`` for two hazard classes.
    home : callable
        Whether an origin lies in this country; such notices are counted, and weigh no more than others.
    """
    age = (pd.Timestamp(as_of) - pd.to_datetime(notices["day"])).dt.days if len(notices) else pd.Series(dtype=np.float64)
    recent = notices.loc[(age >= 0) & (age <= rules.forget_days)] if len(notices) else notices
    breadth = {
        code: rules.product["same"] if within(code, product) else rules.product["wider"] if within(product, code) else 0.0
        for code in sorted(set(recent["product"]))
    }
    fits = {code: dict(rules.hazard).get(tie(code, hazard), 0.0) for code in sorted(set(recent["hazard"]))}  # type: ignore[call-overload]  # "differs" is in no rule
    counted = recent.assign(
        share=recent["product"].map(breadth).astype(np.float64)
        * recent["hazard"].map(fits).astype(np.float64)
        * np.exp2(-age.loc[recent.index].astype(np.float64) / rules.half_life_days)
    )
    counted = counted.loc[counted["share"] > 0].sort_values("share", ascending=False, kind="stable").drop_duplicates("notice")
    terms = []
    for system, rows in counted.groupby("system", sort=True):
        stated = rules.systems.get(str(system), rules.other)
        share = min(1.0, math.fsum(rows["share"]) / rules.enough) * rules.presence[presence]
        terms.append(
            Term(
                str(system),
                len(rows),
                sum(home(str(one)) for one in rows["origin"]),
                pd.Timestamp(rows["day"].max()).date(),
                stated,
                share,
                stated**share,
            )
        )
    total = math.fsum(math.log(term.ratio) for term in terms)
    limit = math.log(rules.cap)
    return Weight(math.exp(min(total, limit)), total > limit, tuple(terms))


def lowered(q: npt.NDArray[np.float64], ratio: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    """Return false-discovery rates after the odds of a false alarm were divided by ``ratio``: q / (q + (1 - q) ratio); never above q.

    Bayes' rule with q as the probability that the alarm is false before the notice was heard.
    """
    return np.asarray(np.minimum(q, q / (q + (1.0 - q) * ratio)), dtype=np.float64)
