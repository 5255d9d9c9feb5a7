"""The hazards and decoys of the demonstration province: the one place that says what is injected where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from riskwatch.datasets.codelists import World
from riskwatch.datasets.hazards import Hazard, unknown_codes

__all__ = ["active_hazards", "decoys", "default_hazards", "past_hazards"]


def past_hazards(day: Callable[[int, int, int], dt.date]) -> tuple[Hazard, ...]:
    """Hazards that are over; ``day(years_ago, month, day)`` places them."""
    return (
        Hazard(
            "H01", "hazard", "isolated", ("P0110",), ("220200",), day(4, 6, 14), day(4, 8, 15), "injury", 5.0,
            mechanism="fall", admitted=0.15, grade_expected="IV",
            note_zh="吉林市一批蹦床护网脱落", note_en="Trampoline safety nets coming loose in Jilin City",
        ),
        Hazard(
            "H02", "hazard", "regional", ("P0201",), ("220200", "222400"), day(4, 11, 8), day(3, 1, 23), "both", 4.0,
            fail_relative_risk=3.5, defect_from=day(4, 9, 1), item="heating", mechanism="burn", admitted=0.15, died=0.003, grade_expected="II",
            note_zh="两地电热毯局部过热起火", note_en="Electric blankets overheating in two prefectures",
        ),
        Hazard(
            "H03", "hazard", "industry-wide", ("P0801", "P0802"), ("220300", "220700", "220800"), day(3, 2, 20), day(3, 6, 10), "spot_check", 4.5,
            item="nutrient", grade_expected="III",
            note_zh="春耕期间三地肥料养分不足", note_en="Fertilisers short of nutrients in three prefectures during spring ploughing",
        ),
        Hazard(
            "H04", "hazard", "systemic", ("P0305", "P0302"), (), day(3, 6, 20), day(3, 9, 4), "both", 4.0,
            fail_relative_risk=3.0, defect_from=day(3, 4, 1), item="overcharge", mechanism="burn", admitted=0.2, producers=8, grade_expected="II",
            note_zh="同一电芯供应商的电池充电起火", note_en="Charging fires in products that share a cell supplier",
        ),
        Hazard(
            "H05", "hazard", "regional", ("P1001",), ("220700", "220800"), day(2, 1, 14), day(2, 2, 8), "injury", 3.0,
            mechanism="blast", admitted=0.25, died=0.02, grade_expected="II",
            note_zh="春节期间两地烟花药量超标致伤", note_en="Overcharged fireworks hurt people in two prefectures at the Spring Festival",
        ),
        Hazard(
            "H06", "hazard", "isolated", ("P0906",), ("220184",), day(2, 6, 5), day(2, 7, 30), "both", 8.0,
            fail_relative_risk=8.0, item="colony", mechanism="gut", admitted=0.1, grade_expected="IV",
            note_zh="公主岭一家米面作坊微生物污染", note_en="Microbial contamination at one noodle maker in Gongzhuling",
        ),
        Hazard(
            "H07", "hazard", "industry-wide", ("P0502", "P0503"), (), day(2, 8, 14), day(2, 12, 1), "spot_check", 4.0,
            item="azo", grade_expected="III",
            note_zh="秋季学生服与羽绒服禁用染料", note_en="Banned azo dyes in school uniforms and down clothing",
        ),
        Hazard(
            "H08", "hazard", "isolated", ("P0808",), ("220800",), day(1, 9, 2), day(1, 11, 10), "injury", 4.0,
            mechanism="cut", admitted=0.35, grade_expected="III",
            note_zh="白城铡草机缺防护罩", note_en="Fodder choppers without guards in Baicheng",
        ),
        Hazard(
            "H09", "hazard", "regional", ("P1008",), ("220200", "222400"), day(1, 6, 24), day(1, 8, 18), "injury", 5.0,
            mechanism="drown", admitted=0.3, died=0.04, grade_expected="II",
            note_zh="两地泳圈漏气致溺水", note_en="Leaking swimming rings and drownings in two prefectures",
        ),
        Hazard(
            "H10", "hazard", "systemic", ("P0404", "P0405"), (), day(1, 10, 28), day(0, 1, 26), "both", 5.0,
            fail_relative_risk=3.5, defect_from=day(1, 8, 1), item="gas-tight", mechanism="blast", admitted=0.25, died=0.006, producers=10,
            grade_expected="II",
            note_zh="同一橡胶料供应商的软管与调压器漏气", note_en="Leaking hoses and regulators with rubber from one supplier",
        ),
        Hazard(
            "H11", "hazard", "isolated", ("P0807",), ("220700",), day(0, 4, 7), day(0, 6, 8), "injury", 3.5,
            mechanism="cut", admitted=0.3, grade_expected="III",
            note_zh="松原微耕机刀轴失控", note_en="Power tillers with runaway blades in Songyuan",
        ),
        Hazard(
            "H12", "hazard", "isolated", ("P0206",), ("220500",), day(0, 6, 2), day(0, 8, 10), "injury", 5.0,
            mechanism="scald", admitted=0.05, grade_expected="IV",
            note_zh="通化电水壶提手断裂烫伤", note_en="Kettle handles breaking in Tonghua",
        ),
    )


def active_hazards(ago: Callable[[int], dt.date]) -> tuple[Hazard, ...]:
    """Hazards that are still going on at the end; ``ago(weeks)`` places them."""
    return (
        Hazard(
            "H13", "hazard", "regional", ("P0402",), ("220100", "220200", "220300"), ago(7), None, "both", 7.0,
            fail_relative_risk=6.0, defect_from=ago(22), ramp_days=21, item="co-flue", mechanism="co", admitted=0.4, died=0.05, grade_expected="I",
            note_zh="三地燃气热水器烟气倒灌一氧化碳中毒", note_en="Carbon-monoxide poisoning by gas water heaters in three prefectures",
        ),
        Hazard(
            "H14", "hazard", "systemic", ("P0302", "P0304", "P0305"), (), ago(8), None, "both", 4.0,
            fail_relative_risk=3.0, defect_from=ago(26), ramp_days=28, item="short-circuit", mechanism="burn", admitted=0.15, died=0.008, producers=10,
            grade_expected="II",
            note_zh="全省电动自行车电池、充电器与平衡车起火", note_en="Fires of e-bike batteries, chargers and balance boards across the province",
        ),
        Hazard(
            "H15", "hazard", "regional", ("P0104",), ("222400", "220500", "220600"), ago(6), None, "injury", 8.0,
            mechanism="choke", admitted=0.35, grade_expected="III",
            note_zh="东部三地儿童误吞磁力珠", note_en="Children swallowing magnetic balls in three eastern prefectures",
        ),
        Hazard(
            "H16", "hazard", "isolated", ("P0202",), ("220600",), ago(5), None, "injury", 8.0,
            mechanism="burn", admitted=0.25, grade_expected="III",
            note_zh="白山室内加热器烧伤老人", note_en="Room heaters burning elderly people in Baishan",
        ),
        Hazard(
            "H17", "hazard", "isolated", ("P0702",), ("222401",), ago(5), None, "injury", 5.0,
            mechanism="strike", admitted=0.06, grade_expected="IV",
            note_zh="延吉一批木制衣柜倾倒", note_en="Wooden wardrobes tipping over in Yanji",
        ),
        Hazard(
            "H18", "hazard", "regional", ("P0901",), ("220300", "220700", "220800"), ago(18), None, "spot_check", 10.0,
            item="bap", grade_expected="III",
            note_zh="西部三地食用植物油苯并芘超标", note_en="Benzo[a]pyrene in vegetable oil in three western prefectures",
        ),
        Hazard(
            "H19", "hazard", "industry-wide", ("P0101", "P0102", "P0103"), (), ago(20), None, "spot_check", 3.5,
            item="phthalate", grade_expected="III",
            note_zh="玩具行业增塑剂普遍超标", note_en="Plasticisers over the limit across the toy industry",
        ),
        Hazard(
            "H20", "hazard", "isolated", ("P0903",), ("220200",), ago(17), None, "spot_check", 12.0,
            item="colony", grade_expected="IV",
            note_zh="吉林市肉制品菌落总数超标", note_en="Colony counts of meat products in Jilin City",
        ),
        Hazard(
            "H21", "hazard", "isolated", ("P0606", "P0607"), ("220400",), ago(6), None, "injury", 3.5,
            mechanism="cut", admitted=0.03, grade_expected="IV",
            note_zh="辽源餐饮器皿自爆割伤", note_en="Shattering tableware in Liaoyuan",
        ),
    )


def decoys(day: Callable[[int, int, int], dt.date], ago: Callable[[int], dt.date]) -> tuple[Hazard, ...]:
    """What looks like a hazard and is none."""
    return (
        Hazard(
            "D01", "decoy-campaign", "none", ("P0209", "P0210"), (), ago(16), ago(7), "spot_check", 3.0,
            note_zh="专项抽查：定向样品三倍，产品未变差", note_en="Special campaign: three times the targeted samples, products no worse",
        ),
        Hazard(
            "D02", "decoy-new-hospital", "none", (), ("220800",), day(1, 9, 1), None, "injury", 1.6,
            note_zh="新监测医院加入，各产品伤害卡同时增多", note_en="A new sentinel hospital joins and cards of all products rise together",
        ),
        Hazard(
            "D03", "decoy-backlog", "none", (), ("220700",), day(1, 3, 4), day(1, 4, 21), "injury", 1.0,
            note_zh="医院积压七周的伤害卡一日补报", note_en="A hospital reports seven weeks of cards on one day",
        ),
        Hazard(
            "D04", "decoy-label", "none", ("P0503",), (), ago(19), None, "spot_check", 3.0, item="label",
            note_zh="新标签要求下标签标识不合格，无安全危害", note_en="Label failures under a new marking rule, no safety hazard",
        ),
        Hazard(
            "D05", "decoy-campaign", "none", ("P0101", "P0103", "P0108"), ("220100",), day(2, 2, 20), day(2, 3, 31), "spot_check", 4.0,
            note_zh="3·15儿童用品专项抽查，产品未变差", note_en="Consumer-day campaign on children's products, products no worse",
        ),
    )


def default_hazards(start: dt.date, end: dt.date, world: World) -> tuple[Hazard, ...]:
    """Return the hazards of the demonstration: nine active on the last day, the others over, and decoys.

    Past ones are tied to years before ``end``, active ones to weeks before it. What lies outside ``start`` to ``end``, or names
    codes that ``world`` does not have, is left out.
    """

    def day(years_ago: int, month: int, of_month: int) -> dt.date:
        return dt.date(end.year - years_ago, month, of_month)

    def ago(weeks: int) -> dt.date:
        return end - dt.timedelta(weeks=weeks)

    listed = (*past_hazards(day), *active_hazards(ago), *decoys(day, ago))
    kept = []
    for hazard in listed:
        if hazard.start > end or hazard.start < start or unknown_codes(hazard, world):
            continue
        over = hazard.end is not None and hazard.end > end
        kept.append(replace(hazard, end=None) if over else hazard)
    return tuple(kept)
