"""The unit and the container file: sound, hardened, and naming commands and options that there are."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import typer.main

from riskwatch.cli import commands  # noqa: F401 - registers the commands
from riskwatch.cli.app import app

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
UNIT = DEPLOY / "riskwatch-scheduler.service"
SWITCHES = (
    "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectClock", "ProtectControlGroups", "ProtectKernelLogs",
    "ProtectKernelModules", "ProtectKernelTunables", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
)  # fmt: skip


def unit() -> dict[str, dict[str, list[str]]]:
    class Repeated(dict):
        def __setitem__(self, key, value):
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(strict=False, dict_type=Repeated, empty_lines_in_values=False)
    parser.optionxform = str
    parser.read(UNIT, encoding="utf-8")
    return {section: {key: str(value).splitlines() for key, value in parser[section].items()} for section in parser.sections()}


def known(words: list[str]) -> None:
    """Check that a command and its options are those of this riskwatch."""
    command = typer.main.get_command(app)
    options: set[str] = set()
    for word in words:
        if word.startswith("--"):
            options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert word in options, f"{word} of {command.name}"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
    assert command.name in {"serve", "status"}


def test_the_unit_is_hardened_and_starts_what_there_is():
    service = unit()["Service"]
    assert all(service[name] == ["yes"] for name in SWITCHES)
    assert service["ProtectSystem"] == ["strict"]
    assert service["ReadWritePaths"] == ["/srv/riskwatch/var"]
    assert service["Restart"] == ["on-failure"]
    assert service["EnvironmentFile"][0].startswith("-/etc/")
    assert service["User"] not in (["root"], ["0"])
    known(service["ExecStart"][0].split()[1:])
    # The grace that a run gets must end before systemd loses its patience.
    grace = re.search(r"^stop_grace_seconds: (\d+)", (DEPLOY.parent / "config" / "schedule.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert int(service["TimeoutStopSec"][0]) > int(grace[1])


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        assert set(unit()) == {"Unit", "Service", "Install"}
        return
    # It looks for the program: one that is there stands in for /opt/riskwatch/bin/riskwatch.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/riskwatch/bin/riskwatch", shutil.which("true"))
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")
    found = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", copy], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert UNIT.name not in found.stderr, found.stderr
    broken = tmp_path / "broken.service"
    broken.write_text(text.replace("Type=exec", "Type=nonsense"), encoding="utf-8")
    assert "nonsense" in subprocess.run(["systemd-analyze", "verify", broken], capture_output=True, text=True, check=False).stderr


def test_the_container_runs_as_nobody_in_particular_and_looks_after_itself():
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith(("#", " "))]
    assert [rest for step, rest in steps if step == "USER"] == ["10001:10001"]
    assert all("slim" in rest and "3.11" in rest for step, rest in steps if step == "FROM")
    [health] = [rest for step, rest in steps if step == "HEALTHCHECK"]
    known(re.findall(r'"([^"]+)"', health.split("CMD", 1)[1])[1:])
    [command] = [rest for step, rest in steps if step == "CMD"]
    known(re.findall(r'"([^"]+)"', command))
    assert [rest for step, rest in steps if step == "STOPSIGNAL"] == ["SIGTERM"]
