"""The short form of the kill tests on PostgreSQL, with a server that drops its connections in the middle of a transaction, or falls."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.harness import Harness, Trouble

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_server(postgres_server: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Return a server that nobody else uses, and what lets it fall and starts it again."""
    assert postgres_server
    folder = Path("/var/tmp") / f"riskwatch-restarts-{os.getpid()}"  # noqa: S108 - the server's user must be able to enter it
    script = str(ROOT / "scripts" / "postgres.sh")

    def call(command: str) -> str:
        done = subprocess.run([script, command, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        yield call("start"), lambda: call("restart")
    finally:
        call("stop")
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.slow
def test_killed_or_cut_off_or_with_a_server_that_falls_a_run_ends_as_if_it_had_not(
    own_server: tuple[str, Callable[[], object]], tmp_path: Path
) -> None:
    url, restart = own_server
    troubles = [
        Trouble(name="commit", number=5, side="before"),
        Trouble(share=0.0, restarted=True),
        Trouble(share=0.0, severed=True),
        Trouble(name="commit", number=5, side="after"),
        Trouble(share=0.2, restarted=True),
        Trouble(name="replace", number=2, side="after"),
    ]
    with Harness(tmp_path / "kills", url, restart=restart) as harness:
        outcome = harness.case("next", troubles)
    assert outcome.differs == []
    killed = -signal.SIGKILL
    assert outcome.statuses == [killed, 4, 4, killed, 4, killed, 0]
    for number in (1, 2, 4):
        said = outcome.answers[number]["said"]
        assert "the database server cannot be reached" in said
        assert "start again; what was committed is kept" in said
