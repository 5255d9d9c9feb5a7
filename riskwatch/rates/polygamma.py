"""Digamma and trigamma together, for many positive arguments at once.

``scipy.special.polygamma(1, x)`` goes through the Hurwitz zeta function and takes ten times as long as ``digamma``; fitting a million cells
needs both at the same places, twenty times over. Arguments below 8 are moved up by the recurrences, then the asymptotic series are summed:
Abramowitz & Stegun (1964), 6.3.5, 6.3.18, 6.4.6 and 6.4.12. Against scipy the relative error is below 1e-13 for trigamma; that of digamma
is below 1e-13 of max(1, |digamma|).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["both", "rise"]

FloatArray = npt.NDArray[np.float64]

_FROM = 8.0


def both(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return digamma(x) and trigamma(x), x > 0, in new arrays of the shape of ``x``."""
    small = x < _FROM
    y = np.where(small, x + _FROM, x)
    r = 1.0 / y
    s = r * r
    first = (
        np.log(y)
        - 0.5 * r
        - s
        * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * (691 / 32760 - s * (1 / 12 - s * (3617 / 8160))))))))
    )
    second = r * (
        1.0
        + 0.5 * r
        + s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * (5 / 66 - s * (691 / 2730 - s * (7 / 6 - s * (3617 / 510))))))))
    )
    if small.any():
        low = x[small]
        down = np.zeros(len(low))
        up = np.zeros(len(low))
        # Smallest terms first: the last of them, 1/x, may be as large as all the rest together.
        for step in range(int(_FROM) - 1, -1, -1):
            part = 1.0 / (low + step)
            down += part
            up += part * part
        first[small] -= down
        second[small] += up
    return first, second


def rise(x: FloatArray, base: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return digamma(base + x) - digamma(base) and trigamma(base + x) - trigamma(base); exactly zero where x is.

    Parameters
    ----------
    x : array, shape (cell,)
        Not negative. Most cells have no failures: these are not worked on.
    base : array, shape (cell,)
        Positive.
    """
    first, second = np.zeros(x.shape), np.zeros(x.shape)
    some = np.flatnonzero(x > 0)
    if some.size:
        low = base[some]
        d0, t0 = both(low)
        d1, t1 = both(low + x[some])
        first[some], second[some] = d1 - d0, t1 - t0
    return first, second
