"""Retention on a project that has run for a year: much goes, and nothing that is decided afterwards changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

import riskwatch.api
from benchmarks.soak_year import KEPT, SHORTEST, deliver_until, make
from riskwatch.api import Project
from riskwatch.assessment import Grade
from riskwatch.casework.verbs import Request
from riskwatch.errors import ProjectError
from riskwatch.runner import casework
from riskwatch.runner.retention import least_record_days, retain
from riskwatch.store import AssessmentRow
from tests.faults.province import make_province
from tests.faults.state import state_of
from tests.made_cases import DAY as DESK_DAY
from tests.made_cases import NOW, WARNINGS, desk_project, put

DAYS = (dt.date(2025, 6, 30), dt.date(2025, 11, 15), dt.date(2026, 1, 10))
AFTER = (dt.date(2026, 1, 11), dt.date(2026, 1, 31))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    def at(day: dt.date) -> None:
        monkeypatch.setattr(riskwatch.api, "_clock", lambda: dt.datetime.combine(day, dt.time(6), dt.UTC))

    return at


def run(folder: Path, day: dt.date, clock: Any) -> Any:
    clock(day)
    deliver_until(folder, day)
    return Project(folder).run("daily", as_of=day)


def state(folder: Path) -> Any:
    return state_of(f"sqlite:///{folder}/var/demo/riskwatch.db", folder / "var", without=("riskwatch.db",))


@pytest.mark.slow
def test_applying_it_never_changes_what_the_next_runs_decide(tmp_path: Path, clock: Any) -> None:
    kept, swept = tmp_path / "kept", tmp_path / "swept"
    make(kept, scale=0.03, retain=False)
    for day in DAYS:
        run(kept, day, clock)
    shutil.copytree(kept, swept)

    project = Project(swept)
    with project.leased(label="retention", as_of=DAYS[-1]) as ctx:
        told = retain(ctx, dry_run=True)
    assert state(swept) == state(kept)
    with project.leased(label="retention", as_of=DAYS[-1]) as ctx:
        done = retain(ctx)
    assert (done.rows, done.files) == (told.rows, told.files)
    # Else the test would show nothing.
    assert {"raw_chunk", "detection", "signal", "digest"} <= set(done.rows)
    assert done.files["digests"] > 0
    assert done.files["drops"] > 0
    with project.leased(label="retention", as_of=DAYS[-1]) as ctx:
        assert retain(ctx).rows == {}

    # The second pipeline applies it after every run, too.
    pipeline = swept / "pipelines" / "daily.yaml"
    step = "\n  - step: retain\n"
    plain = pipeline.read_text(encoding="utf-8")
    for day in AFTER:
        assert not run(kept, day, clock).unchanged
        pipeline.write_text(plain, encoding="utf-8")
        assert not run(swept, day, clock).unchanged
    one, other = state(kept), state(swept)
    for table, rows in other.items():
        for key, row in rows.items():
            assert row == one[table][key], (table, key)
    for table in ("warning_event", "run", "batch", "record_injury", "record_spot_check", "source_state"):
        assert other[table] == one[table], table
    for table in ("assessment", "warning", "digest"):
        recent = {key for key, row in one[table].items() if row["as_of"] >= AFTER[0]}
        assert recent <= set(other[table]), table
    assert {name for name in one["files"] if name.rpartition("/")[0].endswith(tuple(map(str, AFTER)))} <= set(other["files"])

    pipeline.write_text(plain.rstrip() + step, encoding="utf-8")
    last = run(swept, AFTER[-1] + dt.timedelta(days=200), clock)
    assert last.deleted["raw_chunk"] > 0


def test_records_that_a_model_needs_are_not_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_province(folder, kept=KEPT)
    rules = folder / "config" / "retention.yaml"
    rules.write_text(SHORTEST + "record_days: {spot_check: 1200}\n", encoding="utf-8")
    with Project(folder).context(as_of=DAYS[0]) as ctx:
        needed = least_record_days(ctx)["spot_check"]
        assert needed > 1800  # 60 months
        with pytest.raises(ProjectError, match=f"spot_check: models learn from {needed} days of it, got 1200"):
            retain(ctx)
    rules.unlink()
    with Project(folder).context(as_of=DAYS[0]) as ctx:
        assert retain(ctx).rows == {}


def test_what_an_open_case_rests_on_stays_after_its_warning_recovered(tmp_path: Path) -> None:
    project = desk_project(tmp_path / "desk")
    gone = [dataclasses.replace(one, state="recovered", grade=Grade.NONE) for one in WARNINGS]
    put(project, "r1", tuple(gone))
    with project.store() as store:
        store.start_run("r2", pipeline="earlier", as_of=DESK_DAY, now=NOW, definitions={})
        store.write_run_results("r2", now=NOW, assessments=[AssessmentRow("a", DESK_DAY, "product", "P0601", "220200", "II", {})])
    later = DESK_DAY + dt.timedelta(days=900)

    def goes() -> dict[str, int]:
        with project.context(as_of=later) as ctx:
            return retain(ctx, dry_run=True).rows

    assert goes().get("assessment", 0) == 0
    for warning in gone:
        for actor in ("jilin-analyst", "jilin-head"):
            with project.context(as_of=later) as ctx:
                if not casework.read_register(ctx).cases[warning.warning_id].closed:
                    casework.act_on(ctx, casework.Selection(ids=(warning.warning_id,)), Request("close", actor, later, "", reason="true"))
    assert goes()["assessment"] == 1
