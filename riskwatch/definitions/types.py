"""Typed definitions: what the YAML in ``models/``, ``pipelines/`` and ``config/`` turns into.

All are frozen pydantic models that forbid unknown keys. Codes are strings: the loader rejects unquoted codes that YAML would
read as numbers. JSON Schemas for editors are generated from these classes.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Bilingual",
    "Centre",
    "CodeRule",
    "DimensionFile",
    "Expected",
    "FolderReader",
    "HttpReader",
    "KnownAt",
    "Level",
    "ModelDefinition",
    "Paging",
    "PipelineDefinition",
    "ProjectSettings",
    "SourceDefinition",
    "Sparse",
    "SqlReader",
    "StepDefinition",
]


class Definition(BaseModel):
    """Base: frozen, no unknown keys, no silent coercion of numbers to text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Bilingual(Definition):
    """A label in both languages."""

    zh: str
    en: str


Profiles = Annotated[tuple[str, ...], Field(default=(), description="profiles in which this applies; empty: all")]


# --- config/riskwatch.yaml -------------------------------------------------------------------------------------------


class ProjectSettings(Definition):
    """``config/riskwatch.yaml``: database, paths, locale, and the profile in force."""

    name: Bilingual
    database: str = Field(
        "sqlite:///{var}/riskwatch.db", description="SQLAlchemy URL; {var} is paths.var; or env:NAME to read it from the environment"
    )
    profile: str = Field("demo", description="which sources, trees, centres and models are in force")
    data: str = Field("data", description="folder that {data} in source paths stands for")
    var: str = Field("var", description="folder for the database, digests and locks")
    timezone: str = "Asia/Shanghai"
    languages: tuple[Literal["zh", "en"], ...] = ("zh", "en")
    as_of: dt.date | None = Field(None, description="pin 'today' (demonstration and tests); null: the clock")
    simulated: bool = Field(False, description="data are simulated: every page says so")
    lease_seconds: int = Field(900, ge=10, description="a run that has not renewed its lease for so long is taken for dead")


# --- config/dimensions.yaml ------------------------------------------------------------------------------------------


class DimensionFile(Definition):
    """One file of a code list. Several files may make up one tree; codes are unique across them."""

    dimension: Literal["product", "industry", "region"]
    path: str
    format: str = Field("tree", description="'tree' (code,parent,level,name_zh,name_en,...) or the name of a documented adapter")
    options: dict[str, str] = Field(default_factory=dict)
    crosswalk: str | None = Field(None, description="CSV from_code,to_code,effective_on,note: moved and renamed codes, dated")
    profiles: Profiles


# --- config/sources/*.yaml -------------------------------------------------------------------------------------------


class FolderReader(Definition):
    """Files dropped in a folder: CSV (UTF-8 or GB18030), XLSX, Parquet, also .gz and .zip."""

    kind: Literal["folder"]
    path: str
    pattern: str = "*"
    encoding: Literal["auto", "utf-8", "gb18030"] = "auto"
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = Field(1, ge=1)
    max_bytes: int = Field(2_000_000_000, ge=1, description="largest file that is read, unpacked, in bytes")


class SqlReader(Definition):
    """A query on any SQLAlchemy URL, incremental by a cursor column."""

    kind: Literal["sql"]
    url_env: str = Field(description="environment variable that holds the URL; never the URL itself")
    query: str = Field(description="SELECT with :cursor as bind parameter, ordered by the cursor column")
    cursor: str
    start: str = ""
    chunk_rows: int = Field(50_000, ge=1)


class Paging(Definition):
    """How an HTTP source hands out its pages."""

    style: Literal["none", "page", "offset", "cursor", "link"] = "none"
    parameter: str = "page"
    size_parameter: str | None = None
    size: int = Field(500, ge=1)
    first: int = 1
    next_path: str | None = Field(None, description="dotted path of the next cursor or link in the answer")
    max_pages: int = Field(10_000, ge=1)


class HttpReader(Definition):
    """Paged HTTP JSON."""

    kind: Literal["http"]
    url: str
    records_path: str = Field("", description="dotted path of the list of rows in the answer; empty: the answer is the list")
    paging: Paging = Paging()
    since_parameter: str | None = Field(None, description="query parameter that takes the stored cursor")
    cursor: str | None = Field(None, description="row field whose largest value is the next cursor")
    token_env: str | None = Field(None, description="environment variable that holds a bearer token")
    headers: dict[str, str] = Field(default_factory=dict)
    timeout_seconds: float = Field(30.0, gt=0)
    retries: int = Field(4, ge=0)
    backoff_seconds: float = Field(1.0, ge=0)
    requests_per_second: float = Field(5.0, gt=0)
    max_bytes: int = Field(50_000_000, ge=1, description="largest answer that is read, in bytes")


class CodeRule(Definition):
    """How a raw value becomes a tree code: prefix, exact code, or by name."""

    by: Literal["code", "name"] = "code"
    prefix: str = ""
    width: int | None = Field(None, description="left-pad numeric codes with zeros to this width")
    unknown: Literal["quarantine", "keep-missing"] = "quarantine"
    names: dict[str, str] = Field(default_factory=dict, description="raw name -> code, before the tree's own names")
    level: str | None = Field(None, description="with by: name, the tree level to look in")
    default: str | None = Field(None, description="code for empty values")


class KnownAt(Definition):
    """When a record became known: a field of the row, the event date plus a delay, or its arrival here."""

    field: str | None = None
    event_date_plus_days: int | None = Field(None, ge=0)


class Expected(Definition):
    """What is normal for this source; silence beyond it is reported and lowers confidence."""

    every_days: int = Field(7, ge=1)
    late_after_days: int = Field(14, ge=1, description="newest record older than this: late")
    silent_after_days: int = Field(28, ge=1, description="newest record older than this: silent")
    until: dt.date | None = Field(None, description="the source closed on this day; no longer expected")


class SourceDefinition(Definition):
    """One source: where its rows come from and how they become records of a stream."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    stream: str
    label: Bilingual
    reader: Annotated[FolderReader | SqlReader | HttpReader, Field(discriminator="kind")]
    adapter: str | None = Field(None, description="named, documented format adapter applied to raw rows")
    adapter_options: dict[str, str] = Field(default_factory=dict)
    key: tuple[str, ...] = Field(min_length=1, description="fields (or raw headers) that make the natural key")
    columns: dict[str, str | tuple[str, ...]] = Field(description="field -> header, or list of header aliases")
    items: dict[str, str | tuple[str, ...]] = Field(default_factory=dict, description="item field -> header(s); one raw row per item")
    ignore: tuple[str, ...] = Field((), description="headers known and not wanted; others unknown are reported")
    constants: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict, description="field -> raw value -> value")
    codes: dict[str, CodeRule] = Field(default_factory=dict)
    missing: tuple[str, ...] = ("", "/", "—", "-", "--", "不详", "无", "N/A", "NA", "null")
    date_formats: tuple[str, ...] = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y.%m.%d", "%m/%d/%Y")
    known_at: KnownAt = KnownAt()
    expected: Expected = Expected()
    earliest: dt.date = Field(
        dt.date(1990, 1, 1), description="an event date before this goes to quarantine (1970-01-01 is a known artefact)"
    )
    licence: str = ""
    profiles: Profiles


# --- models/*.yaml ---------------------------------------------------------------------------------------------------


class Level(Definition):
    """One combination of tree levels to watch; a dimension left out is summed over ('all')."""

    product: str | None = None
    industry: str | None = None
    region: str | None = None


class Sparse(Definition):
    """When a series is too thin to model; it is then rolled up to its parent, and the report says so."""

    min_total: float = Field(20, ge=0, description="smallest sum of the counted measure over the history")
    min_active_periods: int = Field(5, ge=0, description="smallest number of periods with a count above zero")
    roll_up: tuple[Literal["product", "industry", "region"], ...] = ("region", "product")


class ModelDefinition(Definition):
    """One model: a stream, a measure, what to slice by, and the detector that watches it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    label: Bilingual
    stream: str
    sources: tuple[str, ...] = Field((), description="only records of these sources; empty: all of the stream")
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="field -> allowed values")
    between: dict[str, tuple[float, float]] = Field(default_factory=dict, description="field -> inclusive bounds (age, say)")
    numerator: str = Field("persons", description="field that is summed")
    denominator: str | None = Field(None, description="field that is summed as exposure (inspected, say)")
    product_fields: tuple[str, ...] = Field(("product",), description="a record counts once for each distinct product named in these")
    stratify: tuple[str, ...] = Field((), description="fields whose values are never pooled (selection, say)")
    levels: tuple[Level, ...] = Field(min_length=1)
    frequency: Literal["day", "week", "4-week", "month"]
    history_periods: int = Field(312, ge=1, description="longest history read, in periods")
    judge: int = Field(2, ge=1, description="newest ripe periods that are judged")
    ripe_after_days: int = Field(0, ge=0, description="a period is judged only once it ended so many days ago (reporting delay)")
    sparse: Sparse = Sparse()
    detector: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    min_observed: float = Field(0, ge=0, description="absolute floor: no alarm below this count")
    min_relative_risk: float = Field(1.0, ge=0, description="absolute floor: no alarm below this observed/expected")
    profiles: Profiles


# --- pipelines/*.yaml ------------------------------------------------------------------------------------------------


class StepDefinition(Definition):
    """One step of a pipeline."""

    step: Literal["pull", "detect", "assess", "warn", "digest"]
    sources: tuple[str, ...] = Field((), description="for pull: only these; empty: all in the profile")
    models: tuple[str, ...] = Field((), description="for detect: only these; empty: all in the profile")


class PipelineDefinition(Definition):
    """A schedule and its steps."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    label: Bilingual
    schedule: str = Field("", description="cron, five fields with day names, in the project's time zone")
    steps: tuple[StepDefinition, ...] = Field(min_length=1)


# --- config/centres.yaml ---------------------------------------------------------------------------------------------


class Centre(Definition):
    """A supervision centre: jurisdiction, recipients, languages."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    label: Bilingual
    region: str = Field(description="jurisdiction: a region code; '' for everything")
    languages: tuple[Literal["zh", "en"], ...] = ("zh", "en")
    recipients: tuple[str, ...] = ()
    contact: Bilingual | None = Field(None, description="duty desk, no personal names")
    profiles: Profiles
