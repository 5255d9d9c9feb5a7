"""Mail as it arrives, and servers that refuse, stall and hang up."""

from __future__ import annotations

import socket
from email.message import EmailMessage

import pytest

from riskwatch.delivery.mail import MailSender, compose
from riskwatch.delivery.message import message_id
from riskwatch.delivery.references import References
from riskwatch.delivery.rules import MailChannel
from tests.delivery.conftest import DESK, PNG, Mailbox, parcel, served

OTHER = "other@desk.example"


def channel(port: int, **more: object) -> MailChannel:
    given = {"name": "mail", "kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "sender": "riskwatch@example.org"}
    return MailChannel.model_validate({**given, "timeout_seconds": 10, "domain": "example.org", **more})


def test_text_html_picture_attachment_and_chinese_headers(mailbox: Mailbox, references: References) -> None:
    names = {"sender_name": {"zh": "风险监测中心", "en": "risk centre"}}
    sender = MailSender(channel(mailbox.port, **names), references)
    long = "【内部】吉林省质量安全风险监测中心 每日预警简报 2025-12-31 第 1 期（一级 1、二级 6）【模拟数据】"
    assert sender.send(parcel(subject=long)).state == "sent"
    sender.close()
    (mail,) = mailbox.mails
    assert mail["Subject"] == long
    assert mail["From"].addresses[0].display_name == "风险监测中心"
    assert mail["From"].addresses[0].addr_spec == "riskwatch@example.org"
    assert mail["To"].addresses[0].addr_spec == DESK
    assert mail["Message-ID"] == message_id("digest/2025-12-31/changchun/mail/centre/zh", "example.org")
    assert mail["Date"].datetime.isoformat() == "2025-12-31T00:30:00+00:00"
    assert mail["X-Riskwatch-Key"] == "digest/2025-12-31/changchun/mail/centre/zh"
    assert mail["Content-Language"] == "zh-CN"
    assert mail["Importance"] == "high"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines() == ["正文：电热毯"]
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<one@riskwatch>"
    assert picture.get_content() == PNG  # type: ignore[attr-defined]
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "每日预警简报-2025-12-31.pdf"
    assert attached.get_content() == b"%PDF-1.7 pretended"


def test_on_the_wire_headers_are_ascii_and_lines_short(references: References) -> None:
    raw = compose(parcel(subject="简报" * 60), channel(25)).as_bytes()
    head = raw.split(b"\r\n\r\n", 1)[0]
    assert head.isascii()
    assert b"=?utf-8?" in head
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_no_value_can_add_a_header(references: References) -> None:
    mail = compose(parcel(subject="简报\r\nBcc: thief@example.com\n\nbody"), channel(25))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "简报 Bcc: thief@example.com body"


def test_the_same_parcel_has_the_same_id_another_has_not(references: References) -> None:
    def told(mail: EmailMessage) -> str:
        return str(mail["Message-ID"])

    assert told(compose(parcel(), channel(25))) == told(compose(parcel(), channel(25)))
    assert told(compose(parcel(), channel(25))) != told(compose(parcel(key="digest/2026-01-01/changchun/mail/centre/zh"), channel(25)))


@pytest.mark.parametrize(
    ("answers", "state", "code"),
    [
        (["451 try later"], "retry", "451"),
        (["552 too big"], "dead", "552"),
        (["554 5.7.1 rejected: desk@changchun.example is not welcome"], "dead", "554"),
        (["drop"], "retry", "dropped"),
        (["stall"], "retry", "timeout"),
    ],
)
def test_what_an_answer_to_the_mail_means(mailbox: Mailbox, references: References, answers: list[str], state: str, code: str) -> None:
    mailbox.answers = [*answers, "250 OK"]
    sender = MailSender(channel(mailbox.port, timeout_seconds=0.4 if answers == ["stall"] else 10), references)
    outcome = sender.send(parcel())
    assert (outcome.state, outcome.code) == (state, code)
    assert DESK not in outcome.detail
    # The connection is mended by itself.
    assert sender.send(parcel()).state == "sent"
    sender.close()
    if answers == ["drop"]:
        assert len(set(mailbox.ids())) == 1
        assert len(mailbox.ids()) == 2


def test_one_connection_serves_many_mails_and_a_broken_one_is_renewed(mailbox: Mailbox, references: References) -> None:
    sender = MailSender(channel(mailbox.port), references)
    assert sender.send(parcel()).state == "sent"
    first = sender._smtp
    assert sender.send(parcel()).state == "sent"
    assert sender._smtp is first
    assert first is not None
    assert first.sock is not None
    first.sock.shutdown(socket.SHUT_RDWR)
    assert sender.send(parcel()).state == "sent"
    assert sender._smtp is not first
    sender.close()


@pytest.mark.parametrize(
    ("refuse", "state", "code", "got"),
    [
        ({DESK: "550 no such desk", OTHER: "550 nor this"}, "dead", "550", []),
        ({DESK: "550 no such desk"}, "sent", "550 partly", [[OTHER]]),
        ({DESK: "450 greylisted"}, "retry", "450", [[OTHER]]),
        ({DESK: "450 greylisted", OTHER: "550 no"}, "retry", "450/550", []),
    ],
)
def test_recipients_that_are_refused(
    mailbox: Mailbox, references: References, refuse: dict[str, str], state: str, code: str, got: list[list[str]]
) -> None:
    mailbox.refuse = refuse
    sender = MailSender(channel(mailbox.port), references)
    outcome = sender.send(parcel(recipients=(DESK, OTHER)))
    sender.close()
    assert (outcome.state, outcome.code) == (state, code)
    assert f"{len(refuse)} of 2 recipients refused" in outcome.detail
    assert "@changchun" not in outcome.detail
    assert mailbox.recipients == got


def test_nobody_to_write_to_is_final_and_sends_nothing(mailbox: Mailbox, references: References) -> None:
    assert MailSender(channel(mailbox.port), references).send(parcel(recipients=())).code == "no-recipients"
    assert MailSender(channel(mailbox.port), references).send(parcel(recipients=("no address",))).code == "bad-address"
    assert mailbox.mails == []


def test_nobody_listens_and_somebody_who_says_nothing(closed_port: int, mute_port: int, references: References) -> None:
    refused = MailSender(channel(closed_port), references).send(parcel())
    assert (refused.state, refused.code) == ("retry", "refused")
    mute = MailSender(channel(mute_port, timeout_seconds=0.1), references).send(parcel())
    assert (mute.state, mute.code) == ("retry", "timeout")
    unknown = MailSender(channel(25, host="no-such-host.invalid"), references).send(parcel())
    assert (unknown.state, unknown.code) == ("retry", "unreachable")


def test_starttls_and_login(certificate, references: References) -> None:
    cert, context = certificate
    box = Mailbox()
    secured = {"security": "starttls", "username": "env:PLANTED_USER", "password": "env:PLANTED_PASSWORD"}
    with served(box, tls_context=context, require_starttls=True, authenticator=box.authenticate, auth_required=True):
        sender = MailSender(channel(box.port, **secured), references, str(cert))
        assert sender.send(parcel()).state == "sent"
        sender.close()
        assert box.logins == ["planted-user"]
        # A certificate that nobody vouches for: not sent, not given up.
        distrust = MailSender(channel(box.port, **secured), references)
        outcome = distrust.send(parcel())
        distrust.close()
        assert (outcome.state, outcome.code) == ("retry", "tls")
        # A wrong password is for operations to mend; it is not in the outcome.
        wrong = References({"PLANTED_USER": "planted-user", "PLANTED_PASSWORD": "planted-wrong"}, cert.parent)
        refused = MailSender(channel(box.port, **secured), wrong, str(cert))
        outcome = refused.send(parcel())
        refused.close()
        assert (outcome.state, outcome.code) == ("retry", "535")
        assert "planted" not in repr(outcome)
    assert len(box.mails) == 1


def test_a_server_without_tls_gets_neither_password_nor_mail(mailbox: Mailbox, references: References) -> None:
    sender = MailSender(
        channel(mailbox.port, security="starttls", username="env:PLANTED_USER", password="env:PLANTED_PASSWORD"), references
    )
    outcome = sender.send(parcel())
    sender.close()
    assert (outcome.state, outcome.code) == ("retry", "unsupported")
    assert mailbox.mails == []
