"""Whether notices lead: a world in which they do, one in which both follow fashion, one in which nothing is known."""

import numpy as np
import pytest

from riskwatch.errors import RiskwatchError
from riskwatch.outside.lead import lead

CELLS, MONTHS = 400, 60


def world(rng, *, effect):
    notices = rng.random((CELLS, MONTHS)) < 0.03
    recent = np.stack([notices[:, max(0, t - 3) : t].any(axis=1) for t in range(MONTHS)], axis=1)
    alarms = rng.random((CELLS, MONTHS)) < np.where(recent, 0.02 * effect, 0.02)
    return notices, alarms, np.ones_like(alarms)


def test_notices_that_lead_are_seen():
    found = lead(*world(np.random.default_rng(1), effect=5), draws=199)
    assert found.within[1] > 1.2
    assert found.ratio[1] > 1.2
    assert found.share_after > found.share_otherwise
    assert found.placebo[1] < 1 < found.placebo[2]


def test_notices_without_effect_are_not():
    held = [one.within[1] <= 1 <= one.within[2] for one in (lead(*world(np.random.default_rng(k), effect=1), draws=99) for k in range(20))]
    assert sum(held) >= 16  # 95 % intervals


def test_cells_that_have_more_of_both_show_in_the_ratio_but_not_within():
    rng = np.random.default_rng(3)
    size = np.where(np.arange(CELLS) < CELLS // 2, 0.08, 0.005)[:, None]
    notices, alarms = rng.random((CELLS, MONTHS)) < size, rng.random((CELLS, MONTHS)) < size
    found = lead(notices, alarms, np.ones_like(alarms), draws=199)
    assert found.ratio[1] > 1.5
    assert found.within[1] < 1.1


def test_a_table_by_hand():
    notices = np.zeros((1, 8), dtype=bool)
    alarms = np.zeros((1, 8), dtype=bool)
    notices[0, 1], alarms[0, 3] = True, True
    # ahead 2, behind 2: months 0-5 can be looked at, not month 3 (in alarm); notices are near at 1 and 2, alarms follow at 1 and 2.
    found = lead(notices, alarms, np.ones_like(alarms), ahead=2, behind=2, draws=9)
    assert (found.months, found.after_notice, found.share_after, found.share_otherwise) == (5, 2, 1.0, 0.0)


def test_what_cannot_be_judged_is_refused():
    some = np.zeros((2, 4), dtype=bool)
    with pytest.raises(RiskwatchError, match="no cell-month"):
        lead(some, some, some)
    with pytest.raises(RiskwatchError, match="one shape"):
        lead(some, some[:, :2], some)
