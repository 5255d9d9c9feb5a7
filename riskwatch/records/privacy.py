"""Coarsen what may identify a person before it leaves the store: ages to bands, small counts to blanks, narratives without names.

These are aids for exports that a person has asked for. Digests, messages and logs carry no fields marked ``personal`` at all.
"""

from __future__ import annotations

import re
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["AGE_BANDS", "age_band", "mask_small_counts", "scrub_narrative"]

AGE_BANDS = ("0–4", "5–9", "10–14", "15–24", "25–44", "45–64", "65+")
"""Age bands in years, youngest first."""

_EDGES = np.array([0.0, 5.0, 10.0, 15.0, 25.0, 45.0, 65.0])

# Order matters: longer digit strings first, so that the tail of an identity number is not taken for a telephone.
_HAN = r"[\u4e00-\u9fff]"
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金"
    "石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_SCRUBS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), label)
    for pattern, label in (
        (r"https?://\S+|www\.\S+", "[link]"),
        (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "[mail]"),
        (r"(?<![0-9A-Za-z])\d{17}[0-9Xx](?![0-9A-Za-z])|(?<!\d)\d{15}(?!\d)", "[id]"),
        (r"(?<!\d)\d(?:[ -]?\d){15,18}(?!\d)", "[number]"),
        (r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)", "[phone]"),
        (r"(?<!\d)0\d{2,3}[ -]?\d{7,8}(?!\d)|(?<!\d)\(?\d{3}\)?[ -]\d{3}-\d{4}(?!\d)", "[phone]"),
        (r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·\s]?[A-Z0-9]{5,6}(?![A-Z0-9])", "[plate]"),
        (r"(姓名|联系人|家长|户主)\s*[:：]?\s*" + _HAN + r"{2,4}(?=[，,。；;、\s]|$)", r"\1[name]"),
        (rf"[{_SURNAMES}](某某|某|××|xx|\*{{1,2}})", "[name]"),
        (rf"[{_SURNAMES}]{_HAN}{{0,2}}(先生|女士|大爷|大妈|奶奶|爷爷|阿姨|师傅)", r"[name]\1"),
        (r"\b(mr|mrs|ms|miss|dr)\.?\s+[a-z][a-z'-]+", r"\1 [name]"),
        (
            rf"({_HAN}{{2,12}}?(?:路|街|巷|弄|胡同|大道|社区|小区|村|屯))\s*\d+\s*(号|弄|组|栋|幢)?(楼)?(\s*\d+\s*(栋|幢|单元|层|楼|室|户|号))*",
            "[address]",
        ),
        (r"\b\d+\s+([a-z]+\s){1,3}(street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd)\b\.?", "[address]"),
        (r"(?<!\d)\d{1,3}\s*(周岁|岁|个月大|月龄)", "[age]"),
        (r"\b\d{1,3}\s*-?\s*(y\s*/?\s*o\s*[mf]?|yom|yof|year[- ]?old|m\s*/?\s*o\s*[mf]?|mom|mof|month[- ]?old)\b", "[age]"),
    )
)


def age_band(age: object) -> pd.Categorical:
    """Return the band of each age.

    Parameters
    ----------
    age : array-like of float, shape (n,)
        Age in years; NaN is missing.

    Returns
    -------
    Categorical, shape (n,)
        Ordered :data:`AGE_BANDS`; missing for NaN and for negative ages.
    """
    years = np.asarray(cast("Any", age), dtype=np.float64)
    codes = np.searchsorted(_EDGES, years, side="right") - 1
    codes = np.where(np.isnan(years), -1, codes)
    return cast("pd.Categorical", pd.Categorical.from_codes(codes, categories=pd.Index(AGE_BANDS), ordered=True))


def mask_small_counts(counts: object, minimum: int = 5, *, total_known: bool = False) -> npt.NDArray[np.float64]:
    """Blank out counts of few persons.

    Parameters
    ----------
    counts : array-like of float, shape (..., n)
        Counts; the cells of one row add up to a total.
    minimum : int
        Smallest count that is shown; 0 is shown too, as it is about nobody.
    total_known : bool
        The total is published as well: where only one cell of a row is blank, the smallest shown one above zero is blanked too, or
        the difference would give it away.

    Returns
    -------
    array of float, shape (..., n)
        NaN where blanked.
    """
    result = np.array(cast("Any", counts), dtype=np.float64)
    small = (result > 0) & (result < minimum)
    result[small] = np.nan
    if total_known and result.ndim:
        rows = result.reshape(-1, result.shape[-1])
        for row in np.flatnonzero(small.reshape(rows.shape).sum(axis=1) == 1).tolist():
            shown = np.where(rows[row] > 0, rows[row], np.inf)
            if np.isfinite(shown).any():
                rows[row, np.argmin(shown)] = np.nan
        result = rows.reshape(result.shape)
    return result


def scrub_narrative(text: str) -> str:
    """Replace what looks like a name, number, address, mail, plate or age in a narrative by a label in brackets.

    Patterns for Chinese and English; a person must still read the result before it is passed on, as no pattern knows every name.
    """
    for pattern, label in _SCRUBS:
        text = pattern.sub(label, text)
    return text
