"""One pipeline run on the demonstration province: what it decides, that it repeats nothing, and that a kill changes nothing."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.errors import AsOfError, LeaseHeldError
from riskwatch.project import init_project
from riskwatch.runner import overrides as detecting
from riskwatch.runner import panels
from riskwatch.store import Store

LAST = dt.date(2025, 12, 31)


def state_of(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a run decides, without the instants at which it happened and the numbers of batches."""
    queries = {
        "spot_check": "select source, record_key, version, known_at, superseded_at, content_hash from record_spot_check",
        "injury": "select source, record_key, version, known_at, superseded_at, content_hash from record_injury",
        "notice": "select source, record_key, version, known_at, superseded_at, content_hash from record_external_notice",
        "items": "select record_key, item_no, item, i.verdict from record_spot_check_item i join record_spot_check using (record_id)",
        "quarantine": "select source, row_no, field, rule, state from quarantine",
        "batch": "select source, name, first_row, n_rows, state from batch",
        "signal": "select * from signal",
        "assessment": "select assessment_id, as_of, grade, payload from assessment",
        "warning": "select * from warning",
        "event": "select warning_id, as_of, seq, kind, reason, payload from warning_event",
        "digest": "select * from digest",
        "lease": "select * from lease",
    }
    connection = sqlite3.connect(folder / "var" / "demo" / "riskwatch.db")
    found = {name: sorted(connection.execute(query).fetchall(), key=repr) for name, query in queries.items()}
    connection.close()
    return found


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "var" / "demo" / "digests").rglob("*.*"))}


def test_digests_for_every_centre_in_both_languages(demo_project: Path) -> None:
    project = Project(demo_project)
    texts = texts_of(demo_project)
    assert set(texts) == {f"{c}.{f}" for c in project.definitions.centres for f in ("zh.html", "zh.md", "en.html", "en.md", "json")}
    for name, text in texts.items():
        if name.endswith(("zh.html", "zh.md")):
            assert "模拟数据" in text
        elif name.endswith(("en.html", "en.md")):
            assert "SIMULATED" in text.upper()


def test_hazards_of_the_ledger_are_warned_of(demo_project: Path) -> None:
    """Active hazards expected at II or higher have a warning on one of their products, or on the category of several."""
    import pandas as pd

    project = Project(demo_project)
    warnings = project.warnings()
    ledger = pd.read_csv(project.data / "demo_truth" / "ledger.csv", dtype=str)
    active = ledger[(ledger["active_at_end"] == "True") & ledger["grade_expected"].isin(["I", "II"])]
    assert len(active) >= 2
    for products in active["products"].str.split(";"):
        above = {code[:3] for code in products} if len(products) > 1 else set()
        found = warnings[warnings["code"].isin({*products, *above})]
        assert found["grade"].isin(["I", "II"]).any(), products


def test_no_personal_data_in_digests(demo_project: Path) -> None:
    project = Project(demo_project)
    checks = project.records("spot_check", columns=["producer", "producer_name", "sampled_name", "event_date"])
    injuries = project.records("injury", columns=["hospital", "narrative", "event_date"])
    recent = checks[checks["event_date"] >= "2025-11-01"]
    planted = {*recent["producer"].dropna().astype(str), *recent["producer_name"].dropna().astype(str), *recent["sampled_name"].dropna()}
    planted |= {*injuries["hospital"].dropna().astype(str).unique()}
    planted |= {text for text in injuries["narrative"].dropna().astype(str).unique() if len(text) > 12}
    texts = "\n".join(texts_of(demo_project).values())
    assert len(planted) > 50
    assert [value for value in planted if len(value) > 3 and value in texts] == []


def test_second_run_decides_nothing_new_and_refits_nothing(own_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, texts = state_of(own_demo), texts_of(own_demo)

    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a second run on unchanged data must not fit again")

    monkeypatch.setattr(panels, "build_panel", refuse)
    report = Project(own_demo).run("daily")
    assert report.unchanged
    assert state_of(own_demo) == before
    assert texts_of(own_demo) == texts


def test_a_changed_threshold_refits_its_model_only(own_demo: Path) -> None:
    path = own_demo / "models" / "injury_counts.yaml"
    text = path.read_text(encoding="utf-8")
    assert "    alpha: 0.002" in text
    path.write_text(text.replace("    alpha: 0.002", "    alpha: 0.003"), encoding="utf-8")
    report = Project(own_demo).run("daily")
    assert not report.unchanged
    assert "spot-check-failures" in report.reused_models
    assert "injury-counts" not in report.reused_models


def test_next_day_repeats_nothing_that_has_not_changed(own_demo: Path) -> None:
    first = Project(own_demo).warnings()
    report = Project(own_demo).run("daily", as_of="2026-01-01")
    after = Project(own_demo).warnings()
    assert report.events.get("new", 0) < len(first) / 4
    assert (after["state"] == "unchanged").sum() > len(first) / 2
    assert set(report.reused_models), "no new week is ripe, no record is new: models must not be fitted again"


def test_silence_is_not_recovery(own_demo: Path) -> None:
    """Two months without data: sources are reported as silent, and no warning on their evidence is called recovered."""
    report = Project(own_demo).run("daily", as_of="2026-03-05")
    connection = sqlite3.connect(own_demo / "var" / "demo" / "riskwatch.db")
    causes = [json.loads(row[0])["cause"] for row in connection.execute("select payload from warning_event where kind = 'recovered'")]
    assert "judged-clear" not in causes
    digest = json.loads((own_demo / "var/demo/digests/2026-03-05/jilin-province.json").read_text(encoding="utf-8"))
    states = {source["source"]: source["state"] for source in digest["quality"]["sources"]}
    # Figures of indicators come by the quarter: two months without one are late at most. Trade notices are few.
    assert {name for name, state in states.items() if state == "late"} == {"quality-indicators", "trade-notices"}
    # Registers change seldom, and an accident is not due.
    seldom = {"enterprise-credit", "certificates", "laboratories", "recalls", "accident-reports"}
    assert {name for name, state in states.items() if state == "on-time"} == seldom
    assert {name for name, state in states.items() if state == "silent"} >= {
        "provincial-spot-checks",
        "hospital-injury-cards",
        "complaints",
    }
    assert report.exit_code == 0


def test_the_past_is_refused_but_may_be_looked_at(own_demo: Path) -> None:
    before = state_of(own_demo)
    with pytest.raises(AsOfError, match=r"(?s)2025-06-30 lies before 2025-12-31.*--dry-run"):
        Project(own_demo).run("daily", as_of="2025-06-30")
    report = Project(own_demo).run("daily", as_of="2025-06-30", dry_run=True)
    assert report.records["injury"] < Project(own_demo).run("daily").records["injury"]
    assert state_of(own_demo) == before
    assert (own_demo / "var" / "demo" / "dry-run" / "2025-06-30" / "jilin-province.zh.html").is_file()


def test_two_runs_at_once_the_second_names_the_holder(own_demo: Path) -> None:
    project = Project(own_demo)
    with project.leased(label="daily"), pytest.raises(LeaseHeldError, match=r"held by daily on .*process"):
        Project(own_demo).run("daily")


def test_a_model_that_breaks_does_not_stop_the_others(own_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = detecting.detector

    def broken(name: str, **parameters: Any) -> Any:
        if name == "binomial-baseline":
            raise ValueError("broken on purpose")
        return real(name, **parameters)

    monkeypatch.setattr(detecting, "detector", broken)
    report = Project(own_demo).run("daily", as_of="2026-01-20")
    broken_models = {name for name, model in Project(own_demo).definitions.models.items() if model.detector == "binomial-baseline"}
    assert "spot-check-failures" in broken_models
    assert report.failed_models == dict.fromkeys(broken_models, "ValueError: broken on purpose")
    assert report.exit_code == 1
    digest = json.loads((own_demo / "var/demo/digests/2026-01-20/jilin-province.json").read_text(encoding="utf-8"))
    assert project_label(own_demo) in json.dumps(digest["quality"], ensure_ascii=False)


def project_label(folder: Path) -> str:
    return Project(folder).definitions.models["spot-check-failures"].label.en


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "demo"
    init_project(folder)
    datasets.simulate_province(seed=3, scale=0.05).write(folder / "data")
    return folder


@pytest.fixture(scope="module")
def uninterrupted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, str]]:
    folder = tmp_path_factory.mktemp("whole") / "demo"
    shutil.copytree(small, folder)
    Project(folder).run("daily")
    return state_of(folder), texts_of(folder)


# A few points with all models of the demonstration; tests/faults kills runs of a small province at every commit.
@pytest.mark.parametrize(("method", "call", "after"), [("ingest", 9, True), ("write_run_results", 1, False)])
def test_killed_and_started_again_ends_the_same(
    method: str,
    call: int,
    after: bool,
    small: Path,
    uninterrupted: tuple[dict[str, Any], dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(small, folder)
    real = getattr(Store, method)
    calls = 0

    def deadly(self: Store, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = real(self, *args, **kwargs)
        if calls == call:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Store, method, deadly)
        with pytest.raises(Killed):
            Project(folder).run("daily")
    Project(folder).run("daily", wait_seconds=0)
    state, texts = uninterrupted
    found = state_of(folder)
    for name, rows in state.items():
        assert found[name] == rows, name
    assert texts_of(folder) == texts
