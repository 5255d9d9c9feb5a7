"""Messages of days and what became of them: once, corrected, caught up, tried again, given up, dropped."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from riskwatch.digest import Digest
from riskwatch.errors import StoreError
from riskwatch.runner import deliver as delivering
from riskwatch.runner.deliver import deliver
from riskwatch.runner.detect import Detection
from riskwatch.runner.quality import quality_report
from riskwatch.store import outbox
from tests.delivery.conftest import DESK, NOW, Hook, Mailbox, World
from tests.digest.conftest import AS_OF

MAIL = """
channels: [{{name: mail, kind: smtp, host: 127.0.0.1, port: {port}, security: none, sender: riskwatch@example.org, timeout_seconds: 10,
  attachments: [], retry: {{first_seconds: 60, most_seconds: 600, jitter: 0, attempts: 3}}}}]
routes: [{{name: digests, channel: mail, centres: [changchun], languages: [zh], kinds: [digest]{more}}}]
"""
DROP = """
channels: [{name: drop, kind: file, folder: "{var}/outbox", forms: [html, json, md]}]
routes:
  - {name: digests, channel: drop, kinds: [digest], centres: [changchun], languages: [en]}
  - {name: urgent, channel: drop, kinds: [alert], languages: [en]}
"""
KEY = "digest/2025-12-31/changchun/mail/centre/zh"


def mail_world(world: World, port: int, more: str = "") -> World:
    world.configure(MAIL.format(port=port, more=more))
    world.recipients(DESK)
    return world


def test_deciding_a_day_again_makes_no_second_message(world: World, ordinary: Digest) -> None:
    mail_world(world, 1).decide([ordinary])
    first = world.messages()
    world.decide([ordinary], run=2, now=NOW + dt.timedelta(hours=1))
    assert world.messages() == first
    assert list(first) == [KEY]
    assert (first[KEY].state, first[KEY].grade, first[KEY].edition) == ("pending", "II", 1)
    assert DESK not in repr(first)


def test_a_quiet_run_writes_none_and_a_project_without_routes_neither(world: World, ordinary: Digest) -> None:
    mail_world(world, 1).decide([ordinary], quiet=True)
    assert world.messages() == {}
    world.configure("channels: []")
    world.decide([ordinary], run=2)
    assert world.messages() == {}


def test_a_correction_only_where_the_reader_was_told_something_else(
    world: World, ordinary: Digest, remade: Callable[..., Digest], mailbox: Mailbox
) -> None:
    mail_world(world, mailbox.port).decide([ordinary])
    with world.context() as ctx:
        assert deliver(ctx).sent == 1
    # Another state of the sources is no other news.
    late = ordinary.model_copy(update={"quality": ordinary.quality.model_copy(update={"quarantine_open": 99})})
    world.decide([late], run=2)
    assert list(world.messages()) == [KEY]
    fewer = ordinary.model_copy(update={"warnings": ordinary.warnings[:-1]})
    world.decide([fewer], run=3)
    world.decide([fewer], run=4)
    corrected = "correction/2025-12-31/changchun/mail/centre/zh/2"
    assert sorted(world.messages()) == [corrected, KEY]
    with world.context() as ctx:
        assert deliver(ctx).sent == 1
    assert mailbox.mails[1]["Subject"].startswith("【更正】【内部】")
    text = mailbox.mails[1].get_body(("plain",))
    assert text is not None
    assert "本简报取代此前发送的同日简报" in text.get_content()
    assert mailbox.ids()[0] != mailbox.ids()[1]
    # Back to what was said first: the reader was told otherwise since, so this is news again.
    world.decide([ordinary], run=5)
    assert "correction/2025-12-31/changchun/mail/centre/zh/3" in world.messages()


def test_who_was_told_hears_that_it_was_withdrawn(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    mail_world(world, mailbox.port, ", grades: [II]").decide([ordinary])
    with world.context() as ctx:
        assert deliver(ctx).sent == 1
    calm = ordinary.model_copy(update={"warnings": tuple(card for card in ordinary.warnings if card.grade != "II")})
    world.decide([calm], run=2)
    assert [key.split("/")[0] for key in sorted(world.messages())] == ["correction", "digest"]
    world.decide([calm], run=3, as_of=AS_OF + dt.timedelta(days=1))
    assert len(world.messages()) == 2, "the next day has nothing that the route asks for"


def test_what_nobody_was_told_yet_is_corrected_in_place(world: World, ordinary: Digest) -> None:
    mail_world(world, 1).decide([ordinary])
    before = world.messages()[KEY].told
    world.decide([ordinary.model_copy(update={"warnings": ordinary.warnings[:-1]})], run=2)
    (only,) = world.messages().values()
    assert only.message_key == KEY
    assert only.told != before


def test_being_sent_is_not_yet_told_but_may_be(world: World, ordinary: Digest) -> None:
    """A message that is claimed may tell the old or the new: the correction is written."""
    mail_world(world, 1).decide([ordinary])
    with world.context() as ctx:
        assert outbox.claim(ctx.store.database, "mail", holder="someone", now=NOW, seconds=300) is not None
    world.decide([ordinary.model_copy(update={"warnings": ordinary.warnings[:-1]})], run=2)
    assert len(world.messages()) == 2


def test_alerts_at_once_one_for_each_urgent_warning(world: World, ordinary: Digest) -> None:
    world.configure(DROP)
    world.decide([ordinary])
    urgent = [card for card in ordinary.warnings if card.grade in {"I", "II"}]
    assert len(urgent) == 1
    keys = [f"alert/2025-12-31/changchun/drop/centre/en/{card.warning_id}/{card.change}" for card in urgent]
    assert sorted(world.messages()) == [*keys, "digest/2025-12-31/changchun/drop/centre/en"]
    with world.context() as ctx:
        first = outbox.claim(ctx.store.database, "drop", holder="me", now=NOW, seconds=1)
        assert first is not None
        assert first.kind == "alert", "alerts go first"
        assert deliver(replace(ctx, now=NOW + dt.timedelta(seconds=2))).sent == 2
        folder = ctx.definitions.var / "outbox" / "2025-12-31"
    page = (folder / keys[0].replace("alert/2025-12-31/", "alert_").replace("/", "_") / "changchun-2025-12-31-alert-en.md").read_text(
        "utf-8"
    )
    assert page.startswith("# Product quality risk alert")
    assert "electric blankets" in page
    assert "The digest of the day holds the rest." in page
    # The alert stays one event: deciding again tells nobody twice.
    world.decide([ordinary], run=2)
    assert {one.state for one in world.messages().values()} == {"sent"}


def test_an_alert_that_a_corrected_run_withdrew_is_not_sent(world: World, ordinary: Digest) -> None:
    world.configure(DROP)
    world.decide([ordinary])
    calm = ordinary.model_copy(update={"warnings": tuple(card for card in ordinary.warnings if card.grade not in {"I", "II"})})
    world.decide([calm], run=2)
    with world.context() as ctx:
        report = deliver(ctx)
    assert (report.sent, report.withdrawn, report.failures) == (1, 1, [])
    assert {one.kind: one.state for one in world.messages().values()} == {"alert": "dropped", "digest": "sent"}


def test_a_catch_up_is_one_message_for_all_days_and_alerts_to_what_rose_meanwhile(
    world: World, ordinary: Digest, remade: Callable[..., Digest]
) -> None:
    world.configure(DROP)
    first = AS_OF - dt.timedelta(days=2)
    days = [first, AS_OF - dt.timedelta(days=1)]
    missed = [ordinary.model_copy(update={"header": ordinary.header.model_copy(update={"date": day})}) for day in days]
    row = ordinary.others[0].model_copy(update={"change": "unchanged", "grade": "I"})
    card = next(card for card in ordinary.warnings if card.grade == "II")
    today = ordinary.model_copy(update={"warnings": (card,), "others": (row,)})
    rose = SimpleNamespace(warning_id=row.warning_id, as_of=days[0], kind="new")
    fell = SimpleNamespace(warning_id="another", as_of=days[0], kind="eased")
    for day, digest in zip(days, missed, strict=True):
        world.decide([digest], as_of=day, quiet=True)
    world.decide([today], events=[rose, fell], catch_up_from=first)
    keys = sorted(world.messages())
    assert [key.split("/")[0] for key in keys] == ["alert", "alert", "catch-up"]
    assert any(f"/{row.warning_id}/new" in key for key in keys)
    with world.context() as ctx:
        assert deliver(ctx).sent == 3
        (folder,) = (ctx.definitions.var / "outbox").rglob("catch-up_*")
    page = next(folder.glob("*.md")).read_text("utf-8")
    assert "No digest was sent from 2025-12-29 to 2025-12-30" in page
    for day in days:
        assert f"- {day}: " in page.replace("\\", "")
    assert "2025-12-31" in page


def test_failures_wait_longer_each_time_and_end_as_a_dead_letter_that_the_next_digest_mentions(
    world: World, ordinary: Digest, mailbox: Mailbox
) -> None:
    mailbox.answers = [f"451 not now, {DESK}"]
    mail_world(world, mailbox.port).decide([ordinary])
    now = NOW
    waits = []
    for _ in range(3):
        with world.context(now=now) as ctx:
            report = deliver(ctx)
            assert report.sent == 0
            assert DESK not in repr(report)
            (one,) = outbox.read_messages(ctx.store.database)
            due = dt.datetime.fromisoformat(one.due_at)
            waits.append((due - now).total_seconds())
            assert deliver(ctx).retry == 0, "not before it is due"
            now = due + dt.timedelta(seconds=1)
    assert 60 <= waits[0] < 75
    assert 120 <= waits[1] < 135
    assert (one.state, one.reason, one.attempts) == ("dead", "451", 3)
    assert report.faults == [f"deliver: 1 not delivered ({KEY}: 451, given up); riskwatch outbox list"]
    with world.context(as_of=AS_OF + dt.timedelta(days=1)) as ctx:
        attempts = outbox.attempts_of(ctx.store.database, KEY)
        assert [(row["attempt"], row["outcome"], row["code"]) for row in attempts] == [
            (1, "retry", "451"),
            (2, "retry", "451"),
            (3, "dead", "451"),
        ]
        assert DESK not in repr(attempts)
        assert quality_report(ctx, Detection(), []).undelivered == {"changchun": (("digest", AS_OF),)}
        assert quality_report(replace(ctx, as_of=AS_OF + dt.timedelta(days=8)), Detection(), []).undelivered == {}
        assert quality_report(replace(ctx, as_of=AS_OF), Detection(), []).undelivered == {}
        outbox.requeue(ctx.store.database, [KEY], now=now)
        mailbox.answers = ["250 OK"]
        assert deliver(replace(ctx, now=now)).sent == 1
        assert len(outbox.attempts_of(ctx.store.database, KEY)) == 4
        assert quality_report(ctx, Detection(), []).undelivered == {}


def test_a_refusal_for_good_is_dead_at_once(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    mailbox.answers = ["554 no"]
    mail_world(world, mailbox.port).decide([ordinary])
    with world.context() as ctx:
        report = deliver(ctx)
    assert (report.dead, report.retry) == (1, 0)
    assert world.messages()[KEY].attempts == 1


def test_retry_after_is_honoured(world: World, ordinary: Digest, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", hook.url)
    monkeypatch.setenv("HOOK_SECRET", "planted-secret")
    world.configure(
        """
channels: [{name: hook, kind: webhook, url: env:HOOK_URL, secret: env:HOOK_SECRET, retry: {first_seconds: 1, jitter: 0}}]
routes: [{name: all, channel: hook, centres: [changchun], languages: [en], kinds: [digest]}]
"""
    )
    hook.answers = [(503, {"Retry-After": "1800"}, b""), (200, {}, b"")]
    world.decide([ordinary])
    with world.context() as ctx:
        assert deliver(ctx).retry == 1
        (one,) = outbox.read_messages(ctx.store.database)
        wait = (dt.datetime.fromisoformat(one.due_at) - NOW).total_seconds()
        assert 1800 <= wait < 1830
        assert deliver(replace(ctx, now=NOW + dt.timedelta(seconds=wait + 1))).sent == 1
    (first, second) = hook.bodies
    assert first == second, "the same bytes at every attempt"
    assert [one["change"] for one in first["warnings"]] == [card.change for card in ordinary.warnings]
    assert "electric blankets" in first["headlines"][0]


def test_a_secret_that_is_not_there_is_tried_again_and_not_named(world: World, ordinary: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_URL", raising=False)
    world.configure(
        "channels: [{name: hook, kind: webhook, url: env:HOOK_URL, secret: env:HOOK_SECRET}]\n"
        "routes: [{name: all, channel: hook, centres: [changchun], languages: [en], kinds: [digest]}]\n"
    )
    world.decide([ordinary])
    with world.context() as ctx:
        report = deliver(ctx)
        assert report.retry == 1
        (attempt,) = outbox.attempts_of(ctx.store.database, "digest/2025-12-31/changchun/hook/centre/en")
    assert (attempt["code"], attempt["detail"]) == ("config", "delivery: env:HOOK_URL is empty or not set")


def test_killed_between_sending_and_marking_the_second_mail_has_the_id_of_the_first(
    world: World, ordinary: Digest, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_world(world, mailbox.port).decide([ordinary])

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, world.context() as ctx:
        patch.setattr(delivering.outbox, "mark", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver(ctx)
    assert world.messages()[KEY].state == "sending"
    with world.context() as ctx:
        assert deliver(ctx).sent == 0, "the claim holds: its holder may be alive"
        assert deliver(replace(ctx, now=NOW + dt.timedelta(seconds=301))).sent == 1
    assert len(mailbox.mails) == 2
    assert len(set(mailbox.ids())) == 1


def test_the_claim_of_a_dead_process_of_this_machine_is_taken_over_at_once(
    world: World, ordinary: Digest, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_world(world, mailbox.port).decide([ordinary])
    with world.context() as ctx:
        assert outbox.claim(ctx.store.database, "mail", holder="the dead", now=NOW, seconds=300) is not None
        monkeypatch.setattr(outbox, "is_dead", lambda holder: holder == "the dead")
        assert deliver(ctx).sent == 1


def test_many_senders_send_each_message_once(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    groups = ", ".join(f"{{name: g{n}, addresses: env:DESK}}" for n in range(12))
    routes = ", ".join(f"{{name: r{n}, channel: mail, recipients: g{n}, centres: [changchun], languages: [zh]}}" for n in range(12))
    text = MAIL.format(port=mailbox.port, more="").split("routes:")[0].replace("attachments: []", "attachments: [], concurrency: 4")
    world.configure(f"{text}\ngroups: [{groups}]\nroutes: [{routes}]\n")
    world.decide([ordinary])
    with pytest.MonkeyPatch.context() as patch, world.context() as ctx:
        patch.setenv("DESK", DESK)
        reports = []
        threads = [threading.Thread(target=lambda: reports.append(deliver(ctx))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(report.sent for report in reports) == 12
    assert len(set(mailbox.ids())) == len(mailbox.ids()) == 12


def test_dry_run_and_limit(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    world.configure(MAIL.format(port=mailbox.port, more="").replace("languages: [zh]", "languages: [zh, en]"))
    world.recipients(DESK)
    world.decide([ordinary])
    with world.context() as ctx:
        dry = deliver(ctx, dry_run=True)
        assert dry.would_send == [KEY.replace("/zh", "/en"), KEY]
        assert deliver(ctx, limit=1).sent == 1
        assert deliver(ctx, limit=0).sent == 0
        assert deliver(ctx).sent == 1
    assert len(mailbox.mails) == 2


def test_waiting_for_what_becomes_due(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    mail_world(world, mailbox.port)
    mailbox.answers = ["451 not now", "250 OK"]
    text = MAIL.format(port=mailbox.port, more="").replace("first_seconds: 60", "first_seconds: 0.05")
    world.configure(text)
    world.decide([ordinary])
    with world.context() as ctx:
        report = deliver(ctx, wait_seconds=20)
    assert (report.retry, report.sent, report.waiting) == (1, 1, 0)


def test_quiet_hours_hold_back_all_but_the_urgent(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    quiet = ', quiet_hours: {from: "08:00", to: "09:00"}'
    calm = ordinary.model_copy(update={"warnings": tuple(card for card in ordinary.warnings if card.grade not in {"I", "II"})})
    mail_world(world, mailbox.port, quiet).decide([calm])
    with world.context() as ctx:
        assert deliver(ctx).sent == 0
        mailbox.answers = ["451 not now", "250 OK"]
        at_nine = NOW + dt.timedelta(minutes=30)
        assert deliver(replace(ctx, now=at_nine)).retry == 1
        # 09:01 today; a wait into tomorrow's quiet hours would end with them.
        assert deliver(replace(ctx, now=at_nine + dt.timedelta(minutes=3))).sent == 1


def test_a_channel_that_is_gone_and_a_centre_without_recipients_are_faults(world: World, ordinary: Digest) -> None:
    world.configure(MAIL.format(port=1, more=""))
    world.decide([ordinary])
    assert world.messages() == {}
    with world.context() as ctx:
        assert deliver(ctx).failures == ["route digests: centre changchun has no recipients for channel mail"]
    mail_world(world, 1).decide([ordinary], run=2)
    world.configure(DROP)
    with world.context() as ctx:
        assert deliver(ctx).failures == ["channel mail is not in config/delivery.yaml any more: 1 messages wait"]
    assert world.messages()[KEY].state == "pending"


def test_dropping_and_putting_back(world: World, ordinary: Digest, mailbox: Mailbox) -> None:
    mail_world(world, mailbox.port).decide([ordinary])
    with world.context() as ctx:
        database = ctx.store.database
        outbox.drop(database, [KEY], reason="told by telephone", now=NOW)
        assert deliver(ctx).sent == 0
        assert world.messages()[KEY].reason == "told by telephone"
        with pytest.raises(StoreError, match="must be pending or dead for this, it is dropped"):
            outbox.drop(database, [KEY], reason="again", now=NOW)
        outbox.requeue(database, [KEY], now=NOW)
        assert deliver(ctx).sent == 1
        with pytest.raises(StoreError, match="it is sent"):
            outbox.requeue(database, [KEY], now=NOW)
        with pytest.raises(StoreError, match='No message "nonsense"'):
            outbox.requeue(database, ["nonsense"], now=NOW)


def test_a_message_that_cannot_be_rendered_does_not_keep_the_others(
    world: World, ordinary: Digest, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(MAIL.format(port=mailbox.port, more="").replace("languages: [zh]", "languages: [zh, en]"))
    world.recipients(DESK)
    world.decide([ordinary])
    whole = delivering.Packer.pack

    def broken(self: Any, message: Any, channel: Any) -> Any:
        if message.language == "en":
            raise RuntimeError(f"cannot draw for {DESK}")
        return whole(self, message, channel)

    monkeypatch.setattr(delivering.Packer, "pack", broken)
    with world.context() as ctx:
        report = deliver(ctx)
    assert (report.sent, report.retry) == (1, 1)
    assert DESK not in repr(report)
