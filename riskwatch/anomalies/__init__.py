"""Multivariate anomalies: unusual combinations of figures of products in regions and of enterprises. They support, they never grade."""

from __future__ import annotations

from riskwatch.anomalies.features import Feature, Profile, make_profile
from riskwatch.anomalies.profiles import enterprise_profile, product_region_profile
from riskwatch.anomalies.rules import AnomalyRules
from riskwatch.anomalies.score import Scores, score
from riskwatch.anomalies.table import anomalies

__all__ = [
    "AnomalyRules",
    "Feature",
    "Profile",
    "Scores",
    "anomalies",
    "enterprise_profile",
    "make_profile",
    "product_region_profile",
    "score",
]
