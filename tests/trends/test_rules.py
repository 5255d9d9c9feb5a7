"""``config/trends.yaml``: what is wrong in it is said."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from riskwatch.trends.rules import TrendRules


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("interval",), 1.5, "less than 1"),
        (("frequencies", "month", "horizons"), [6, 3], "horizons must rise"),
        (("frequencies", "week"), None, "week"),
        (("thresholds", "default"), {"times": 1.2, "rate": 0.1}, "one of times, rate and count"),
        (("changes", "permutations"), 19, "at least 1 / alpha - 1"),
        (("series", "treatment"), "magic", "effective-size"),
        (("lists", "colour"), ["x"], "Extra inputs"),
    ],
)
def test_wrong_values_are_refused_by_name(rules, path, value, said):
    content = rules.model_dump()
    content["changes"]["alpha"] = 0.01 if path == ("changes", "permutations") else 0.05
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValidationError, match=said):
        TrendRules.model_validate(content)


def test_lists_and_thresholds(rules):
    assert "spot-check-failures" in rules.lists.models("product")
    assert rules.threshold(None) == rules.threshold("unknown") == rules.thresholds.default
    assert rules.level.settings().slope_memory == rules.level.slope_memory
