"""Blocks and threads: where results go, and that they change nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import threadpoolctl

from riskwatch.detectors import blocks, detector, farrington_judge, sequential_nb
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

FIELDS = ("expected", "lower", "upper", "p_value", "alarm", "reason")


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_lie_where_their_series_do(threads):
    out = np.zeros(103), np.zeros((103, 2))
    blocks.over_blocks(
        lambda where: (np.arange(103.0)[where], np.full((len(range(103)[where]), 2), where.start)), 103, out, block=10, threads=threads
    )
    np.testing.assert_array_equal(out[0], np.arange(103))
    np.testing.assert_array_equal(out[1][:, 1], np.arange(103) // 10 * 10)


def test_an_error_in_a_block_is_raised():
    def fail(where):
        raise ValueError(str(where.start))

    with pytest.raises(ValueError, match="0"):
        blocks.over_blocks(fail, 20, (np.zeros(20),), block=5, threads=2)


def test_number_of_threads(monkeypatch):
    monkeypatch.delenv("RISKWATCH_THREADS", raising=False)
    assert 1 <= blocks.thread_count() <= 8
    monkeypatch.setenv("RISKWATCH_THREADS", "3")
    assert blocks.thread_count() == 3
    monkeypatch.setenv("RISKWATCH_THREADS", "0")
    with pytest.raises(DetectorError, match="RISKWATCH_THREADS must be a whole number >= 1, got '0'"):
        blocks.thread_count()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("farrington-flexible", {"limit_cases": 0}), ("farrington-flexible", {"population_offset": True}), ("farrington", {})],
)
def test_bits_depend_on_neither_threads_nor_blocks(monkeypatch, name, parameters):
    rng = np.random.default_rng(21)
    periods = pd.period_range("2016-01-04", periods=300, freq="W-SUN")
    mean = np.exp(rng.uniform(-3, 6, (260, 1))) * np.exp(rng.normal(0, 0.002, (260, 1)) * np.arange(300))
    observed = rng.negative_binomial(mean, 0.5).astype(float)
    observed[::5][rng.random((52, 300)) < 0.03] = np.nan
    panel = Panel(observed, pd.RangeIndex(260), periods, rng.poisson(40, observed.shape) + 1.0)
    judge = detector(name, **parameters)
    same_bits(monkeypatch, panel, judge, (farrington_judge, "_BLOCK"), ((1, 512), (1, 8), (2, 100), (3, 37)))


@pytest.mark.parametrize("parameters", [{}, {"mid_p": False, "population_offset": True}])
def test_bits_of_the_sequential_detector(monkeypatch, parameters):
    """Blocks of the regression have a fixed size; those of the limits have not."""
    rng = np.random.default_rng(22)
    mean = np.exp(rng.uniform(-3, 5, (300, 1)))
    observed = rng.negative_binomial(mean, 0.5, (300, 250)).astype(float)
    observed[::5][rng.random((60, 250)) < 0.03] = np.nan
    periods = pd.period_range("2016-01-04", periods=250, freq="W-SUN")
    panel = Panel(observed, pd.RangeIndex(300), periods, rng.poisson(40, observed.shape) + 1.0)
    judge = detector("sequential-nb", **parameters)
    same_bits(monkeypatch, panel, judge, (sequential_nb, "_LIMIT_BLOCK"), ((1, 2048), (1, 7), (2, 100), (3, 37)))


def test_blocks_hold_the_linear_algebra_library_to_one_thread():
    """Also with one block, also when calls overlap; afterwards it has its threads back."""

    def threads():
        return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

    def work(where):
        seen.append(threads())
        if len(seen) == 1:
            blocks.over_blocks(work, 3, (np.zeros(3),), block=1, threads=2)
            seen.append(threads())
        return [np.zeros(where.stop - where.start)]

    np.ones((2, 2)) @ np.ones((2, 2))
    seen = []
    with threadpoolctl.threadpool_limits(2, "blas"):
        before = threads()
        blocks.over_blocks(work, 1, (np.zeros(1),), block=10)
        assert threads() == before
    assert before
    assert len(seen) == 5
    assert {number for counts in seen for number in counts} == {1}


def same_bits(monkeypatch, panel, judge, size, cases):
    found = []
    for threads, block in cases:
        monkeypatch.setenv("RISKWATCH_THREADS", str(threads))
        monkeypatch.setattr(*size, block)
        found.append(judge.detect(panel))
    assert (found[0].reason == 0).mean() > 0.6
    for other in found[1:]:
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(other, field), getattr(found[0], field), err_msg=field)
