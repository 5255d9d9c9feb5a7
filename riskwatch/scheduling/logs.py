"""Structured logs: one JSON object a line with the run's id, or a line for people on a terminal."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from riskwatch.redaction import redact_event
from riskwatch.runner.progress import Reporter, Task

__all__ = ["LogReporter", "configure_logs", "log"]

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("riskwatch")


def configure_logs(*, file: Path | None = None, human: bool | None = None) -> None:
    """Send the logs of this process to standard error or a file.

    Parameters
    ----------
    file : Path, optional
        Appended to; a file that was moved away (logrotate) is made anew.
    human : bool, optional
        Lines for people in place of JSON; default: where standard error is a terminal and there is no file.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    for_people = sys.stderr.isatty() and file is None if human is None else human
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False) if for_people else structlog.processors.JSONRenderer(ensure_ascii=False)
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.WatchedFileHandler(file, encoding="utf-8")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer]
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # Its own account of every wake-up tells nothing beside ours; what it cannot do is told.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class LogReporter(Reporter):
    """What a run tells of its progress, as log lines."""

    @contextlib.contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Log one line when the piece of work is done."""
        began, counted = time.monotonic(), _Counted()
        yield counted
        log.info("task", task=label, units=counted.units, total=total, seconds=round(time.monotonic() - began, 3))

    def say(self, message: str) -> None:
        """Log the message."""
        log.info("progress", text=message)


class _Counted:
    def __init__(self) -> None:
        self.units = 0

    def advance(self, by: int = 1) -> None:
        self.units += by
