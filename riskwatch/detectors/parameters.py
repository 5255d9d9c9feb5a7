"""Checked parameters: one place that declares ranges and words the messages for every detector.

A detector is a frozen dataclass derived from :class:`Parameters` whose fields are made with :func:`parameter`; :func:`check` compares
an instance with these declarations and raises one error that lists every finding.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import operator
from collections.abc import Iterable
from typing import Any, ClassVar

from riskwatch.errors import DetectorError

__all__ = ["Parameters", "check", "describe", "fingerprint", "parameter", "reject_unknown"]


def parameter(
    default: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[Any, ...] = (),
    kind: type | None = None,
    optional: bool = False,
    unit: str = "",
    note: str = "",
) -> Any:
    """Declare one parameter of a detector.

    Parameters
    ----------
    default : object
    minimum, maximum : float, optional
        Inclusive bounds.
    above, below : float, optional
        Exclusive bounds.
    choices : tuple
        Allowed values; empty: any of the kind.
    kind : type, optional
        bool, int, float or str; by default the type of ``default``.
    optional : bool
        ``None`` is allowed.
    unit, note : str
        For documents and ``riskwatch explain``.
    """
    rules = {
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "below": below,
        "choices": choices,
        "kind": kind or type(default),
        "optional": optional,
        "unit": unit,
        "note": note,
    }
    return dataclasses.field(default=default, metadata=rules)


_BOUNDS = (("minimum", operator.ge, ">="), ("maximum", operator.le, "<="), ("above", operator.gt, ">"), ("below", operator.lt, "<"))
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _finding(value: Any, rules: Any) -> str:
    if value is None:
        return "" if rules["optional"] else "must be set"
    kind = rules["kind"]
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or (kind is not bool and isinstance(value, bool)) or (kind is float and not math.isfinite(value)):
        return f"must be {_WORDS[kind]}"
    if rules["choices"] and value not in rules["choices"]:
        return "must be one of " + ", ".join(map(str, rules["choices"]))
    for rule, holds, sign in _BOUNDS:
        if rules[rule] is not None and not holds(value, rules[rule]):
            return f"must be {sign} {rules[rule]}"
    return ""


def check(instance: Any, extra: Iterable[str] = ()) -> None:
    """Compare an instance with its declarations.

    ``extra`` are findings about several parameters together, to be looked for once each parameter is sound.

    Raises
    ------
    DetectorError
        One line per finding: ``farrington-flexible: years_back must be >= 1, got 0``.
    """
    found = []
    for item in dataclasses.fields(instance):
        if "kind" in item.metadata:
            value = getattr(instance, item.name)
            finding = _finding(value, item.metadata)
            if finding:
                found.append(f"{instance.name}: {item.name} {finding}, got {value!r}")
    found += [f"{instance.name}: {text}" for text in extra]
    if found:
        raise DetectorError("\n".join(found))


def reject_unknown(name: str, known: Iterable[str], given: Iterable[str]) -> None:
    """Raise a DetectorError that lists unknown parameters and the nearest known names."""
    known = sorted(known)
    lines = []
    for wrong in given:
        if wrong not in known:
            near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
            lines.append(f"{name}: unknown parameter {wrong!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if lines:
        raise DetectorError("\n".join(lines), hint="known parameters: " + ", ".join(known))


def describe(detector: type) -> list[dict[str, Any]]:
    """Return one mapping per parameter (name, default, bounds, choices, unit, note), for documents and editors."""
    return [
        {
            "name": item.name,
            "default": item.default,
            **{rule: value for rule, value in item.metadata.items() if value not in (None, (), "")},
            "kind": item.metadata["kind"].__name__,
        }
        for item in dataclasses.fields(detector)
        if "kind" in item.metadata
    ]


def fingerprint(instance: Any, version: int) -> str:
    """Return a sha256 over name, method version and parameters; two detectors with one hash give the same signals."""
    values = {item.name: getattr(instance, item.name) for item in dataclasses.fields(instance) if "kind" in item.metadata}
    text = json.dumps([instance.name, version, values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Parameters:
    """What every detector does with its parameters: it checks them once they are set, and has a fingerprint."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # of the method: a later one gives other signals with the same parameters

    def __post_init__(self) -> None:
        check(self)
        check(self, self._findings())

    def _findings(self) -> list[str]:
        """Return what is wrong with several parameters together; each of them is sound by itself."""
        return []

    @property
    def hash(self) -> str:
        """Fingerprint of method and parameters."""
        return fingerprint(self, self.version)
