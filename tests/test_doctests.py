"""The examples in the docstrings of the public API run, on the demonstration project."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

# The error of a docstring's example is told by its name and message alone.
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", ["riskwatch", "riskwatch.detectors", "riskwatch.detectors.contract", "riskwatch.detectors.registry"])
def test_examples_of_rooms_without_a_store(name: str, demo_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_project.parent)
    found = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS, raise_on_error=False)
    assert found.attempted > 0
    assert found.failed == 0


def test_examples_of_the_project(demo_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them runs the pipeline: on a copy."""
    shutil.copytree(demo_project, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module("riskwatch.api"), optionflags=OPTIONS)
    assert found.attempted >= 15
    assert found.failed == 0
    assert not any("+SKIP" in line for line in Path(importlib.import_module("riskwatch.api").__file__).read_text().splitlines())
