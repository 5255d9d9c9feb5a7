"""How unusual each row of a profile is as a whole: isolation forest and robust covariance, calibrated by permutation.

Two scores are taken: the anomaly score of an isolation forest (Liu, Ting and Zhou 2008), and the Mahalanobis distance from the minimum
covariance determinant (Rousseeuw and Van Driessen 1999), whose square over the number of features is brought near to normal by its cube
root (Wilson and Hilferty 1931). Each is standardised by its own null distribution, and **the combined score is their mean**.

The null distribution comes from data sets in which every feature was permuted on its own within blocks of rows that rest on about as much
data, each fitted anew: all single values stay, and which are missing; what goes together is lost. A small p-value therefore says that the
*combination* is unusual; single extreme values are the detectors' task.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control
from sklearn.covariance import MinCovDet
from sklearn.ensemble import IsolationForest

from riskwatch.anomalies.features import Profile
from riskwatch.anomalies.rules import AnomalyRules

__all__ = ["Scores", "permuted", "score"]

Floats = npt.NDArray[np.float64]
_FEWEST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Scores:
    """What :func:`score` found; arrays of shape (rows,), NaN where a row was not judged.

    Attributes
    ----------
    score : array
        Combined score: about 0 on average under the null, in its standard deviations.
    forest, distance : array
        Its two parts, standardised.
    p_value : array
        Share of null scores at least as high, pooled over rows and permutations.
    q_value : array
        Benjamini and Hochberg (1995) over the judged rows.
    drop : array, shape (rows, features)
        How much the score falls when one feature is set to its median.
    judged : array of bool
    """

    score: Floats
    forest: Floats
    distance: Floats
    p_value: Floats
    q_value: Floats
    drop: Floats
    judged: npt.NDArray[np.bool_]


class _Fit:
    """Both models fitted to one data set."""

    def __init__(self, values: Floats, rules: AnomalyRules, seed: int) -> None:
        self._forest = IsolationForest(
            n_estimators=rules.forest.trees, max_samples=min(rules.forest.subsample, len(values)), random_state=seed
        ).fit(values)
        # A column in which one value fills the core has no covariance there; the forest sees it all the same.
        same = np.array([np.unique(column, return_counts=True)[1].max() for column in values.T]) / len(values)
        self._columns = np.flatnonzero(same < rules.core)
        self._robust = None
        if self._columns.size:
            chosen = values[:, self._columns]
            if len(chosen) > rules.covariance_rows:
                rows = np.random.default_rng(seed).choice(len(chosen), rules.covariance_rows, replace=False)
                chosen = chosen[np.sort(rows)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # near-singular subsets; the pseudo-inverse is used
                self._robust = MinCovDet(support_fraction=rules.core, random_state=seed).fit(chosen)

    def parts(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the forest's score and the cube-rooted distance of each row."""
        forest = -self._forest.score_samples(values)
        if self._robust is None:
            return forest, np.zeros(len(values))
        squared = np.maximum(self._robust.mahalanobis(values[:, self._columns]), 0.0)
        return forest, np.cbrt(squared / self._columns.size)


def permuted(values: Floats, missing: npt.NDArray[np.bool_], block: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return ``values`` with the known ones of each column permuted on their own within the blocks."""
    out = values.copy()
    for column in range(values.shape[1]):
        known = np.flatnonzero(~missing[:, column])
        base = known[np.argsort(block[known], kind="stable")]
        out[base, column] = values[known[np.lexsort((rng.random(known.size), block[known]))], column]
    return out


def score(profile: Profile, rules: AnomalyRules) -> Scores:
    """Score and judge the rows of a profile.

    Parameters
    ----------
    profile : Profile
        Rows in the order of their keys: the answer does not depend on the order of the records behind them.
    rules : AnomalyRules

    Returns
    -------
    Scores
        All NaN where fewer than 20 rows or two features can be judged.

    Notes
    -----
    Rows are exchangeable within blocks under the null, not across them; p-values are pooled over all rows, so they hold on average over
    rows rather than for each. The smallest p-value is 1 / (1 + permutations x rows).
    """
    rows, features = profile.values.shape
    judged = profile.missing.mean(axis=1) <= rules.missing if features else np.zeros(rows, dtype=bool)
    nothing = np.full(rows, np.nan)
    if judged.sum() < _FEWEST_ROWS or features < 2:
        none = np.zeros(rows, dtype=bool)
        return Scores(nothing, nothing, nothing, nothing, nothing, np.full((rows, features), np.nan), none)
    values, missing, block = profile.values[judged], profile.missing[judged], profile.block[judged]
    seeds = np.random.SeedSequence(rules.seed).spawn(rules.permutations)
    null = np.array(
        [
            _Fit(shuffled, rules, int(seed.generate_state(1)[0])).parts(shuffled)
            for seed in seeds
            for shuffled in [permuted(values, missing, block, np.random.default_rng(seed))]
        ]
    )
    centre, spread = null.mean(axis=(0, 2)), null.std(axis=(0, 2))
    spread = np.where(spread > 0, spread, 1.0)
    used = null.std(axis=(0, 2)) > 0

    def combined(parts: npt.NDArray[np.float64]) -> Floats:
        """Mean of the standardised parts; [part, row]."""
        return np.asarray(((parts - centre[:, None]) / spread[:, None])[used].mean(axis=0))

    fit = _Fit(values, rules, rules.seed % 2**32)
    observed = np.array(fit.parts(values))
    total = combined(observed)
    pooled = np.sort(np.concatenate([combined(one) for one in null]))
    above = pooled.size - np.searchsorted(pooled, total, side="left")
    p_value = (above + 1.0) / (pooled.size + 1.0)
    drop = np.empty(values.shape)
    for column in range(features):
        without = values.copy()
        without[:, column] = 0.0
        drop[:, column] = total - combined(np.array(fit.parts(without)))

    def whole(part: Floats) -> Floats:
        out = np.full((rows, *part.shape[1:]), np.nan)
        out[judged] = part
        return out

    standard = (observed - centre[:, None]) / spread[:, None]
    return Scores(
        score=whole(total),
        forest=whole(standard[0]),
        distance=whole(standard[1]),
        p_value=whole(np.asarray(p_value, dtype=np.float64)),
        q_value=whole(np.asarray(false_discovery_control(p_value), dtype=np.float64)),
        drop=whole(drop),
        judged=judged,
    )
