"""What APScheduler stores and calls: functions that it can name, with arguments that mean the same to every process."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["beat", "bind", "fire", "tick"]

_bound: dict[str, Callable[..., None]] = {}


def bind(**calls: Callable[..., None]) -> None:
    """Say what ``fire``, ``tick`` and ``beat`` do in this process; one service lives in a process."""
    _bound.clear()
    _bound.update(calls)


def fire(pipeline: str) -> None:
    """Do what is due of a pipeline: stored in the database, so its argument is a name and no place on a machine."""
    _call("fire", pipeline)


def tick() -> None:
    """Do whatever is due: what was missed, what is to be tried again, what its jitter put off."""
    _call("tick")


def beat() -> None:
    """Say that the scheduler lives."""
    _call("beat")


def _call(name: str, *arguments: str) -> None:
    # A job that wakes up in a process that is just ending finds nothing to do; the next one catches up.
    found = _bound.get(name)
    if found is not None:
        found(*arguments)
