"""How a run in progress is asked to stop."""

from __future__ import annotations

import threading
import time

__all__ = ["Stop", "StopRequested"]


class StopRequested(BaseException):
    """The run is to end at once; what it has written stays, and the next start goes on from there.

    A request and no error: nothing that catches errors may hold it up.
    """


class Stop:
    """A request to stop, with a time of grace for the run in hand."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._deadline = float("inf")

    def ask(self, grace_seconds: float = 0.0) -> None:
        """Ask: nothing new begins, and what goes on may go on for so long."""
        self._deadline = min(self._deadline, time.monotonic() + grace_seconds)
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether it was asked."""
        return self._asked.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked; say whether it was."""
        return self._asked.wait(seconds)

    def check(self) -> None:
        """Raise StopRequested once the time of grace is over."""
        if self.asked and time.monotonic() >= self._deadline:
            raise StopRequested
