"""Casework: what people do with a warning, as the fold of append-only events. Pure functions."""
