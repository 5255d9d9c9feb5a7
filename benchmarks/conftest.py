"""What the benchmarks share: sizes, peak memory, and one table of ratios at the end."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


def size(name: str, default: int) -> int:
    """Read a size from the environment: ``RISKWATCH_BENCH_<name>``."""
    return int(os.environ.get(f"RISKWATCH_BENCH_{name}", default))


@dataclass(frozen=True)
class Figure:
    """One measured thing: seconds of its fastest round, CPU seconds of this process per round, and its memory in MB at the peak.

    CPU seconds hardly change when others use the machine; those of a database server are not in them.
    """

    group: str
    name: str
    units: int
    of: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    held_mb: float


FIGURES: list[Figure] = []


def _memory(field: str) -> float:
    """Return a line of /proc/self/status in MB: VmRSS (held now) or VmHWM (peak since it was last reset)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., Any]:
    """Return a function that times another in one group with its peer and notes units and peak memory; it hands on the result.

    A name that starts with ``peer:`` is what the others of the group are held against.
    """

    def run(function: Callable[[], Any], *, group: str, name: str, units: int, of: str, rounds: int = 1) -> Any:
        benchmark.group, benchmark.name = group, name
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        held = _memory("VmRSS")
        started = time.process_time()
        result = benchmark.pedantic(function, rounds=rounds, iterations=1)
        cpu = (time.process_time() - started) / rounds
        figure = Figure(group, name, units, of, benchmark.stats.stats.min, cpu, _memory("VmHWM"), held)
        FIGURES.append(figure)
        benchmark.extra_info.update(units=units, of=of, per_second=units / figure.seconds, cpu_seconds=cpu, peak_mb=figure.peak_mb)
        return result

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print every group with the ratio to its peer, per unit of work, as docs/benchmarks.md has it."""
    if not FIGURES:
        return
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    say = terminalreporter.write_line
    say("")
    say(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load} (1, 5, 15 minutes; this run included)")
    say("| group | what | units | seconds | units/s | against the peer | CPU s | against the peer by CPU | peak MB (held before) |")
    say("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for figure in FIGURES:
        peer = next((other for other in FIGURES if other.group == figure.group and other.name.startswith("peer:")), None)
        per_second = figure.units / figure.seconds
        ratio = by_cpu = ""
        if peer is not None and peer is not figure:
            ratio = f"{per_second / (peer.units / peer.seconds):.2f}"
            by_cpu = f"{(figure.units / figure.cpu_seconds) / (peer.units / peer.cpu_seconds):.2f}"
        say(
            f"| {figure.group} | {figure.name} | {figure.units:,} {figure.of} | {figure.seconds:.2f} | {per_second:,.0f} | {ratio} "
            f"| {figure.cpu_seconds:.2f} | {by_cpu} | {figure.peak_mb:,.0f} ({figure.held_mb:,.0f}) |"
        )
