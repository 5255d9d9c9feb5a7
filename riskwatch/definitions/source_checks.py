"""Checks of sources against the fields of their stream, and for secrets that do not belong in a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from riskwatch.definitions.checks import World
from riskwatch.definitions.entries import Collector, Draft, Entry
from riskwatch.definitions.secrets import form_complaint, is_reference
from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import FolderReader, HttpReader, SourceDefinition, SqlReader
from riskwatch.records.streams import STREAMS, Field, Stream

__all__ = ["check_source"]

_SECRET_NAME = re.compile(r"authorization|cookie|token|secret|api[-_]?key|passw|signature|\bkey\b", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"://[^/@\s]+@|[?&](?:[^=&]*(?:token|key|secret|password)[^=&]*)=", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check_source(entry: Entry[SourceDefinition], world: World, adapters: Collection[str] | None, collector: Collector) -> None:
    """Check one source.

    Parameters
    ----------
    entry : Entry
        The source.
    world : World
        Trees of a profile in which it is in force.
    adapters : collection of str, optional
        Names of the format adapters; None: not checked (they live in a room above this one).
    collector : Collector
        Takes the problems.
    """
    draft, source = entry.draft, entry.value
    _check_reader(draft, source, collector)
    if adapters is not None and source.adapter is not None and source.adapter not in adapters:
        collector.add(draft, ("adapter",), unknown("adapter", source.adapter, adapters))
    if source.expected.silent_after_days < source.expected.late_after_days:
        message = f"expected: silent_after_days must be >= late_after_days = {source.expected.late_after_days}"
        collector.add(draft, ("expected",), f"{message}, got {source.expected.silent_after_days}")
    stream = STREAMS.get(source.stream)
    if stream is None:
        collector.add(draft, ("stream",), unknown("stream", source.stream, STREAMS))
        return
    fields = {field.name: field for field in stream.all_fields}
    for key in ("columns", "constants", "values", "codes"):
        # A value map may serve the items of a record as well.
        known = {**{field.name: field for field in stream.items}, **fields} if key == "values" else fields
        for name in getattr(source, key):
            if name not in known:
                message = f"{key}: {unknown('field', name, known, within=f'stream {stream.name}')}"
                collector.add(draft, (key, name), message, of_key=True)
    _check_items(draft, source, stream, collector)
    _check_choices(draft, source, {**{field.name: field for field in stream.items}, **fields}, collector)
    _check_codes(draft, source, fields, world, collector)
    _check_key(draft, source, fields, collector)
    _check_known_at(draft, source, fields, collector)
    for field in stream.all_fields:
        default = source.codes[field.name].default if field.name in source.codes else None
        if field.required and field.name != "record_key" and field.name not in {*source.columns, *source.constants} and default is None:
            message = f"columns: required field {field.name} of stream {stream.name} is neither mapped nor a constant"
            collector.add(draft, ("columns",), message, of_key=True)
    for name in sorted(set(source.columns) & set(source.constants)):
        collector.add(draft, ("constants", name), f"constants: {name} is also in columns; keep one", of_key=True)


def _check_reader(draft: Draft, source: SourceDefinition, collector: Collector) -> None:
    reader = source.reader
    if isinstance(reader, FolderReader):
        for name in re.findall(r"{(\w*)}", reader.path):
            if name not in {"data", "var"}:
                collector.add(draft, ("reader", "path"), f"reader.path has the unknown placeholder {{{name}}}; known: {{data}}, {{var}}")
        if len(reader.delimiter) != 1:
            collector.add(draft, ("reader", "delimiter"), f'reader.delimiter must be one character, got "{reader.delimiter}"')
    elif isinstance(reader, SqlReader):
        _check_reference(draft, "url", reader.url_env, reader.url, collector)
        if reader.url_env is None and reader.url is None:
            collector.add(draft, ("reader",), "reader.url is required: env:NAME or file:PATH of the database's URL")
        if ":cursor" not in reader.query:
            collector.add(draft, ("reader", "query"), "reader.query must use the bind parameter :cursor, or every pull reads everything")
    elif isinstance(reader, HttpReader):
        if not re.match(r"https?://", reader.url):
            collector.add(draft, ("reader", "url"), f'reader.url must begin with http:// or https://, got "{reader.url}"')
        if _SECRET_IN_URL.search(reader.url):
            collector.add(draft, ("reader", "url"), "reader.url seems to hold a secret: use token, or parameters, with env:NAME")
        for key in ("headers", "parameters"):
            for name, value in getattr(reader, key).items():
                if is_reference(value):
                    if complaint := form_complaint(value):
                        collector.add(draft, ("reader", key, name), f"reader.{key}: {name}: {complaint}")
                elif _SECRET_NAME.search(name):
                    message = f"reader.{key}: {name} looks like a secret, which must not stand in a file: write env:NAME or file:PATH"
                    collector.add(draft, ("reader", key, name), message, of_key=True)
        _check_reference(draft, "token", reader.token_env, reader.token, collector)
        if reader.paging.style == "cursor" and not reader.paging.next_path:
            collector.add(draft, ("reader", "paging"), "reader.paging.next_path is required with style cursor")
        if (reader.since_parameter is None) != (reader.cursor is None):
            given = "since_parameter" if reader.since_parameter else "cursor"
            collector.add(draft, ("reader", given), "reader: since_parameter and cursor must be given together", of_key=True)


def _check_reference(draft: Draft, key: str, variable: str | None, reference: str | None, collector: Collector) -> None:
    """Check the two ways of saying where a secret is: ``<key>_env: NAME`` and ``<key>: env:NAME`` or ``file:PATH``."""
    if variable is not None and not _VARIABLE.match(variable):
        collector.add(draft, ("reader", f"{key}_env"), f"reader.{key}_env must be the name of an environment variable, not its content")
    if reference is not None and (complaint := form_complaint(reference)):
        collector.add(draft, ("reader", key), f"reader.{key} {complaint}")
    if variable is not None and reference is not None:
        collector.add(draft, ("reader", key), f"reader: {key} and {key}_env say the same; keep one")


def _check_items(draft: Draft, source: SourceDefinition, stream: Stream, collector: Collector) -> None:
    if not source.items:
        return
    if not stream.items:
        collector.add(draft, ("items",), f"items: records of stream {stream.name} have no items", of_key=True)
        return
    names = {field.name for field in stream.items}
    for name in source.items:
        if name not in names:
            collector.add(
                draft, ("items", name), f"items: {unknown('field', name, names, within=f'items of stream {stream.name}')}", of_key=True
            )


def _check_choices(draft: Draft, source: SourceDefinition, fields: Mapping[str, Field], collector: Collector) -> None:
    for name, constant in source.constants.items():
        field = fields.get(name)
        if field and field.choices and constant not in field.choices:
            collector.add(draft, ("constants", name), f"constants.{name}: {unknown('value', constant, field.choices)}")
    for name, mapping in source.values.items():
        field = fields.get(name)
        for raw, value in mapping.items():
            # Empty text maps a raw value to "missing".
            if field and field.choices and value and value not in field.choices:
                collector.add(draft, ("values", name, raw), f'values.{name}: "{raw}": {unknown("value", value, field.choices)}')


def _check_codes(draft: Draft, source: SourceDefinition, fields: Mapping[str, Field], world: World, collector: Collector) -> None:
    for name, rule in source.codes.items():
        field = fields.get(name)
        if field is None:
            continue
        if not field.tree:
            trees = sorted(other.name for other in fields.values() if other.tree)
            collector.add(draft, ("codes", name), f"codes: {name} holds no tree code; fields that do: {', '.join(trees)}", of_key=True)
            continue
        if rule.level is not None and rule.by != "name":
            collector.add(draft, ("codes", name, "level"), f"codes.{name}: level is used with by: name only")
        facts = world.trees.get(field.tree)
        if facts is None or not facts.complete:
            continue
        if rule.level is not None and rule.level not in facts.levels:
            collector.add(draft, ("codes", name, "level"), f"codes.{name}: {unknown('level', rule.level, facts.levels)}")
        for raw, code in rule.names.items():
            if code and code not in facts.codes:
                message = f'codes.{name}.names: "{raw}": {code} is not in the {field.tree} tree of profile {world.profile}'
                collector.add(draft, ("codes", name, "names", raw), message)


def _check_key(draft: Draft, source: SourceDefinition, fields: Mapping[str, Field], collector: Collector) -> None:
    """Check that fields in the key are mapped; any other name may be a raw header, which only the file can tell."""
    mapped = {*source.columns, *source.constants, *source.codes}
    headers = {
        header for given in (*source.columns.values(), *source.items.values()) for header in ([given] if isinstance(given, str) else given)
    }
    for number, name in enumerate(source.key):
        if name in fields and name not in mapped | headers | set(source.ignore):
            collector.add(draft, ("key", number), f"key[{number}]: field {name} is not mapped in columns")
        if name in source.key[:number]:
            collector.add(draft, ("key", number), f"key[{number}]: {name} is given twice")


def _check_known_at(draft: Draft, source: SourceDefinition, fields: Mapping[str, Field], collector: Collector) -> None:
    name = source.known_at.field
    if name is not None and source.known_at.event_date_plus_days is not None:
        collector.add(draft, ("known_at",), "known_at: give field or event_date_plus_days, not both")
    # A raw header that is listed under `ignore` is known to the author: it dates the rows without being a field.
    if name is None or name in source.ignore:
        return
    field = fields.get(name)
    if field is None:
        dates = [known.name for known in fields.values() if known.kind == "date"]
        collector.add(draft, ("known_at", "field"), f"known_at.field: {unknown('date field', name, dates)}")
    elif field.kind != "date":
        collector.add(draft, ("known_at", "field"), f"known_at.field must be a date field, {name} is {field.kind}")
    elif name not in source.columns:
        collector.add(draft, ("known_at", "field"), f"known_at.field: {name} is not mapped in columns")
