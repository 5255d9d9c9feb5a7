"""Monthly spot checks with a known hierarchy of failure rates, targeted campaigns and injected rises: a simulation study.

The choices were written down before any method was run on them; docs/benchmarks.md lists them. What is simulated is the single sample: it
belongs to a batch of an enterprise, is drawn at random or because something was suspected, and is tested by a laboratory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.panel import Panel

__all__ = ["SELECTIONS", "RateStudy", "simulate_rates"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

SELECTIONS = ("random", "targeted")
# Standard deviations on the log odds.
_CATEGORY, _PRODUCT, _CELL, _REGION, _LABORATORY, _ENTERPRISE, _BATCH = 0.5, 0.5, 0.3, 0.2, 0.3, 0.5, 0.8
_MONTH, _TREND = 0.15, 0.1  # of a product in a month; of a category per year
_TYPICAL_RATE = 0.05
_TARGETED, _TARGETED_SPREAD = math.log(3.0), 0.3  # log odds ratio of targeted to random samples, by product
_SAMPLES, _SAMPLES_SPREAD = 3.0, 0.9  # median of a cell's random samples in a month in which it is sampled, and spread of its log
_SHARE_TARGETED, _SHARE_SPREAD = 0.35, 0.5  # targeted samples per random one, median and spread of its log
_SAMPLED = (0.75, 0.5)  # share of months with random, with targeted samples
_CAMPAIGN, _MORE = 0.08, 6.0  # share of months in which a category has a campaign; targeted samples are then this many times as many
_ENTERPRISES, _LABORATORIES, _AT_HOME, _BATCH_SIZES = 8, 6, 0.7, 3


@dataclass(frozen=True, eq=False)
class RateStudy:
    """Simulated spot checks with the truth about them.

    Cells are product x region; series are cells x selection, all of the random samples first.

    Attributes
    ----------
    panel : Panel
        Failed and inspected by series and month, with the injected rises; stratum is "selection=random" or "selection=targeted".
    twin : Panel
        The same samples without the rises.
    cells : DataFrame
        One row per cell: category, product, region.
    odds_ratio : array, shape (cell, month)
        By which the odds of failure are raised; 1 where they are not.
    campaign : array of bool, shape (cell, month)
        Months with a targeted campaign.
    log_odds : array, shape (series, month)
        True log odds of failure without the rise, for a typical enterprise, batch and laboratory.
    judged : int
        So many newest months hold rises.
    laboratories : tuple of str
    by_laboratory : array, shape (3, laboratory, series, month)
        Failed in ``panel``, failed in ``twin``, inspected.
    """

    panel: Panel
    twin: Panel
    cells: pd.DataFrame
    odds_ratio: FloatArray
    campaign: npt.NDArray[np.bool_]
    log_odds: FloatArray
    judged: int
    laboratories: tuple[str, ...]
    by_laboratory: FloatArray

    def pooled(self, panel: Panel) -> Panel:
        """Return a panel of the study with random and targeted samples added up, one series per cell."""
        inspected = _per_cell(panel.exposure)
        return Panel(
            np.where(inspected > 0, _per_cell(np.nan_to_num(panel.observed)), np.nan), _index(self.cells, ""), panel.periods, inspected
        )


def simulate_rates(
    rng: np.random.Generator,
    *,
    categories: int = 8,
    products: int = 6,
    regions: int = 9,
    months: int = 60,
    judged: int = 12,
    odds_ratios: tuple[float, ...] = (2.0, 3.0, 5.0, 8.0),
    rise_share: float = 0.15,
    rise_months: int = 3,
) -> RateStudy:
    """Simulate spot checks by product, region, month and selection.

    Parameters
    ----------
    rng : numpy.random.Generator
    categories, products, regions : int
        Categories, products of each, regions.
    months, judged : int
        Length in months; rises begin in the newest ``judged``.
    odds_ratios : tuple of float
        Odds ratios of the rises, in turn.
    rise_share, rise_months : float, int
        Share of cells with one rise, and how long it lasts (less where the study ends).

    Returns
    -------
    RateStudy
    """
    number = np.arange(categories * products * regions)
    product, region = number // regions, number % regions
    category = product // products
    cells = pd.DataFrame(
        {
            "category": [f"{at + 1:02d}" for at in category],
            "product": [f"{c + 1:02d}{p % products + 1:02d}" for c, p in zip(category, product, strict=True)],
            "region": [f"r{at + 1}" for at in region],
        }
    )
    years = (np.arange(months) - months + judged) / 12.0
    base = (
        special.logit(_TYPICAL_RATE)
        + rng.normal(0, _CATEGORY, categories)[category, None]
        + rng.normal(0, _PRODUCT, categories * products)[product, None]
        + rng.normal(0, _CELL, len(number))[:, None]
        + rng.normal(0, _REGION, regions)[region, None]
        + rng.normal(0, _TREND, categories)[category, None] * years
        + rng.normal(0, _MONTH, (categories * products, months))[product]
    )
    gap = rng.normal(_TARGETED, _TARGETED_SPREAD, categories * products)[product, None]
    campaign = (rng.random((categories, months)) < _CAMPAIGN)[category]
    odds_ratio = _rises(rng, (len(number), months), judged, odds_ratios, share=rise_share, length=rise_months)
    log_odds = np.vstack([base, base + gap])
    batches = _batches(rng, len(number), months, campaign)
    series, month, sizes = batches
    cell = series % len(number)
    enterprise = rng.integers(0, _ENTERPRISES, len(series))
    home = rng.integers(0, _LABORATORIES, regions)[region[cell]]
    laboratory = np.where(rng.random(len(series)) < _AT_HOME, home, rng.integers(0, _LABORATORIES, len(series)))
    eta = (
        log_odds[series, month]
        + rng.normal(0, _ENTERPRISE, (len(number), _ENTERPRISES))[cell, enterprise]
        + rng.normal(0, _BATCH, len(series))
        + rng.normal(0, _LABORATORY, _LABORATORIES)[laboratory]
    )
    of = np.repeat(np.arange(len(series)), sizes)
    draw = rng.random(len(of))  # one draw for both panels: they differ in the rises only
    risen = draw < special.expit(eta + np.log(odds_ratio[cell, month]))[of]
    quiet = draw < special.expit(eta)[of]
    place = (laboratory * 2 * len(number) + series) * months + month
    shape = (_LABORATORIES, 2 * len(number), months)
    parts = np.stack(
        [np.bincount(place[of], weights, minlength=math.prod(shape)).reshape(shape) for weights in (risen, quiet, np.ones(len(of)))]
    )
    by_laboratory = np.asarray(parts, dtype=np.float64)
    failed, twin_failed, inspected = by_laboratory.sum(axis=1)
    index = _index(cells, *(f"selection={name}" for name in SELECTIONS))
    periods = pd.period_range("2020-01", periods=months, freq="M")
    panel, twin = (Panel(np.where(inspected > 0, x, np.nan), index, periods, inspected) for x in (failed, twin_failed))
    names = tuple(f"lab{at + 1}" for at in range(_LABORATORIES))
    return RateStudy(panel, twin, cells, odds_ratio, campaign, log_odds, judged, names, by_laboratory)


def _rises(
    rng: np.random.Generator, shape: tuple[int, int], judged: int, odds_ratios: tuple[float, ...], *, share: float, length: int
) -> FloatArray:
    """Return the odds ratio by cell and month; the ratios take turns over the cells that have a rise."""
    cells, months = shape
    out = np.ones(shape)
    chosen = rng.permutation(cells)[: round(share * cells)]
    start = rng.integers(months - judged, months, len(chosen))
    for at, (cell, first) in enumerate(zip(chosen.tolist(), start.tolist(), strict=True)):
        out[cell, first : first + length] = odds_ratios[at % len(odds_ratios)]
    return out


def _batches(rng: np.random.Generator, cells: int, months: int, campaign: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray, IntArray]:
    """Return series, month and number of samples of each batch."""
    usual = rng.lognormal(math.log(_SAMPLES), _SAMPLES_SPREAD, cells)
    targeted = usual * rng.lognormal(math.log(_SHARE_TARGETED), _SHARE_SPREAD, cells)
    mean = np.vstack([np.repeat(usual[:, None], months, axis=1), targeted[:, None] * np.where(campaign, _MORE, 1.0)])
    takes_place = rng.random(mean.shape) < np.repeat(_SAMPLED, cells)[:, None]
    takes_place[cells:] |= campaign
    samples = rng.poisson(mean * takes_place)
    series, month = np.nonzero(samples)
    left = samples[series, month]
    parts: list[tuple[IntArray, IntArray, IntArray]] = []
    while left.size:
        size = np.minimum(rng.integers(1, _BATCH_SIZES + 1, left.size), left)
        parts.append((series, month, size))
        more = left > size
        series, month, left = series[more], month[more], (left - size)[more]
    made = [np.concatenate(part).astype(np.intp) for part in zip(*parts, strict=True)]
    return made[0], made[1], made[2]


def _per_cell(values: FloatArray | None) -> FloatArray:
    """Return random and targeted series added up."""
    if values is None:
        msg = "a panel of the study has exposure"
        raise TypeError(msg)
    half = len(values) // 2
    return np.asarray(values[:half] + values[half:])


def _index(cells: pd.DataFrame, *strata: str) -> pd.MultiIndex:
    """Return the keys of the series: cells of the first stratum, then of the next."""
    return pd.MultiIndex.from_tuples(
        [(product, "", region, stratum) for stratum in strata for product, region in zip(cells["product"], cells["region"], strict=True)],
        names=["product", "industry", "region", "stratum"],
    )
