"""Simulated border inspections, trade-measure notices, licences and laboratories."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskwatch.datasets.codelists import load_test_items
from riskwatch.datasets.rhythm import random_stream
from riskwatch.datasets.sampling import LABORATORIES
from riskwatch.datasets.scene import Scene

__all__ = ["simulate_certificates", "simulate_laboratories", "simulate_trade", "simulate_trade_notices"]

_MEMBERS = ("US", "EU", "KR", "JP", "RU", "VN", "BR")
_HS = {
    "P01": "9503",
    "P02": "8516",
    "P03": "8711",
    "P04": "7321",
    "P05": "6204",
    "P06": "6911",
    "P07": "9403",
    "P08": "3105",
    "P09": "1517",
    "P10": "3926",
}
_REFUSED = 0.025
_LAPSED_LABORATORY = 3  # the one that finds more than the others
_LAPSED_DAYS = 110


def _finish(rows: list[dict[str, object]], columns: tuple[str, ...], scene: Scene) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in ("event_date", "known_on", "valid_until", "calibration_until", "comment_until"):
        if name in frame:
            frame[name] = frame[name].astype("datetime64[s]")
    frame = frame.loc[(frame["known_on"] <= scene.axis.days[-1]).to_numpy()]
    ordered: pd.DataFrame = frame.sort_values(["known_on", "record_key"], kind="stable", ignore_index=True)
    return ordered


def simulate_trade(scene: Scene) -> pd.DataFrame:
    """Draw lots at the border; what fails in spot checks across an industry is refused more often as well."""
    world, axis = scene.world, scene.axis
    rng = random_stream(scene.seed, "trade")
    columns = (
        "record_key", "version", "event_date", "known_on", "flow", "hs_code", "inspected", "refused", "kilograms", "origin", "destination",
        "port", "importer", "reason", "product", "region", "hazard_id",
    )  # fmt: skip
    count = rng.poisson(np.where(axis.weekday < 5, 3.0 * scene.scale, 0.0))
    day = np.repeat(np.arange(axis.size), count)
    leaf = rng.integers(0, len(world.products), day.size)
    inspected = 1 + rng.poisson(2.5, day.size)
    chance, cause = np.full(day.size, _REFUSED), np.full(day.size, "", dtype=object)
    for hazard in scene.hazards:
        if hazard.kind == "hazard" and hazard.in_spot_checks and hazard.scope in {"industry-wide", "systemic"}:
            begin = axis.position(hazard.samples_from)
            end = axis.size if hazard.end is None else axis.position(hazard.end)
            hit = world.product_mask(hazard.products)[leaf] & (day >= begin) & (day <= end)
            chance[hit], cause[hit] = _REFUSED * 8.0, hazard.hazard_id
    refused = rng.binomial(inspected, chance)
    importing = rng.random(day.size) < 0.7
    member = rng.integers(0, len(_MEMBERS), day.size)
    ports = ("长春兴隆", "珲春", "图们", "集安")
    maker = scene.enterprises.first[leaf] + rng.integers(0, 8, day.size)
    table = scene.enterprises.table["code"].to_numpy(dtype=object)
    return _finish(
        [
            {
                "record_key": f"HG{number:07d}",
                "version": 1,
                "event_date": axis.days[day[number]],
                "known_on": axis.days[day[number]] + np.timedelta64(5, "D"),
                "flow": "import" if importing[number] else "export",
                "hs_code": _HS.get(str(world.products["parent"].iloc[leaf[number]]), ""),
                "inspected": int(inspected[number]),
                "refused": int(refused[number]),
                "kilograms": float(np.round(800.0 * inspected[number])),
                "origin": _MEMBERS[member[number]] if importing[number] else "CN",
                "destination": "CN" if importing[number] else _MEMBERS[member[number]],
                "port": ports[number % len(ports)],
                "importer": str(table[maker[number]]),
                "reason": "检验不合格" if refused[number] else "",
                "product": world.products["code"].iloc[leaf[number]],
                "region": str(world.counties["province"].iloc[0]),
                "hazard_id": cause[number] if refused[number] else "",
            }
            for number in range(day.size)
        ],
        columns,
        scene,
    )


def simulate_trade_notices(scene: Scene) -> pd.DataFrame:
    """Draw notices of planned technical rules of trading partners."""
    world, axis = scene.world, scene.axis
    rng = random_stream(scene.seed, "trade-notices")
    columns = (
        "record_key", "version", "event_date", "known_on", "system", "member", "hs_code", "title", "comment_until", "notices", "product",
        "hazard_id",
    )  # fmt: skip
    days = np.repeat(np.arange(axis.size), rng.poisson(1.5 / 7.0, axis.size))
    rows: list[dict[str, object]] = []
    for number, day in enumerate(days.tolist(), start=1):
        leaf, member = int(rng.integers(0, len(world.products))), _MEMBERS[int(rng.integers(0, len(_MEMBERS)))]
        rows.append(
            {
                "record_key": f"TBT{number:05d}",
                "version": 1,
                "event_date": axis.days[day],
                "known_on": axis.days[day],
                "system": "tbt" if rng.random() < 0.8 else "sps",
                "member": member,
                "hs_code": _HS.get(str(world.products["parent"].iloc[leaf]), ""),
                "title": f"{world.products['name_zh'].iloc[leaf]}技术法规草案（模拟）",
                "comment_until": axis.days[day] + np.timedelta64(60, "D"),
                "notices": 1,
                "product": world.products["code"].iloc[leaf],
                "hazard_id": "",
            }
        )
    return _finish(rows, columns, scene)


def simulate_certificates(scene: Scene) -> pd.DataFrame:
    """Draw licences and certificates of the firms of the province: valid, suspended for a while, a few revoked or run out.

    A hazard of a single place has its largest local producer suspended a month after it began.
    """
    world, axis = scene.world, scene.axis
    columns = (
        "record_key", "version", "event_date", "known_on", "enterprise", "scheme", "status", "valid_until", "reason", "product", "region",
        "hazard_id",
    )  # fmt: skip
    table = scene.enterprises.table
    home = str(world.counties["province"].iloc[0])[:2]
    local = table[table["region"].str.startswith(home)]
    rng = random_stream(scene.seed, "certificates")
    five = np.timedelta64(5 * 365, "D")
    rows: list[dict[str, object]] = []

    def add(firm: dict[str, object], day: np.datetime64, status: str, until: np.datetime64, *, reason: str = "", cause: str = "") -> None:
        scheme = ("licence", "ccc", "certificate")[int(str(firm["number"])) % 3]
        rows.append(
            {
                "record_key": f"XK{int(str(firm['number'])):05d}-{day.astype('datetime64[D]')}",
                "version": 1,
                "event_date": day,
                "known_on": day + np.timedelta64(3, "D"),
                "enterprise": firm["code"],
                "scheme": scheme,
                "status": status,
                "valid_until": until,
                "reason": reason,
                "product": world.products["code"].iloc[int(str(firm["product"]))],
                "region": firm["region"],
                "hazard_id": cause,
            }
        )

    firms = local.assign(number=np.arange(1, len(local) + 1)).to_dict("records")
    for firm in ({str(name): value for name, value in one.items()} for one in firms):
        first = axis.days[int(rng.integers(0, min(180, axis.size)))]
        until = first + five + np.timedelta64(int(rng.integers(-200, 200)), "D")
        add(firm, first, "valid", until)
        for year in range(1, int(axis.years[-1]) + 1):
            fate, when = rng.random(), first + np.timedelta64(365 * year - int(rng.integers(0, 200)), "D")
            if fate < 0.04 * min(float(str(firm["risk"])), 4.0):
                add(firm, when, "suspended", until, reason="监督检查不合格")
                add(firm, when + np.timedelta64(75, "D"), "valid", until, reason="整改合格")
            elif fate > 0.997:
                add(firm, when, "revoked", until, reason="严重违法")
                break
    for hazard in scene.hazards:
        mask = world.product_mask(hazard.products)
        wanted = [firm for firm in firms if mask[int(str(firm["product"]))]]
        if hazard.kind == "hazard" and hazard.scope == "isolated" and wanted:
            firm = {str(name): value for name, value in max(wanted, key=lambda one: float(str(one["share"]))).items()}
            day = np.datetime64(hazard.start + dt.timedelta(days=30), "D")
            add(firm, day, "suspended", day + five, reason="涉及伤害事件", cause=hazard.hazard_id)
    return _finish(rows, columns, scene).drop_duplicates("record_key", ignore_index=True)


def simulate_laboratories(scene: Scene) -> pd.DataFrame:
    """Draw the yearly calibrations of laboratories; that of the one which finds more than the others has lapsed before the last day."""
    axis = scene.axis
    columns = (
        "record_key", "version", "event_date", "known_on", "laboratory", "item", "calibration", "calibration_until", "capability",
        "hazard_id",
    )  # fmt: skip
    items = load_test_items()["name_zh"].tolist()[:6]
    rows: list[dict[str, object]] = []

    def add(number: int, item: str, *, day: np.datetime64, state: str, until: np.datetime64) -> None:
        rows.append(
            {
                "record_key": f"JZ{number}-{items.index(item)}-{day}-{state}",
                "version": 1,
                "event_date": day,
                "known_on": day + np.timedelta64(2, "D"),
                "laboratory": LABORATORIES[number],
                "item": item,
                "calibration": state,
                "calibration_until": until,
                "capability": "accredited",
                "hazard_id": "",
            }
        )

    for number, name in enumerate(LABORATORIES):
        rng = random_stream(scene.seed, "laboratories", name)
        for item in items:
            day = axis.days[0] + np.timedelta64(int(rng.integers(0, 60)), "D")
            lapse = axis.days[-1] - np.timedelta64(_LAPSED_DAYS, "D")
            while day <= axis.days[-1]:
                if number == _LAPSED_LABORATORY and day > lapse - np.timedelta64(365, "D"):
                    add(number, item, day=day, state="valid", until=lapse)
                    add(number, item, day=lapse, state="lapsed", until=lapse)
                    break
                add(number, item, day=day, state="valid", until=day + np.timedelta64(365, "D"))
                day = day + np.timedelta64(360, "D")
    return _finish(rows, columns, scene)
