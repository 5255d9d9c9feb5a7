"""JSON objects as rows of text: nested objects by dotted names, lists as JSON, numbers digit for digit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from riskwatch.errors import SourceError
from riskwatch.sources.batches import MAX_BATCH_ROWS, Segment
from riskwatch.sources.delimited import BadRows, decide_encoding

__all__ = ["flatten", "parse_json", "read_json", "table_of_objects", "walk"]

_WHOLE = re.compile(r"^(-?\d+)\.0+$")


def _number(text: str) -> str:
    """Keep a decimal's digits as sent (an amount must not pass through binary floats); ``3.0`` is ``3`` as everywhere."""
    match = _WHOLE.match(text)
    return match.group(1) if match else text


def _constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON strictly; numbers become their text.

    Raises
    ------
    ValueError
        If it is not JSON (NaN and Infinity are not).
    """
    try:
        return json.loads(text, parse_float=_number, parse_int=str, parse_constant=_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def flatten(row: Mapping[str, Any], prefix: str = "") -> dict[str, str | None]:
    """Turn one object into flat text: ``{"a": {"b": 1}}`` gives ``a.b``; lists become JSON text.

    Raises
    ------
    ValueError
        If two values come out under one name, or a text holds half a character.
    """
    flat: dict[str, str | None] = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            parts: Mapping[str, str | None] = flatten(value, f"{name}.")
        elif isinstance(value, list):
            parts = {name: json.dumps(value, ensure_ascii=False, sort_keys=True) if value else None}
        elif isinstance(value, bool):
            parts = {name: "true" if value else "false"}
        else:
            parts = {name: value or None}
        for part, text in parts.items():
            if part in flat:
                raise ValueError(f'two values are called "{part}" once nested objects are flattened')
            flat[part] = text
    if not prefix:
        try:
            "".join([*flat, *filter(None, flat.values())]).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half a character (an unpaired surrogate)") from None
    return flat


def table_of_objects(rows: Sequence[Mapping[str, str | None]]) -> pa.Table:
    """Return a table of text with the union of all names, in order of first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table([pa.array([row.get(name) for row in rows], pa.string()) for name in names], names=names)


def walk(answer: Any, path: str) -> Any:
    """Follow a dotted path through objects; KeyError with the missing part if it leads nowhere."""
    for part in filter(None, path.split(".")):
        if not isinstance(answer, Mapping) or part not in answer:
            raise KeyError(part)
        answer = answer[part]
    return answer


def _objects(text: Path, bad: BadRows) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield numbered flat rows of a JSON-lines file, or of a file that is one JSON list."""
    with text.open(encoding="utf-8-sig") as stream:
        first = stream.read(1)
        while first.isspace():
            first = stream.read(1)
        stream.seek(0)
        if first == "[":
            try:
                rows = parse_json(stream.read())
            except ValueError as error:
                raise SourceError(f"is not JSON: {error}", hint="a file is one list of objects, or one object per line") from error
            entries: Iterator[tuple[int, Any, str]] = ((number, row, "") for number, row in enumerate(rows, start=1))
        else:
            entries = _lines(stream, bad)
        for number, row, line in entries:
            if not isinstance(row, Mapping):
                bad.add(number, line or str(row), f"is not an object but {type(row).__name__}")
                continue
            try:
                yield number, flatten(cast("Mapping[str, Any]", row))
            except ValueError as error:
                bad.add(number, line or str(row), str(error))


def _lines(stream: Any, bad: BadRows) -> Iterator[tuple[int, Any, str]]:
    number = 0
    for line in stream:
        if not line.strip():
            continue
        number += 1
        try:
            row = parse_json(line)
        except ValueError as error:
            bad.add(number, line, f"is not JSON: {error}")
            continue
        yield number, row, line


def read_json(path: Path, *, bad: BadRows, workdir: Path) -> Iterator[Segment]:
    """Read JSON lines (one object per line) or one JSON list of objects.

    Parameters
    ----------
    path : Path
        A plain file in UTF-8 (GB18030 is tried after it).
    bad : BadRows
        Receives the lines that are not JSON objects.
    workdir : Path
        A folder for a transcoded copy.

    Raises
    ------
    SourceError
        If the file is empty, in another encoding, or one broken list.
    """
    text = decide_encoding(path, "auto", workdir)
    rows: list[dict[str, str | None]] = []
    start = 1
    read = 0
    for number, row in _objects(text, bad):
        if rows and (number != start + len(rows) or len(rows) == MAX_BATCH_ROWS):
            yield Segment(table_of_objects(rows), start)
            rows = []
        if not rows:
            start = number
        rows.append(row)
        read += 1
    if rows:
        yield Segment(table_of_objects(rows), start)
    elif read == 0 and bad.total == 0:
        yield Segment(pa.table({}), 1)
