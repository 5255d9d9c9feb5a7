"""Enterprises: repeated failures, terms that run, credit classes proposed with rule and evidence."""

from __future__ import annotations
