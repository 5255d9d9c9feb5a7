"""What runs of good and bad periods do to the variance of a slope.

A first-order process seen through the noise of counting has correlations r phi^(lag - 1): the variance of a slope (of any smooth
contrast) is 1 + 2 r / (1 - phi) times that of independent periods. r is the lag-1 correlation of the residuals with its bias in short
series taken off; phi is the ratio of the second correlation to the first, drawn towards 0.7 by as much as it is uncertain. Negative
correlations never make an interval shorter.

Sources
-------
Effective sample size: Bartlett (1935), J. R. Statist. Soc. 98(3), 536-543; Bayley & Hammersley (1946), Suppl. J. R. Statist. Soc. 8(2),
184-197. Bias of r: Kendall (1954), Biometrika 41, 403-404. That counting noise hides persistence: Staudenmayer & Buonaccorsi (2005),
J. Amer. Statist. Assoc. 100(471), 841-852.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["inflation", "lag_correlation"]

FloatArray = npt.NDArray[np.float64]

_MOST = 0.9  # a larger autocorrelation leaves nothing to judge by
_TYPICAL = 0.7  # what to believe of phi before the correlations are seen
_DOUBT = 2.0  # over the number of periods: how uncertain products of two sample correlations are


def inflation(residual: FloatArray, columns: int) -> FloatArray:
    """Return by how much autocorrelation multiplies the variance of a slope, at least 1; shape (series,).

    Parameters
    ----------
    residual : array, shape (series, period)
        Of the regression, in units of their standard deviation; NaN is missing.
    columns : int
        Columns of the regression.
    """
    r = lag_correlation(residual, columns, 1)
    second = lag_correlation(residual, columns, 2)
    doubt = _DOUBT / np.maximum(np.isfinite(residual).sum(axis=1), 1)
    phi = (r * second + doubt * _TYPICAL) / (r**2 + doubt)
    positive = np.maximum(r, 0.0)
    return np.asarray(1.0 + 2.0 * positive / (1.0 - np.clip(phi, positive, _MOST)))


def lag_correlation(residual: FloatArray, columns: int, lag: int) -> FloatArray:
    """Return the correlation of regression residuals at a lag with its bias in short series taken off, within +-0.9; shape (series,).

    Residuals of a regression on k columns have an expected correlation near rho - (k + (2 + k) rho) / n (Kendall's bias, k = 1, extended
    to k smooth columns); solved for rho. Pairs with a missing period are left out.

    Parameters
    ----------
    residual : array, shape (series, period)
        NaN is missing.
    columns : int
        k.
    lag : int
    """
    known = np.isfinite(residual)
    filled = np.where(known, residual, 0.0)
    both = known[:, lag:] & known[:, :-lag]
    count, pairs = known.sum(axis=1), both.sum(axis=1)
    with np.errstate(all="ignore"):
        product = (filled[:, lag:] * filled[:, :-lag]).sum(axis=1) / pairs
        raw = product / ((filled**2).sum(axis=1) / count)
        found = (raw + columns / count) / np.maximum(1.0 - (2.0 + columns) / count, 0.2)
    return np.asarray(np.where(np.isfinite(found), np.clip(found, -_MOST, _MOST), 0.0))
