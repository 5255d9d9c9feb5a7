"""The map of a cluster on the card of a warning that rests on one."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd
import pytest

from riskwatch.digest import Digest, render_email, render_html, render_json, render_markdown
from riskwatch.digest.cards import series_key
from riskwatch.digest.clusters import ClusterFigures
from tests.digest.conftest import CHANGCHUN, PROVINCE, province_day, signals_frame

WHERE = {
    "220102": (125.35, 43.86),
    "220104": (125.29, 43.83),
    "220184": (124.82, 43.5),
    "220281": (127.34, 43.72),
    "222401": (129.51, 42.89),
}


def figures(inside, years=5.0):
    rows = [
        {
            "place": code,
            "longitude": x,
            "latitude": y,
            "inside": code in inside,
            "observed": 4.0 if code in inside else 1.0,
            "expected": 0.8,
        }
        for code, (x, y) in WHERE.items()
    ]
    return ClusterFigures(dt.date(2025, 11, 24), dt.date(2025, 12, 28), 0.0038, years, pd.DataFrame(rows))


def made(build, inside, *, centre=CHANGCHUN, years=5.0):
    """Return the ordinary day's digest, its first card in full resting on a cluster, and that card's number."""
    day = province_day()
    card = next(card for card in build(centre).warnings if card.in_full)
    at = next(k for k, one in enumerate(day.assessments) if one.subject.code == card.subject_code and one.evidence)
    found = dataclasses.replace(day.assessments[at].evidence[0], model="injury-clusters", product="P0101", industry="", stratum="")
    assessments = list(day.assessments)
    assessments[at] = dataclasses.replace(assessments[at], evidence=(*assessments[at].evidence, found))
    key = series_key("injury-clusters", "P0101", "", found.region, "")
    digest = build(centre, assessments=assessments, signals=signals_frame(assessments), clusters={key: figures(inside, years)})
    return digest, card.warning_id


def test_the_card_shows_the_map(build):
    digest, number = made(build, {"220104", "220102"})
    card = next(card for card in digest.warnings if card.warning_id == number)
    assert card.cluster is not None
    assert (card.cluster.counties, card.cluster.observed, card.cluster.expected) == (2, 8.0, 1.6)
    assert [card.warning_id for card in digest.warnings if card.cluster is not None] == [number]
    assert Digest.model_validate_json(render_json(digest)) == digest
    chinese, english = render_markdown(digest, "zh"), render_markdown(digest, "en")
    assert "2 县聚集，2025-11-24 至 2025-12-28 实际 8、预期 1.6（5.0 倍）；重现间隔约 5 年" in chinese
    assert "南关区 4/0.8、朝阳区 4/0.8" in chinese
    assert "cluster of 2 counties, 2025-11-24 to 2025-12-28: 8 against 1.6 (5.0 times); by chance once in 5 years" in english
    charts = sum(card.in_full and card.chart is not None for card in digest.warnings)
    for language in ("zh", "en"):
        assert render_html(digest, language).count("<img") == charts + 1
    mail = render_email(digest, "zh")
    assert all(f"cid:{image.cid}" in mail.html for image in mail.images)


def test_outlines_change_the_picture_and_nothing_else(build):
    digest, _ = made(build, {"220104", "220102"})
    ring = [[125.0, 43.6], [125.6, 43.6], [125.6, 44.0], [125.0, 44.0], [125.0, 43.6]]
    outline = {"type": "Feature", "properties": {"adcode": "220102"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    dots, shapes = render_email(digest, "zh"), render_email(digest, "zh", outlines=[outline])
    assert dots.text == shapes.text
    assert [a == b for a, b in zip(dots.images, shapes.images, strict=True)].count(False) == 1


def test_a_cluster_elsewhere_has_no_map_here(build):
    digest, _ = made(build, {"222401"})
    assert all(card.cluster is None for card in digest.warnings)
    digest, number = made(build, {"222401"}, centre=PROVINCE)
    assert next(card for card in digest.warnings if card.warning_id == number).cluster is not None


@pytest.mark.parametrize(
    ("years", "zh", "en"),
    [(0.5, "重现间隔约 6 个月", "once in 6 months"), (float("inf"), "重现间隔 1,000 年以上", "less than once in 1,000 years")],
)
def test_how_rare_it_is(build, years, zh, en):
    digest, _ = made(build, {"220104"}, years=years)
    assert zh in render_markdown(digest, "zh")
    assert en in render_markdown(digest, "en")
