"""A product without a code of its own, coded as "other": its word goes from the records through detection and assessment to the digest."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.datasets.injury_words import MECHANISMS
from riskwatch.project import init_project

START, FIRST_CASE, LAST = dt.date(2024, 1, 1), dt.date(2025, 10, 6), dt.date(2025, 11, 30)
COUNTIES = ["220102", "220103", "220104", "220202", "220203", "220302"]
KNOWN = {"P0301": "电动自行车", "P0101": "塑胶玩具", "P0102": "电玩具", "P0103": "毛绒布制玩具"}
OTHER = "P0399"


def cards(per_week: float, *, new: bool) -> pd.DataFrame:
    """Injury cards of two years; from FIRST_CASE on some of a product that is nowhere in the code list."""
    rng = np.random.default_rng(7)
    days = (LAST - START).days + 1
    size = rng.poisson(per_week * days / 7)
    when = rng.integers(0, days, size)
    codes = rng.choice([*KNOWN, OTHER], size)
    phrases = rng.choice([item.phrase for item in MECHANISMS], size)
    names = [KNOWN.get(code, "骑行护具") for code in codes]
    texts = [f"使用{name}时{phrase}" for name, phrase in zip(names, phrases, strict=True)]
    if new:
        since = (FIRST_CASE - START).days
        more = rng.integers(since, days, 5 * (days - since) // 7)
        when, codes = np.concatenate([when, more]), np.concatenate([codes, np.full(len(more), OTHER)])
        texts += [
            f"患者张伟{name}骑悬浮滑板时{phrase}，电话13812345678"
            for name, phrase in zip(rng.choice(["丽", "国"], len(more)), rng.choice(["跌倒", "起火", "撞墙"], len(more)), strict=True)
        ]
    date = pd.to_datetime(START) + pd.to_timedelta(when, unit="D")
    size = len(when)
    return pd.DataFrame(
        {
            "卡片编号": [f"C{number:06d}" for number in range(size)],
            "监测医院": rng.choice(["甲医院", "乙医院", "丙医院", "丁医院"], size),
            "性别": rng.choice(["男", "女"], size),
            "年龄": rng.integers(3, 70, size),
            "伤害发生日期": date.strftime("%Y-%m-%d"),
            "报告日期": date.strftime("%Y-%m-%d"),
            "严重程度": "轻度",
            "结局": "处理后离院",
            "涉及产品1": codes,
            "县区代码": rng.choice(COUNTIES, size),
            "经过": texts,
        }
    )


def project_of(folder: Path, frame: pd.DataFrame) -> Project:
    init_project(folder)
    for path in (folder / "models").glob("*.yaml"):
        if path.name not in {"injury_terms.yaml", "spot_check_names.yaml"}:
            path.unlink()
    with (folder / "config" / "dimensions" / "products.csv").open("a", encoding="utf-8") as lines:
        lines.write(f"{OTHER},P03,product,其他骑行用品,Other riding goods,,,,,,,\n")
    (folder / "data" / "demo" / "injuries").mkdir(parents=True)
    frame.to_csv(folder / "data" / "demo" / "injuries" / "cards.csv", index=False)
    return Project(folder)


def new_words(folder: Path, day: dt.date) -> list[dict[str, object]]:
    found = folder / "var" / "demo" / "digests" / day.isoformat() / "jilin-province.json"
    return json.loads(found.read_text(encoding="utf-8"))["words"]


@pytest.mark.slow
def test_it_is_in_the_digest_within_three_weeks_of_its_first_case(tmp_path: Path) -> None:
    """The week of the first cases and the two that records have to come in: no earlier look is possible."""
    project = project_of(tmp_path / "new", cards(60, new=True))
    day = FIRST_CASE + dt.timedelta(weeks=3)
    project.run("daily", as_of=day.isoformat())
    words = new_words(tmp_path / "new", day)
    spoken = [word for word in words if "悬浮" in str(word["term"]) or "滑板" in str(word["term"])]
    assert spoken, words
    assert spoken[0]["observed"] == 8
    assert spoken[0]["expected"] < 1
    assert "其他骑行用品" in str(spoken[0]["product"])
    # It is assessed under the code that it hides under.
    connection = sqlite3.connect(tmp_path / "new" / "var" / "demo" / "riskwatch.db")
    payloads = [payload for (payload,) in connection.execute("select payload from assessment")]
    connection.close()
    assert any("term=悬浮滑板" in payload and OTHER in payload for payload in payloads)
    texts = "".join(payloads)
    texts += "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "new" / "var" / "demo" / "digests" / day.isoformat()).iterdir()
    )
    assert "悬浮" in texts
    # A word, never a text; and nobody's name or number.
    assert not any(secret in texts for secret in ("张伟", "13812345678", "骑悬浮滑板时", "使用电动自行车时"))


@pytest.mark.slow
def test_without_it_there_is_no_word(tmp_path: Path) -> None:
    project = project_of(tmp_path / "old", cards(60, new=False))
    day = FIRST_CASE + dt.timedelta(weeks=5)
    project.run("daily", as_of=day.isoformat())
    assert new_words(tmp_path / "old", day) == []
