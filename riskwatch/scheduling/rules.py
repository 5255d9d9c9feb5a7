"""``config/schedule.yaml`` as typed, frozen data: how the scheduler works, not when pipelines run (their own files say that)."""

from __future__ import annotations

from pydantic import Field

from riskwatch.definitions import Definitions
from riskwatch.rulebase import Rule

__all__ = ["RetryRules", "ScheduleRules", "schedule_rules"]


class RetryRules(Rule):
    """What becomes of a run that fails as a whole; a source or a model that fails alone does not count."""

    attempts: int = Field(4, ge=1, le=50, description="failed tries of one time after which it is given up and reported")
    starts: int = Field(50, ge=1, le=10_000, description="starts of one time, killed ones included, after which it is given up")
    wait_minutes: float = Field(5, gt=0, le=1440, description="wait after the first failure, doubled after each, in minutes")
    longest_wait_minutes: float = Field(60, gt=0, le=1440, description="longest wait between tries, in minutes")


class ScheduleRules(Rule):
    """``config/schedule.yaml``."""

    version: str = Field("built in", min_length=1, description="version of the file")
    tick_seconds: float = Field(
        20, ge=0.2, le=600, description="how often the scheduler looks for missed, due and repeated runs, in seconds"
    )
    heartbeat_seconds: float = Field(
        15, ge=0.2, le=600, description="how often it notes that it lives; silent for four times as long, it is taken for dead, in seconds"
    )
    catch_up_days: int = Field(
        31, ge=0, le=3660, description="missed days that are computed afterwards; older ones are skipped, and said so"
    )
    stop_grace_seconds: float = Field(
        60, ge=0, le=86_400, description="after SIGTERM a run may go on for so long, then it is given back at its next step, in seconds"
    )
    late_hours: float = Field(2, gt=0, le=168, description="a time that waits or runs for longer is a problem in `status`, in hours")
    keep_days: int = Field(400, ge=31, le=36_600, description="how long settled times are kept for people to look at, in days")
    metrics_seconds: float = Field(60, ge=1, le=3600, description="how often figures of the store are read anew for Prometheus, in seconds")
    retry: RetryRules = Field(RetryRules(), description="runs that fail")


def schedule_rules(definitions: Definitions) -> ScheduleRules:
    """Return the project's rules; built-in ones where it has no ``config/schedule.yaml``."""
    return ScheduleRules.model_validate(definitions.catalogue("schedule"))
