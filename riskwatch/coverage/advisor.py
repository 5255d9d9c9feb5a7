"""Where the next N samples tell most: a sampling plan by expected information, expected hazard found, or a mixture of both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.coverage.gains import allocate, hazard_gains, information_gains, totals, variance
from riskwatch.coverage.priors import posteriors
from riskwatch.coverage.rules import AdviceRules, CatalogueVersion
from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError

__all__ = ["OBJECTIVES", "PLAN", "Objective", "Worth", "advise", "worth"]

Objective = Literal["information", "hazard", "mixture"]
OBJECTIVES: tuple[Objective, ...] = ("information", "hazard", "mixture")
PLAN = (
    "product", "product_zh", "product_en", "region", "region_zh", "region_en", "n", "minimum", "objective_value", "information", "hazard",
    "expected_failures", "rate", "lower", "upper", "inspected", "failed", "last_sampled", "reason_zh", "reason_en",
)  # fmt: skip
"""Columns of a plan."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Worth:
    """Gains of every cell's n-th sample under both objectives, already weighted; arrays of shape (cells, most).

    Attributes
    ----------
    information : array
        Expected fall of posterior variance x weight x season x population share.
    hazard : array
        Expected worth of failures found x harm.
    a, b : array, shape (cells,)
        Posterior of the failure rate.
    """

    information: Floats
    hazard: Floats
    a: Floats
    b: Floats

    def mixed(self, share: float, samples: int, lower: Ints, upper: Ints) -> Floats:
        """Return ``share`` of information and the rest of hazard, each as a part of what N samples could reach of it alone."""
        parts = []
        for gains in (self.information, self.hazard):
            best = float(totals(gains, allocate(gains, samples, lower=lower, upper=upper)).sum())
            parts.append(gains / best if best > 0 else np.zeros_like(gains))
        return np.asarray(share * parts[0] + (1.0 - share) * parts[1])


def worth(cells: pd.DataFrame, priors: pd.DataFrame, catalogue: CatalogueVersion, rules: AdviceRules, *, as_of: dt.date) -> Worth:
    """Return what each further sample of each cell is worth.

    Parameters
    ----------
    cells : DataFrame
        :func:`riskwatch.coverage.priors.cell_counts`, sorted by product and region.
    priors : DataFrame
        ``product, rate, strength``.
    """
    a, b = posteriors(cells, priors)
    entries = {entry.product: entry for entry in catalogue.entries}
    of_cell = [entries[str(code)] for code in cells["product"]]
    season = np.array([rules.season_factor if as_of.month in entry.season else 1.0 for entry in of_cell])
    weight = np.array([entry.weight for entry in of_cell]) * season
    harm = np.array([rules.harm[entry.severity - 1] * (rules.vulnerable_factor if entry.vulnerable else 1.0) for entry in of_cell]) * season
    people = cells["population"].to_numpy(dtype=np.float64)
    # Shares of the mean region, so that the unit stays that of a variance; where any population is unknown all regions count alike.
    share = people / people.mean() if people.size and np.isfinite(people).all() and people.mean() > 0 else np.ones(people.size)
    return Worth(
        information=information_gains(a, b, rules.cell_maximum) * (weight * share)[:, None],
        hazard=hazard_gains(a, b, rules.cell_maximum, repeat_value=rules.repeat_value) * harm[:, None],
        a=a,
        b=b,
    )


def advise(
    cells: pd.DataFrame,
    frame: pd.DataFrame,
    priors: pd.DataFrame,
    trees: Mapping[str, Tree],
    catalogue: CatalogueVersion,
    *,
    rules: AdviceRules,
    samples: int,
    objective: Objective,
    as_of: dt.date,
    mixture: float | None = None,
) -> pd.DataFrame:
    """Return the plan that hands out N samples best.

    Cells that lack samples of the catalogue's minimum get them first, best cells first, until ``minimum_share`` of N is used; the rest
    goes wherever the next sample is worth most. Given these bounds the plan is optimal, not only good: gains fall with n.

    Parameters
    ----------
    cells : DataFrame
        :func:`riskwatch.coverage.priors.cell_counts`.
    frame : DataFrame
        :func:`riskwatch.coverage.coverage`, for the minima that are not met yet. Cells that it lacks have none.
    priors : DataFrame
        ``product, rate, strength``: see :func:`riskwatch.coverage.priors.priors_by_moments`.
    samples : int
        N, at least 1.
    objective : {"information", "hazard", "mixture"}
    mixture : float, optional
        Share of information in a mixture; default: the rules'.

    Returns
    -------
    DataFrame
        Columns :data:`PLAN`, cells with n > 0 only, most valuable first. ``objective_value`` is the gain of the cell's n samples under the
        objective, ``information`` and ``hazard`` under each of the two; ``minimum`` are those of the n that meet the catalogue's minimum;
        ``rate``, ``lower``, ``upper`` are the posterior mean and 95 % interval. ``plan.attrs`` holds ``unmet_minimum`` (samples the
        catalogue asks for beyond this plan) and ``unplaced`` (samples that found no room under the cells' maxima).

    Raises
    ------
    RecordError
        If N is below 1, the objective is unknown, the mixture is out of range, or a prior is missing.
    """
    if samples < 1:
        raise RecordError(f"advise: samples must be >= 1, got {samples}")
    if objective not in OBJECTIVES:
        raise RecordError(f"advise: objective must be one of {', '.join(OBJECTIVES)}, got {objective!r}")
    part = rules.mixture if mixture is None else mixture
    if not 0 <= part <= 1:
        raise RecordError(f"advise: mixture must lie between 0 and 1, got {part}")
    cells = cells.sort_values(["product", "region"], kind="stable", ignore_index=True)
    value = worth(cells, priors, catalogue, rules, as_of=as_of)
    upper = np.full(len(cells), rules.cell_maximum, dtype=np.int64)
    short = _shortfall(cells, frame, rules.level)
    asked = np.minimum(short, upper)
    none = np.zeros(len(cells), dtype=np.int64)
    reserve = int(min(asked.sum(), np.floor(rules.minimum_share * samples)))
    first = value.information if objective == "information" else value.hazard
    if objective == "mixture":
        first = value.mixed(part, samples, none, upper)
    lower = allocate(first, reserve, upper=asked)
    gains = value.mixed(part, samples, lower, upper) if objective == "mixture" else first
    n = allocate(gains, samples, lower=lower, upper=upper)
    plan = _table(cells, value, gains, n=n, minimum=np.minimum(n, short), trees=trees, catalogue=catalogue)
    plan.attrs["unmet_minimum"] = int(np.maximum(short - n, 0).sum())
    plan.attrs["unplaced"] = samples - int(n.sum())
    return plan


def _shortfall(cells: pd.DataFrame, frame: pd.DataFrame, level: str) -> Ints:
    """Return the samples that each cell still lacks of its minimum."""
    own = frame[(frame["level"] == level) & (frame["channel"] == "")]
    missing = np.ceil(own["expected"].to_numpy(np.float64) - (own["comparison"] + own["other"]).to_numpy(np.float64))
    lacking = pd.Series(np.maximum(missing, 0.0), index=pd.MultiIndex.from_frame(own[["product", "region"]]))
    found = lacking.reindex(pd.MultiIndex.from_frame(cells[["product", "region"]])).fillna(0.0)
    return found.to_numpy().astype(np.int64)


def _table(
    cells: pd.DataFrame,
    value: Worth,
    gains: Floats,
    *,
    n: Ints,
    minimum: Ints,
    trees: Mapping[str, Tree],
    catalogue: CatalogueVersion,
) -> pd.DataFrame:
    """Write the chosen cells as a plan."""
    products, regions = trees["product"], trees["region"]
    kept = np.flatnonzero(n > 0)
    out = cells.iloc[kept][["product", "region", "inspected", "failed", "last_sampled"]].reset_index(drop=True)
    a, b = value.a[kept], value.b[kept]
    out["n"], out["minimum"] = n[kept], minimum[kept]
    out["objective_value"] = totals(gains, n)[kept]
    out["information"], out["hazard"] = totals(value.information, n)[kept], totals(value.hazard, n)[kept]
    out["rate"], out["expected_failures"] = a / (a + b), n[kept] * a / (a + b)
    out["lower"], out["upper"] = special.betaincinv(a, b, 0.025), special.betaincinv(a, b, 0.975)
    for language in ("zh", "en"):
        out[f"product_{language}"] = [products.name(str(code), language) for code in out["product"]]
        out[f"region_{language}"] = [regions.name(str(code), language) for code in out["region"]]
    spread = np.sqrt(variance(a, b))
    reasons = [
        _reason(row, sd, catalogue.entry(str(row["product"]))) for row, sd in zip(out.to_dict("records"), spread.tolist(), strict=True)
    ]
    out["reason_zh"], out["reason_en"] = [zh for zh, _ in reasons], [en for _, en in reasons]
    out = out.sort_values(["objective_value", "product", "region"], ascending=[False, True, True], kind="stable", ignore_index=True)
    return out[list(PLAN)]


def _reason(row: Mapping[object, object], spread: float, entry: object) -> tuple[str, str]:
    """Say why a cell is in the plan."""
    last = pd.Timestamp(str(row["last_sampled"])) if not pd.isna(row["last_sampled"]) else None  # type: ignore[call-overload] # a scalar
    rate, low, high = (100 * float(str(row[name])) for name in ("rate", "lower", "upper"))
    zh = [f"不合格率估计 {rate:.1f}%（区间 {low:.1f}%～{high:.1f}%）"]
    en = [f"failure rate put at {rate:.1f}% ({low:.1f}% to {high:.1f}%)"]
    if last is None:
        zh.append("近年无样本")
        en.append("no sample in recent years")
    else:
        zh.append(f"可比样本 {row['inspected']}，最近抽样 {last.date()}")
        en.append(f"{row['inspected']} comparable samples, last sampled {last.date()}")
    if row["minimum"]:
        zh.append(f"补足目录下限 {row['minimum']}")
        en.append(f"{row['minimum']} to meet the catalogue's minimum")
    if spread * 100 >= rate / 2:
        zh.append("所知甚少")
        en.append("little is known")
    reason = getattr(entry, "reason", None)
    if reason is not None:
        zh.append(f"列入目录：{reason.zh}")
        en.append(f"in the catalogue for: {reason.en}")
    return "；".join(zh), "; ".join(en)
