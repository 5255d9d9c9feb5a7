"""Failure rates that can be compared: strata, shrinkage along the trees, direct standardisation. Arrays in, arrays out."""

from __future__ import annotations
