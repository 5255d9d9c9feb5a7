"""The 32 targets and the macro indicators against the brief; what the check finds, and where."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from riskwatch.definitions import check
from riskwatch.definitions.validation import validate
from riskwatch.indicators.rules import IndicatorCatalogue
from tests.indicators.conftest import content

ROOT = Path(__file__).resolve().parents[2]
# id, domain, op, value, year, kind: section 二(三) of the 2012 document as the brief gives it. "=" 100 is 全面 or 全部.
TABLE = """
P1 product = 100 2020 q
P2 product >= 85 2020 q
P3 product >= 90 2020 q
P4 product = 80 2020 q
P5 product = 100 2020 q
P6 product >= 90 2015 q
P7 product = 400 2015 x
P8 product = 50 2015 x
P9 product = 1000 2015 x
P10 product = 1000 2015 x
P11 product = 1000 2015 x
E1 engineering = 100 2015 q
E2 engineering = 100 2015 q
E3 engineering >= 98 2015 q
E4 engineering >= 90 2015 q
E5 engineering = 100 2015 q
E6 engineering = 100 2015 q
E7 engineering >= 30 2015 q
E8 engineering - - 2015 n
E9 engineering - - 2020 n
SV1 service >= 85 2015 q
SV2 service >= 80 2015 q
SV3 service >= 80 2015 q
SV4 service = 100 2015 q
SV5 service - - 2015 n
V1 environment >= 90 2015 q
V2 environment = 100 2015 q
V3 environment >= 80 2015 q
V4 environment >= 70 2015 q
V5 environment >= 292 2015 q
V6 environment = 100 2015 q
V7 environment <= - 2015 n
"""
# A word of the document's phrase, so that no two rows can be swapped.
WORDS = {
    "P1": "强制性标准", "P2": "国外先进标准", "P3": "体系认证", "P4": "卓越绩效", "P5": "检测网络", "P6": "汽车", "P7": "整车",
    "P8": "配套",
    "P9": "油气", "P10": "石化", "P11": "示范园区", "E1": "竣工工程", "E2": "大中型", "E3": "其他工程", "E4": "高速公路", "E5": "养护",
    "E6": "建筑节能标准", "E7": "节能效率", "E8": "禁黏", "E9": "满意度", "SV1": "生产性", "SV2": "生活性", "SV3": "特色",
    "SV4": "国家标准",
    "SV5": "覆盖率", "V1": "稳定达标", "V2": "国控", "V3": "垃圾", "V4": "污水", "V5": "空气", "V6": "饮用水", "V7": "噪声",
}  # fmt: skip
UNITS = {"P7": "万辆", "P9": "万吨", "P10": "亿元", "P11": "亿元", "E4": "分", "SV1": "分", "SV2": "分", "SV3": "分", "V5": "天/年",
         "E9": "分", "V7": "dB(A)"}  # fmt: skip


def test_there_are_the_32_targets_of_the_document(catalogue):
    rows = [line.split() for line in TABLE.split("\n") if line]
    assert len(rows) == 32
    found = [
        [
            name,
            target.domain,
            target.op or "-",
            "-" if target.value is None else f"{target.value:g}",
            str(target.year),
            target.kind,
        ]
        for name, target in catalogue.targets.items()
    ]
    assert found == rows


def test_each_target_has_its_phrase_its_unit_and_its_indicator(catalogue):
    assert set(WORDS) == set(catalogue.targets)
    for name, target in catalogue.targets.items():
        assert target.source.startswith("二(三)：")
        assert WORDS[name] in target.source, name
        assert target.verified
        assert target.since == 2012
        assert catalogue.indicators[target.indicator].unit.zh == UNITS.get(name, "%"), name
    assert len({target.indicator for target in catalogue.targets.values()}) == 32


def test_direction_is_higher_but_for_noise_and_scale(catalogue):
    for name, target in catalogue.targets.items():
        direction = catalogue.indicators[target.indicator].direction
        assert direction == ("none" if target.kind == "x" else "lower" if name == "V7" else "higher"), name


def test_ambiguities_are_said(catalogue):
    for name in ("P4", "P8", "E7", "E8", "V7"):
        assert catalogue.targets[name].note is not None, name
    assert "ambiguous" in catalogue.targets["P4"].note.en
    assert "not known" in catalogue.targets["E7"].note.en
    # The document sets no figure for the five macro indicators; a centre's own targets say that no document sets them.
    macro = [code for code, item in catalogue.indicators.items() if item.domain == "macro"]
    assert len(macro) == 5
    assert not {target.indicator for target in catalogue.targets.values()} & set(macro)
    for target in catalogue.own_targets.values():
        assert "演示" in target.source
        assert not target.verified


def test_national_figures_are_those_that_were_published(catalogue):
    figures = {code: {item.year: item.value for item in catalogue.indicators[code].reference} for code in catalogue.indicators}
    assert figures["manufacturing-pass-rate"] == {2020: 93.39, 2023: 93.65, 2024: 93.93}
    assert figures["manufacturing-competitiveness"] == {2006: 79.98, 2008: 81.18, 2024: 85.6}
    assert all(item.source and item.region == "CN" for indicator in catalogue.indicators.values() for item in indicator.reference)
    # Formulas known from general knowledge only are not verified; both schemes of bands are not.
    for code in ("quality-loss-rate", "export-pass-rate", "customer-satisfaction"):
        assert not catalogue.indicators[code].basis.verified
    assert not any(scheme.basis.verified for scheme in catalogue.bands.values())
    assert [band.low for band in catalogue.bands["competitiveness-2011"].bands] == [60, 75, 80, 85, 90]
    assert [band.low for band in catalogue.bands["competitiveness-2009"].bands] == [60, 75, 80, 95]


def test_the_survey_rate_and_the_spot_check_rate_are_kept_apart(catalogue):
    survey, spot = (catalogue.indicators[code] for code in ("manufacturing-pass-rate", "spot-check-pass-random"))
    assert survey.form.kind == "ratio"
    assert spot.form.kind == "derived"
    assert "不是监督抽查合格率" in survey.note.zh
    assert "Not the pass rate of manufactured products" in spot.note.en


CASES = [
    (("targets", "P2", "op"), "=>", "must be one of"),
    (("targets", "P2", "op"), "<=", "goes against advanced-standard-adoption, for which higher is better"),
    (("targets", "V4", "indicator"), "sewage-treatmnt", "names the unknown indicator 'sewage-treatmnt'; did you mean 'sewage-treatment'?"),
    (("targets", "P3", "value"), 190, "190 lies outside the bounds of system-certification"),
    (("targets", "P3", "domain"), "service", "service is not the domain of system-certification, which is product"),
    (("targets", "E9", "value"), 80, "kind n means that the text has no number"),
    (("targets", "P3", "value"), None, "kind q needs op and value"),
    (("targets", "P3", "kind"), "z", "must be one of"),
    (("targets", "P3", "since"), 2021, "year must not lie before since"),
    (("indicators", "spot-check-pass-random", "form", "denominator"), "inspectd", "stream spot_check has no field 'inspectd'"),
    (("indicators", "spot-check-pass-random", "form", "where"), {"selection": ["randm"]}, "selection cannot be randm"),
    (("indicators", "recheck-pass", "form", "dated_by"), "verdict", "is text, not date"),
    (("indicators", "manufacturing-competitiveness", "bands"), ["none-such"], "names 'none-such', which is not defined"),
    (("indicators", "customer-satisfaction", "uncertainty"), "binomial", "uncertainty binomial needs a ratio of counts"),
    (("indicators", "customer-satisfaction", "bounds"), [100, 0], "bounds must be [low, high]"),
    (("bands", "competitiveness-2011", "bands", 1, "low"), 99, "low must rise strictly"),
    (("methods", "lost_after"), {"year": 1}, "lost_after needs an entry for half, month, quarter"),
    (("scorecard", "warning_z"), 5, "warning_z must lie below alarm_z"),
    (("domains",), {"macro": {"zh": "宏", "en": "m"}}, "needs an entry for engineering, environment, product, service"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "models", "pipelines"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(("path", "value", "message"), CASES)
def test_what_is_wrong_is_named_with_its_place(path, value, message):
    data = json.loads(json.dumps(content(), default=str))  # dates as the strict reader gives them
    holder = data
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    found, findings = validate(IndicatorCatalogue, data)
    assert found is None
    assert len(findings) == 1, findings
    assert message in findings[0].message
    shared = min(len(findings[0].path), len(path))
    assert findings[0].path[:shared] == path[:shared]


def test_the_check_names_the_line(project):
    text = (ROOT / "config" / "indicators.yaml").read_text(encoding="utf-8")
    wrong = text.replace("indicator: sewage-treatment", "indicator: sewage-treatmnt").replace(
        '    op: ">="\n    value: 85\n', '    op: "<="\n    value: 85\n', 1
    )
    (project / "config" / "indicators.yaml").write_text(wrong, encoding="utf-8")
    lines = wrong.split("\n")
    found = [(problem.file, lines[problem.line - 1].strip()) for problem in check(project)]
    assert found == [("config/indicators.yaml", 'op: "<="'), ("config/indicators.yaml", "indicator: sewage-treatmnt")]


def test_a_target_given_twice_is_a_duplicate_key(project):
    text = (ROOT / "config" / "indicators.yaml").read_text(encoding="utf-8").replace("\n  E4:\n", "\n  E3:\n")
    (project / "config" / "indicators.yaml").write_text(text, encoding="utf-8")
    assert any('duplicate key "E3", first given in line' in problem.message for problem in check(project))


def test_all_problems_come_at_once():
    data = copy.deepcopy(content())
    data["targets"]["P2"]["op"] = "<="
    data["targets"]["V4"]["indicator"] = "nothing"
    with pytest.raises(ValidationError) as caught:
        IndicatorCatalogue.model_validate(data)
    assert [error["loc"] for error in caught.value.errors()] == [("targets", "P2", "op"), ("targets", "V4", "indicator")]


def test_an_own_target_may_not_take_a_number_of_the_document():
    data = copy.deepcopy(content())
    data["own_targets"]["P1"] = data["own_targets"].pop("D1")
    with pytest.raises(ValidationError, match="P1 is the number of a target of the document"):
        IndicatorCatalogue.model_validate(data)
