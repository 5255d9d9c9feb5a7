"""The short form of the kill tests: a few kills of every sort on SQLite, and the harness itself. ``make soak`` is the long form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.faults.harness import Harness, Kill, draw_kills
from tests.faults.state import differences


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with Harness(tmp_path_factory.mktemp("kills")) as made:
        yield made


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


def test_killed_in_the_middle_of_everything_the_first_run_ends_the_same(harness: Harness) -> None:
    commits = harness.scenarios["first"].counts["commit"]
    kills = [
        Kill(name="commit", number=1, side="before"),
        Kill(share=0.3),
        Kill(name="commit", number=commits // 3, side="after"),
        Kill(name="commit", number=commits // 3, side="before"),
    ]
    outcome = harness.case("first", kills)
    assert outcome.differs == []
    assert outcome.died == len(kills)


def test_killed_in_the_middle_of_everything_the_next_run_ends_the_same(harness: Harness) -> None:
    kills = [
        Kill(name="commit", number=5, side="after"),
        Kill(share=0.6),
        Kill(name="replace", number=1, side="before"),
        Kill(name="replace", number=4, side="after"),
        # All is written but the lease is not given back.
        Kill(name="replace", number=6, side="after"),
        Kill(share=0.4),
    ]
    outcome = harness.case("next", kills)
    assert outcome.differs == []
    assert outcome.died >= len(kills) - 1, "a machine that is busy elsewhere may let the last one end"


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


def test_the_same_seed_draws_the_same_kills_of_every_sort(harness: Harness) -> None:
    drawn = [list(itertools.islice(draw_kills(harness, seed), 20)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {scenario for scenario, _ in drawn[0]} == {"first", "next"}
    assert {kill.name for _, kills in drawn[0] for kill in kills} == {"", "commit", "replace"}
