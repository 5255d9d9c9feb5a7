"""Kill a run, start it again until it ends, and compare with a run that nobody killed."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.faults.province import FIRST_DAY, KEPT, NEXT_DAY, deliver, handle, make_province
from tests.faults.state import State, differences, state_of
from tests.faults.zygote import BLAS

__all__ = ["Harness", "Outcome", "Trouble", "draw_kills"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Trouble:
    """What befalls a run. One of:

    * it is killed after a ``share`` of its usual length;
    * it is killed just before or after (``side``) the n-th time that it passes a named point: ``begin`` and ``commit`` of transactions
      (commits of those that write), ``replace`` of a rendered file;
    * no file may grow beyond ``largest_file`` bytes;
    * after a ``share`` of its usual length the server ends its connections while it writes (``severed``);
    * at that moment the whole server falls and is started again (``restarted``): its log is replayed.
    """

    share: float | None = None
    name: str = ""
    number: int = 0
    side: str = ""
    largest_file: int = 0
    severed: bool = False
    restarted: bool = False

    def __str__(self) -> str:
        if self.largest_file:
            return f"no file above {self.largest_file:,} bytes"
        what = "severed" if self.severed else "server restarted" if self.restarted else "killed"
        return f"{what} at {self.share:.3f} of its length" if self.share is not None else f"{what} {self.side} {self.name} {self.number}"


@dataclass
class Outcome:
    """One case: how each run ended (the last undisturbed), and where its end differs from that of the run that nobody disturbed."""

    scenario: str
    troubles: Sequence[Trouble]
    answers: list[dict[str, Any]] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        """Exit status of every run."""
        return [answer["status"] for answer in self.answers]

    @property
    def died(self) -> int:
        """How many runs were killed."""
        return self.statuses.count(-signal.SIGKILL)

    def __str__(self) -> str:
        return f"{self.scenario}: {'; '.join(map(str, self.troubles))} ({self.died} died)"


@dataclass(frozen=True)
class Place:
    """A project's folder and, on a server, its database."""

    folder: Path
    database: str = ""


class Zygote:
    """The warm process of :mod:`tests.faults.zygote`."""

    def __init__(self) -> None:
        environment = os.environ | dict.fromkeys(BLAS, "1") | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
        for name in ("RISKWATCH_PROJECT", "RISKWATCH_PROFILE", "RISKWATCH_DATA"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "tests.faults.zygote"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


@dataclass(frozen=True)
class Scenario:
    """Where a run starts, its day, and how it ends and how long it takes when nobody kills it."""

    start: Place
    day: dt.date
    expected: State
    seconds: float
    counts: dict[str, int]


class Harness:
    """Two scenarios on one database: ``first`` (an empty project) and ``next`` (a month later: files arrived, people dealt with cases).

    Parameters
    ----------
    folder : Path
        Where projects are made; private to the harness.
    server : str
        URL of a PostgreSQL server; "" tests SQLite.
    restart : callable, optional
        Lets the server fall and starts it again.
    whole : bool
        All sources, models and centres of the demonstration, not the few that make a run short.
    """

    def __init__(
        self,
        folder: Path,
        server: str = "",
        *,
        seed: int = 1,
        scale: float = 0.03,
        restart: Callable[[], object] | None = None,
        whole: bool = False,
    ) -> None:
        self.folder, self.server, self.restart = folder, server, restart
        self._prefix = f"faults_{os.getpid()}_{uuid.uuid4().hex[:6]}_"
        self._made = 0
        folder.mkdir(parents=True, exist_ok=True)
        made = Place(folder / "made", self._new_database())
        make_province(made.folder, seed=seed, scale=scale, kept=None if whole else KEPT)
        self.zygote = Zygote()
        try:
            self.scenarios: dict[str, Scenario] = {}
            begun = self._copy(self._prepare("first", made, FIRST_DAY))
            handle(begun.folder, self._url(begun, server_only=True))
            deliver(begun.folder)
            self._prepare("next", begun, NEXT_DAY)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and remove the databases of a server."""
        self.zygote.close()
        if self.server:
            with psycopg.connect(self.server, autocommit=True) as connection:
                query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
                for (name,) in connection.execute(query, [self._prefix]).fetchall():
                    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def case(self, scenario: str, troubles: Sequence[Trouble]) -> Outcome:
        """Run a scenario under each of the troubles in turn, then undisturbed to its end; compare."""
        known = self.scenarios[scenario]
        place = self._copy(known.start)
        outcome = Outcome(scenario, troubles)
        for trouble in troubles:
            answer = self._disturbed(place, known, trouble)
            outcome.answers.append(answer)
            if answer["status"] not in {0, 4, -signal.SIGKILL}:
                outcome.differs.append(f"a run ({trouble}) ended with status {answer['status']}")
        outcome.answers.append(self._run(place, known.day))
        if outcome.statuses[-1] != 0:
            outcome.differs.append(f"the undisturbed run ended with status {outcome.statuses[-1]}")
        outcome.differs += differences(known.expected, self._state(place))
        if not outcome.differs:
            self._drop(place)
        return outcome

    def _disturbed(self, place: Place, known: Scenario, trouble: Trouble) -> dict[str, Any]:
        if trouble.largest_file:
            return self._run(place, known.day, largest_file=trouble.largest_file)
        if trouble.severed or trouble.restarted:
            timer = threading.Timer((trouble.share or 0.0) * known.seconds, self._sever, [place.database, trouble.restarted])
            timer.start()
            try:
                return self._run(place, known.day)
            finally:
                timer.cancel()
                timer.join()
        if trouble.share is not None:
            return self._run(place, known.day, after=trouble.share * known.seconds)
        return self._run(place, known.day, point={"name": trouble.name, "number": trouble.number, "side": trouble.side})

    def _sever(self, database: str, restarted: bool) -> None:
        """Wait until the database has a writing transaction open, and end all its connections, or the server."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_xid IS NOT NULL"
        with psycopg.connect(self.server, autocommit=True) as connection:
            deadline = time.monotonic() + 5.0
            while time.monotonic() < deadline:
                found = connection.execute(query, [database]).fetchone()
                if found is not None and found[0]:
                    break
            if not restarted:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        if restarted:
            assert self.restart is not None
            self.restart()

    def _prepare(self, name: str, start: Place, day: dt.date) -> Place:
        """Run a scenario without a kill and remember how it ends; return where."""
        place = self._copy(start)
        told = self._run(place, day, tell_modules=not self.scenarios)
        if told["status"] != 0:
            raise AssertionError(f"the {name} run that nobody killed ended with status {told['status']}")
        seconds = told["seconds"]
        if not self.scenarios:
            # The modules that a run loads are loaded before the next fork: a share of its length is then a share of its work.
            warmed = self.zygote.ask({"warm": told["modules"], "folder": str(start.folder)})
            assert warmed["threads"] == [], "a process with threads must not fork"
            seconds = max(seconds - warmed["seconds"], 0.3 * seconds)
        self.scenarios[name] = Scenario(start, day, self._state(place), seconds, told["counts"])
        return place

    def _run(self, place: Place, day: dt.date, **more: Any) -> dict[str, Any]:
        return self.zygote.ask({"folder": str(place.folder), "database": self._url(place, server_only=True), "day": str(day), **more})

    def _url(self, place: Place, *, server_only: bool = False) -> str:
        if self.server:
            return f"{self.server.rsplit('/', 1)[0]}/{place.database}"
        return "" if server_only else f"sqlite:///{place.folder}/var/demo/riskwatch.db"

    def _state(self, place: Place) -> State:
        return state_of(self._url(place), place.folder / "var", without=("riskwatch.db",))

    def _new_database(self, template: str = "") -> str:
        if not self.server:
            return ""
        self._made += 1
        name = f"{self._prefix}{self._made}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return name

    def _copy(self, place: Place) -> Place:
        target = self.folder / f"case-{uuid.uuid4().hex[:8]}"
        shutil.copytree(place.folder, target)
        return Place(target, self._new_database(place.database))

    def _drop(self, place: Place) -> None:
        shutil.rmtree(place.folder)
        if self.server:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{place.database}" WITH (FORCE)')


def draw_kills(harness: Harness, seed: int) -> Iterator[tuple[str, list[Trouble]]]:
    """Draw cases without end: of the kills, two in three come at a random instant, one in three at a named point.

    Some runs are killed once before they end, some up to eight times in a row. What the one before had done stays done, so that a later
    one may end before its kill comes.
    """
    draw = random.Random(seed)  # noqa: S311 - not a secret
    while True:
        scenario = draw.choice(["first", "next", "next", "next"])
        counts = harness.scenarios[scenario].counts
        kills = []
        for _ in range(draw.choice([1, 2, 4, 6, 8])):
            if draw.random() < 2 / 3:
                kills.append(Trouble(share=draw.random()))
            else:
                name = draw.choice(sorted(counts))
                kills.append(Trouble(name=name, number=draw.randint(1, counts[name]), side=draw.choice(["before", "after"])))
        yield scenario, kills
