"""Typed definitions: what the YAML in ``models/``, ``pipelines/`` and ``config/`` turns into.

All are frozen pydantic models that forbid unknown keys. Codes are strings: the loader rejects unquoted codes that YAML would
read as numbers. JSON Schemas for editors are generated from these classes.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Bilingual",
    "Centre",
    "CodeRule",
    "Definition",
    "Delay",
    "DimensionFile",
    "Expected",
    "FolderReader",
    "Holiday",
    "HolidayCalendar",
    "HttpReader",
    "KnownAt",
    "Level",
    "LevelShift",
    "ModelDefinition",
    "Override",
    "Paging",
    "PipelineDefinition",
    "ProjectSettings",
    "SeriesChoice",
    "SourceDefinition",
    "Sparse",
    "SqlReader",
    "StepDefinition",
    "Terms",
    "Workday",
]


class Definition(BaseModel):
    """Base: frozen, no unknown keys, no silent coercion of numbers to text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Bilingual(Definition):
    """A label in both languages."""

    zh: str = Field(description="in Chinese")
    en: str = Field(description="in English")


Profiles = Annotated[tuple[str, ...], Field(default=(), description="profiles in which this applies; empty: all")]


# --- config/riskwatch.yaml -------------------------------------------------------------------------------------------


class ProjectSettings(Definition):
    """``config/riskwatch.yaml``: database, paths, locale, and the profile in force."""

    name: Bilingual = Field(description="name of the project, shown on every page")
    database: str = Field(
        "sqlite:///{var}/riskwatch.db",
        description="SQLAlchemy URL, where {var} is settings.var and the profile; or where it is: env:NAME or file:PATH",
    )
    profile: str = Field("demo", description="which sources, trees, centres and models are in force")
    data: str = Field("data", description="folder that {data} in source paths stands for")
    var: str = Field("var", description="folder for the database, digests and locks")
    timezone: str = Field("Asia/Shanghai", description="time zone of days, schedules and 'known on that day'")
    languages: tuple[Literal["zh", "en"], ...] = Field(("zh", "en"), description="languages of digests, first one first")
    as_of: dt.date | None = Field(None, description="pin 'today' (demonstration and tests); null: the clock")
    simulated: bool = Field(False, description="data are simulated: every page says so")
    lease_seconds: int = Field(900, ge=10, description="a run that has not renewed its lease for so long is taken for dead, in seconds")


# --- config/dimensions.yaml ------------------------------------------------------------------------------------------


class DimensionFile(Definition):
    """One file of a code list. Several files may make up one tree; codes are unique across them."""

    dimension: Literal["product", "industry", "region"] = Field(description="the tree that the file belongs to")
    path: str = Field(description="file, from the project's folder; {data} stands for the data folder")
    format: str = Field("tree", description="'tree' (code,parent,level,name_zh,name_en,...) or the name of a documented adapter")
    options: dict[str, str] = Field(
        default_factory=dict, description="options of the format: levels (allowed level names), root (code that an adapter adds)"
    )
    crosswalk: str | None = Field(None, description="CSV from_code,to_code,effective_on,note: moved and renamed codes, dated")
    profiles: Profiles


# --- config/sources/*.yaml -------------------------------------------------------------------------------------------


class FolderReader(Definition):
    """Files dropped in a folder: CSV (UTF-8 or GB18030), XLSX, Parquet, also .gz and .zip."""

    kind: Literal["folder"]
    path: str = Field(description="folder, from the project's folder; {data} stands for the data folder")
    pattern: str = Field("*", description="which files of the folder are read")
    encoding: Literal["auto", "utf-8", "gb18030"] = Field("auto", description="of CSV files")
    delimiter: str = Field(",", description="of CSV files, one character")
    sheet: str | None = Field(None, description="sheet of XLSX files; null: the first")
    header_row: int = Field(1, ge=1, description="row that holds the headers, from 1")
    max_bytes: int = Field(2_000_000_000, ge=1, description="largest file that is read, unpacked, in bytes")
    settle_seconds: float = Field(0, ge=0, description="a file written less than so many seconds ago is left for the next pull")


class SqlReader(Definition):
    """A query on any SQLAlchemy URL, incremental by a cursor column."""

    kind: Literal["sql"]
    url_env: str | None = Field(None, description="environment variable that holds the URL; the same as url: env:NAME")
    url: str | None = Field(None, description="where the URL is: env:NAME or file:PATH; never the URL itself; null: url_env is given")
    query: str = Field(description="SELECT with :cursor as bind parameter, ordered by the cursor column")
    cursor: str = Field(description="column whose largest value is the next cursor")
    start: str = Field("", description="cursor of the first pull")
    chunk_rows: int = Field(50_000, ge=1, description="rows that are fetched at a time")


class Paging(Definition):
    """How an HTTP source hands out its pages."""

    style: Literal["none", "page", "offset", "cursor", "link"] = Field("none", description="how the next page is asked for")
    parameter: str = Field("page", description="query parameter that takes the page, offset or cursor")
    size_parameter: str | None = Field(None, description="query parameter that takes the page size; null: none")
    size: int = Field(500, ge=1, description="rows of a page")
    first: int = Field(1, description="number of the first page, or first offset")
    next_path: str | None = Field(None, description="dotted path of the next cursor or link in the answer")
    max_pages: int = Field(10_000, ge=1, description="a pull ends with an error after so many pages")


class HttpReader(Definition):
    """Paged HTTP JSON."""

    kind: Literal["http"]
    url: str = Field(description="http:// or https:// address, without secrets")
    records_path: str = Field("", description="dotted path of the list of rows in the answer; empty: the answer is the list")
    paging: Paging = Field(Paging(), description="how pages follow one another")
    since_parameter: str | None = Field(None, description="query parameter that takes the stored cursor")
    cursor: str | None = Field(None, description="row field whose largest value is the next cursor")
    token_env: str | None = Field(None, description="environment variable that holds a bearer token; the same as token: env:NAME")
    token: str | None = Field(None, description="where the bearer token is: env:NAME or file:PATH; never the token itself")
    headers: dict[str, str] = Field(
        default_factory=dict, description="further request headers; a value that is a secret is written env:NAME or file:PATH"
    )
    parameters: dict[str, str] = Field(
        default_factory=dict, description="further query parameters; a value that is a secret is written env:NAME or file:PATH"
    )
    timeout_seconds: float = Field(30.0, gt=0, description="longest wait for an answer, in seconds")
    retries: int = Field(4, ge=0, description="how often a failed request is made again")
    backoff_seconds: float = Field(1.0, ge=0, description="wait before the first retry, doubled each time, in seconds")
    requests_per_second: float = Field(5.0, gt=0, description="rate limit")
    max_bytes: int = Field(50_000_000, ge=1, description="largest answer that is read, in bytes")


class CodeRule(Definition):
    """How a raw value becomes a tree code: prefix, exact code, or by name."""

    by: Literal["code", "name"] = Field("code", description="whether raw values are codes or names")
    prefix: str = Field("", description="text put before a raw code")
    width: int | None = Field(None, description="left-pad numeric codes with zeros to this width")
    unknown: Literal["quarantine", "keep-missing"] = Field("quarantine", description="what becomes of a row whose code is unknown")
    names: dict[str, str] = Field(default_factory=dict, description="raw name -> code, before the tree's own names")
    level: str | None = Field(None, description="with by: name, the tree level to look in")
    default: str | None = Field(None, description="code for empty values")


class KnownAt(Definition):
    """When a record became known: a field of the row, the event date plus a delay, or its arrival here."""

    field: str | None = Field(None, description="date field of the row, or a raw date header that is listed under ignore")
    event_date_plus_days: int | None = Field(None, ge=0, description="fixed delay after the event date, in days")


class Expected(Definition):
    """What is normal for this source; silence beyond it is reported and lowers confidence."""

    every_days: int = Field(7, ge=1, description="new records are expected so often, in days")
    late_after_days: int = Field(14, ge=1, description="newest record older than this: late")
    silent_after_days: int = Field(28, ge=1, description="newest record older than this: silent")
    until: dt.date | None = Field(None, description="the source closed on this day; no longer expected")


class SourceDefinition(Definition):
    """One source: where its rows come from and how they become records of a stream."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="unique name of the source")
    stream: str = Field(description="kind of record: a stream of docs/records.md")
    label: Bilingual = Field(description="as shown to readers")
    reader: Annotated[FolderReader | SqlReader | HttpReader, Field(discriminator="kind")] = Field(
        description="where rows come from; `kind` is folder, sql or http"
    )
    region: str = Field(
        "",
        description="region that it covers: centres elsewhere are not told of its silence; empty: the whole project, or constants.region",
    )
    adapter: str | None = Field(None, description="named, documented format adapter applied to raw rows")
    adapter_options: dict[str, str] = Field(default_factory=dict, description="options of the adapter")
    key: tuple[str, ...] = Field(min_length=1, description="fields (or raw headers) that make the natural key")
    columns: dict[str, str | tuple[str, ...]] = Field(description="field -> header, or list of header aliases")
    items: dict[str, str | tuple[str, ...]] = Field(default_factory=dict, description="item field -> header(s); one raw row per item")
    ignore: tuple[str, ...] = Field((), description="headers known and not wanted; others unknown are reported")
    constants: dict[str, str] = Field(default_factory=dict, description="field -> value that every record of this source has")
    values: dict[str, dict[str, str]] = Field(default_factory=dict, description="field -> raw value -> value")
    codes: dict[str, CodeRule] = Field(default_factory=dict, description="field -> how raw values become tree codes")
    missing: tuple[str, ...] = Field(
        ("", "/", "—", "-", "--", "不详", "无", "N/A", "NA", "null"), description="raw values that mean 'not given'"
    )
    date_formats: tuple[str, ...] = Field(
        ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y.%m.%d", "%m/%d/%Y"), description="tried in this order (strptime)"
    )
    known_at: KnownAt = Field(KnownAt(), description="when a record became known; default: when it arrived here")
    expected: Expected = Field(Expected(), description="how often records come, and when silence is reported")
    earliest: dt.date = Field(
        dt.date(1990, 1, 1), description="an event date before this goes to quarantine (1970-01-01 is a known artefact)"
    )
    licence: str = Field("", description="licence and origin of the data, shown with what is made of them")
    profiles: Profiles


# --- models/*.yaml ---------------------------------------------------------------------------------------------------


class Level(Definition):
    """One combination of tree levels to watch; a dimension left out is summed over ('all')."""

    product: str | None = Field(None, description="level of the product tree; null: summed over")
    industry: str | None = Field(None, description="level of the industry tree; null: summed over")
    region: str | None = Field(None, description="level of the region tree; null: summed over")


class Sparse(Definition):
    """When a series is too thin to model; it is then rolled up to its parent, and the report says so."""

    min_total: float = Field(20, ge=0, description="smallest sum of the counted measure over the history")
    min_active_periods: int = Field(5, ge=0, description="smallest number of periods with a count above zero")
    roll_up: tuple[Literal["product", "industry", "region"], ...] = Field(
        ("region", "product"), description="dimensions along which a thin series joins its parent, in this order"
    )


class Terms(Definition):
    """The words of a text field as series: one for each term, counted in records, placed at the product node that holds most of them."""

    field: str = Field(description="text field of the stream; it is scrubbed and cut into terms as config/texts.yaml says")
    counted: str = Field(
        "",
        description="measure (failed, say): records that hold the term and have it above 0 are counted, of all records that hold the term;"
        " for binomial-baseline. '': records that hold the term, of all records; for log-odds-dirichlet",
    )
    uncoded: bool = Field(
        False, description="only records without a product code, or with one of a catch-all (config/texts.yaml, catch_all)"
    )


class Delay(Definition):
    """How late records come, learnt from past ones, so that a period is judged on what should have been reported of it by now."""

    max_delay_days: int = Field(
        60,
        ge=1,
        le=400,
        description="longest delay modelled, in days after the end of the period; later records count as corrections",
    )
    history_days: int = Field(730, ge=28, description="periods that ended within so many days are learnt from")


class LevelShift(Definition):
    """A dated change of codes, standards or coverage, after which some series run at another level."""

    since: dt.date = Field(description="first day of the new level")
    where: dict[Literal["product", "industry", "region"], tuple[str, ...]] = Field(
        default_factory=dict, description="dimension -> codes; series of these codes and of codes below them shift; empty: all series"
    )
    reason: Bilingual = Field(description="what changed")
    source: str = Field(description="where that is written: title and number of the notice or standard, or an address")


class Distinct(Definition):
    """Count persons and not records: whoever complains ten times is one."""

    field: str = Field(description="field that names who a record is from (complainant, say); it is counted, never shown")
    cap: float = Field(1, gt=0, description="the most that one of them counts in a series and period")


class SeriesChoice(Definition):
    """Some series of a model: those of all codes named, or of codes below them."""

    product: str = Field("", description="code of the product tree, with all below it; empty: whatever the product")
    industry: str = Field("", description="code of the industry tree, with all below it; empty: whatever the industry")
    region: str = Field("", description="code of the region tree, with all below it; empty: whatever the region")
    stratum: str = Field(
        "",
        description="values of fields that the model stratifies by, as they stand in its series (selection=random), several separated by"
        " a comma and a blank; empty: whatever the stratum",
    )

    @model_validator(mode="after")
    def _some(self) -> SeriesChoice:
        if not any(self.model_dump().values()):
            raise ValueError("names no series: give product, industry, region or stratum")
        return self


class Override(Definition):
    """Thresholds of a model that differ for some of its series."""

    where: SeriesChoice = Field(description="the series that are meant")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="parameters of the detector for these series; those left out are as without this entry"
    )
    min_observed: float | None = Field(
        None, ge=0, description="absolute floor for these series: no alarm below this count (with `window_periods`: of the window)"
    )
    min_relative_risk: float | None = Field(
        None, ge=0, description="absolute floor for these series: no alarm below this observed/expected"
    )
    because: Bilingual | str = Field("", description="why these series have thresholds of their own")
    dated: dt.date | None = Field(None, description="day on which that was decided")


class ModelDefinition(Definition):
    """One model: a stream, a measure, what to slice by, and the detector that watches it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="unique name of the model")
    label: Bilingual = Field(description="as shown to readers")
    stream: str = Field(description="kind of record: a stream of docs/records.md")
    sources: tuple[str, ...] = Field((), description="only records of these sources; empty: all of the stream")
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="field -> allowed values")
    between: dict[str, tuple[float, float]] = Field(default_factory=dict, description="field -> inclusive bounds (age, say)")
    numerator: str = Field("persons", description="field that is summed")
    denominator: str | None = Field(None, description="field that is summed as exposure (inspected, say)")
    distinct: Distinct | None = Field(None, description="count distinct persons in place of records; null: records")
    product_fields: tuple[str, ...] = Field(("product",), description="a record counts once for each distinct product named in these")
    stratify: tuple[str, ...] = Field((), description="fields whose values are never pooled (selection, say)")
    by_item: bool = Field(
        False,
        description="a series for each test item as well: of all samples of such goods, those that failed it; the stratum names the item",
    )
    terms: Terms | None = Field(
        None, description="watch the terms of a text field (records that hold a term, of all records) instead of a measure; null: no"
    )
    breakdown: str | None = Field(
        None, description="field whose values have effects of their own on the share (laboratory, say), for detectors that take them in"
    )
    levels: tuple[Level, ...] = Field(min_length=1, description="combinations of tree levels; each gives one series per code that occurs")
    frequency: Literal["day", "week", "4-week", "month"] = Field(description="length of a period; weeks are ISO weeks")
    history_periods: int = Field(312, ge=1, description="longest history read, in periods")
    judge: int = Field(2, ge=1, description="newest ripe periods that are judged")
    ripe_after_days: int = Field(0, ge=0, description="a period is judged only once it ended so many days ago (reporting delay)")
    delay: Delay | None = Field(None, description="judge periods that are still being reported; null: only those that ripened")
    covariates: tuple[Literal["spring-festival", "workdays"], ...] = Field(
        (), description="regressors of the calendar (config/holidays.yaml), for detectors that take covariates"
    )
    level_shifts: tuple[LevelShift, ...] = Field((), description="dated changes of level, for detectors that take covariates")
    standard_changes: bool = Field(
        False, description="carry the dated changes of config/standards.yaml as level shifts; for models of spot_check only"
    )
    sparse: Sparse = Field(Sparse(), description="when a series is too thin to model")
    detector: str = Field(description="registry name of the method")
    parameters: dict[str, Any] = Field(default_factory=dict, description="parameters of the detector; those left out keep its defaults")
    min_observed: float = Field(0, ge=0, description="absolute floor: no alarm below this count (with `window_periods`: of the window)")
    min_relative_risk: float = Field(1.0, ge=0, description="absolute floor: no alarm below this observed/expected")
    # Left out of what is hashed while empty: a model without overrides has the hash that it had before there were any.
    overrides: tuple[Override, ...] = Field(
        (),
        exclude_if=lambda entries: not entries,
        description="thresholds by product, region and stratum, read from top to bottom: a later entry wins, key by key (docs/tuning.md)",
    )
    profiles: Profiles


# --- pipelines/*.yaml ------------------------------------------------------------------------------------------------


class StepDefinition(Definition):
    """One step of a pipeline."""

    step: Literal["pull", "detect", "assess", "profile", "warn", "digest", "report", "deliver", "retain"] = Field(
        description="what is done"
    )
    sources: tuple[str, ...] = Field((), description="for pull: only these; empty: all in the profile")
    models: tuple[str, ...] = Field((), description="for detect: only these; empty: all in the profile")


class PipelineDefinition(Definition):
    """A schedule and its steps."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="unique name of the pipeline")
    label: Bilingual = Field(description="as shown to readers")
    schedule: str = Field("", description="cron, five fields with day names, in the project's time zone")
    jitter_seconds: int = Field(
        0, ge=0, le=3600, description="a scheduled run starts up to so much later (drawn from the time, the same everywhere), in seconds"
    )
    steps: tuple[StepDefinition, ...] = Field(
        min_length=1, description="in the order pull, detect, assess, profile, warn, digest, report, deliver, retain; some may be left out"
    )


# --- config/centres.yaml ---------------------------------------------------------------------------------------------


class Centre(Definition):
    """A supervision centre: jurisdiction, recipients, languages."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="unique name of the centre")
    label: Bilingual = Field(description="as shown to readers")
    region: str = Field(description="jurisdiction: a region code; '' for everything")
    languages: tuple[Literal["zh", "en"], ...] = Field(("zh", "en"), description="languages of its digests")
    recipients: tuple[str, ...] = Field((), description="addresses of desks that get the digest")
    contact: Bilingual | None = Field(None, description="duty desk, no personal names")
    profiles: Profiles


# --- config/holidays.yaml --------------------------------------------------------------------------------------------


class Holiday(Definition):
    """A day off work; ``verified`` says whether it was checked against a published arrangement."""

    date: dt.date = Field(description="the day")
    name: Bilingual = Field(description="name of the holiday")
    verified: bool = Field(description="checked against the published arrangement")


class Workday(Definition):
    """A Saturday or Sunday that is worked in exchange for a day off (调休)."""

    date: dt.date = Field(description="the day")
    verified: bool = Field(description="checked against the published arrangement")


class HolidayCalendar(Definition):
    """``config/holidays.yaml``: Spring Festival, public holidays and adjusted workdays."""

    spring_festival: dict[int, dt.date] = Field(description="year -> first day of the first lunar month")
    holidays: tuple[Holiday, ...] = Field((), description="days off work, adjusted days off included")
    adjusted_workdays: tuple[Workday, ...] = Field((), description="weekend days that are worked")
