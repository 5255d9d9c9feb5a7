"""What the scheduler logs is JSON, and tells no secret whoever logs it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from riskwatch.redaction import remember
from riskwatch.scheduling.logs import configure_logs, log


@pytest.fixture
def _logs_as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


@pytest.mark.usefixtures("_logs_as_before")
def test_secrets_and_passwords_in_addresses_are_struck_out(tmp_path: Path) -> None:
    remember("planted-log-secret")
    path = tmp_path / "scheduler.log"
    configure_logs(file=path)
    log.warning("refused", detail="login with planted-log-secret", at="postgresql://me:planted-word@host/db", faults=["planted-log-secret"])
    logging.getLogger("httpx").warning("GET https://me:planted-word@host/?token=planted-log-secret")
    text = path.read_text(encoding="utf-8")
    assert "planted" not in text
    first, second = map(json.loads, text.splitlines())
    assert (first["event"], first["level"]) == ("refused", "warning")
    assert second["event"].startswith("GET https://")
