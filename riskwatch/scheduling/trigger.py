"""When APScheduler wakes a pipeline: at the very times that the plan counts."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from riskwatch.scheduling.cron import delay, upcoming

__all__ = ["SlotTrigger"]


class SlotTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler 3 has no types
    """The times of a cron line in a zone, each put off by its jitter.

    APScheduler's own cron trigger fires twice where clocks are set back, and its jitter differs from process to process.
    """

    def __init__(self, pipeline: str, cron: str, zone: str, jitter_seconds: int) -> None:
        self.pipeline, self.cron, self.zone, self.jitter_seconds = pipeline, cron, zone, jitter_seconds

    def get_next_fire_time(self, previous_fire_time: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
        """Return the first time after the previous one, or from now on."""
        after = previous_fire_time or now - dt.timedelta(microseconds=1)
        best: dt.datetime | None = None
        for slot in upcoming(self.cron, ZoneInfo(self.zone), after - dt.timedelta(seconds=self.jitter_seconds)):
            if best is not None and slot >= best:
                break
            fires = slot + delay(self.pipeline, slot, self.jitter_seconds)
            if fires > after and (best is None or fires < best):
                best = fires
        return best

    def __getstate__(self) -> dict[str, object]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotTrigger) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __str__(self) -> str:
        return f"cron[{self.cron} in {self.zone}, put off by up to {self.jitter_seconds} s]"
