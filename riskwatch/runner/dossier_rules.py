"""``config/dossiers.yaml`` as the runner hands it on."""

from __future__ import annotations

from riskwatch.definitions import Definitions
from riskwatch.dossiers.rules import DossierRules

__all__ = ["dossier_rules"]


def dossier_rules(definitions: Definitions) -> DossierRules:
    """Return ``config/dossiers.yaml``; without the file the thresholds of the rules class hold."""
    return DossierRules.model_validate(definitions.catalogue("dossiers") or {})
