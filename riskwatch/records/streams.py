"""The streams and their fields: the one declaration that schemas, tables and documents are made from.

A new stream is a :class:`Stream` here and a source in ``config/sources``; nothing in the detectors changes.
Field lists follow the published columns of Chinese supervision spot checks (市场监督管理), the card of the
national injury surveillance system (全国伤害监测) and the layout of foreign notice systems.
"""

from __future__ import annotations

from riskwatch.records.fields import COMMON, Field, Stream
from riskwatch.records.policy_streams import POLICY_STREAMS

__all__ = [
    "COMMON",
    "ENTERPRISE_CREDIT",
    "EXTERNAL_NOTICE",
    "INDICATOR",
    "INJURY",
    "SPOT_CHECK",
    "STREAMS",
    "Field",
    "Stream",
]

SELECTIONS = ("random", "targeted", "follow-up", "complaint-led")
CHECK_TYPES = ("national", "provincial", "prefecture", "county", "special", "follow-up", "risk-monitoring", "recheck", "enforcement")
CHANNELS = ("production", "distribution", "online", "catering", "import-export")
VERDICTS = ("pass", "fail", "undetermined")

# `region` of a spot check is the place of sampling (exposure); `producer_region` is the place of production (cause).
SPOT_CHECK = Stream(
    "spot_check",
    (
        Field("check_type", choices=CHECK_TYPES, zh="抽查类型", en="check type"),
        Field("selection", required=True, choices=SELECTIONS, zh="抽样方式", en="selection"),
        Field("channel", choices=CHANNELS, zh="抽样领域", en="channel"),
        Field("task", max_length=120, zh="任务", en="task"),
        Field("product_name", zh="产品名称", en="product name"),
        Field("trademark", max_length=200, zh="商标", en="trademark"),
        Field("specification", zh="规格型号", en="specification"),
        Field("production_date", "date", zh="生产日期", en="production date"),
        Field("batch_no", max_length=120, zh="批号", en="batch number"),
        Field("producer", max_length=80, personal=True, zh="生产企业代码", en="producer (unified social credit code or source key)"),
        Field("producer_name", personal=True, zh="标称生产企业", en="nominal producer"),
        Field("producer_region", "code", tree="region", max_length=40, zh="生产地", en="place of production"),
        # Whose part or material the goods rest on, where it was traced: many firms that share one are a systemic risk (系统性质量风险).
        Field("supplier", max_length=80, personal=True, zh="关键原料或部件供应商代码", en="supplier of the key material or part (code)"),
        Field("sampled", max_length=80, personal=True, zh="被抽样单位代码", en="sampled unit (code or source key)"),
        Field("sampled_name", personal=True, zh="被抽样单位", en="sampled unit"),
        Field("laboratory", max_length=200, zh="检验机构", en="laboratory"),
        Field("received_on", "date", zh="收样日期", en="received on"),
        Field("reported_on", "date", zh="报告日期", en="reported on"),
        Field("published_on", "date", zh="公布日期", en="published on"),
        Field("inspected", "int", required=True, minimum=0, maximum=1e9, zh="抽查批次", en="samples inspected"),
        Field("failed", "int", required=True, minimum=0, maximum=1e9, zh="不合格批次", en="samples failed"),
        Field("verdict", required=True, choices=VERDICTS, zh="判定", en="verdict"),
        Field("counterfeit_claim", "bool", zh="企业否认", en="producer denies having made it"),
        Field("recheck_of", "code", max_length=200, personal=True, zh="复查原样品", en="recheck of record key"),
        Field("recheck_result", choices=VERDICTS, zh="复查结果", en="recheck result"),
        Field("ordered_on", "date", zh="责令改正日期", en="order to correct on"),
        Field("rectified_on", "date", zh="整改完成日期", en="rectified on"),
        Field("recheck_on", "date", zh="复查日期", en="recheck on"),
    ),
    items=(
        Field("item", required=True, max_length=200, zh="检验项目", en="test item"),
        Field("standard", max_length=200, zh="标准", en="standard"),
        Field("limit", max_length=200, zh="标准值", en="limit"),
        Field("measured", max_length=200, zh="检验结果", en="measured value (text: may be censored, as '<0.01')"),
        Field("unit", max_length=40, zh="单位", en="unit"),
        Field("verdict", required=True, choices=(*VERDICTS, "not-tested"), zh="单项判定", en="verdict"),
        Field("safety_item", "bool", zh="安全项目", en="safety item"),
    ),
    zh="监督抽查",
    en="spot checks",
    evidence="inspection",
)

OUTCOMES = ("treated-released", "observed", "transferred", "admitted", "died", "left", "other", "unknown")

INJURY = Stream(
    "injury",
    (
        Field("product_2", "code", tree="product", max_length=40, zh="涉及产品2", en="second product"),
        Field("product_3", "code", tree="product", max_length=40, zh="涉及产品3", en="third product"),
        Field("hospital", max_length=80, personal=True, zh="监测医院", en="hospital"),
        Field("visited_on", "date", zh="就诊日期", en="visited on"),
        Field("reported_on", "date", zh="报告日期", en="reported on"),
        Field("age", "float", minimum=0, maximum=130, personal=True, zh="年龄(岁)", en="age in years"),
        Field("sex", choices=("male", "female", "unknown"), personal=True, zh="性别", en="sex"),
        Field("cause", max_length=80, zh="伤害原因", en="cause"),
        Field("place", max_length=80, zh="发生地点", en="place"),
        Field("activity", max_length=80, zh="活动", en="activity"),
        Field("body_part", max_length=80, zh="受伤部位", en="body part"),
        Field("diagnosis", max_length=200, zh="伤害性质/诊断", en="nature or diagnosis"),
        Field("severity", choices=("mild", "moderate", "severe"), zh="严重程度", en="severity"),
        Field("outcome", choices=OUTCOMES, zh="结局", en="outcome"),
        Field("persons", "int", required=True, minimum=0, maximum=1e9, zh="人数", en="persons"),
        Field("weight", "float", minimum=0, maximum=1e9, zh="权重", en="sampling weight"),
        Field("narrative", max_length=20_000, personal=True, zh="经过", en="narrative"),
    ),
    zh="产品伤害监测",
    en="product injuries",
    evidence="injury",
)

EXTERNAL_NOTICE = Stream(
    "external_notice",
    (
        Field("system", required=True, max_length=40, zh="通报系统", en="notice system"),
        Field("title", max_length=4000, zh="主题", en="subject"),
        Field("notice_type", max_length=120, zh="通报类型", en="type of notice"),
        Field("risk_decision", max_length=80, zh="风险判定", en="risk decision"),
        Field("hazard", max_length=400, zh="危害物", en="hazard"),
        Field("hazard_class", max_length=120, zh="危害类别", en="hazard category"),
        Field("origin", "code", tree="region", max_length=40, zh="原产地", en="origin"),
        Field("distribution", max_length=2000, zh="销往", en="distribution"),
        Field("notices", "int", required=True, minimum=0, maximum=1e9, zh="通报数", en="notices"),
    ),
    zh="境外通报",
    en="external notices",
    evidence="external",
)

# One value of one indicator, for one region and period. `event_date` is the last day of the period, so an as-of query never sees a
# period that has not ended; a revision of a figure is a new version of the record.
INDICATOR = Stream(
    "indicator",
    (
        Field("indicator", "code", required=True, max_length=80, zh="指标代码", en="indicator code"),
        Field("period_type", required=True, choices=("year", "half", "quarter", "month"), zh="周期", en="length of the period"),
        Field("value", "float", required=True, minimum=-1e15, maximum=1e15, zh="数值", en="value, in the unit of the indicator"),
        Field("numerator", "float", minimum=0, maximum=1e15, zh="分子", en="numerator, where the value is a ratio"),
        Field("n", "float", minimum=0, maximum=1e15, zh="样本量或分母", en="sample size or denominator"),
        Field("standard_error", "float", minimum=0, maximum=1e15, zh="标准误", en="standard error, in the unit of the indicator"),
        Field("status", choices=("preliminary", "final", "revised"), zh="数据状态", en="status of the figure"),
        Field("note", max_length=1000, zh="备注", en="note"),
    ),
    zh="质量指标",
    en="quality indicators",
    evidence="statistics",
)

# The class that a credit-risk scheme gave an enterprise, in force from `event_date` until the next record of the same enterprise.
ENTERPRISE_CREDIT = Stream(
    "enterprise_credit",
    (
        Field(
            "enterprise", "code", required=True, max_length=80, personal=True, zh="企业代码", en="enterprise (credit code or source key)"
        ),
        Field("credit_class", required=True, choices=("A", "B", "C", "D"), zh="信用等级", en="credit class, A low risk to D high"),
        Field("listed", "bool", zh="列入严重违法失信名单", en="on the list of serious violators"),
        Field("authority", max_length=200, zh="评定机关", en="issuing authority"),
        Field("valid_until", "date", ahead=True, zh="有效期至", en="valid until"),
    ),
    zh="企业信用",
    en="enterprise credit",
    evidence="register",
)

STREAMS: dict[str, Stream] = {
    stream.name: stream for stream in (SPOT_CHECK, INJURY, EXTERNAL_NOTICE, INDICATOR, ENTERPRISE_CREDIT, *POLICY_STREAMS)
}
