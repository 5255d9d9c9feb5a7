"""What the HTTP reader needs of the world besides the network, in one place that tests can replace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

__all__ = ["HttpTools"]


@dataclass(frozen=True, slots=True)
class HttpTools:
    """Sleep, clocks, randomness and environment of the HTTP reader."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
