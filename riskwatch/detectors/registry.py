"""Detectors by name: the built-in ones and those of plug-ins (entry point group ``riskwatch.detectors``)."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from riskwatch.detectors.parameters import reject_unknown
from riskwatch.detectors.signals import Signals
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["ENTRY_POINT_GROUP", "Detector", "detector", "detector_class", "memory_of", "names"]

ENTRY_POINT_GROUP = "riskwatch.detectors"

# A new built-in detector is one line here. Modules load on first use: scipy is slow to import.
_BUILT_IN = {
    "binomial-baseline": "riskwatch.detectors.binomial_baseline:BinomialBaseline",
    "binomial-cusum": "riskwatch.detectors.binomial_cusum:BinomialCusum",
    "binomial-glm": "riskwatch.detectors.binomial_glm:BinomialGlm",
    "cusum": "riskwatch.detectors.cusum:Cusum",
    "ears-c1": "riskwatch.detectors.ears:EarsC1",
    "ears-c2": "riskwatch.detectors.ears:EarsC2",
    "ears-c3": "riskwatch.detectors.ears:EarsC3",
    "ewma": "riskwatch.detectors.ewma:Ewma",
    "farrington": "riskwatch.detectors.farrington:Farrington",
    "farrington-flexible": "riskwatch.detectors.farrington_flexible:FarringtonFlexible",
    "funnel": "riskwatch.detectors.funnel:Funnel",
    "gamma-poisson-shrinker": "riskwatch.detectors.gamma_poisson_shrinker:GammaPoissonShrinker",
    "glr-nb": "riskwatch.detectors.glr:GlrNegativeBinomial",
    "glr-poisson": "riskwatch.detectors.glr:GlrPoisson",
    "growth-funnel": "riskwatch.detectors.growth_funnel:GrowthFunnel",
    "laney-p": "riskwatch.detectors.attribute_charts:LaneyP",
    "log-odds-dirichlet": "riskwatch.detectors.log_odds_dirichlet:LogOddsDirichlet",
    "new-event": "riskwatch.detectors.new_event:NewEvent",
    "p-chart": "riskwatch.detectors.attribute_charts:PChart",
    "sequential-nb": "riskwatch.detectors.sequential_nb:SequentialNB",
    "space-time-scan": "riskwatch.detectors.space_time_scan:SpaceTimeScan",
    "u-chart": "riskwatch.detectors.attribute_charts:UChart",
}


@runtime_checkable
class Detector(Protocol):
    """A frozen set of parameters that judges panels; a pure function of what it is given.

    A detector that weighs several periods together for one judgement also has a method ``memory(frequency)`` that returns how many.
    """

    @property
    def name(self) -> str:
        """Registry name."""
        ...

    @property
    def hash(self) -> str:
        """Fingerprint of method and parameters."""
        ...

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, are needed before anything is judged ("week", "4-week", "month", "day")."""
        ...

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest one) with what came before it."""
        ...


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in _BUILT_IN}


def names() -> list[str]:
    """Return the names of all detectors, sorted. A plug-in cannot replace a built-in one."""
    return sorted({*_BUILT_IN, *_plug_ins()})


def detector_class(name: str) -> type[Any]:
    """Return the class registered as ``name``.

    Raises
    ------
    DetectorError
        If there is none, or a plug-in cannot be loaded.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        found: type[Any] = getattr(importlib.import_module(module), attribute)
        return found
    point = _plug_ins().get(name)
    if point is None:
        near = difflib.get_close_matches(name, names(), n=1)
        raise DetectorError(
            f"no detector is named {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            hint="known detectors: " + ", ".join(names()),
        )
    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        raise DetectorError(f"detector {name!r}: plug-in {point.value!r} cannot be loaded: {error}") from error
    if not (isinstance(loaded, type) and dataclasses.is_dataclass(loaded)):
        raise DetectorError(f"detector {name!r}: plug-in {point.value!r} must be a dataclass, got {type(loaded).__name__}")
    return loaded


def detector(name: str, **parameters: Any) -> Detector:
    """Return the detector ``name`` with these parameters.

    Raises
    ------
    DetectorError
        If the name or a parameter is unknown (the message suggests the nearest), or a value is out of range.

    Examples
    --------
    >>> detector("farrington-flexible", alpha=0.01).name
    'farrington-flexible'
    """
    kind = detector_class(name)
    reject_unknown(name, [item.name for item in dataclasses.fields(kind) if item.init], parameters)
    made: Detector = kind(**parameters)
    return made


def memory_of(judge: Detector, frequency: str) -> int:
    """Return how many newest periods ``judge`` weighs together for one judgement; 1 if it judges each period on its own."""
    memory = getattr(judge, "memory", None)
    return 1 if memory is None else int(memory(frequency))
