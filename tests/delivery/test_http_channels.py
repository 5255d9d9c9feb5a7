"""Webhooks and robots against a server that answers in all ways."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from riskwatch.delivery.http import Poster
from riskwatch.delivery.message import Outcome
from riskwatch.delivery.references import References
from riskwatch.delivery.robots import RobotSender, dingtalk_query, feishu_sign
from riskwatch.delivery.rules import RobotChannel
from riskwatch.delivery.webhook import WebhookSender, body_of
from riskwatch.errors import DeliveryError
from tests.delivery.conftest import Hook, parcel

CLOCK = 1_700_000_000.25
TIMEOUT = 5.0


def webhook(hook: Hook) -> WebhookSender:
    timeout = 0.2 if hook.answers == ["stall"] else TIMEOUT
    return WebhookSender(Poster(hook.url, timeout=timeout), "planted-secret", clock=lambda: CLOCK)


def send(sender: Any, **fields: Any) -> Outcome:
    try:
        outcome: Outcome = sender.send(parcel(**fields))
    finally:
        sender.close()
    return outcome


def test_a_webhook_is_signed_and_carries_its_key(hook: Hook) -> None:
    assert send(webhook(hook), data={"warnings": [{"warning_id": "w1", "subject": "电热毯"}]}).state == "sent"
    ((path, headers, body),) = hook.requests
    assert path.endswith("/hook?key=planted-robot-key")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Riskwatch-Key"] == headers["Idempotency-Key"] == "digest/2025-12-31/changchun/mail/centre/zh"
    assert headers["X-Riskwatch-Timestamp"] == "1700000000"
    expected = hmac.new(b"planted-secret", b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Riskwatch-Signature"] == f"sha256={expected}"
    told = json.loads(body)
    assert told["warnings"] == [{"warning_id": "w1", "subject": "电热毯"}]
    assert (told["kind"], told["centre"], told["day"], told["grade"]) == ("digest", "changchun", "2025-12-31", "II")
    assert "电热毯".encode() in body
    assert body == body_of(parcel(data={"warnings": [{"warning_id": "w1", "subject": "电热毯"}]}))


@pytest.mark.parametrize(
    ("answer", "state", "code", "after"),
    [
        ((204, {}, b""), "sent", "http 204", None),
        ((400, {}, b"no"), "dead", "http 400", None),
        ((404, {"Retry-After": "9"}, b""), "dead", "http 404", None),
        ((408, {}, b""), "retry", "http 408", None),
        ((429, {"Retry-After": "7"}, b""), "retry", "http 429", 7.0),
        ((500, {}, b""), "retry", "http 500", None),
        ((503, {"Retry-After": "30"}, b""), "retry", "http 503", 30.0),
        ((302, {"Location": "http://127.0.0.1:1/stolen"}, b""), "dead", "http 302", None),
        ((307, {"Location": "/hook2"}, b""), "dead", "http 307", None),
        ((200, {}, b"x" * 70_000), "dead", "answer-too-long", None),
        ("stall", "retry", "timeout", None),
        ("drop", "retry", "dropped", None),
    ],
)
def test_what_an_answer_means(hook: Hook, answer: Any, state: str, code: str, after: float | None) -> None:
    hook.answers = [answer]
    outcome = send(webhook(hook))
    assert (outcome.state, outcome.code, outcome.after) == (state, code, after)
    assert len(hook.requests) == 1, "a redirect must not be followed"
    assert "planted" not in repr(outcome)
    assert "127.0.0.1" not in repr(outcome)


def test_nobody_listens(closed_port: int) -> None:
    outcome = send(WebhookSender(Poster(f"http://127.0.0.1:{closed_port}/x", timeout=TIMEOUT), "s"))
    assert (outcome.state, outcome.code) == ("retry", "refused")


@pytest.mark.parametrize(
    "url", ["http://example.org/planted", "ftp://127.0.0.1/planted", "file:///planted", "planted", "http://127.0.0.1.evil.example/planted"]
)
def test_only_https_or_this_machine(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"must be https|is no URL") as caught:
        Poster(url, timeout=1)
    assert "planted" not in str(caught.value)


def robot(hook: Hook, kind: Any, secret: str | None = None) -> RobotSender:
    channel = RobotChannel.model_validate({"name": "chat", "kind": kind, "url": "env:X"})
    references = References({"X": hook.url}, Path())
    references.read("env:X")
    return RobotSender(
        kind, Poster(hook.url, timeout=TIMEOUT), secret=secret, busy=channel.busy_codes, scrub=references.scrub, clock=lambda: CLOCK
    )


LINES = tuple(f"第{n}条：" + "电热毯伤害监测高于预期" * 10 for n in range(80))


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_a_robot_says_the_most_urgent_within_its_limit(hook: Hook, kind: str) -> None:
    hook.answers = [(200, {}, b'{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}')]
    assert send(robot(hook, kind), lines=LINES, more="另有 {n} 条，见简报。").state == "sent"
    ((_, _, body),) = hook.requests
    content = json.loads(body)
    said = {
        "wecom": lambda: content["markdown"]["content"],
        "dingtalk": lambda: content["markdown"]["text"],
        "feishu": lambda: content["content"]["text"],
    }[kind]()
    assert content.get("msgtype", content.get("msg_type")) in {"markdown", "text"}
    assert len(said.encode()) <= (4096 if kind == "wecom" else 20_000)
    assert len(body) <= 20_000
    assert LINES[0] in said
    assert LINES[-1] not in said
    assert "条，见简报。" in said


def test_dingtalk_signs_the_address_and_feishu_the_body(hook: Hook) -> None:
    hook.answers = [(200, {}, b'{"errcode":0,"code":0}')]
    assert send(robot(hook, "dingtalk", "SECabc"), lines=("一",)).state == "sent"
    path = hook.requests[0][0]
    signed = dingtalk_query("SECabc", int(CLOCK * 1000))
    assert "key=planted-robot-key" in path
    assert f"timestamp={signed['timestamp']}" in path
    assert "sign=" in path
    assert "+" not in path.partition("sign=")[2], "a plus sign would be read as a space"
    assert send(robot(hook, "feishu", "SECabc"), lines=("一",)).state == "sent"
    content = hook.bodies[1]
    assert {name: content[name] for name in ("timestamp", "sign")} == feishu_sign("SECabc", int(CLOCK))


@pytest.mark.parametrize(
    ("kind", "content", "state", "code"),
    [
        ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, "retry", "errcode 45009"),
        ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url, key planted-robot-key"}, "dead", "errcode 93000"),
        ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, "dead", "errcode 310000"),
        ("dingtalk", {"errcode": 130101, "errmsg": "send too fast"}, "retry", "errcode 130101"),
        ("feishu", {"code": 9499, "msg": "too many request"}, "retry", "errcode 9499"),
        ("feishu", {"code": 19021, "msg": "sign match fail"}, "dead", "errcode 19021"),
        ("feishu", {"StatusCode": 0, "StatusMessage": "success"}, "sent", "errcode 0"),
        ("wecom", {}, "retry", "bad-answer"),
    ],
)
def test_the_code_within_the_answer_counts(hook: Hook, kind: str, content: dict[str, Any], state: str, code: str) -> None:
    hook.answers = [(200, {"Content-Type": "application/json"}, json.dumps(content).encode())]
    outcome = send(robot(hook, kind), lines=("一",))
    assert (outcome.state, outcome.code) == (state, code)


def test_an_answer_that_quotes_the_address_is_scrubbed(hook: Hook) -> None:
    hook.answers = [(200, {}, json.dumps({"errcode": 93000, "errmsg": f"bad address {hook.url}"}).encode())]
    outcome = send(robot(hook, "wecom"), lines=("一",))
    assert outcome.detail == "bad address ***"
