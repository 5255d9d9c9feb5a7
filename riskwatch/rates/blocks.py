"""Work on many series block by block, on several threads; the one place where rates and detectors use more than one core."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy.typing as npt

from riskwatch.errors import DetectorError

__all__ = ["THREADS", "over_blocks", "thread_count"]

THREADS = "RISKWATCH_THREADS"
_MOST = 8  # beyond this the memory bus, not the processor, is what array operations wait for


def thread_count() -> int:
    """Return the number of threads: the environment variable ``RISKWATCH_THREADS``, else the processor's cores, at most 8.

    Raises
    ------
    DetectorError
        If the variable is not a whole number of at least 1.
    """
    given = os.environ.get(THREADS, "")
    if not given:
        return min(os.cpu_count() or 1, _MOST)
    if not given.isdecimal() or int(given) < 1:
        raise DetectorError(f"{THREADS} must be a whole number >= 1, got {given!r}", hint="leave it unset to use every core, at most 8")
    return int(given)


class _OneBlasThread:
    """Hold the linear-algebra library to one thread while any block is worked on.

    The products of a block are small. Spread over the library's own threads, on busy cores, they ran ten times as long; and the blocks'
    threads times the library's are more than there are cores. The setting is the process's: the last to leave gives it back.
    """

    def __init__(self) -> None:
        self._lock, self._users = Lock(), 0
        self._held: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._held = _libraries().limit(limits=1, user_api="blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._held.restore_original_limits()


@functools.cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - looks through all loaded libraries

    return ThreadpoolController()


_ONE_BLAS_THREAD = _OneBlasThread()


def over_blocks(
    function: Callable[[slice], Sequence[npt.NDArray[Any]]],
    size: int,
    out: Sequence[npt.NDArray[Any]],
    block: int,
    threads: int | None = None,
) -> None:
    """Call ``function`` for each block of series and put what it returns in its place.

    The results depend on neither the threads nor the order in which blocks are done, provided that the function is pure: numpy's large
    operations release the interpreter's lock, so that blocks run side by side.

    Parameters
    ----------
    function : callable
        Takes a slice of series and returns one array per array in ``out``, whose first axis are the series of the slice.
    size : int
        Number of series.
    out : sequence of array, shape (size, ...)
        Filled in place.
    block : int
        Series per call.
    threads : int, optional
        Default: :func:`thread_count`.
    """

    def work(start: int) -> None:
        where = slice(start, min(start + block, size))
        for target, values in zip(out, function(where), strict=True):
            target[where] = values

    starts = range(0, size, block)
    workers = min(thread_count() if threads is None else threads, len(starts))
    with _ONE_BLAS_THREAD:
        if workers <= 1:
            for start in starts:
                work(start)
            return
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work, start) for start in starts]:
                done.result()
