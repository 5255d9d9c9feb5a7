"""Paged HTTP JSON: page number, offset, cursor or link; patient with a server that is busy, strict with one that lies.

What is refused, so that neither a compromised nor a careless server can lead the reader astray: other schemes than http and
https, redirects and links to another host, answers larger than ``max_bytes``, pages that repeat, more than ``max_pages`` pages.
Secrets (token, headers, parameters) are read from the environment or a file, sent to the configured host only, and struck out of every
message. A whole answer must come within ten timeouts, headers included.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from riskwatch.definitions.secrets import is_reference, value_of
from riskwatch.definitions.types import HttpReader
from riskwatch.errors import SourceError
from riskwatch.redaction import RedactingFilter, redacted
from riskwatch.sources.batches import Progress, RawBatch, SourceFault, SourceState
from riskwatch.sources.deadline import Deadline, hold_to
from riskwatch.sources.json_rows import flatten, parse_json, table_of_objects, walk
from riskwatch.sources.tools import HttpTools

__all__ = ["read_http"]

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_REDIRECTS = 5
_MAX_WAIT_SECONDS = 300.0
# A server may drip bytes forever without one read timing out: the whole answer must come within so many timeouts.
_DEADLINE_TIMEOUTS = 10
# httpx logs every address that it asks for, with its parameters.
logging.getLogger("httpx").addFilter(RedactingFilter())
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


@dataclass(frozen=True, slots=True)
class _Answer:
    body: Any
    rows: list[dict[str, str | None]]
    url: httpx.URL
    next_link: str | None


class _NotFoundError(SourceError):
    """The server answered 404."""


class _Client:
    """Requests with rate limit, retries and limits, for one reader."""

    def __init__(self, reader: HttpReader, source: str, tools: HttpTools, root: Path) -> None:
        self.reader = reader
        self.source = source
        self.tools = tools
        self.ready_at = float("-inf")
        headers = {"Accept": "application/json", "User-Agent": "riskwatch"}
        for name, value in reader.headers.items():
            if name.lower() in _SECRET_HEADERS and not is_reference(value):
                raise self.error(f'header "{name}" must not stand in a definition', "write env:NAME or file:PATH in place of its value")
            headers[name] = self._header(value, f"header {name}", root)
        reference = reader.token if reader.token is not None else f"env:{reader.token_env}" if reader.token_env is not None else None
        if reference is not None:
            headers["Authorization"] = f"Bearer {self._header(reference, 'token', root)}"
        self.parameters = {name: self._value(value, f"parameter {name}", root) for name, value in reader.parameters.items()}
        self.base = self.checked(reader.url)
        if self.base.userinfo:
            raise self.error("url must not hold a user name or password", "use token_env")
        self.deadline = Deadline(tools.monotonic)
        self.client = httpx.Client(headers=headers, timeout=httpx.Timeout(reader.timeout_seconds), follow_redirects=False)
        hold_to(self.client, self.deadline)

    def _value(self, text: str, what: str, root: Path) -> str:
        return value_of(text, root=root, environ=self.tools.environ, what=f'source "{self.source}": {what}', kind=SourceError)

    def _header(self, text: str, what: str, root: Path) -> str:
        value = self._value(text, what, root)
        if not value.isascii() or not value.isprintable():
            raise self.error(f"{what} ({text}) holds characters that no header has", "look for a line end in it")
        return value

    def error(self, message: str, hint: str = "", kind: type[SourceError] = SourceError) -> SourceError:
        return kind(f'source "{self.source}": {redacted(message)}', hint=hint)

    def checked(self, url: str) -> httpx.URL:
        """Parse an address and refuse what is not plain http or https."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise self.error(f'"{url}" is not an address: {error}') from None
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise self.error(f'url must begin with http:// or https://, got "{url}"')
        return parsed

    def same_site(self, target: httpx.URL, what: str) -> httpx.URL:
        """Refuse an address that leaves the configured host (moving from http to https on it is fine)."""
        upgrade = self.base.scheme == "http" and target.scheme == "https" and self.base.port is None and target.port is None
        same = (target.scheme, target.host, target.port) == (self.base.scheme, self.base.host, self.base.port)
        if not same and not (upgrade and target.host == self.base.host):
            ours, theirs = (f"{url.scheme}://{url.netloc.decode('ascii')}" for url in (self.base, target.copy_with(userinfo=b"")))
            raise self.error(f"{what} leads to {theirs}, another host than {ours}", "put the new address into url if it is right")
        return target

    def get(self, url: httpx.URL, *, page: str) -> tuple[bytes, httpx.URL, str | None]:
        """Fetch one page with retries; return body, final address and the Link header's next address."""
        last = ""
        for attempt in range(self.reader.retries + 1):
            self._wait_turn()
            wait: float | None = None
            try:
                status, body, final, link, wait = self._once(url, page)
            except httpx.RequestError as error:
                last = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                if status < 300:
                    return body, final, link
                last = f"HTTP {status}"
                if status not in _RETRIED:
                    excerpt = " ".join(body[:200].decode("utf-8", "replace").split())
                    kind = _NotFoundError if status == 404 else SourceError
                    hint = "check the token" if status in {401, 403} else "check url and parameters"
                    raise self.error(f"{page}: HTTP {status}" + (f": {excerpt}" if excerpt else ""), hint, kind)
            if attempt < self.reader.retries:
                self._back_off(attempt, wait, page)
        tries = self.reader.retries + 1
        raise self.error(
            f"{page}: no answer after {tries} tr{'ies' if tries > 1 else 'y'}, the last: {last}",
            "is the server up? see retries and timeout_seconds",
        )

    def _wait_turn(self) -> None:
        pause = self.ready_at - self.tools.monotonic()
        if pause > 0:
            self.tools.sleep(pause)
        self.ready_at = self.tools.monotonic() + 1.0 / self.reader.requests_per_second

    def _back_off(self, attempt: int, asked: float | None, page: str) -> None:
        if asked is not None and asked > _MAX_WAIT_SECONDS:
            raise self.error(
                f"{page}: the server asks to wait {asked:.0f} s, more than {_MAX_WAIT_SECONDS:.0f} s",
                "the next pull tries again; lower requests_per_second",
            )
        # Half to one and a half of the doubled wait: many centres must not come back in step.
        wait = self.reader.backoff_seconds * 2.0**attempt * (0.5 + float(self.tools.rng.random()))
        self.tools.sleep(max(min(wait, _MAX_WAIT_SECONDS), asked or 0.0))

    def _once(self, url: httpx.URL, page: str) -> tuple[int, bytes, httpx.URL, str | None, float | None]:
        self.deadline.within(_DEADLINE_TIMEOUTS * self.reader.timeout_seconds)
        for _ in range(_MAX_REDIRECTS + 1):
            with self.client.stream("GET", url) as response:
                if response.has_redirect_location:
                    url = self.same_site(url.join(response.headers["location"]), f"{page}: the redirect")
                    continue
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > self.reader.max_bytes:
                        raise self.error(
                            f"{page}: the answer is larger than max_bytes = {self.reader.max_bytes:,}", "ask for smaller pages"
                        )
                wait = self._retry_after(response.headers.get("retry-after"))
                return response.status_code, bytes(body), url, response.links.get("next", {}).get("url"), wait
        raise self.error(f"{page}: more than {_MAX_REDIRECTS} redirects", "check url")

    def _retry_after(self, value: str | None) -> float | None:
        """Read a Retry-After header: seconds or a date (RFC 9110, 10.2.3)."""
        if value is None:
            return None
        if value.strip().isdigit():
            return float(value)
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - self.tools.now()).total_seconds())

    def page(self, url: httpx.URL, name: str) -> _Answer:
        """Fetch and check one page of rows."""
        body, final, link = self.get(url, page=name)
        where = f'"{self.reader.records_path}"' if self.reader.records_path else "the answer"
        try:
            answer = parse_json(body)
        except ValueError as error:
            start = " ".join(body[:80].decode("utf-8", "replace").split())
            raise self.error(f'{name}: the answer is not JSON: {error}; it begins with "{start}"', "did url lead to a web page?") from None
        try:
            rows = walk(answer, self.reader.records_path)
        except KeyError as error:
            raise self.error(
                f"{name}: the answer has no {error} on the way to {where}", "has the schema changed? see records_path"
            ) from None
        if not isinstance(rows, list):
            raise self.error(f"{name}: {where} must be a list of objects, got {_kind(rows)}", "has the schema changed? see records_path")
        flat = []
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, Mapping):
                raise self.error(f"{name}: row {number} of {where} must be an object, got {_kind(row)}", "has the schema changed?")
            try:
                flat.append(flatten(row))
            except ValueError as error:
                raise self.error(f"{name}: row {number}: {error}", "has the schema changed?") from None
        return _Answer(answer, flat, final, link)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text or a number", bool: "true or false", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _key_of(rows: list[dict[str, str | None]]) -> str:
    """Return the content key of a page: sha256 of its rows in canonical JSON, whatever order the server gives the fields."""
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _newer(left: str | None, right: str | None) -> str | None:
    """Return the larger cursor; numbers compare as numbers, all else as text (ISO dates sort so)."""
    if left is None or right is None:
        return left if right is None else right
    try:
        return max(left, right, key=float)
    except ValueError:
        return max(left, right)


def _following(
    client: _Client, answer: _Answer, sent: dict[str, str], count: int, first_count: int
) -> tuple[httpx.URL, dict[str, str]] | None:
    """Return the next request, or None at the end."""
    paging = client.reader.paging
    if paging.style == "none" or not (answer.rows or paging.style in {"cursor", "link"}):
        return None
    if paging.style in {"page", "offset"}:
        # Pages shorter than the first are the last; the size asked for says nothing, as servers cap it.
        if len(answer.rows) < first_count:
            return None
        step = count if paging.style == "offset" else 1
        return client.base, {**sent, paging.parameter: str(int(sent[paging.parameter]) + step)}
    token = answer.next_link if paging.next_path is None else None
    if paging.next_path is not None:
        try:
            token = walk(answer.body, paging.next_path)
        except KeyError:
            token = None
    if not token:
        return None
    if not isinstance(token, str):
        raise client.error(f'"{paging.next_path}" must be text or null, got {_kind(token)}', "has the schema changed? see next_path")
    if paging.style == "cursor":
        return client.base, {**sent, paging.parameter: token}
    target = client.checked(str(answer.url.join(token)))
    return client.same_site(target, "the link to the next page"), {}


def read_http(
    reader: HttpReader,
    *,
    source: str,
    state: SourceState,
    progress: Progress | None = None,
    tools: HttpTools | None = None,
    root: Path = Path(),
) -> Iterator[RawBatch | SourceFault]:
    """Read all pages of an HTTP JSON source.

    Every page is one batch with its own content key. The new cursor comes with the last page only, as pages need not be in
    its order: a pull that breaks off starts again from the old cursor, and repeated rows change nothing.

    Parameters
    ----------
    reader : HttpReader
        What to ask, and the limits.
    source : str
        Name of the source.
    state : SourceState
        Cursor of the last pull, sent in ``since_parameter``; pages seen before are not handed on.
    progress : callable, optional
        Called with the source's name and the pages done.
    tools : HttpTools, optional
        Sleep, clocks, randomness and environment.
    root : Path
        The project's folder, for ``file:PATH``.

    Yields
    ------
    RawBatch or SourceFault
        Pages; a fault where paging had to be stopped (pages repeat, or there are more than ``max_pages``).

    Raises
    ------
    SourceError
        If the server cannot be reached, refuses, or answers what is not a list of objects; pages before it have been handed on.
    """
    client = _Client(reader, source, tools if tools is not None else HttpTools(), root)
    with client.client:
        yield from _pages(client, reader, source, state, progress)


def _pages(
    client: _Client, reader: HttpReader, source: str, state: SourceState, progress: Progress | None
) -> Iterator[RawBatch | SourceFault]:
    paging = reader.paging
    sent = dict(client.base.params.items())
    if paging.style in {"page", "offset"}:
        sent[paging.parameter] = str(paging.first if paging.style == "page" else 0)
    if paging.size_parameter is not None:
        sent[paging.size_parameter] = str(paging.size)
    if reader.since_parameter is not None and state.cursor is not None:
        sent[reader.since_parameter] = state.cursor
    url: httpx.URL = client.base
    keys: dict[str, int] = {}
    held: RawBatch | None = None
    cursor = state.cursor
    first_row = 1
    first_count = 0
    for number in range(1, paging.max_pages + 2):
        name = f"page {number}"
        if number > paging.max_pages:
            stop = f"there are more than max_pages = {paging.max_pages:,} pages; the rest was not read"
            yield from _stopped(held, SourceFault(source, name, stop, "raise max_pages in paging, or ask for larger pages", "incomplete"))
            return
        try:
            asked = {**client.parameters, **sent}
            answer = client.page(url.copy_merge_params(asked) if asked else url, name)
        except _NotFoundError:
            # Some servers answer 404 past the end. That is the end only where the page before was not full.
            if number == 1 or paging.style not in {"page", "offset"} or first_count >= paging.size:
                yield from _stopped(held, None)
                raise
            break
        except SourceError:
            yield from _stopped(held, None)
            raise
        if progress is not None:
            progress(source, number, None)
        if answer.rows:
            key = _key_of(answer.rows)
            if key in keys:
                stop = f"the server sends page {keys[key]} again; paging was stopped and the rest not read"
                yield from _stopped(held, SourceFault(source, name, stop, "check the paging style and parameter", "incomplete"))
                return
            keys[key] = number
            if held is not None:
                yield held
                held = None
            if reader.cursor is not None:
                for row in answer.rows:
                    cursor = _newer(cursor, row.get(reader.cursor))
            if key not in state.seen_keys:
                held = RawBatch(source, name, key, table_of_objects(answer.rows), first_row, None, last=True)
            first_row += len(answer.rows)
        if number == 1:
            first_count = len(answer.rows)
        try:
            following = _following(client, answer, sent, len(answer.rows), first_count)
        except SourceError:
            yield from _stopped(held, None)
            raise
        if following is None:
            break
        url, sent = following
    if held is not None:
        yield RawBatch(held.source, held.name, held.content_key, held.table, held.first_row, cursor, last=True)


def _stopped(held: RawBatch | None, fault: SourceFault | None) -> Iterator[RawBatch | SourceFault]:
    """Hand on the page in hand, without a cursor, and then the fault."""
    if held is not None:
        yield held
    if fault is not None:
        yield fault
