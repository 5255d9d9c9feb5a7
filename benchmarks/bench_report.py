"""Seconds of the parts of a report: gathering, pictures, and each form. Run a pipeline of the project first.

python benchmarks/bench_report.py PROJECT [PERIOD [REGION]]     # default: 2025Q4 220000
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from riskwatch.api import Project
from riskwatch.reports.build import build_report
from riskwatch.runner.report_period import parse_period
from riskwatch.runner.reporting import build_inputs, render_forms


def timed(label: str, work: Callable[[], Any]) -> Any:
    """Print how long some work took, by the clock and on the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    print(f"{label:<24} {time.perf_counter() - wall:6.1f} s, {time.process_time() - cpu:6.1f} s of CPU")
    return made


def main() -> None:
    """Time one report."""
    folder, period, region = (*sys.argv[1:], *("2025Q4", "220000")[len(sys.argv) - 2 :])
    with Project(folder).context() as ctx:
        inputs = timed("inputs", lambda: build_inputs(ctx, parse_period(period), region))
    timed("texts and traces", lambda: build_report(inputs, languages=()))
    report = timed("with pictures (zh, en)", lambda: build_report(inputs))
    print(f"{len(report.traces)} traces, {sum(block.kind == 'picture' for part in report.sections for block in part.blocks)} pictures")
    for form in ("html", "pdf", "docx"):
        for language in ("zh", "en"):
            timed(f"{form} {language}", lambda form=form, language=language: render_forms(report, (language,), (form,)))


if __name__ == "__main__":
    main()
