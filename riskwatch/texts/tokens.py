"""Texts as terms: Chinese cut by jieba, English by spaces; words that say nothing, and words that look like a name or number, left out."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from riskwatch.texts.rules import TokenRules
from riskwatch.texts.scrub import MASK, looks_like_name, scrub

__all__ = ["Tokeniser", "language_of"]

_HAN = re.compile("[\u4e00-\u9fff]+")
# Age and sex as US hospital records write them: 10YOM, 10 YO F, 53 Y.O. F., 8 MO M, "12 year old male".
_AGE_SEX = re.compile(
    r"\b\d{1,3}\s*-?\s*(?:y\.?\s?/?o\.?|yrs?\.?|years?|y|m\.?/?o\.?|mos?|mths?|months?|wks?|weeks?|days?)\s*-?\s*(?:olds?)?\s*-?"
    r"(?:\s*(?:males?|females?|boys?|girls?|m|f)\b\.?)?",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b\d{1,4}[/.-]\d{1,2}(?:[/.-]\d{1,4})?\b|\b\d{1,2}:\d{2}\b")
_SEGMENT = re.compile("[\u4e00-\u9fff]+|[a-z][a-z']*(?:-[a-z]+)*|[^\\s]", re.IGNORECASE)
_JIEBA_LOCK = threading.Lock()


def language_of(term: str) -> str:
    """Return "zh" for a term with Chinese characters, else "en"."""
    return "zh" if _HAN.search(term) else "en"


def _jieba() -> Any:
    """Import jieba quietly: it logs its start to standard error and, with old setuptools, imports a deprecated module."""
    with _JIEBA_LOCK, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"pkg_resources is deprecated", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"pkg_resources is deprecated", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r"Deprecated call to `pkg_resources", category=DeprecationWarning)
        import jieba  # noqa: PLC0415 - a second to load, and only where there are Chinese texts
    logging.getLogger("jieba").setLevel(logging.WARNING)
    return jieba


class Tokeniser:
    """Cut texts into words and their n-grams.

    Parameters
    ----------
    rules : TokenRules
    dictionary : iterable of str
        Chinese words to keep in one piece (product names) besides those of the rules.
    """

    def __init__(self, rules: TokenRules, dictionary: Iterable[str] = ()) -> None:
        self.rules = rules
        self._stop = frozenset(rules.stop_zh) | frozenset(rules.stop_en)
        self._names = frozenset(rules.given_names_en) | frozenset(rules.surnames_en)
        self._dictionary = sorted(
            {word for name in (*rules.dictionary, *dictionary) for word in _HAN.findall(name) if 2 <= len(word) <= 12}
        )
        self._cutter: Any = None
        self._persons: frozenset[str] = frozenset()
        self._seen: dict[str, list[str]] = {}

    def words(self, text: str) -> list[str]:
        """Return the words of a text after scrubbing; "" stands where something was left out, so that no term reaches across it."""
        text = scrub(text, given_names=self._names)
        text = _DATE.sub(" . ", _AGE_SEX.sub(" . ", text))
        out: list[str] = []
        for found in _SEGMENT.finditer(text):
            part = found.group()
            if _HAN.match(part):
                out.extend(self._chinese(part) if "zh" in self.rules.languages else [""])
            elif part[0].isalpha() and part[0].isascii():
                out.append(self._english(part.lower()) if "en" in self.rules.languages else "")
            else:
                out.append("")
        return out

    def terms(self, text: str) -> list[str]:
        """Return the distinct terms of a text, sorted: words and n-grams of neighbouring words, each once however often it is said."""
        words = self.words(text)
        found: set[str] = set()
        for size in range(1, self.rules.longest + 1):
            for at in range(len(words) - size + 1):
                part = words[at : at + size]
                if "" in part or len(set(part)) < size:
                    continue
                if size == 1 and len(part[0]) < 2:
                    continue
                chinese = [language_of(word) == "zh" for word in part]
                if any(chinese) != all(chinese):
                    continue
                term = ("" if chinese[0] else " ").join(part)
                # Two short words side by side may be a name that no dictionary knows.
                if not (chinese[0] and size > 1 and looks_like_name(term) and not self._known(term)):
                    found.add(term)
        return sorted(found)

    def all_terms(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of each text; each distinct text is cut once, however often the tokeniser is asked."""
        known = self._seen
        return [known[text] if text in known else known.setdefault(text, self.terms(text)) for text in texts]

    def _english(self, word: str) -> str:
        word = word.removesuffix("'s").strip("'")
        word = self.rules.normalise_en.get(word, word)
        if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = self.rules.normalise_en.get(word[:-1], word[:-1])
        return "" if word in self._stop or len(word) < 2 or MASK in word else word

    def _chinese(self, run: str) -> list[str]:
        # Known words only (no hidden Markov model): what no dictionary knows comes in single characters, which n-grams join again.
        # The model would glue a new word to its neighbours, to other ones in every sentence.
        words = self._cut().lcut(run, HMM=False)
        return ["" if word in self._stop or word in self._persons else word for word in words]

    def _known(self, word: str) -> bool:
        return bool(self._cut().FREQ.get(word))

    def _cut(self) -> Any:
        if self._cutter is None:
            jieba = _jieba()
            cutter = jieba.Tokenizer()
            cutter.initialize()
            with cutter.get_dict_file() as lines:
                # The dictionary tags names of persons nr; "frequency tag" follows the word.
                tagged = (line.decode("utf-8").split() for line in lines)
                self._persons = frozenset(part[0] for part in tagged if part[-1] == "nr" and looks_like_name(part[0]))
            for word in self._dictionary:
                cutter.add_word(word)
            self._persons -= frozenset(self._dictionary)
            self._cutter = cutter
        return self._cutter
