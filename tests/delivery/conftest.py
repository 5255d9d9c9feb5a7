"""Servers on loopback that take mail, refuse it, stall, hang up; that answer HTTP in all ways. A small project to send from."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime as dt
import email
import email.policy
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from ruamel.yaml import YAML

from riskwatch.api import Project
from riskwatch.delivery.message import Attachment, Parcel, Picture
from riskwatch.delivery.references import References
from riskwatch.digest import Digest
from riskwatch.project import init_project
from riskwatch.runner.context import RunContext
from riskwatch.runner.messages import messages_of
from riskwatch.store import DigestRow, StoredMessage, outbox
from tests.digest.conftest import AS_OF, CHANGCHUN, make

NOW = dt.datetime(2025, 12, 31, 0, 30, tzinfo=dt.UTC)  # 08:30 in Shanghai
DESK = "desk@changchun.example"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6300010000050001")


@dataclass
class Mailbox:
    """A mail server: what it got, and how it behaves."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    # Answers to DATA, first one first, the last one for ever: a reply, "drop" (hang up once all was read), "stall".
    answers: list[str] = field(default_factory=lambda: ["250 OK"])
    refuse: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "stall":
            await asyncio.sleep(1.0)
            return "250 too late"
        if answer.startswith(("250", "drop")):
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
            self.recipients.append(list(envelope.rcpt_tos))
        if answer == "drop":
            server.transport.abort()
            return "250 nobody hears this"
        return answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"planted-password", handled=False)

    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.mails]


class _OnPort(Controller):
    """A controller that takes whatever port is free."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextlib.contextmanager
def served(mailbox: Mailbox, **options: Any) -> Iterator[Mailbox]:
    controller = _OnPort(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox()) as box:
        yield box


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself, and a server's context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-keyout", "key.pem", "-out", "cert.pem", *subject]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


@dataclass
class Hook:
    """An HTTP server: what it got, and what it answers, first one first, the last one for ever."""

    url: str = ""
    # (status, headers, body), or "stall", or "drop" (hang up once all was read).
    answers: list[Any] = field(default_factory=lambda: [(200, {}, b"{}")])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    free = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append((self.path, dict(self.headers.items()), body))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            if answer == "stall":
                free.wait(2.0)
                return
            if answer == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - a redirect that was followed would come as a GET

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=planted-robot-key"
    try:
        yield found
    finally:
        free.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield int(held.getsockname()[1])


def parcel(key: str = "digest/2025-12-31/changchun/mail/centre/zh", **fields: Any) -> Parcel:
    given: dict[str, Any] = {
        "key": key,
        "centre": "changchun",
        "day": AS_OF,
        "kind": "digest",
        "language": "zh",
        "grade": "II",
        "created": NOW,
        "subject": "【内部】长春市 每日预警简报",
        "text": "正文：电热毯\n",
        "html": '<p>正文</p><img src="cid:one@riskwatch">',
        "pictures": (Picture("one@riskwatch", "chart-1.png", PNG),),
        "attachments": (Attachment("pdf", "每日预警简报-2025-12-31.pdf", b"%PDF-1.7 pretended"),),
        "recipients": (DESK,),
    }
    return Parcel(**{**given, **fields})


@pytest.fixture
def references(tmp_path: Path) -> References:
    return References({"PLANTED_USER": "planted-user", "PLANTED_PASSWORD": "planted-password"}, tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("delivery") / "project"
    init_project(folder)
    return Project(folder)


@pytest.fixture(scope="session")
def empty_store(template: Project) -> Path:
    with template.store():
        pass
    return template.var / "riskwatch.db"


class World:
    """A project that has decided a day, without any data: digests are made, messages follow from them.

    The definitions are loaded once for all tests; each has its own ``config/delivery.yaml`` and recipients.
    """

    def __init__(self, template: Project, folder: Path) -> None:
        self.folder, self.project = folder, copy.copy(template)
        self.project.root = folder
        self.project.definitions = replace(template.definitions, root=folder)

    def configure(self, text: str) -> None:
        content = YAML(typ="safe").load('version: "2025-12-31"\n' + text)
        catalogues = {**self.project.definitions.catalogues, "delivery": content}
        self.project.definitions = replace(self.project.definitions, catalogues=catalogues)

    def recipients(self, *addresses: str) -> None:
        """Give the centre of Changchun recipients."""
        centres = dict(self.project.definitions.centres)
        centres["changchun"] = centres["changchun"].model_copy(update={"recipients": addresses})
        self.project.definitions = replace(self.project.definitions, centres=centres)

    @contextlib.contextmanager
    def context(self, **changes: Any) -> Iterator[RunContext]:
        with self.project.context(as_of=AS_OF) as ctx:
            yield replace(ctx, **{"now": NOW, **changes})

    def decide(
        self, digests: Sequence[Digest], run: int = 1, warnings: Sequence[Any] = (), events: Sequence[Any] = (), **changes: Any
    ) -> None:
        """Write digests and what tells of them, as a run does."""
        with self.context(**changes) as ctx:
            name = f"daily-{ctx.as_of}-{run}"
            ctx.store.start_run(name, pipeline="daily", as_of=ctx.as_of, now=ctx.now, definitions={})
            ctx.store.write_run_results(
                name,
                now=ctx.now,
                digests=[
                    DigestRow(one.header.centre, one.header.date, "zh+en", one.header.issue_no, one.model_dump(mode="json"))
                    for one in digests
                ],
                messages=messages_of(ctx, digests, warnings, events),
            )

    def messages(self) -> dict[str, StoredMessage]:
        with self.project.store() as store:
            return {one.message_key: one for one in outbox.read_messages(store.database)}


@pytest.fixture
def world(template: Project, empty_store: Path, tmp_path: Path) -> World:
    made = World(template, tmp_path / "project")
    made.project.var.mkdir(parents=True)
    shutil.copy(empty_store, made.project.var / "riskwatch.db")
    return made


@pytest.fixture(scope="session")
def ordinary() -> Digest:
    """A digest with one orange warning, three yellow and some blue ones."""
    return make()


@pytest.fixture(scope="session")
def remade() -> Callable[..., Digest]:
    def run(**changes: Any) -> Digest:
        return make(CHANGCHUN, **changes)

    return run


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
