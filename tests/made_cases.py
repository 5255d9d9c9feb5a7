"""A project with four stored warnings and no records: what the tests of casework on a store need, made in one place."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from riskwatch.api import Project
from riskwatch.assessment import Grade, Scope, Subject
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.project import init_project
from riskwatch.store import EventRow, WarningRow

DAY = dt.date(2025, 12, 1)
NOW = dt.datetime(2025, 12, 1, 1, tzinfo=dt.UTC)
# Nothing is known: the one model judges nothing, and warnings stay as they are.
PIPELINE = """name: desk
label: {zh: 席位, en: desk}
steps:
  - {step: detect, models: [complaints]}
  - step: assess
  - step: warn
  - step: digest
"""
CENTRES = """centres:
  - {name: jilin-province, label: {zh: 吉林省, en: Jilin}, region: "220000", languages: [en], profiles: [demo]}
  - {name: real-all, label: {zh: 公开数据, en: public data}, region: "", profiles: [real]}
"""


def warned(number: int, grade: Grade, region: str, product: str = "P0601") -> EarlyWarning:
    return EarlyWarning(
        warning_id=f"{number}" * 16,
        fingerprint=f"f{number}",
        subject=Subject("product", product, region),
        state="new",
        grade=grade,
        scope=Scope.REGIONAL,
        hazard="electrical",
        first_seen=DAY,
        last_seen=DAY,
        last_changed=DAY,
        last_run=DAY,
        opened=DAY,
        proposed_on=DAY,
        series=(("injury-weekly", "", product, "", region),),
    )


WARNINGS = (
    warned(1, Grade.II, "220200"),
    warned(2, Grade.III, "220200", "P0602"),
    warned(3, Grade.IV, "220202", "P0701"),
    warned(4, Grade.IV, "220203", "P0701"),
)


def put(project: Project, run: str, warnings: tuple[EarlyWarning, ...], events: tuple[WarningEvent, ...] = ()) -> None:
    """Store warnings and events as an earlier run would have left them."""
    rows = [
        WarningRow(
            one.warning_id, one.last_run, one.fingerprint, "product", one.subject.code, one.subject.region, one.state, one.grade.name,
            one.scope.value, one.first_seen, one.last_seen, one.to_payload(),
        )
        for one in warnings
    ]  # fmt: skip
    kept = [
        EventRow(one.warning_id, one.as_of, 0, one.kind, one.reason, one.grade_before.name, one.grade_after.name, one.to_payload())
        for one in events
    ]
    with project.store() as store:
        store.start_run(run, pipeline="earlier", as_of=DAY, now=NOW, definitions={})
        store.write_run_results(run, now=NOW, warnings=rows, events=kept)


def opened(warning: EarlyWarning, day: dt.date = DAY, kind: str = "new") -> WarningEvent:
    return WarningEvent(
        f"{kind}{warning.warning_id}"[:16], warning.warning_id, day, kind, "opened", {"zh": "新", "en": "new"}, Grade.NONE, warning.grade
    )


def desk_project(folder: Path) -> Project:
    """Make the project, with a pipeline that only advances its warnings and writes digests."""
    made = init_project(folder)
    (made / "pipelines" / "desk.yaml").write_text(PIPELINE, encoding="utf-8")
    (made / "config" / "centres.yaml").write_text(CENTRES, encoding="utf-8")
    (made / "config" / "delivery.yaml").unlink()
    project = Project(made)
    put(project, "r0", WARNINGS, tuple(map(opened, WARNINGS)))
    return project
