"""How long work tells that it goes on: a reporter that the face of the program supplies; silent by default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

__all__ = ["Reporter", "Task"]


class Task(Protocol):
    """One bar."""

    def advance(self, by: int = 1) -> None:
        """Move on by ``by`` units."""


class _Silent:
    def advance(self, by: int = 1) -> None:
        """Do nothing."""


class Reporter:
    """Reports nothing; faces override what they can show."""

    @contextlib.contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002 - part of the interface
        """Open a bar called ``label`` for ``total`` units (None: unknown)."""
        yield _Silent()

    def say(self, message: str) -> None:
        """Print one line."""
