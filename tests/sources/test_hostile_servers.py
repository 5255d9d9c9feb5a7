"""HTTP servers that were made to harm: they lead elsewhere, never end, or wait for a secret to be sent to them."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from riskwatch.errors import SourceError
from riskwatch.sources import HttpTools, open_source

SECRETS = {"API_TOKEN": "tok-en-5f1c", "API_KEY": "key-93b7/x", "SIGN": "sign-77+a b"}


class Raw:
    """Answers every connection with bytes that a function yields, and keeps what was asked."""

    def __init__(self, answer) -> None:
        self.asked: list[bytes] = []
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self.asked.append(connection.recv(65_536))
                    for piece in self.answer():
                        if self.ended.is_set():
                            break
                        connection.sendall(piece)
                except OSError:
                    pass

    def close(self) -> None:
        self.ended.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def served(monkeypatch, make_definition, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    servers: list[Raw] = []

    def run(answer, **reader):
        server = Raw(answer)
        servers.append(server)
        given = {"kind": "http", "url": f"{server.url}/rows", "retries": 0, "timeout_seconds": 5, **reader}
        tools = HttpTools(environ=SECRETS)
        return server, lambda: list(open_source(make_definition(given), root=tmp_path, data=tmp_path, tools=tools))

    yield run
    for server in servers:
        server.close()


def reply(status: str, body: bytes = b"", **headers: str):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return lambda: [("\r\n".join(lines) + "\r\n\r\n").encode() + body]


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/latest",
        "http://localhost:{port}/rows",
        "http://127.0.0.2:{port}/rows",
        "http://2130706433:{port}/rows",
        "http://[::1]:{port}/rows",
        "http://[::ffff:127.0.0.1]:{port}/rows",
        "http://0.0.0.0:{port}/rows",
        "http://10.0.0.1/rows",
        "http://127.0.0.1:1/rows",
        "http://user@127.0.0.1.evil.example:{port}/rows",
        "//evil.example/rows",
        "https://127.0.0.1:{port}/rows",
        "file:///etc/passwd",
        "ftp://127.0.0.1/rows",
        "gopher://127.0.0.1:{port}/_GET",
    ],
)
def test_a_redirect_goes_nowhere_but_to_the_host_that_the_definition_names(served, target):
    """Only the host, port and scheme of ``url`` are allowed; an internal server is as good as any, if it is the one that is named."""
    server, pull = served(reply("302 Found"), token="env:API_TOKEN")
    server.answer = reply("302 Found", Location=target.format(port=server.port))
    with pytest.raises(SourceError, match=r"another host than|not an address|must begin with http"):
        pull()
    assert len(server.asked) == 1


def test_headers_that_drip_without_end_are_given_up(served):
    def drip():
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(10_000):
            time.sleep(0.02)
            yield b"X-%d: 0\r\n" % number

    _, pull = served(drip, timeout_seconds=0.1)
    begun = time.monotonic()
    with pytest.raises(SourceError, match="the last: ReadTimeout: the answer did not end in time"):
        pull()
    assert time.monotonic() - begun < 10


def test_a_body_without_end_is_cut_off_while_it_comes(served):
    def endless():
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n["
        while True:
            yield b" " * 65_536

    _, pull = served(endless, max_bytes=1_000_000)
    with pytest.raises(SourceError, match="the answer is larger than max_bytes = 1,000,000"):
        pull()


def test_headers_without_end_are_cut_off(served):
    def endless():
        yield b"HTTP/1.1 200 OK\r\nX-Long: "
        while True:
            yield b"a" * 65_536

    _, pull = served(endless)
    with pytest.raises(SourceError, match="the last: RemoteProtocolError"):
        pull()


def test_secrets_of_headers_and_parameters_are_sent_and_never_told(served, caplog):
    server, pull = served(
        reply("500 Server Error", b"no"),
        token="env:API_TOKEN",
        headers={"X-Api-Key": "env:API_KEY", "Accept-Language": "zh"},
        parameters={"sign": "env:SIGN", "area": "22"},
    )
    with caplog.at_level("DEBUG"), pytest.raises(SourceError) as caught:
        pull()
    (asked,) = server.asked
    head, *lines = asked.decode().split("\r\n")
    assert {"Authorization: Bearer tok-en-5f1c", "X-Api-Key: key-93b7/x", "Accept-Language: zh"} <= set(lines)
    assert head.split()[1] == "/rows?sign=sign-77%2Ba+b&area=22"
    told = f"{caught.value} {caught.value.__cause__!r} {caplog.text}"
    for secret in (*SECRETS.values(), "sign-77%2Ba", "key-93b7%2Fx"):
        assert secret not in told


def test_an_answer_that_repeats_the_secret_is_redacted(served):
    _, pull = served(
        reply("403 Forbidden", b"bad key key-93b7/x and token tok-en-5f1c"), token="env:API_TOKEN", headers={"K": "env:API_KEY"}
    )
    with pytest.raises(SourceError, match=r"HTTP 403: bad key \*\*\* and token \*\*\*"):
        pull()


def test_a_secret_file_must_not_be_open_to_everybody(served, tmp_path):
    place = tmp_path / "token"
    place.write_text("from-a-file\n", encoding="utf-8")
    place.chmod(0o644)
    server, pull = served(reply("200 OK", b'[{"id": 1}]'), token="file:token")
    with pytest.raises(SourceError, match=r"file:token, which everybody on this machine may open \(mode 0644\)"):
        pull()
    place.chmod(0o640)
    pull()
    assert b"Authorization: Bearer from-a-file\r\n" in server.asked[0]
    assert os.environ.get("API_TOKEN") is None
