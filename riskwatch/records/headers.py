"""Find the columns that a source's aliases mean among the headers of a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from riskwatch.errors import RecordError
from riskwatch.records.source import SourceLike
from riskwatch.records.streams import Stream

__all__ = ["Headers", "aliases_of", "check_fields", "normalise_header"]


def normalise_header(header: str) -> str:
    """Return a header without byte-order mark, outer and double spaces; full-width forms become half-width, capitals small."""
    text = unicodedata.normalize("NFKC", header.replace("\ufeff", "").replace("\u200b", ""))
    return re.sub(r"\s+", " ", text).strip().casefold()


def aliases_of(entry: str | Sequence[str]) -> tuple[str, ...]:
    """Return the aliases of a ``columns`` entry, which may be one header or a list."""
    return (entry,) if isinstance(entry, str) else tuple(entry)


def check_fields(source: SourceLike, stream: Stream) -> None:
    """See that everything the source maps is a field of its stream: a slip of the pen would lose a column in silence.

    Raises
    ------
    RecordError
        Naming the first unknown field of ``columns``, ``items``, ``constants``, ``values`` or ``codes``.
    """
    fields = {field.name for field in stream.all_fields}
    items = {field.name for field in stream.items}
    both = fields | {f"items.{name}" for name in items}
    asked = {"columns": fields, "items": items, "constants": both, "values": both, "codes": fields}
    for section, known in asked.items():
        for name in getattr(source, section):
            if name not in known:
                close = get_close_matches(name, sorted(known), n=1)
                raise RecordError(
                    f"source {source.name!r}: {section}.{name}: stream {stream.name!r} has no such field",
                    hint=f"did you mean {close[0]!r}?" if close else f"fields: {', '.join(sorted(known)) or 'none'}",
                )


class Headers:
    """The headers of one table, looked up by any alias.

    Parameters
    ----------
    found : sequence of str
        Headers as found.
    source : SourceLike
        Source whose aliases are looked up.

    Raises
    ------
    RecordError
        If there are no headers at all.
    """

    def __init__(self, found: Sequence[str], source: SourceLike) -> None:
        if not found:
            raise RecordError(f"source {source.name!r}: the table has no columns", hint="the file is empty, or its header row is elsewhere")
        self.found = tuple(found)
        self.source = source
        self._places: dict[str, list[int]] = {}
        for place, header in enumerate(found):
            self._places.setdefault(normalise_header(header), []).append(place)

    def place(self, aliases: Iterable[str]) -> int | None:
        """Return the column of the first alias that is there, or None.

        Raises
        ------
        RecordError
            If the header is there twice.
        """
        for alias in aliases:
            places = self._places.get(normalise_header(alias), [])
            if len(places) > 1:
                columns = ", ".join(str(at + 1) for at in places)
                raise RecordError(
                    f"source {self.source.name!r}: header {alias!r} stands {len(places)} times (columns {columns})",
                    hint="rename one of them in the file",
                )
            if places:
                return places[0]
        return None

    def close_to(self, aliases: Iterable[str]) -> str:
        """Return the found header that is most like one of the aliases, or ''."""
        for alias in aliases:
            close = get_close_matches(normalise_header(alias), list(self._places), n=1, cutoff=0.6)
            if close:
                return self.found[self._places[close[0]][0]]
        return ""

    def missing(self, field: str, aliases: Sequence[str]) -> RecordError:
        """Return the error for a required field whose column is not there."""
        close = self.close_to(aliases)
        return RecordError(
            f"source {self.source.name!r}: no column for the required field {field!r}; tried {', '.join(map(repr, aliases))}; "
            f"found {', '.join(map(repr, self.found))}",
            hint=f"did you mean {close!r}? Add it to columns.{field}" if close else f"add the file's header to columns.{field}",
        )

    def unknown(self) -> list[str]:
        """Return a note on every header that the source neither maps nor ignores; ``_row`` and the like are the reader's own."""
        mapped: Mapping[str, str | Sequence[str]] = {
            **{f"items.{name}": entry for name, entry in self.source.items.items()},
            **self.source.columns,
        }
        known = {normalise_header(alias): field for field, entry in mapped.items() for alias in aliases_of(entry)}
        for header in (*self.source.ignore, *self.source.key, self.source.known_at.field or ""):
            known.setdefault(normalise_header(header), "")
        notes = []
        for name, places in self._places.items():
            if name in known or name.startswith("_"):
                continue
            close = get_close_matches(name, list(known), n=1, cutoff=0.75)
            like = f"; like an alias of {known[close[0]]!r}" if close and known[close[0]] else ""
            notes.append(f"header {self.found[places[0]]!r} is not mapped{like}: add it to columns or to ignore")
        return notes
