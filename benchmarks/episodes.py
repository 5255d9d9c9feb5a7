"""Real episodes, replayed as of past days through a project's own pipelines.

``python benchmarks/episodes.py DATA [FOLDER] [--only NAME ...]``; with ``--screen NAME`` all warnings of some models and years.

Each episode has the sources and models that watch it. A project with a pipeline for each is made in FOLDER/hoverboards and so on (default:
a temporary folder), where ``riskwatch run hoverboards --from 2014-11-01 --every week --as-of 2015-10-31`` does the same.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from riskwatch.api import Project
from riskwatch.assessment import q_values
from riskwatch.cli.commands.run import Every, run_days
from riskwatch.detectors.funnel_limits import funnel_table

ROOT = Path(__file__).resolve().parent.parent
HIGH = ("I", "II", "III")
WARNINGS = (*HIGH, "IV")


@dataclass(frozen=True)
class Episode:
    """What is watched, by which models, and what tells that a warning is about the episode."""

    name: str
    sources: tuple[str, ...]
    models: tuple[str, ...]
    first: dt.date
    due: dt.date
    official: dt.date
    action: str
    products: tuple[str, ...]
    hazard: str = ""
    every: Every = Every.WEEK


EPISODES = (
    Episode(
        "hoverboards",
        ("neiss-youth",),
        ("neiss-youth-products", "neiss-youth-weekly", "neiss-youth-rare", "neiss-youth-growth"),
        dt.date(2014, 11, 1),
        dt.date(2015, 10, 31),
        dt.date(2016, 7, 6),
        "CPSC recall of 501,000 units",
        ("neiss:5042",),
    ),
    Episode(
        "fireworks",
        ("neiss-fireworks",),
        ("neiss-fireworks",),
        dt.date(2019, 6, 30),
        dt.date(2020, 7, 5),
        dt.date(2021, 6, 29),
        "CPSC annual report",
        ("neiss:1313",),
    ),
    Episode(
        "ethylene-oxide",
        ("rasff",),
        ("rasff-notices", "rasff-new-hazards", "rasff-new-origins"),
        dt.date(2020, 1, 6),
        dt.date(2020, 10, 31),
        dt.date(2020, 10, 22),
        "Regulation (EU) 2020/1540",
        ("rasff:nuts", "rasff:cereals"),
        "ethylene oxide",
    ),
    # The same product code as the hoverboards, on the baseline that they raised.
    Episode(
        "e-scooters",
        ("neiss-youth",),
        ("neiss-youth-products", "neiss-youth-weekly", "neiss-youth-rare", "neiss-youth-growth"),
        dt.date(2018, 1, 15),
        dt.date(2019, 12, 31),
        dt.date(2020, 9, 1),
        "CPSC report on micromobility",
        ("neiss:5042",),
        every=Every.MONTH_END,
    ),
    # National estimates, once a year: what is known of 2012 is known in the spring of 2013.
    Episode(
        "laundry-packets",
        ("neiss-yearly",),
        ("neiss-yearly-under-five",),
        dt.date(2012, 4, 30),
        dt.date(2013, 4, 30),
        dt.date(2012, 11, 20),
        "CPSC safety alert",
        ("neiss:949",),
        every=Every.MONTH_END,
    ),
)


# What else is warned of: the sources and models whose warnings are read in docs/real_warnings.md.
SCREENS = {
    "notices": Episode(
        "notices",
        ("rasff",),
        ("rasff-notices", "rasff-new-hazards", "rasff-new-origins", "rasff-pairs"),
        dt.date(2020, 6, 30),
        dt.date(2022, 12, 31),
        dt.date(2022, 12, 31),
        "none",
        (),
        every=Every.MONTH_END,
    ),
    "injuries": Episode(
        "injuries",
        ("neiss-youth", "neiss-yearly"),
        ("neiss-youth-products", "neiss-youth-growth", "neiss-yearly-under-five"),
        dt.date(2014, 1, 31),
        dt.date(2022, 4, 30),
        dt.date(2022, 4, 30),
        "none",
        (),
        every=Every.MONTH_END,
    ),
}


@dataclass(frozen=True)
class Yearly:
    """An episode of which there are only national estimates by year."""

    name: str
    code: int
    year: int
    official: dt.date
    action: str


# Estimates of a year are public in the spring after it: the day is an assumption.
KNOWN_MONTH_DAY = (4, 15)
LEAST_ESTIMATE = 5_000
YEARLY = (
    Yearly("laundry packets", 949, 2012, dt.date(2012, 11, 20), "CPSC safety alert"),
    Yearly("e-scooters", 5042, 2018, dt.date(2020, 9, 1), "CPSC report on micromobility"),
)


def yearly(data: Path, episode: Yearly) -> dict[str, object]:
    """Compare a year's estimates of all products with those of the two years before: which product rose beyond what products do.

    A funnel over the products: this year's share of the three years' estimates, scores divided by their spread between products (estimates
    are weighted, so that their variance is a multiple of a count's). Benjamini-Hochberg over all products with enough in the years before.
    """
    frame = pd.read_parquet(data / "neiss_product_year_2010_2021" / "product_year.parquet")
    table = frame.pivot_table(index="code", columns="year", values="national_estimate", aggfunc="sum")
    years = [episode.year - 2, episode.year - 1]
    part = table[[*years, episode.year]].dropna()
    part = part[part[years].mean(axis=1) >= LEAST_ESTIMATE]
    now = part[episode.year].to_numpy()
    judged = funnel_table(now, part.sum(axis=1).to_numpy(), adjustment="multiplicative", limits="normal", index=part.index)
    q = pd.Series(q_values(judged["p_value"]), index=part.index)
    known = dt.date(episode.year + 1, *KNOWN_MONTH_DAY)
    names = frame.drop_duplicates("code").set_index("code")["product_name"]
    return {
        "episode": episode.name,
        "year": episode.year,
        "estimates": ", ".join(f"{value:,.0f}" for value in part.loc[episode.code]),
        "rank": f"{int((judged['p_value'] < judged.loc[episode.code, 'p_value']).sum()) + 1} of {len(part)}",
        "p": f"{judged.loc[episode.code, 'p_value']:.1e}",
        "q": f"{q[episode.code]:.1e}",
        "others with q < 0.05": "; ".join(f"{str(names[code]).lower()} ({code})" for code in q[q < 0.05].index if code != episode.code)
        or "none",
        "known": known,
        "official action": f"{episode.official}: {episode.action}",
        "lead, days": (episode.official - known).days,
    }


@dataclass
class Replay:
    """What came of an episode: warnings by day, and how much was watched."""

    warned: dict[dt.date, str] = field(default_factory=dict)  # day -> grade of a warning about the episode
    others: list[tuple[dt.date, str, str, str, str]] = field(default_factory=list)  # day, grade, product, what speaks for it
    series_years: float = 0.0
    seconds: float = 0.0

    @property
    def false_high(self) -> list[tuple[dt.date, str, str, str, str]]:
        """Warnings of grade III or higher that are about something else and rest on statistics, not on a recorded death."""
        return [one for one in self.others if one[1] in HIGH and one[3] == "statistics"]


def project_of(folder: Path, data: Path, episodes=EPISODES) -> Project:
    """Make a project with one pipeline per episode in ``folder``."""
    for name in ("config", "models", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    for one in episodes:
        (folder / "pipelines" / f"{one.name}.yaml").write_text(
            f"name: {one.name}\nlabel: {{zh: 事件回放, en: replay of an episode}}\nsteps:\n"
            f"  - {{step: pull, sources: [{', '.join(one.sources)}]}}\n  - {{step: detect, models: [{', '.join(one.models)}]}}\n"
            "  - {step: assess}\n  - {step: warn}\n",
            encoding="utf-8",
        )
    return Project(folder, profile="real", settings={"settings.data": str(data), "settings.var": str(folder / "var")})


def replay(project: Project, episode: Episode, first: dt.date, last: dt.date, every: Every = Every.WEEK) -> Replay:
    """Run the episode's pipeline from ``first`` to ``last`` and read what it warned of."""
    out = Replay()
    started = time.perf_counter()
    standing: dict[str, str] = {}
    before = None
    for day in run_days(first, last, every):
        report = project.run(episode.name, as_of=day)
        assert not report.failed_models
        assert not report.faults
        out.series_years += report.series * ((day - before).days if before else 0) / 365.25
        before = day
        graded = {}
        with project.store() as store:
            for row in store.read_assessments(as_of=day):
                graded[row.subject_code] = row.payload
        found = project.warnings(as_of=day)
        now = {}
        for warning in found[found["state"].isin(["new", "worsened", "unchanged"]) & found["grade"].isin(WARNINGS)].itertuples():
            payload = graded.get(warning.code, {})
            evidence = payload.get("evidence", [])
            about = [one for one in evidence if one["product"] in episode.products and episode.hazard in one["stratum"]]
            now[warning.warning_id] = warning.grade
            if about:
                out.warned[day] = min(out.warned.get(day, "IV"), warning.grade, key=WARNINGS.index)
            elif standing.get(warning.warning_id) != warning.grade:
                basis = "statistics" if evidence else "floor"
                strongest = evidence[0]["stratum"] if evidence else ", ".join(
                    step["rule"] for step in payload.get("steps", []) if step["rule"].startswith("floor.")
                )  # fmt: skip
                out.others.append((day, warning.grade, f"{warning.name_en} ({warning.code})", basis, strongest))
        standing = now
    out.seconds = time.perf_counter() - started
    return out


def print_screen(screen: Episode, data: Path, folder: Path | None) -> None:
    """Print every warning that was opened or raised."""
    with tempfile.TemporaryDirectory() as made:
        found = replay(project_of(folder or Path(made), data, [screen]), screen, screen.first, screen.due, screen.every)
    print("| day | grade | product | rests on | strongest evidence |\n|---|---|---|---|---|")
    print("\n".join(f"| {' | '.join(map(str, one))} |" for one in found.others))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", nargs="*", default=[one.name for one in EPISODES], help="replay these only")
    parser.add_argument("--screen", choices=sorted(SCREENS), help="list all warnings of these sources instead")
    options = parser.parse_args()
    data = options.data.resolve()
    if options.screen:
        print_screen(SCREENS[options.screen], data, options.folder)
        return
    found_yearly = [yearly(data, one) for one in YEARLY]
    print(f"| {' | '.join(found_yearly[0])} |\n|{'---|' * len(found_yearly[0])}")
    print("\n".join(f"| {' | '.join(map(str, one.values()))} |" for one in found_yearly), end="\n\n", flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        print("| episode | watched | first warning | grade | due | official action | lead, days | series-years | false I–III | per 100 |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        lists = []
        for episode in (one for one in EPISODES if one.name in options.only):
            project = project_of(folder / episode.name, data)
            found = replay(project, episode, episode.first, episode.due, episode.every)
            first = min(found.warned, default=None)
            cells = (
                episode.name,
                f"{episode.first} to {episode.due}, every {episode.every.value}",
                first,
                found.warned[first] if first else "–",
                episode.due,
                f"{episode.official}: {episode.action}",
                (episode.official - first).days if first else "–",
                f"{found.series_years:,.0f}",
                len(found.false_high),
                f"{100 * len(found.false_high) / found.series_years:.2f}",
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            print(f"  {episode.name}: grades {found.warned}", file=sys.stderr)
            lists += [f"| {episode.name} | {' | '.join(map(str, one))} |" for one in found.others]
        print("\n| replay | day | grade | product | rests on | strongest evidence |\n|---|---|---|---|---|---|")
        print("\n".join(lists))


if __name__ == "__main__":
    main()
