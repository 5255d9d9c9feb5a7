"""The catalogue's file: versions by day, codes that a tree lacks, slips that are refused."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from riskwatch.coverage import CatalogueFile, unknown_codes

PLAIN = {
    "version": "1",
    "coverage": {},
    "advice": {"basis": {"source": "design proposal", "dated": "2026-11-26", "verified": False}},
    "catalogues": [
        {
            "version": "a",
            "in_force_from": "2021-01-01",
            "basis": {"source": "x", "dated": "2026-11-26", "verified": False},
            "entries": [
                {
                    "product": "P01",
                    "label": {"zh": "甲", "en": "a"},
                    "reason": {"zh": "甲", "en": "a"},
                    "weight": 1,
                    "severity": 2,
                    "minimum": {"county": 1},
                }
            ],
        }
    ],
}


def changed(**parts):
    entry = {**PLAIN["catalogues"][0]["entries"][0], **parts.pop("entry", {})}
    return {**PLAIN, "catalogues": [{**PLAIN["catalogues"][0], "entries": [entry]}], **parts}


def test_the_version_in_force_on_a_day_is_used(rules):
    assert rules.in_force(dt.date(2020, 12, 31)) is None
    assert rules.in_force(dt.date(2021, 1, 1)).version == "demo-2021"
    assert rules.in_force(dt.date(2023, 12, 31)).version == "demo-2021"
    assert rules.in_force(dt.date(2024, 1, 1)).version == "demo-2024"


def test_the_shipped_catalogue_says_that_it_is_invented_and_fits_the_tree(rules, trees):
    for version in rules.catalogues:
        assert version.basis.verified is False
        assert "invented" in version.basis.source
        assert unknown_codes(version, trees["product"]) == ()
    assert rules.advice.basis.verified is False


def test_codes_that_a_tree_lacks_are_reported_in_order(rules, trees):
    version = rules.catalogues[0]
    assert unknown_codes(version, None) == tuple(entry.product for entry in version.entries)
    # Another profile's tree: no code of the demonstration is a region.
    assert unknown_codes(version, trees["region"]) == tuple(entry.product for entry in version.entries)


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"entry": {"channels": {"market": 3}}}, "market unknown"),
        ({"entry": {"season": [1, 1]}}, "a month is there twice"),
        ({"entry": {"season": [13]}}, "less than or equal to 12"),
        ({"entry": {"minimum": {}}}, "at least 1 item"),
        ({"entry": {"wieght": 1}}, "Extra inputs"),
        ({"coverage": {"comparison": ["randm"]}}, "randm unknown"),
        ({"coverage": {"higher_checks": {"county": ["state"]}}}, "state unknown"),
        ({"advice": {**PLAIN["advice"], "harm": [1, 3, 2, 4]}}, "must be positive and not fall"),
        ({"advice": {**PLAIN["advice"], "strength": [10, 5]}}, "must rise"),
        ({"catalogues": PLAIN["catalogues"] * 2}, "is there twice"),
    ],
)
def test_slips_are_refused(slip, message):
    CatalogueFile.model_validate(PLAIN)
    with pytest.raises(ValidationError, match=message):
        CatalogueFile.model_validate(changed(**slip))
