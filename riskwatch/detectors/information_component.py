"""The information component: log2 of observed over expected, both raised by a half, with a credible interval.

Sources
-------
Bate et al. (1998), Eur. J. Clin. Pharmacol. 54, 315-321. Shrinkage by 1/2 and the exact gamma interval: Norén, Hopstadius & Bate (2013),
Stat. Methods Med. Res. 22(1), 57-69.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["InformationComponent", "information_component"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InformationComponent:
    """IC and its interval in bits, arrays of one shape. 1 is twice as often as expected, 0 as often, -1 half as often."""

    value: FloatArray
    lower: FloatArray
    upper: FloatArray


def information_component(n: FloatArray, e: FloatArray, *, level: float = 0.95, shrinkage: float = 0.5) -> InformationComponent:
    """Return log2((n + s) / (e + s)) and the interval of its posterior Gamma(n + s, e + s).

    Parameters
    ----------
    n, e : array
        Counts and expected counts.
    level : float
        Probability inside the interval; at 0.95 the lower end is IC025.
    shrinkage : float
        s: the prior of the ratio is Gamma(s, s), of mean 1.
    """
    tail = (1.0 - level) / 2.0
    shape, rate = n + shrinkage, e + shrinkage
    lower, upper = (np.log2(special.gammaincinv(shape, at) / rate) for at in (tail, 1.0 - tail))
    return InformationComponent(np.log2(shape / rate), lower, upper)
