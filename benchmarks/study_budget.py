"""Whether an alert budget that was met on the past is kept afterwards: thresholds fitted on a period, counted on the half year after it.

python benchmarks/study_budget.py --folder province --make              # makes a simulated province there, then as below
python benchmarks/study_budget.py --folder province --make --even 6     # with hazards as often in every half year
python benchmarks/study_budget.py --folder province --levels IV+ III+   # goes on with what was replayed before

Every setting of the knob is replayed once over all days; its warnings are counted in each period to fit on, and those of the setting that
the search chooses in the half year that follows. Warnings live on from one period into the next as they would under that setting all along.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import sys
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML
from scipy import stats

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.backtest.ahead import ahead_after
from riskwatch.backtest.budget import Search, search
from riskwatch.backtest.trials import Runs
from riskwatch.backtest.tune import open_runs
from riskwatch.backtest.tuned import Budget
from riskwatch.datasets import Hazard
from riskwatch.datasets.codelists import build_world
from riskwatch.project import init_project

MODELS = ("injury-counts", "complaints", "spot-check-failures")
WITHIN, BLOCK_WEEKS = 0.25, 4
START, END = dt.date(2021, 7, 1), dt.date(2025, 12, 31)
HALF_YEARS = tuple(dt.date(year, month, 1) for year in (2022, 2023, 2024, 2025) for month in (1, 7))


def even_hazards(seed: int, count: int, scale: float) -> tuple[Hazard, ...]:
    """Return hazards that come as often in every half year: the demonstration's own list has most of them at its end.

    ``count`` are drawn for every year that begins with a half year, so that years overlap and their edges are no gaps; none shares a
    product with one of the year before.
    """
    world = build_world()
    drawn: list[tuple[Hazard, ...]] = []
    for number, first in enumerate(HALF_YEARS):
        recent = {product for these in drawn[-2:] for one in these for product in one.products}
        last = first + dt.timedelta(days=364)
        these = datasets.random_hazards(seed * 100 + number, count, first=first, last=last, scale=scale, avoid=recent, world=world)
        drawn.append(tuple(dataclasses.replace(one, hazard_id=f"Y{number}{one.hazard_id}") for one in these))
    kept = [one for these in drawn for one in these if one.start <= END]
    return tuple(dataclasses.replace(one, end=None) if one.end is not None and one.end > END else one for one in kept)


def make(folder: Path, *, scale: float, seed: int, models: tuple[str, ...], even: int) -> None:
    """Make a demonstration project with some of its models, and run it once so that the store holds the records."""
    init_project(folder)
    yaml = YAML()
    yaml.width = 10_000
    for path in folder.glob("models/*.yaml"):
        content = yaml.load(path.read_text(encoding="utf-8"))
        content["models"] = [one for one in content["models"] if not models or one["name"] in models]
        if "tests" in content:
            content["tests"] = [one for one in content["tests"] if not models or one["model"] in models]
        if content["models"]:
            yaml.dump(content, path)
        else:
            path.unlink()
    hazards = even_hazards(seed, even, scale) if even else None
    datasets.simulate_province(seed=seed, scale=scale, start=START, end=END, hazards=hazards, malformed=0).write(
        folder / "data", formats="plain"
    )
    Project(folder).run("daily", as_of=END)


def days_of(run: Runs, at: int, first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the days on which warnings reached the level within a period under a setting."""
    return [day for day in run.trial(at).rises["day"] if first <= day <= last]


def counted(run: Runs, at: int, first: dt.date, last: dt.date) -> int:
    """Return how many they are."""
    return len(days_of(run, at, first, last))


def main() -> None:
    """Print one line for each level, period and budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--even", type=int, default=0, help="hazards to draw for every year; 0: the demonstration's own list")
    parser.add_argument("--models", nargs="*", default=MODELS, help="none named: all")
    parser.add_argument("--centre", default="220000")
    parser.add_argument("--levels", nargs="+", default=["IV+", "III+"])
    parser.add_argument("--from", dest="first", type=dt.date.fromisoformat, default=dt.date(2024, 1, 10))
    parser.add_argument("--step", type=int, default=14, help="days between run days")
    parser.add_argument("--weeks", type=int, default=104, help="to replay in all")
    parser.add_argument(
        "--fit-weeks", type=int, nargs="+", default=[52], help="to fit on; as many periods as there are, each --after-weeks later"
    )
    parser.add_argument("--after-weeks", type=int, default=26)
    parser.add_argument("--budgets", nargs="+", type=float, default=[0.6, 0.8, 1.0, 1.25], help="times today's rate in the period")
    parser.add_argument("--each", nargs="+", type=int, help="settings (places on the path) whose own rate in the period is the budget")
    parser.add_argument("--knob", default="")
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    if asked.make:
        make(asked.folder, scale=asked.scale, seed=asked.seed, models=tuple(asked.models), even=asked.even)
    week = dt.timedelta(days=7)
    last = asked.first + asked.weeks * week - dt.timedelta(days=1)
    rows = []
    for level in asked.levels:
        budget = Budget(
            asked.folder.resolve(), level, 1.0, asked.centre, last, knob=asked.knob, first=asked.first, last=last, step=asked.step,
            workers=asked.workers,
        )  # fmt: skip
        with open_runs(budget) as run:
            for fit in asked.fit_weeks:
                for number in range((asked.weeks - fit) // asked.after_weeks):
                    begin = asked.first + number * asked.after_weeks * week
                    end = begin + fit * week
                    rows += _period(run, begin, end, end + asked.after_weeks * week, asked)
    table = pd.DataFrame(rows)
    sys.stdout.write(table.to_csv(sep="\t", index=False, float_format="%.3g"))
    met = table[table["met"] == "yes"].drop_duplicates(["level", "fit_from", "after_from", "setting"])
    for fit, part in met.groupby(met["fit_weeks"]):
        sys.stdout.write(_summary(f"{fit:.0f} weeks: ", part))


def _summary(what: str, met: pd.DataFrame) -> str:
    return (
        f"{what}within 25 %: {met['within'].sum()} of {len(met)} different settings; told {met['told'].sum():.1f}; "
        f"a solver that knew the rates: {met['perfect'].sum():.1f}; within the interval told: {met['inside'].sum()}\n"
    )


def _period(run: Runs, begin: dt.date, end: dt.date, until: dt.date, asked: argparse.Namespace) -> list[dict[str, object]]:
    one = dt.timedelta(days=1)
    fit, after = (end - begin).days / 7, (until - end).days / 7
    now = counted(run, run.outcome.today, begin, end - one)
    # Without a step between the budget and what can be had: what is left is how far the next half year is like this one.
    tried = None if asked.each is None else {at: counted(run, at, begin, end - one) for at in asked.each}
    rows: list[dict[str, object]] = []
    for wanted in [factor * now for factor in asked.budgets] if tried is None else [float(count) for count in tried.values()]:
        if tried is None:
            found = search(lambda at: counted(run, at, begin, end - one), len(run.outcome.settings), wanted, run.outcome.today)
        else:
            found = _nearest(tried, wanted, run.outcome.today)
        seen = counted(run, found.chosen, end, until - one)
        rate, per_week = seen / after, wanted / fit
        days = days_of(run, found.chosen, begin, end - one)
        told = ahead_after(days, begin, end - one, per_week, ahead=after, block_weeks=BLOCK_WEEKS, within=WITHIN, level=0.95)
        inside = range(10_000)
        ok = [count for count in inside if abs(count / after - per_week) <= WITHIN * per_week]
        chance = float(stats.poisson.pmf(ok, per_week * after).sum()) if ok else 0.0
        values = list(run.outcome.settings[found.chosen].values())
        rows.append(
            {
                "level": run.outcome.budget.grade,
                "fit_weeks": fit,
                "fit_from": begin,
                "after_from": end,
                "budget": per_week,
                "setting": values[-1],
                "met": found.met,
                "monotone": found.monotone,
                "fitted": found.counts[found.chosen] / fit,
                "today_after": counted(run, run.outcome.today, end, until - one) / after,
                "after": rate,
                "dispersion": told.dispersion,
                "after_low": told.low,
                "after_high": told.high,
                "inside": told.low <= rate <= told.high,
                "ratio": rate / per_week if per_week else float("nan"),
                "within": abs(rate - per_week) <= WITHIN * per_week,
                "told": told.kept,
                "perfect": chance,
            }
        )
        sys.stderr.write(f"{rows[-1]}\n")
    return rows


def _nearest(tried: dict[int, int], wanted: float, today: int) -> Search:
    chosen = min(tried, key=lambda at: (abs(tried[at] - wanted), abs(at - today)))
    ordered = [tried[at] for at in sorted(tried)]
    return Search(tried, chosen, chosen, None, "yes", ordered == sorted(ordered))


if __name__ == "__main__":
    main()
