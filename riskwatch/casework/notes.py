"""What people write beside a case, as it may be stored: without what identifies a person, an enterprise or an address."""

from __future__ import annotations

import re

from riskwatch.errors import CaseworkError
from riskwatch.texts.scrub import COMMON_SURNAMES, MASK, scrub

__all__ = ["NOTE_LIMIT", "clean_note"]

NOTE_LIMIT = 2000
_HAN = "\u4e00-\u9fff"
# Who writes or calls stands otherwise in the notes of an office than in the narratives that the general patterns were made for.
_DOES = "来电|来访|来信|来函|致电|电话|反映|反馈|投诉|举报|告知|表示|提供|签收|经办|办理|承办|核实|检查|处理|联系|已|称"
_POST = "经办人|承办人|检查员|检查人员|执法人员|执法员|值班员|值班人员|联络员|法人代表|法定代表人|法人|负责人|联系人|举报人|投诉人|当事人"
_ROLES = "局长|处长|科长|所长|队长|股长|书记|科员|主任|经理|先生|女士"
_CALLED = (
    re.compile(rf"(?<![{_HAN}])[{COMMON_SURNAMES}][{_HAN}]{{1,2}}?(?={_DOES})"),
    re.compile(rf"(?<=[由与和同请找向])[{COMMON_SURNAMES}][{_HAN}]{{1,2}}?(?={_DOES}|[，,。；;、（(\s]|$)"),
    re.compile(rf"(?:{_POST})\s*[:：为是]?\s*[{COMMON_SURNAMES}][{_HAN}]{{1,2}}?(?={_DOES}|[，,。；;、（(\s]|$)"),
    re.compile(rf"[{COMMON_SURNAMES}][{_HAN}]{{0,2}}?(?:{_ROLES})"),
)


def clean_note(text: str, *, given_names: frozenset[str] = frozenset()) -> str:
    """Return a note as it may be stored: on one line, what identifies anyone replaced by ``***``.

    Parameters
    ----------
    text : str
    given_names : frozenset of str
        English names in lower case (``config/texts.yaml``).

    Raises
    ------
    CaseworkError
        If it is longer than :data:`NOTE_LIMIT` characters.

    Notes
    -----
    Patterns cannot know every name. Rules of the office, not this function, keep names out of notes; see docs/casework.md.
    """
    if len(text) > NOTE_LIMIT:
        raise CaseworkError(
            f"a note has at most {NOTE_LIMIT} characters, got {len(text)}", hint="put the rest in the case file of the office"
        )
    if not text.strip():
        return ""
    for pattern in _CALLED:
        text = pattern.sub(f" {MASK} ", text)
    return scrub(text, given_names=given_names)
