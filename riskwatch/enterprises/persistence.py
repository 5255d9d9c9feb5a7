"""Is an enterprise worse than its kind? Failure rates drawn towards those of its stratum, so that one failure of one sample is not 100 %.

Within a stratum (the producers of one product, say) the failures of an enterprise are beta-binomial: its own rate comes from a beta
distribution with the stratum's mean and scatter, both fitted by penalised likelihood (Griffiths 1973; empirical Bayes, Robbins 1956).
What is then known of its rate is again a beta distribution. The p-value asks how often an enterprise of the stratum would show so many
failures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

from riskwatch.enterprises.identity import enterprise_ids, is_claimed, is_recheck, texts
from riskwatch.enterprises.rules import Shrinkage
from riskwatch.rates.beta_binomial import tail

__all__ = ["PERSISTENCE_COLUMNS", "fit_beta_binomial", "persistence"]

FloatArray = npt.NDArray[np.float64]

PERSISTENCE_COLUMNS = (
    "enterprise", "samples", "failed", "rate", "stratum_samples", "stratum_rate", "scatter", "own_stratum", "shrunk", "lower", "upper",
    "p_value",
)  # fmt: skip
_SCATTER = (1e-6, 0.9)  # bounds of the intra-class correlation; the lower one is a binomial for all purposes here


def fit_beta_binomial(failed: FloatArray, samples: FloatArray, *, scatter_weight: float = 0.0) -> tuple[float, float]:
    """Fit mean and intra-class correlation of a beta-binomial by maximum likelihood.

    Parameters
    ----------
    failed, samples : array, shape (enterprise,)
        Counts; enterprises without samples say nothing.
    scatter_weight : float
        Weight of a prior against scatter, Beta(1, 1 + weight); 0 is maximum likelihood. Where most enterprises have one sample, a handful
        of failures says next to nothing about scatter, and the likelihood alone may run to its bound.

    Returns
    -------
    mean, scatter : float
        ``scatter`` = 1 / (a + b + 1), 0 for a binomial. NaN where nothing or everything failed, or there are no samples.
    """
    used = samples > 0
    x, n = failed[used], samples[used]
    total, trials = float(x.sum()), float(n.sum())
    if not 0.0 < total < trials:
        return np.nan, np.nan
    # Equal pairs are one term: the same numbers whatever the order of the enterprises.
    pairs, weight = np.unique(np.stack([x, n], axis=1), axis=0, return_counts=True)
    x, n = pairs[:, 0], pairs[:, 1]

    def cost(theta: FloatArray) -> float:
        mean, scatter = special.expit(theta[0]), special.expit(theta[1])
        size = (1.0 - scatter) / scatter
        a, b = mean * size, (1.0 - mean) * size
        return -scatter_weight * float(np.log1p(-scatter)) - float(weight @ (special.betaln(x + a, n - x + b) - special.betaln(a, b)))

    bounds = [(special.logit(1e-7), special.logit(1.0 - 1e-7)), tuple(special.logit(np.array(_SCATTER)))]
    start = np.array([special.logit(total / trials), special.logit(0.05)])
    found = optimize.minimize(cost, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-9})
    return float(special.expit(found.x[0])), float(special.expit(found.x[1]))


def persistence(
    records: pd.DataFrame, rules: Shrinkage, *, by: Sequence[str] = ("product",), selections: Sequence[str] = ("random",)
) -> pd.DataFrame:
    """Compare every enterprise with its stratum.

    Parameters
    ----------
    records : DataFrame
        ``producer, selection, verdict, inspected, failed`` and the columns of ``by``; rechecks and denied failures are left out.
    rules : Shrinkage
        From which size a stratum has its own rate; smaller ones take that of all samples.
    by : sequence of str
        Columns that make a stratum; an enterprise in several has a row in each.
    selections : sequence of str
        Only samples drawn so: a targeted sample says what the inspector expected.

    Returns
    -------
    DataFrame
        ``by`` and :data:`PERSISTENCE_COLUMNS`, smallest p-value first. ``shrunk`` is the mean of what is known of the enterprise's rate,
        ``lower`` and ``upper`` its quantiles; ``scatter`` the intra-class correlation of the stratum; ``own_stratum`` False where that of
        all samples was taken. The p-value is P(as many failures or more) for an enterprise of the stratum.
    """
    groups = list(by)
    chosen = np.isin(texts(records, "selection"), list(selections)) & ~is_recheck(records) & ~is_claimed(records)
    names = enterprise_ids(records)
    chosen &= names != ""
    rows = pd.DataFrame({"enterprise": names, **{name: texts(records, name) for name in groups}})
    rows["samples"], rows["failed"] = records["inspected"].to_numpy(np.float64), records["failed"].to_numpy(np.float64)
    table = rows[chosen].groupby([*groups, "enterprise"], sort=True)[["samples", "failed"]].sum().reset_index()
    if table.empty:
        return pd.DataFrame(columns=[*groups, *PERSISTENCE_COLUMNS])
    everybody = fit_beta_binomial(table["failed"].to_numpy(), table["samples"].to_numpy(), scatter_weight=rules.scatter_weight)
    parts = []
    for _, part in table.groupby(groups, sort=True) if groups else [((), table)]:
        x, n = part["failed"].to_numpy(np.float64), part["samples"].to_numpy(np.float64)
        enough = n.sum() >= rules.min_samples and (n > 0).sum() >= rules.min_enterprises
        fitted = fit_beta_binomial(x, n, scatter_weight=rules.scatter_weight) if enough else (np.nan, np.nan)
        own = bool(np.isfinite(fitted[0]))
        rate, spread = fitted if own else everybody
        parts.append(part.assign(stratum_samples=n.sum(), stratum_rate=rate, scatter=spread, own_stratum=own))
    out = pd.concat(parts, ignore_index=True)
    x, n, mean, scatter = (out[name].to_numpy(np.float64) for name in ("failed", "samples", "stratum_rate", "scatter"))
    size = (1.0 - scatter) / scatter
    a, b = mean * size, (1.0 - mean) * size
    edge = (1.0 - rules.level) / 2.0
    out["rate"], out["shrunk"] = x / n, (x + a) / (n + a + b)
    out["lower"], out["upper"] = special.betaincinv(x + a, n - x + b, edge), special.betaincinv(x + a, n - x + b, 1.0 - edge)
    out["p_value"] = tail(x, n, a, b)
    out[["samples", "failed", "stratum_samples"]] = out[["samples", "failed", "stratum_samples"]].astype("int64")
    out = out.sort_values(["p_value", *groups, "enterprise"], kind="stable", ignore_index=True)
    return out[[*groups, *PERSISTENCE_COLUMNS]]
