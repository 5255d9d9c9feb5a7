"""Do notices lead? Shares of months followed by a local alarm, after notices and otherwise, with intervals over cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.errors import RiskwatchError

__all__ = ["Lead", "lead"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lead:
    """What notices say about the alarms that follow them.

    Attributes
    ----------
    cells, months : int
        Cells (product x hazard) and cell-months that could be judged.
    after_notice, otherwise : int
        Cell-months with and without a notice in the months before.
    share_after, share_otherwise : float
        Share of them that an alarm follows; NaN where there are none.
    ratio : tuple of float
        Likelihood ratio of a notice: P(notice before | alarm follows) / P(notice before | none follows); estimate, lower, upper.
    within : tuple of float
        Risk ratio after Mantel and Haenszel with each cell as a stratum: what is left when a cell is compared with itself only.
    placebo : tuple of float
        As ``within``, with notices that came after the months in which alarms were looked for. They cannot have led: what this
        shows is fashion common to both, not lead.
    """

    cells: int
    months: int
    after_notice: int
    otherwise: int
    share_after: float
    share_otherwise: float
    ratio: tuple[float, float, float]
    within: tuple[float, float, float]
    placebo: tuple[float, float, float]


def _any_of(flags: BoolArray, first: int, last: int) -> BoolArray:
    """Return whether any month from ``first`` to ``last`` (relative, both included) is flagged; outside of the data nothing is."""
    months = flags.shape[1]
    total = np.concatenate([np.zeros((len(flags), 1), dtype=np.int64), np.cumsum(flags, axis=1, dtype=np.int64)], axis=1)
    here = np.arange(months)
    low, high = np.clip(here + first, 0, months), np.clip(here + last + 1, 0, months)
    return np.asarray(total[:, high] > total[:, low], dtype=np.bool_)


def _ratio(table: FloatArray) -> float:
    """Return the likelihood ratio of ``table`` = (both, notice only, alarm only, neither)."""
    both, notice, alarm, neither = table
    followed, quiet = both + alarm, notice + neither
    return float((both / followed) / (notice / quiet)) if followed and quiet and notice else float("nan")


def _within(tables: FloatArray) -> float:
    """Return the Mantel-Haenszel risk ratio over ``tables`` of shape (cells, 4)."""
    both, notice, alarm, neither = tables.T
    size = tables.sum(axis=1)
    size = np.where(size > 0, size, 1.0)
    above, below = float((both * (alarm + neither) / size).sum()), float((alarm * (both + notice) / size).sum())
    return above / below if below else float("nan")


def _tables(exposed: BoolArray, followed: BoolArray, judged: BoolArray) -> FloatArray:
    parts = (exposed & followed, exposed & ~followed, ~exposed & followed, ~exposed & ~followed)
    return np.stack([(part & judged).sum(axis=1) for part in parts], axis=1).astype(np.float64)


def lead(
    notices: BoolArray,
    alarms: BoolArray,
    judged: BoolArray,
    *,
    ahead: int = 6,
    behind: int = 6,
    draws: int = 999,
    seed: int = 5,
    groups: npt.NDArray[np.int64] | None = None,
) -> Lead:
    """Compare months after notices with other months of the same cells.

    A cell-month counts where it is itself judged and free of alarm, and all ``ahead`` months after it lie in the data and one of them at
    least is judged. Intervals are percentile bootstrap over cells (months of one cell hang together), 95 %.

    Parameters
    ----------
    notices, alarms, judged : array of bool, shape (cells, months)
        Whether a notice came, whether the local series was in alarm, whether it could be.
    ahead, behind : int
        Months looked ahead for alarms, and back for notices (the month itself included).
    draws, seed : int
        Of the bootstrap.
    groups : array of int, optional
        Cells of one group are drawn together (countries that share a product and hazard); by default each by itself.

    Raises
    ------
    RiskwatchError
        If the shapes differ or no cell-month can be judged.
    """
    if not notices.shape == alarms.shape == judged.shape:
        raise RiskwatchError(f"lead: arrays must have one shape, got {notices.shape}, {alarms.shape} and {judged.shape}")
    months = notices.shape[1]
    complete = np.arange(months) < months - ahead
    able = judged & ~alarms & complete & _any_of(judged, 1, ahead)
    followed = _any_of(alarms, 1, ahead)
    before, after = _any_of(notices, 1 - behind, 0), _any_of(notices, ahead + 1, ahead + behind)
    tables = _tables(before, followed, able)
    placebo = _tables(after, followed, able & (np.arange(months) < months - ahead - behind))
    if not tables.sum():
        raise RiskwatchError("lead: no cell-month can be judged", hint="longer series, or a shorter look ahead")
    rng = np.random.default_rng(seed)
    ids = np.arange(len(tables)) if groups is None else np.unique(groups, return_inverse=True)[1]
    weights = np.stack([np.bincount(rng.integers(0, ids.max() + 1, ids.max() + 1), minlength=ids.max() + 1)[ids] for _ in range(draws)])

    def interval(estimate: float, sample: list[float]) -> tuple[float, float, float]:
        known = [value for value in sample if np.isfinite(value)]
        low, high = np.quantile(known, [0.025, 0.975]) if known else (np.nan, np.nan)
        return estimate, float(low), float(high)

    total = tables.sum(axis=0)
    both, notice, alarm, neither = total.tolist()
    return Lead(
        cells=int((tables.sum(axis=1) > 0).sum()),
        months=int(total.sum()),
        after_notice=int(both + notice),
        otherwise=int(alarm + neither),
        share_after=both / (both + notice) if both + notice else float("nan"),
        share_otherwise=alarm / (alarm + neither) if alarm + neither else float("nan"),
        ratio=interval(_ratio(total), [_ratio(one @ tables) for one in weights]),
        within=interval(_within(tables), [_within(one[:, None] * tables) for one in weights]),
        placebo=interval(_within(placebo), [_within(one[:, None] * placebo) for one in weights]),
    )
