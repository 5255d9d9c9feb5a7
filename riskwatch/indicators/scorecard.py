"""Fair comparison of regions: failure rate, coverage, closure and targets, each scored apart and shown side by side.

There is no blended score and no league table: one number would reward regions that sample little. A low failure rate where little was
sampled is called not comparable (Goodhart's law: a measure that becomes a target ceases to be a good measure).

The funnel compares each region with all: z on the arcsine scale, where the variance of a share does not depend on its size. Spread
beyond chance is estimated from winsorised z and added to the variance, so that regions are called out for standing apart from the usual
spread, not for being large.

Sources
-------
Spiegelhalter (2005), Statistics in Medicine 24(8), 1185-1202 (funnel plots); Spiegelhalter (2005), Qual. Saf. Health Care 14(5), 347-351
(over-dispersion: additive random effects, winsorised).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.errors import RiskwatchError
from riskwatch.indicators.rules import ScorecardRules

__all__ = ["SCORECARD_COLUMNS", "funnel", "scorecard"]

FloatArray = npt.NDArray[np.float64]

SCORECARD_COLUMNS = [
    "region", "inspected", "raw", "rate", "rate_lower", "rate_upper", "centre", "z", "position", "cells", "covered", "coverage", "orders",
    "due", "closed_in_time", "closure", "closure_lower", "closure_upper", "targets_scored", "targets_met", "targets_at_risk", "comparable",
    "flags",
]  # fmt: skip
_NEEDED = {
    "rates": ("code", "inspected", "raw", "rate", "lower", "upper"),
    "coverage": ("region", "cells", "covered", "share"),
    "closure": ("region", "orders", "due", "closed_in_time", "share", "lower", "upper"),
    "targets": ("region", "kind", "state", "risk"),
}


def funnel(
    rate: FloatArray, lower: FloatArray, upper: FloatArray, inspected: FloatArray, *, level: float, winsorise: float
) -> tuple[FloatArray, float, float]:
    """Return the z of each region against all, the centre, and the standard deviation between regions (arcsine scale).

    Parameters
    ----------
    rate, lower, upper : array, shape (region,)
        Standardised rates, in [0, 1], with their intervals; the interval says how sure each rate is. NaN: left out.
    inspected : array, shape (region,)
        Samples; the centre is the mean rate weighted by them.
    level : float
        Coverage of the intervals.
    winsorise : float
        Share at each end that is pulled in before the spread is estimated.

    Returns
    -------
    z : array, shape (region,)
    centre : float
        NaN where there are no regions.
    between : float
        0 where the spread is no larger than chance, or with fewer than three regions.
    """
    known = np.isfinite(rate) & np.isfinite(lower) & np.isfinite(upper) & (inspected > 0)
    z = np.full(rate.shape, np.nan)
    if not known.any():
        return z, float("nan"), 0.0
    weight = inspected[known]
    centre = math.fsum((rate[known] * weight).tolist()) / math.fsum(weight.tolist())
    arc = [np.arcsin(np.sqrt(np.clip(part[known], 0.0, 1.0))) for part in (rate, lower, upper)]
    sd = np.maximum((arc[2] - arc[1]) / (2.0 * float(special.ndtri(0.5 + level / 2.0))), 1e-12)
    plain = (arc[0] - math.asin(math.sqrt(min(max(centre, 0.0), 1.0)))) / sd
    between = _between(plain, sd, winsorise)
    z[known] = plain * sd / np.sqrt(sd**2 + between**2)
    return z, centre, between


def _between(z: FloatArray, sd: FloatArray, winsorise: float) -> float:
    """Return the standard deviation between regions by the moment estimator, from winsorised z."""
    count = len(z)
    if count < 3:
        return 0.0
    pulled = np.clip(z, *np.quantile(z, [winsorise, 1.0 - winsorise]))
    phi = math.fsum((pulled**2).tolist()) / count
    weights = 1.0 / sd**2
    whole = math.fsum(weights.tolist())
    below = whole - math.fsum((weights**2).tolist()) / whole
    return math.sqrt(max(count * phi - (count - 1), 0.0) / below) if below > 0.0 else 0.0


def scorecard(
    rates: pd.DataFrame,
    coverage: pd.DataFrame,
    closure: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    rules: ScorecardRules,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return one row per region with its four parts side by side.

    Parameters
    ----------
    rates : DataFrame
        ``code`` (region), ``inspected``, ``raw``, ``rate`` (standardised), ``lower``, ``upper``: failure rates in [0, 1] of random
        samples of one stratum.
    coverage : DataFrame
        ``region, cells, covered, share``: how much of what ought to be sampled was.
    closure : DataFrame
        ``region, orders, due, closed_in_time, share, lower, upper``: orders to correct that were met in time.
    targets : DataFrame
        From :func:`riskwatch.indicators.attainment.attainment`; only targets of kind q are counted.
    rules : ScorecardRules
        What is too little.
    level : float
        Coverage of the rates' intervals.

    Returns
    -------
    DataFrame
        :data:`SCORECARD_COLUMNS`, sorted by region code: an order that ranks nobody. ``position``: "high" or "low" (beyond the action
        limits), "rather-high" or "rather-low" (beyond the warning limits), "usual", "not-comparable" or "" (no rate). ``comparable`` is
        False where too little was sampled, or where nobody knows how much ought to have been. ``flags`` are separated by ";":
        "too-little-sampled", "coverage-unknown", "few-samples", "closure-unknown", "no-rate".

    Raises
    ------
    RiskwatchError
        If columns are missing, or a region is in a frame twice.
    """
    frames = {"rates": rates, "coverage": coverage, "closure": closure, "targets": targets}
    for name, needed in _NEEDED.items():
        missing = [column for column in needed if column not in frames[name].columns]
        if missing:
            raise RiskwatchError(f"scorecard: {name} needs the columns {', '.join(needed)}, missing {', '.join(missing)}")
    named = {
        "rates": rates.rename(columns={"code": "region", "lower": "rate_lower", "upper": "rate_upper"}),
        "coverage": coverage.rename(columns={"share": "coverage"}),
        "closure": closure.rename(columns={"share": "closure", "lower": "closure_lower", "upper": "closure_upper"}),
    }
    for name, frame in named.items():
        double = frame.loc[frame["region"].duplicated(), "region"]
        if len(double):
            raise RiskwatchError(f"scorecard: {name} must have each region once, {double.iloc[0]} is there twice")
    regions = sorted({str(code) for frame in (*named.values(), targets) for code in frame["region"]})
    table = pd.DataFrame({"region": pd.Series(regions, dtype="object")})
    for frame in named.values():
        columns = [name for name in frame.columns if name in SCORECARD_COLUMNS]
        table = table.merge(frame[columns].astype({"region": "object"}), on="region", how="left")
    table = table.merge(_counts(targets), on="region", how="left").fillna({"targets_scored": 0, "targets_met": 0, "targets_at_risk": 0})
    rate, lower, upper, inspected = (table[name].to_numpy(dtype=np.float64) for name in ("rate", "rate_lower", "rate_upper", "inspected"))
    z, centre, _ = funnel(rate, lower, upper, inspected, level=level, winsorise=rules.winsorise)
    table["centre"], table["z"] = centre, z
    judged = [_judge(row, rules) for row in table.to_dict("records")]
    table["position"] = [position for position, _ in judged]
    table["flags"] = [";".join(flags) for _, flags in judged]
    table["comparable"] = [not {"too-little-sampled", "coverage-unknown", "few-samples", "no-rate"} & set(flags) for _, flags in judged]
    counts = ["targets_scored", "targets_met", "targets_at_risk"]
    return table.astype(dict.fromkeys(counts, "int64"))[SCORECARD_COLUMNS]


def _counts(targets: pd.DataFrame) -> pd.DataFrame:
    scored = targets.loc[((targets["kind"] == "q") & (targets["state"] != "unknown")).to_numpy()]
    frame = pd.DataFrame(
        {
            "region": scored["region"].astype("object"),
            "targets_scored": 1,
            # A figure that has stopped coming stands for nothing any more.
            "targets_met": (scored["state"].isin(["attained", "reached"]) & (scored["risk"] != "lost")).astype(np.int64),
            "targets_at_risk": (scored["risk"] == "at-risk").astype(np.int64),
        }
    )
    return frame.groupby("region", as_index=False).sum()


def _judge(row: Mapping[Hashable, float], rules: ScorecardRules) -> tuple[str, list[str]]:
    """Return position and flags of one region."""
    flags = []
    z, share, inspected = float(row["z"]), float(row["coverage"]), float(row["inspected"])
    if not np.isfinite(z):
        flags.append("no-rate")
    elif inspected < rules.min_inspected:
        flags.append("few-samples")
    if not np.isfinite(share):
        flags.append("coverage-unknown")
    elif share < rules.min_coverage:
        flags.append("too-little-sampled")
    if not np.isfinite(float(row["closure"])):
        flags.append("closure-unknown")
    if not np.isfinite(z):
        return "", flags
    doubtful = {"few-samples", "coverage-unknown", "too-little-sampled"} & set(flags)
    # A low rate is no merit where little was sampled; a clearly high one is a finding all the same.
    if doubtful and z < rules.warning_z:
        return "not-comparable", flags
    if abs(z) < rules.warning_z:
        return "usual", flags
    side = "high" if z > 0 else "low"
    return (side if abs(z) >= rules.alarm_z else f"rather-{side}"), flags
