"""At most so many messages a minute, for all senders of a channel together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Pace"]

MINUTE = 60.0


class Pace:
    """Lets ``per_minute`` callers through in any minute; the others wait their turn.

    Parameters
    ----------
    per_minute : int
        0: no limit.
    clock, sleep : callable
        Seconds that only go forward; waiting. For tests.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._most, self._clock, self._sleep = per_minute, clock, sleep
        self._lock = threading.Lock()
        self._turns: deque[float] = deque()

    def wait(self, patience: float = float("inf")) -> bool:
        """Wait for a turn, and take it; return False at once, and take none, if it would come later than ``patience`` seconds from now."""
        if not self._most:
            return True
        with self._lock:
            now = self._clock()
            while self._turns and self._turns[0] <= now - MINUTE:
                self._turns.popleft()
            # Turns given out may lie in the future: each is a minute after the one ``per_minute`` places before.
            turn = now if len(self._turns) < self._most else max(now, self._turns[-self._most] + MINUTE)
            if turn - now > patience:
                return False
            self._turns.append(turn)
        if turn > now:
            self._sleep(turn - now)
        return True
