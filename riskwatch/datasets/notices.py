"""Simulated notices of other systems: recalls elsewhere and alerts abroad, mapped to the demonstration's products."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.frames import category, labelled
from riskwatch.datasets.rhythm import random_stream
from riskwatch.datasets.scene import Scene

__all__ = ["NOTICE_COLUMNS", "simulate_notices"]

NOTICE_COLUMNS = (
    "record_key", "version", "event_date", "known_on", "system", "title", "notice_type", "risk_decision", "hazard", "hazard_class",
    "product", "origin", "notices", "hazard_id",
)  # fmt: skip
_SYSTEMS = ("模拟国家召回", "模拟欧盟安全门", "模拟美国召回", "模拟食品快速预警")
_TYPES = ("召回", "下架", "警示")
_DECISIONS = ("严重", "高", "中", "低")
_HAZARDS = {
    "mechanical": "机械伤害", "electrical": "触电", "fire": "起火灼伤", "chemical": "化学物质超标", "microbiological": "微生物污染",
    "choking": "窒息", "gas": "中毒(燃气)", "drowning": "溺水", "label": "标签标识",
}  # fmt: skip
# Notices a week in all, and how many more a hazard brings in the eight weeks around its start.
_WEEKLY = 2.4
_ECHO = 3.0


def _attributes(rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """Draw system, type and decision of some notices; shape (3, notice)."""
    decision = rng.choice(len(_DECISIONS), size, p=[0.2, 0.3, 0.35, 0.15])
    return np.array([rng.integers(0, len(_SYSTEMS), size), rng.integers(0, len(_TYPES), size), decision], dtype=np.int64)


def simulate_notices(scene: Scene) -> pd.DataFrame:
    """Draw notices; systemic and regional hazards have an echo elsewhere.

    Returns
    -------
    DataFrame
        Columns :data:`NOTICE_COLUMNS`, sorted by date and key.
    """
    world, axis, seed, hazards = scene.world, scene.axis, scene.seed, scene.hazards
    rng = random_stream(seed, "notices")
    working = (axis.weekday < 5).astype(np.float64)
    daily = rng.poisson(_WEEKLY / 5.0 * scene.scale * working)
    day = np.repeat(np.arange(axis.size), daily)
    product = rng.integers(0, len(world.products), day.size)
    cause = np.zeros(day.size, dtype=np.int64)
    drawn = [_attributes(random_stream(seed, "notices", "attributes"), day.size)]
    for position, hazard in enumerate(hazards, start=1):
        if hazard.kind != "hazard" or hazard.scope not in {"systemic", "regional"}:
            continue
        own = random_stream(seed, "notices", hazard.hazard_id)
        extra = axis.position(hazard.start) + own.integers(-28, 28, own.poisson(_ECHO))
        extra = extra[(extra >= 0) & (extra < axis.size)]
        leaves = np.flatnonzero(world.product_mask(hazard.products))
        day = np.concatenate([day, extra])
        product = np.concatenate([product, leaves[own.integers(0, leaves.size, extra.size)]])
        cause = np.concatenate([cause, np.full(extra.size, position)])
        drawn.append(_attributes(own, extra.size))
    system, kind, decision = np.concatenate(drawn, axis=1)
    hazard_lists = world.products["hazards"] if "hazards" in world.products else pd.Series("mechanical", index=world.products.index)
    first = [text.split(";")[0] or "mechanical" for text in hazard_lists]
    names = world.products["name_zh"].tolist()
    labels = [_HAZARDS.get(name, name) for name in first]
    frame = pd.DataFrame(
        {
            "record_key": [f"TB{(value * 48_271 + 11) % (1 << 31):010d}" for value in range(day.size)],
            "version": 1,
            "event_date": axis.days[0] + day.astype("timedelta64[D]"),
            "system": labelled(system, list(_SYSTEMS)),
            "title": [f"{names[p]}：{labels[p]}，{_TYPES[k]}" for p, k in zip(product.tolist(), kind.tolist(), strict=True)],
            "notice_type": labelled(kind, list(_TYPES)),
            "risk_decision": labelled(decision, list(_DECISIONS)),
            "hazard": category(product, labels),
            "hazard_class": category(product, first),
            "product": labelled(product, world.products["code"]),
            "origin": "CN",
            "notices": 1,
            "hazard_id": category(cause, ["", *(hazard.hazard_id for hazard in hazards)]),
        }
    )
    frame["known_on"] = frame["event_date"]
    return frame.sort_values(["event_date", "record_key"], kind="stable", ignore_index=True)[list(NOTICE_COLUMNS)]
