"""Secrets are planted wherever a project may name one, and everything fails; no output, log, file or row of the database holds one."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from riskwatch.project import init_project
from tests.cli.conftest import Cli
from tests.conftest import empty_folders

PASSWORD = "p@ss/wört-51"
SECRETS = {
    "LAB_URL": f"postgresql+psycopg://lab:{quote(PASSWORD, safe='')}@127.0.0.1:1/lab?sslpassword=ssl-geheim-52",
    "NOTICES_TOKEN": "tok-geheim-53",
    "NOTICES_KEY": "key-geheim-54",
    "NOTICES_SIGN": "sign geheim+55",
}
FILED = "file-geheim-56"
PLANTED = (PASSWORD, quote(PASSWORD, safe=""), "ssl-geheim-52", *list(SECRETS.values())[1:], quote_plus(SECRETS["NOTICES_SIGN"]), FILED)

SOURCES = """sources:
  - name: lab
    stream: spot_check
    label: {zh: 库, en: lab}
    reader: {kind: sql, url: "env:LAB_URL", query: "select * from checks where id > :cursor order by id", cursor: id}
    key: [record_key]
    columns: &columns {record_key: id, product: p, region: r, event_date: d, inspected: "n", failed: f, verdict: v}
    constants: &constants {selection: random}
  - name: notices
    stream: spot_check
    label: {zh: 报, en: notices}
    reader:
      kind: http
      url: URL/rows
      token: env:NOTICES_TOKEN
      headers: {X-Api-Key: "env:NOTICES_KEY"}
      parameters: {sign: "env:NOTICES_SIGN", area: "22"}
      retries: 0
    key: [record_key]
    columns: *columns
    constants: *constants
  - name: filed
    stream: spot_check
    label: {zh: 文, en: filed}
    reader: {kind: http, url: URL/filed, token: "file:secrets/token", retries: 0}
    key: [record_key]
    columns: *columns
    constants: *constants
"""


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve errors that repeat everything that was asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"cannot serve {self.path} with {dict(self.headers.items())}"[:190].encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path, echo: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "demo"
    init_project(folder)
    # No models: what is tested is what is told of sources, not of series.
    shutil.rmtree(folder / "models")
    (folder / "models").mkdir()
    for name in ("spot_checks", "injuries", "notices", "indicators", "credit"):
        (folder / "data" / "demo" / name).mkdir(parents=True)
    empty_folders(folder)
    (folder / "config" / "sources" / "more.yaml").write_text(SOURCES.replace("URL/", f"{echo}/"), encoding="utf-8")
    token = folder / "secrets" / "token"
    token.parent.mkdir()
    token.write_text(FILED + "\n", encoding="utf-8")
    token.chmod(0o600)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return folder


def stored(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every row of the database and every file that was written, the secret's own file aside."""
    for path in sorted((folder / "var").rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes().decode("utf-8", "replace")
    with sqlite3.connect(folder / "var" / "demo" / "riskwatch.db") as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in connection.execute(f'select * from "{table}"'):
                yield table, repr(row)


def test_no_secret_is_told_or_stored(project: Path, cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    told: dict[str, str] = {}
    with caplog.at_level(logging.DEBUG):
        for command in (
            ("check",),
            ("check", "--json"),
            ("pull",),
            ("pull", "--json"),
            ("run", "daily"),
            ("run", "daily", "--json"),
            ("doctor",),
            ("doctor", "--json"),
            ("explain", "sources.lab.reader.url"),
            ("explain", "sources.notices.reader.headers.X-Api-Key"),
            ("digest", "changchun", "--print", "json"),
        ):
            answer = cli(*command, project=project)
            told[" ".join(command)] = answer.out + answer.err
    assert "127.0.0.1:1/lab" in told["pull"]
    assert "HTTP 403: cannot serve /rows?sign=***" in told["pull"]
    told["log"] = caplog.text
    texts = [*told.items(), *stored(project)]
    assert any(table == "source" or "403" in text for table, text in texts)
    leaks = {where: secret for where, text in texts for secret in PLANTED if secret in text or json.dumps(secret)[1:-1] in text}
    assert leaks == {}


def test_the_last_error_in_the_database_is_redacted(project: Path, cli: Cli) -> None:
    cli("pull", project=project)
    with sqlite3.connect(project / "var" / "demo" / "riskwatch.db") as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where sql like '%last_error%'")]
        rows = repr([connection.execute(f'select * from "{table}"').fetchall() for table in tables])
    assert "***" in rows
    assert not [secret for secret in PLANTED if secret in rows]


def test_a_database_that_cannot_be_reached_is_named_without_its_password(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", f"postgresql+psycopg://watch:{quote(PASSWORD, safe='')}@127.0.0.1:1/store")
    path = project / "config" / "riskwatch.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sqlite:///{var}/riskwatch.db", "env:STORE_URL"), encoding="utf-8")
    for command in (("run", "daily"), ("doctor",), ("doctor", "--json"), ("warnings", "list"), ("explain", "settings.database")):
        answer = cli(*command, project=project)
        text = answer.out + answer.err
        assert not [secret for secret in PLANTED if secret in text]
        assert "w%C3%B6rt" not in text
    assert cli("run", "daily", project=project).code == 4


def test_whatever_goes_wrong_is_told_without_secrets(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **rest: object) -> None:
        raise ValueError(f"no route to {SECRETS['LAB_URL']} with {SECRETS['NOTICES_TOKEN']}")

    cli("pull", project=project)  # the secrets are known once they were used
    monkeypatch.setattr("riskwatch.runner.pull.pull_source", broken)
    answer = cli("pull", project=project)
    assert answer.code == 5
    assert "ValueError: no route to postgresql+psycopg://lab:***@127.0.0.1:1/lab?sslpassword=*** with ***" in answer.err
    assert not [secret for secret in PLANTED if secret in answer.err]


def test_a_plain_secret_is_refused_with_its_place(project: Path, cli: Cli) -> None:
    path = project / "config" / "sources" / "more.yaml"
    text = (
        path.read_text(encoding="utf-8").replace('"env:NOTICES_KEY"', "key-geheim-54").replace("env:LAB_URL", "postgresql://u:plain-57@h/d")
    )
    path.write_text(text, encoding="utf-8")
    answer = cli("check", project=project)
    assert answer.code == 2
    assert 'config/sources/more.yaml:5:30: source "lab": reader.url must be env:NAME' in answer.out
    assert 'config/sources/more.yaml:16:17: source "notices": reader.headers: X-Api-Key looks like a secret' in answer.out
    assert "geheim" not in answer.out + answer.err
    assert "plain-57" not in answer.out + answer.err
