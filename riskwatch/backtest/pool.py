"""Workers: processes that open the setting once and do piece after piece; with one worker, this process does them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from riskwatch.backtest.setting import Place, Setting, open_setting
from riskwatch.definitions import Definitions
from riskwatch.errors import RiskwatchError

__all__ = ["Pool", "open_pool"]

T = TypeVar("T")
R = TypeVar("R")

# One thread in each process: as many processes as cores are at work, and threads of linear algebra would only get in their way.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Worker:
    """What a worker process has open."""

    stack = contextlib.ExitStack()
    setting: Setting


def _start(place: Place, loaded: tuple[Definitions, Definitions]) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # Killed, the parent says nothing: a worker that waits for it would wait for ever.
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _Worker.setting = _Worker.stack.enter_context(open_setting(place, loaded=loaded))


def _die_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _do(work: Callable[[Setting, T], R], task: T) -> R:
    return work(_Worker.setting, task)


class Pool:
    """Does pieces of work, here or in processes; the results come as they are ready."""

    def __init__(self, setting: Setting, executor: ProcessPoolExecutor | None) -> None:
        self._setting, self._executor = setting, executor

    def start(self) -> None:
        """Let the processes open the setting now, while this one plans what they are to do."""
        if self._executor is not None:
            self._executor.submit(os.getpid)

    def results(self, work: Callable[[Setting, T], R], tasks: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Yield each task with what ``work`` returned for it, in the order of their ends.

        Raises
        ------
        RiskwatchError
            If a worker process was killed (out of memory, for one).
        """
        if self._executor is None:
            for task in tasks:
                yield task, work(self._setting, task)
            return
        waiting = {self._executor.submit(_do, work, task): task for task in tasks}
        try:
            for done in as_completed(waiting):
                yield waiting.pop(done), done.result()
        except BrokenProcessPool as error:
            raise RiskwatchError(
                "backtest: a worker process ended before its work", hint="start again with fewer --workers: what was computed is kept"
            ) from error
        finally:
            for left in waiting:
                left.cancel()


@contextlib.contextmanager
def open_pool(setting: Setting, workers: int) -> Iterator[Pool]:
    """Open a pool of ``workers`` processes; with one, all is done in this process."""
    if workers <= 1:
        yield Pool(setting, None)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    # Spawned, not forked: database drivers and threads do not survive a fork. The processes inherit the variables.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    # The definitions go along: to parse all files again takes a worker longer than a day's assessments.
    given = setting.place, setting.loaded
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start, initargs=given)
    try:
        yield Pool(setting, executor)
    finally:
        executor.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
