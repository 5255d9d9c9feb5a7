"""Figures of indicators and classes of enterprises are about no product: they are no evidence and change no grade."""

from __future__ import annotations

import pandas as pd
import pytest

from riskwatch.assessment import assess
from riskwatch.assessment.behind import RecordBase
from riskwatch.assessment.protocols import TreePaths
from tests.assessment.assessment_world import (
    ACTIONS,
    AS_OF,
    HAZARDS,
    RULES,
    TREES,
    WEEKS,
    injuries,
    samples,
    signal,
    twice,
)


def figures(count=60):
    """Indicator records of the days and places that the concerns are about; like all of their stream they name no product."""
    return pd.DataFrame(
        [
            {
                "record_key": f"ZB-{number}",
                "source": "quality-indicators",
                "event_date": WEEKS[1][0] + pd.Timedelta(days=number % 7).to_pytimedelta(),
                "product": None,
                "industry": None,
                "region": ["220000", "220100", "220101", "220200", "220301", "220400"][number % 6],
                "indicator": "manufacturing-pass-rate",
                "period_type": "year",
                "value": 93.0,
                "n": 2600.0,
                "status": "final",
            }
            for number in range(count)
        ]
    )


def judge(signals, records, items=()):
    frame = pd.DataFrame(list(signals), columns=list(signal()))
    return assess(
        frame, records, pd.DataFrame(list(items)), as_of=AS_OF, rules=RULES, actions=ACTIONS, hazards=HAZARDS, trees=TREES, quality={}
    )


@pytest.mark.parametrize(
    "signals",
    [
        twice("dolls", "220100"),
        [*twice("dolls", "220100"), *twice("dolls", "220200"), *twice("dolls", "220300")],
        twice("", "220100"),  # a concern about a region is nearest to such figures
        [signal("heaters", "")],
        [],
    ],
)
def test_indicator_records_change_no_assessment(signals):
    checks, items = samples("dolls", 40, 9)
    records = {"injury": pd.DataFrame(injuries("dolls", 30) + injuries("heaters", 3, outcome="died")), "spot_check": pd.DataFrame(checks)}
    plain = judge(signals, records, items)
    credit = pd.DataFrame([{"record_key": "K", "source": "register", "event_date": AS_OF, "product": None, "region": "220101"}])
    beside = judge(signals, {**records, "indicator": figures(), "enterprise_credit": credit}, items)
    assert beside == plain
    assert plain


def test_a_trend_of_an_indicator_does_not_corroborate():
    rows = injuries("dolls", 40, week=0) + injuries("dolls", 40)
    alone = judge(twice("dolls", "220100"), {"injury": pd.DataFrame(rows)})
    both = twice("dolls", "220100") + twice("dolls", "220100", stream="external_notice", source_type="statistics", model="indicator-watch")
    with_statistics = judge(both, {"injury": pd.DataFrame(rows), "indicator": figures()})
    real = twice("dolls", "220100") + twice("dolls", "220100", stream="spot_check")
    with_checks = judge(real, {"injury": pd.DataFrame(rows)})
    assert [one.confidence for one in alone] == ["C2"]
    assert [one.confidence for one in with_statistics] == ["C2"]
    assert [one.confidence for one in with_checks] == ["C3"]


def test_the_base_keeps_only_streams_that_count_something():
    paths = {name: TreePaths(TREES[name]) for name in ("product", "industry", "region")}
    base = RecordBase({"indicator": figures(), "injury": pd.DataFrame(injuries("dolls", 3))}, pd.DataFrame(), paths)
    assert list(base.frames) == ["injury"]
    assert base.count("indicator", region="220100") == 0.0
