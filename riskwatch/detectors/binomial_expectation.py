"""The share expected to fail, by series and period: siblings' pattern, own level and deviations, and the laboratories' effects.

Sources
-------
Beta prior of the level by marginal likelihood: Griffiths (1973), Biometrics 29(4), 637-648.
Down-weighting of past exceedances: Farrington et al. (1996), J. R. Statist. Soc. A 159(3), 547-563.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors import binomial_regression, nb_regression
from riskwatch.detectors.baselines import PERIODS_PER_YEAR, frequency_of
from riskwatch.detectors.binomial_pattern import ABSENT, ORDER, common_pattern, correlation_parts, prior_precision, scatter
from riskwatch.detectors.binomial_prior import effective, estimate_prior, predictive
from riskwatch.detectors.binomial_scatter import estimate_correlation
from riskwatch.detectors.blocks import over_blocks
from riskwatch.detectors.failures import sorted_siblings
from riskwatch.detectors.laboratory import LabEffects, estimate_effects
from riskwatch.detectors.nb_regression import pairs_of
from riskwatch.detectors.seasonal_design import SeasonalDesign, seasonal_design
from riskwatch.panel import Panel
from riskwatch.rates import beta_binomial

__all__ = ["Expectation", "Settings", "centred_design", "expectations", "logit_error", "predictive_shape", "stratum_effects"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_BLOCK = 256  # series worked on at a time
_STEPS, _MORE_STEPS, _TOLERANCE = 12, 6, 1e-4
_SHARPEST = 1e12  # a + b of a rate that is all but certain
_LARGEST = 1e9  # inspections that a beta distribution counts as, at most


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the expectation, as the detectors name them."""

    harmonics: int
    trend: bool
    trend_cost: float
    season_cost: float
    covariate_sd: float
    reweight_threshold: float
    typical_rate: float
    typical_strength: float

    @classmethod
    def of(cls, detector: Any) -> Settings:
        """Return what the expectation needs of a detector's parameters."""
        return cls(**{item.name: getattr(detector, item.name) for item in fields(cls)})


@dataclass(frozen=True, eq=False)
class Expectation:
    """What the past leads to expect of some periods.

    Attributes
    ----------
    rate : array, shape (series, target)
        Share expected to fail of the period's own samples (its own laboratories); of a period without samples, of the usual ones.
    variance : array, shape (series,)
        Squared standard error of the logit in the last target.
    correlation : array, shape (series,)
        Between two inspections of one series and period.
    """

    rate: FloatArray
    variance: FloatArray
    correlation: FloatArray


def logit_error(found: Expectation, at: npt.NDArray[np.intp]) -> FloatArray:
    """Return r, the correlation between inspections of different periods that the error of the last target's logit makes."""
    p = found.rate[at, -1]
    return np.asarray(np.minimum(p * (1.0 - p) * found.variance[at], 0.99))


def predictive_shape(found: Expectation, at: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return a, b of the beta distribution of the last target's rate, for the series ``at``.

    Its mean is the expected rate p. The variance p (1 - p) (r + rho (1 - r)) adds up the scatter between periods (correlation rho) and the
    error of estimation, r = p (1 - p) Var(logit p).
    """
    p, rho = found.rate[at, -1], found.correlation[at]
    r = logit_error(found, at)
    strength = np.minimum(1.0 / np.maximum(r + rho * (1.0 - r), 1.0 / _SHARPEST) - 1.0, _SHARPEST)
    return p * strength, (1.0 - p) * strength


@dataclass(frozen=True, eq=False)
class _Cells:
    """Counts of one group of siblings, (period, series), 0 where missing; by label (label, period, series) where there is a breakdown."""

    failed: FloatArray
    inspected: FloatArray
    parts: tuple[FloatArray, FloatArray] | None

    def offset(self, effects: LabEffects | None, level: FloatArray) -> FloatArray:
        """Return what the laboratories add to the logit of each cell for series at these levels, shape (period, series)."""
        if self.parts is None or effects is None or effects.tau == 0.0:
            return np.zeros(self.failed.shape)
        n = self.parts[1]
        total = np.zeros(self.failed.shape)
        for label, effect in enumerate(effects.effect.tolist()):
            total += n[label] * special.expit(level + effect)
        seen = self.inspected > 0
        return np.where(seen, special.logit(np.where(seen, total / np.where(seen, self.inspected, 1.0), 0.5)) - level, 0.0)


def expectations(
    panel: Panel, failed: FloatArray, inspected: FloatArray, *, base: slice, targets: IntArray, settings: Settings
) -> Expectation:
    """Return what the periods ``base`` lead to expect of the periods ``targets``, the judged one last.

    Parameters
    ----------
    panel : Panel
        Gives index, covariates and breakdown.
    failed, inspected : array, shape (series, period)
        NaN where missing.
    base : slice
    targets : array of int
    settings : Settings
    """
    series = len(panel.index)
    out = Expectation(np.full((series, len(targets)), np.nan), np.full(series, np.nan), np.full(series, np.nan))
    if not series or base.stop <= base.start:
        return out
    design = centred_design(panel, base, int(targets[-1]), settings)
    for groups in sorted_siblings(panel.index):
        effects = None
        if panel.breakdown is not None:
            effects = stratum_effects(panel, failed, inspected, rows=groups[0], base=base, design=design, settings=settings)
        for rows in groups:
            found = _group(panel, failed, inspected, rows, base=base, targets=targets, design=design, settings=settings, effects=effects)
            out.rate[rows], out.variance[rows], out.correlation[rows] = found.rate, found.variance, found.correlation
    return out


def stratum_effects(
    panel: Panel, failed: FloatArray, inspected: FloatArray, *, rows: IntArray, base: slice, design: SeasonalDesign, settings: Settings
) -> LabEffects:
    """Return the effects of the laboratories on the series ``rows``, learnt in two turns: what is expected without them, then with them."""
    parts = panel.breakdown
    if parts is None or parts.exposure is None:
        return LabEffects.none(0)
    cells = _cells(panel, failed, inspected, rows, base)
    effects = LabEffects.none(len(parts.labels))
    for _ in range(2):
        found = _group(
            panel, failed, inspected, rows, base=base, targets=np.arange(base.start, base.stop),
            design=design, settings=settings, effects=effects,
            own_mix=False,
        )  # fmt: skip
        rho = float(found.correlation[0])
        weight = 1.0 / (1.0 + np.maximum(cells.inspected - 1.0, 0.0) * rho)
        x, n = ((part * weight).sum(axis=1) for part in cells.parts or ())
        expected = (cells.parts[1] * weight * found.rate.T).sum(axis=1) if cells.parts else n
        seen = n > 0
        known = np.where(seen, special.logit(np.where(seen, expected / np.where(seen, n, 1.0), 0.5)), 0.0)
        effects = estimate_effects(x, n, known)
    return effects


def centred_design(panel: Panel, base: slice, now: int, settings: Settings) -> SeasonalDesign:
    """Return the design up to the period ``now``, its time counted from the middle of ``base``."""
    given = panel.covariates
    made = seasonal_design(
        panel.periods[: now + 1],
        waves=settings.harmonics,
        covariates=None if given is None else given.values[:, : now + 1],
        covariate_sd=settings.covariate_sd,
    )
    columns = made.columns.copy()
    columns[:, 1] -= columns[base, 1].mean()  # the level is that of the middle of the history
    sd = made.prior_sd.copy()
    if not settings.trend:
        sd[1] = 1.0 / np.sqrt(ABSENT)
    return replace(made, columns=columns, prior_sd=sd)


def _cells(panel: Panel, failed: FloatArray, inspected: FloatArray, rows: IntArray, periods: slice | IntArray) -> _Cells:
    x, n = failed[rows][:, periods].T, inspected[rows][:, periods].T
    known = np.isfinite(x) & np.isfinite(n)
    x, n = (np.ascontiguousarray(np.where(known, part, 0.0)) for part in (x, n))
    parts = None
    if panel.breakdown is not None and panel.breakdown.exposure is not None:
        found, seen = (
            np.ascontiguousarray(np.where(known, part[:, rows][:, :, periods].transpose(0, 2, 1), 0.0))
            for part in (panel.breakdown.observed, panel.breakdown.exposure)
        )
        parts = (found, seen)
    return _Cells(x, n, parts)


def _group(
    panel: Panel,
    failed: FloatArray,
    inspected: FloatArray,
    rows: IntArray,
    *,
    base: slice,
    targets: IntArray,
    design: SeasonalDesign,
    settings: Settings,
    effects: LabEffects | None,
    own_mix: bool = True,
) -> Expectation:
    """Return the expectation of one group of siblings; without ``own_mix`` that of a laboratory without an effect."""
    cells = _cells(panel, failed, inspected, rows, base)
    x, n, k = cells.failed, cells.inspected, design.columns.shape[1]
    year = PERIODS_PER_YEAR[frequency_of(panel.periods)]
    span = np.where((n > 0).any(axis=0), len(n) - (n > 0).argmax(axis=0), 0) / year
    given = panel.covariates
    applies = None if given is None or given.applies is None else given.applies[:, rows]
    at = np.arange(base.start, base.stop)
    costs = {"trend": settings.trend_cost, "wave-1": settings.season_cost, "wave-2": settings.season_cost, "weekday": settings.season_cost}

    # Levels as if nothing else played a part: where the pattern and the laboratories' shares are taken from.
    rho = estimate_correlation(x.T, n.T)
    level = _levels(x, n, np.zeros(x.shape), rho, settings).logit
    offset = cells.offset(effects, level)
    pattern = common_pattern(
        x, n, level, design, rows=at, offset=offset, years=float(span.max(initial=0.0)), costs=costs,
        threshold=settings.reweight_threshold, applies=applies,
    )  # fmt: skip
    offset = offset + _shared(design.columns[at], pattern.coefficients, design, applies, len(rows))
    found = _levels(x, n, offset, rho, settings)
    rho = scatter(*correlation_parts(x, n, (n > 0).astype(np.float64), special.expit(found.logit + offset), found.used))
    found = _levels(x, n, offset, rho, settings)
    level = found.logit

    newest = design.columns[targets]
    pairs = pairs_of(design.columns[at])

    def work(where: slice) -> list[FloatArray]:
        chosen = np.arange(len(rows))[where]
        full = np.concatenate([chosen, np.full(_BLOCK - chosen.size, chosen[0])])
        y, size, known = (np.ascontiguousarray(part[:, full]) for part in (x, n, offset))
        there = (size > 0).astype(np.float64)
        weight = there / (1.0 + np.maximum(size - 1.0, 0.0) * rho)
        clean = weight * _milder(y, size, special.expit(level[full] + known), rho, settings.reweight_threshold)
        start = np.zeros((k, _BLOCK))
        start[0] = level[full]
        beliefs = (np.full(_BLOCK, found.rate), np.full(_BLOCK, found.strength))
        weak = prior_precision(design, span[full], None if applies is None else applies[:, full], 0.5)
        fitted = binomial_regression.fit(
            y, size, clean, pairs, start, penalty=weak, offset=known, prior=beliefs, steps=_STEPS, tolerance=_TOLERANCE
        )
        groups = [(design.groups[name], np.full(_BLOCK, costs[name])) for name in ORDER if name in design.groups]
        penalty, start = nb_regression.shrinkage(fitted.information, fitted.coefficients, np.ones(_BLOCK), groups, weak)
        clean = weight * _milder(y, size, fitted.rate, rho, settings.reweight_threshold)
        fitted = binomial_regression.fit(
            y, size, clean, pairs, start, penalty=penalty, offset=known, prior=beliefs, steps=_MORE_STEPS, tolerance=_TOLERANCE
        )
        inverse = nb_regression.invert(fitted.information + penalty)
        used = np.einsum("ijs,jis->s", inverse, fitted.information) - inverse[0, 0] * fitted.prior_information
        trust = np.where(weight > 0, clean / np.where(weight > 0, weight, 1.0), 0.0)
        above, below = correlation_parts(y, size, trust, fitted.rate, used)
        variance = np.einsum("i,ijs,j->s", newest[-1], inverse, newest[-1])
        return [part[: chosen.size] for part in ((newest @ fitted.coefficients).T, variance, above, below)]

    logit, variance, above, below = np.empty((len(rows), len(targets))), *np.empty((3, len(rows)))
    over_blocks(work, len(rows), (logit, variance, above, below), _BLOCK)
    logit = logit.T + _shared(newest, pattern.coefficients, design, applies, len(rows))
    variance = variance + _shared_variance(newest[-1], pattern.covariance, design, applies, len(rows))
    rate = special.expit(logit)
    if own_mix and effects is not None and effects.tau > 0.0 and cells.parts is not None:
        ahead = _cells(panel, failed, inspected, rows, targets)
        rate = special.expit(logit + ahead.offset(effects, logit))
        variance = variance + _mix_variance(cells, ahead, effects)
    return Expectation(rate.T, variance, np.full(len(rows), scatter(above, below)))


@dataclass(frozen=True, eq=False)
class _Levels:
    """Logits of the series' own levels, drawn to the siblings'; how much of each is its own; and the prior that draws."""

    logit: FloatArray
    used: FloatArray
    rate: float | FloatArray
    strength: float | FloatArray


def _levels(x: FloatArray, n: FloatArray, offset: FloatArray, rho: float, settings: Settings) -> _Levels:
    """Return each series' level at offset 0; inspections count by what the offset makes of them."""
    rate = special.expit(special.logit(np.clip(x.sum() / max(n.sum(), 1.0), 1e-6, 1.0 - 1e-6)) + offset)
    usual = rate.sum() / max(rate.size, 1)
    failed, total = effective(x.T, (n * rate / usual if rate.size and offset.any() else n).T, rho)
    total = np.maximum(total, failed)
    prior = estimate_prior(failed, total, rho, settings.typical_rate, settings.typical_strength)
    a, b = predictive(failed, total, replace(prior, correlation=0.0))
    logit = special.logit(np.clip(a / (a + b), 1e-9, 1.0 - 1e-9))
    return _Levels(logit, total / (total + prior.strength), prior.rate, prior.strength)


def _milder(x: FloatArray, n: FloatArray, rate: FloatArray, rho: float, threshold: float) -> FloatArray:
    """Return min(1, threshold / z)^4, z the normal score of the upper tail probability of a past period: 1 where it did not stand out."""
    out = np.ones(x.shape)
    spread = np.sqrt(np.maximum(n * rate * (1.0 - rate) * (1.0 + np.maximum(n - 1.0, 0.0) * rho), 1e-12))
    # A right-skewed count reaches a normal score only beyond as many standard deviations.
    rows, columns = np.nonzero(x - n * rate > threshold * spread)
    p, strength = rate[rows, columns], min(1.0 / max(rho, 1.0 / _LARGEST) - 1.0, _LARGEST)
    tail = beta_binomial.tail(x[rows, columns], n[rows, columns], p * strength, (1.0 - p) * strength)
    score = -special.ndtri(np.clip(tail, 1e-300, 1.0 - 1e-12))
    out[rows, columns] = np.minimum(1.0, threshold / np.maximum(score, threshold)) ** 4
    return out


def _shared(
    columns: FloatArray, coefficients: FloatArray, design: SeasonalDesign, applies: npt.NDArray[np.bool_] | None, series: int
) -> FloatArray:
    """Return the siblings' pattern in the logit, shape (row, series); covariates act where they apply."""
    if applies is None:
        return np.repeat((columns @ coefficients)[:, None], series, axis=1)
    known = design.groups["covariates"]
    rest = coefficients.copy()
    rest[known] = 0.0
    return np.asarray((columns @ rest)[:, None] + (columns[:, known] * coefficients[known]) @ applies)


def _shared_variance(
    newest: FloatArray, covariance: FloatArray, design: SeasonalDesign, applies: npt.NDArray[np.bool_] | None, series: int
) -> FloatArray:
    rows = np.repeat(newest[:, None], series, axis=1)
    if applies is not None:
        rows[design.groups["covariates"]] *= applies
    return np.asarray(np.einsum("is,ij,js->s", rows, covariance, rows))


def _mix_variance(past: _Cells, ahead: _Cells, effects: LabEffects) -> FloatArray:
    """Return the squared error of the logit from the laboratories: of how the judged period's mix differs from the baseline's."""
    if past.parts is None or ahead.parts is None:
        return np.zeros(past.failed.shape[1])
    before, now = past.parts[1].sum(axis=1), ahead.parts[1][:, -1]
    usual = before / np.maximum(before.sum(axis=0), 1.0)
    total = now.sum(axis=0)
    moved = np.where(total > 0, now / np.maximum(total, 1.0) - usual, 0.0)
    return np.asarray(np.einsum("ls,lm,ms->s", moved, effects.covariance, moved))
