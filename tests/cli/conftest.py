"""Runs the command line as a user would: from arguments to exit code, standard output and standard error."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from riskwatch.cli import main
from tests.conftest import empty_folders


@dataclass(frozen=True)
class Answer:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Standard output as the tab-separated table that is printed when it is no terminal."""
        header, *lines = [line.split("\t") for line in self.out.splitlines() if "\t" in line]
        return [dict(zip(header, line, strict=True)) for line in lines]


Cli = Callable[..., Answer]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run ``riskwatch ARGUMENTS`` in this process, errors and exit codes as in the installed command."""
    for name in ("PROJECT", "PROFILE", "DATA"):
        monkeypatch.delenv(f"RISKWATCH_{name}", raising=False)

    def run(*arguments: str | Path, project: Path | None = None) -> Answer:
        given = [] if project is None else ["--project", str(project)]
        monkeypatch.setattr(sys, "argv", ["riskwatch", *given, *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def copy_quarter(made_project: Path, folder: Path) -> Path:
    """Make a project with the last files of the simulated province only; nothing is pulled yet."""
    for name in ("config", "models", "pipelines"):
        shutil.copytree(made_project / name, folder / name)
    for name in ("spot_checks/2025Q4.csv", "injuries/2025-12.csv", "notices/2025.csv", "indicators/2025.csv", "credit/2025.csv"):
        target = folder / "data" / "demo" / name
        target.parent.mkdir(parents=True)
        found = sorted((made_project / "data" / "demo").glob(f"{Path(name).parent}/*{Path(name).stem}*"))
        shutil.copy(found[0], target.with_name(found[0].name))
    empty_folders(folder)
    return folder


@pytest.fixture
def last_quarter(made_project: Path, tmp_path: Path) -> Path:
    """Return a private project with the last files of the simulated province only; nothing is pulled yet."""
    return copy_quarter(made_project, tmp_path / "quarter")
