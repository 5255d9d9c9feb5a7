"""``riskwatch backtest`` and ``riskwatch digest --reproduce`` from arguments to files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.cli import main
from tests.backtest.conftest import DAYS
from tests.backtest.test_replay import other_setting

SPAN = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]), "--workers", "1")


@pytest.fixture
def run(lived: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["riskwatch", "--project", str(lived), "--quiet", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def tables_of(lived: Path) -> dict[str, int]:
    """How many rows of everything that a run decides the project's own store holds."""
    with Project(lived).store() as store:
        runs, events, cases = store.read_runs(1000), store.read_events(), store.read_case_events()
        return {"runs": len(runs), "events": len(events), "cases": len(cases), "warnings": len(store.read_warnings())}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_compared_with_other_definitions(run: Any, lived: Path, tmp_path: Path, language: str) -> None:
    before = tables_of(lived)
    other = other_setting(lived, tmp_path, config__grading="lookback_days: 60 => lookback_days: 25")
    code, out, _ = run(
        "backtest", *SPAN, "--config", str(other), "--against", "project", "--lang", language, "--json", "--out", str(tmp_path / "out")
    )
    assert code == 0
    told = json.loads(out)
    assert [one["definitions"] for one in told["replays"]] == ["definitions", "against"]
    assert told["differences"], "a shorter look-back loses warnings"
    assert {row["change"] for row in told["differences"]} <= {"gained", "lost", "earlier", "later", "raised", "lowered"}
    files = {Path(path).name: Path(path) for path in told["files"]}
    assert set(files) == {
        f"backtest.{language}.html",
        "figures.csv",
        "warnings.csv",
        "weeks.csv",
        "hazards.csv",
        "reliability.csv",
        "calibration.csv",
        "differences.csv",
    }
    page = files[f"backtest.{language}.html"].read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 1
    assert "<script" not in page
    assert "http" not in page
    assert {"zh": "每周新预警", "en": "New warnings by week"}[language] in page
    assert {"zh": "模型是否名实相符", "en": "Do models keep their word?"}[language] in page
    assert {"zh": "工时系数未经核实", "en": "Officer-minutes are not verified"}[language] in page
    assert len(pd.read_csv(files["differences.csv"])) == len(told["differences"])
    assert tables_of(lived) == before


def test_wrong_days_and_folders_are_refused(run: Any, tmp_path: Path) -> None:
    for arguments, message in (
        (("backtest", "--from", "2025-12-24", "--to", "2025-12-17"), "lies after --to"),
        (("backtest", "--from", "2025-12-24", "--to", "2125-12-24"), "lies ahead"),
        (("backtest", "monthly", *SPAN), "has no step detect, assess, warn"),
        (("backtest", *SPAN, "--config", str(tmp_path)), "holds none of"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert message in err


def test_digests_reproduced_from_the_command_line(run: Any) -> None:
    code, out, _ = run("digest", "changchun", "--as-of", str(DAYS[1]), "--reproduce")
    assert (code, out) == (0, f"daily-{DAYS[1]}-1: 1 of 1 digests identical (5 of 5 forms)\n")
    code, out, _ = run("digest", "changchun", "--as-of", str(DAYS[1]), "--reproduce", "--json")
    told = json.loads(out)
    assert (code, told["same"], told["identical"], told["differences"]) == (0, True, {"changchun": True}, {})
    assert told["forms"]["changchun"]["en.html"] == {"made": "identical", "file": "as published", "line": ""}


def test_a_folder_with_one_file_stands_on_the_project(lived: Path, tmp_path: Path) -> None:
    """What the folder does not hold is the project's; what it holds takes its place; the same content has the same folder."""
    one = other_setting(lived, tmp_path, models__complaints="alpha: 0.005 => alpha: 0.0057")
    shutil.copytree(tmp_path / "models", tmp_path / "again" / "models")
    assert one.is_dir()
    assert "0.0057" in (one / "models" / "complaints.yaml").read_text(encoding="utf-8")
    assert (one / "config" / "grading.yaml").read_bytes() == (lived / "config" / "grading.yaml").read_bytes()
