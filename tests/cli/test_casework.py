"""``warnings ack`` to ``merge``, ``silences`` and ``audit verify`` as a user calls them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from riskwatch.cli.commands.common import login
from tests.cli.conftest import Cli
from tests.made_cases import desk_project

DAY = ("--as-of", "2025-12-01")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Return the folder of a project with four warnings."""
    return desk_project(tmp_path / "desk").root


def test_from_acknowledging_to_closing_and_the_story_of_it(desk: Path, cli: Cli) -> None:
    steps = [
        ("ack", "--by", "jilin-city-duty"),
        ("assign", "--by", "jilin-city-head", "--to", "jilin-city-analyst"),
        ("confirm", "--by", "jilin-city-analyst"),
        ("regrade", "--by", "jilin-city-analyst", "--to", "IV", "--reason", "one lot only"),
        ("confirm", "--by", "jilin-city-head"),
        ("act", "--by", "jilin-city-duty", "--note", "经办人：张三，已下达责令改正"),
        ("recheck", "--by", "jilin-city-duty"),
        ("recheck", "--by", "jilin-city-duty", "--result", "passed"),
        ("close", "--by", "jilin-city-head", "--reason", "true", "--note", "all withdrawn"),
    ]
    stages = []
    for verb, *rest in steps:
        answer = cli("warnings", verb, "2222", *rest, *DAY, project=desk)
        assert (answer.code, answer.err) == (0, ""), (verb, answer.err)
        stages.append(answer.rows[0]["stage"])
    assert stages == ["verify", "verify", "assess", "approve", "handle", "handle", "recheck", "recheck", "close"]
    story = cli("warnings", "show", "2222", project=desk)
    lines = story.out.splitlines()
    told = lines[lines.index("case") + 1 :]
    assert "stage close (销号)" in told[0]
    assert "level IV by people, III by the machine, confirmed" in told[0]
    assert told[-1] == "  2025-12-01 close recheck -> close by jilin-city-head (reason true): all withdrawn"
    assert "张三" not in story.out
    case = cli("warnings", "show", "2222", "--json", project=desk).json["case"]
    assert [event["kind"] for event in case["events"]] == [verb for verb, *_ in steps]
    assert case["closed"] is True
    assert (
        cli("warnings", "reopen", "2222", "--by", "jilin-city-head", "--note", "new reports", *DAY, project=desk).rows[0]["stage"]
        == "verify"
    )
    merged = cli("warnings", "merge", "2222", "--into", "3333", "--by", "jilin-city-head", *DAY, project=desk)
    assert merged.rows[0]["stage"] == "close"
    table = cli("warnings", "precision", "--json", *DAY, project=desk).json
    assert [(row["model"], row["grade"], row["closed"], row["judged"]) for row in table] == [
        ("all", "III", 1, 0),
        ("injury-weekly", "III", 1, 0),
    ]
    assert "injury-weekly" in cli("warnings", "precision", *DAY, project=desk).out


def test_bulk_dry_run_says_what_would_happen_and_stores_nothing(desk: Path, cli: Cli) -> None:
    before = cli("audit", "verify", "--json", project=desk).json
    arguments = ("warnings", "close", "--grade", "IV", "--product", "P07", "--region", "220200", "--state", "new", "--reason", "no-action")
    answer = cli(*arguments, "--by", "jilin-city-head", "--dry-run", *DAY, project=desk)
    assert (answer.code, [row["stage"] for row in answer.rows]) == (0, ["close", "close"])
    assert "2 would be done" in answer.out
    assert cli("audit", "verify", "--json", project=desk).json == before
    done = cli(*arguments, "--by", "jilin-city-head", "--json", *DAY, project=desk).json
    assert [(one["warning_id"][0], one["reason"], one["effective"]) for one in done] == [("3", "no-action", True), ("4", "no-action", True)]
    assert cli("audit", "verify", "--json", project=desk).json["events"] == before["events"] + 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ack", "2222", "--by", "nobody"), 'no actor "nobody"'),
        (("close", "1111", "--by", "jilin-city-head", "--reason", "true"), "owned by the province"),
        (("close", "2222", "--by", "jilin-city-head", "--reason", "bored"), "true|false-alarm|artefact|duplicate|known-issue|no-action"),
        (("ack", "2222", "--grade", "III", "--by", "jilin-duty"), "not both or neither"),
        (("ack", "2222", "--by", "jilin-duty", "--until", "2026-03-01"), "at the longest"),
        (("ack", "--grade", "V", "--by", "jilin-duty"), "--grade is I, II, III or IV"),
        (("recheck", "2222", "--by", "jilin-duty", "--result", "perhaps"), "--result is passed or failed"),
    ],
)
def test_a_refusal_ends_with_code_two_and_stores_nothing(arguments: tuple[str, ...], message: str, desk: Path, cli: Cli) -> None:
    answer = cli("warnings", *arguments, *DAY, project=desk)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert cli("audit", "verify", "--json", project=desk).json["events"] == 4


def test_a_comment_is_noted_and_the_grave_need_two(desk: Path, cli: Cli) -> None:
    assert cli("warnings", "comment", "1111", "--by", "jilin-duty", "--note", "看过", *DAY, project=desk).code == 0
    half = cli("warnings", "close", "1111", "--by", "jilin-head", "--reason", "artefact", *DAY, project=desk)
    assert (half.rows[0]["effective"], half.rows[0]["signatures"]) == ("not yet", "1 of 2")
    whole = cli("warnings", "close", "1111", "--by", "jilin-analyst", "--reason", "artefact", *DAY, project=desk)
    assert (whole.rows[0]["effective"], whole.rows[0]["stage"]) == ("yes", "close")


def test_silences_are_added_listed_and_ended(desk: Path, cli: Cli) -> None:
    given = ("silences", "add", "--product", "P07", "--region", "220200", "--by", "jilin-city-head", "--reason", "known recall", *DAY)
    assert "got 2026-06-01" in cli(*given, "--until", "2026-06-01", project=desk).err
    tried = cli(*given, "--until", "2025-12-20", "--dry-run", project=desk)
    assert "would be added" in tried.out
    assert cli("silences", "list", *DAY, project=desk).out == "no silence\n"
    added = cli(*given, "--until", "2025-12-20", "--json", project=desk).json
    assert [name[0] for name in added["matches"]] == ["3", "4"]
    listed = cli("silences", "list", *DAY, project=desk).out
    assert "product=P07, region=220200  2025-12-01 to 2025-12-20" in listed
    assert "has hidden nothing" in listed
    ended = cli("silences", "end", added["silence_id"][:6], "--by", "jilin-city-head", *DAY, project=desk)
    assert "ended on 2025-12-01" in ended.out
    assert cli("silences", "list", *DAY, project=desk).out == "no silence\n"
    assert cli("silences", "list", "--all", "--json", *DAY, project=desk).json[0]["ended_on"] == "2025-12-01"
    assert cli("silences", "end", added["silence_id"], "--by", "jilin-city-head", *DAY, project=desk).code == 2


def test_audit_verify_prints_the_head_and_fails_on_a_changed_event_and_a_cut_tail(desk: Path, cli: Cli) -> None:
    cli("warnings", "ack", "2222", "--by", "jilin-duty", *DAY, project=desk)
    whole = cli("audit", "verify", project=desk)
    assert (whole.code, whole.out.splitlines()[-1]) == (0, "whole")
    head = cli("audit", "verify", "--json", project=desk).json["head"]
    assert head in whole.out
    assert "0 since the noted head" in cli("audit", "verify", "--head", head[:16], project=desk).out
    assert cli("audit", "verify", "--head", "xyz", project=desk).code == 2
    with sqlite3.connect(next(desk.glob("var/demo/*.db"))) as connection:
        connection.execute("update case_event set actor = 'jilin-head'")
    changed = cli("audit", "verify", project=desk)
    assert (changed.code, changed.out.splitlines()[0].split("\t")[:2], changed.out.splitlines()[-1]) == (5, ["changed", "5"], "broken")
    with sqlite3.connect(next(desk.glob("var/demo/*.db"))) as connection:
        connection.execute("delete from case_event")
    assert cli("audit", "verify", project=desk).code == 0
    assert cli("audit", "verify", "--head", head, "--json", project=desk).json["findings"][0]["kind"] == "head"


def test_a_desk_with_accounts_of_its_own_takes_no_other(desk: Path, cli: Cli) -> None:
    path = desk / "config" / "lifecycle.yaml"
    plain = path.read_text(encoding="utf-8")
    place = 'region: "220000"}\n  jilin-analyst:'
    assert place in plain
    path.write_text(plain.replace(place, 'region: "220000", logins: [someone-else]}\n  jilin-analyst:'), encoding="utf-8")
    refused = cli("warnings", "ack", "2222", "--by", "jilin-duty", *DAY, project=desk)
    assert refused.code == 2
    assert "is none of its 1 logins in config/lifecycle.yaml" in refused.err
    assert "someone-else" not in refused.err
    silence = ("silences", "add", "--region", "220200", "--until", "2025-12-20", "--reason", "known")
    assert "none of its 1 logins" in cli(*silence, "--by", "jilin-duty", *DAY, project=desk).err
    assert cli("warnings", "ack", "2222", "--by", "jilin-analyst", *DAY, project=desk).code == 0
    path.write_text(plain.replace(place, f'region: "220000", logins: ["{login()}"]}}\n  jilin-analyst:'), encoding="utf-8")
    assert cli("warnings", "ack", "2222", "--by", "jilin-duty", *DAY, project=desk).code == 0


def test_a_list_says_where_people_stand_and_a_story_as_of_a_day_knows_no_later_act(desk: Path, cli: Cli) -> None:
    assert cli("warnings", "ack", "2222", "--by", "jilin-duty", "--as-of", "2025-12-02", project=desk).code == 0
    first, second = (
        {row["warning_id"][0]: row["stage"] for row in cli("warnings", "list", "--as-of", day, project=desk).rows}
        for day in ("2025-12-01", "2025-12-02")
    )
    assert (first["2"], second["2"], second["1"]) == ("monitor", "verify", "monitor")
    told = cli("warnings", "show", "2222", "--as-of", "2025-12-01", project=desk).out
    assert "ack" not in told.split("possible now")[1].split("\n", 1)[1]
    assert "2025-12-02 ack" in cli("warnings", "show", "2222", "--as-of", "2025-12-02", project=desk).out
    nothing = cli("warnings", "show", "2222", "--as-of", "2024-01-01", project=desk)
    assert (nothing.code, '0 warnings start with "2222" on 2024-01-01' in nothing.err) == (2, True)
