"""The tables, in SQLAlchemy Core; record tables are made from the declared streams.

Conventions that hold in SQLite and PostgreSQL alike:

* A *day* is a ``DATE`` (ISO text in SQLite). ``known_at`` is the day at whose end, in the project's zone, a version counts as
  known; ``superseded_at`` is the day from which another version takes its place, NULL while none has.
  A version is visible as of day D if ``known_at <= D`` and not ``superseded_at <= D``.
* An *instant* (``landed_at``, ``created_at``, ...) is text in UTC, ``2026-11-23T02:38:47.123456Z``: the same characters in both
  databases and through every driver, and sorting them sorts time.
* JSON is text, written with sorted keys.

Personal data lives in the record tables, the raw landing and the quarantine (which hold rows as they came), nowhere else.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from riskwatch.records.streams import STREAMS, Field, Stream

__all__ = [
    "BOOKKEEPING",
    "ITEM_TABLES",
    "RECORD_TABLES",
    "assessment",
    "batch",
    "case_event",
    "delivery_attempt",
    "detection",
    "digest",
    "lease",
    "message",
    "metadata",
    "occurrence",
    "quarantine",
    "raw_chunk",
    "rolled_up",
    "run",
    "schedule",
    "scheduler",
    "signal",
    "silence",
    "source_state",
    "warning",
    "warning_event",
]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Columns of every record table beside the stream's own fields.
BOOKKEEPING = (
    "record_id",
    "key_hash",
    "version",
    "known_at",
    "superseded_at",
    "declared_on",
    "source",
    "content_hash",
    "batch_id",
    "row_no",
)


def _type(field: Field) -> sa.types.TypeEngine[Any]:
    kinds: dict[str, sa.types.TypeEngine[Any]] = {
        "text": sa.Text(),
        "code": sa.Text(),
        "int": sa.BigInteger(),
        "float": sa.Double(),
        "date": sa.Date(),
        "moment": sa.Text(),
        "bool": sa.Boolean(),
    }
    return kinds[field.kind]


def _fields(fields: tuple[Field, ...]) -> list[sa.Column[Any]]:
    return [sa.Column(field.name, _type(field), nullable=not field.required) for field in fields]


def _record_table(stream: Stream) -> sa.Table:
    # Numbers and codes before texts: SQLite decodes a row from the left and stops at the last column asked for.
    narrow = tuple(field for field in stream.fields if field.kind != "text")
    wide = tuple(field for field in stream.fields if field.kind == "text")
    key, *common = stream.all_fields[: len(stream.all_fields) - len(stream.fields)]
    return sa.Table(
        f"record_{stream.name}",
        metadata,
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("key_hash", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.Date(), nullable=False),
        sa.Column("superseded_at", sa.Date()),
        sa.Column("declared_on", sa.Date()),
        *_fields(tuple(common)),
        *_fields(narrow),
        sa.Column("source", sa.Text(), nullable=False),
        *_fields((key,)),
        *_fields(wide),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.BigInteger(), nullable=False),
        # The hash stands for (source, record_key): an integer index costs a fraction of one on two texts. Should two keys
        # ever share a hash they share one numbering of versions, and the texts are compared, so neither hides the other.
        sa.UniqueConstraint("key_hash", "version"),
        # Records arrive roughly in the order of their days, which keeps this index cheap to grow.
        sa.Index(None, "event_date"),
    )


def _item_table(stream: Stream) -> sa.Table:
    return sa.Table(
        f"record_{stream.name}_item",
        metadata,
        sa.Column("record_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("item_no", sa.BigInteger(), primary_key=True, autoincrement=False),
        *_fields(stream.items),
        sqlite_with_rowid=False,
    )


RECORD_TABLES: dict[str, sa.Table] = {stream.name: _record_table(stream) for stream in STREAMS.values()}
ITEM_TABLES: dict[str, sa.Table] = {stream.name: _item_table(stream) for stream in STREAMS.values() if stream.items}

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("batch_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("stream", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("content_key", sa.Text(), nullable=False),
    sa.Column("first_row", sa.BigInteger(), nullable=False),
    sa.Column("last", sa.Boolean(), nullable=False),
    sa.Column("cursor", sa.Text()),
    sa.Column("n_rows", sa.BigInteger(), nullable=False),
    sa.Column("n_new", sa.BigInteger(), nullable=False),
    sa.Column("n_changed", sa.BigInteger(), nullable=False),
    sa.Column("n_same", sa.BigInteger(), nullable=False),
    sa.Column("n_stale", sa.BigInteger(), nullable=False),
    sa.Column("n_rejected", sa.BigInteger(), nullable=False),
    # First and last day on which this batch changed what is visible: data_vintage() reads these instead of the records.
    sa.Column("known_from", sa.Date()),
    sa.Column("known_to", sa.Date()),
    sa.Column("landed_at", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),  # landed | judged
    sa.UniqueConstraint("source", "content_key", "first_row"),
)

raw_chunk = sa.Table(
    "raw_chunk",
    metadata,
    sa.Column("batch_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("chunk_no", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("first_row", sa.BigInteger(), nullable=False),
    sa.Column("n_rows", sa.BigInteger(), nullable=False),
    sa.Column("payload", sa.LargeBinary(), nullable=False),  # Arrow IPC stream of text columns, zstd
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("batch_id", sa.BigInteger(), nullable=False),
    sa.Column("row_no", sa.BigInteger(), nullable=False),
    sa.Column("field", sa.Text(), nullable=False),
    sa.Column("rule", sa.Text(), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.Column("message", sa.Text(), nullable=False),
    sa.Column("raw", sa.Text(), nullable=False),
    sa.Column("fingerprint", sa.Text(), nullable=False),  # of source, raw row, field and rule: what makes an entry the same
    sa.Column("state", sa.Text(), nullable=False),  # open | retried (still wrong) | resolved
    sa.Column("created_at", sa.Text(), nullable=False),
    sa.Column("resolved_at", sa.Text()),
    sa.UniqueConstraint("source", "fingerprint"),
    sa.Index(None, "batch_id"),
)

source_state = sa.Table(
    "source_state",
    metadata,
    sa.Column("source", sa.Text(), primary_key=True),
    sa.Column("cursor", sa.Text()),
    sa.Column("last_pull_at", sa.Text()),
    sa.Column("last_success_at", sa.Text()),
    sa.Column("last_error", sa.Text()),
    sa.Column("consecutive_failures", sa.BigInteger(), nullable=False),
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("holder", sa.Text(), nullable=False),
    sa.Column("acquired_at", sa.Text(), nullable=False),
    sa.Column("renewed_at", sa.Text(), nullable=False),
    sa.Column("expires_at", sa.Text(), nullable=False),
)

# One row per time at which a pipeline was to run: who claims it does it, nobody does it twice.
occurrence = sa.Table(
    "occurrence",
    metadata,
    sa.Column("pipeline", sa.Text(), primary_key=True),
    sa.Column("scheduled_for", sa.Text(), primary_key=True),  # an instant
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),  # due | running | done | failed | caught-up | skipped
    sa.Column("covers", sa.BigInteger(), nullable=False),  # times of the same day, or skipped ones, that this row stands for
    sa.Column("quiet", sa.Boolean(), nullable=False),
    sa.Column("catch_up_from", sa.Date()),
    sa.Column("run_id", sa.Text()),
    sa.Column("holder", sa.Text()),
    sa.Column("attempts", sa.BigInteger(), nullable=False),  # how often it was started
    sa.Column("failures", sa.BigInteger(), nullable=False),  # how often it came to an end with an error
    sa.Column("message", sa.Text(), nullable=False),
    sa.Column("retry_at", sa.Text()),
    sa.Column("claimed_at", sa.Text()),
    sa.Column("finished_at", sa.Text()),
    sa.Index(None, "state"),
)

# What is known of a pipeline's schedule beside its definition: since when its times count, and whether it is paused.
schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("pipeline", sa.Text(), primary_key=True),
    sa.Column("counted_from_at", sa.Text(), nullable=False),
    sa.Column("paused_at", sa.Text()),
    sa.Column("paused_by", sa.Text()),
)

# One row per scheduler process that lives.
scheduler = sa.Table(
    "scheduler",
    metadata,
    sa.Column("holder", sa.Text(), primary_key=True),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("started_at", sa.Text(), nullable=False),
    sa.Column("beat_at", sa.Text(), nullable=False),
    sa.Column("stopping", sa.Boolean(), nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("run_id", sa.Text(), primary_key=True),
    sa.Column("pipeline", sa.Text(), nullable=False),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("now", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),  # running | done | failed
    sa.Column("definitions", sa.Text(), nullable=False),  # JSON: name -> sha256
    sa.Column("counts", sa.Text(), nullable=False),  # JSON
    sa.Column("started_at", sa.Text(), nullable=False),
    sa.Column("finished_at", sa.Text()),
)

detection = sa.Table(
    "detection",
    metadata,
    sa.Column("detection_id", sa.Text(), primary_key=True),  # sha256 of model, data and judged periods
    sa.Column("model", sa.Text(), nullable=False),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("history", sa.Text(), nullable=False),  # JSON: last periods of the alarmed series, for charts
    sa.Column("created_at", sa.Text(), nullable=False),
)

_owner = ("detection.detection_id",)

signal = sa.Table(
    "signal",
    metadata,
    sa.Column("detection_id", sa.Text(), sa.ForeignKey(*_owner), primary_key=True),
    sa.Column("row_no", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("product", sa.Text(), nullable=False),
    sa.Column("industry", sa.Text(), nullable=False),
    sa.Column("region", sa.Text(), nullable=False),
    sa.Column("stratum", sa.Text(), nullable=False),
    sa.Column("period_start", sa.Date(), nullable=False),
    sa.Column("period_end", sa.Date(), nullable=False),
    sa.Column("frequency", sa.Text(), nullable=False),
    sa.Column("observed", sa.Double()),
    sa.Column("exposure", sa.Double()),
    sa.Column("expected", sa.Double()),
    sa.Column("lower", sa.Double()),
    sa.Column("upper", sa.Double()),
    sa.Column("p_value", sa.Double()),
    sa.Column("q_value", sa.Double()),
    sa.Column("alarm", sa.Boolean(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("evidence_start", sa.Date()),  # first day of the periods in which the evidence lies; without one, the judged period's
    sqlite_with_rowid=False,
)

rolled_up = sa.Table(
    "rolled_up",
    metadata,
    sa.Column("detection_id", sa.Text(), sa.ForeignKey(*_owner), primary_key=True),
    sa.Column("row_no", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("series", sa.Text(), nullable=False),
    sa.Column("parent", sa.Text(), nullable=False),
    sa.Column("total", sa.Double()),
)

assessment = sa.Table(
    "assessment",
    metadata,
    sa.Column("run_id", sa.Text(), sa.ForeignKey("run.run_id"), primary_key=True),
    sa.Column("assessment_id", sa.Text(), primary_key=True),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("subject_kind", sa.Text(), nullable=False),
    sa.Column("subject_code", sa.Text(), nullable=False),
    sa.Column("region", sa.Text(), nullable=False),
    sa.Column("grade", sa.Text(), nullable=False),
    sa.Column("payload", sa.Text(), nullable=False),
    sa.Index(None, "as_of"),
)

# One row per warning and day on which it changed: reading as of a day takes the newest at or before it, and a replay of a
# past day never overwrites what a later one decided.
warning = sa.Table(
    "warning",
    metadata,
    sa.Column("warning_id", sa.Text(), primary_key=True),
    sa.Column("as_of", sa.Date(), primary_key=True),
    sa.Column("fingerprint", sa.Text(), nullable=False),
    sa.Column("subject_kind", sa.Text(), nullable=False),
    sa.Column("subject_code", sa.Text(), nullable=False),
    sa.Column("region", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("grade", sa.Text(), nullable=False),
    sa.Column("scope", sa.Text(), nullable=False),
    sa.Column("first_seen", sa.Date(), nullable=False),
    sa.Column("last_seen", sa.Date(), nullable=False),
    sa.Column("payload", sa.Text(), nullable=False),
    sa.Index(None, "fingerprint"),
)

warning_event = sa.Table(
    "warning_event",
    metadata,
    sa.Column("event_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("warning_id", sa.Text(), nullable=False),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),  # JSON: zh, en
    sa.Column("grade_before", sa.Text()),
    sa.Column("grade_after", sa.Text()),
    sa.Column("payload", sa.Text(), nullable=False),
    # One chain over both tables of events; see riskwatch.store.chain.
    sa.Column("link", sa.BigInteger(), nullable=False),
    sa.Column("previous_hash", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.UniqueConstraint("warning_id", "as_of", "kind"),
    sa.UniqueConstraint("link"),
    sa.Index(None, "as_of"),
)

# What people did with a warning (or a silence), and what followed by itself; only ever added to.
case_event = sa.Table(
    "case_event",
    metadata,
    sa.Column("event_id", sa.Text(), primary_key=True),
    sa.Column("case_id", sa.Text(), nullable=False),  # id of the warning, or of the silence
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),  # "" where it followed by itself
    sa.Column("happened_at", sa.Text()),  # the instant at which a person acted; NULL where it followed by itself
    sa.Column("payload", sa.Text(), nullable=False),
    sa.Column("link", sa.BigInteger(), nullable=False),
    sa.Column("previous_hash", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.UniqueConstraint("case_id", "seq"),
    sa.UniqueConstraint("link"),
    sa.Index(None, "as_of"),
)

silence = sa.Table(
    "silence",
    metadata,
    sa.Column("silence_id", sa.Text(), primary_key=True),
    sa.Column("matcher", sa.Text(), nullable=False),  # JSON
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("author", sa.Text(), nullable=False),
    sa.Column("starts_on", sa.Date(), nullable=False),
    sa.Column("ends_on", sa.Date(), nullable=False),
    sa.Column("ended_on", sa.Date()),
)

digest = sa.Table(
    "digest",
    metadata,
    sa.Column("centre", sa.Text(), primary_key=True),
    sa.Column("as_of", sa.Date(), primary_key=True),
    sa.Column("language", sa.Text(), primary_key=True),
    sa.Column("issue_no", sa.BigInteger(), nullable=False),
    sa.Column("payload", sa.Text(), nullable=False),
)

# The outbox: what is to be told to whom. Addresses and contents are not in it: they come from the configuration and from the digest.
message = sa.Table(
    "message",
    metadata,
    sa.Column("message_key", sa.Text(), primary_key=True),
    sa.Column("centre", sa.Text(), nullable=False),
    sa.Column("as_of", sa.Date(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),  # digest | catch-up | correction | alert
    sa.Column("channel", sa.Text(), nullable=False),
    sa.Column("recipients", sa.Text(), nullable=False),  # name of a group
    sa.Column("language", sa.Text(), nullable=False),
    sa.Column("warning_id", sa.Text(), nullable=False),  # of alerts; "" otherwise
    sa.Column("change", sa.Text(), nullable=False),  # of alerts: new | worsened
    sa.Column("grade", sa.Text(), nullable=False),  # gravest level that is new or worsened; "" for none
    sa.Column("first_day", sa.Date()),  # of catch-ups: the first day that they speak for
    sa.Column("edition", sa.BigInteger(), nullable=False),
    sa.Column("told", sa.Text(), nullable=False),  # hash of what the reader is told
    sa.Column("state", sa.Text(), nullable=False),  # pending | sending | sent | dead | dropped
    sa.Column("attempts", sa.BigInteger(), nullable=False),  # failures in a row
    sa.Column("reason", sa.Text(), nullable=False),  # code of the last outcome, or why it was dropped
    sa.Column("claimed_by", sa.Text(), nullable=False),
    sa.Column("created_at", sa.Text(), nullable=False),
    sa.Column("due_at", sa.Text(), nullable=False),
    sa.Column("lease_until_at", sa.Text()),
    sa.Column("finished_at", sa.Text()),
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "as_of"),
)

delivery_attempt = sa.Table(
    "delivery_attempt",
    metadata,
    sa.Column("message_key", sa.Text(), primary_key=True),
    sa.Column("attempt", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text(), nullable=False),  # sent | retry | dead | dropped
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("detail", sa.Text(), nullable=False),
    sa.Column("started_at", sa.Text(), nullable=False),
    sa.Column("finished_at", sa.Text(), nullable=False),
)
