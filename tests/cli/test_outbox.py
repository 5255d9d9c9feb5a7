"""``deliver`` and ``outbox``: what they print, what they refuse, exit codes, and no secret in any of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.cli.commands import deliver as commands
from riskwatch.digest import Digest
from riskwatch.store import DigestRow
from tests.cli.conftest import Cli
from tests.delivery.conftest import DESK, NOW
from tests.digest.conftest import AS_OF, make

KEY = "digest/2025-12-31/changchun/hook/duty/en"
DELIVERY = """version: "2025-12-31"
channels:
  - {name: hook, kind: webhook, url: env:PLANTED_URL, secret: env:PLANTED_SECRET, retry: {attempts: 1}}
  - {name: mail, kind: smtp, host: 127.0.0.1, port: 1, security: none, sender: riskwatch@example.org, retry: {attempts: 1}}
groups: [{name: duty, addresses: env:PLANTED_DESK}]
routes:
  - {name: hooked, channel: hook, recipients: duty, centres: [changchun], languages: [en]}
  - {name: mailed, channel: mail, recipients: duty, centres: [changchun], languages: [en]}
"""
PLANTED = {"PLANTED_URL": "http://127.0.0.1:1/planted-path?key=planted-key", "PLANTED_SECRET": "planted-secret", "PLANTED_DESK": DESK}


@pytest.fixture
def decided(tmp_path: Path) -> Path:
    """A project with a digest in its store, and a message to a webhook and one by mail where nobody listens."""
    from riskwatch.project import init_project
    from riskwatch.runner.messages import messages_of

    folder = tmp_path / "project"
    init_project(folder)
    (folder / "config" / "delivery.yaml").write_text(DELIVERY, encoding="utf-8")
    digest: Digest = make()
    with Project(folder).context(as_of=AS_OF) as ctx:
        ctx.store.start_run("daily-1", pipeline="daily", as_of=AS_OF, now=NOW, definitions={})
        row = DigestRow("changchun", AS_OF, "zh+en", 1, digest.model_dump(mode="json"))
        ctx.store.write_run_results("daily-1", now=NOW, digests=[row], messages=messages_of(ctx, [digest], [], []))
    return folder


def test_from_pending_to_dead_to_dropped(decided: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    # Its definitions are read once for all commands.
    project = Project(decided)
    monkeypatch.setattr(commands, "open_project", lambda context: project)
    said = []

    def run(*arguments: str, code: int = 0) -> str:
        answer = cli(*arguments, project=decided)
        said.append(answer.out + answer.err)
        assert answer.code == code, answer
        return answer.out

    assert run("deliver", "--dry-run").splitlines() == [KEY, KEY.replace("hook", "mail"), "2 due, 2 waiting in all"]
    listed = cli("outbox", "list", project=decided)
    assert [row["state"] for row in listed.rows] == ["pending", "pending"]
    out = run("deliver", code=1)
    assert f"{KEY}: refused, given up" in out
    assert "0 sent, 0 to be tried again, 2 given up" in out
    assert run("deliver").startswith("0 sent")
    assert "2 dead" in run("outbox", "list", "--state", "dead")
    assert re.search(r"1\s+dead\s+refused", run("outbox", "show", KEY))
    run("outbox", "show", "nonsense", code=4)
    run("outbox", "retry", code=2)
    assert run("outbox", "retry", "--all-dead") == "2 put back\n"
    run("deliver", code=1)
    assert run("outbox", "drop", KEY, "--reason", "told by telephone") == "1 dropped\n"
    assert "told by telephone" in run("outbox", "list", "--state", "dropped")
    run("outbox", "list", "--state", "deda", code=2)
    run("outbox", "list", "--json")
    run("outbox", "show", KEY, "--json")
    whole = "\n".join(said)
    assert "planted" not in whole.replace(str(decided), "")
    assert DESK not in whole
    assert DESK.encode() not in (decided / "var" / "demo" / "riskwatch.db").read_bytes()
