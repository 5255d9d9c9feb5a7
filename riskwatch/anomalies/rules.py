"""``config/anomalies.yaml`` as typed, frozen data: how profiles are made, scored and judged."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from riskwatch.rulebase import Rule

__all__ = ["AnomalyRules", "EnterpriseRules", "ForestRules", "ProductRegionRules"]

Share = Annotated[float, Field(gt=0, lt=1)]


class ForestRules(Rule):
    """Isolation forest (Liu, Ting and Zhou 2008)."""

    trees: int = Field(100, ge=10, le=2000, description="trees of the forest")
    subsample: int = Field(256, ge=16, le=100_000, description="rows that each tree sees")


class ProductRegionRules(Rule):
    """Profiles of products in regions."""

    product_level: str = Field("product", description="level of the product tree")
    region_level: str = Field("prefecture", description="level of the region tree")
    window_days: int = Field(365, ge=56, le=3660, description="days looked at; its halves give the trend")
    minimum_samples: int = Field(5, ge=0, description="cells with fewer comparison samples and fewer injuries than the next are left out")
    minimum_injuries: int = Field(5, ge=0, description="see minimum_samples: one of the two must be reached")


class EnterpriseRules(Rule):
    """Profiles of enterprises."""

    window_days: int = Field(1095, ge=56, le=7320, description="days looked at")
    minimum_samples: int = Field(4, ge=1, description="enterprises with fewer samples are left out")


class AnomalyRules(Rule):
    """``config/anomalies.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    source: str = Field(min_length=1, description="where the numbers come from")
    verified: bool = Field(description="true only where the source was read")
    seed: int = Field(description="seed of the forest and of the permutations: same data, same answer")
    permutations: int = Field(40, ge=10, le=10_000, description="permuted data sets that give the null distribution of the score")
    q: Share = Field(0.1, description="false-discovery level (Benjamini and Hochberg 1995) at which a row is called an anomaly")
    core: Share = Field(0.75, description="share of the rows that the robust covariance rests on (support of the MCD)")
    covariance_rows: int = Field(400, ge=50, le=100_000, description="rows that the robust covariance is fitted to; more cost time")
    shrinkage: float = Field(5.0, gt=0, description="prior samples by which rates and mixes are drawn to the product's own")
    missing: Share = Field(0.5, description="rows with more than this share of their features missing are not scored")
    drivers: int = Field(3, ge=1, le=10, description="features named for each row")
    forest: ForestRules = Field(ForestRules(), description="isolation forest")
    product_region: ProductRegionRules = Field(ProductRegionRules(), description="products in regions")
    enterprise: EnterpriseRules = Field(EnterpriseRules(), description="enterprises")
