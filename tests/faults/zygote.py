"""A warm process without threads and open databases: it forks children that run a pipeline, and kills them.

Run as ``python -m tests.faults.zygote``; one JSON request per line on standard input, one JSON answer per line on standard output.
Request ``{"folder", "day", "database", "after"?: seconds, "point"?: {"name", "number", "side"}, "largest_file"?: bytes}``; answer
``{"status", "seconds", "counts"}``: the exit status of the child as Python's ``subprocess`` has it, how long it lived, and how often it
passed each named point (empty if killed).

The hooks live here and not in the product: the child wraps the cursor of the database driver and ``Path.replace`` before it runs.
"""

from __future__ import annotations

import collections
import datetime as dt
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

NOON = dt.datetime(2026, 1, 5, 4, tzinfo=dt.UTC)  # in Shanghai; after every day that is run
BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Points:
    """Counts the named points a child passes, and kills it just before or after one of them."""

    def __init__(self, deadly: Mapping[str, Any] | None, write_begin: str) -> None:
        self.deadly = deadly
        self.write_begin = write_begin
        self.passed: collections.Counter[str] = collections.Counter()

    def around(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work of a point; die before or after it if its turn has come."""
        self.passed[name] += 1
        mine = self.deadly is not None and (self.deadly["name"], self.deadly["number"]) == (name, self.passed[name])
        if mine and self.deadly is not None and self.deadly["side"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = work()
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def install(self) -> None:
        """Wrap commits of writing transactions and the renaming of rendered files."""
        import adbc_driver_manager.dbapi as adbc

        writing: set[int] = set()
        execute, replace = adbc.Cursor.execute, Path.replace
        points = self

        def counted_execute(cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(sql, str) and sql.startswith("BEGIN"):
                if sql == points.write_begin:
                    writing.add(id(cursor))
                return points.around("begin", lambda: execute(cursor, sql, *args, **kwargs))
            if sql == "COMMIT" and id(cursor) in writing:
                writing.discard(id(cursor))
                return points.around("commit", lambda: execute(cursor, sql, *args, **kwargs))
            return execute(cursor, sql, *args, **kwargs)

        def counted_replace(path: Path, target: Any) -> Any:
            return points.around("replace", lambda: replace(path, target))

        adbc.Cursor.execute = counted_execute  # type: ignore[method-assign]
        Path.replace = counted_replace  # type: ignore[method-assign, assignment]


def _child(request: Mapping[str, Any], out: int) -> int:
    import riskwatch.api
    from riskwatch.api import Project
    from riskwatch.errors import RiskwatchError

    settings = {}
    # SQLite reads with BEGIN and writes with BEGIN IMMEDIATE; PostgreSQL writes with BEGIN and reads with more words.
    points = Points(request.get("point"), "BEGIN" if request["database"] else "BEGIN IMMEDIATE")
    if request["database"]:
        os.environ["FAULTS_DATABASE"] = request["database"]
        settings["settings.database"] = "env:FAULTS_DATABASE"
    points.install()
    # The rule that no event lies after the day of the run names that day: a soak that lasts past midnight would compare two days.
    riskwatch.api._clock = lambda: NOON
    if request.get("largest_file"):
        # A file that may not grow is what a quota or a full disk looks like to a process; Python ignores the signal and gets the error.
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], request["largest_file"]))
    try:
        code = Project(request["folder"], settings=settings).run("daily", as_of=request["day"]).exit_code
    except RiskwatchError as error:
        os.write(out, json.dumps({"counts": {}, "modules": [], "said": str(error)}).encode())
        return error.exit_code
    told = {"counts": dict(points.passed), "modules": sorted(sys.modules) if request.get("tell_modules") else []}
    os.write(out, json.dumps(told).encode())
    return code


def _serve(request: Mapping[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(reader)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            # Standard output carries the answers of the parent.
            os.dup2(2, 1)
            code = _child(request, writer)
        except BaseException:  # noqa: BLE001 - a forked child ends here, whatever happened
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    after = request.get("after")
    if after is not None and signal.sigtimedwait({signal.SIGCHLD}, after) is None:
        os.kill(pid, signal.SIGKILL)
    told = b""
    while piece := os.read(reader, 1 << 20):
        told += piece
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    signal.sigtimedwait({signal.SIGCHLD}, 0)  # the one that ended, if nobody took it yet
    answer = json.loads(told) if told else {"counts": {}, "modules": []}
    return answer | {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - begun}


def _threads() -> list[str]:
    """Return the names of the threads beside this one; the allocator's own, which knows how to fork, is not counted."""
    names = ((thread / "comm").read_text(encoding="ascii").strip() for thread in Path("/proc/self/task").iterdir())
    return [name for name in names if name != "jemalloc_bg_thd"][1:]


def main() -> None:
    """Answer requests until standard input ends."""
    import riskwatch.api  # warm before the first fork

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        request = json.loads(line)
        if "warm" in request:
            begun = time.monotonic()
            for name in request["warm"]:
                # What a run has loaded by its end is loaded here, once, by name: nothing is opened and no thread starts.
                try:
                    importlib.import_module(name)
                except Exception:  # noqa: BLE001, S112 - a module of one run only (__mp_main__, say) need not be warm
                    continue
            riskwatch.api.Project(request["folder"])  # fills the caches of the definitions
            answer: dict[str, Any] = {"threads": _threads(), "seconds": time.monotonic() - begun}
        else:
            answer = _serve(request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for variable in BLAS:
        if os.environ.get(variable) != "1":
            sys.exit(f"zygote: {variable} must be 1 before anything is imported")
    main()
