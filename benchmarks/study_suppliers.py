"""Whether suppliers of failed samples tell industry-wide from systemic hazards: verdicts on provinces whose hazards are known.

python benchmarks/study_suppliers.py --seeds 301 302 303

For each systemic or industry-wide hazard that shows in samples, on its 28th day and on its last: the failures of its item and category that
are known by then, as a concern about it would read them (riskwatch.assessment.tracing). Neither places nor alarms are looked at.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from warnings_replay import END, START, hazards_of

from riskwatch.assessment import GradingRules
from riskwatch.assessment.rules import ScopeRules
from riskwatch.assessment.suppliers import SupplierFigures, standing_out
from riskwatch.datasets import Hazard
from riskwatch.datasets.codelists import World, build_world
from riskwatch.datasets.enterprises import build_enterprises
from riskwatch.datasets.hospitals import build_hospitals
from riskwatch.datasets.rhythm import DayAxis
from riskwatch.datasets.scene import Scene
from riskwatch.datasets.spot_checks import simulate_spot_checks

ROOT = Path(__file__).resolve().parent.parent
AFTER_DAYS = 28


def failures_of(seed: int, world: World) -> tuple[tuple[Hazard, ...], pd.DataFrame]:
    """Return the hazards of a seed, and its samples with the codes of the items that each failed."""
    axis, hazards = DayAxis.between(START, END), hazards_of(seed, 24)
    scene = Scene(world, axis, seed, 1.0, hazards, build_enterprises(world, seed), build_hospitals(world, axis, hazards, 15))
    samples, items, _ = simulate_spot_checks(scene)
    codes = items.astype({"code": str}).groupby("record_key", observed=True)["code"].agg(set)
    failing = samples[samples["record_key"].isin(codes.index) & (samples["selection"] != "follow-up")]
    return hazards, failing.assign(items=failing["record_key"].map(codes))


def verdict(hazard: Hazard, samples: pd.DataFrame, day: dt.date, world: World, rules: ScopeRules) -> SupplierFigures:
    """Return what suppliers say of a hazard on a day."""
    own = rules.suppliers
    table = world.products
    category = set(table.loc[table["parent"].isin(table.loc[table["code"].isin(hazard.products), "parent"]), "code"])
    known = (
        samples[samples["known_on"] <= pd.Timestamp(day)].sort_values("version", kind="stable").drop_duplicates("record_key", keep="last")
    )
    first = pd.Timestamp(day - dt.timedelta(days=own.window_days))
    inside = (known["failed"] > 0) & known["product"].astype(str).isin(category)
    failed = known[inside & (known["event_date"] >= first - pd.Timedelta(days=own.usual_days))]
    now = (failed["event_date"] >= first).to_numpy()
    item = np.array([not hazard.item or hazard.item in some for some in failed["items"]], dtype=np.bool_)
    others = int((~item & ~now).sum())
    pace = int((~item & now).sum()) / others if others >= own.min_known else own.window_days / own.usual_days
    return standing_out(failed[now & item], failed[~now], rules, expected=pace * int((item & ~now).sum()))


def main() -> None:
    """Print one row per hazard and day, and the table of verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303])
    options = parser.parse_args()
    rules = GradingRules.model_validate(YAML(typ="safe").load((ROOT / "config" / "grading.yaml").read_text(encoding="utf-8"))).scope
    world = build_world()
    rows = []
    for seed in options.seeds:
        hazards, samples = failures_of(seed, world)
        for hazard in hazards:
            # The province begins in 2021: before that there is nothing usual to compare with.
            if hazard.scope not in {"industry-wide", "systemic"} or not hazard.in_spot_checks or hazard.start.year <= START.year:
                continue
            for when, day in (("day 28", hazard.start + dt.timedelta(days=AFTER_DAYS)), ("last day", min(hazard.end or END, END))):
                found = verdict(hazard, samples, day, world, rules)
                rows.append(
                    {
                        "seed": seed,
                        "hazard": hazard.hazard_id,
                        "scope": hazard.scope,
                        "when": when,
                        "failed": found.failed,
                        "expected": round(found.expected, 1),
                        "known": found.known,
                        "same": found.same,
                        "firms": found.producers,
                        "p": found.p_value,
                        "verdict": found.verdict,
                    }
                )
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(pd.crosstab([table["scope"], table["when"]], table["verdict"]).to_string())


if __name__ == "__main__":
    main()
