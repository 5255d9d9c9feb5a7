"""One module per method; each judges all series of a panel in one batch.

>>> import riskwatch.detectors as detectors
>>> detectors.names()
['binomial-baseline', 'farrington-flexible', 'sequential-nb']
"""

from __future__ import annotations

from riskwatch.detectors.registry import Detector, detector, detector_class, names
from riskwatch.detectors.signals import REASONS, Signals

__all__ = ["REASONS", "Detector", "Signals", "detector", "detector_class", "names"]
