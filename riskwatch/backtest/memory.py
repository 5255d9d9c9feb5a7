"""The memory of one replayed day: figures of concerns that other thresholds do not change, in one file of the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from riskwatch.backtest.cache import Cache
from riskwatch.backtest.codec import decode, encode

__all__ = ["DayMemory"]

T = TypeVar("T")


class DayMemory:
    """Remembers by name and basis; :meth:`save` writes what is new.

    Parameters
    ----------
    cache : Cache
    key : str
        Of the day, its records and all definitions but the thresholds.
    """

    def __init__(self, cache: Cache, key: str) -> None:
        self._cache, self._key = cache, key
        self._known: dict[str, Any] = cache.read("facts", key)[1] if cache.has("facts", key) else {}
        self._new = False
        self.recalled = self.made = 0

    def recall(self, name: str, basis: object, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, from memory where it is known."""
        text = json.dumps(encode(basis), sort_keys=True, ensure_ascii=False)
        key = f"{name} {hashlib.sha256(text.encode()).hexdigest()}"
        if key in self._known:
            self.recalled += 1
            found: T = decode(self._known[key])
            return found
        made = make()
        self._known[key] = encode(made)
        self._new, self.made = True, self.made + 1
        return made

    def save(self) -> None:
        """Write the memory, if anything came to it."""
        if self._new:
            self._cache.write("facts", self._key, {}, self._known)
            self._new = False
