"""One backtest from its options to its files: replay, score, compare, write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskwatch.backtest.calibration import calibration_table
from riskwatch.backtest.hazards import read_hazards
from riskwatch.backtest.page import HEADS, VALUES, render_page
from riskwatch.backtest.plan import run_days
from riskwatch.backtest.reliability import edges_of, reliability_table
from riskwatch.backtest.replay import Replay, check_days, folder_of, replay
from riskwatch.backtest.setting import Place, Setting, composed, open_setting
from riskwatch.backtest.summary import Scored, compare, rules_of, score
from riskwatch.definitions import load_definitions
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.runner.progress import Reporter
from riskwatch.sources import ADAPTERS

__all__ = ["Outcome", "Wanted", "run_backtest"]

LEDGER = Path("demo_truth") / "ledger.csv"
SHOWN = ("by", "value", "opened", "per_week", "alone_share", "delay_median", "closed", "precision", "minutes_per_week")


@dataclass(frozen=True)
class Wanted:
    """What is asked for; see ``riskwatch backtest --help``. ``step``: days between run days. ``today``: no day after it is replayed."""

    project: Path
    pipeline: str
    first: dt.date
    last: dt.date
    step: int
    today: dt.date
    profile: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    against: Path | None = None
    hazards: Path | None = None
    digests: bool = False
    workers: int = 1
    language: str = "zh"
    out: Path | None = None
    dry_run: bool = False


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    after, before : Scored or Replay or None
        With the definitions asked for, and the others; only counted where ``dry_run``.
    differences : pandas.DataFrame or None
    files : list of Path
    """

    dry_run: bool
    after: Scored | None = None
    before: Scored | None = None
    counted: list[tuple[str, Replay]] = field(default_factory=list)
    differences: pd.DataFrame | None = None
    files: list[Path] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether some model failed on some day."""
        return any(replayed.failed for _, replayed in self.counted)

    def replays(self) -> Sequence[tuple[str, Replay]]:
        """Return the replays with what each is called."""
        return self.counted

    def tables(self, language: str) -> Iterator[tuple[str, list[str], list[list[object]]]]:
        """Yield title, heads and rows of what the command line prints."""
        if self.after is None:
            return
        at = 0 if language == "zh" else 1
        table = self.after.table[self.after.table["by"] != "product"]
        yield _printed(("各项指标", "figures")[at], table[list(SHOWN)], at)
        if len(self.after.hazards):
            columns = ["hazard", "products", "start", "warned", "after_start_days", "lead_days", "grade"]
            yield _printed(("已知危害", "known hazards")[at], self.after.hazards[columns], at)
        if self.differences is not None:
            frame = self.differences.assign(name=self.differences[f"name_{language}"], place=self.differences[f"place_{language}"])
            columns = ["change", "name", "place", "grade_before", "grade_after", "first_day_before", "first_day_after", "days_earlier"]
            yield _printed(("与对照配置比较", "against the other definitions")[at], frame[columns], at)

    def as_json(self, rows: Callable[[pd.DataFrame], list[dict[str, object]]]) -> dict[str, Any]:
        """Return it for a script; ``rows`` turns a frame into plain rows."""
        made: dict[str, Any] = {
            "dry_run": self.dry_run,
            "replays": [
                {
                    "definitions": label,
                    "name": one.name,
                    "pipeline": one.pipeline,
                    "days": [str(day) for day in one.days],
                    "counts": asdict(one.counts),
                    "failed": {str(day): models for day, models in one.failed.items()},
                }
                for label, one in self.counted
            ],
            "files": [str(path) for path in self.files],
        }
        for label, scored in (("after", self.after), ("before", self.before)):
            if scored is not None:
                made[label] = {name: rows(getattr(scored, name)) for name in ("table", "weeks", "hazards", "lives")}
        if self.differences is not None:
            made["differences"] = rows(self.differences)
        return made


def _printed(title: str, frame: pd.DataFrame, at: int) -> tuple[str, list[str], list[list[object]]]:
    words = VALUES[("zh", "en")[at]]
    rows = [[_text(cell, words) for cell in row] for row in frame.itertuples(index=False, name=None)]
    return title, [HEADS[str(name)][at] for name in frame.columns], rows


def _text(cell: object, words: Mapping[str, str]) -> object:
    if cell is None or cell is pd.NaT or (isinstance(cell, float) and cell != cell):  # noqa: PLR0124 - NaN
        return ""
    if isinstance(cell, float):
        return f"{cell:.2f}".rstrip("0").rstrip(".")
    return words.get(cell, cell) if isinstance(cell, str) else cell


def run_backtest(wanted: Wanted, reporter: Reporter) -> Outcome:
    """Replay, score and write what is asked for.

    Raises
    ------
    ProjectError
        If a day lies ahead, the pipeline is not there or does not warn, or a folder or list cannot be used.
    """
    days = run_days(wanted.first, wanted.last, wanted.step)
    check_days(days, wanted.today)
    own = load_definitions(wanted.project, profile=wanted.profile, overrides=wanted.overrides, adapters=ADAPTERS)
    ledger = own.data / LEDGER
    listed = wanted.hazards or (ledger if own.settings.simulated and ledger.is_file() else None)
    hazards = read_hazards(listed) if listed is not None else ()
    folder = own.var / "backtest"
    outcome = Outcome(wanted.dry_run)
    with open_setting(_place(wanted, wanted.config, folder), own) as setting:
        after = _replayed(setting, wanted, days, reporter)
        outcome.counted.append(("definitions", after))
        if not wanted.dry_run:
            outcome.after = score(setting, after, hazards)
        if wanted.against is not None:
            with open_setting(_place(wanted, wanted.against, folder), own) as other:
                before = _replayed(other, wanted, days, reporter)
                outcome.counted.append(("against", before))
                if outcome.after is not None:
                    outcome.before = score(other, before, hazards, rules_of(setting))
                    outcome.differences = compare(setting, outcome.before, outcome.after)
        if outcome.after is not None:
            outcome.files = _write(setting, wanted, outcome, outcome.after)
    return outcome


def _place(wanted: Wanted, definitions: Path | None, folder: Path) -> Place:
    chosen = wanted.project if definitions is None else composed(wanted.project, definitions.resolve(), folder / "definitions")
    return Place(str(wanted.project), str(chosen), wanted.profile, dict(wanted.overrides))


def _replayed(setting: Setting, wanted: Wanted, days: Sequence[dt.date], reporter: Reporter) -> Replay:
    known = setting.definitions.pipelines
    if wanted.pipeline not in known:
        raise ProjectError(f'no pipeline "{wanted.pipeline}" in force', hint=f"pipelines in force: {', '.join(known) or 'none'}")
    return replay(
        setting, known[wanted.pipeline], days, workers=wanted.workers, dry_run=wanted.dry_run, digests=wanted.digests, reporter=reporter
    )


def _write(setting: Setting, wanted: Wanted, outcome: Outcome, after: Scored) -> list[Path]:
    """Write the page and the tables; each file appears whole or not at all."""
    rules = rules_of(setting)
    trees = setting.trees

    def names(by: str, value: str) -> str:
        if by == "product":
            tree = trees.get("product")
            return f"{tree.name(value, wanted.language)} {value}" if tree is not None and value in tree else value
        labels: Mapping[str, Any] = {"centre": setting.definitions.centres, "model": setting.definitions.models}.get(by, {})
        return str(getattr(labels[value].label, wanted.language)) if value in labels else value

    reliable = reliability_table(after.lives, edges_of(setting.grading), level=rules.interval)
    calibrated = calibration_table(after.replay.lives.calibration, level=rules.interval)
    page = render_page(
        after,
        wanted.language,
        names=names,
        against=(outcome.before, outcome.differences) if outcome.before is not None and outcome.differences is not None else None,
        simulated=setting.definitions.settings.simulated,
        basis=None if rules.basis.verified else (rules.basis.source, rules.basis.dated.isoformat()),
        settle_days=rules.settle_days,
        reliability=(reliable, rules.reliable_from),
        calibration=calibrated,
    )
    folder = wanted.out or folder_of(setting, after.replay.name)
    frames = {"figures": after.table, "warnings": after.lives, "weeks": after.weeks, "hazards": after.hazards, "reliability": reliable}
    frames["calibration"] = calibrated
    if outcome.differences is not None:
        frames["differences"] = outcome.differences
    texts = {f"backtest.{wanted.language}.html": page}
    texts.update({f"{name}.csv": _csv(frame) for name, frame in frames.items()})
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            part = folder / f"{name}.part"
            part.write_text(text, encoding="utf-8")
            written.append(part.replace(folder / name))
    except OSError as error:
        raise RiskwatchError(f"backtest: cannot write under {folder}: {error.strerror or error}") from error
    return written


def _csv(frame: pd.DataFrame) -> str:
    plain = frame.copy()
    for name in plain.columns:
        plain[name] = [";".join(cell) if isinstance(cell, tuple) else cell for cell in plain[name]]
    text: str = plain.to_csv(index=False, lineterminator="\n")
    return text
