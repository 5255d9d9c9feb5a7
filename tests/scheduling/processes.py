"""Real processes with a clock of their own: the command line, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
import riskwatch.scheduling.service  # what takes long to load comes first: the clock begins with the work
from riskwatch.cli import commands, main
{before}
moment = {moment!r}
if moment:
    import time_machine
    time_machine.travel(moment, tick=True).start()
main()
"""

# The run stops half way, before its last transaction, until it is told to go on.
HOLD = """
from riskwatch.runner import run as running
real = running.decide
def decide(*arguments):
    print('{"event": "half way"}', file=sys.stderr, flush=True)
    sys.stdin.readline()
    return real(*arguments)
running.decide = decide
"""


class Process:
    """``riskwatch ARGUMENTS`` in a process of its own; its log (standard error, JSON lines) is read as it comes."""

    def __init__(self, project: Path, *arguments: str, moment: str | None = None, before: str = "", database: str = "") -> None:
        overrides = ["--set", f"settings.database={database}"] if database else []
        command = [sys.executable, "-c", CODE.format(moment=moment, before=before), "--project", str(project), *overrides, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, encoding="utf-8"
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_for(self, event: str, seconds: float = 180.0, **fields: object) -> dict[str, Any]:
        """Return the first log line of an event; fail with all lines if the process ends or the time is over."""
        end = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            if ended:
                self._reader.join(5)
            for line in self.log:
                if line["event"] == event and fields.items() <= line.items():
                    return line
            assert not ended, f"ended before {event!r}:\n{''.join(self.lines)}"
            assert time.monotonic() < end, f"no {event!r}:\n{''.join(self.lines)}"
            time.sleep(0.05)

    def end(self, signal: int, seconds: float = 180.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signal)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
