"""One module per method; each judges all series of a panel in one batch.

>>> import riskwatch.detectors as detectors
>>> "sequential-nb" in detectors.names()
True
"""

from __future__ import annotations

from riskwatch.detectors.registry import Detector, detector, detector_class, memory_of, names
from riskwatch.detectors.signals import REASONS, Signals

__all__ = ["REASONS", "Detector", "Signals", "detector", "detector_class", "memory_of", "names"]
