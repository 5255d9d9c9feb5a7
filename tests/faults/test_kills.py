"""The short form of the kill tests: a few kills of every sort on SQLite, and the harness itself. ``make soak`` is the long form."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator

import pytest

from tests.faults.harness import Harness, Trouble, draw_kills
from tests.faults.state import differences

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with Harness(tmp_path_factory.mktemp("kills")) as made:
        yield made


@pytest.mark.slow
def test_the_runs_that_are_killed_do_something_worth_losing(harness: Harness) -> None:
    for scenario in harness.scenarios.values():
        expected = scenario.expected
        for table in ("record_spot_check", "record_injury", "quarantine", "signal", "assessment", "warning", "warning_event", "digest"):
            assert expected[table], table
        assert sum(name.startswith("demo/digests/") for name in expected["files"]) >= 10
        assert scenario.counts["commit"] > 10
        assert scenario.counts["replace"] == 10
    first, later = (harness.scenarios[name].expected for name in ("first", "next"))
    assert {row["kind"] for row in later["warning_event"].values()} > {row["kind"] for row in first["warning_event"].values()}
    # People dealt with cases in between, and the later run finds their terms over.
    told = {name: {row["kind"] for row in scenario.expected["case_event"].values()} for name, scenario in harness.scenarios.items()}
    assert not told["first"]
    assert told["next"] >= {"ack", "comment", "silence-add", "ack-expired"}
    assert later["silence"]
    assert {row["state"] for row in later["message"].values()} == {"sent"}


@pytest.mark.slow
def test_a_first_run_that_is_killed_and_finds_the_disk_full_ends_as_if_it_had_not(harness: Harness) -> None:
    counts = harness.scenarios["first"].counts
    troubles = [
        Trouble(name="commit", number=1, side="before"),
        Trouble(largest_file=300_000),
        Trouble(name="commit", number=counts["commit"] // 3, side="after"),
        Trouble(name="begin", number=counts["begin"] // 3, side="before"),
        Trouble(share=0.2),
    ]
    outcome = harness.case("first", troubles)
    assert outcome.differs == []
    # A machine that is busy elsewhere may let the last one, which is timed, end.
    assert outcome.statuses[:4] == [KILLED, 4, KILLED, KILLED]
    said = outcome.answers[1]["said"]
    assert "refused to write" in said or "disk or the database is full" in said
    assert "what was committed is kept" in said


@pytest.mark.slow
def test_the_next_run_killed_in_the_middle_of_everything_ends_as_if_it_had_not(harness: Harness) -> None:
    troubles = [
        Trouble(name="commit", number=5, side="after"),
        Trouble(name="begin", number=harness.scenarios["next"].counts["begin"] // 2, side="after"),
        # All is decided and stored; the digests are being written.
        Trouble(name="replace", number=1, side="before"),
        Trouble(name="replace", number=4, side="after"),
        Trouble(name="replace", number=6, side="after"),
        Trouble(share=0.2),
    ]
    outcome = harness.case("next", troubles)
    assert outcome.differs == []
    assert outcome.statuses[:5] == [KILLED] * 5


@pytest.mark.slow
def test_the_harness_sees_what_a_kill_could_do(harness: Harness) -> None:
    """A row lost, doubled or changed, and a file half written, are told; so the tests above can fail."""
    expected = harness.scenarios["next"].expected
    found = {name: dict(rows) for name, rows in expected.items()}
    assert differences(expected, found) == []
    lost = next(iter(found["warning_event"]))
    del found["warning_event"][lost]
    found["record_injury"]["0"] = {}
    warning = next(iter(found["warning"]))
    found["warning"][warning] = found["warning"][warning] | {"grade": "none"}
    name = next(iter(found["files"]))
    found["files"][name] = "half"
    lines = "\n".join(differences(expected, found))
    for said in (f"{lost} is missing", "record_injury: 0 is one too many", "found 'none'", f"{name}: expected"):
        assert said in lines


@pytest.mark.slow
def test_the_same_seed_draws_the_same_kills_of_every_sort(harness: Harness) -> None:
    drawn = [list(itertools.islice(draw_kills(harness, seed), 20)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {scenario for scenario, _ in drawn[0]} == {"first", "next"}
    assert {trouble.name for _, troubles in drawn[0] for trouble in troubles} == {"", "begin", "commit", "replace"}
