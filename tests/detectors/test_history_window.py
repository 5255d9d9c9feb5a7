"""Where a stretch of history lies, and the parameters that say so."""

from __future__ import annotations

import pytest

from riskwatch.detectors import detector
from riskwatch.detectors.history_window import given_or_usual, history_before, shortest_findings
from riskwatch.errors import DetectorError


def test_given_or_usual():
    assert given_or_usual((None, 0, 7), (104, 4, 13)) == [104, 0, 7]  # nought is given, too
    with pytest.raises(ValueError, match="longer"):
        given_or_usual((None,), (1, 2))


@pytest.mark.parametrize(
    ("begin", "history", "guard", "positions"),
    [
        (20, 10, 4, [*range(6, 16)]),
        (20, 100, 4, [*range(16)]),  # as much as there is
        (3, 10, 0, [0, 1, 2]),
        (3, 10, 4, []),  # the guard is longer than what came before
        (0, 10, 0, []),
    ],
)
def test_history_before(begin, history, guard, positions):
    assert [*range(30)][history_before(begin, history, guard)] == positions


def test_shortest_findings():
    assert shortest_findings(None, 5) == shortest_findings(5, None) == shortest_findings(5, 5) == []
    assert shortest_findings(4, 5) == ["min_history_periods must be <= history_periods (4), got 5"]


@pytest.mark.parametrize("name", ["p-chart", "binomial-baseline", "binomial-glm", "binomial-cusum", "gamma-poisson-shrinker", "new-event"])
def test_a_shortest_history_beyond_the_whole_is_refused(name):
    with pytest.raises(DetectorError, match=rf"{name}: min_history_periods must be <= history_periods \(4\), got 5"):
        detector(name, history_periods=4, min_history_periods=5)


def test_all_findings_at_once():
    with pytest.raises(DetectorError) as found:
        detector("binomial-cusum", history_periods=4, min_history_periods=5, limit=3.0, arl0=100.0)
    assert [line.split()[1] for line in str(found.value).splitlines()[:2]] == ["min_history_periods", "limit"]


@pytest.mark.parametrize(
    ("name", "expected"), [("binomial-baseline", 13 + 4 + 1), ("new-event", 8 + 4 + 3), ("log-odds-dirichlet", 13 + 4 + 3)]
)
def test_the_window_counts_where_it_is_summed(name, expected):
    judge = detector(name, window_periods=3)
    assert judge.min_periods("week") == expected
    assert judge.memory("week") == 3
