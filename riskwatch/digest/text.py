"""The wording of one language: looked up by key, filled with fields; codes fall back to themselves."""

from __future__ import annotations

import datetime as dt

from riskwatch.digest import text_en, text_zh
from riskwatch.digest.numbers import amount, date
from riskwatch.errors import RiskwatchError

__all__ = ["LANGUAGES", "Wording"]

LANGUAGES = ("zh", "en")


class _Count(int):
    """A number that knows its noun: ``{n:case|cases}`` gives "1 case" and "1,200 cases", ``{n}`` the number alone."""

    def __format__(self, spec: str) -> str:
        number = amount(int(self))
        if "|" not in spec:
            return number
        one, many = spec.split("|")
        return f"{number} {one if self == 1 else many}"


class Wording:
    """Catalogue of one language.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en".
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise RiskwatchError(f"digest: language must be one of {', '.join(LANGUAGES)}, got {language!r}")
        self.language = language
        self._text = text_zh.TEXT if language == "zh" else text_en.TEXT

    def __call__(self, key: str, **fields: object) -> str:
        """Return the wording of ``key`` with ``fields`` filled in; what the fields hold is never read as a pattern."""
        counted = {name: _Count(value) if isinstance(value, int) else value for name, value in fields.items()}
        return self._text[key].format(**counted) if fields else self._text[key]

    def code(self, kind: str, code: str) -> str:
        """Return the wording of ``kind.code``, or the code itself where the catalogue has none."""
        return self._text.get(f"{kind}.{code}", code)

    def join(self, parts: list[str]) -> str:
        """Return ``parts`` as an enumeration."""
        return self("list").join(parts)

    def long_date(self, day: dt.date) -> str:
        """Return the date with its day of the week."""
        return self("date_long", date=date(day), weekday=self("weekdays").split()[day.weekday()])

    def period(self, start: dt.date, end: dt.date) -> str:
        """Return "2025-12-22 to 12-28": the year is repeated only where it changes."""
        if start == end:
            return date(start)
        tail = end.strftime("%m-%d") if start.year == end.year else date(end)
        return f"{date(start)} 至 {tail}" if self.language == "zh" else f"{date(start)} to {tail}"
