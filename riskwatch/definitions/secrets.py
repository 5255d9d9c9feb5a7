"""Secrets stand in the environment or in files of their own; definitions name them: ``env:NAME`` or ``file:PATH``.

A file that everybody on the machine can read keeps no secret: it is refused. What is resolved here is known to
:mod:`riskwatch.redaction` from then on, and does not turn up in any message.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.redaction import remember

__all__ = ["HOW", "form_complaint", "is_reference", "resolve", "value_of"]

HOW = "env:NAME (an environment variable) or file:PATH (a file that others cannot read)"
_REFERENCE = re.compile(r"(env|file):")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_BYTES = 65_536
_POSIX = os.name == "posix"


def is_reference(text: str) -> bool:
    """Tell whether a text names a secret (and is none)."""
    return _REFERENCE.match(text) is not None


def form_complaint(text: str) -> str:
    """Say what is wrong with the form of a reference; '' if nothing. The text itself is not repeated: it may be a secret.

    Parameters
    ----------
    text : str
        What stands in a definition where a reference is due.
    """
    kind, mark, name = text.partition(":")
    if not mark or kind not in {"env", "file"}:
        return f"must be {HOW}, not the secret itself"
    if kind == "env" and not _VARIABLE.match(name):
        return "env: must be followed by the name of an environment variable"
    if kind == "file" and not name.strip():
        return "file: must be followed by a path"
    return ""


def resolve(reference: str, *, root: Path, environ: Mapping[str, str], what: str, kind: type[RiskwatchError] = ProjectError) -> str:
    """Return the secret that a reference names, and keep it out of all messages from now on.

    Parameters
    ----------
    reference : str
        ``env:NAME`` or ``file:PATH``; relative paths start at ``root``.
    root : Path
        The project's folder.
    environ : mapping
        The environment.
    what : str
        Where the reference stands, for messages: ``settings.database``.
    kind : type, optional
        Class of the error.

    Returns
    -------
    str
        Without white space around it (editors end files with a line end).

    Raises
    ------
    RiskwatchError
        Of class ``kind``: the form is wrong, the variable is not set or empty, the file is absent, empty, too large, no text, no plain
        file, or open to everybody. The message never holds the value.
    """
    complaint = form_complaint(reference)
    if complaint:
        raise kind(f"{what} {complaint}")
    source, _, name = reference.partition(":")
    if source == "env":
        value = environ.get(name, "").strip()
        if not value:
            raise kind(f'{what} is env:{name}, and the environment variable "{name}" is not set', hint=f"export {name}=…")
    else:
        value = _read(root / name.strip(), name.strip(), what, kind)
    remember(value)
    return value


def value_of(text: str, *, root: Path, environ: Mapping[str, str], what: str, kind: type[RiskwatchError] = ProjectError) -> str:
    """Return what a reference names, and any other text as it is; see :func:`resolve`."""
    return resolve(text, root=root, environ=environ, what=what, kind=kind) if is_reference(text) else text


def _read(path: Path, shown: str, what: str, kind: type[RiskwatchError]) -> str:
    try:
        # Opened first and asked then: the file that is looked at is the one that is read.
        with path.open("rb") as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise kind(f"{what} is file:{shown}, which is no plain file")
            if _POSIX and status.st_mode & stat.S_IRWXO:
                raise kind(
                    f"{what} is file:{shown}, which everybody on this machine may open (mode {stat.S_IMODE(status.st_mode):04o})",
                    hint=f"chmod o= {shown}; for a container's secret, set its mode to 0440",
                )
            content = handle.read(_MAX_BYTES + 1)
    except OSError as error:
        raise kind(f"{what} is file:{shown}, which cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > _MAX_BYTES:
        raise kind(f"{what} is file:{shown}, which holds more than {_MAX_BYTES:,} bytes: that is no secret")
    try:
        value = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise kind(f"{what} is file:{shown}, which is not UTF-8 text") from None
    if not value or "\0" in value:
        raise kind(f"{what} is file:{shown}, which is empty" if not value else f"{what} is file:{shown}, which is not text")
    return value
