"""Small trees and sources that the record tests share; sources are the real definitions, so the protocol is tested with them."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pyarrow as pa
import pytest

from riskwatch.definitions.types import SourceDefinition
from riskwatch.dimensions import load_trees
from riskwatch.records import parse

TODAY = dt.date(2021, 12, 31)

PRODUCTS = """code,parent,level,name_zh,name_en,industry
0100,,category,食品,food,C14
0101,0100,product,糕点,cakes,
0102,0100,product,白酒,liquor,C15
0200,,category,玩具,toys,
0201,0200,product,童车,ride-on toys,C24
"""
REGIONS = """code,parent,level,name_zh,name_en,valid_from
220000,,province,吉林省,Jilin,
220100,220000,prefecture,长春市,Changchun,
220102,220100,county,南关区,Nanguan,
220184,220100,county,公主岭市,Gongzhuling,2020-06-19
220300,220000,prefecture,四平市,Siping,
220322,220300,county,梨树县,Lishu,
"""
MOVES = """from_code,to_code,effective_on,note
220381,220184,2020-06-19,moved to Changchun
"""
INDUSTRIES = "code,parent,level,name_zh,name_en\nC,,section,制造业,manufacturing\n" + "".join(
    f"C{n},C,division,行业{n},division {n}\n" for n in range(13, 44)
)

SPOT_COLUMNS = {
    "record_key": ["抽样编号", "样品编号"],
    "event_date": "抽样日期",
    "product": "产品代码",
    "industry": "行业",
    "region": "地区",
    "selection": "方式",
    "product_name": "产品名称",
    "producer": "生产企业代码",
    "reported_on": "报告日期",
    "published_on": "公布日期",
    "inspected": "批次",
    "failed": "不合格",
    "verdict": "判定",
}
GOOD = {
    "抽样编号": "S1",
    "抽样日期": "2021-03-05",
    "产品代码": "0101",
    "行业": "",
    "地区": "220102",
    "方式": "随机",
    "产品名称": "月饼",
    "生产企业代码": "E1a5478982987",
    "报告日期": "2021-03-20",
    "公布日期": "2021-04-20",
    "批次": "1",
    "不合格": "0",
    "判定": "合格",
}


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trees")
    files = []
    for dimension, text in {"product": PRODUCTS, "region": REGIONS, "industry": INDUSTRIES}.items():
        (folder / f"{dimension}.csv").write_text(text, encoding="utf-8")
        crosswalk = "moves.csv" if dimension == "region" else None
        files.append(SimpleNamespace(dimension=dimension, path=f"{dimension}.csv", format="tree", options={}, crosswalk=crosswalk))
    (folder / "moves.csv").write_text(MOVES, encoding="utf-8")
    return load_trees(files, folder, folder)


@pytest.fixture
def spot_source():
    def make(**changes) -> SourceDefinition:
        entries = {
            "name": "lab",
            "stream": "spot_check",
            "label": {"zh": "实验室", "en": "laboratory"},
            "reader": {"kind": "folder", "path": "in"},
            "key": ["record_key"],
            "columns": SPOT_COLUMNS,
            "values": {"selection": {"随机": "random", "重点": "targeted"}, "verdict": {"合格": "pass", "不合格": "fail"}},
            "profiles": ["demo"],
        }
        return SourceDefinition.model_validate({**entries, **changes})

    return make


@pytest.fixture
def spot_table():
    def make(*rows: dict, headers: dict | None = None) -> pa.Table:
        """One raw row per dict of changes to a good row; keys are numbered unless given."""
        full = [{**GOOD, "抽样编号": f"S{number}", **row} for number, row in enumerate(rows, start=1)]
        names = list(dict.fromkeys(name for row in full for name in row))
        columns = {(headers or {}).get(name, name): pa.array([row.get(name) for row in full], type=pa.string()) for name in names}
        return pa.table(columns)

    return make


@pytest.fixture
def parse_spot(spot_source, spot_table, trees):
    def run(*rows: dict, first_row: int = 2, headers: dict | None = None, **changes):
        return parse(spot_table(*rows, headers=headers), spot_source(**changes), trees, today=TODAY, first_row=first_row)

    return run
