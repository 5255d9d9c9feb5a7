"""From the decision of a day to the desk: outbox row in the run's transaction, ``deliver``, mail received."""

from __future__ import annotations

from riskwatch.digest import Digest
from riskwatch.runner.deliver import deliver
from riskwatch.store import outbox
from tests.delivery.conftest import DESK, Mailbox, World

ONE_ROUTE = """
channels: [{{name: mail, kind: smtp, host: 127.0.0.1, port: {port}, security: none, sender: riskwatch@example.org, timeout_seconds: 10,
  attachments: [pdf, xlsx], retry: {{first_seconds: 0.01, most_seconds: 0.02, attempts: 3}}}}]
routes: [{{name: digests, channel: mail, centres: [changchun], kinds: [digest]}}]
"""


def test_a_digest_is_mailed_in_both_languages(world: World, mailbox: Mailbox, ordinary: Digest) -> None:
    world.configure(ONE_ROUTE.format(port=mailbox.port))
    world.recipients(DESK)
    world.decide([ordinary])
    with world.context() as ctx:
        assert [one.state for one in outbox.read_messages(ctx.store.database)] == ["pending", "pending"]
        report = deliver(ctx)
        assert (report.sent, report.waiting, report.failures) == (2, 0, [])
        assert deliver(ctx).sent == 0
        assert outbox.count_messages(ctx.store.database)["sent"] == 2
    assert len(mailbox.mails) == 2
    assert mailbox.recipients == [[DESK]] * 2
    assert {mail["Content-Language"] for mail in mailbox.mails} == {"zh-CN", "en"}
    chinese = next(mail for mail in mailbox.mails if mail["Content-Language"] == "zh-CN")
    assert "每日预警简报" in chinese["Subject"]
    text, html = chinese.get_body(("plain",)), chinese.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "电热毯" in text.get_content()
    assert "电热毯" in html.get_content()
    assert {part.get_content_type() for part in chinese.iter_attachments()} == {
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }


def test_a_run_does_not_wait_for_the_rate_of_a_channel_and_loses_nothing(world: World, mailbox: Mailbox, ordinary: Digest) -> None:
    """At one mail a minute the second is due in a minute: a run with five seconds left leaves it to the next sender."""
    slow = ONE_ROUTE.replace("{{name: mail,", "{{name: mail, per_minute: 1, concurrency: 1,")
    world.configure("run_seconds: 5\n" + slow.format(port=mailbox.port))
    world.recipients(DESK)
    world.decide([ordinary])
    with world.context() as ctx:
        report = deliver(ctx, bounded=True)
        assert (report.sent, report.waiting, report.failures) == (1, 1, [])
        assert {one.state for one in outbox.read_messages(ctx.store.database)} == {"sent", "pending"}
        assert deliver(ctx).sent == 1
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == len(mailbox.mails) == 2
