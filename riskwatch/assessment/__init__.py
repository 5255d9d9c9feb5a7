"""Assessment: evidence, false-discovery control, severity x probability, scope, grade and actions. Pure functions."""

from __future__ import annotations

from riskwatch.assessment.discovery import SIGNAL_COLUMNS, discoveries, q_values, unseen_tests
from riskwatch.assessment.engine import assess
from riskwatch.assessment.payload import from_payload, to_payload
from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.assessment.types import Action, Assessment, Evidence, Grade, Scope, Step, Subject

__all__ = [
    "SIGNAL_COLUMNS",
    "Action",
    "ActionCatalogue",
    "Assessment",
    "Evidence",
    "Grade",
    "GradingRules",
    "HazardCatalogue",
    "Scope",
    "Step",
    "Subject",
    "assess",
    "discoveries",
    "from_payload",
    "q_values",
    "to_payload",
    "unseen_tests",
]
