"""riskwatch: quality-risk early warning for market-supervision centres.

The public API, stable: notebooks, plug-ins and users rest on it.

* :class:`riskwatch.Panel`: aligned counts of many series;
* :func:`riskwatch.detector`: a detection method by registry name;
* :class:`riskwatch.Signals`: what a detector returns;
* :class:`riskwatch.Project`: a project folder and its store;
* :func:`riskwatch.demo`: the project of the simulated province, made where there is none;
* :mod:`riskwatch.datasets`: the simulated province.

Heavy rooms load on first use, so that ``import riskwatch`` and ``riskwatch --help`` stay quick.

>>> import riskwatch as rw
>>> rw.detector("farrington-flexible", alpha=0.01).name
'farrington-flexible'
>>> rw.Project("demo").warnings().empty
False
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riskwatch import datasets
    from riskwatch.api import Project, demo
    from riskwatch.detectors import detector
    from riskwatch.detectors.signals import Signals
    from riskwatch.panel import Panel

__version__ = "0.1.0"
__all__ = ["Panel", "Project", "Signals", "__version__", "datasets", "demo", "detector"]

_HOMES = {
    "Panel": "riskwatch.panel",
    "Project": "riskwatch.api",
    "demo": "riskwatch.api",
    "Signals": "riskwatch.detectors.signals",
    "detector": "riskwatch.detectors",
}


def __getattr__(name: str) -> object:
    if name == "datasets":
        return importlib.import_module("riskwatch.datasets")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'riskwatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
