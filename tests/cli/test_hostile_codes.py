"""Codes, names and options with quotes, SQL, markup and control characters: looked for as they are, never carried out."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console

from riskwatch.cli import output
from tests.cli.conftest import Cli

HOSTILE = (
    "' OR '1'='1",
    "'; DROP TABLE record_spot_check; --",
    "P0702') UNION SELECT sql FROM sqlite_master --",
)


def counts(project: Path) -> dict[str, int]:
    with sqlite3.connect(project / "var" / "demo" / "riskwatch.db") as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {table: connection.execute(f'select count(*) from "{table}"').fetchone()[0] for table in tables}


@pytest.mark.slow
@pytest.mark.parametrize("code", HOSTILE)
def test_codes_are_values_never_sql(code: str, own_demo: Path, cli: Cli) -> None:
    before = counts(own_demo)
    for command in (
        ("warnings", "show", code),
        ("actions", "explain", code),
        ("enterprises", "show", code),
        ("items", "--product", code, "--json"),
        ("items", "--region", code, "--json"),
        ("quarantine", "list", "--source", code),
        ("quarantine", "export", "x.csv", "--source", code),
        ("indicators", "--region", code, "--json"),
        ("digest", code),
        ("explain", code),
        ("pull", code),
    ):
        answer = cli(*command, project=own_demo)
        assert "syntax error" not in answer.err.lower()
        assert "Traceback" not in answer.err, (command, answer.err)
        assert "CREATE TABLE" not in answer.out
    assert counts(own_demo) == before


def test_cells_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["[red]x[/red]", "[/nothing]", "\x1b[2J\x1b]0;title\x07", "a\tb\nc", "abc\u202edcba", "x\u2028y"]
    output.print_table(["name"], [[cell] for cell in cells])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert len(printed.splitlines()) == len(cells) + 1
    assert all("\t" not in line for line in printed.splitlines())
    screen = io.StringIO()
    monkeypatch.setattr(output, "console", Console(file=screen, force_terminal=True, color_system=None, width=60))
    output.print_table(["name"], [[cell] for cell in cells])
    shown = screen.getvalue()
    assert "[red]x[/red]" in shown
    assert "[/nothing]" in shown
    assert "\x1b[2J" not in shown


def test_messages_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    message = "file [/x] \x1b[31m says\n  fault: [bold]"
    with output.reporter() as reporter:
        reporter.say(message)
    assert capsys.readouterr().err == "file [/x]  [31m says\n  fault: [bold]\n"
    screen = io.StringIO()
    monkeypatch.setattr(output, "errors", Console(file=screen, force_terminal=True, color_system=None, width=60))
    with output.reporter() as reporter:
        reporter.say(message)
    assert "[/x]" in screen.getvalue()
    assert "\x1b[31m" not in screen.getvalue()
