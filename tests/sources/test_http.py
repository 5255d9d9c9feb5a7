"""Paged HTTP JSON against a real server on loopback that fails, stalls, repeats pages, changes schema and asks for patience."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from riskwatch.errors import SourceError
from riskwatch.sources import HttpTools, RawBatch, SourceFault, SourceState, open_source

TOKEN = "s3cret-t0ken"
DATA = [{"id": number, "at": f"2021-01-{number:02d}", "firm": {"name": f"厂{number}"}} for number in range(1, 8)]


class Server:
    """A server whose answer to each request is given by a function of path, query and the number of the request."""

    def __init__(self) -> None:
        self.answer: Callable[[str, dict[str, str], int], Any] = lambda path, query, number: DATA
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                outer.requests.append((parts.path, query, dict(self.headers.items())))
                given = outer.answer(parts.path, query, len(outer.requests))
                status, headers, body = given if isinstance(given, tuple) else (200, {}, given)
                if body == "STALL":
                    outer.release.wait(10)
                    return
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.release.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pull(server, clock, make_definition, tmp_path):
    def run(
        state: SourceState | None = None, url: str | None = None, paging: dict[str, Any] | None = None, **reader: Any
    ) -> list[RawBatch | SourceFault]:
        definition = make_definition(
            {"kind": "http", "url": url or f"{server.url}/rows", "paging": paging or {}, "requests_per_second": 1e9, **reader}
        )
        tools = HttpTools(
            sleep=clock.sleep,
            monotonic=lambda: clock.time,
            now=lambda: datetime(2021, 1, 1, tzinfo=UTC),
            rng=np.random.default_rng(1),
            environ={"API_TOKEN": TOKEN},
        )
        return list(open_source(definition, root=tmp_path, data=tmp_path, state=state, tools=tools))

    return run


def ids(parts: list[RawBatch | SourceFault]) -> list[list[str]]:
    return [part.table.column("id").to_pylist() for part in parts if isinstance(part, RawBatch)]


def paged(rows: list[Any], size: int) -> Callable[[str, dict[str, str], int], Any]:
    def answer(path: str, query: dict[str, str], number: int) -> Any:
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size
        return {"data": {"rows": rows[start : start + size]}}

    return answer


# --- paging -----------------------------------------------------------------------------------------------------------


def test_one_answer_is_one_batch_of_flat_text(server, pull):
    (batch,) = pull()
    assert batch.table.slice(0, 1).to_pylist() == [{"id": "1", "at": "2021-01-01", "firm.name": "厂1"}]
    assert (batch.name, batch.first_row, batch.last, batch.cursor, batch.table.num_rows) == ("page 1", 1, True, None, 7)


@pytest.mark.parametrize(("style", "start"), [("page", 1), ("offset", 0)])
@pytest.mark.parametrize("count", [6, 7])
def test_pages_and_offsets_are_followed_to_the_end(server, pull, style, start, count):
    server.answer = paged(DATA[:count], 3)  # the server caps pages at 3, whatever size is asked for
    parts = pull(paging={"style": style, "parameter": style, "size_parameter": "limit", "size": 500}, records_path="data.rows")
    assert [row for page in ids(parts) for row in page] == [str(number) for number in range(1, count + 1)]
    assert [part.first_row for part in parts] == [1, 4, 7][: len(parts)]
    assert server.requests[0][1] == {style: str(start), "limit": "500"}


def test_cursors_are_followed_until_there_is_none(server, pull):
    pages = {None: (DATA[:3], "abc+/="), "abc+/=": ([], "d"), "d": (DATA[3:], None)}

    def answer(path, query, number):
        rows, following = pages[query.get("after")]
        return {"rows": rows, "next": following}

    server.answer = answer
    parts = pull(paging={"style": "cursor", "parameter": "after", "next_path": "next"}, records_path="rows")
    assert ids(parts) == [["1", "2", "3"], ["4", "5", "6", "7"]]


@pytest.mark.parametrize("where", ["body", "header"])
def test_links_are_followed_relative_or_absolute(server, pull, where):
    def answer(path, query, number):
        following = {"1": "?p=2", "2": f"{server.url}/rows?p=3"}.get(query.get("p", "1"))
        rows = [DATA[number - 1]]
        if where == "body":
            return {"rows": rows, "links": {"next": following}}
        return 200, ({"Link": f'<{following}>; rel="next"'} if following else {}), {"rows": rows}

    server.answer = answer
    parts = pull(paging={"style": "link", "next_path": "links.next" if where == "body" else None}, records_path="rows")
    assert ids(parts) == [["1"], ["2"], ["3"]]


def test_the_cursor_comes_with_the_last_page_and_is_sent_the_next_time(server, pull):
    server.answer = paged(DATA[::-1], 3)  # not in the cursor's order
    settings = {"paging": {"style": "page"}, "records_path": "data.rows", "since_parameter": "since", "cursor": "at"}
    parts = pull(**settings)
    assert [part.cursor for part in parts] == [None, None, "2021-01-07"]
    pull(SourceState(cursor=parts[-1].cursor), **settings)
    assert server.requests[-1][1]["since"] == "2021-01-07"


def test_pages_that_were_seen_are_not_handed_on_again(server, pull):
    server.answer = paged(DATA, 3)
    settings = {"paging": {"style": "page"}, "records_path": "data.rows"}
    keys = [part.content_key for part in pull(**settings)]
    assert ids(pull(SourceState(seen_keys=frozenset(keys[:2])), **settings)) == [["7"]]
    server.answer = paged([dict(reversed(row.items())) for row in DATA], 3)  # same rows, fields in another order
    assert [part.content_key for part in pull(**settings)] == keys


def test_a_404_past_the_end_is_the_end_only_after_a_short_page(server, pull):
    def answer(path, query, number):
        return DATA[:3] if query["page"] == "1" else (404, {}, {"detail": "Invalid page."})

    server.answer = answer
    assert ids(pull(paging={"style": "page", "size_parameter": "n", "size": 500})) == [["1", "2", "3"]]
    with pytest.raises(SourceError, match=r"page 2: HTTP 404"):
        pull(paging={"style": "page", "size_parameter": "n", "size": 3})


# --- servers in trouble -----------------------------------------------------------------------------------------------


def test_busy_and_failing_servers_are_asked_again_with_growing_waits(server, pull, clock):
    answers = [
        (500, {}, b"oops"),
        (503, {}, b""),
        (429, {"Retry-After": "17"}, b""),
        (502, {"Retry-After": "Fri, 01 Jan 2021 00:01:00 GMT"}, b""),
    ]
    server.answer = lambda path, query, number: answers[number - 1] if number <= 4 else DATA
    assert len(ids(pull(retries=4, backoff_seconds=1.0))) == 1
    first, second, asked, until = (pause for pause in clock.slept if pause > 1e-6)
    assert 0.5 <= first <= 1.5
    assert 1.0 <= second <= 3.0
    assert asked == 17.0
    assert until == 60.0


def test_a_server_that_stays_down_is_named_with_its_last_answer(server, pull):
    server.answer = lambda path, query, number: (503, {}, b"")
    with pytest.raises(SourceError, match=r'^source "drop": page 1: no answer after 3 tries, the last: HTTP 503'):
        pull(retries=2)
    assert len(server.requests) == 3


def test_a_wait_beyond_reason_is_refused(server, pull, clock):
    server.answer = lambda path, query, number: (429, {"Retry-After": "86400"}, b"")
    with pytest.raises(SourceError, match=r"page 1: the server asks to wait 86400 s, more than 300 s"):
        pull()
    assert len(server.requests) == 1


def test_a_client_error_is_not_repeated(server, pull):
    server.answer = lambda path, query, number: (403, {}, {"error": f"bad token {TOKEN}"})
    with pytest.raises(SourceError, match="page 1: HTTP 403") as caught:
        pull(token_env="API_TOKEN")
    assert TOKEN not in str(caught.value)
    assert "***" in str(caught.value)
    assert len(server.requests) == 1


def test_a_stalled_answer_times_out_and_is_asked_for_again(server, pull):
    server.answer = lambda path, query, number: "STALL" if number == 1 else DATA
    assert len(ids(pull(timeout_seconds=0.2))) == 1
    assert len(server.requests) == 2


def test_an_answer_that_drips_without_end_is_given_up(server, make_definition, tmp_path):
    server.answer = lambda path, query, number: [{"id": "x" * 2_000_000}]
    ticks = itertools.count()
    tools = HttpTools(sleep=lambda seconds: None, monotonic=lambda: float(next(ticks)), environ={})
    definition = make_definition({"kind": "http", "url": f"{server.url}/rows", "timeout_seconds": 0.5, "retries": 1})
    with pytest.raises(SourceError, match="no answer after 2 tries, the last: ReadTimeout: the answer did not end in time"):
        list(open_source(definition, root=tmp_path, data=tmp_path, tools=tools))
    assert len(server.requests) == 2


def test_an_unreachable_server_is_an_error(pull):
    with pytest.raises(SourceError, match="page 1: no answer after 1 try, the last: ConnectError"):
        pull(url="http://127.0.0.1:9/rows", retries=0)


def test_a_page_that_fails_loses_none_of_those_before_it(server, make_definition, tmp_path):
    server.answer = lambda path, query, number: DATA[:3] if query["page"] == "1" else (400, {}, b"no")
    definition = make_definition(
        {"kind": "http", "url": f"{server.url}/rows", "paging": {"style": "page"}, "cursor": "at", "since_parameter": "s"}
    )
    reading = open_source(definition, root=tmp_path, data=tmp_path)
    batch = next(reading)
    assert (ids([batch]), batch.cursor) == ([["1", "2", "3"]], None)
    with pytest.raises(SourceError, match="page 2: HTTP 400: no"):
        next(reading)


def test_requests_keep_to_the_rate(server, pull, clock):
    server.answer = paged(DATA, 3)
    pull(paging={"style": "page"}, records_path="data.rows", requests_per_second=4.0)
    assert clock.slept == pytest.approx([0.25, 0.25])


# --- servers that lie -------------------------------------------------------------------------------------------------


def test_repeated_pages_stop_paging_with_a_fault(server, pull):
    server.answer = lambda path, query, number: DATA[:3]
    batch, fault = pull(paging={"style": "page"}, since_parameter="s", cursor="at")
    assert ids([batch]) == [["1", "2", "3"]]
    assert batch.cursor is None
    assert (fault.kind, fault.message) == ("incomplete", "the server sends page 1 again; paging was stopped and the rest not read")


def test_pages_without_end_stop_at_the_limit(server, pull):
    server.answer = lambda path, query, number: [{"id": number, "at": "2021"}]
    *batches, fault = pull(paging={"style": "page", "max_pages": 4}, since_parameter="s", cursor="at")
    assert ids(batches) == [["1"], ["2"], ["3"], ["4"]]
    assert [batch.cursor for batch in batches] == [None] * 4
    assert fault.message == "there are more than max_pages = 4 pages; the rest was not read"
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>login</html>", 'page 1: the answer is not JSON: .*; it begins with "<html>login</html>"'),
        (b'{"rows": [{"x": NaN}]}', "page 1: the answer is not JSON: NaN is not JSON"),
        (b"[" * 100_000, "page 1: the answer is not JSON"),
        ({"items": []}, "page 1: the answer has no 'rows' on the way to \"rows\""),
        ({"rows": {"1": {}}}, 'page 1: "rows" must be a list of objects, got an object'),
        ({"rows": None}, 'page 1: "rows" must be a list of objects, got null'),
        ({"rows": [{"id": 1}, [2]]}, 'page 1: row 2 of "rows" must be an object, got a list'),
        ({"rows": [{"a.b": 1, "a": {"b": 2}}]}, 'page 1: row 1: two values are called "a.b"'),
    ],
)
def test_answers_of_another_shape_are_refused(server, pull, body, message):
    server.answer = lambda path, query, number: body
    with pytest.raises(SourceError, match=message):
        pull(records_path="rows")
    assert len(server.requests) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_oversized_answers_are_cut_off(server, pull, packed):
    body = json.dumps([{"id": "x" * 200_000}]).encode()
    server.answer = lambda path, query, number: (200, {"Content-Encoding": "gzip"}, gzip.compress(body)) if packed else body
    with pytest.raises(SourceError, match=r"page 1: the answer is larger than max_bytes = 100,000"):
        pull(max_bytes=100_000)


def test_redirects_stay_on_the_host(server, pull):
    server.answer = lambda path, query, number: DATA if path == "/new" else (302, {"Location": "/new"}, b"")
    assert len(ids(pull(token_env="API_TOKEN"))) == 1
    other = Server()
    try:
        server.answer = lambda path, query, number: (302, {"Location": f"{other.url}/rows"}, b"")
        with pytest.raises(SourceError, match=f"page 1: the redirect leads to {other.url}, another host than {server.url}"):
            pull(token_env="API_TOKEN")
        assert other.requests == []
    finally:
        other.close()
    server.answer = lambda path, query, number: (302, {"Location": "/rows"}, b"")
    with pytest.raises(SourceError, match="page 1: more than 5 redirects"):
        pull()


@pytest.mark.parametrize("link", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd"])
def test_links_to_elsewhere_are_refused(server, pull, link):
    server.answer = lambda path, query, number: {"rows": DATA, "next": link}
    with pytest.raises(SourceError, match=r"another host than|url must begin with http"):
        pull(paging={"style": "link", "next_path": "next"}, records_path="rows")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        ({"url": "file:///etc/passwd"}, 'url must begin with http:// or https://, got "file:///etc/passwd"'),
        ({"url": "http://user:pw@127.0.0.1/"}, "url must not hold a user name or password"),
        ({"headers": {"Authorization": "Bearer x"}}, 'header "Authorization" must not stand in a definition'),
        ({"token_env": "NO_SUCH"}, 'environment variable "NO_SUCH" is not set'),
    ],
)
def test_definitions_that_would_leak_are_refused(server, pull, reader, message):
    with pytest.raises(SourceError) as caught:
        pull(**reader)
    assert message in str(caught.value)
    assert server.requests == []


def test_the_token_is_sent_and_never_shown(server, pull, caplog):
    with caplog.at_level("DEBUG"):
        parts = pull(token_env="API_TOKEN")
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(parts)
