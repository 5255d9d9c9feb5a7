"""What all rule files in ``config/`` have in common: frozen models, texts in two languages, the basis of a number."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Basis", "Rule", "Text"]


class Rule(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Rule):
    """A text in both languages."""

    zh: str = Field(min_length=1, description="in Chinese")
    en: str = Field(min_length=1, description="in English")


class Basis(Rule):
    """Where a number comes from, when it was last looked at, and whether its source was read."""

    source: str = Field(min_length=1, description="law, standard, paper, 'design proposal' or 'simulated'")
    dated: dt.date = Field(description="when it was last looked at")
    verified: bool = Field(description="true only where the source itself was read")
