"""Secrets: read where they are referred to, and kept out of everything that is written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from riskwatch.errors import DeliveryError

__all__ = ["References", "scrubbed"]

_ADDRESS = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_SHORTEST = 4  # characters; a shorter secret is in every other word
_SPLIT = re.compile(r"[,;\s]+")


class References:
    """Reads ``env:NAME`` and ``file:PATH``, and remembers what it read so that :meth:`scrub` can keep it out of texts.

    Parameters
    ----------
    environ : mapping
        The environment.
    root : Path
        Where relative paths begin.
    """

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._environ, self._root = environ, root
        self._known: set[str] = set()

    def read(self, reference: str) -> str:
        """Return what a reference stands for, without white space at its ends.

        Raises
        ------
        DeliveryError
            If the variable is not set, or the file cannot be read, or either is empty.
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            value, hint = self._environ.get(name, ""), f"export {name}=…"
        else:
            hint = "write it there, readable for riskwatch only"
            try:
                value = (self._root / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise DeliveryError(f"delivery: {reference} cannot be read: {type(error).__name__}", hint=hint) from None
        value = value.strip()
        if not value:
            raise DeliveryError(f"delivery: {reference} is empty or not set", hint=hint)
        self._known.add(value)
        return value

    def addresses(self, reference: str) -> tuple[str, ...]:
        """Return the addresses that a reference stands for, each once, in their order."""
        found = tuple(dict.fromkeys(part for part in _SPLIT.split(self.read(reference)) if part))
        self._known.update(found)
        return found

    def scrub(self, text: str) -> str:
        """Return ``text`` without addresses, URLs and anything that was read."""
        return scrubbed(text, self._known)


def scrubbed(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` on one line, without secrets, mail addresses and what follows the scheme of URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    text = _URL.sub(lambda found: found.group(0).partition("://")[0] + "://***", text)
    return " ".join(_ADDRESS.sub("***@***", text).split())
