"""The short form of the kill tests on PostgreSQL, with a server that drops its connections in the middle of a transaction."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.harness import Harness, Trouble


@pytest.mark.slow
def test_killed_or_cut_off_by_the_server_a_run_ends_as_if_it_had_not(postgres_server: str, tmp_path: Path) -> None:
    troubles = [
        Trouble(name="commit", number=5, side="before"),
        Trouble(share=0.0, severed=True),
        Trouble(name="commit", number=5, side="after"),
        Trouble(share=0.2, severed=True),
        Trouble(name="replace", number=2, side="after"),
    ]
    with Harness(tmp_path / "kills", postgres_server) as harness:
        outcome = harness.case("next", troubles)
    assert outcome.differs == []
    killed = -signal.SIGKILL
    assert outcome.statuses == [killed, 4, killed, 4, killed, 0]
    for answer in (outcome.answers[1], outcome.answers[3]):
        assert "the database server cannot be reached" in answer["said"]
        assert "start again; what was committed is kept" in answer["said"]
