"""Judge the series of a model by the thresholds that each of them has: `overrides:` of its definition.

A detector is always given the whole panel, once for each set of parameters, and the rows of the series that have them are taken. Most
methods learn from siblings (a common rate or dispersion, neighbours on the map), and what they learn must not change because one series is
judged by a stricter level. So a series has the numbers that it would have if all series had its parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.definitions.overrides import PARTS, meant, overridden
from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors import Detector, detector, memory_of
from riskwatch.detectors.signals import Signals
from riskwatch.dimensions import Tree
from riskwatch.panel import Panel

__all__ = ["Part", "Thresholds", "judge", "partition", "thresholds"]

_JUDGED = ("observed", "expected", "lower", "upper", "p_value", "alarm", "reason", "weighed", "span")


@dataclass(frozen=True, eq=False)
class Part:
    """Series that the same entries mean.

    Attributes
    ----------
    entries : tuple of int
        Numbers of the entries, rising; empty for the series that none means.
    model : ModelDefinition
        The model as it is for them.
    rows : array of int, shape (series of the part,)
        Where they stand among all series.
    """

    entries: tuple[int, ...]
    model: ModelDefinition
    rows: npt.NDArray[np.intp]

    @property
    def method(self) -> Detector:
        """The detector with the parameters of these series."""
        return detector(self.model.detector, **self.model.parameters)


@dataclass(frozen=True, eq=False)
class Thresholds:
    """What each series is held against, all of shape (series,): floors, how many periods are weighed together, the method's fingerprint."""

    min_observed: npt.NDArray[np.float64]
    min_relative_risk: npt.NDArray[np.float64]
    memory: npt.NDArray[np.int64]
    detector_hash: npt.NDArray[np.object_]

    def repeated(self, times: int) -> Thresholds:
        """Return the same for each of so many rows of every series, one after the other."""
        return Thresholds(*(np.repeat(getattr(self, item.name), times) for item in dataclasses.fields(self)))


def partition(model: ModelDefinition, keys: pd.Index[Any] | pd.DataFrame, trees: Mapping[str, Tree]) -> list[Part]:
    """Return the series of a model by the entries of ``overrides:`` that mean them; each series is in one part.

    Parameters
    ----------
    model : ModelDefinition
    keys : Index or DataFrame
        Keys of the series: levels or columns ``product, industry, region, stratum``, as far as there are any.
    trees : mapping of str to Tree

    Raises
    ------
    DimensionError
        If an entry names a code that is not in its tree.
    """
    if not model.overrides or not len(keys):
        return [Part((), model, np.arange(len(keys)))]
    codes = {name: _texts(keys, name) for name in PARTS}
    hit = np.array([meant(entry.where, codes, trees) for entry in model.overrides], np.bool_)
    sets, part = np.unique(hit, axis=1, return_inverse=True)
    return [
        Part(tuple(entries), overridden(model, entries), np.flatnonzero(part.ravel() == number))
        for number in range(sets.shape[1])
        for entries in [np.flatnonzero(sets[:, number]).tolist()]
    ]


def _texts(keys: pd.Index[Any] | pd.DataFrame, name: str) -> npt.NDArray[Any]:
    if name not in (keys.names if isinstance(keys, pd.Index) else keys.columns):
        return np.full(len(keys), "", dtype=object)
    column = keys.get_level_values(name) if isinstance(keys, pd.Index) else keys[name]
    return np.asarray(column.astype(str), dtype=object)


def thresholds(model: ModelDefinition, keys: pd.Index[Any] | pd.DataFrame, trees: Mapping[str, Tree]) -> Thresholds:
    """Return what each series of a model is held against; arguments as for :func:`partition`."""
    size = len(keys)
    found = Thresholds(np.empty(size), np.empty(size), np.empty(size, np.int64), np.empty(size, object))
    for part in partition(model, keys, trees):
        method = part.method
        found.min_observed[part.rows], found.min_relative_risk[part.rows] = part.model.min_observed, part.model.min_relative_risk
        found.memory[part.rows], found.detector_hash[part.rows] = memory_of(method, model.frequency), method.hash
    return found


def judge(model: ModelDefinition, panel: Panel, trees: Mapping[str, Tree], *, periods: pd.PeriodIndex | None = None) -> Signals:
    """Judge some periods of a panel, each series by its own parameters.

    Parameters
    ----------
    model : ModelDefinition
    panel : Panel
    trees : mapping of str to Tree
    periods : PeriodIndex, optional
        The newest ``model.judge`` where it is left out.

    Returns
    -------
    Signals
        In the order of the panel. ``detector_hash`` is that of the model's own parameters; :func:`thresholds` has those of each series.
    """
    own = detector(model.detector, **model.parameters)
    periods = panel.periods[-model.judge :] if periods is None else periods
    if not model.overrides:
        return own.detect(panel, periods=periods)
    judged: dict[str, Signals] = {}
    arrays: dict[str, Any] = {}
    # Rows are put into copies: a detector may hand out an array that it keeps.
    for part in partition(model, panel.index, trees):
        method = part.method
        if method.hash not in judged:  # entries that change floors alone share one judgement
            judged[method.hash] = method.detect(panel, periods=periods)
        one = dataclasses.replace(judged[method.hash], weighed=judged[method.hash].support, span=judged[method.hash].spans)
        arrays = arrays or {name: np.array(getattr(one, name)) for name in _JUDGED}
        for name, values in arrays.items():
            values[part.rows] = getattr(one, name)[part.rows]
    return dataclasses.replace(next(iter(judged.values())), **arrays, detector_hash=own.hash)
