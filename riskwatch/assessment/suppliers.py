"""Whether failing samples of several firms rest on one supplier's part or material more often than failures of such goods usually do.

Failures of a time are compared with the usual failures of the same products before it, of which many firms have some every month: under
no shared cause the suppliers named are a random part of both together. For each supplier and product the number of failures that name
it is hypergeometric given the margins; the sum over products is the exact conditional test of several 2 x 2 tables (Birch, J. R. Stat.
Soc. B 26:313-324, 1964). Comparing with failures, not with all samples, keeps firms that fail again and again from making their
suppliers look guilty. One firm's failures are no shared cause: several firms must share the supplier, none with most of its failures.
As many suppliers are asked as are named; p-values are multiplied by the number of those whose margins allow a small one at all
(Tarone, Biometrics 46:515-522, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from riskwatch.assessment.rules import ScopeRules

__all__ = ["SUPPLIER_COLUMNS", "SupplierFigures", "Verdict", "exact_p", "standing_out"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Verdict = Literal["shared", "none", "unknown"]

SUPPLIER_COLUMNS = ("product", "producer", "supplier")


@dataclass(frozen=True, slots=True)
class SupplierFigures:
    """What the suppliers named by failed samples say; counts only, never whose they are.

    Attributes
    ----------
    failed, known : int
        Failed samples of the time, and those of them that name a supplier.
    named : int
        Different suppliers that they name.
    same, producers : int
        Failed samples that name the supplier that stands out most, and the firms behind them.
    expected : float
        Failed samples that such a time usually has.
    usual_known : int
        Usual failures of the same products that name a supplier.
    usual_share : float or None
        That supplier's share of them, products weighted as the failures of the time are; None without usual failures.
    p_value : float or None
        One-sided, for all suppliers asked; None where there is nothing to compare.
    verdict : {"shared", "none", "unknown"}
        One supplier is shared; enough suppliers are known and none stands out; neither can be said.
    """

    failed: int = 0
    known: int = 0
    named: int = 0
    same: int = 0
    producers: int = 0
    expected: float = 0.0
    usual_known: int = 0
    usual_share: float | None = None
    p_value: float | None = None
    verdict: Verdict = "unknown"


def exact_p(named: IntArray, known: IntArray, usual_named: IntArray, usual_known: IntArray) -> float:
    """Return P(at least so many failures name a supplier), given the margins of each product.

    Parameters
    ----------
    named, known : array of int, shape (product,)
        Failures of the time that name the supplier, and that name any.
    usual_named, usual_known : array of int, shape (product,)
        The same of the usual failures.

    Returns
    -------
    float
        One-sided exact conditional p-value; 1 where the margins leave no choice.
    """
    total = np.ones(1)
    for x, n, k, m in zip(named.tolist(), known.tolist(), usual_named.tolist(), usual_known.tolist(), strict=True):
        low, high = max(0, x + k - m), min(n, x + k)
        at = np.arange(low, high + 1)
        weight = _log_choose(n, at) + _log_choose(m, x + k - at)
        mass = np.exp(weight - weight.max())
        # From its least possible number on: the sums of products begin at the sum of these.
        total = np.convolve(total, mass / mass.sum())
    least = int(np.maximum(0, named + usual_named - usual_known).sum())
    return float(min(1.0, total[int(named.sum()) - least :].sum()))


def _log_choose(n: int, k: IntArray) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Failures with a known supplier as integers: product, supplier and firm (-1 for none); arrays of shape (failure,)."""

    product: IntArray
    supplier: IntArray
    firm: IntArray

    def table(self, supplier: int, products: int) -> tuple[IntArray, IntArray]:
        """Return failures that name ``supplier`` and that name any, by product."""
        hit = self.product[self.supplier == supplier]
        return np.bincount(hit, minlength=products), np.bincount(self.product, minlength=products)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One supplier: p-value, the least p-value that its margins allow, failures, firms, those of the worst firm, usual share."""

    p_value: float
    least_p: float
    same: int
    producers: int
    worst: int
    share: float

    def beyond(self, size: int) -> float:
        """Return how many of ``size`` failures are the supplier's beyond its usual share, were the others as usual."""
        return (self.same - self.share * size) / (1.0 - self.share) if self.share < 1.0 else 0.0


def standing_out(now: pd.DataFrame, usual: pd.DataFrame, rules: ScopeRules, *, expected: float = 0.0) -> SupplierFigures:
    """Return the figures of the supplier that stands out most among the failures of a time.

    Parameters
    ----------
    now, usual : pandas.DataFrame
        Failed samples of the time and before it: :data:`SUPPLIER_COLUMNS`, "" or missing where not known. The order of rows does not
        matter.
    rules : ScopeRules
        ``suppliers``, and the firms that must share one and the most that one of them may have.
    expected : float
        How many failures such a time usually has: those beyond it are what a shared supplier has to explain.
    """
    texts = {name: pd.concat([now[name], usual[name]]).astype("object") for name in SUPPLIER_COLUMNS}
    codes = {name: pd.factorize(column.where(column.notna() & (column != "")), sort=True)[0] for name, column in texts.items()}
    known = codes["supplier"] >= 0
    here = np.arange(len(known)) < len(now)
    # Failures whose product is not known are taken for one product of their own: code -1 becomes 0.
    first, before = (
        _Counts(codes["product"][part] + 1, codes["supplier"][part], codes["producer"][part]) for part in (known & here, known & ~here)
    )
    size, before_size = len(first.supplier), len(before.supplier)
    figures = SupplierFigures(failed=len(now), known=size, usual_known=before_size, expected=expected)
    if not size:
        return figures
    products = int(codes["product"].max()) + 2
    asked = [_ask(one, first, before, products) for one in np.unique(first.supplier).tolist()]
    best = min(asked, key=lambda one: (one.p_value, -one.same, -one.producers, one.worst, one.share))
    own = rules.suppliers
    p_value = min(1.0, best.p_value * _tarone([one.least_p for one in asked], own.p_value)) if before_size else None
    unusual = size * max(0.0, 1.0 - expected / len(now))
    explained = [one.beyond(size) for one in asked]
    shared = (
        p_value is not None
        and p_value < own.p_value
        and best.beyond(size) >= own.share * unusual
        and best.producers >= rules.min_producers
        and best.worst <= rules.largest_producer_share * best.same
    )
    # That none is shared is said only where none comes near: what small numbers leave to chance is neither.
    none = (
        p_value is not None
        and p_value >= own.p_value
        and max(explained) < own.share * unusual
        and unusual >= own.min_known
        and before_size >= own.min_known
    )
    return replace(
        figures,
        named=len(asked),
        same=best.same,
        producers=best.producers,
        usual_share=best.share if before_size else None,
        p_value=p_value,
        verdict="shared" if shared else "none" if none else "unknown",
    )


def _tarone(least: list[float], level: float) -> int:
    """Return by how many tests p-values are multiplied: the least number than which no more could fall below the level at it."""
    return next(number for number in range(1, len(least) + 2) if sum(p * number < level for p in least) <= number)


def _ask(supplier: int, first: _Counts, before: _Counts, products: int) -> _Asked:
    hit = first.supplier == supplier
    firms, times = np.unique(first.firm[hit & (first.firm >= 0)], return_counts=True)
    named, known = first.table(supplier, products)
    usual_named, usual_known = before.table(supplier, products)
    most = np.minimum(known, named + usual_named)
    some = usual_known > 0
    weight = known[some].astype(np.float64)
    share = float((weight * usual_named[some] / usual_known[some]).sum() / weight.sum()) if weight.sum() > 0 else 0.0
    return _Asked(
        exact_p(named, known, usual_named, usual_known),
        exact_p(most, known, named + usual_named - most, usual_known),
        int(hit.sum()),
        len(firms),
        int(times.max(initial=0)),
        share,
    )
