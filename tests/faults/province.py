"""A province small enough to be run, killed and run again hundreds of times: three sources, two models, two centres."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.casework.silences import Matcher
from riskwatch.casework.verbs import Request
from riskwatch.project import init_project
from riskwatch.runner import casework

__all__ = ["FIRST_DAY", "KEPT", "NEXT_DAY", "deliver", "handle", "keep", "make_province"]

FIRST_DAY = dt.date(2025, 11, 15)
NEXT_DAY = dt.date(2025, 12, 31)
HANDLED_AT = dt.datetime(2025, 11, 15, 2, tzinfo=dt.UTC)

# What stays of the template, by the key of its file: enough for records, quarantine, signals, warnings and digests to be written.
KEPT: Mapping[str, Sequence[str]] = {
    "sources": ("provincial-spot-checks", "hospital-injury-cards", "complaints"),
    "models": ("spot-check-failures", "complaints"),
    "centres": ("jilin-province", "changchun"),
}
FOLDERS = ("spot_checks", "injuries", "complaints")


def keep(project: Path, kept: Mapping[str, Sequence[str]]) -> None:
    """Take everything but the named entries out of the project's definitions; a file without entries goes."""
    yaml = YAML()
    yaml.width = 10_000
    for path in [*project.glob("config/sources/*.yaml"), *project.glob("models/*.yaml"), project / "config" / "centres.yaml"]:
        content = yaml.load(path.read_text(encoding="utf-8"))
        (key,) = (name for name in kept if name in content)
        content[key] = [entry for entry in content[key] if entry["name"] in kept[key]]
        if "tests" in content:
            content["tests"] = [test for test in content["tests"] if test["model"] in kept["models"]]
        if content[key]:
            yaml.dump(content, path)
        else:
            path.unlink()
    # What the demonstration sends to one centre goes to the first that is left.
    delivery = project / "config" / "delivery.yaml"
    content = yaml.load(delivery.read_text(encoding="utf-8"))
    for route in content["routes"]:
        route["centres"] = [kept["centres"][0]]
    yaml.dump(content, delivery)


def make_province(folder: Path, *, seed: int = 1, scale: float = 0.03, kept: Mapping[str, Sequence[str]] | None = KEPT) -> None:
    """Make a project in ``folder``; files that arrive after :data:`FIRST_DAY` lie in ``late/`` until :func:`deliver` drops them.

    With ``kept=None`` it is the demonstration as it is, all sources, models and centres: a run takes minutes.
    """
    init_project(folder)
    if kept is not None:
        keep(folder, kept)
    datasets.simulate_province(seed=seed, scale=scale, start=dt.date(2024, 7, 1), malformed=12).write(folder / "data")
    demo = folder / "data" / "demo"
    for other in demo.iterdir():
        if kept is not None and other.name not in FOLDERS:
            shutil.rmtree(other)
    # Every file is two transactions: those of a year and a half would make most of a run, and most kills, one of reading files.
    old = [*demo.glob("injuries/2024*"), *demo.glob("injuries/2025-0[1-7]*"), *demo.glob("spot_checks/2024*")]
    for path in old if kept is not None else ():
        path.unlink()
    late = folder / "late"
    for path in demo.glob("injuries/2025-12*"):
        (late / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(late / path.parent.name / path.name)


def deliver(folder: Path) -> None:
    """Drop the late files on the sources' folders."""
    for path in sorted((folder / "late").rglob("*.*")):
        shutil.copy(path, folder / "data" / "demo" / path.parent.name / path.name)


def handle(folder: Path, database: str = "") -> None:
    """Let desks deal with what the first run found: all acknowledged, one commented on, its goods silenced; their terms run out."""
    os.environ["FAULTS_DATABASE"] = database
    project = Project(folder, settings={"settings.database": "env:FAULTS_DATABASE"} if database else {}, clock=lambda: HANDLED_AT)
    with project.context(as_of=FIRST_DAY) as ctx:

        def act(verb: str, actor: str, *names: str, **more: str) -> None:
            casework.act_on(ctx, casework.Selection(ids=names), Request(verb, actor, FIRST_DAY, "", **more))

        register = casework.read_register(ctx)
        levels = {
            name: register.cases[name].standing(warning.grade).name for name, warning in sorted(register.warnings.items()) if warning.live
        }
        act("ack", "jilin-duty", *levels)
        quiet = [name for name, level in levels.items() if level in {"III", "IV"}]
        act("comment", "jilin-analyst", quiet[0], note="samples drawn again")
        product = register.warnings[quiet[-1]].subject.code
        casework.add(
            ctx, Matcher(product=product, region="220000"), until=dt.date(2026, 1, 31), reason="campaign under way", actor="jilin-head"
        )
