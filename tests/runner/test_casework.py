"""Casework on a store: people act, days pass, a digest says so; killed and repeated runs come to the same events."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.casework.silences import Matcher
from riskwatch.casework.verbs import Request
from riskwatch.errors import CaseworkError
from riskwatch.runner import casework
from riskwatch.runner.run import RunReport
from tests.made_cases import DAY, WARNINGS, desk_project, opened, put


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with four warnings."""
    return desk_project(tmp_path / "desk")


def act(project: Project, verb: str, actor: str, day: dt.date = DAY, *, dry_run: bool = False, ids: tuple[str, ...] = (), **more: str):
    known = {"note", "to", "reason", "result"}
    request = Request(verb, actor, day, "", **{"note": "seen", **{name: more[name] for name in more if name in known}})
    chosen = casework.Selection(ids=ids, **{name: more[name] for name in more if name not in known})
    with project.context(as_of=day) as ctx:
        return casework.act_on(ctx, chosen, request, dry_run=dry_run)


def run(project: Project, day: dt.date) -> RunReport:
    return project.run("desk", as_of=day)


def chained(project: Project) -> list[tuple[object, ...]]:
    """Return all events of both tables, with their hashes."""
    connection = sqlite3.connect(project.var / "riskwatch.db")
    found = connection.execute(
        "select link, hash, case_id, kind from case_event union all select link, hash, warning_id, kind from warning_event"
    ).fetchall()
    connection.close()
    return sorted(found)


def digest(project: Project, day: dt.date, centre: str = "jilin-province") -> dict[str, object]:
    return json.loads((project.var / "digests" / day.isoformat() / f"{centre}.json").read_text(encoding="utf-8"))


def test_an_act_is_in_the_next_digest_and_a_run_without_news_is_not_made_again(project: Project) -> None:
    first = run(project, DAY)
    assert not first.unchanged
    assert run(project, DAY).unchanged
    act(project, "ack", "jilin-duty", ids=("1111",))
    again = run(project, DAY)
    assert not again.unchanged
    row = next(one for one in digest(project, DAY)["others"] if one["warning_id"] == "1" * 16)
    assert (row["handling"]["stage"]["en"], row["handling"]["acknowledged_until"]) == ("verification", "2025-12-03")
    assert run(project, DAY).unchanged


def test_bulk_by_filter_is_tried_dry_then_done_and_all_or_nothing(project: Project) -> None:
    before = chained(project)
    told = act(project, "ack", "jilin-city-duty", grade="IV", region="220200", dry_run=True)
    assert [one.case_id[0] for one in told] == ["3", "4"]
    assert chained(project) == before
    assert [one.event.event_id for one in act(project, "ack", "jilin-city-duty", grade="IV", product="P07")] != []
    assert len(chained(project)) == len(before) + 2
    with pytest.raises(CaseworkError, match=r"nothing was done: 1 of 2 refuse\nclose 1{16}: .*owned by the province"):
        act(project, "close", "jilin-city-head", ids=("1111", "2222"), reason="no-action")
    assert len(chained(project)) == len(before) + 2
    with pytest.raises(CaseworkError, match="no case is named by this filter"):
        act(project, "ack", "jilin-duty", product="P99")
    with pytest.raises(CaseworkError, match="by id, or by a filter, not both or neither"):
        act(project, "ack", "jilin-duty")
    with pytest.raises(CaseworkError, match='0 warnings start with "zz"'):
        act(project, "ack", "jilin-duty", ids=("zz",))


def test_days_pass_acknowledgements_expire_terms_escalate_and_a_repeated_run_adds_nothing(project: Project) -> None:
    act(project, "ack", "jilin-duty", ids=("1111",))
    act(project, "close", "jilin-city-head", ids=("2222",), reason="known-issue")
    last = DAY + dt.timedelta(days=5)
    run(project, last)
    with project.store() as store:
        kinds = [(row.case_id[0], row.kind) for row in store.read_case_events()]
        assert store.audit().findings == ()
    assert kinds == [("1", "ack"), ("1", "ack-expired"), ("1", "overdue"), ("2", "close"), ("3", "escalated"), ("4", "escalated")]
    kept = chained(project)
    act(project, "comment", "jilin-duty", last, ids=("3333",))
    run(project, last)
    assert chained(project)[: len(kept)] == kept
    assert len(chained(project)) == len(kept) + 1
    cases = project.cases(as_of=last).set_index("warning_id")
    assert cases.loc["3" * 16, ["owner", "overdue", "escalations"]].tolist() == ["prefecture", False, 1]
    assert cases.loc["2" * 16, ["stage", "closed_as"]].tolist() == ["close", "known-issue"]
    # As it was known on the first day.
    assert project.cases(as_of=DAY).set_index("warning_id").loc["3" * 16, "escalations"] == 0


def test_a_run_killed_before_its_results_were_written_comes_to_the_same_chain(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    act(project, "ack", "jilin-duty", ids=("1111",))
    last = DAY + dt.timedelta(days=5)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("riskwatch.store.results.append_automatic", die)
        with pytest.raises(KeyboardInterrupt):
            run(project, last)
    halfway = chained(project)
    assert [one[3] for one in halfway] == ["new"] * 4 + ["ack"]  # everything or nothing
    run(project, last)
    assert [one[3] for one in chained(project)[5:]] == ["ack-expired", "overdue", "escalated", "escalated", "escalated"]


def test_closed_and_silenced_leave_the_list_and_a_worsened_one_is_back(project: Project) -> None:
    act(project, "close", "jilin-city-head", ids=("2222",), reason="false-alarm")
    with project.context(as_of=DAY) as ctx:
        matcher = Matcher(product="P07", region="220200")
        silence, matched = casework.add(ctx, matcher, until=dt.date(2025, 12, 20), reason="张三来电：已知召回", actor="jilin-head")
    assert ([name[0] for name in matched], "张三" in silence.reason) == (["3", "4"], False)
    run(project, DAY)
    made = digest(project, DAY)
    assert made["set_aside"] == {"closed": 1, "silenced": 2, "silenced_until": "2025-12-20"}
    assert [one["warning_id"][0] for one in made["others"]] == ["1"]
    # The next day two of them are worse.
    day = DAY + dt.timedelta(days=1)
    put(project, "r1", (), tuple(opened(WARNINGS[number], day, "worsened") for number in (1, 3)))
    run(project, day)
    made = digest(project, day)
    assert made["set_aside"] == {"closed": 0, "silenced": 1, "silenced_until": "2025-12-20"}
    assert sorted(one["warning_id"][0] for one in made["others"]) == ["1", "2", "4"]
    with project.store() as store:
        assert [row.kind for row in store.read_case_events(case_id="2" * 16)] == ["close", "reopened"]
        assert store.audit().findings == ()


def test_the_level_of_people_stands_in_the_digest_beside_the_proposed_one(project: Project) -> None:
    act(project, "ack", "jilin-duty", ids=("2222",))
    act(project, "confirm", "jilin-duty", ids=("2222",))
    act(project, "regrade", "jilin-city-head", ids=("2222",), to="IV")
    run(project, DAY)
    row = next(one for one in digest(project, DAY)["others"] if one["warning_id"][0] == "2")
    assert (row["grade"], row["handling"]["proposed"], row["handling"]["by_people"]) == ("IV", "III", True)


def test_the_api_shows_cases_and_their_events(project: Project) -> None:
    act(project, "comment", "jilin-duty", ids=("1111",), note="两起新报告")
    events = project.case_events("1111")
    assert events[["seq", "kind", "actor", "note"]].to_numpy().tolist() == [[1, "comment", "jilin-duty", "两起新报告"]]
    assert len(project.cases(as_of=DAY)) == 4
    with pytest.raises(CaseworkError, match="0 warnings start with"):
        project.case_events("zz")


def test_a_project_without_the_file_runs_without_casework(project: Project) -> None:
    (project.root / "config" / "lifecycle.yaml").unlink()
    bare = Project(project.root)
    run(bare, DAY)
    made = digest(bare, DAY)
    assert (made["set_aside"], {one["handling"] for one in made["others"]}) == (None, {None})
    with bare.store() as store:
        assert store.read_case_events() == []
