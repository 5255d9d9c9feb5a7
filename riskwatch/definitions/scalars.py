"""What an unquoted value means, and which ones may be misread."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["read_scalar"]

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9][0-9.]*\Z")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?\Z")
_ODD_NUMBER = re.compile(
    r"(?:[-+]?0[xXoObB][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_.]*|[-+]?\.[0-9]+|[-+]?[0-9]+\.|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_OLD_BOOLEAN = frozenset({"yes", "no", "on", "off", "y", "n"})


def read_scalar(text: str) -> tuple[Any, str]:
    """Read an unquoted value strictly.

    Parameters
    ----------
    text : str
        The value as written.

    Returns
    -------
    value : None, bool, int, float or str
        What it means; the text itself where it may be misread.
    complaint : str
        Empty, or why it is not accepted and how to write it.
    """
    if text in {"", "null", "~"}:
        return None, ""
    if text in {"true", "false"}:
        return text == "true", ""
    if _INTEGER.match(text):
        return int(text), ""
    if _FLOAT.match(text):
        return float(text), ""
    if _LEADING_ZERO.match(text):
        return text, f'{text} would lose its leading zeros: write "{text}" in quotes'
    if _SEXAGESIMAL.match(text):
        return text, f'{text} may be read as a number in base 60: write "{text}" in quotes'
    if text.lower() in _OLD_BOOLEAN or text.lower() in {"true", "false"}:
        return text, f'{text} may be read as a truth value: write true or false, or "{text}" in quotes'
    if text.lower() == "null":
        return text, f'{text} may be read as null: write null, or "{text}" in quotes'
    if _ODD_NUMBER.match(text):
        return text, f'{text} may be read as a number: write a plain decimal number, or "{text}" in quotes'
    return text, ""
