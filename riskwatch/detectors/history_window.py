"""Parameters of detectors that compare the newest periods with a stretch of history, and where that stretch lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from riskwatch.detectors.parameters import Parameters, parameter

__all__ = ["TWO_YEARS", "HistoryWindow", "SummedWindow", "given_or_usual", "history_before", "shortest_findings"]

# History, guard and shortest history by frequency: two years, about a month, about a quarter.
TWO_YEARS = {"day": (730, 28, 91), "week": (104, 4, 13), "4-week": (26, 1, 4), "month": (24, 1, 4)}


def given_or_usual(given: Iterable[int | None], usual: Iterable[int]) -> list[int]:
    """Return each parameter that was given, and the usual value of a frequency for each that is None."""
    return [default if value is None else value for value, default in zip(given, usual, strict=True)]


def history_before(begin: int, history: int, guard: int) -> slice:
    """Return the positions of up to ``history`` periods that end ``guard`` periods before the one at ``begin``; empty where none are."""
    end = max(begin - guard, 0)
    return slice(max(end - history, 0), end)


def shortest_findings(history: int | None, shortest: int | None) -> list[str]:
    """Return what is wrong with a shortest history next to the whole, as :func:`riskwatch.detectors.parameters.check` takes it."""
    if history is None or shortest is None or shortest <= history:
        return []
    return [f"min_history_periods must be <= history_periods ({history}), got {shortest}"]


@dataclass(frozen=True)
class HistoryWindow(Parameters):
    """One judged period against a stretch of history; see the detectors for what each parameter means there."""

    usual: ClassVar[Mapping[str, tuple[int, int, int]]] = TWO_YEARS  # history, guard and shortest history by frequency

    history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    min_history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")

    def _findings(self) -> list[str]:
        return shortest_findings(self.history_periods, self.min_history_periods)

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, guard and shortest history in periods."""
        given = (self.history_periods, self.guard_periods, self.min_history_periods)
        history, guard, shortest = given_or_usual(given, self.usual[frequency])
        return history, guard, min(shortest, history)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, guard, shortest = self._shape(frequency)
        return shortest + guard + 1


@dataclass(frozen=True)
class SummedWindow(HistoryWindow):
    """The sum of the newest periods, the judged one last, against a stretch of history that is cut in blocks of this length."""

    min_history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    window_periods: int = parameter(1, minimum=1, maximum=52, unit="periods")

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, guard and shortest history in periods: at least one block."""
        history, guard, shortest = super()._shape(frequency)
        return history, guard, max(shortest, self.window_periods)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return super().min_periods(frequency) + self.window_periods - 1

    def memory(self, frequency: str) -> int:  # noqa: ARG002  # the same for all frequencies
        """Return how many newest periods are weighed together for one judgement."""
        return self.window_periods
