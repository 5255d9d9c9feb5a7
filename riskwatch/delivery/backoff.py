"""How long to wait before the next attempt."""

from __future__ import annotations

import datetime as dt
import hashlib

from riskwatch.delivery.rules import RetryRules

__all__ = ["LONGEST", "next_attempt", "wait_seconds"]

LONGEST = 86_400.0
"""A receiver that asks for more than a day is asked again after a day."""


def wait_seconds(key: str, failures: int, rules: RetryRules) -> float:
    """Return the wait after the ``failures``-th failure of a message.

    first_seconds * factor^(failures-1), at most most_seconds; then lengthened by a share of at most ``jitter`` that follows from the key
    alone. So waits never get shorter, never exceed most_seconds * (1 + jitter), and a run that is repeated waits the same.

    Parameters
    ----------
    key : str
        Of the message.
    failures : int
        Number of attempts that failed, at least 1.
    rules : RetryRules
    """
    if failures < 1:
        raise ValueError(f"wait_seconds: failures must be >= 1, got {failures}")
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    # Powers beyond this are above any limit, and would overflow.
    base = min(rules.first_seconds * rules.factor ** min(failures - 1, 64), rules.most_seconds)
    return base * (1 + rules.jitter * share)


def next_attempt(key: str, failures: int, rules: RetryRules, *, now: dt.datetime, asked: float | None = None) -> dt.datetime:
    """Return when to try again; ``asked`` are the seconds of a Retry-After, which is honoured where it is longer, up to a day."""
    wait = max(wait_seconds(key, failures, rules), min(asked or 0.0, LONGEST))
    return now + dt.timedelta(seconds=wait)
