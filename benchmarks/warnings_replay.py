"""One simulated province, replayed day by day through the project's own pipelines, and what it warned of: used by bench_warnings.py."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.datasets import Hazard
from riskwatch.datasets.codelists import build_world

ROOT = Path(__file__).resolve().parent.parent
START, END = dt.date(2021, 1, 1), dt.date(2025, 12, 31)
# Generated hazards lie between these days, so that each has time to be seen; the replay begins before, so that no run is the store's first.
FIRST_HAZARD, LAST_HAZARD = dt.date(2025, 1, 20), dt.date(2025, 12, 14)
FIRST_RUN, LAST_RUN = dt.date(2024, 12, 31), dt.date(2025, 12, 30)
PIPELINES = {"receive": ("pull",), "replay": ("detect", "assess", "warn")}


def hazards_of(seed: int, count: int) -> tuple[Hazard, ...]:
    """Return the demonstration's own hazards and decoys, and ``count`` generated ones with products of their own."""
    world = build_world()
    usual = datasets.default_hazards(START, END, world)
    recent = {product for hazard in usual if hazard.end is None or hazard.end >= FIRST_HAZARD for product in hazard.products}
    drawn = datasets.random_hazards(seed, count, first=FIRST_HAZARD, last=LAST_HAZARD, avoid=recent, world=world) if count else ()
    return (*usual, *drawn)


def run_days(stride: int) -> list[dt.date]:
    """Return every ``stride``-th day from the first to the last run."""
    return [FIRST_RUN + dt.timedelta(days=number) for number in range(0, (LAST_RUN - FIRST_RUN).days + 1, stride)]


def build(folder: Path, seed: int, count: int) -> None:
    """Make the project of a seed with all its records in the store, unless it is there; records carry the day they became known."""
    if (folder / "received").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    _define(folder)
    datasets.simulate_province(seed=seed, start=START, end=END, hazards=hazards_of(seed, count), malformed=0).write(
        folder / "data", formats="plain"
    )
    report = Project(folder).run("receive", as_of=END)
    assert not report.faults
    (folder / "received").write_text("", encoding="utf-8")


def _define(folder: Path) -> None:
    for name in ("config", "models", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    for name, steps in PIPELINES.items():
        lines = "".join(f"  - step: {step}\n" for step in steps)
        text = f"name: {name}\nlabel: {{zh: 回放, en: replay}}\nsteps:\n{lines}"
        (folder / "pipelines" / f"{name}.yaml").write_text(text, encoding="utf-8")


def replay(built: Path, folder: Path, days: Sequence[dt.date], log: Path) -> None:
    """Run a copy of ``built`` as of each day with the definitions of this checkout, and write what stood at the end of each day to ``log``.

    Each line: a day, seconds, counts, and every live warning with what it rests on. Goes on after the last day in the log, where its days
    are the first of these; else begins anew.
    """
    lines = log.read_text(encoding="utf-8").splitlines() if folder.exists() and log.is_file() else []
    done = [json.loads(line)["day"] for line in lines]
    if not done or done != [day.isoformat() for day in days[: len(done)]]:
        done = []
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(built, folder)
    _define(folder)
    project = Project(folder)
    with log.open("a" if done else "w", encoding="utf-8") as out:
        for day in days[len(done) :]:
            started = time.perf_counter()
            report = project.run("replay", as_of=day)
            assert not report.failed_models, report.failed_models
            line = {"day": day.isoformat(), "seconds": time.perf_counter() - started, "series": report.series, "tests": report.tests}
            out.write(json.dumps({**line, "warnings": standing(project, day)}, ensure_ascii=False) + "\n")
            out.flush()


def standing(project: Project, day: dt.date) -> list[dict[str, object]]:
    """Return the live warnings of a day that are reported by themselves, each with its grade, scope, place and what speaks for it."""
    with project.store() as store:
        assessed = {}
        for row in store.read_assessments(as_of=day):
            assessed[row.subject_kind, row.subject_code, row.region] = row.payload
            assessed.setdefault((row.subject_kind, row.subject_code), row.payload)
        rows = [row for row in store.read_warnings(as_of=day) if row.state != "recovered" and row.grade in ("I", "II", "III", "IV")]
    found = []
    for row in rows:
        payload = assessed.get((row.subject_kind, row.subject_code, row.region)) or assessed.get((row.subject_kind, row.subject_code)) or {}
        evidence = payload.get("evidence", [])
        found.append(
            {
                "id": row.warning_id,
                "kind": row.subject_kind,
                "code": row.subject_code,
                "region": row.region,
                "anchor": payload.get("subject", {}).get("region", row.region),
                "grade": row.grade,
                "scope": row.scope,
                "state": row.state,
                "first_seen": row.payload.get("opened") or row.first_seen.isoformat(),  # a handover makes no warning older
                "covered_by": row.payload.get("covered_by", ""),
                "hazard": payload.get("hazard", ""),
                "risk": payload.get("risk", ""),
                "confidence": payload.get("confidence", ""),
                "figures": payload.get("scope_figures", {}),
                "cases": case_regions(payload),
                "floors": sorted({step["rule"] for step in payload.get("steps", []) if step["rule"].startswith("floor.")}),
                "evidence": [
                    [
                        one["model"],
                        one["product"] or one["industry"],
                        one["region"],
                        one["stratum"],
                        one["period_start"],
                        one["observed"],
                        one["expected"],
                        one["q_value"],
                    ]
                    for one in evidence[:12]
                ],
            }
        )
    return found


def case_regions(payload: Mapping[str, Any]) -> list[str]:
    """Return the regions of the cases of an assessment that is a list of single firms' cases; none for any other."""
    facts = payload.get("facts", {})
    return sorted({one["region"] for one in facts.get("speaks_for", ())}) if facts.get("cases_only") else []
