"""Warnings against injected hazards: how many in time, how right, how many false.

python benchmarks/bench_warnings.py FOLDER --seeds 201 202 203 --stride 7   # measures, or reads back what FOLDER already holds
python benchmarks/bench_warnings.py FOLDER --seeds 201 202 203 --write      # puts the tables into docs/warnings_measured.md

For each seed a province with the demonstration's ledger and generated hazards is received once, and ``detect``, ``assess`` and ``warn``
are run as of every ``--stride``-th day of 2025, and on the last day on which a warning of a hazard of II or higher is in time; a
warning is noticed on the day of a run, so up to ``stride`` - 1 days are added to other delays. FOLDER keeps the stores and logs: a
replay is made again only with ``--again``, and goes on where it was for later days. Seeds 101 and 102 were looked at while models were
set; use others.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from warnings_judge import GRADES, WITHIN_DAYS, Places, high_warnings, judge_hazard, onset, per_centre_month
from warnings_observer import Observer, Seen
from warnings_replay import END, FIRST_HAZARD, FIRST_RUN, LAST_RUN, START, build, hazards_of, replay, run_days

from riskwatch.datasets.codelists import build_world

ROOT = Path(__file__).resolve().parent.parent
CENTRES = ("220000", "220100", "220200", "220300", "220400", "220500", "220600", "220700", "220800", "222400")
TARGETS = {"in time": 0.90, "scope": 0.85, "grade within one": 0.95, "product and region": 0.95}
MARK = "<!-- measured: {} -->"


def observed(folder: Path, seed: int, count: int) -> dict[str, Seen]:
    """Return when a perfect observer sees each hazard of a seed; read back from FOLDER if it is there."""
    kept = folder / f"seen-{seed}.json"
    hazards = hazards_of(seed, count)
    if not kept.is_file():
        observer = Observer(seed, START, END, hazards)
        found = {one.hazard_id: observer.sees(one) for one in hazards if one.kind == "hazard" and onset(one) >= FIRST_RUN}
        kept.write_text(json.dumps({name: dataclasses.asdict(seen) for name, seen in found.items()}, default=str), encoding="utf-8")
    stored = json.loads(kept.read_text(encoding="utf-8"))
    day = {
        name: {key: None if value is None else dt.date.fromisoformat(value) for key, value in seen.items()} for name, seen in stored.items()
    }
    return {name: Seen(**days) for name, days in day.items()}


def last_days(folder: Path, seed: int, count: int) -> set[dt.date]:
    """Return, for each hazard of II or higher, the last day on which a warning of it is in time: whether it is then hangs on no stride."""
    seen = observed(folder, seed, count)
    graded = [one for one in hazards_of(seed, count) if one.grade_expected in ("I", "II") and one.hazard_id in seen]
    days = {first + dt.timedelta(days=WITHIN_DAYS) for one in graded if (first := seen[one.hazard_id].first) is not None}
    return {day for day in days if FIRST_RUN <= day <= LAST_RUN}


def logged(folder: Path, seed: int, *, count: int, stride: int, again: bool, until: dt.date, follow: int) -> list[dict]:
    """Return the log of a seed's replay, made if it is not there."""
    log, built = folder / f"log-{seed}.jsonl", folder / f"built-{seed}"
    last = until + dt.timedelta(days=follow)
    in_time = {day for day in last_days(folder, seed, count) if day <= until}
    days = [day for day in sorted({*run_days(stride), *in_time}) if day <= last]
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    if again:
        log.unlink(missing_ok=True)
    if again or len(lines) < len(days):
        build(built, seed, count)
        replay(built, folder / f"run-{seed}", days, log)
        lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["day"] <= last.isoformat()]


def scores(rows: pd.DataFrame) -> dict[str, object]:
    """Return shares of a group of judged hazards; scope, grade and place of those warned of."""
    found = rows[rows["warned"].notna()]
    delays = rows["delay_statistics"].dropna().astype(float)
    share = {
        "in time": rows["in_time"].mean(),
        "in time, by statistics": rows["in_time_statistics"].mean(),
        "warned": len(found) / max(1, len(rows)),
        "scope": found["scope_right"].mean(),
        "scope, one place is isolated": found["scope_near"].mean(),
        "scope, as records tell": found["scope_told"].mean(),
        "grade within one": found["grade_near"].mean(),
        "grade": found["grade_exact"].mean(),
        "product and region": len(found) / max(1, int(rows["touched"].sum())),
        "place exact": found["place_exact"].mean(),
    }
    after = (pd.to_datetime(found["warned"]) - pd.to_datetime(found["onset"])).dt.days
    return {
        "hazards": len(rows),
        **{name: "–" if pd.isna(value) else f"{value:.0%}" for name, value in share.items()},
        "days": quartiles(delays),
        "days after the onset": quartiles(after),
    }


def quartiles(days: pd.Series) -> str:
    """Return the quartiles of some days."""
    return " / ".join(f"{value:.0f}" for value in np.percentile(days, [25, 50, 75])) if len(days) else "–"


def markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    cells = frame.astype(str)
    lines = ["| " + " | ".join(map(str, cells.columns)) + " |", "|" + "---|" * cells.shape[1]]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in cells.to_numpy()])


def tables(rows: pd.DataFrame, high: pd.DataFrame, places: Places, *, months: float) -> str:
    """Return all tables of the page."""
    seen = rows[rows["seen"].notna()]
    grave = seen[seen["grade"].isin(["I", "II"])]
    groups = [
        ("**grade II or higher**", grave),
        ("all grades", seen),
        ("grade II or higher, generated", grave[grave["hazard"].str.startswith("R")]),
    ]
    by_kind = [(f"{scope}, {stream}", part) for (scope, stream), part in grave.groupby(["scope", "stream"], sort=True)]
    by_grade = [(f"grade {grade}", part) for grade, part in seen.groupby("grade", sort=True)]
    parts = ["### Reached", markdown(pd.DataFrame([{"": name, **scores(part)} for name, part in groups]))]
    parts += ["### By kind, grade II or higher", markdown(pd.DataFrame([{"kind": name, **scores(part)} for name, part in by_kind]))]
    parts += ["### By expected grade", markdown(pd.DataFrame([{"": name, **scores(part)} for name, part in by_grade]))]
    found = grave[grave["warned"].notna()]
    for title, column, order in (
        ("Scope: injected (rows), warned (columns)", "scope", ["isolated", "regional", "industry-wide", "systemic"]),
        ("Grade: expected (rows), warned (columns)", "grade", list(GRADES[::-1])),
    ):
        part = found if column == "scope" else seen[seen["warned"].notna()]
        table = pd.crosstab(part[column], part[f"warned_{column}"]).reindex(index=order, columns=order, fill_value=0)
        parts += [f"### {title}", markdown(table.reset_index())]
    false = high[high["explained"] == ""]
    rows_of = [
        ("no hazard explains it", false),
        ("of these on statistics", false[false["basis"] == "statistics"]),
        ("of these on a recorded event alone (floor)", false[false["basis"] != "statistics"]),
        ("in a decoy", false[false["decoy"] != ""]),
    ]
    lines = []
    for name, part in rows_of:
        rate = per_centre_month(part, CENTRES, places, months=months)
        lines.append(
            {
                "warnings of III or higher": name,
                "number": len(part),
                "per centre and month": f"{rate.mean():.2f}",
                "province's centre": f"{rate.iloc[0]:.1f}",
                "worst prefecture": f"{rate.iloc[1:].max():.1f}",
            }
        )
    parts += ["### False warnings", markdown(pd.DataFrame(lines)), "By what they rest on:"]
    basis = false.groupby("basis").size().sort_values(ascending=False)
    parts.append(markdown(basis.rename("number").reset_index()))
    late = grave[~grave["in_time_statistics"]]
    columns = [
        "seed",
        "hazard",
        "scope",
        "stream",
        "grade",
        "products",
        "regions",
        "seen",
        "warned",
        "delay",
        "delay_statistics",
        "warned_code",
    ]
    parts += ["### Missed or late by statistics", markdown(late[columns])]
    return "\n\n".join(parts)


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203])
    parser.add_argument("--count", type=int, default=24, help="generated hazards per seed")
    parser.add_argument("--stride", type=int, default=7, help="days between runs")
    parser.add_argument(
        "--until", type=dt.date.fromisoformat, default=LAST_RUN, help="last day of the replay; hazards seen too late for it are left out"
    )
    parser.add_argument(
        "--follow", type=int, default=0, help="days after --until for which the warnings of the counted hazards are looked at"
    )
    parser.add_argument("--again", action="store_true", help="replay again, with the definitions of this checkout")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/warnings_measured.md")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    places = Places.of(build_world())
    rows, high, chance = [], [], []
    asked = {name: getattr(options, name) for name in ("count", "stride", "again", "until", "follow")}
    logs = {seed: logged(options.folder, seed, **asked) for seed in options.seeds}
    for seed, log in logs.items():
        hazards, seen = hazards_of(seed, options.count), observed(options.folder, seed, options.count)
        judged = options.until - dt.timedelta(days=0 if options.until == LAST_RUN else WITHIN_DAYS)
        seen = {name: one for name, one in seen.items() if one.first is None or one.first <= judged}
        rows += [{"seed": seed, **judge_hazard(log, one, seen[one.hazard_id], places)} for one in hazards if one.hazard_id in seen]
        counted = [line for line in log if line["day"] <= options.until.isoformat()]
        high.append(high_warnings(counted, hazards, places, since=FIRST_HAZARD).assign(seed=seed))
        # The hazards of a seed against the warnings of another: what agrees does so by chance (only generated ones; the ledger is in both).
        for other, foreign in logs.items():
            if other != seed:
                drawn = [one for one in hazards if one.hazard_id.startswith("R") and one.hazard_id in seen]
                chance += [judge_hazard(foreign, one, seen[one.hazard_id], places) for one in drawn]
    found = pd.DataFrame(rows)
    months = len(options.seeds) * (options.until - FIRST_HAZARD).days / 30.44
    found.to_csv(options.folder / "hazards.csv", index=False)
    pd.concat(high).to_csv(options.folder / "high.csv", index=False)
    seen = found[found["seen"].notna()]
    said = (
        f"Seeds {', '.join(map(str, options.seeds))}, {options.count} generated hazards each, runs every {options.stride} days (and on the "
        f"last day in time of each hazard of II or higher) from {FIRST_RUN} to {options.until}: {len(found)} hazards, of which a perfect "
        f"observer sees {len(seen)}; of grade II or higher {int(seen['grade'].isin(['I', 'II']).sum())}."
        + (f" Their warnings are followed for {options.follow} days more." if options.follow else "")
    )
    text = f"{said}\n\n{tables(found, pd.concat(high), places, months=months)}"
    if chance:
        other = pd.DataFrame(chance)
        other = other[other["seen"].notna() & other["grade"].isin(["I", "II"])]
        text += (
            f"\n\nBy chance: matched with the warnings of other seeds, {other['in_time'].mean():.0%} of the generated hazards of grade II "
            f"or higher would count as warned in time, {other['in_time_statistics'].mean():.0%} by statistics ({len(other)} pairs)."
        )
    print(text)
    if options.write:
        page = ROOT / "docs" / "warnings_measured.md"
        pattern = re.compile(re.escape(MARK.format("begin")) + ".*" + re.escape(MARK.format("end")), re.DOTALL)
        made = f"{MARK.format('begin')}\n{text}\n{MARK.format('end')}"
        page.write_text(pattern.sub(lambda _: made, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
