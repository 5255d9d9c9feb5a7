"""A prospective space-time permutation scan against a loop over centres, neighbours and windows with a logarithm for each.

python -m pytest benchmarks/bench_scan.py  # 60 counties x 104 weeks x 999 replicates; the loop does RISKWATCH_BENCH_LOOP_REPLICATES (2)
RISKWATCH_BENCH_SCAN_NATION=1 python -m pytest benchmarks/bench_scan.py -k nation  # 2,900 counties x 52 weeks x 999 as well
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import size

from riskwatch.detectors.scan import scan
from riskwatch.detectors.scan_replicates import permutation_draw, tables
from riskwatch.detectors.scan_statistics import permutation_expected
from riskwatch.detectors.scan_windows import prospective_windows
from riskwatch.detectors.scan_zones import circular_zones, distances

REPLICATES, LOOP_REPLICATES = size("REPLICATES", 999), size("LOOP_REPLICATES", 2)
GROUP = "space-time scan, 60 counties x 104 weeks, windows up to half of both"


def world(counties, weeks, mean):
    rng = np.random.default_rng(1)
    where = rng.uniform(0, 500, (counties, 2))
    return distances(where, kind="km"), rng.poisson(rng.gamma(2, mean / 2, counties)[:, None], (counties, weeks))


def plain(counts, expected, apart, windows, share):
    """The largest ratio, every window summed anew, as a first program would."""
    total, best = float(counts.sum()), 0.0
    cases = counts.sum(axis=1)
    for centre in range(len(counts)):
        order = np.argsort(apart[centre], kind="stable")
        for k in range(1, len(order) + 1):
            zone = order[:k]
            if k > 1 and cases[zone].sum() > share * total:
                break
            for first, last in zip(windows.first.tolist(), windows.last.tolist(), strict=True):
                c, mu = float(counts[zone, first : last + 1].sum()), float(expected[zone, first : last + 1].sum())
                if c >= 2 and c > mu:
                    rest = (total - c) * math.log((total - c) / (total - mu)) if c < total else 0.0
                    best = max(best, c * math.log(c / mu) + rest)
    return best


def test_plain_loop(measure):
    apart, counts = world(60, 104, 0.5)
    expected, windows = permutation_expected(counts.astype(float)), prospective_windows(104, 52)
    drawn = tables(permutation_draw(counts), (1,), range(LOOP_REPLICATES), largest=int(2 * counts.sum()))
    measure(
        lambda: [plain(table, expected, apart, windows, 0.5) for table in drawn],
        group=GROUP,
        name="peer: plain loop",
        units=LOOP_REPLICATES,
        of="replicates",
    )


def test_scan(measure):
    apart, counts = world(60, 104, 0.5)
    zones, windows = circular_zones(apart, counts.sum(axis=1).astype(float)), prospective_windows(104, 52)
    found = measure(
        lambda: scan(counts, zones, windows, replicates=REPLICATES), group=GROUP, name="riskwatch: scan", units=REPLICATES, of="replicates"
    )
    expected = permutation_expected(counts.astype(float))
    drawn = tables(permutation_draw(counts, windows.span), (1,), range(1), largest=int(2 * counts.sum()))[0]
    whole = np.zeros(counts.shape)
    whole[:, windows.span] = drawn
    # Cases outside the windows do not enter a ratio but by the total.
    whole[:, 0] += counts.sum(axis=1) - whole.sum(axis=1)
    assert found.maxima[0] == pytest.approx(plain(whole, expected, apart, windows, 0.5), rel=1e-9)


@pytest.mark.skipif(size("SCAN_NATION", 0) == 0, reason="RISKWATCH_BENCH_SCAN_NATION=1 runs it: a minute or more")
@pytest.mark.parametrize(("share", "longest"), [(0.25, 8), (0.5, 26)])
def test_nation(measure, share, longest):
    apart, counts = world(2900, 52, 0.1)
    zones, windows = circular_zones(apart, counts.sum(axis=1).astype(float), max_share=share), prospective_windows(52, longest)
    found = measure(
        lambda: scan(counts, zones, windows, replicates=REPLICATES),
        group="space-time scan, 2,900 counties x 52 weeks",
        name=f"riskwatch: up to {share:.0%} of the cases, {longest} weeks",
        units=REPLICATES,
        of="replicates",
    )
    assert len(found.maxima) == REPLICATES
