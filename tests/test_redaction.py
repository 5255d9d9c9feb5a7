"""Secrets do not get through, in whatever form, and other texts stay as they are."""

from __future__ import annotations

import html
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch import redaction
from riskwatch.redaction import MASK, RedactingFilter, redact_event, redacted, remember, without_secrets


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch):
    monkeypatch.setattr(redaction, "_forms", set())
    monkeypatch.setattr(redaction, "_search", None)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot reach postgresql+psycopg://watch:geheim@host:5432/db", "cannot reach postgresql+psycopg://watch:***@host:5432/db"),
        ("postgresql://u:ge/he@im@h/d", "postgresql://u:***@h/d"),
        ("https://abcdef@host/x", "https://***@host/x"),
        ("GET http://h/rows?page=2&access_token=geheim&x=1", "GET http://h/rows?page=2&access_token=***&x=1"),
        ("http://h/cgi-bin/webhook/send?key=693a91f6-7xxx", "http://h/cgi-bin/webhook/send?key=***"),
        ("http://h/robot?timestamp=1&sign=ab%2Bc%3D", "http://h/robot?timestamp=1&sign=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dTpw'}", "{'authorization': 'Basic ***'}"),
        ("sent bearer 0123456789abcdef", "sent bearer ***"),
        ("host=h password=geheim dbname=d", "host=h password=*** dbname=d"),
        ("host=h password='ge heim' dbname=d", "host=h password=*** dbname=d"),
    ],
)
def test_credentials_are_told_by_their_form(text, left):
    assert redacted(text) == left
    assert redacted(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/path?page=2",
        "http://host:80/mail=a@b",
        "sqlite:////srv/riskwatch/var/demo/riskwatch.db",
        "sources.hospital.reader.token_env",
        'environment variable "API_TOKEN" is not set',
        "the bearer token of this source",
        "config/sources/bad.yaml:7:12: source",
        "desk@example.org",
        "12:30",
    ],
)
def test_ordinary_texts_stay(text):
    assert redacted(text) == text


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=4, max_size=30).map(str.strip).filter(lambda text: len(text) >= 4 and "://" not in text))
def test_a_known_secret_is_found_in_every_form(secret):
    remember(secret)
    forms = (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    for form in (*forms, html.escape(secret), repr(secret), f"before{secret}after"):
        assert secret not in without_secrets(form).replace(MASK, "")
        assert without_secrets(form) != form


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://u:p%40ss-w@h/d?sslpassword=other-one", ["p@ss-w", "p%40ss-w", "other-one"]),
        ("https://robot.example/open-apis/bot/v2/hook/0123456789abcdef0123", ["0123456789abcdef0123"]),
        ("https://robot.example/send?key=abcdef-7", ["abcdef-7", "/send?key=abcdef-7"]),
    ],
)
def test_of_an_address_only_what_is_secret_is_remembered(url, parts):
    remember(url)
    for part in parts:
        assert redacted(f"it said {part} twice") == f"it said {MASK} twice"
    assert redacted("robot.example and h are no secrets") == "robot.example and h are no secrets"


def test_what_is_too_short_is_not_looked_for():
    remember("pw")
    assert redacted("a pwd") == "a pwd"
    assert redacted("x://u:pw@h") == "x://u:***@h"


def test_longer_secrets_go_first():
    remember("geheim")
    remember("geheim-und-mehr")
    assert redacted("geheim-und-mehr geheim") == "*** ***"


def test_log_records_and_events_are_clean():
    remember("geheim-7")
    record = logging.LogRecord("x", logging.INFO, "f", 1, "token %s of %s", ("geheim-7", "http://u:pw@h"), None)
    with pytest.raises(ValueError, match="geheim-7") as caught:
        int("geheim-7")
    record.exc_info = (ValueError, caught.value, caught.tb)
    assert RedactingFilter().filter(record)
    line = logging.Formatter("%(message)s").format(record)
    assert line.startswith("token *** of http://u:***@h")
    assert "geheim-7" not in line
    event = redact_event(
        None, "info", {"event": "pull geheim-7", "n": 3, "more": {"urls": ["http://u:pw@h"]}, "error": ValueError("geheim-7")}
    )
    assert event == {"event": "pull ***", "n": 3, "more": {"urls": ["http://u:***@h"]}, "error": "***"}
