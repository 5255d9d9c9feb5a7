"""Lists of what is getting worse: one row per series, ranked on what its slope is at least.

A list ranks effects, not p-values: among large series every slope is significant. The lower bound of the slope is the effect that the
data vouch for; q-values say how many of those listed may be chance. Falling failures are no worsening, whatever their p-value.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from riskwatch.errors import TrendError
from riskwatch.panel import LEVELS, Panel
from riskwatch.panel.matrix import key_frame
from riskwatch.trends.judge import judge
from riskwatch.trends.rules import BY, TrendRules

__all__ = ["REASONS", "comparable", "worsening"]

REASONS = ("worse", "uncertain", "falling", "too-few-cases", "too-short", "no-fit")
"""What a row may say: the first three were judged."""


def comparable(panel: Panel, rules: TrendRules, by: str | None = None) -> Panel:
    """Return the series that one list may compare.

    Parameters
    ----------
    panel : Panel
        As built from records: its index has the levels product, industry, region and stratum.
    rules : TrendRules
        Strata that name a selection other than ``comparable_selections`` are left out.
    by : {"product", "industry", "region"}, optional
        Series of this dimension alone, summed over the other two; None: all series.

    Raises
    ------
    TrendError
        If ``by`` is none of these or the panel's index has other levels.
    """
    if by is not None and by not in BY:
        raise TrendError(f"trends: by must be one of {', '.join(BY)}, got {by!r}")
    if list(panel.index.names) != list(LEVELS):
        raise TrendError(f"trends: the panel's index must have the levels {', '.join(LEVELS)}, got {list(panel.index.names)}")
    keys = panel.index.to_frame(index=False).astype(str)
    kept = np.array([_comparable(text, rules) for text in keys["stratum"]], np.bool_)
    if by is not None:
        for name in BY:
            kept = kept & ((keys[name] != "") == (name == by)).to_numpy()
    return panel.select(kept)


def _comparable(stratum: str, rules: TrendRules) -> bool:
    named = [part.partition("=")[2] for part in stratum.split(",") if part.strip().startswith("selection=")]
    return all(name in rules.comparable_selections for name in named)


def worsening(panel: Panel, rules: TrendRules, *, model: str | None = None) -> pd.DataFrame:
    """Rank the series of a panel by how surely and how fast they get worse.

    Parameters
    ----------
    panel : Panel
        Failures out of inspections where there is exposure, counts otherwise; ripe periods only, complete.
    rules : TrendRules
    model : str, optional
        Whose threshold is taken.

    Returns
    -------
    DataFrame
        One row per series, best known worsening first:

        * the levels of the index (``series`` without names);
        * ``slope_percent_per_year``, ``lower``, ``upper``: change over the last year, per cent of the level (Mann-Kendall: of its mean);
        * ``method``: "glm-poisson", "glm-binomial" or "mann-kendall"; "" where refused;
        * ``p_value``: one-sided, of no worsening; ``q_value``: Benjamini and Hochberg's over all judged rows;
        * ``level_now``, ``level_now_lower``, ``level_now_upper``: cases a period, or share failed, without season;
        * ``change_point``: first day of the newest level, NaT without a change; ``change_ratio``: that level over the one before;
        * ``forecast_<h>``, ``..._lower``, ``..._upper``: cases in the h-th coming period, or share failed of the usual inspections;
        * ``threshold``, ``probability_crossing``: of the level at the longest horizon;
        * ``n_periods``, ``total``: known periods and their cases;
        * ``rank``: by ``lower``, from 1; missing where refused;
        * ``reason``: one of :data:`REASONS`.

        Attributes (``frame.attrs``): ``rolling``, the rows of :func:`riskwatch.trends.rolling.rolling_origin` as dicts.
    """
    found = judge(panel, rules, rules.threshold(model))
    frame = pd.concat([key_frame(panel.index, 1), pd.DataFrame(found.columns)], axis=1)
    keys = [str(name) for name in frame.columns[: len(frame.columns) - len(found.columns)]]
    p_value = frame["p_value"].to_numpy(np.float64)
    judged = np.isfinite(p_value)
    frame["reason"] = found.refusal
    frame["q_value"] = np.nan
    if judged.any():
        frame.loc[judged, "q_value"] = stats.false_discovery_control(p_value[judged])
    sure = (frame["lower"] > rules.min_percent_per_year) & (frame["q_value"] <= rules.q_listed)
    said = np.where(sure, "worse", np.where(frame["slope_percent_per_year"] < 0, "falling", "uncertain"))
    frame["reason"] = np.where(judged, said, np.where(found.refusal == "", "no-fit", found.refusal))
    frame.loc[~judged, "method"] = ""
    frame["_judged"] = ~judged
    # Without a known lower end (too few blocks for one) nothing is vouched for: behind all that have one.
    order, rising = ["_judged", "lower", "p_value", *keys], [True, False, *[True] * (len(keys) + 1)]
    frame = frame.sort_values(order, ascending=rising, na_position="last")
    frame = frame.drop(columns="_judged").reset_index(drop=True)
    count = int(judged.sum())
    frame["rank"] = pd.array([*range(1, count + 1), *[pd.NA] * (len(frame) - count)], dtype="Int64")
    tail = ["threshold", "probability_crossing", "n_periods", "total", "rank", "reason"]
    ahead = [name for name in frame.columns if name.startswith("forecast_")]
    head = [*keys, "slope_percent_per_year", "lower", "upper", "method", "p_value", "q_value"]
    frame = frame[[*head, "level_now", "level_now_lower", "level_now_upper", "change_point", "change_ratio", *ahead, *tail]]
    frame.attrs["rolling"] = found.rolling.to_dict("records")
    frame.attrs["model"] = model
    return frame
