"""Profiles of product x region and of enterprises that stand out in several measures at once; evidence, never a grade."""

from __future__ import annotations
