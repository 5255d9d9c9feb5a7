"""Texts of records: scrubbed, cut into terms, counted by time; which terms and themes emerge. Texts in, terms out, never a sentence."""

from __future__ import annotations

from riskwatch.texts.corpus import Corpus, build_corpus
from riskwatch.texts.emerging import EMERGING_COLUMNS, TermPanel, emerging, term_panel
from riskwatch.texts.failing import failing
from riskwatch.texts.replay import REPLAY_COLUMNS, Floors, first_alarms, replay
from riskwatch.texts.rules import TextRules, ThemeRules, TokenRules
from riskwatch.texts.scrub import MASK, scrub, scrub_all
from riskwatch.texts.themes import THEME_COLUMNS, themes
from riskwatch.texts.tokens import Tokeniser, language_of

__all__ = [
    "EMERGING_COLUMNS",
    "MASK",
    "REPLAY_COLUMNS",
    "THEME_COLUMNS",
    "Corpus",
    "Floors",
    "TermPanel",
    "TextRules",
    "ThemeRules",
    "TokenRules",
    "Tokeniser",
    "build_corpus",
    "emerging",
    "failing",
    "first_alarms",
    "language_of",
    "replay",
    "scrub",
    "scrub_all",
    "term_panel",
    "themes",
]
