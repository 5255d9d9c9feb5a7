"""Measured values and limits as laboratories write them, read as sets of numbers.

A laboratory writes ``0.12``, ``<0.01``, ``未检出``, ``0.10～0.25`` or ``1.2×10³ CFU/g``. Each says that the true value lies in a set: a
point, a half-line or an interval. A limit says which set is allowed. So there is one rule of comparison, :func:`compare`: the value
passes where its set lies inside what is allowed, fails where the two do not meet, and is *undetermined* otherwise. A left-censored value
at or below a maximum limit passes; above it, it is undetermined.

What cannot be read without a guess is kept as text and never compared: sampling plans of microbiology (``n=5,c=2,m=10,M=100``), lists of
results, numbers with a comma inside, and powers of ten whose exponent was lost (``1.4×10``), as published lists often have them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CENSORINGS", "KINDS", "VERDICTS", "Readings", "compare", "normal_unit", "read_limits", "read_measured"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

KINDS = ("number", "not-detected", "detected", "forbidden", "bare", "plan", "several", "text", "missing")
CENSORINGS = ("", "none", "left", "right", "interval")
VERDICTS = ("pass", "fail", "undetermined", "")

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:(?:[xX*·]10\^[+-]?\d+)|(?:[eE][+-]?\d+))?"
_UNIT = r"[^\d\s<>=≤≥~;,/()±-](?:[^<>=≤≥~;,()±-]|(?<=\^)-)*?"  # a minus only in a power, as kg^-1
_ONE = re.compile(rf"(?P<op><=|>=|<|>|≤|≥|=)?(?P<low>{_NUMBER})(?P<unit>%|‰|{_UNIT})?")
_RANGE = re.compile(rf"(?P<low>{_NUMBER})(?P<first>%|‰|{_UNIT})?(?:~|-|至)(?P<high>{_NUMBER})(?P<unit>%|‰|{_UNIT})?")
_PLUS_MINUS = re.compile(rf"(?P<mid>{_NUMBER})±(?P<by>{_NUMBER})(?P<unit>%|‰|{_UNIT})?")
_ABSENT = r"未检出|未检测出|不得检出|N\.?D\.?|not ?detected|<LO[DQ]|低于检出限|小于检出限|低于定量限"
_NOT_DETECTED = re.compile(rf"(?:{_ABSENT})(?P<rest>.*)", re.IGNORECASE)
_DETECTED = re.compile(r"(?:检出|阳性|detected|positive)(?:/\d+(?:g|mL|ml))?", re.IGNORECASE)
_BOUND = re.compile(rf"\(?(?:检出限|定量限|LOD|LOQ)?[:为]?<?(?P<high>{_NUMBER})(?P<unit>%|‰|{_UNIT})?\)?", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"(?:不得|不应|禁止|不允许)(?:检出|使用|添加|含有|加入)(?:\S*)|非法添加|not (?:be )?(?:detected|permitted|allowed)", re.IGNORECASE
)
_PLAN = re.compile(r"n=\d+.*c=\d+")
_SEVERAL = re.compile(r"[;、]|\d,|\)\d|\d[,/]\d|初检.*复检")
_LOST_EXPONENT = re.compile(r"[xX*·]10(?!\^)")
_SUPERSCRIPTS = {ord(sign): plain for sign, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True)}
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_CIRCLED = re.compile("[\u2460-\u2473\u2776-\u277f]")
_TAG = re.compile(r"<sup>\s*([+-]?\d+)\s*</sup>", re.IGNORECASE)
_WORDS = (
    ("大于等于", "≥"), ("小于等于", "≤"), ("不大于", "≤"), ("不超过", "≤"), ("不高于", "≤"), ("不小于", "≥"),
    ("不低于", "≥"), ("不少于", "≥"), ("小于", "<"), ("低于", "<"), ("大于", ">"), ("高于", ">"), ("超过", ">"),
    ("<=", "≤"), ("=<", "≤"), (">=", "≥"), ("=>", "≥"),
    ("≦", "≤"), ("≧", "≥"), ("⩽", "≤"), ("⩾", "≥"), ("≮", "≥"), ("≯", "≤"), ("×", "x"), ("✕", "x"), ("∼", "~"), ("〜", "~"),
    ("–", "-"), ("—", "-"), ("−", "-"), ("﹣", "-"), ("~~", "~"),
)  # fmt: skip
_MISSING = frozenset({"", "/", "-", "--", "—", "不详", "无", "nan", "None", "<NA>"})


class _Reading(NamedTuple):
    """One text as a set of numbers."""

    kind: str
    low: float = np.nan
    high: float = np.nan
    low_open: bool = False
    high_open: bool = False
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Readings:
    """Texts read as sets of numbers, arrays of shape (n,).

    Attributes
    ----------
    kind : array of str
        One of :data:`KINDS`: ``number`` (bounds are given); ``not-detected`` (left-censored; ``high`` is NaN where the detection limit is
        not stated); ``detected``; ``forbidden`` (a limit: must not be detected, used or added); ``bare`` (a limit without an operator);
        ``plan``, ``several`` and ``text`` (kept as text, not comparable); ``missing``.
    low, high : array of float
        Ends of the set, -inf and inf where it has none, NaN where there are no numbers.
    low_open, high_open : array of bool
        The end itself is not in the set.
    unit : array of str
        Unit as written, in one spelling (:func:`normal_unit`); "" where none is written.
    """

    kind: Texts
    low: FloatArray
    high: FloatArray
    low_open: BoolArray
    high_open: BoolArray
    unit: Texts

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def censoring(self) -> Texts:
        """How the value is known: ``none``, ``left`` (below ``high``), ``right`` (above ``low``), ``interval``; "" where not a number."""
        left, right = np.isneginf(self.low), np.isposinf(self.high)
        numeric = self.kind == "number"
        found = np.select(
            [numeric & left, numeric & right, numeric & (self.low < self.high), numeric], ["left", "right", "interval", "none"], ""
        )
        return np.where(self.kind == "not-detected", "left", found).astype(object)

    @property
    def value(self) -> FloatArray:
        """The number written: the value itself, the bound of a censored one, the middle of an interval; NaN where there is none."""
        censoring = self.censoring
        middle = (self.low + self.high) / 2.0
        return np.asarray(np.select([censoring == "left", censoring == "right", censoring != ""], [self.high, self.low, middle], np.nan))

    def scaled(self, factor: FloatArray) -> Readings:
        """Return the same sets in another unit; ``factor`` of shape (n,) must be positive or NaN. Units are dropped.

        Products are rounded to 12 significant digits, so that 0.2 g/kg is not above 200 mg/kg.
        """
        low, high = (_rounded(bound * factor) for bound in (self.low, self.high))
        return Readings(self.kind, low, high, self.low_open, self.high_open, np.full(len(self), "", dtype=object))


def _rounded(values: FloatArray) -> FloatArray:
    """Round to 12 significant digits."""
    out = values.copy()
    some = np.isfinite(values) & (values != 0.0)
    digits = 11 - np.floor(np.log10(np.abs(values[some])))
    with np.errstate(over="ignore"):
        scale = 10.0 ** np.abs(digits)
    kept = values[some]
    out[some] = np.where(digits >= 0, np.rint(kept * scale) / scale, np.rint(kept / scale) * scale)
    return out


# --- texts in one spelling --------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Return a text in one spelling: half-width, one sign for each operator, superscripts as ``^3``, no blanks."""
    text = _TAG.sub(r"^\1", text)
    # Before NFKC, which would turn 10⁴ into 104 and ① into 1.
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run.group().translate(_SUPERSCRIPTS), text)
    text = _CIRCLED.sub(";", text)
    text = unicodedata.normalize("NFKC", text)
    for old, new in _WORDS:
        text = text.replace(old, new)
    return "".join(text.split())


def normal_unit(text: str) -> str:
    """Return a unit in one spelling: half-width, Greek mu, powers as ``m^3``, no blanks and no brackets around it."""
    unit = _plain(text).strip("()[]。.;,:")
    return "" if unit in _MISSING else unit


def _number(text: str) -> float:
    return float(re.sub(r"[xX*·]10\^", "e", text))


# --- one text ---------------------------------------------------------------------------------------------------------


def _bounded(sign: str, value: float, unit: str) -> _Reading:
    """Return the set that an operator and a number stand for."""
    if sign in {"<", "≤"}:
        return _Reading("number", -np.inf, value, high_open=sign == "<", unit=unit)
    if sign in {">", "≥"}:
        return _Reading("number", value, np.inf, low_open=sign == ">", unit=unit)
    return _Reading("number", value, value, unit=unit)


def _interval(text: str) -> _Reading | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    low, high, first, unit = _number(found["low"]), _number(found["high"]), found["first"] or "", found["unit"] or ""
    if low > high or (first and normal_unit(first) != normal_unit(unit)):
        return None
    return _Reading("number", low, high, unit=normal_unit(unit))


def _unreadable(text: str) -> str:
    """Return why a text with numbers is not one number: ``plan``, ``several``, ``text``, or "" where it may be."""
    if _PLAN.search(text):
        return "plan"
    if _SEVERAL.search(text):
        return "several"
    return "text" if _LOST_EXPONENT.search(text) else ""


def _measured(raw: str) -> _Reading:
    text = _plain(raw).strip("。.;")
    if text in _MISSING:
        return _Reading("missing")
    if why := _unreadable(_plain(raw)):
        return _Reading(why)
    if absent := _NOT_DETECTED.fullmatch(text):
        rest = absent["rest"]
        bound = _BOUND.fullmatch(rest)
        if bound is not None:
            return _Reading("not-detected", -np.inf, _number(bound["high"]), high_open=True, unit=normal_unit(bound["unit"] or ""))
        return _Reading("not-detected", -np.inf) if not rest or re.fullmatch(r"/\d+(?:g|mL|ml)|\S*/\S*", rest) else _Reading("text")
    if _DETECTED.fullmatch(text):
        return _Reading("detected")
    if (found := _ONE.fullmatch(text)) is not None:
        return _bounded(found["op"] or "", _number(found["low"]), normal_unit(found["unit"] or ""))
    return _interval(text) or _Reading("text")


def _limit(raw: str) -> _Reading:
    text = _plain(raw).strip("。.;")
    if text in _MISSING:
        return _Reading("missing")
    if why := _unreadable(_plain(raw)):
        return _Reading(why)
    if _FORBIDDEN.fullmatch(text):
        return _Reading("forbidden")
    if (found := _ONE.fullmatch(text)) is not None:
        read = _bounded(found["op"] or "", _number(found["low"]), normal_unit(found["unit"] or ""))
        return read if found["op"] else read._replace(kind="bare")
    if (found := _PLUS_MINUS.fullmatch(text)) is not None:
        middle, by = _number(found["mid"]), _number(found["by"])
        return _Reading("number", middle - by, middle + by, unit=normal_unit(found["unit"] or ""))
    return _interval(text) or _Reading("text")


# --- many texts -------------------------------------------------------------------------------------------------------


def _read(texts: object, one: Callable[[str], _Reading]) -> Readings:
    """Read each distinct text once."""
    column = pd.Series(cast("Any", texts), dtype=None if isinstance(texts, pd.Series) else "object")
    codes, distinct = pd.factorize(column, use_na_sentinel=True)
    read = [one(str(text)) for text in distinct]
    read.append(_Reading("missing"))
    kinds, low, high, low_open, high_open, units = zip(*read, strict=True)
    return Readings(
        np.array(kinds, dtype=object)[codes],
        np.array(low, dtype=np.float64)[codes],
        np.array(high, dtype=np.float64)[codes],
        np.array(low_open, dtype=np.bool_)[codes],
        np.array(high_open, dtype=np.bool_)[codes],
        np.array(units, dtype=object)[codes],
    )


def read_measured(texts: object) -> Readings:
    """Read measured values.

    Parameters
    ----------
    texts : array-like of str, shape (n,)
        As the laboratory wrote them; a categorical is read by its categories.

    Examples
    --------
    >>> found = read_measured(["0.12", "＜0.01mg/kg", "1.2×10³ CFU/g", "未检出", "1.4×10"])
    >>> found.kind.tolist()
    ['number', 'number', 'number', 'not-detected', 'text']
    >>> found.value.tolist()[:3], found.censoring.tolist()[:3]
    ([0.12, 0.01, 1200.0], ['none', 'left', 'none'])
    """
    return _read(texts, _measured)


def read_limits(texts: object, operators: object = "") -> Readings:
    """Read limits.

    Parameters
    ----------
    texts : array-like of str, shape (n,)
        As the list wrote them.
    operators : str or array-like of str, shape (n,)
        Operator of limits that are written without one (``<=``, ``<``, ``>=``, ``>``); "" leaves them ``bare``, and not comparable.
    """
    found = _read(texts, _limit)
    signs = np.broadcast_to(np.asarray(cast("Any", operators), dtype=object), found.kind.shape)
    bare = found.kind == "bare"
    at_most, at_least = bare & np.isin(signs, ["<=", "<"]), bare & np.isin(signs, [">=", ">"])
    return Readings(
        np.where(at_most | at_least, "number", found.kind),
        np.where(at_most, -np.inf, found.low),
        np.where(at_least, np.inf, found.high),
        np.where(at_least, signs == ">", found.low_open).astype(np.bool_),
        np.where(at_most, signs == "<", found.high_open).astype(np.bool_),
        found.unit,
    )


def compare(measured: Readings, limits: Readings, *, not_detected_passes: bool = True) -> Texts:
    """Judge measured values by limits in the same unit.

    Parameters
    ----------
    measured, limits : Readings, shape (n,)
        Units are not looked at: convert first (:mod:`riskwatch.items.units`).
    not_detected_passes : bool
        A result "not detected" without a stated detection limit passes a maximum limit: a method whose detection limit lies above
        the limit cannot give a verdict. It is an assumption; False makes such results undetermined.

    Returns
    -------
    array of str, shape (n,)
        ``pass``, ``fail``, ``undetermined`` (the value's set lies partly inside what is allowed), "" where the two cannot be compared.
    """
    numeric = np.isin(measured.kind, ["number", "not-detected"]) & ~np.isnan(measured.high)
    unbounded = (measured.kind == "not-detected") & np.isnan(measured.high)
    detected = measured.kind == "detected"
    allowed = (limits.kind == "number") & ~np.isnan(limits.high)
    with np.errstate(invalid="ignore"):
        below = (measured.high < limits.high) | ((measured.high == limits.high) & (measured.high_open | ~limits.high_open))
        above = (measured.low > limits.low) | ((measured.low == limits.low) & (measured.low_open | ~limits.low_open))
        inside = (below | np.isposinf(limits.high)) & (above | np.isneginf(limits.low))
        apart = (measured.low > limits.high) | ((measured.low == limits.high) & (measured.low_open | limits.high_open))
        apart |= (measured.high < limits.low) | ((measured.high == limits.low) & (measured.high_open | limits.low_open))
    apart &= ~(np.isneginf(measured.low) & np.isneginf(limits.low)) & ~(np.isposinf(measured.high) & np.isposinf(limits.high))
    maximum = np.isneginf(limits.low)
    left = np.isneginf(measured.low)
    forbidden = limits.kind == "forbidden"
    conditions = [
        allowed & numeric & inside,
        allowed & numeric & apart,
        allowed & unbounded & maximum & not_detected_passes,
        allowed & (numeric | unbounded | detected),
        # "<0.01" under a ban is how laboratories write that nothing was found.
        forbidden & (unbounded | (numeric & left)),
        forbidden & (detected | (numeric & (measured.low > 0.0))),
        forbidden & numeric,
    ]
    choices = ["pass", "fail", "pass", "undetermined", "pass", "fail", "undetermined"]
    return np.select(conditions, choices, "").astype(object)
