"""Test items of samples: what failed and by how much; limits, units, censored values, and what an older limit would have said."""

from __future__ import annotations
