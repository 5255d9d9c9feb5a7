"""What was sampled and what was not, by catalogue, product and county; where the next samples would tell most."""

from __future__ import annotations
