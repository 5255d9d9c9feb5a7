"""What recalls, laboratories and claimants say reaches the assessment through a run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from riskwatch.api import Project
from riskwatch.assessment import from_payload
from riskwatch.runner.quality import reporter_state

LAST = dt.date(2025, 12, 31)


def test_recalls_that_ended_with_their_hazards_are_flags(demo_project: Path) -> None:
    """Power tillers (H11): the hazard ended on 2025-06-08, its recall on 2025-08-22, less than 180 days before."""
    with Project(demo_project).context(as_of=LAST, dry_run=True) as ctx:
        flags = [flag for flag in reporter_state(ctx).flags if flag["kind"] == "recall-completed"]
    assert {"kind": "recall-completed", "product": "P0807", "region": "220000", "since": "2025-08-22"} in flags
    assert not {"P0302", "P0402"} & {flag["product"] for flag in flags}, "their recalls run"


def test_ninety_complaints_of_one_claimant_are_no_warning(demo_project: Path) -> None:
    project = Project(demo_project)
    ledger = pd.read_csv(project.data / "demo_truth" / "ledger.csv", dtype=str).set_index("hazard_id")
    decoy = ledger.loc["D06"]
    assert decoy["kind"] == "decoy-claimant"
    with project.store() as store:
        written = store.read_records("complaint", columns=["product", "complainant"], as_of=LAST, since=dt.date(2025, 11, 1), until=LAST)
        found = [from_payload(row.payload) for row in store.read_assessments(as_of=LAST)]
    own = written.loc[(written["product"] == decoy["products"]).to_numpy(), "complainant"].astype("object").value_counts()
    assert own.iloc[0] == 90
    about = [one for one in found if one.subject.code == decoy["products"] and any(e.stream == "complaint" for e in one.evidence)]
    assert [one.grade.name for one in about if one.grade.name in ("I", "II", "III", "IV")] == []
