"""The rules of ``config/retention.yaml`` as typed, frozen data: for how long what is kept."""

from __future__ import annotations

from pydantic import Field, field_validator

from riskwatch.records.streams import STREAMS
from riskwatch.rulebase import Basis, Rule

__all__ = ["RetentionRules"]

_LEAST_RECORDS = 1096  # three years: less, and no season can be told from a trend


class RetentionRules(Rule):
    """Days for which each kind of thing is kept, counted back from the as-of day; null keeps it for good.

    The events of warnings, the runs and the batches' own rows are kept for good, whatever stands here. So is what an open warning rests
    on, and what the next run reads; see :mod:`riskwatch.runner.retention`.
    """

    version: str = Field(min_length=1, description="edition of these rules")
    basis: Basis = Field(description="where the numbers come from")
    raw_days: int | None = Field(
        ge=30, description="raw rows of judged batches, counted from their landing; none that quarantine waits for"
    )
    quarantine_days: int | None = Field(ge=30, description="resolved entries of the quarantine, counted from their resolution")
    detection_days: int | None = Field(ge=120, description="judgements of models, with the signals of every series")
    assessment_days: int | None = Field(ge=120, description="assessments of runs")
    warning_days: int | None = Field(ge=120, description="how a warning stood on each day: before, only its newest state stays")
    digest_days: int | None = Field(ge=30, description="digests in the store; those of the current year stay, for they are numbered by it")
    digest_file_days: int | None = Field(
        ge=7, description="rendered digests; `riskwatch digest` writes them again while the store has them"
    )
    message_days: int | None = Field(
        default=None, ge=120, description="messages that were sent or dropped, with their attempts, counted from the day they tell of"
    )
    drop_file_days: int | None = Field(
        default=None, ge=7, description="what channels of the kind file have written, counted from the day it tells of"
    )
    report_days: int | None = Field(ge=400, description="files of reports, counted from the end of their period")
    record_days: dict[str, int] = Field(
        default_factory=dict, description="records by stream, counted from their event; streams that are not named are kept for good"
    )

    @field_validator("record_days")
    @classmethod
    def _streams_and_lengths(cls, days: dict[str, int]) -> dict[str, int]:
        for stream, length in days.items():
            if stream not in STREAMS:
                raise ValueError(f'no stream "{stream}"; streams are {", ".join(STREAMS)}')
            if length < _LEAST_RECORDS:
                raise ValueError(f"{stream}: records must be kept for at least {_LEAST_RECORDS} days, got {length}")
        return days
