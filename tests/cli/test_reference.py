"""What holds for every command: help with an example, the generated page, global options and the way errors end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from riskwatch import __version__
from riskwatch.cli.app import app
from riskwatch.cli.reference import reference_markdown
from tests.cli.conftest import Cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))
    if path and not getattr(command, "commands", None):
        yield path, command


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_markdown(), "run: make docs"


def test_the_commands_of_the_specification_are_there() -> None:
    wanted = {"init", "check", "explain", "pull", "run", "digest", "doctor", "simulate"}
    wanted |= {"warnings list", "warnings show", "quarantine list", "quarantine retry", "quarantine export"}
    assert wanted <= {" ".join(path) for path in COMMANDS}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...], cli: Cli) -> None:
    answer = cli(*path, "--help")
    assert answer.code == 0
    assert f"riskwatch {' '.join(path)}" in answer.out.partition("Example")[2]
    options = [parameter for parameter in COMMANDS[path].params if parameter.name != "help"]
    assert [parameter.name for parameter in options if not getattr(parameter, "help", None)] == []


def test_the_version_and_the_exit_codes_are_told(cli: Cli) -> None:
    assert cli("--version").out == f"riskwatch {__version__}\n"
    assert "3 another run holds the lease" in " ".join(cli("--help").out.replace(";", " ").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "settings.var", "check"], "--set takes PATH=VALUE, got 'settings.var'"),
        (["nosuch"], "No such command 'nosuch'"),
        (["run", "--as-of", "2025-13-01"], "a day is written YYYY-MM-DD, got '2025-13-01'"),
        (["run", "--every", "fortnight"], "'fortnight' is not one of"),
        (["run", "weekly"], 'no pipeline "weekly" in force\nHint: pipelines in force: daily'),
        (["pull", "nosuch"], 'no source "nosuch" in force\nHint: sources in force: provincial-spot-checks'),
        (["--profile", "nosuch", "check"], "nosuch"),
    ],
)
def test_wrong_words_end_with_2_and_say_what_is_known(arguments: list[str], message: str, made_project: Path, cli: Cli) -> None:
    answer = cli(*arguments, project=made_project)
    assert answer.code == 2
    assert message in answer.out + answer.err
    assert "Traceback" not in answer.err


def test_a_folder_without_a_project_is_named(tmp_path: Path, cli: Cli) -> None:
    answer = cli("check", project=tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert str(tmp_path) in answer.err
    assert "riskwatch init" in answer.err
