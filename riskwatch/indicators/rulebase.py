"""What the parts of the rule file have in common: frozen models, texts in two languages, the basis of a figure.

The rooms below the assessment cannot take these from it (imports go downward only).
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Basis", "Rule", "Text"]


class Rule(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Rule):
    """A text in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Basis(Rule):
    """Where a definition or figure comes from, when it was last looked at, and whether its source was read."""

    source: str = Field(min_length=1, description="law, standard, document or 'design proposal'")
    dated: dt.date
    verified: bool
