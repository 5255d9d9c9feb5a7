"""``riskwatch tune budget`` on a small province: from arguments to a page, tables and a reviewable diff."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.backtest import tune
from riskwatch.backtest.ahead import ahead_of
from riskwatch.backtest.budget import Search
from riskwatch.backtest.budget_page import render_budget
from riskwatch.backtest.page import reliability_section
from riskwatch.backtest.reliability import RELIABILITY, edges_of, reliability_table
from riskwatch.backtest.scalars import value_at
from riskwatch.backtest.setting import Setting
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.indicators.values import binomial_interval
from riskwatch.plots import budget_figure, reliability_figure, to_png
from tests.backtest.conftest import DAYS
from tests.backtest.test_command import tables_of
from tests.cli.conftest import Answer, Cli, cli

__all__ = ["cli"]

SPAN = ("--from", str(DAYS[2]), "--to", str(DAYS[-1]), "--workers", "1")


def ask(cli: Cli, project: Path, *arguments: str | Path) -> Answer:
    return cli("--quiet", "tune", "budget", "--centre", "220000", *SPAN, *arguments, project=project)


@pytest.fixture(scope="module")
def tried(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project of its own, with few settings and a short warm-up; what it says of thresholds may be changed."""
    folder = tmp_path_factory.mktemp("tried") / "province"
    shutil.copytree(lived, folder)
    rules = folder / "config" / "backtest.yaml"
    text = rules.read_text(encoding="utf-8").replace("warm_up_days: 28", "warm_up_days: 7").replace("per_decade: 10", "per_decade: 1")
    rules.write_text(text, encoding="utf-8")
    return folder


def test_a_budget_is_met_and_nothing_is_applied(cli: Cli, tried: Path, tmp_path: Path) -> None:
    before, rules = tables_of(tried), (tried / "config" / "grading.yaml").read_bytes()
    out, diff = tmp_path / "out", tmp_path / "review.diff"
    answer = ask(cli, tried, "--grade", "IV+", "--per-week", "2", "--json", "--out", out, "--write", diff)
    told = answer.json
    assert answer.code == (0 if told["met"] == "yes" else 2)
    trials = pd.DataFrame(told["trials"])
    assert trials["per_week"].tolist() == pytest.approx((trials["warnings"] / told["weeks"]).tolist())
    assert told["weeks"] == 2.0
    assert trials["chosen"].sum() == trials["today"].sum() == 1
    chosen = trials[trials["chosen"]].iloc[0]
    assert abs(chosen["per_week"] - 2) == (trials["per_week"] - 2).abs().min()
    assert (trials["events_alone"] <= trials["warnings"]).all()
    assert (trials["ahead_low"] <= trials["ahead_high"]).all()
    for row in trials.to_dict("records"):
        told_ahead = ahead_of(
            row["warnings"], told["weeks"], told["per_week"], ahead=26, dispersion=row["dispersion"], within=0.25, level=0.95
        )
        assert (told_ahead.low, told_ahead.high, told_ahead.kept) == pytest.approx((row["ahead_low"], row["ahead_high"], row["kept"]))
    assert (tried / "config" / "grading.yaml").read_bytes() == rules
    assert tables_of(tried) == before
    page = (out / "budget.zh.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 2
    assert "<script" not in page
    assert "http" not in page
    assert "尚不足以说明" in page
    assert "其后 26 周若情形如本期，预计每周" in page
    assert "才有 90% 的把握保持在 ±25% 以内" in page  # two a week over two weeks of the past tell little
    assert len(pd.read_csv(out / "budget_changes.csv")) == len(told["changes"])
    if told["diff"]:
        assert diff.read_text(encoding="utf-8") == (out / "budget.diff").read_text(encoding="utf-8") == told["diff"]


def test_a_diff_is_one_that_other_tools_take(tried: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strictest setting, whatever the count: what it changes is told in the fewest lines, git applies it, and so does --apply."""

    def strictest(count: Callable[[int], int], size: int, wanted: float, today: int) -> Search:
        counts = {0: count(0), today: count(today)}
        return Search(counts, 0, 0, None, "yes", counts[0] <= counts[today])

    monkeypatch.setattr(tune, "search", strictest)
    found = Project(tried).tune_budget(1.0, "jilin-province", grade="IV+", first=DAYS[2], last=DAYS[-1])
    assert found.changes is not None
    assert found.search is not None
    assert found.row(found.today) is not None
    target = tmp_path / "there"
    (target / "config").mkdir(parents=True)
    shutil.copy(tried / "config" / "grading.yaml", target / "config")
    subprocess.run(["git", "apply", "-"], input=found.diff, text=True, cwd=target, check=True)
    new = (target / "config" / "grading.yaml").read_text(encoding="utf-8")
    assert new == found.text
    for name, value in found.settings[0].items():
        assert value_at(new, name.removeprefix("grading.")) == value
    # Two of the four thresholds stand side by side, and the comments beside them stay.
    assert len([line for line in found.diff.splitlines() if line[0] == "+"]) == 1 + len(found.settings[0])
    assert "q_strong: 0.00001 # C2: newest window below this, strictly" in new
    path = tried / "config" / "grading.yaml"
    original = path.read_bytes()
    assert tune.apply_budget(found) == path
    assert path.read_text(encoding="utf-8") == new
    with pytest.raises(ProjectError, match="was changed meanwhile"):
        tune.apply_budget(found)
    path.write_bytes(original)
    for language, said in (("zh", "建议设置每周"), ("en", "In the 26 weeks that follow")):
        page = render_budget(found, language)
        assert said in page
        assert "grading.confidence.q_strong" in page


def test_what_cannot_be_had_is_said(cli: Cli, tried: Path, tmp_path: Path) -> None:
    answer = ask(cli, tried, "--grade", "IV+", "--per-week", "0.001", "--out", tmp_path, "--lang", "en")
    assert answer.code == 2
    assert "cannot be had with false-discoveries: the least is" in answer.err
    assert "The budget cannot be met" in answer.out
    assert not (tmp_path / "budget.diff").exists()
    assert "too few to say" in (tmp_path / "budget.en.html").read_text(encoding="utf-8")


def test_a_dry_run_says_what_would_be_replayed(cli: Cli, tried: Path, tmp_path: Path) -> None:
    answer = ask(cli, tried, "--per-week", "2", "--dry-run", "--knob", "windows", "--out", tmp_path)
    assert answer.code == 0
    assert "windows: 6 settings, at most 6 of them replayed" in answer.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--per-week", "0"), "--per-week must be above 0, got 0"),
        (("--per-week", "nan"), "--per-week must be above 0"),
        (("--per-week", "1", "--grade", "V+"), "no level 'V+'"),
        (("--per-week", "1", "--centre", "999999"), 'no centre "999999" in force'),
        (("--per-week", "1", "--knob", "courage"), 'no knob "courage"'),
        (("--per-week", "1", "--pipeline", "hourly"), 'no pipeline "hourly" in force'),
        (("--per-week", "1", "--from", "2001-01-01", "--to", "2001-06-01"), "no records for a period from 2001-01-01"),
        (("--per-week", "1", "--from", "2025-12-17", "--to", "2025-12-10"), "no records for a period"),
        (("--per-week", "1", "--to", "2125-12-10"), "lies ahead"),
    ],
)
def test_wrong_questions_are_refused(cli: Cli, tried: Path, arguments: tuple[str, ...], message: str) -> None:
    answer = ask(cli, tried, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


# --- reliability --------------------------------------------------------------------------------------------------------


def closed(*rows: tuple[float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["stated", "closed_as"])


LIVES = closed(
    (0.96, "true"), (0.98, "false"), (0.97, "true"), (0.97, "none"), (0.999, "true"), (1.0, "true"), (0.5, "false"), (0.97, ""),
    (float("nan"), "true"),
)  # fmt: skip


def test_reliability_against_hand_numbers() -> None:
    table = reliability_table(LIVES, (0, 0.8, 0.95, 0.99, 1))
    assert list(table.columns) == list(RELIABILITY)
    assert table["closed"].tolist() == [1, 0, 3, 2]
    assert table["right"].tolist() == [0, 0, 2, 2]
    assert table["stated"].tolist() == pytest.approx([0.5, float("nan"), 0.97, 0.9995], nan_ok=True)
    assert table["share"].tolist() == pytest.approx([0, float("nan"), 2 / 3, 1], nan_ok=True)
    # Wilson 1927 for 2 of 3, computed by hand: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n).
    assert table.loc[2, ["share_low", "share_high"]].tolist() == pytest.approx([0.20766, 0.93851], abs=1e-4)
    low, high = binomial_interval(table["right"].to_numpy(float), table["closed"].to_numpy(float))
    assert table["share_low"].tolist() == pytest.approx(low.tolist(), nan_ok=True)
    assert table["share_high"].tolist() == pytest.approx(high.tolist(), nan_ok=True)
    pd.testing.assert_frame_equal(table, reliability_table(LIVES.iloc[::-1], (0, 0.8, 0.95, 0.99, 1)))


def test_reliability_takes_the_bounds_of_grading(setting: Setting) -> None:
    assert edges_of(setting.grading) == (0.0, 0.8, 0.95, 0.99, 0.999, 1.0)
    with pytest.raises(RiskwatchError, match="must ascend from 0 to 1"):
        reliability_table(LIVES, (0, 0.5, 0.5, 1))


def test_too_few_closures_are_said_plainly() -> None:
    table = reliability_table(LIVES, (0, 0.8, 0.95, 0.99, 1))
    assert reliability_section(table, "en", enough=30)["text"].startswith("Only 6 coded closures")
    assert "too few" not in reliability_section(table, "en", enough=6)["text"]
    empty = reliability_section(reliability_table(LIVES.iloc[:0], (0, 1)), "zh", enough=30)
    assert empty["text"].startswith("可判断的结案仅 0 条")
    assert empty["png"] == ""


def test_figures_are_pure_and_refuse_what_lacks() -> None:
    table = reliability_table(LIVES, (0, 0.8, 0.95, 0.99, 1))
    trials = pd.DataFrame(
        {
            "label": ["x0.1", "x1", "x4"], "per_week": [1.0, 2.0, 3.0], "per_week_low": [0.5, 1.2, 2.0], "per_week_high": [1.8, 3.1, 4.3],
            "events_per_week": [0.9, 0.9, 0.8], "hazards": [4, 4, 4], "in_time": [1, 2, 3], "today": [False, True, False],
            "chosen": [True, False, False],
        }
    )  # fmt: skip
    for language in ("zh", "en"):
        assert to_png(reliability_figure(table, language=language)) == to_png(reliability_figure(table, language=language))
        assert to_png(budget_figure(trials, 1.5, language=language)) == to_png(budget_figure(trials, 1.5, language=language))
        assert to_png(budget_figure(trials.assign(hazards=0, in_time=0), 1.5, language=language))
    with pytest.raises(RiskwatchError, match="missing: in_time"):
        budget_figure(trials.drop(columns="in_time"), 1.5)
    with pytest.raises(RiskwatchError, match="language"):
        reliability_figure(table, language="fr")
