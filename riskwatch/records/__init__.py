"""Record types of each stream, their schemas and checks: raw rows in, typed records and reasons for rejection out."""

from __future__ import annotations

from riskwatch.records.hashing import content_hash
from riskwatch.records.parse import Parsed, parse
from riskwatch.records.rules import RULES
from riskwatch.records.schema import schema_for
from riskwatch.records.source import CodeRuleLike, KnownAtLike, SourceLike
from riskwatch.records.streams import COMMON, ENTERPRISE_CREDIT, EXTERNAL_NOTICE, INDICATOR, INJURY, SPOT_CHECK, STREAMS, Field, Stream

__all__ = [
    "COMMON",
    "ENTERPRISE_CREDIT",
    "EXTERNAL_NOTICE",
    "INDICATOR",
    "INJURY",
    "RULES",
    "SPOT_CHECK",
    "STREAMS",
    "CodeRuleLike",
    "Field",
    "KnownAtLike",
    "Parsed",
    "SourceLike",
    "Stream",
    "content_hash",
    "parse",
    "schema_for",
]
