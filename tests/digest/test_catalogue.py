"""The digest's lines on the key-product catalogue."""

from __future__ import annotations

import json

from riskwatch.digest import Digest, render_html, render_json, render_markdown
from tests.digest.conftest import CATALOGUE, PROVINCE


def test_the_line_holds_counts_share_and_what_a_gap_is_not(ordinary):
    zh, en = render_markdown(ordinary, "zh"), render_markdown(ordinary, "en")
    assert "264 个“产品×县区”单元中 240 个有样本（90.9%，按人口 93.4%），14 个不足，24 个空白；空白没有不合格率，不等于安全。" in zh
    assert "240 of 264 cells (product x county) were sampled (90.9%, by population 93.4%), 14 below plan, 24 not at all" in en
    assert "no sign of safety" in en
    assert "entries not verified" in en
    assert "电动自行车用锂离子电池" in render_html(ordinary, "zh")


def test_gaps_of_other_prefectures_stay_with_them(ordinary, build):
    """220281 lies in another prefecture: the province reads of it, this centre does not, not even in the JSON."""
    own = [gap.place.code for gap in ordinary.catalogue.top]
    assert own == ["220184", "220102", "220104"]
    assert "220281" in [gap.place.code for gap in build(PROVINCE).catalogue.top]
    assert "磁力玩具" not in json.dumps(json.loads(render_json(ordinary))["catalogue"], ensure_ascii=False)


def test_without_a_catalogue_nothing_is_said_and_stored_digests_stay_valid(ordinary, build):
    without = build(catalogue=None)
    assert without.catalogue is None
    assert "重点产品目录" not in render_markdown(without, "zh")
    old = json.loads(render_json(ordinary))
    del old["catalogue"]
    assert Digest.model_validate(old) == without


def test_unknown_population_is_left_out(build):
    import dataclasses

    page = render_markdown(build(catalogue=dataclasses.replace(CATALOGUE, population_share=None, top=(), verified=True)), "en")
    assert "were sampled (90.9%), 14 below plan" in page
    assert "Heaviest gaps" not in page
    assert "not verified" not in page
