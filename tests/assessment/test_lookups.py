"""What is looked up by row number is what a search of the whole table finds."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from assessment_world import quiet, signal, twice

from riskwatch.assessment.lookups import Lookups, span


@pytest.fixture
def table() -> pd.DataFrame:
    """Two weeks of two products, one of them in two places, with one alarm that is not worth a look."""
    rows = [*twice("dolls", "220100"), signal("dolls", "220200", p=0.01), signal("heaters"), *quiet("heaters", "220100")]
    q = [0.02, 0.02, 0.1, 0.001, 1.0]
    days = ("period_start", "period_end", "evidence_start")
    frame = pd.DataFrame(rows)
    frame = frame.assign(
        **{name: pd.to_datetime(frame[name]) for name in days}, q_value=q, windows=1, newest=[False, True, True, True, True]
    )
    return frame.assign(excess=frame["observed"] - frame["expected"], candidate=[True, True, False, True, False])


def test_rows_of_codes_are_those_of_a_search(table: pd.DataFrame) -> None:
    found = Lookups(table)
    for kind in ("product", "region"):
        for codes in ({"dolls"}, {"dolls", "heaters"}, {"220100", "220200"}, {""}, {"nobody"}, set()):
            assert found.about(kind, codes).tolist() == table.index[table[kind].isin(codes)].tolist()
    assert found.words("region") == {"220100", "220200", ""}
    assert found.words("region", found.about("product", ["dolls"])) == {"220100", "220200"}


def test_numbers_tell_the_same_moments_apart(table: pd.DataFrame) -> None:
    other = pd.concat([table, table.assign(frequency="month"), table.assign(stratum="selection=random")], ignore_index=True)
    found = Lookups(other)
    for numbers, names in (
        (found.moments, ["model", "stratum", "period_start"]),
        (found.groups, ["model", "stratum", "period_start", "frequency"]),
    ):
        expected = other.groupby(names, sort=False).ngroup()
        assert numbers.tolist() == expected.tolist()


def test_candidates_are_evidence_strongest_first(table: pd.DataFrame) -> None:
    found = Lookups(table)
    assert list(found.candidates) == [0, 1, 3]
    evidence, newest = found.evidence_of([0, 1, 3])
    assert [(one.product, one.period_start) for one in evidence] == [
        ("heaters", table.loc[3, "period_start"].date()),
        ("dolls", table.loc[0, "period_start"].date()),
        ("dolls", table.loc[1, "period_start"].date()),
    ]
    assert newest == (True, False, True)
    assert all(one.exposure is None for one in evidence)


def test_a_span_reaches_from_the_first_evidence_to_the_last_period(table: pd.DataFrame) -> None:
    early = table["evidence_start"].min() - dt.timedelta(days=28)
    table.loc[1, "evidence_start"] = early
    found = Lookups(table).candidates
    assert span([found[0], found[1]]) == (early.date(), table["period_end"].max().date())
