"""Keep secrets out of everything that is printed, logged or stored: known values and what looks like a credential.

Whoever resolves a secret tells :func:`remember`. Whoever lets a text out of the process (errors, the stored last error of a source, faults
of a run, progress, logs) passes it through :func:`redacted`. Known values are found in the forms that they take on the way: as they are,
percent-encoded, in JSON, in HTML, and as Python prints them. Values of fewer than :data:`SHORTEST` characters are not looked for: they
would tear holes into every text; only the patterns find them.

Patterns: user and password of a URL (RFC 3986, 3.2.1), query parameters that name a secret, ``Authorization`` headers (RFC 9110, 11.6.2),
and ``password=`` of libpq connection strings.
"""

from __future__ import annotations

import html
import json
import logging
import re
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

__all__ = ["MASK", "SHORTEST", "RedactingFilter", "redact_event", "redacted", "remember", "without_secrets"]

MASK = "***"
SHORTEST = 4
"""Shortest value that is looked for, in characters."""

_LONG_SEGMENT = 16  # a part of a path so long is a key and no name
_SECRET_NAME = r"[\w.-]*(?:token|key|secret|passw|pwd|sign|auth|credential)[\w.-]*"  # noqa: S105 - a pattern, no password
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # A colon after a host begins a port where digits and a path follow. The password goes on to the last @: it may hold one.
        (r"(://[^/@:\s\"'<>]*:)(?!\d{1,5}(?:[/?#\s\"']|$))[^\s\"'<>]*@", rf"\1{MASK}@"),
        (r"(https?://)(?!\*)[^/@:\s\"'<>?#]+@", rf"\1{MASK}@"),
        (rf"([?&;]{_SECRET_NAME}=)[^&\s\"'<>#]+", rf"\1{MASK}"),
        (r"(\bauthorization\W{1,4}(?:bearer|basic|token)\s+)[^\s\"',;]+", rf"\1{MASK}"),
        (r"(\bbearer\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*", rf"\1{MASK}"),
        (r"(?<![?&\w])((?:password|passwd|pwd|sslpassword)=)(?!\*)('[^']*'|[^\s\"'&]+)", rf"\1{MASK}"),
    )
)

_lock = threading.Lock()
_forms: set[str] = set()
_search: re.Pattern[str] | None = None


def remember(secret: str) -> None:
    """Look for a secret in all texts from now on, as long as the process lives.

    Parameters
    ----------
    secret : str
        The value. Of a URL only what is secret in it is remembered: its password, query parameters with the name of a secret, and, with
        http and https, everything behind the host and long parts of the path (the address of a robot is its password).
    """
    global _search  # noqa: PLW0603 - one set of secrets for a process, as there is one standard error
    with _lock:
        for value in _secret_parts(secret):
            _forms.update(_written(value))
        longest_first = sorted(_forms, key=lambda form: (-len(form), form))
        _search = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _secret_parts(secret: str) -> set[str]:
    if "://" not in secret:
        return {secret.strip()}
    try:
        parts = urlsplit(secret.strip())
    except ValueError:
        return {secret.strip()}
    password = parts.netloc.rpartition("@")[0].partition(":")[2]
    named = re.compile(_SECRET_NAME, re.IGNORECASE)
    found = {password, unquote(password)}
    found |= {value for name, value in parse_qsl(parts.query) if named.fullmatch(name)}
    if parts.scheme.lower() in {"http", "https"}:
        found |= {segment for segment in parts.path.split("/") if len(segment) >= _LONG_SEGMENT}
        if parts.query:
            found.add(f"{parts.path}?{parts.query}")
    return found


def _written(value: str) -> set[str]:
    """Return a value in every form in which it may turn up; none for what is too short to be looked for."""
    if len(value) < SHORTEST:
        return set()
    forms = {value, quote(value, safe=""), quote(value), quote_plus(value), html.escape(value), repr(value)[1:-1]}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return forms


def without_secrets(text: str) -> str:
    """Return ``text`` with the known secrets replaced by :data:`MASK`; for data, in which patterns may not be looked for."""
    return text if _search is None else _search.sub(MASK, text)


def redacted(text: str) -> str:
    """Return ``text`` without known secrets and without what looks like a credential; for messages and logs."""
    text = without_secrets(text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact every text of a log event; a structlog processor, to stand last before the renderer."""
    for name, value in event.items():
        event[name] = _cleaned(value)
    return event


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_cleaned, value)) if type(value) in {list, tuple} else redacted(repr(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    shown = str(value)
    safe = redacted(shown)
    return value if safe == shown else safe


class RedactingFilter(logging.Filter):
    """Redacts records of the standard library's logging, tracebacks included; add it to a handler, so that it sees every logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact one record, and let it pass."""
        record.msg, record.args = redacted(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redacted(record.exc_text)
        if record.stack_info:
            record.stack_info = redacted(record.stack_info)
        return True
