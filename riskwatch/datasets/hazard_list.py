"""Active hazards and decoys of the demonstration province, and the whole list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from riskwatch.datasets.codelists import World
from riskwatch.datasets.hazard_past import past_hazards
from riskwatch.datasets.hazards import Hazard, unknown_codes

__all__ = ["active_hazards", "decoys", "default_hazards"]


def active_hazards(ago: Callable[[int], dt.date]) -> tuple[Hazard, ...]:
    """Hazards that are still going on at the end; ``ago(weeks)`` places them."""
    return (
        Hazard(
            "H13",
            "hazard",
            "regional",
            ("P0402",),
            ("220100", "220200", "220300"),
            ago(7),
            None,
            "both",
            7.0,
            fail_relative_risk=6.0,
            defect_from=ago(22),
            ramp_days=21,
            item="co-flue",
            mechanism="co",
            admitted=0.4,
            died=0.05,
            grade_expected="I",
            note_zh="三地燃气热水器烟气倒灌一氧化碳中毒",
            note_en="Carbon-monoxide poisoning by gas water heaters in three prefectures",
        ),
        Hazard(
            "H14",
            "hazard",
            "systemic",
            ("P0302", "P0304", "P0305"),
            (),
            ago(8),
            None,
            "both",
            6.0,
            fail_relative_risk=3.0,
            defect_from=ago(26),
            ramp_days=28,
            item="short-circuit",
            mechanism="burn",
            admitted=0.15,
            died=0.008,
            producers=10,
            grade_expected="II",
            note_zh="全省电动自行车电池、充电器与平衡车起火",
            note_en="Fires of e-bike batteries, chargers and balance boards across the province",
        ),
        Hazard(
            "H15",
            "hazard",
            "regional",
            ("P0104",),
            ("222400", "220500", "220600"),
            ago(6),
            None,
            "injury",
            8.0,
            mechanism="choke",
            admitted=0.35,
            grade_expected="III",
            note_zh="东部三地儿童误吞磁力珠",
            note_en="Children swallowing magnetic balls in three eastern prefectures",
        ),
        Hazard(
            "H16",
            "hazard",
            "isolated",
            ("P0202",),
            ("220200",),
            ago(5),
            None,
            "injury",
            6.0,
            mechanism="burn",
            admitted=0.25,
            grade_expected="III",
            note_zh="吉林市室内加热器烧伤老人",
            note_en="Room heaters burning elderly people in Jilin City",
        ),
        Hazard(
            "H17",
            "hazard",
            "isolated",
            ("P0702",),
            ("222401",),
            ago(5),
            None,
            "injury",
            8.0,
            mechanism="strike",
            admitted=0.06,
            grade_expected="IV",
            note_zh="延吉一批木制衣柜倾倒",
            note_en="Wooden wardrobes tipping over in Yanji",
        ),
        Hazard(
            "H18",
            "hazard",
            "regional",
            ("P0901",),
            ("220100", "220700", "220800"),
            ago(18),
            None,
            "spot_check",
            12.0,
            item="bap",
            grade_expected="III",
            note_zh="中西部三地食用植物油苯并芘超标",
            note_en="Benzo[a]pyrene in vegetable oil in three prefectures",
        ),
        Hazard(
            "H19",
            "hazard",
            "industry-wide",
            ("P0101", "P0102", "P0103"),
            (),
            ago(20),
            None,
            "spot_check",
            5.0,
            item="phthalate",
            grade_expected="III",
            note_zh="玩具行业增塑剂普遍超标",
            note_en="Plasticisers over the limit across the toy industry",
        ),
        Hazard(
            "H20",
            "hazard",
            "isolated",
            ("P0903",),
            ("220200",),
            ago(17),
            None,
            "spot_check",
            12.0,
            item="colony",
            grade_expected="IV",
            note_zh="吉林市肉制品菌落总数超标",
            note_en="Colony counts of meat products in Jilin City",
        ),
        Hazard(
            "H21",
            "hazard",
            "isolated",
            ("P0606", "P0607"),
            ("220400",),
            ago(6),
            None,
            "injury",
            7.0,
            mechanism="cut",
            admitted=0.03,
            grade_expected="IV",
            note_zh="辽源餐饮器皿自爆割伤",
            note_en="Shattering tableware in Liaoyuan",
        ),
    )


def decoys(day: Callable[[int, int, int], dt.date], ago: Callable[[int], dt.date]) -> tuple[Hazard, ...]:
    """Return what looks like a hazard and is none; ``day`` and ``ago`` as for hazards."""
    return (
        Hazard(
            "D01",
            "decoy-campaign",
            "none",
            ("P0209", "P0210"),
            (),
            ago(16),
            ago(7),
            "spot_check",
            3.0,
            note_zh="专项抽查：定向样品三倍，产品未变差",
            note_en="Special campaign: three times the targeted samples, products no worse",
        ),
        Hazard(
            "D02",
            "decoy-new-hospital",
            "none",
            (),
            ("220800",),
            day(1, 9, 1),
            None,
            "injury",
            1.6,
            note_zh="新监测医院加入，各产品伤害卡同时增多",
            note_en="A new sentinel hospital joins and cards of all products rise together",
        ),
        Hazard(
            "D03",
            "decoy-backlog",
            "none",
            (),
            ("220700",),
            day(1, 3, 4),
            day(1, 4, 21),
            "injury",
            1.0,
            note_zh="医院积压七周的伤害卡一日补报",
            note_en="A hospital reports seven weeks of cards on one day",
        ),
        Hazard(
            "D04",
            "decoy-label",
            "none",
            ("P0503",),
            (),
            ago(19),
            None,
            "spot_check",
            6.0,
            item="label",
            note_zh="新标签要求下标签标识不合格，无安全危害",
            note_en="Label failures under a new marking rule, no safety hazard",
        ),
        Hazard(
            "D05",
            "decoy-campaign",
            "none",
            ("P0101", "P0103", "P0108"),
            ("220100",),
            day(2, 2, 20),
            day(2, 3, 31),
            "spot_check",
            4.0,
            note_zh="3·15儿童用品专项抽查，产品未变差",
            note_en="Consumer-day campaign on children's products, products no worse",
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
