"""No secret stands in a definition: whoever may read the project, its backups or its history would have it.

Looked at in every YAML file, whatever its kind: values under a key that names a secret, URLs with a password or a token, private keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from riskwatch.definitions.entries import Collector
from riskwatch.definitions.secrets import HOW, form_complaint, is_reference
from riskwatch.definitions.strict_yaml import Document, YamlPath

__all__ = ["check_secrets", "holds_secret"]

_SECRET_KEY = re.compile(
    r"(?:.*[_-])?(?:password|passwd|pwd|passphrase|secret|token|credentials?|(?:api|access|private|secret|signing|hmac)[_-]?key)\Z",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/@:\s]*:[^@\s]+@"
    r"|https?://[^/@\s]+@"
    r"|[?&][^=&\s]*(?:token|key|secret|passw|signature)[^=&\s]*=[^&\s]"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    re.IGNORECASE,
)


def holds_secret(text: str) -> bool:
    """Tell whether a text holds a URL with a password or a token, or a private key."""
    return _IN_TEXT.search(text) is not None


def check_secrets(document: Document, collector: Collector) -> None:
    """Report every secret in a file, at its place; the message never repeats it.

    Nothing is added where a check that knows the kind of definition has said something already.
    """
    told = {(problem.line, problem.column) for problem in collector.problems if problem.file == document.file}
    for path, value in _leaves(document.data, ()):
        if told & {document.position(path), document.position(path, of_key=True)}:
            continue
        # An item of a list answers to the name of the list.
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if _SECRET_KEY.match(key) and not isinstance(value, bool) and value not in {None, ""}:
            complaint = form_complaint(str(value))
            if complaint:
                collector.at(document, path, f"{key} {complaint}")
        elif isinstance(value, str) and not is_reference(value) and holds_secret(value):
            collector.at(document, path, f"{key or 'this'} holds a password, a token or a private key: write {HOW} in its place")


def _leaves(data: Any, path: YamlPath) -> Iterator[tuple[YamlPath, Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _leaves(value, (*path, number))
    else:
        yield path, data
