"""Robots of chat groups: WeCom, DingTalk, Feishu.

They answer 200 to nearly everything: what happened is the code within. None of them knows a key, so a message whose answer was lost is
sent again: at least once. What a robot may say is short, so the most urgent lines are said and the others counted.

Limits and signatures follow the vendors' pages as of 2026-11 (WeCom: Markdown of 4,096 bytes; DingTalk, Feishu: a body of 20,000 bytes);
they were tested against servers of our own only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from riskwatch.delivery.http import Poster
from riskwatch.delivery.message import Outcome, Parcel

__all__ = ["LIMITS", "RobotSender", "body_of", "dingtalk_query", "feishu_sign", "fitted", "plain"]

LIMITS = {"wecom": 4096, "dingtalk": 18_000, "feishu": 18_000}
"""Bytes of text. DingTalk and Feishu count the whole body, quotes and all: the rest of 20,000 is for that."""
# Marks that would make links, mentions or pictures of a name; full-width forms look alike and do nothing.
_MARKS = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "`": "'", "@": "＠"})


def plain(text: str) -> str:
    """Return ``text`` on one line, with nothing in it that a robot reads as a link or a mention."""
    return " ".join(text.translate(_MARKS).split())


def fitted(title: str, lines: Sequence[str], more: str, limit: int) -> str:
    """Return the title and as many whole lines, from the first, as fit into ``limit`` bytes of UTF-8.

    Parameters
    ----------
    title : str
    lines : sequence of str
        The most urgent first.
    more : str
        Said at the end in place of what is left out; ``{n}`` in it becomes their number.
    limit : int
        Bytes.

    Returns
    -------
    str
        Never longer than ``limit`` bytes; a title, or a first line, that does not fit is cut at a character.
    """
    parts = [plain(title), *(plain(line) for line in lines)]
    whole = "\n".join(parts)
    if len(whole.encode()) <= limit:
        return whole
    for kept in range(len(parts) - 1, 0, -1):
        text = "\n".join([*parts[:kept], more.replace("{n}", str(len(parts) - kept))])
        if len(text.encode()) <= limit:
            return text
    end = "\n" + more.replace("{n}", str(len(lines)))
    room = limit - len(end.encode())
    if room <= 0:
        return _cut(parts[0], limit)
    return _cut(parts[0], room) + end


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode("utf-8", "ignore")


def dingtalk_query(secret: str, milliseconds: int) -> dict[str, str]:
    """Return the parameters that sign a request to DingTalk: HMAC-SHA256 over the instant, a line end and the secret, in base 64."""
    told = f"{milliseconds}\n{secret}"
    digest = hmac.new(secret.encode(), told.encode(), hashlib.sha256).digest()
    return {"timestamp": str(milliseconds), "sign": base64.b64encode(digest).decode("ascii")}


def feishu_sign(secret: str, seconds: int) -> dict[str, str]:
    """Return the fields that sign a message to Feishu: HMAC-SHA256 over nothing, keyed with the instant, a line end and the secret."""
    key = f"{seconds}\n{secret}"
    return {"timestamp": str(seconds), "sign": base64.b64encode(hmac.new(key.encode(), b"", hashlib.sha256).digest()).decode("ascii")}


def body_of(kind: Literal["wecom", "dingtalk", "feishu"], parcel: Parcel) -> dict[str, Any]:
    """Return what is posted, without a signature."""
    text = fitted(parcel.subject, parcel.lines, parcel.more, LIMITS[kind])
    if kind == "wecom":
        return {"msgtype": "markdown", "markdown": {"content": text}}
    if kind == "dingtalk":
        # A line end alone is a space in its Markdown.
        spaced = fitted(parcel.subject, parcel.lines, parcel.more, LIMITS[kind] // 2).replace("\n", "\n\n")
        return {"msgtype": "markdown", "markdown": {"title": plain(parcel.subject)[:100], "text": spaced}}
    return {"msg_type": "text", "content": {"text": text}}


class RobotSender:
    """Posts parcels to one robot.

    Parameters
    ----------
    busy : sequence of int
        Codes that mean "later".
    clock : callable
        Seconds since 1970, for signatures.
    """

    def __init__(
        self,
        kind: Literal["wecom", "dingtalk", "feishu"],
        poster: Poster,
        *,
        secret: str | None,
        busy: Sequence[int],
        scrub: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kind, self._poster, self._secret, self._busy, self._scrub, self._clock = kind, poster, secret, frozenset(busy), scrub, clock

    def send(self, parcel: Parcel) -> Outcome:
        """Try once to send."""
        body, query = body_of(self._kind, parcel), None
        if self._secret is not None and self._kind == "feishu":
            body |= feishu_sign(self._secret, int(self._clock()))
        elif self._secret is not None:
            query = dingtalk_query(self._secret, int(self._clock() * 1000))
        answer = self._poster.post(json.dumps(body, ensure_ascii=False).encode(), headers={}, query=query)
        if isinstance(answer, Outcome):
            return answer
        # Feishu says "code", once "StatusCode"; the others say "errcode".
        code = next((answer.body[name] for name in ("errcode", "code", "StatusCode") if name in answer.body), None)
        said = self._scrub(str(next((answer.body[name] for name in ("errmsg", "msg", "StatusMessage") if name in answer.body), "")))[:200]
        if code == 0:
            return Outcome("sent", "errcode 0")
        if code is None:
            return Outcome("retry", "bad-answer", "the answer holds no code")
        return Outcome("retry" if code in self._busy else "dead", f"errcode {code}", said)

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()
