"""What a hospital card says: mechanisms of injury with the words and probabilities that go with them (simulated)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AGE_GROUPS", "MECHANISMS", "OUTCOMES", "SEVERITIES", "Mechanism"]

SEVERITIES = ("mild", "moderate", "severe")
OUTCOMES = ("treated-released", "observed", "transferred", "admitted", "died", "left", "other")


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How people are hurt.

    ``natures`` and ``bodies`` list what the card says, the commonest first (weights fall by half). ``severity`` gives the probabilities of
    mild, moderate and severe; ``deaths`` the probability of death in units of 1e-4.
    """

    name: str
    cause: str
    natures: tuple[str, ...]
    bodies: tuple[str, ...]
    places: tuple[str, ...]
    activities: tuple[str, ...]
    severity: tuple[float, float, float]
    deaths: float
    phrase: str


_HOME = ("家中", "公共居住场所", "学校与公共场所")
_PLAY = ("公共居住场所", "家中", "学校与公共场所", "体育场所")
_ROAD = ("公路/街道", "公共居住场所")
_WORK = ("农场/农田", "家中", "工业和建筑场所")
_CHORES = ("家务/学习", "休闲活动", "不清楚")
_LEISURE = ("休闲活动", "体育活动", "家务/学习")
_RIDING = ("驾乘交通工具", "休闲活动")

MECHANISMS: tuple[Mechanism, ...] = (
    Mechanism("burn", "烧烫伤", ("烧烫伤",), ("上肢", "头部", "下肢", "多部位"), _HOME, _CHORES, (0.66, 0.28, 0.06), 0.6, "发热起火灼伤"),
    Mechanism("scald", "烧烫伤", ("烧烫伤",), ("上肢", "下肢", "躯干"), _HOME, _CHORES, (0.80, 0.18, 0.02), 0.0, "热液溅出烫伤"),
    Mechanism("shock", "其他", ("其他", "烧烫伤"), ("上肢", "全身"), _HOME, _CHORES, (0.80, 0.17, 0.03), 1.0, "漏电触电"),
    Mechanism("smoke", "中毒", ("其他",), ("呼吸系统", "全身"), _HOME, _CHORES, (0.62, 0.30, 0.08), 1.5, "冒烟吸入"),
    Mechanism("co", "中毒", ("其他",), ("全身", "神经系统"), _HOME, _CHORES, (0.48, 0.38, 0.14), 3.0, "室内一氧化碳聚集"),
    Mechanism(
        "blast",
        "其他",
        ("锐器/咬/开放伤", "烧烫伤", "骨折"),
        ("上肢", "头部", "多部位"),
        _HOME,
        _CHORES,
        (0.50, 0.37, 0.13),
        1.5,
        "爆裂炸伤",
    ),
    Mechanism(
        "cut", "刀/锐器伤", ("锐器/咬/开放伤", "挫/擦伤"), ("上肢", "下肢", "头部"), _WORK, _CHORES, (0.83, 0.15, 0.02), 0.0, "锐边割伤"
    ),
    Mechanism("pinch", "钝器伤", ("挫/擦伤", "骨折", "锐器/咬/开放伤"), ("上肢", "下肢"), _HOME, _CHORES, (0.80, 0.17, 0.03), 0.0, "夹伤"),
    Mechanism(
        "strike",
        "钝器伤",
        ("挫/擦伤", "锐器/咬/开放伤", "脑震荡/挫裂伤"),
        ("头部", "上肢", "下肢"),
        _HOME,
        _LEISURE,
        (0.84, 0.14, 0.02),
        0.0,
        "碰撞击伤",
    ),
    Mechanism("eye", "其他", ("挫/擦伤", "其他"), ("头部",), _HOME, _LEISURE, (0.72, 0.24, 0.04), 0.0, "异物入眼"),
    Mechanism(
        "fall",
        "跌倒/坠落",
        ("挫/擦伤", "骨折", "扭/拉伤", "脑震荡/挫裂伤"),
        ("下肢", "上肢", "头部", "多部位"),
        _PLAY,
        _LEISURE,
        (0.76, 0.20, 0.04),
        0.2,
        "失稳跌倒",
    ),
    Mechanism(
        "crash",
        "非机动车车祸",
        ("挫/擦伤", "骨折", "脑震荡/挫裂伤"),
        ("下肢", "上肢", "头部", "多部位"),
        _ROAD,
        _RIDING,
        (0.70, 0.22, 0.08),
        1.0,
        "行驶中摔撞",
    ),
    Mechanism(
        "choke", "窒息/悬吊", ("其他",), ("呼吸系统", "消化系统"), _HOME, ("休闲活动", "不清楚"), (0.76, 0.18, 0.06), 0.5, "小部件误吞"
    ),
    Mechanism(
        "drown",
        "溺水",
        ("其他",),
        ("呼吸系统", "全身"),
        ("体育场所", "学校与公共场所"),
        ("体育活动", "休闲活动"),
        (0.55, 0.30, 0.15),
        20.0,
        "漏气落水",
    ),
    Mechanism("poison", "中毒", ("其他",), ("消化系统", "全身"), _WORK, ("有偿工作", "家务/学习"), (0.62, 0.28, 0.10), 2.0, "误服或吸入"),
    Mechanism("gut", "中毒", ("其他",), ("消化系统",), _HOME, ("不清楚", "休闲活动"), (0.86, 0.13, 0.01), 0.0, "食用后呕吐腹泻"),
    Mechanism("skin", "其他", ("其他",), ("上肢", "头部", "躯干"), _HOME, _CHORES, (0.92, 0.08, 0.00), 0.0, "接触后皮肤红疹"),
    Mechanism("chem", "烧烫伤", ("烧烫伤", "其他"), ("上肢", "头部"), _HOME, _CHORES, (0.76, 0.21, 0.03), 0.0, "腐蚀液灼伤"),
)

# Age group of users: (lowest, commonest, highest) age in years of a triangular distribution.
AGE_GROUPS: dict[str, tuple[float, float, float]] = {
    "infant": (0.1, 0.8, 3.5),
    "child": (0.5, 3.0, 10.0),
    "schoolchild": (4.0, 9.0, 17.0),
    "adult": (16.0, 38.0, 80.0),
    "worker": (18.0, 48.0, 72.0),
    "elderly": (45.0, 72.0, 94.0),
    "mixed": (2.0, 16.0, 85.0),
}
