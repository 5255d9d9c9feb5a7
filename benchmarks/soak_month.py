"""A month of scheduled days in which everything fails: the machine is off, runs are killed, the mail server refuses, hangs up, is down.

``python -m benchmarks.soak_month`` ends with 1 if a message was lost, told twice, or a day decided otherwise than without faults.

What the scheduler does at a tick is done by forked processes whose clock is that of the simulated morning; a server on loopback takes the
mail. A mail that the server took and did not own up to is sent again, as SMTP has it: with the same Message-ID. It is counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import datetime as dt
import email
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.soak_year import KEPT, deliver_until
from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project
from riskwatch.scheduling.post import send_due
from riskwatch.scheduling.worker import Worker
from riskwatch.store import outbox
from riskwatch.store.occurrences import read_occurrences
from tests.faults.province import FOLDERS, keep
from tests.faults.state import differences, state_of

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = dt.date(2025, 11, 20)  # the month ends with the simulated records, and holds a change of months and late files
LOOKS = (1, 8, 20, 45, 90, 180, 400, 800)  # minutes after six at which the scheduler looks
TABLES = ("record_spot_check", "record_injury", "signal", "assessment", "warning", "warning_event", "case_event", "digest", "files")
DELIVERY = """\
version: "soak"
alert_grades: [I, II]
lease_seconds: 60
channels:
  - {{name: mail, kind: smtp, host: 127.0.0.1, port: {port}, security: none, sender: riskwatch@example.org, domain: example.org,
     timeout_seconds: 5, attachments: [xlsx], concurrency: 2, retry: {{first_seconds: 300, most_seconds: 3600, attempts: 40}}}}
  - {{name: drop, kind: file, folder: "{{var}}/outbox", forms: [html, json], concurrency: 1}}
routes:
  - {{name: mails, channel: mail, kinds: [digest, alert]}}
  - {{name: files, channel: drop, kinds: [digest, alert], languages: [zh]}}
"""


@dataclass
class Faults:
    """How often what fails."""

    off: float = 0.2
    mail_down: float = 0.15
    kill: float = 0.5

    @classmethod
    def none(cls) -> Faults:
        return cls(0.0, 0.0, 0.0)


@dataclass
class Month:
    """What a month came to."""

    killed: int = 0
    looks: int = 0
    off: list[str] = field(default_factory=list)
    mail_down: list[str] = field(default_factory=list)


def make(folder: Path, port: int) -> None:
    """Make the project: a small province, one centre with a desk, mail and files."""
    init_project(folder)
    keep(folder, KEPT)
    datasets.simulate_province(seed=1, scale=0.03, start=dt.date(2024, 7, 1), malformed=12).write(folder / "data")
    demo = folder / "data" / "demo"
    for other in demo.iterdir():
        if other.name in FOLDERS:
            shutil.copytree(other, folder / "late" / other.name)
        shutil.rmtree(other)
    for name in FOLDERS:
        (demo / name).mkdir()
    (folder / "config" / "delivery.yaml").write_text(DELIVERY.format(port=port), encoding="utf-8")
    centres = folder / "config" / "centres.yaml"
    centres.write_text(centres.read_text(encoding="utf-8").rstrip() + "\n  recipients: [desk@changchun.example]\n", encoding="utf-8")
    settings = folder / "config" / "riskwatch.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("as_of: 2025-12-31", "as_of: null"), encoding="utf-8")
    for other in folder.glob("pipelines/*.yaml"):
        if other.name != "daily.yaml":
            other.unlink()


# --- the mail server -------------------------------------------------------------------------------------------------


def serve(port: int, log: Path, seed: int) -> None:
    """Take mail for ever; one in three is refused for now, or taken and not owned up to."""
    from aiosmtpd.smtp import SMTP

    chance = random.Random(seed)  # noqa: S311 - which fault comes is no secret

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's names
            drawn = chance.random()
            if seed and drawn < 0.2:
                return "451 try later"
            mail = email.message_from_bytes(envelope.content)
            with log.open("a", encoding="utf-8") as out:
                owned = not seed or drawn > 0.33
                out.write(json.dumps({"id": mail["Message-ID"], "key": mail["X-Riskwatch-Key"], "owned": owned}) + "\n")
            if not owned:
                server.transport.abort()
            return "250 OK"

    async def run() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: SMTP(Handler()), "127.0.0.1", port)
        await listening.serve_forever()

    asyncio.run(run())


class Server:
    """The mail server's process, which can be down."""

    def __init__(self, log: Path, seed: int) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = int(held.getsockname()[1])
        self._log, self._seed, self._starts = log, seed, 0
        self._process: subprocess.Popen[bytes] | None = None
        self.up()

    def up(self) -> None:
        if self._process is None:
            self._starts += 1
            seed = self._seed * 1000 + self._starts if self._seed else 0
            command = [sys.executable, "-m", "benchmarks.soak_month", "--serve", str(self.port), str(self._log), str(seed)]
            self._process = subprocess.Popen(command)
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        return
                time.sleep(0.05)

    def down(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


# --- the month -------------------------------------------------------------------------------------------------------


def _look(project: Project, moment: dt.datetime, kill_after: float | None) -> int:
    """Let a process do what the scheduler does at a tick; return its exit status."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            began = time.monotonic()
            project.clock = lambda: moment + dt.timedelta(seconds=time.monotonic() - began)
            outcomes = Worker(lambda: project).work()
            send_due(project)
            code = 1 if any(outcome.error for outcome in outcomes) else 0
        except BaseException:  # noqa: BLE001 - a forked child ends here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after is not None:
        deadline = time.monotonic() + kill_after
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                return 0
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def live(folder: Path, server: Server, *, days: int, faults: Faults, off: set[int], seed: int) -> Month:
    """Live through the days; the last one is without faults, so that all can be told."""
    chance = random.Random(seed)  # noqa: S311 - which fault comes is no secret
    project, month = Project(folder), Month()
    _look(project, dt.datetime.combine(FIRST, dt.time(5, 59), ZONE), None)
    for number in range(days):
        day, last = FIRST + dt.timedelta(days=number), number == days - 1
        deliver_until(folder, day)
        if number in off:
            month.off.append(day.isoformat())
            continue
        down = not last and chance.random() < faults.mail_down
        if down:
            month.mail_down.append(day.isoformat())
            server.down()
        else:
            server.up()
        killed = 0
        for minutes in LOOKS:
            moment = dt.datetime.combine(day, dt.time(6), ZONE) + dt.timedelta(minutes=minutes)
            while True:
                kill = not last and chance.random() < (faults.kill if minutes == LOOKS[0] else faults.kill / 4)
                status = _look(project, moment, chance.uniform(0.05, 4.0) if kill else None)
                month.looks += 1
                if status != -signal.SIGKILL:
                    break
                killed += 1
                moment += dt.timedelta(seconds=30)
        month.killed += killed
        sys.stdout.write(f"{day}{'  mail server down' if down else ''}  {killed} killed\n")
    return month


def judge(folder: Path, log: Path, days: int, reference: Path) -> tuple[list[str], dict[str, int]]:
    """Return what is wrong with the end of the month, and figures."""
    project, wrong = Project(folder), []
    with project.store() as store:
        messages = outbox.read_messages(store.database)
        times = {one.as_of: one.state for one in read_occurrences(store.database, "daily")}
        with_attempts = sum(one.attempts > 1 for one in messages)
    span = [FIRST + dt.timedelta(days=number) for number in range(days)]
    wrong += [f"{day}: {times[day]}" for day in span if day in times and times[day] not in {"done", "caught-up"}]
    wrong += [f"{one.message_key} is {one.state}" for one in messages if one.state not in {"sent", "dropped"}]
    for channel, language in (("mail", "zh"), ("mail", "en"), ("drop", "zh")):
        told: collections.Counter[dt.date] = collections.Counter()
        for one in messages:
            if (one.channel, one.language) == (channel, language) and one.kind in {"digest", "catch-up"}:
                first = one.first_day or one.as_of
                told.update(first + dt.timedelta(days=number) for number in range((one.as_of - first).days + 1))
        wrong += [f"{channel} {language}: {day} told {told[day]} times" for day in span if told[day] != 1]
    mails = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    by_key = collections.Counter(mail["key"] for mail in mails)
    ids = {mail["key"]: {other["id"] for other in mails if other["key"] == mail["key"]} for mail in mails}
    sent = {one.message_key for one in messages if one.channel == "mail" and one.state == "sent"}
    wrong += [f"{key}: marked as sent, never received" for key in sorted(sent - set(by_key))]
    wrong += [f"{key}: received, not in the outbox" for key in sorted(set(by_key) - sent)]
    wrong += [f"{key}: {len(found)} Message-IDs" for key, found in ids.items() if len(found) != 1]
    dropped = [path for path in (project.var / "outbox").glob("*/*") if path.is_dir()]
    files = sum(one.channel == "drop" and one.state == "sent" for one in messages)
    if len(dropped) != files:
        wrong.append(f"{files} messages of files are marked as sent, {len(dropped)} lie there")
    found, expected = (_state(where) for where in (folder, reference))
    wrong += differences(expected, found)
    figures = {
        "messages": len(messages),
        "of them tried more than once": with_attempts,
        "mails received": len(mails),
        "received again with the same Message-ID": len(mails) - len(by_key),
        "files": len(dropped),
        "rows and files compared": sum(len(rows) for rows in expected.values()),
    }
    return wrong, figures


def _state(folder: Path) -> dict[str, dict[str, Any]]:
    var = folder / "var" / "demo"
    whole = state_of(f"sqlite:///{var / 'riskwatch.db'}", var / "digests")
    return {name: whole[name] for name in TABLES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through the month twice, with and without faults; print a line for each day and what is wrong at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="same seed, same faults")
    parser.add_argument("--serve", nargs=3, metavar=("PORT", "LOG", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(int(options.serve[0]), Path(options.serve[1]), int(options.serve[2]))
    chance = random.Random(options.seed)  # noqa: S311 - which fault comes is no secret
    faults = Faults()
    resting = {number for number in range(1, options.days - 1) if chance.random() < faults.off}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="riskwatch-month-") as name:
        folder = Path(name)
        places = {}
        for label, given, seed in (("without faults", Faults.none(), 0), ("with faults", faults, options.seed)):
            sys.stdout.write(f"{label}\n")
            where, log = folder / label.replace(" ", "-"), folder / f"{label}.jsonl"
            log.touch()
            server = Server(log, seed)
            make(where, server.port)
            try:
                month = live(where, server, days=options.days, faults=given, off=resting, seed=seed)
            finally:
                server.down()
            places[label] = (where, log, month)
        where, log, month = places["with faults"]
        wrong, figures = judge(where, log, options.days, places["without faults"][0])
        clean, _ = judge(places["without faults"][0], places["without faults"][1], options.days, places["without faults"][0])
    wrong += [f"without faults: {line}" for line in clean]
    for line in wrong:
        sys.stdout.write(f"wrong: {line}\n")
    told = ", ".join(f"{count} {what}" for what, count in figures.items())
    sys.stdout.write(
        f"seed {options.seed}: {options.days} days, machine off on {len(month.off)}, mail server down on {len(month.mail_down)}, "
        f"{month.looks} looks, {month.killed} killed; {told}; {len(wrong)} wrong; {time.monotonic() - begun:.0f} s\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
