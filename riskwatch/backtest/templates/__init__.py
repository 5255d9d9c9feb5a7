"""Templates of the report on a replay."""
