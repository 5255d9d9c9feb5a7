"""A quarter with every part present, made from a seed: frames of the columns that the rooms give, and the trees of the demonstration."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ruamel.yaml
from PIL import Image

from riskwatch.definitions.types import DimensionFile
from riskwatch.digest import Trees
from riskwatch.dimensions import load_trees
from riskwatch.reports.build import build_report
from riskwatch.reports.inputs import Geometry, Input, Origin, ReportInputs, ReportPeriod
from riskwatch.reports.model import Picture, Text
from riskwatch.reports.rules import ReportRules
from riskwatch.reports.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
PREFECTURES = ["220100", "220200", "220300", "220400", "220500", "220600", "220700", "220800", "222400"]


def text(zh, en):
    return Text(zh=zh, en=en)


def rules(**changes):
    content = ruamel.yaml.YAML(typ="safe", pure=True).load((ROOT / "config/report.yaml").read_text(encoding="utf-8"))
    return ReportRules.model_validate({**content, **changes})


def origin(room="riskwatch.rates.shrink", stream="spot_check", **more):
    return Origin(
        room=room,
        stream=stream,
        records=4321,
        method=text("贝塔-二项收缩，95% 区间", "beta-binomial shrinkage, 95 % interval"),
        filters={"selection": "random"},
        first=dt.date(2025, 10, 1),
        last=dt.date(2025, 12, 31),
        parameters={"models.rates.prior": "beta"},
        **more,
    )


@functools.lru_cache(maxsize=1)
def trees():
    files = [
        DimensionFile(dimension=name, path=f"config/dimensions/{file}.csv")
        for name, file in (("product", "products"), ("industry", "industries"), ("region", "regions"))
    ]
    found = load_trees(files, ROOT, ROOT)
    return Trees(product=found["product"], industry=found["industry"], region=found["region"]), found


def rates(codes, rng, centre=0.06):
    n = rng.integers(12, 900, len(codes))
    p = np.clip(rng.beta(6, 6 / centre - 6, len(codes)), 0.002, 0.5)
    f = rng.binomial(n, p)
    weight = n / (n + 60)
    rate = weight * f / n + (1 - weight) * centre
    half = 1.96 * np.sqrt(rate * (1 - rate) / (n + 60))
    return pd.DataFrame(
        {
            "code": codes,
            "inspected": n,
            "failed": f,
            "producers": np.maximum(1, n // 3),
            "raw": f / n,
            "rate": rate,
            "lower": np.maximum(rate - half, 0),
            "upper": rate + half,
            "borrowed": 1 - weight,
        }
    )


def change(codes, rng):
    like, mix = rng.normal(0, 0.02, len(codes)), rng.normal(0, 0.006, len(codes))
    return pd.DataFrame(
        {
            "code": codes,
            "raw_change": like + mix,
            "change": like,
            "change_lower": like - 0.018,
            "change_upper": like + 0.018,
            "mix": mix,
            "q_value": np.where(np.abs(like) > 0.018, 0.01, 0.6),
        }
    )


@functools.lru_cache(maxsize=4)
def _frames(seed):
    rng = np.random.default_rng(seed)
    _, found = trees()
    products = [str(code) for code in found["product"].codes if str(found["product"].level_of(str(code))) == "product"][:30]
    categories = [str(code) for code in found["product"].codes if str(found["product"].level_of(str(code))) == "category"]
    industries = ["C13", "C14", "C15", "C18", "C24", "C26", "C28", "C29", "C30", "C33", "C38", "C39"]
    counties = [str(code) for code in found["region"].codes if str(found["region"].level_of(str(code))) == "county"]
    regions = rates(counties[5:], rng)
    z = rng.normal(0, 1.6, len(regions))
    z[3], z[9] = 7.5, -6.0
    trend_rows = []
    for kind, codes in (("product", products[:14]), ("industry", industries[:8]), ("region", PREFECTURES)):
        for code in codes:
            slope = rng.normal(2, 9)
            level = rng.uniform(0.03, 0.12)
            trend_rows.append(
                (
                    kind,
                    code,
                    slope,
                    slope - 6,
                    slope + 6,
                    float(rng.uniform(0, 0.4) if abs(slope) < 8 else 0.004),
                    level,
                    level * (1 + slope / 400),
                    float(rng.uniform(0.2, 0.97)),
                )
            )
    days = pd.date_range("2022-01-01", periods=52, freq="MS")
    line = 0.05 + 0.0003 * np.arange(52)
    later = np.arange(52) >= 48
    first = pd.DataFrame(
        [
            ("W1", "I", "new", "systemic", "product", "P0302", "220000", "fire-burn", 41, np.nan, 12.4, 3, 21, "injury-counts"),
            ("W2", "I", "worsened", "systemic", "product", "P0305", "220000", "fire-burn", 30, np.nan, 9.0, 2, 16, "injury-counts"),
            ("W3", "II", "worsened", "systemic", "product", "P0101", "220000", "chemical", 22, 180, 9.1, 3, 16, "spot-check-failures"),
            ("W4", "II", "unchanged", "regional", "product", "P0402", "220100", "gas-co", 14, 60, 4.2, 1, 9, "spot-check-failures"),
            (
                "W5",
                "III",
                "unchanged",
                "industry-wide",
                "industry",
                "C24",
                "220000",
                "chemical",
                60,
                800,
                41.0,
                28,
                55,
                "spot-check-failures",
            ),
            ("W6", "IV", "new", "isolated", "product", "P0904", "220403", "chemical", np.nan, np.nan, np.nan, np.nan, np.nan, ""),
        ],
        columns=[
            "warning_id",
            "grade",
            "state",
            "scope",
            "kind",
            "code",
            "region",
            "hazard",
            "observed",
            "exposure",
            "expected",
            "lower",
            "upper",
            "model",
        ],
    )
    first["first_seen"] = pd.to_datetime(["2025-12-31", "2025-11-30", "2025-10-31", "2025-09-30", "2025-08-31", "2025-12-31"])
    first["stratum"] = ["", "", "selection=targeted", "selection=random", "selection=random", ""]
    first["last_changed"] = pd.Timestamp("2025-12-31")
    first["period_start"], first["period_end"] = pd.Timestamp("2025-12-01"), pd.Timestamp("2025-12-28")
    first["persons"] = [41, 30, np.nan, np.nan, np.nan, np.nan]
    measures = []
    for warning in first["warning_id"]:
        measures += [
            (
                warning,
                "enterprise",
                "handle",
                "约谈企业负责人",
                "talk with the responsible person",
                "县（市、区）市场监督管理局（九台区）",
                "county market supervision bureau (Jiutai)",
                "2026-01-08",
                "省级产品质量安全风险监测办法 第24–30条",
                "provincial measures on risk monitoring 24–30",
                False,
            ),
            (
                warning,
                "product",
                "verify",
                "提高抽查频次",
                "raise the sampling frequency",
                "省市场监督管理厅（局）",
                "provincial market supervision administration",
                "2026-01-30",
                "产品质量法（2018） 第15条",
                "Product Quality Law (2018) 15",
                True,
            ),
            (
                warning,
                "industry",
                "assess",
                "召开质量分析会",
                "hold a quality analysis meeting",
                "省市场监督管理厅（局）",
                "provincial market supervision administration",
                None,
                "产品质量监督抽查管理暂行办法（令18） 第49–50条",
                "Measures on Product Quality Spot Checks (Order 18) 49–50",
                False,
            ),
            (
                warning,
                "region",
                "handle",
                "通报有关政府",
                "inform the governments concerned",
                "市（州）市场监督管理局（长春市）",
                "prefecture market supervision bureau (Changchun)",
                "2025-12-20",
                "",
                "",
                True,
            ),
        ]
    return {
        "sources": pd.DataFrame(
            {
                "source": ["spot", "cards", "notices"],
                "name_zh": ["省级监督抽查", "医院产品伤害监测卡", "外部通报"],
                "name_en": ["Provincial spot checks", "Hospital injury cards", "External notices"],
                "stream": ["spot_check", "injury", "external_notice"],
                "records": [105488, 60200, 900],
                "in_period": [4321, 3012, 44],
                "newest_event": pd.to_datetime(["2025-12-12", "2025-12-31", None]),
                "newest_known": pd.to_datetime(["2025-12-31", "2025-12-31", None]),
                "state": ["on-time", "on-time", "silent"],
                "quarantine": [12, 0, 0],
            }
        ),
        "strata": pd.DataFrame(
            [
                (c, s, ch, n, f, f / n, max(f / n - 0.02, 0), f / n + 0.02)
                for c, s, ch, n, f in (
                    ("provincial", "random", "production", 812, 40),
                    ("provincial", "random", "distribution", 1900, 101),
                    ("county", "random", "online", 300, 14),
                    ("special", "targeted", "production", 410, 52),
                    ("recheck", "follow-up", "production", 90, 24),
                    ("enforcement", "complaint-led", "distribution", 200, 31),
                )
            ],
            columns=["check_type", "selection", "channel", "inspected", "failed", "rate", "lower", "upper"],
        ),
        "overall": pd.DataFrame(
            [
                ("now", 3012, 155, 700, 0.0515, 0.0441, 0.0600, 0.0520, *[np.nan] * 7),
                ("before", 2800, 150, 690, 0.0536, 0.046, 0.062, 0.0530, -0.0021, -0.013, 0.009, 0.001, -0.0031, -0.014, 0.008),
                ("last-year", 2600, 101, 650, 0.0388, 0.032, 0.047, 0.0390, 0.0127, 0.002, 0.0235, 0.003, 0.0097, 0.001, 0.0187),
            ],
            columns=[
                "period",
                "inspected",
                "failed",
                "producers",
                "rate",
                "lower",
                "upper",
                "standardised",
                "change",
                "change_lower",
                "change_upper",
                "mix",
                "within",
                "within_lower",
                "within_upper",
            ],
        ),
        "rates_region": regions,
        "rates_product": rates(products, rng),
        "rates_industry": rates(industries, rng),
        "change_region": change(PREFECTURES, rng),
        "change_product": change(products, rng),
        "change_industry": change(industries, rng),
        "funnel": pd.DataFrame(
            {
                "code": regions["code"],
                "inspected": regions["inspected"],
                "failed": regions["failed"],
                "rate": regions["rate"],
                "centre": 0.06,
                "z": z * 1.7,
                "z_adjusted": z,
                "p_value": 0.5,
            }
        ),
        "items": pd.DataFrame(
            [
                ("总迁移量", "chemical", 31, 0.2, 0.14, 0.27, 5, True),
                ("温升", "fire-burn", 22, 0.142, 0.09, 0.21, 4, False),
                ("标志", "label-only", 18, 0.116, 0.07, 0.18, 9, False),
            ],
            columns=["item", "hazard", "failing", "share", "lower", "upper", "products", "new"],
        ),
        "standard_effect": pd.DataFrame(
            {
                "product": ["P0302"],
                "item": ["过充电保护"],
                "standard": ["GB 43854-2024"],
                "effective_from": pd.to_datetime(["2024-11-01"]),
                "failed_new": [24],
                "would_pass_old": [15],
            }
        ),
        "enterprises": pd.DataFrame({"group": ["inspected", "failed", "repeat", "recheck-failed"], "enterprises": [700, 120, 31, 9]}),
        "closure": pd.DataFrame(
            {"region": PREFECTURES, "orders": 30, "due": 20, "closed_in_time": [18, 12, 19, 20, 9, 15, 17, 20, 11]}
        ).assign(share=lambda d: d["closed_in_time"] / d["due"], lower=0.4, upper=0.97),
        "coverage_region": pd.DataFrame({"code": PREFECTURES, "cells": 93, "covered": [90, 80, 60, 44, 50, 38, 55, 47, 51]}).assign(
            share=lambda d: d["covered"] / d["cells"]
        ),
        "coverage_product": pd.DataFrame({"code": categories, "cells": 9, "covered": 7, "share": 7 / 9}),
        "coverage_cells": pd.DataFrame(
            [(c, r, int(rng.poisson(rng.gamma(0.8, 22)))) for c in categories for r in PREFECTURES],
            columns=["product", "region", "samples"],
        ),
        "gaps": pd.DataFrame(
            {
                "product": ["P0101", "P0302", "P0904"],
                "region": ["220600", "220400", "220800"],
                "weight": [8.5, 7.9, 3.2],
                "last_sampled": pd.to_datetime(["2024-03-01", None, "2025-01-15"]),
            }
        ),
        "trends": pd.DataFrame(
            trend_rows,
            columns=["kind", "code", "slope_percent_per_year", "lower", "upper", "q_value", "level_now", "forecast", "probability"],
        ).assign(
            forecast_lower=lambda d: d["forecast"] * 0.5,
            forecast_upper=lambda d: d["forecast"] * 1.6,
            threshold=lambda d: d["level_now"] * 1.2,
        ),
        "scorecard": pd.DataFrame(
            {
                "region": PREFECTURES,
                "inspected": 300,
                "rate": 0.06,
                "rate_lower": 0.04,
                "rate_upper": 0.09,
                "position": ["high", "usual", "not-comparable", "usual", "low", "rather-high", "rather-low", "usual", ""],
                "coverage": 0.7,
                "orders": 30,
                "due": 20,
                "closure": 0.8,
                "closure_lower": 0.6,
                "closure_upper": 0.93,
                "comparable": [True, True, False, True, True, True, True, True, False],
                "flags": ["", "", "too-little-sampled;few-samples", "", "", "", "", "closure-unknown", "no-rate"],
            }
        ),
        "sampling": pd.DataFrame(
            {
                "product": ["P0302", "P0101"],
                "region": ["220102", "220104"],
                "n": [6, 4],
                "minimum": [1, 0],
                "expected_failures": [0.9, 0.5],
                "rate": [0.15, 0.12],
                "lower": [0.01, 0.02],
                "upper": [0.4, 0.3],
                "inspected": [3, 8],
                "reason_zh": ["所知甚少", "季节将至"],
                "reason_en": ["little is known", "the season comes"],
            }
        ),
        "trend_series": pd.DataFrame(
            {
                "period_start": days,
                "observed": np.where(later, np.nan, line + rng.normal(0, 0.005, 52)),
                "fitted": np.where(later, np.nan, line),
                "forecast": np.where(np.arange(52) >= 47, line, np.nan),
                "lower": np.where(later, line - 0.01, np.nan),
                "upper": np.where(later, line + 0.01, np.nan),
            }
        ),
        "anomalies": pd.DataFrame(
            {
                "kind": ["product", "region"],
                "product": ["P0402", ""],
                "region": ["220100", "220503"],
                "score": [0.91, 0.83],
                "q_value": [0.003, 0.2],
                "drivers_zh": ["一氧化碳项目同时不合格", "抽样间隔异常"],
                "drivers_en": ["carbon monoxide items fail together", "odd intervals between samples"],
            }
        ),
        "indicators": pd.DataFrame(
            [
                ("P1", "220000", "2025Q4", 94.85, 94.0, 95.6, -1.2, -2.3, -0.2, -0.1, 0.9, 100.0, -5.15, False, 0.01),
                ("MQI", "220000", "2025Q4", 84.6, 84.0, 85.2, 0.4, -0.1, 0.9, 0.1, -1.0, np.nan, np.nan, None, np.nan),
                ("LOSS", "220000", "2025Q4", 1.8, 1.5, 2.1, -0.1, -0.3, 0.1, 0.0, 0.2, 2.0, 0.2, True, 0.9),
            ],
            columns=[
                "indicator",
                "region",
                "period",
                "value",
                "lower",
                "upper",
                "yoy",
                "yoy_lower",
                "yoy_upper",
                "mom",
                "national_difference",
                "target",
                "gap",
                "attained",
                "probability",
            ],
        ),
        "laboratories": pd.DataFrame(
            {
                "laboratory": ["A", "B", "C"],
                "odds_ratio": [1.9, 1.02, 0.9],
                "lower": [1.4, 0.8, 0.7],
                "upper": [2.6, 1.3, 1.2],
                "n": [800, 1200, 1012],
            }
        ),
        "injuries": pd.DataFrame(
            {
                "code": categories,
                "count": [410, 300, 250, 200, 130, 60, 40, 22, 9, 3][: len(categories)],
                "last_year": [300, 310, 240, 150, 128, 66, 35, 25, 12, 1][: len(categories)],
            }
        ).assign(
            ratio=lambda d: np.where(d["count"] + d["last_year"] >= 20, d["count"] / d["last_year"], np.nan),
            lower=lambda d: d["ratio"] * 0.85,
            upper=lambda d: d["ratio"] * 1.18,
        ),
        "notices": pd.DataFrame({"system": ["Safety Gate", "RASFF"], "notices": [31, 13], "last_year": [25, 20]}),
        "warnings": first,
        "events": pd.DataFrame(
            {
                "warning_id": ["W1", "W2", "W3"],
                "as_of": pd.to_datetime(["2025-12-31", "2025-12-31", "2025-11-30"]),
                "kind": ["new", "worsened", "worsened"],
                "grade_before": ["NONE", "II", "III"],
                "grade_after": ["I", "I", "II"],
            }
        ),
        "actions": pd.DataFrame(
            measures,
            columns=[
                "warning_id",
                "object",
                "stage",
                "measure_zh",
                "measure_en",
                "owner_zh",
                "owner_en",
                "due_on",
                "law_zh",
                "law_en",
                "verified",
            ],
        ).assign(due_on=lambda d: pd.to_datetime(d["due_on"])),
        "outlook": pd.DataFrame(
            {
                "date": pd.to_datetime(["2026-01-01", "2026-02-17"]),
                "kind": ["holiday", "holiday"],
                "name_zh": ["元旦", "春节"],
                "name_en": ["New Year", "Spring Festival"],
            }
        ),
    }


def frames(seed=7):
    """Return every frame, by input, for the test to change."""
    return {name: frame.copy() for name, frame in _frames(seed).items()}


@functools.lru_cache(maxsize=1)
def outlines():
    return tuple(
        Geometry(level, tuple(json.loads((ROOT / "config/geo" / file).read_text(encoding="utf-8"))["features"]), "adcode")
        for level, file in (("county", "jilin_counties.geojson"), ("prefecture", "jilin_prefectures.geojson"))
    )


def make_inputs(seed=7, *, without=(), only=None, **changes):
    """Return inputs with every part but those named."""
    made = {name: Input(frame, origin(stream="injury" if name == "injuries" else "spot_check")) for name, frame in frames(seed).items()}
    kept = {name: value for name, value in made.items() if name not in without and (only is None or name in only)}
    base = ReportInputs(
        period=ReportPeriod(
            "2025Q4", "quarter", dt.date(2025, 10, 1), dt.date(2025, 12, 31), text("2025年第四季度", "the fourth quarter of 2025")
        ),
        region="220000",
        as_of=dt.date(2025, 12, 31),
        trees=trees()[0],
        rules=rules(),
        project=text("吉林演示", "Jilin demonstration"),
        version="0.1.0",
        definitions="0123456789abcdef",
        simulated=True,
        grades={
            "I": text("一级（红）", "Level I (red)"),
            "II": text("二级（橙）", "Level II (orange)"),
            "III": text("三级（黄）", "Level III (yellow)"),
            "IV": text("四级（蓝）", "Level IV (blue)"),
        },
        hazards={"fire-burn": text("着火灼烫", "fire and burns"), "chemical": text("化学", "chemical")},
        indicator_names={
            "P1": text("产品质量安全达标率", "conformity of product safety"),
            "MQI": text("质量竞争力指数", "quality competitiveness index"),
            "LOSS": text("质量损失率", "quality loss rate"),
        },
        indicator_units={"P1": "%", "LOSS": "%"},
        indicator_lower_is_better=frozenset({"LOSS"}),
        geometries=outlines(),
        **kept,
    )
    return dataclasses.replace(base, **changes)


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures of one pixel: drawing takes most of the time of a report, and what is drawn is tested elsewhere."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, format="png")

    def picture(self, draw, alt, caption, *, width=1.0):
        self.blocks.append(Picture(png=dict.fromkeys(self.languages, buffer.getvalue()), alt=alt, caption=caption, width=width))

    monkeypatch.setattr(Writer, "picture", picture)


@pytest.fixture(scope="session")
def inputs():
    """Inputs with every part."""
    return make_inputs()


@pytest.fixture(scope="session")
def report(inputs):
    """The report of a full quarter in both languages."""
    return build_report(inputs)
