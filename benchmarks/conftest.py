"""What the benchmarks share: sizes, peak memory, and one table of ratios at the end."""

from __future__ import annotations

import os
import platform
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
    """One measured thing: seconds of its fastest round, and memory in MB at its peak, all of the process."""

    group: str
    name: str
    units: int
    of: str
    seconds: float
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

    def run(
        function: Callable[..., Any], *, group: str, name: str, units: int, of: str, rounds: int = 1, setup: Callable[[], Any] | None = None
    ) -> Any:
        benchmark.group, benchmark.name = group, name
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        held = _memory("VmRSS")
        result = benchmark.pedantic(function, setup=setup, rounds=rounds, iterations=1)
        figure = Figure(group, name, units, of, benchmark.stats.stats.min, _memory("VmHWM"), held)
        FIGURES.append(figure)
        benchmark.extra_info.update(units=units, of=of, per_second=units / figure.seconds, peak_mb=figure.peak_mb, held_mb=held)
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
    say("| group | what | units | seconds | units/s | against the peer | peak MB (held before) |")
    say("|---|---|--:|--:|--:|--:|--:|")
    for figure in FIGURES:
        peer = next((other for other in FIGURES if other.group == figure.group and other.name.startswith("peer:")), None)
        ratio = "" if peer is None or peer is figure else f"{figure.units / figure.seconds / (peer.units / peer.seconds):.2f}"
        say(
            f"| {figure.group} | {figure.name} | {figure.units:,} {figure.of} | {figure.seconds:.2f} | {figure.units / figure.seconds:,.0f} "
            f"| {ratio} | {figure.peak_mb:,.0f} ({figure.held_mb:,.0f}) |"
        )
