"""A realistic day at two centres: one orange, three yellow, five blue warnings, and what stands beside them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment.types import Action, Assessment, Evidence, Grade, Scope, Step, Subject
from riskwatch.coverage import CoverageSummary, GapLine
from riskwatch.digest import FirmCounts, Labels, QualityReport, Recent, RecordClock, SourceHealth, Text, Trees, build_digest
from riskwatch.digest.cards import series_key
from riskwatch.digest.model import ExternalSignal

AS_OF = dt.date(2025, 12, 31)
WEEK = (dt.date(2025, 12, 22), dt.date(2025, 12, 28))


class Codes:
    """The smallest tree: code -> (parent, level, zh, en)."""

    def __init__(self, rows):
        self.rows = {code: row for code, *row in rows}

    def name(self, code, language):
        return self.rows[code][2 if language == "zh" else 3]

    def level_of(self, code):
        return self.rows[code][1]

    def path(self, code):
        found = [code]
        while self.rows[found[0]][0]:
            found.insert(0, self.rows[found[0]][0])
        return found


REGIONS = Codes(
    [
        ("220000", "", "province", "吉林省", "Jilin"),
        ("220100", "220000", "prefecture", "长春市", "Changchun"),
        ("220102", "220100", "county", "南关区", "Nanguan"),
        ("220104", "220100", "county", "朝阳区", "Chaoyang"),
        ("220184", "220100", "county", "公主岭市", "Gongzhuling"),
        ("220200", "220000", "prefecture", "吉林市", "Jilin City"),
        ("220281", "220200", "county", "蛟河市", "Jiaohe"),
        ("220500", "220000", "prefecture", "通化市", "Tonghua"),
        ("222400", "220000", "prefecture", "延边朝鲜族自治州", "Yanbian"),
        ("222401", "222400", "county", "延吉市", "Yanji"),
        ("840000", "", "country", "美国", "United States"),
    ]
)
PRODUCTS = Codes(
    [
        ("P01", "", "category", "家用电器", "household appliances"),
        ("P0101", "P01", "leaf", "电热毯", "electric blankets"),
        ("P0102", "P01", "leaf", "电热水壶", "electric kettles"),
        ("P0201", "", "leaf", "电动自行车充电器", "e-bike chargers"),
        ("P0301", "", "leaf", "儿童玩具", "children's toys"),
        ("P0401", "", "leaf", "熟肉制品", "cooked meat products"),
        ("P0501", "", "leaf", "燃气灶具", "gas cookers"),
        ("P0601", "", "leaf", "复合肥料", "compound fertilisers"),
        ("P0701", "", "leaf", "安全头盔", "safety helmets"),
    ]
)
INDUSTRIES = Codes(
    [
        ("C38", "", "division", "电气机械和器材制造业", "electrical machinery"),
        ("C13", "", "division", "农副食品加工业", "agricultural food processing"),
        ("C24", "", "division", "文教、工美、体育和娱乐用品制造业", "toys and sporting goods"),
    ]
)
TREES = Trees(product=PRODUCTS, industry=INDUSTRIES, region=REGIONS)
CHANGCHUN = SimpleNamespace(
    name="changchun",
    label=Text(zh="长春市市场监督管理局", en="Changchun Market Supervision Bureau"),
    region="220100",
    contact=Text(zh="质量安全风险监测值班室（内线 8012）", en="Risk monitoring duty desk (extension 8012)"),
)
PROVINCE = SimpleNamespace(
    name="jilin",
    label=Text(zh="吉林省产品质量安全风险监测中心", en="Jilin Product Quality Risk Monitoring Centre"),
    region="220000",
    contact=Text(zh="省中心值班室", en="Provincial duty desk"),
)
LABELS = Labels(
    models={
        "injury-weekly": Text(zh="伤害周计数", en="weekly injuries"),
        "check-rates": Text(zh="抽查不合格率", en="spot-check failure rates"),
    },
    hazards={
        "burn-fire": Text(zh="起火与烧烫伤", en="fire and burns"),
        "electric-shock": Text(zh="触电", en="electric shock"),
        "choking": Text(zh="小零件与窒息", en="choking and small parts"),
        "microbial": Text(zh="微生物污染", en="microbial contamination"),
        "gas-co": Text(zh="燃气与一氧化碳", en="gas and carbon monoxide"),
    },
    starts={
        "warning-proposed": Text(zh="建议等级提出之日", en="day the level was proposed"),
        "warning-confirmed": Text(zh="等级确认之日", en="day the level was confirmed"),
    },
)
PQL = {"law": {"zh": "产品质量法（2018）", "en": "Product Quality Law (2018)"}, "text": {"zh": "查封、扣押", "en": "seizure"}}
SPOT = {
    "law": {"zh": "产品质量监督抽查管理暂行办法（令18）", "en": "Measures on Product Quality Spot Checks (Order 18)"},
    "article": "45–46",
    "text": {"zh": "六十日内完成整改", "en": "correct within 60 days"},
    "verified": False,
}
MEASURES = {
    "report-II": (
        "reporting",
        "报省局并建议会商",
        "report to the province and propose a joint assessment",
        "风险监测中心",
        "supervision centre",
        2,
        "hour",
        0,
    ),
    "report-IV": (
        "reporting",
        "报中心负责人",
        "report to the head of the centre",
        "风险监测中心",
        "supervision centre",
        3,
        "working-day",
        5,
    ),
    "stop": (
        "product",
        "责令停止销售并封存同批次产品",
        "order a stop of sales and seal the batches",
        "县（市、区）市场监督管理局",
        "county bureau",
        1,
        "working-day",
        2,
    ),
    "special": (
        "product",
        "组织专项监督抽查",
        "run a special spot check",
        "市（州）市场监督管理局",
        "prefecture bureau",
        10,
        "working-day",
        15,
    ),
    "talk": (
        "enterprise",
        "约谈企业负责人并责令改正",
        "summon the firm and order correction",
        "县（市、区）市场监督管理局",
        "county bureau",
        5,
        "working-day",
        8,
    ),
    "resample": ("product", "针对性补充抽样", "targeted re-sampling", "县（市、区）市场监督管理局", "county bureau", 30, "natural-day", 30),
    "notice": (
        "region",
        "向有关县（市、区）通报并督办",
        "notify the counties concerned and follow up",
        "市（州）市场监督管理局",
        "prefecture bureau",
        None,
        "",
        None,
    ),
}


def action(key):
    kind, zh, en, owner_zh, owner_en, deadline, unit, days = MEASURES[key]
    return Action(
        object=kind,
        stage="handle",
        measure={"zh": zh, "en": en},
        owner={"zh": owner_zh, "en": owner_en},
        deadline=deadline,
        unit=unit,
        starts="warning-proposed" if kind == "reporting" else "warning-confirmed",
        due_on=None if days is None else AS_OF + dt.timedelta(days=days),
        legal_basis=({**PQL, "article": "18", "verified": True},)
        if key == "stop"
        else (SPOT,)
        if key in {"special", "talk", "resample"}
        else (),
    )


def injuries(product, region, observed, expected, *, lower=None, upper=None, windows=1, q=0.004):
    return Evidence(
        model="injury-weekly",
        stream="injury",
        source_type="injury",
        product=product,
        industry="",
        region=region,
        stratum="",
        period_start=WEEK[0],
        period_end=WEEK[1],
        frequency="week",
        observed=observed,
        exposure=None,
        expected=expected,
        lower=float("nan") if lower is None else lower,
        upper=expected * 1.8 if upper is None else upper,
        p_value=q / 20,
        q_value=q,
        windows=windows,
        detector="farrington-flexible",
        detector_hash="f" * 8,
    )


def checks(product, region, failed, inspected, rate, *, q=0.02, windows=1):
    return Evidence(
        model="check-rates",
        stream="spot_check",
        source_type="inspection",
        product=product,
        industry="",
        region=region,
        stratum="selection=random",
        period_start=dt.date(2025, 12, 1),
        period_end=dt.date(2025, 12, 28),
        frequency="4-week",
        observed=failed,
        exposure=inspected,
        expected=rate * inspected,
        lower=0.0,
        upper=max(1.0, 2.2 * rate * inspected),
        p_value=q / 20,
        q_value=q,
        windows=windows,
        detector="beta-binomial",
        detector_hash="b" * 8,
    )


def assessment(
    product,
    region,
    evidence,
    grade,
    *,
    keys,
    facts=None,
    scope=Scope.ISOLATED,
    figures=None,
    risk="M",
    confidence="C2",
    severity=2,
    probability=None,
    risk_range=None,
    hazard="",
    would=(),
):
    return Assessment(
        subject=Subject("product", product, region),
        as_of=AS_OF,
        hazard=hazard,
        evidence=tuple(evidence),
        severity=severity,
        probability=probability,
        probability_range=None if probability is None else (probability / 3, probability * 3),
        risk=risk,
        risk_range=risk_range,
        confidence=confidence,
        scope=scope,
        scope_figures=figures or {},
        grade=grade,
        steps=(
            Step("grade.table", {"risk": risk, "confidence": confidence}, grade.name, grade),
            Step("lift.vulnerable-users", {"users": True}, "holds" if severity > 2 else "does not hold"),
            Step("lift", {}, "raised by one in total" if severity > 2 else "none", grade),
        ),
        actions=tuple(action(key) for key in keys),
        facts=facts or {},
        what_would_change=tuple({"zh": zh, "en": en} for zh, en in would),
    )


def warning(number, subject, state, grade, *, scope=Scope.ISOLATED, first=AS_OF, changed=AS_OF):
    return SimpleNamespace(
        warning_id=f"W2025-{number:04d}",
        fingerprint=f"fp{number}",
        subject=subject,
        state=state,
        grade=grade,
        scope=scope,
        first_seen=first,
        last_seen=AS_OF,
        last_changed=changed,
    )


def event(item, before, zh, en):
    return SimpleNamespace(
        warning_id=item.warning_id, as_of=AS_OF, kind=item.state, reason={"zh": zh, "en": en}, grade_before=before, grade_after=item.grade
    )


def history(evidence, *, seed, periods=104):
    rng = np.random.default_rng(seed)
    days = 7 if evidence.frequency == "week" else 28
    starts = [evidence.period_start - dt.timedelta(days=days * back) for back in range(periods - 1, -1, -1)]
    expected = np.full(periods, evidence.expected) * (1 + 0.25 * np.cos(np.arange(periods) * 2 * np.pi * days / 365.25 + 0.3))
    observed = rng.poisson(expected).astype(float)
    observed[-1] = evidence.observed
    if evidence.windows > 1:
        observed[-2] = round(evidence.observed * 0.85)
    ratio = evidence.upper / evidence.expected
    frame = pd.DataFrame({"period_start": starts, "observed": observed, "expected": expected, "upper": expected * ratio})
    frame.loc[frame.index[: periods // 2], ["expected", "upper"]] = np.nan
    if evidence.exposure is not None:
        frame["exposure"] = float(evidence.exposure)
        frame.loc[frame.index[-9], ["exposure", "observed"]] = np.nan
    return frame


def province_day():
    """What a run over the whole province left behind."""
    blanket = assessment(
        "P0101",
        "220100",
        [
            injuries("P0101", "220100", 18, 6.2, lower=2, upper=12, windows=2, q=0.0004),
            injuries("P0101", "220104", 9, 2.1, upper=6, windows=2, q=0.003),
            checks("P0101", "220100", 8, 60, 0.041, q=0.012),
            injuries("P0101", "220102", 5, 1.6, upper=4, q=0.03),
        ],
        Grade.II,
        keys=("report-II", "stop", "special", "talk", "notice"),
        hazard="burn-fire",
        scope=Scope.REGIONAL,
        risk="H",
        confidence="C3",
        severity=3,
        probability=1 / 2300,
        risk_range=("M", "S"),
        figures={"touched": 1, "counties": 3, "producers": 4},
        facts={
            "injuries": {
                "deaths": 0.0,
                "by_outcome": {"treated-released": 29.0, "admitted": 3.0},
                "age_bands": {"5-9": 6, "10-14": 5, "25-44": 9, "65+": 12},
            },
            "spot_checks": {
                "producers_failed": 4,
                "items": [
                    {"item": "工作温度下的泄漏电流", "class": "electric-shock", "failed": 5.0},
                    {"item": "标志", "class": "label-only", "failed": 3.0},
                ],
            },
            "units_in_use": 420000,
        },
        would=(
            (
                "电话回访显示超过半数伤害与产品无关，降一级。",
                "If follow-up calls show that over half of the injuries had nothing to do with the product: one level down.",
            ),
            ("其他市州出现同一生产企业的不合格批次，升为一级。", "If lots of the same producer fail in another prefecture: level I."),
        ),
    )
    charger = assessment(
        "P0201",
        "220000",
        [
            checks("P0201", "220000", 31, 240, 0.062, q=0.002, windows=2),
            checks("P0201", "220200", 14, 70, 0.07, q=0.01),
            checks("P0201", "220100", 9, 80, 0.058, q=0.04),
        ],
        Grade.III,
        keys=("special", "talk", "report-IV"),
        hazard="electric-shock",
        scope=Scope.INDUSTRY_WIDE,
        risk="H",
        confidence="C2",
        severity=3,
        probability=1 / 9100,
        figures={"touched": 3, "producers": 11},
        facts={"spot_checks": {"items": [{"item": "介电强度", "failed": 17.0}, {"item": "温升", "failed": 9.0}]}},
        would=(("复检推翻三分之一以上的不合格结论。", "If re-inspection overturns a third of the failures."),),
    )
    toys = assessment(
        "P0301",
        "220104",
        [injuries("P0301", "220104", 11, 3.4, upper=8, q=0.02)],
        Grade.III,
        keys=("special", "report-IV"),
        hazard="choking",
        risk="H",
        confidence="C1",
        severity=3,
        probability=1 / 5200,
        figures={"counties": 1},
        facts={"injuries": {"deaths": 0, "by_outcome": {"admitted": 2}, "age_bands": {"0-4": 9, "5-9": 7, "10-14": None, "25-44": None}}},
        would=(("下一周回落到上限以内。", "If the next week falls back below the limit."),),
    )
    meat = assessment(
        "P0401", "220200", [checks("P0401", "220200", 12, 90, 0.05, q=0.03)], Grade.III, keys=("special",), hazard="microbial", severity=2
    )
    blue = [
        assessment(
            code,
            region,
            [injuries(code, region, observed, expected, q=0.04)],
            Grade.IV,
            keys=("resample", "report-IV"),
            confidence="C1",
            severity=1,
            risk="M",
        )
        for code, region, observed, expected in (
            ("P0102", "220102", 9, 4.1),
            ("P0701", "220184", 7, 2.8),
            ("P0601", "222401", 8, 3.0),
            ("P0501", "220500", 6, 2.0),
        )
    ]
    old = [
        assessment(code, region, [injuries(code, region, observed, expected, q=0.045)], grade, keys=("resample",), scope=scope)
        for code, region, observed, expected, grade, scope in (
            ("P0501", "220104", 7, 3.2, Grade.III, Scope.ISOLATED),
            ("P0102", "220000", 44, 30.5, Grade.IV, Scope.SYSTEMIC),
            ("P0401", "220184", 6, 3.9, Grade.IV, Scope.ISOLATED),
            ("P0701", "220102", 3, 2.8, Grade.IV, Scope.ISOLATED),
        )
    ]
    early, middle = dt.date(2025, 11, 12), dt.date(2025, 12, 3)
    warnings = [
        warning(131, blanket.subject, "worsened", Grade.II, scope=Scope.REGIONAL, first=dt.date(2025, 12, 24)),
        warning(137, charger.subject, "new", Grade.III, scope=Scope.INDUSTRY_WIDE),
        warning(138, toys.subject, "new", Grade.III),
        warning(139, meat.subject, "new", Grade.III),
        *(warning(140 + place, item.subject, "new", Grade.IV) for place, item in enumerate(blue)),
        warning(96, old[0].subject, "unchanged", Grade.III, first=early, changed=middle),
        warning(88, old[1].subject, "eased", Grade.IV, scope=Scope.SYSTEMIC, first=early),
        warning(101, old[2].subject, "unchanged", Grade.IV, first=middle, changed=middle),
        warning(99, old[3].subject, "recovered", Grade.IV, first=middle),
        warning(40, Subject("product", "P0601", "220100"), "recovered", Grade.IV, first=dt.date(2025, 6, 2), changed=dt.date(2025, 7, 1)),
    ]
    events = [
        event(
            warnings[0], Grade.III, "观测由 11 人增至 18 人，连续两期超限。", "Injuries rose from 11 to 18, above the limit twice running."
        ),
        event(
            next(item for item in warnings if item.warning_id.endswith("0088")), Grade.III, "超出预期的部分减半。", "The excess has halved."
        ),
        event(
            next(item for item in warnings if item.warning_id.endswith("0099")),
            Grade.IV,
            "连续两期回到上限以内。",
            "Back below the limit twice running.",
        ),
    ]
    assessments = [blanket, charger, toys, meat, *blue, *old]
    return SimpleNamespace(assessments=assessments, warnings=warnings, events=events)


def signals_frame(assessments):
    rng = np.random.default_rng(7)
    rows = []
    for item in assessments:
        for evidence in item.evidence:
            row = dataclasses.asdict(evidence)
            rows.append({**row, "alarm": True, "reason": ""})
    for region in ("220000", "220100", "220102", "220104", "220184", "220200", "220281", "220500", "222400", "222401"):
        for kind, code in [("industry", code) for code in INDUSTRIES.rows] + [("region", "")]:
            expected = float(rng.uniform(8, 60))
            observed = float(rng.poisson(expected * 1.1))
            p_value = float(rng.uniform(0.01, 0.9)) if observed > expected else 0.9
            row = {
                "model": "injury-weekly",
                "stream": "injury",
                "product": "",
                "industry": code if kind == "industry" else "",
                "region": region,
                "stratum": "",
            }
            span = {"frequency": "week", "period_start": WEEK[0], "period_end": WEEK[1], "exposure": np.nan}
            figures = {
                "observed": observed,
                "expected": expected,
                "lower": np.nan,
                "upper": expected * 1.6,
                "p_value": p_value,
                "q_value": min(1.0, p_value * 3),
            }
            rows.append({**row, **span, **figures, "alarm": False, "reason": ""})
    for number in range(12):
        row = {
            "model": "check-rates",
            "stream": "spot_check",
            "product": "P0601",
            "industry": "",
            "region": "220104",
            "stratum": f"selection={'random' if number % 2 else 'targeted'}",
        }
        span = {
            "frequency": "4-week",
            "period_start": dt.date(2025, 12, 1),
            "period_end": dt.date(2025, 12, 28),
            "exposure": 3.0,
            "observed": 0.0,
        }
        nothing = dict.fromkeys(("expected", "lower", "upper", "p_value", "q_value"), np.nan)
        rows.append({**row, **span, **nothing, "alarm": False, "reason": "too-few-cases" if number < 9 else "no-exposure"})
    return pd.DataFrame(rows)


QUALITY = QualityReport(
    sources=(
        SourceHealth(
            "jl-spot", "省监督抽查系统", "Provincial spot-check system", dt.date(2025, 12, 29), dt.date(2025, 12, 31), 1874, "on-time", 6
        ),
        SourceHealth(
            "jl-injury", "哨点医院伤害监测", "Sentinel hospitals", dt.date(2025, 12, 30), dt.date(2025, 12, 31), 3120, "on-time", 11
        ),
        SourceHealth(
            "cc-injury",
            "长春市直报医院",
            "Changchun direct hospitals",
            dt.date(2025, 11, 20),
            dt.date(2025, 11, 24),
            0,
            "silent",
            0,
            "两家医院自 11 月 24 日未报送",
            "two hospitals have sent nothing since 24 November",
        ),
        SourceHealth("rasff", "欧盟食品饲料快速预警", "EU RASFF", dt.date(2025, 12, 12), dt.date(2025, 12, 13), 214, "late", 0),
        SourceHealth("jl-2019", "旧版抽查库（已停用）", "Old spot-check base", dt.date(2024, 12, 31), dt.date(2025, 1, 15), 0, "closed", 0),
    ),
    duplicates=23,
    rolled_up=(
        ("check-rates", "P0601", "", "220102", ""),
        ("check-rates", "P0601", "", "220104", "selection=random"),
        ("check-rates", "P0701", "", "220281", ""),
    ),
)
RECENT = Recent(
    records=5208,
    newest_injury_day=dt.date(2025, 12, 30),
    day_persons=112,
    day_admitted=9,
    day_died=0,
    persons=3120,
    admitted=241,
    died=2,
    firms=FirmCounts(window_days=365, checked=1290, failed=97, failed_repeatedly=12, rechecked=81, failed_recheck=6),
    external=(
        ExternalSignal(
            system="RASFF",
            product=Text(zh="熟肉制品", en="cooked meat products"),
            hazard="Listeria monocytogenes",
            decision="serious",
            origin=None,
            notices=7,
            newest=dt.date(2025, 12, 12),
        ),
        ExternalSignal(
            system="CPSC",
            product=Text(zh="电动自行车充电器", en="e-bike chargers"),
            hazard="fire",
            decision="recall",
            origin=Text(zh="美国", en="United States"),
            notices=2,
            newest=dt.date(2025, 12, 5),
        ),
    ),
    clocks=(
        RecordClock("rectify", dt.date(2025, 12, 20), 2),
        RecordClock("recheck", dt.date(2025, 12, 28), 3),
        RecordClock("recheck", dt.date(2026, 1, 4), 5),
        RecordClock("rectify", dt.date(2026, 2, 9), 14),
    ),
)


def _gap(product, zh, en, region, weight):
    named = {language: REGIONS.name(region, language) for language in ("zh", "en")}
    return GapLine(product, {"zh": zh, "en": en}, region, named, weight, 2.0, 11, {"zh": "属监测空白", "en": "a gap"})


CATALOGUE = CoverageSummary(
    region="220100",
    as_of=AS_OF,
    window_days=365,
    catalogue="list-2025",
    verified=False,
    level="county",
    cells=264,
    covered=240,
    thin=14,
    gaps=24,
    share=240 / 264,
    plan_share=226 / 264,
    population_share=0.934,
    top=(
        _gap("P0302", "电动自行车用锂离子电池", "lithium batteries for electric bicycles", "220184", 4.0),
        _gap("P0407", "民用取暖炉具", "domestic solid-fuel stoves", "220102", 3.0),
        _gap("P0104", "磁力玩具", "magnetic toys", "220281", 3.0),
        _gap("P0502", "学生服", "school uniforms", "220104", 2.0),
    ),
)


def make(centre=CHANGCHUN, **changes):
    """Build the digest of the ordinary day; ``changes`` replace arguments."""
    day = province_day()
    lead = {}
    for seed, item in enumerate(day.assessments):
        for evidence in item.evidence:
            key = series_key(evidence.model, evidence.product, evidence.industry, evidence.region, evidence.stratum)
            lead[key] = history(evidence, seed=seed)
    arguments = {
        "centre": centre,
        "as_of": AS_OF,
        "issue_no": 128,
        "assessments": day.assessments,
        "warnings": day.warnings,
        "events": day.events,
        "signals": signals_frame(day.assessments),
        "series_history": lead,
        "quality": QUALITY,
        "recent": RECENT,
        "labels": LABELS,
        "trees": TREES,
        "data_cutoff": dt.date(2025, 12, 30),
        "fdr": 0.05,
        "catalogue": CATALOGUE,
        "simulated": True,
        "open_actions": {"W2025-0096": (dataclasses.replace(action("talk"), due_on=dt.date(2025, 12, 26)),)},
    }
    return build_digest(**{**arguments, **changes})


def printed_pages(html, folder):
    """Return on how many A4 pages a browser prints ``html``."""
    chromium, pdfinfo = shutil.which("chromium"), shutil.which("pdfinfo")
    if chromium is None or pdfinfo is None:
        pytest.skip("chromium and pdfinfo are needed to count printed pages")
    page, pdf = folder / "digest.html", folder / "digest.pdf"
    page.write_text(html, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [chromium, *options, "--no-first-run", profile, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", str(page)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert pdf.exists(), done.stderr.decode(errors="replace")[-800:]
    told = subprocess.run([pdfinfo, str(pdf)], capture_output=True, text=True, check=True).stdout
    assert "A4" in told
    return int(re.search(r"^Pages:\s+(\d+)", told, re.MULTILINE).group(1))


@pytest.fixture(scope="session")
def day():
    return province_day()


@pytest.fixture(scope="session")
def ordinary():
    return make()


@pytest.fixture(scope="session")
def build():
    return make
