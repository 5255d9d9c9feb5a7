"""What needs no network: keys, routing, quiet hours, waits, pace, fitting, masking."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from riskwatch.delivery.backoff import LONGEST, next_attempt, wait_seconds
from riskwatch.delivery.http import retry_after
from riskwatch.delivery.message import Concern, Letter, message_id, message_key
from riskwatch.delivery.pace import Pace
from riskwatch.delivery.references import References, scrubbed
from riskwatch.delivery.robots import LIMITS, dingtalk_query, feishu_sign, fitted, plain
from riskwatch.delivery.routing import after_quiet, matches, route
from riskwatch.delivery.rules import DeliveryRules, QuietHours, RetryRules, Route
from riskwatch.errors import DeliveryError

DAY = dt.date(2025, 12, 31)
NOW = dt.datetime(2025, 12, 31, 0, 30, tzinfo=dt.UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NAMES = st.sampled_from(["changchun", "jilin-city", "siping"])
CONCERNS = st.builds(
    Concern,
    warning_id=st.sampled_from(["aa", "bb", "cc"]),
    change=st.sampled_from(["new", "worsened"]),
    grade=st.sampled_from(["I", "II", "III", "IV"]),
    products=st.sampled_from([(), ("P01",), ("P01", "P0101"), ("P02", "P0201")]),
)
LETTERS = st.builds(
    Letter,
    centre=NAMES,
    day=st.sampled_from([DAY, dt.date(2025, 12, 30)]),
    kind=st.sampled_from(["digest", "catch-up", "alert"]),
    languages=st.sampled_from([("zh",), ("zh", "en")]),
    concerns=st.lists(CONCERNS, min_size=1, max_size=3).map(tuple),
)
ROUTES = st.builds(
    lambda number, **given: Route(name=f"route-{number}", **given),
    number=st.integers(0, 10**6),
    channel=st.sampled_from(["mail", "hook"]),
    recipients=st.sampled_from(["centre", "desk"]),
    kinds=st.sampled_from([("digest",), ("alert",), ("digest", "alert")]),
    centres=st.sampled_from([None, ("changchun",), ("siping", "jilin-city")]),
    grades=st.sampled_from([None, ("I", "II"), ("IV",)]),
    products=st.sampled_from([None, ("P01",), ("P0201",)]),
    languages=st.sampled_from([None, ("zh",)]),
    quiet_hours=st.sampled_from([None, QuietHours.model_validate({"from": "08:00", "to": "09:00"})]),
)


@given(st.lists(LETTERS, max_size=5), st.lists(ROUTES, max_size=5), st.randoms())
def test_the_order_of_letters_and_routes_says_nothing(letters: list[Letter], routes: list[Route], random) -> None:
    # A centre is told of one day once: the first of two letters about the same thing would otherwise win.
    letters = list({(one.centre, one.day, one.kind, one.concerns[0].warning_id, one.concerns[0].change): one for one in letters}.values())
    letters = [one for one in letters if one.kind == "alert"] + list(
        {(one.centre, one.day, one.kind): one for one in letters if one.kind != "alert"}.values()
    )
    alerts = {(one.centre, one.day, one.concerns[0].warning_id, one.concerns[0].change) for one in letters if one.kind == "alert"}
    assert len(alerts) == sum(one.kind == "alert" for one in letters)
    first = route(letters, routes, now=NOW, zone=SHANGHAI)
    random.shuffle(letters)
    random.shuffle(routes)
    assert route(letters, routes, now=NOW, zone=SHANGHAI) == first
    keys = [message.key for message in first]
    assert keys == sorted(set(keys))
    for message in first:
        assert message.due >= NOW
        if message.grade in {"I", "II"}:
            assert message.due == NOW


PART = st.sampled_from(["a", "ab", "a-b", "b", "b-a", "a1"])


@given(
    st.tuples(st.sampled_from(["digest", "alert", "correction"]), PART, PART, PART, st.sampled_from(["zh", "en"]), st.integers(1, 5)),
    st.tuples(st.sampled_from(["digest", "alert", "correction"]), PART, PART, PART, st.sampled_from(["zh", "en"]), st.integers(1, 5)),
)
def test_keys_are_stable_and_no_two_things_share_one(one: tuple, other: tuple) -> None:
    def key(parts: tuple) -> str:
        kind, centre, channel, recipients, language, edition = parts
        event = ("w1", "new") if kind == "alert" else ()
        return message_key(
            day=DAY, kind=kind, centre=centre, channel=channel, recipients=recipients, language=language, event=event, edition=edition
        )

    assert key(one) == key(one)
    assert (key(one) == key(other)) == (one == other)
    assert (message_id(key(one), "example.org") == message_id(key(other), "example.org")) == (one == other)


def test_a_key_reads_as_what_it_stands_for() -> None:
    given = {"day": DAY, "centre": "changchun", "channel": "mail", "recipients": "centre", "language": "zh"}
    assert message_key(kind="digest", **given) == "digest/2025-12-31/changchun/mail/centre/zh"
    assert message_key(kind="alert", event=("859dae", "new"), **given) == "alert/2025-12-31/changchun/mail/centre/zh/859dae/new"
    with pytest.raises(ValueError, match="no part may be empty or hold a slash"):
        message_key(kind="alert", event=("a/b",), **given)


@given(
    st.text(min_size=1, max_size=20),
    st.builds(
        RetryRules,
        first_seconds=st.floats(0.001, 100),
        factor=st.floats(1, 10),
        most_seconds=st.floats(100, 10_000),
        jitter=st.floats(0, 1),
        attempts=st.integers(1, 100),
    ),
)
def test_waits_are_bounded_never_get_shorter_and_are_the_same_again(key: str, rules: RetryRules) -> None:
    waits = [wait_seconds(key, failures, rules) for failures in range(1, 101)]
    assert waits == sorted(waits)
    assert waits[0] >= rules.first_seconds
    assert waits[-1] <= rules.most_seconds * (1 + rules.jitter)
    assert waits == [wait_seconds(key, failures, rules) for failures in range(1, 101)]


def test_messages_do_not_all_come_back_at_once() -> None:
    rules = RetryRules()
    assert len({round(wait_seconds(f"key {n}", 1, rules), 6) for n in range(50)}) == 50


@pytest.mark.parametrize(("asked", "expected"), [(None, 60.0), (10.0, 60.0), (600.0, 600.0), (1e9, LONGEST)])
def test_a_receiver_that_asks_for_more_time_gets_it_up_to_a_day(asked: float | None, expected: float) -> None:
    rules = RetryRules(jitter=0)
    assert (next_attempt("k", 1, rules, now=NOW, asked=asked) - NOW).total_seconds() == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("Wed, 31 Dec 2025 00:31:30 GMT", 90.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_as_number_and_as_date(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


NIGHT = QuietHours.model_validate({"from": "22:00", "to": "06:30"})


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("2025-12-31 21:59", None),
        ("2025-12-31 22:00", "2026-01-01 06:30"),
        ("2025-12-31 23:59", "2026-01-01 06:30"),
        ("2026-01-01 00:00", "2026-01-01 06:30"),
        ("2026-01-01 06:29", "2026-01-01 06:30"),
        ("2026-01-01 06:30", None),
    ],
)
def test_quiet_hours_over_midnight(local: str, until: str | None) -> None:
    moment = dt.datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    expected = moment if until is None else dt.datetime.fromisoformat(until).replace(tzinfo=SHANGHAI)
    assert after_quiet(moment, NIGHT, SHANGHAI) == expected


def test_quiet_hours_in_a_zone_of_their_own_and_where_clocks_change() -> None:
    berlin = QuietHours.model_validate({"from": "01:00", "to": "04:00", "timezone": "Europe/Berlin"})
    # 2025-10-26 02:30 comes twice; quiet both times, over at 04:00 winter time.
    for moment in (dt.datetime(2025, 10, 26, 0, 30, tzinfo=dt.UTC), dt.datetime(2025, 10, 26, 1, 30, tzinfo=dt.UTC)):
        assert after_quiet(moment, berlin, SHANGHAI) == dt.datetime(2025, 10, 26, 3, 0, tzinfo=dt.UTC)
    with pytest.raises(ValidationError, match="must be the name of a zone"):
        QuietHours.model_validate({"from": "01:00", "to": "04:00", "timezone": "Mars/Base"})
    with pytest.raises(ValidationError, match="must differ"):
        QuietHours.model_validate({"from": "01:00", "to": "01:00"})


def letter(kind: str = "digest", grade: str = "III", products: tuple[str, ...] = ("P01", "P0101")) -> Letter:
    return Letter("changchun", DAY, kind, ("zh", "en"), (Concern("w1", "new", grade, products),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("restriction", "taken"),
    [
        ({}, True),
        ({"kinds": ["alert"]}, False),
        ({"centres": ["changchun"]}, True),
        ({"centres": ["siping"]}, False),
        ({"grades": ["III", "IV"]}, True),
        ({"grades": ["I"]}, False),
        ({"products": ["P01"]}, True),
        ({"products": ["P0101"]}, True),
        ({"products": ["P02"]}, False),
        ({"products": ["P01"], "grades": ["I"]}, False),
    ],
)
def test_what_a_route_takes(restriction: dict, taken: bool) -> None:
    one = Route(name="r", channel="mail", **restriction)
    assert matches(letter(), one) is taken
    assert len(route([letter()], [one], now=NOW, zone=SHANGHAI)) == 2 * taken


def test_a_concern_without_a_product_fits_no_list_of_products() -> None:
    assert not matches(letter(products=()), Route(name="r", channel="mail", products=("P01",)))


def test_one_warning_must_meet_all_restrictions_not_two_together() -> None:
    two = Letter("changchun", DAY, "digest", ("zh",), (Concern("a", "new", "I", ("P02",)), Concern("b", "new", "IV", ("P01",))))
    assert not matches(two, Route(name="r", channel="mail", grades=("I",), products=("P01",)))


def test_two_routes_to_the_same_readers_make_one_message_at_the_earlier_time() -> None:
    late = Route(name="late", channel="mail", quiet_hours=QuietHours.model_validate({"from": "08:00", "to": "12:00"}))
    later = Route(name="later", channel="mail", quiet_hours=QuietHours.model_validate({"from": "08:00", "to": "14:00"}))
    found = route([letter()], [late, later], now=NOW, zone=SHANGHAI)
    assert [message.due.hour for message in found] == [4, 4]
    urgent = route([letter(grade="II")], [late, later], now=NOW, zone=SHANGHAI)
    assert [message.due for message in urgent] == [NOW, NOW]


CHANNEL = {"name": "mail", "kind": "smtp", "host": "localhost", "sender": "a@b.example"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"routes": [{"name": "r", "channel": "mial"}], "channels": [CHANNEL]}, 'no channel "mial"; known: mail'),
        ({"routes": [{"name": "r", "channel": "mail", "recipients": "x"}], "channels": [CHANNEL]}, 'no group "x"; known: centre'),
        ({"channels": [CHANNEL, CHANNEL]}, "channel names must be unique, got twice: mail"),
        ({"channels": [{**CHANNEL, "password": "hunter2", "username": "env:U"}]}, "password"),
        ({"channels": [{**CHANNEL, "username": "env:U"}]}, "both or neither"),
        ({"channels": [{**CHANNEL, "username": "env:U", "password": "env:P", "security": "none"}]}, "sends no password"),
        ({"channels": [{"name": "h", "kind": "webhook", "url": "https://x/y", "secret": "env:S"}]}, "url"),
        ({"channels": [{"name": "h", "kind": "wecom", "url": "env:U", "secret": "env:S"}]}, "sign nothing"),
        ({"routes": [{"name": "r", "channel": "mail", "centres": []}], "channels": [CHANNEL]}, "at least 1"),
        ({"groups": [{"name": "centre", "addresses": "env:A"}]}, "the centre's own"),
    ],
)
def test_wrong_rules_are_refused(content: dict, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DeliveryRules.model_validate({"version": "1", **content})


@given(
    st.text(max_size=50),
    st.lists(st.text(max_size=300), max_size=20),
    st.integers(60, 400),
)
def test_what_a_robot_says_fits_and_keeps_the_most_urgent(title: str, lines: list[str], limit: int) -> None:
    text = fitted(title, lines, "另有 {n} 条，见简报。", limit)
    assert len(text.encode()) <= limit
    whole = [plain(title), *(plain(line) for line in lines)]
    said = text.split("\n")
    if said != whole:
        kept = [line for line in said if not line.startswith("另有")]
        assert all(line == full or full.startswith(line) for line, full in zip(kept, whole, strict=False))


def test_four_thousand_and_ninety_six_bytes_are_not_characters() -> None:
    lines = [f"第{n}条：" + "电热毯伤害监测高于预期" * 6 for n in range(40)]
    text = fitted("标题", lines, "另有 {n} 条，见简报。", LIMITS["wecom"])
    assert 3800 < len(text.encode()) <= 4096
    said = text.split("\n")
    assert said[1] == lines[0]
    assert said[-1] == f"另有 {40 - (len(said) - 2)} 条，见简报。"


def test_a_name_can_neither_link_nor_mention() -> None:
    assert plain("<@all> [here](https://x) <at id=all></at>\n# @所有人") == "＜＠all＞ ［here］(https://x) ＜at id=all＞＜/at＞ # ＠所有人"


def test_signatures_as_the_vendors_document_them() -> None:
    """Computed with OpenSSL: ``printf '1700000000000\\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64`` and its like."""
    assert dingtalk_query("SECabc", 1_700_000_000_000) == {"timestamp": "1700000000000", "sign": DINGTALK}
    assert feishu_sign("SECabc", 1_700_000_000) == {"timestamp": "1700000000", "sign": FEISHU}


DINGTALK = "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM="
FEISHU = "XprR1de+0SSBnwWyU/4k6x2TL+Q2SJlM5NNEdAv7MWg="


def test_pace_lets_no_more_through_than_asked() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(3, clock=lambda: now[0], sleep=sleep)
    times = []
    for _ in range(7):
        assert pace.wait()
        times.append(now[0])
    assert times == [0, 0, 0, 60, 60, 60, 120]
    assert pace.wait()
    assert pace.wait()
    assert not pace.wait(patience=30)
    assert slept == [60, 60]
    assert Pace(0).wait(patience=0)


def test_references_are_read_and_kept_out_of_texts(tmp_path) -> None:
    (tmp_path / "secret").write_text("planted-in-a-file\n", encoding="utf-8")
    references = References(
        {"URL": " https://host/send?key=planted ", "EMPTY": " ", "DESKS": "a@x.example; b@x.example,\na@x.example"}, tmp_path
    )
    assert references.read("env:URL") == "https://host/send?key=planted"
    assert references.read("file:secret") == "planted-in-a-file"
    assert references.addresses("env:DESKS") == ("a@x.example", "b@x.example")
    text = references.scrub("for b@x.example at https://host/send?key=planted\nwith planted-in-a-file, or ftp://other/z?p=1 <c@y.example>")
    assert text == "for *** at *** with ***, or ftp://*** <***@***>"
    for reference, complaint in (("env:ABSENT", "not set"), ("env:EMPTY", "not set"), ("file:absent", "FileNotFoundError")):
        with pytest.raises(DeliveryError, match=complaint):
            references.read(reference)


def test_scrubbing_leaves_ordinary_words() -> None:
    assert scrubbed("550 5.1.1 mailbox unavailable") == "550 5.1.1 mailbox unavailable"
