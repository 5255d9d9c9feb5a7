"""2 数据来源与覆盖: what the report rests on, how fresh it is, where nobody looked, and what changed in the data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch import plots
from riskwatch.reports.model import Text
from riskwatch.reports.numbers import is_missing
from riskwatch.reports.sections.helpers import enumerate_names, floats, shorten
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]

STATES = {
    "on-time": ("按时", "on time"),
    "late": ("迟报", "late"),
    "silent": ("无数据", "silent"),
    "closed": ("已停止", "closed"),
    "failed": ("未能读取", "could not be read"),
}
STREAMS = {
    "spot_check": ("监督抽查", "spot checks"),
    "injury": ("产品伤害", "product injuries"),
    "external_notice": ("外部通报", "external notices"),
    "indicator": ("质量指标", "indicators"),
    "enterprise_credit": ("企业信用", "enterprise credit"),
}


def write(writer: Writer) -> None:
    """Write sources, coverage, and laboratories."""
    writer.part("（一）数据来源", "Sources")
    _sources(writer)
    writer.part("（二）抽查覆盖与空白", "Coverage and gaps")
    _coverage(writer)
    _catalogue(writer)
    _gaps(writer)
    writer.part("（三）检验机构差异", "Laboratories")
    _laboratories(writer)


def _sources(writer: Writer) -> None:
    source = writer.need(writer.inputs.sources, "数据来源", "sources")
    if source is None:
        return
    frame = source.frame
    heard = int(frame["state"].isin(["on-time"]).sum())
    writer.say(
        "本报告依据 {n} 个来源、截至 {as_of} 已知的记录；本期内 {records} 条。{heard} 个来源按时报送。"
        "抽查结果在抽样之后才公布，期末附近的记录可能尚未到齐，因此对照期也按同样的滞后取数。",
        "The report rests on {n} sources, read as known on {as_of}; {records} records fall within the period. {heard} sources"
        " report on time. Spot"
        " checks are published some time after sampling: records close to the end of the period may still arrive, so past"
        " periods are read as they were"
        " known when as old.",
        n=writer.count_of(len(frame), both("数据来源数", "number of sources"), source),
        as_of=writer.inputs.as_of.isoformat(),
        records=writer.figure(float(floats(frame, "in_period").sum()), "count", both("本期记录数", "records within the period"), source),
        heard=writer.count_of(heard, both("按时报送的来源数", "sources on time"), source),
    )
    if writer.inputs.as_of < writer.inputs.period.last:
        writer.note(
            "本期尚未结束：数据截至 {as_of}，数字会变，不宜与完整时期比较。",
            "The period has not ended: data reach {as_of}, figures will change and should not be compared with whole periods.",
            tone="caution",
            as_of=writer.inputs.as_of.isoformat(),
        )
    waiting = float(floats(frame, "quarantine").sum())
    if waiting:
        writer.say(
            "{n} 行因不符合规则在隔离区待处理，未计入任何数字。",
            "{n} rows wait in quarantine and are part of no figure.",
            n=writer.figure(waiting, "count", both("隔离区待处理行数", "rows in quarantine"), source),
        )
    writer.table(
        both("数据来源", "Sources"),
        [
            Words(both("来源", "source"), [both(str(row.name_zh), str(row.name_en)) for row in frame.itertuples()], 3.2),
            Words(both("类型", "kind"), [both(*STREAMS.get(str(row.stream), (str(row.stream),) * 2)) for row in frame.itertuples()], 1.6),
            Numbers(both("本期记录", "in the period"), floats(frame, "in_period").tolist(), "count"),
            Numbers(both("全部记录", "all records"), floats(frame, "records").tolist(), "count"),
            Words(both("最新发生日", "newest event"), [_day(value) for value in frame["newest_event"]], 1.4),
            Words(both("最新获知日", "newest known"), [_day(value) for value in frame["newest_known"]], 1.4),
            Words(both("状态", "state"), [both(*STATES.get(str(value), (str(value),) * 2)) for value in frame["state"]], 1.1),
        ],
        frame["source"].astype(str).tolist(),
        source,
    )


def _day(value: object) -> Text:
    text = "–" if is_missing(value) else pd.Timestamp(str(value)).date().isoformat()
    return both(text, text)


def _coverage(writer: Writer) -> None:
    inputs = writer.inputs
    cells = writer.need(inputs.coverage_cells, "产品与地区的抽查覆盖", "coverage of products and regions")
    if cells is None:
        return
    wide = cells.frame.assign(product=cells.frame["product"].astype(str), region=cells.frame["region"].astype(str)).pivot_table(
        index="product", columns="region", values="samples", aggfunc="sum", fill_value=0.0
    )
    values = wide.to_numpy(dtype=np.float64)
    covered, total = int((values > 0).sum()), values.size
    whole = covered == total
    writer.say(
        "产品大类与地区组成 {total} 个格，本期抽查到 {covered} 个（{share}）。"
        + ("大类均有抽查，不等于每个产品都抽到。" if whole else "未抽到不等于没有问题：依法不得重复抽查，空白格需在下期计划中说明或补上。"),
        "Product categories by regions make {total} cells; {covered} of them ({share}) were sampled. "
        + (
            "Every category was sampled everywhere, which does not mean that every product was."
            if whole
            else "Not sampled does not mean sound: checks of a higher level exclude others by law, and each gap should be"
            " explained or filled in the next plan."
        ),
        total=writer.figure(
            float(total), "count", both("格数", "cells"), cells, method=both("产品大类数 × 地区数", "categories times regions")
        ),
        covered=writer.figure(
            float(covered), "count", both("已抽查格数", "cells sampled"), cells, method=both("抽查批次大于零的格", "cells with samples")
        ),
        share=writer.figure(
            covered / total, "share", both("覆盖率", "coverage"), cells, method=both("已抽查格数 ÷ 格数", "cells sampled over cells")
        ),
    )
    rows, columns = wide.index.tolist(), wide.columns.tolist()
    products, regions = [writer.name("product", code) for code in rows], [writer.name("region", code) for code in columns]

    def draw(language: str) -> plots.Figure:
        shown = pd.DataFrame(
            values,
            index=[shorten(name.of(language), 24) for name in products],
            columns=[shorten(name.of(language), 10) for name in regions],
        )
        return plots.coverage_figure(shown, language=language)

    writer.picture(
        draw,
        both("产品大类与地区的抽查批次热图，斜线格为空白", "samples by product category and region; hatched cells were not sampled"),
        writer.line("图：本期抽查批次（斜线为空白格）。", "Figure: samples of the period (hatched: not sampled)."),
    )


def _catalogue(writer: Writer) -> None:
    source = writer.need(writer.inputs.coverage_product, "重点产品的覆盖", "coverage of key products")
    if source is None:
        return
    frame = source.frame.assign(code=source.frame["code"].astype(str)).sort_values(["share", "code"], ignore_index=True)
    cells, covered = float(floats(frame, "cells").sum()), float(floats(frame, "covered").sum())
    writer.say(
        "按重点产品目录，应抽查的产品与地区格 {cells} 个，近一年抽查到 {covered} 个（{share}）；覆盖最低的产品见下表。",
        "The key-product catalogue asks for {cells} cells of product and region; {covered} of them ({share}) were sampled within the"
        " last year. The products covered least are below.",
        cells=writer.figure(cells, "count", both("目录格数", "cells of the catalogue"), source),
        covered=writer.figure(covered, "count", both("已抽查格数", "cells sampled"), source),
        share=writer.figure(covered / cells if cells else None, "share", both("目录覆盖率", "coverage of the catalogue"), source),
    )
    shown = frame.head(writer.inputs.rules.rows)
    writer.table(
        both("重点产品覆盖（从低到高）", "Coverage of key products, lowest first"),
        [
            Words(both("产品", "product"), [writer.name("product", code) for code in shown["code"]], 3.0),
            Numbers(both("应抽查格", "cells"), floats(shown, "cells").tolist(), "count"),
            Numbers(both("已抽查格", "sampled"), floats(shown, "covered").tolist(), "count"),
            Numbers(both("覆盖率", "coverage"), floats(shown, "share").tolist(), "share"),
        ],
        shown["code"].tolist(),
        source,
    )


def _gaps(writer: Writer) -> None:
    source = writer.need(writer.inputs.gaps, "抽查空白清单", "list of gaps")
    if source is None:
        return
    by = "heavy" if "heavy" in source.frame.columns else "weight"
    frame = source.frame.sort_values([by, "product", "region"], ascending=[False, True, True], ignore_index=True)
    frame = frame.head(writer.inputs.rules.rows)
    top = [
        both(
            f"{writer.name('product', row.product).zh}（{writer.name('region', row.region).zh}）",
            f"{writer.name('product', row.product).en} ({writer.name('region', row.region).en})",
        )
        for row in frame.head(4).itertuples()
    ]
    writer.say(
        "按重要程度与人口，最应先补的空白为：{list}。",
        "By weight and population, the gaps to fill first are {list}.",
        list=enumerate_names(top),
    )
    writer.table(
        both("应优先补上的空白", "Gaps to fill first"),
        [
            Words(both("产品", "product"), [writer.name("product", code) for code in frame["product"]], 2.4),
            Words(both("地区", "region"), [writer.name("region", code) for code in frame["region"]], 2.0),
            Numbers(both("权重", "weight"), floats(frame, "weight").tolist(), "plain"),
            Words(both("上次抽查", "last sampled"), [_day(value) for value in frame["last_sampled"]], 1.4),
        ],
        [f"{row.product}|{row.region}" for row in frame.itertuples()],
        source,
    )


def _laboratories(writer: Writer) -> None:
    source = writer.need(writer.inputs.laboratories, "检验机构差异", "differences between laboratories")
    if source is None:
        return
    frame = source.frame.sort_values("odds_ratio", ascending=False, ignore_index=True)
    odd = frame[(floats(frame, "lower") > 1) | (floats(frame, "upper") < 1)]
    if odd.empty:
        writer.say(
            "各检验机构的检出水平没有明显差异，地区与产品比较不受其影响。",
            "Laboratories do not differ clearly: they do not disturb the comparison of regions and products.",
        )
    else:
        row = odd.iloc[0]
        writer.say(
            "{n} 个检验机构（以字母代称）的检出水平与其他明显不同，例如 {name} 的检出优势为其他的 {ratio} 倍（区间 {span}，n={size}）；"
            "地区与产品的比较未扣除此差异，建议安排比对试验。",
            "{n} laboratories (named by letters) differ clearly from the rest, for example {name}, whose odds of a failure are"
            " {ratio} times the others'"
            " (interval {span}, n={size}); comparisons of regions and products do not allow for it, and a ring test is advised.",
            n=writer.count_of(len(odd), both("明显不同的检验机构数", "laboratories that differ"), source),
            name=str(row["laboratory"]),
            ratio=writer.figure(row["odds_ratio"], "ratio", both("检出优势比", "odds ratio of a laboratory"), source),
            span=writer.figure(
                row["lower"], "ratio", both("优势比区间", "interval of the odds ratio"), source, upper=row["upper"], is_interval=True
            ),
            size=writer.figure(row["n"], "count", both("该机构样本数", "samples of that laboratory"), source),
        )
    writer.table(
        both("检验机构检出水平", "Laboratories"),
        [
            Words(both("机构（代称）", "laboratory"), [both(str(name), str(name)) for name in frame["laboratory"]]),
            Numbers(both("优势比", "odds ratio"), floats(frame, "odds_ratio").tolist(), "ratio"),
            Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "ratio", upper=floats(frame, "upper").tolist()),
            Numbers(both("样本数", "n"), floats(frame, "n").tolist(), "count"),
        ],
        frame["laboratory"].astype(str).tolist(),
        source,
    )
