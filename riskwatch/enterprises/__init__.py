"""Enterprises behind the failures: history, terms after orders, proposed credit classes. Frames in, frames out; codes stay inside."""

from __future__ import annotations

from riskwatch.enterprises.clocks import closure_by_region, orders_missing, terms
from riskwatch.enterprises.credit import current_classes, propose
from riskwatch.enterprises.history import Histories, enterprise_history
from riskwatch.enterprises.identity import enterprise_ids
from riskwatch.enterprises.persistence import fit_beta_binomial, persistence
from riskwatch.enterprises.rules import EnterpriseRules
from riskwatch.enterprises.summary import EnterpriseSummary, summary

__all__ = [
    "EnterpriseRules",
    "EnterpriseSummary",
    "Histories",
    "closure_by_region",
    "current_classes",
    "enterprise_history",
    "enterprise_ids",
    "fit_beta_binomial",
    "orders_missing",
    "persistence",
    "propose",
    "summary",
    "terms",
]
