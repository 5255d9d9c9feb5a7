"""Work on many series block by block: see :mod:`riskwatch.rates.blocks`, which lies lower so that rates can use it too."""

from __future__ import annotations

from riskwatch.rates.blocks import THREADS, over_blocks, thread_count

__all__ = ["THREADS", "over_blocks", "thread_count"]
