"""4 重点产品: which products stand out, what changed, what fails, and what a new standard did."""

from __future__ import annotations

import pandas as pd

from riskwatch.reports.inputs import Input
from riskwatch.reports.sections.helpers import floats, say_list
from riskwatch.reports.sections.rates import changes, rates, worsening
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]

PRODUCT = both("产品", "product")


def write(writer: Writer) -> None:
    """Write the products."""
    inputs = writer.inputs
    parts = (
        (inputs.rates_product, "产品不合格率", "failure rates"),
        (inputs.change_product, "同比变化", "changes over a year"),
        (inputs.trends, "趋势", "trends"),
        (inputs.items, "不合格项目", "failing test items"),
        (inputs.standard_effect, "标准变化的影响", "effect of changed standards"),
    )
    if writer.skip(parts):
        return
    writer.part("（一）不合格率较高的产品", "Products with high failure rates")
    rates(writer, "product", inputs.rates_product, PRODUCT, both("产品", "products"))
    writer.part("（二）同比变化", "Changes over a year")
    changes(writer, "product", inputs.change_product, PRODUCT)
    writer.part("（三）持续变差的产品", "Products getting worse")
    worsening(writer, "product", PRODUCT)
    writer.part("（四）不合格项目", "Failing test items")
    _items(writer)
    writer.part("（五）标准变化的影响", "Effect of changed standards")
    _standards(writer)


def _items(writer: Writer) -> None:
    source = writer.need(writer.inputs.items, "不合格项目", "failing test items")
    if source is None:
        return
    frame = source.frame.sort_values(["failing", "item"], ascending=[False, True], ignore_index=True).head(writer.inputs.rules.rows)
    entries = []
    for row in frame.head(3).to_dict("records"):
        name = both(str(row["item"]), str(row["item"]))
        entries.append(
            (
                name,
                (
                    writer.figure(row["failing"], "count", both(f"{row['item']}不合格批次", f"samples failing {row['item']}"), source),
                    writer.figure(
                        row["share"], "share", both(f"{row['item']}占不合格样品的比例", f"share of failed samples: {row['item']}"), source
                    ),
                    writer.figure(row["products"], "count", both(f"{row['item']}涉及产品数", f"products failing {row['item']}"), source),
                ),
            )
        )
    say_list(
        writer,
        "不合格最多的项目：{list}。一个样品可有几项不合格，各项之和大于不合格批次。",
        "The items failed most: {list}. A sample may fail several, so items add up to more than the failed samples.",
        entries,
        "{name} {0} 批次（占不合格样品 {1}，涉及 {2} 个产品）",
        "{name} {0} samples ({1} of the failed, {2} products)",
    )
    fresh = frame[frame["new"].fillna(value=False).astype(bool)]
    if len(fresh):
        writer.say(
            "其中 {n} 项为本期新出现的不合格项目，宜先核实检验方法，再查原因。",
            "{n} of them are new in this period: check the test method first, then look for the cause.",
            n=writer.count_of(len(fresh), both("新出现的不合格项目数", "new failing items"), source),
        )
    hazards = writer.inputs.hazards
    writer.table(
        both("不合格项目", "Failing test items"),
        [
            Words(both("项目", "item"), [both(str(item), str(item)) for item in frame["item"]], 2.6),
            Words(both("危害", "hazard"), [hazards.get(str(code), both(str(code), str(code))) for code in frame["hazard"]], 1.8),
            Numbers(both("不合格批次", "failing samples"), floats(frame, "failing").tolist(), "count"),
            Numbers(both("占比", "share"), floats(frame, "share").tolist(), "share"),
            Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "share", upper=floats(frame, "upper").tolist(), width=1.5),
            Numbers(both("产品数", "products"), floats(frame, "products").tolist(), "count"),
        ],
        [f"{place + 1}" for place in range(len(frame))],
        source,
    )


def _standards(writer: Writer) -> None:
    source: Input | None = writer.need(writer.inputs.standard_effect, "标准变化的影响", "effect of changed standards")
    if source is None:
        return
    frame = source.frame
    failed, passed = floats(frame, "failed_new"), floats(frame, "would_pass_old")
    writer.say(
        "按新标准不合格的 {n} 批次中，{m} 批次按旧限值本可合格：这部分上升是标准加严所致，不是质量变差，但企业需限期达标。",
        "Of {n} samples that fail a new limit, {m} would have passed the old one: that part of a rise is the stricter standard"
        " and no fall of quality,"
        " though the makers must comply.",
        n=writer.figure(float(failed.sum()), "count", both("按新标准不合格批次", "samples failing new limits"), source),
        m=writer.figure(float(passed.sum()), "count", both("按旧限值合格批次", "of them passing the old limit"), source),
    )
    writer.table(
        both("标准变化的影响", "Effect of changed standards"),
        [
            Words(both("产品", "product"), [writer.name("product", code) for code in frame["product"]], 2.0),
            Words(both("项目", "item"), [both(str(item), str(item)) for item in frame["item"]], 2.0),
            Words(both("标准", "standard"), [both(str(name), str(name)) for name in frame["standard"]], 2.0),
            Words(both("实施日", "in force"), [both(text, text) for text in _days(frame)], 1.3),
            Numbers(both("按新标准不合格", "fail the new"), failed.tolist(), "count"),
            Numbers(both("按旧限值合格", "pass the old"), passed.tolist(), "count"),
        ],
        [f"{row.product}|{place + 1}" for place, row in enumerate(frame.itertuples())],
        source,
    )


def _days(frame: pd.DataFrame) -> list[str]:
    return ["–" if pd.isna(day) else pd.Timestamp(day).date().isoformat() for day in frame["effective_from"]]
