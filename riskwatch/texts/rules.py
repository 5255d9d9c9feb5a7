"""``config/texts.yaml`` as typed, frozen data: how texts become terms, and what of them may be shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from riskwatch.rulebase import Rule

__all__ = ["TextRules", "ThemeRules", "TokenRules"]

Share = Annotated[float, Field(gt=0, lt=1)]


class TokenRules(Rule):
    """How a text becomes terms."""

    languages: tuple[Literal["zh", "en"], ...] = Field(("zh", "en"), min_length=1, description="scripts that are read; others are skipped")
    longest: int = Field(2, ge=1, le=3, description="most words of a term (n-grams)")
    stop_zh: tuple[str, ...] = Field((), description="Chinese words that make no term")
    stop_en: tuple[str, ...] = Field((), description="English words that make no term, in lower case")
    normalise_en: dict[str, str] = Field(
        default_factory=dict, description="English word or abbreviation -> what it is read as; '' drops it"
    )
    given_names_en: tuple[str, ...] = Field((), description="English given names, in lower case: they are scrubbed")
    surnames_en: tuple[str, ...] = Field((), description="English surnames, in lower case: they are scrubbed")
    dictionary: tuple[str, ...] = Field((), description="Chinese words to keep in one piece, besides the names in the product tree")

    @field_validator("stop_en", "given_names_en", "surnames_en")
    @classmethod
    def _lower(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [word for word in words if word != word.lower()]
        if wrong:
            raise ValueError(f"must be in lower case, got {', '.join(wrong)}")
        return words


class ThemeRules(Rule):
    """Themes: non-negative factors of the records' terms (Lee and Seung 1999)."""

    themes: int = Field(10, ge=2, le=100, description="number of themes")
    top_terms: int = Field(6, ge=1, le=30, description="terms shown for each")
    most_terms: int = Field(2000, ge=20, le=50_000, description="commonest terms that themes are made of")
    most_records: int = Field(20_000, ge=100, description="records that they are learnt from, spread evenly over time; all are assigned")
    iterations: int = Field(300, ge=10, le=10_000, description="most iterations of the factorisation")
    seed: int = Field(20261126, description="seed of the factorisation: same data, same themes")


class TextRules(Rule):
    """``config/texts.yaml``."""

    version: str = Field(min_length=1, description="version of the file")
    source: str = Field(min_length=1, description="where the numbers come from")
    verified: bool = Field(description="true only where the source was read")
    tokens: TokenRules = Field(TokenRules(), description="how a text becomes terms")
    minimum_records: int = Field(5, ge=2, description="a term that fewer records hold in the whole history is no series and never shown")
    minimum_reporters: int = Field(
        2, ge=1, description="a term that fewer reporters (hospitals) use, where they are known, is a habit and no series"
    )
    maximum_share: Share = Field(0.5, description="a term that more than this share of the records hold is no series")
    alike: Share = Field(0.8, description="terms whose records overlap by this much (Jaccard) are one term")
    node_share: Share = Field(0.6, description="a term belongs to the deepest product node that holds this share of its records")
    catch_all: tuple[str, ...] = Field(
        (), description="words by which a product node is known to hold what has no code of its own, as they stand in its name"
    )
    show_from: int = Field(5, ge=1, description="counts below this are shown as '<'; the same as digest.privacy.MIN_CELL")
    themes: ThemeRules = Field(ThemeRules(), description="themes")
