"""Which figures of a warning come first."""

from __future__ import annotations

import datetime as dt

from riskwatch.assessment.types import Evidence, Subject
from riskwatch.digest import Labels, Trees
from riskwatch.digest.cards import leading_measures
from riskwatch.digest.names import Namer


def evidence(product, region, observed, expected):
    return Evidence(
        model="injuries", stream="injury", source_type="injury", product=product, industry="", region=region, stratum="",
        period_start=dt.date(2025, 12, 22), period_end=dt.date(2025, 12, 28), frequency="week",
        observed=observed, exposure=None, expected=expected, lower=0.0, upper=2 * expected, p_value=1e-4, q_value=1e-3, windows=1,
        detector="sequential-nb", detector_hash="f" * 8,
    )  # fmt: skip


def test_the_subject_itself_leads_before_its_category_and_its_city():
    """A city's alarm that a product absorbed has the larger excess, but it is not the product's figure."""
    rows = [evidence("", "220100", 154, 114), evidence("P04", "220100", 40, 20), evidence("P0402", "220100", 12, 3)]
    for order in (rows, rows[::-1]):
        found = leading_measures(order, Subject("product", "P0402", "220100"), Namer(Trees()), Labels(), "")
        assert [item.product for item, _ in found] == ["P0402", "P04", ""]
    city = leading_measures(rows, Subject("region", "220100", "220100"), Namer(Trees()), Labels(), "")
    assert city[0][0].product == ""
