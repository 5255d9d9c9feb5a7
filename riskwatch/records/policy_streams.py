"""The streams that the quality policies name beside spot checks and injuries: what firms, consumers and customs tell.

Fields of complaints follow the columns of the national consumer platform (12315), accident reports art. 12 of the Regulation on reporting
and investigating production-safety accidents (2007), border inspections the published lists of goods refused entry, recalls the published
recall announcements. None of these layouts is a standard: a source maps what it delivers.
"""

from __future__ import annotations

from riskwatch.records.fields import Field, Stream

__all__ = [
    "ACCIDENT",
    "CERTIFICATION",
    "COMPLAINT",
    "INSURANCE_CLAIM",
    "LABORATORY",
    "MEDIA",
    "POLICY_STREAMS",
    "RECALL",
    "TRADE_INSPECTION",
    "TRADE_NOTICE",
]

_MANY = 1e9
_YUAN = 1e13

# An enterprise reports an accident; a follow-up report has a record key of its own and names the first one. `region` is where it happened.
ACCIDENT = Stream(
    "accident",
    (
        Field("occurred_at", "moment", max_length=40, zh="发生时间", en="happened at"),
        Field("learned_at", "moment", max_length=40, zh="获知时间", en="the reporter learned of it at"),
        Field("reported_at", "moment", max_length=40, zh="报告时间", en="reported at"),
        Field("reporter", choices=("enterprise", "county", "prefecture", "province"), zh="报告单位类型", en="who reports"),
        Field("producer", "code", max_length=80, personal=True, zh="生产企业代码", en="producer (credit code or source key)"),
        Field("batch_no", max_length=120, zh="批号", en="batch number"),
        Field("deaths", "int", required=True, minimum=0, maximum=_MANY, zh="死亡人数", en="deaths"),
        Field("serious", "int", minimum=0, maximum=_MANY, zh="重伤人数", en="seriously injured persons"),
        Field("light", "int", minimum=0, maximum=_MANY, zh="轻伤人数", en="lightly injured persons"),
        Field("loss", "float", minimum=0, maximum=_YUAN, zh="直接经济损失(元)", en="direct loss in yuan"),
        Field("cause_preliminary", max_length=400, zh="初步原因", en="cause, preliminary"),
        Field("cause_final", max_length=400, zh="查明原因", en="cause, as found"),
        Field("measures", max_length=1000, zh="已采取措施", en="measures taken"),
        Field("exposed", "int", minimum=0, maximum=_MANY, zh="仍受威胁人数", en="persons still exposed"),
        Field("sold", "float", minimum=0, maximum=1e12, zh="已售数量", en="quantity sold"),
        Field("report_no", "int", minimum=1, maximum=1000, zh="报告序号", en="number of the report: 1 first, 2 and more follow-ups"),
        Field("first_report", "code", max_length=200, personal=True, zh="首报编号", en="record key of the first report"),
    ),
    zh="质量安全事故报告",
    en="accident reports",
    evidence="accident",
)

COMPLAINT_KINDS = ("complaint", "report", "rewarded-report", "consultation")
PROBLEMS = ("quality", "safety", "counterfeit", "after-sales", "advertising", "price", "contract", "other")
RESULTS = ("upheld", "settled", "rejected", "withdrawn", "transferred", "pending")

# `event_date` is the day it was received. `complainant` is a key that stands for a person: the source gives a pseudonym, never a name or a
# telephone number; it only serves to count distinct persons.
COMPLAINT = Stream(
    "complaint",
    (
        Field("kind", required=True, choices=COMPLAINT_KINDS, zh="类型", en="complaint, report of a violation, question"),
        Field("channel", max_length=80, zh="渠道", en="channel"),
        Field("complainant", "code", max_length=80, personal=True, zh="投诉人标识(匿名)", en="complainant (pseudonym)"),
        Field("respondent", "code", max_length=80, personal=True, zh="被投诉企业代码", en="respondent (credit code or source key)"),
        Field("platform", max_length=120, zh="平台", en="trading platform"),
        Field("problem", required=True, choices=PROBLEMS, zh="问题类型", en="problem"),
        Field("injury", "bool", zh="是否受伤", en="somebody was hurt"),
        Field("loss", "float", minimum=0, maximum=_YUAN, zh="损失(元)", en="loss in yuan"),
        Field("complaints", "int", required=True, minimum=0, maximum=_MANY, zh="件数", en="complaints"),
        Field("accepted_on", "date", zh="受理日期", en="accepted on"),
        Field("closed_on", "date", zh="办结日期", en="closed on"),
        Field("result", choices=RESULTS, zh="处理结果", en="result"),
        Field("narrative", max_length=20_000, personal=True, zh="诉求内容", en="narrative"),
    ),
    zh="投诉举报",
    en="complaints and reports",
    evidence="complaint",
)

# Lots at the border. Customs samples by its own rules, so the share refused is no failure rate of the market.
TRADE_INSPECTION = Stream(
    "trade_inspection",
    (
        Field("flow", required=True, choices=("import", "export"), zh="进出口", en="import or export"),
        Field("hs_code", "code", max_length=20, zh="HS编码", en="HS code"),
        Field("inspected", "int", required=True, minimum=0, maximum=_MANY, zh="检验批次", en="lots inspected"),
        Field("refused", "int", required=True, minimum=0, maximum=_MANY, zh="未准入境或不合格批次", en="lots refused"),
        Field("kilograms", "float", minimum=0, maximum=1e13, zh="重量(kg)", en="weight in kg"),
        Field("origin", "code", max_length=40, zh="原产地", en="country or place of origin"),
        Field("destination", "code", max_length=40, zh="目的地", en="country or place of destination"),
        Field("port", max_length=120, zh="口岸", en="port"),
        Field("importer", "code", max_length=80, personal=True, zh="进出口企业代码", en="trader (credit code or source key)"),
        Field("reason", max_length=400, zh="原因", en="reason of the refusal"),
    ),
    zh="进出口检验",
    en="border inspections",
    evidence="inspection-border",
)

# `event_date` is the first day of the recall; a progress report is a new version of the record.
RECALL = Stream(
    "recall",
    (
        Field("producer", "code", max_length=80, personal=True, zh="生产企业代码", en="producer (credit code or source key)"),
        Field("models", max_length=1000, zh="型号", en="models"),
        Field("affected", "float", minimum=0, maximum=1e12, zh="涉及数量", en="number affected"),
        Field("defect", max_length=1000, zh="缺陷", en="defect"),
        Field("hazard", max_length=400, zh="危害", en="hazard"),
        Field("remedy", max_length=400, zh="补救措施", en="remedy"),
        Field("ends_on", "date", ahead=True, zh="结束日期", en="ends on"),
        Field("completion", "float", minimum=0, maximum=1, zh="完成率", en="share completed, 0 to 1"),
    ),
    zh="国内召回",
    en="domestic recalls",
    evidence="recall",
)

STATUSES = ("valid", "suspended", "revoked", "expired")

# A status is in force from `event_date` until the next record of the same enterprise, scheme and product.
CERTIFICATION = Stream(
    "certification",
    (
        Field("enterprise", "code", required=True, max_length=80, personal=True, zh="企业代码", en="enterprise (code)"),
        Field("scheme", required=True, choices=("licence", "ccc", "certificate"), zh="制度", en="licence, CCC, certificate"),
        Field("status", required=True, choices=STATUSES, zh="状态", en="status"),
        Field("valid_until", "date", ahead=True, zh="有效期至", en="valid until"),
        Field("reason", max_length=400, zh="变更原因", en="reason of the change"),
    ),
    zh="许可与认证状态",
    en="licences and certificates",
    evidence="register",
)

# A laboratory and one of its items (or instruments), from `event_date` until the next record of both.
LABORATORY = Stream(
    "laboratory",
    (
        Field("laboratory", required=True, max_length=200, zh="检验机构", en="laboratory, as spot checks name it"),
        Field("item", max_length=200, zh="项目或方法", en="item or method; empty: all of it"),
        Field("calibration", required=True, choices=("valid", "due", "lapsed", "failed"), zh="校准状态", en="state of the calibration"),
        Field("calibration_until", "date", ahead=True, zh="校准有效期至", en="calibrated until"),
        Field("capability", choices=("accredited", "suspended", "none"), zh="检测能力", en="capability"),
    ),
    zh="检验机构能力与校准",
    en="laboratories",
    evidence="register",
)

MEDIA = Stream(
    "media",
    (
        Field("outlet", required=True, choices=("press", "television", "online", "social", "self-media"), zh="媒体类型", en="outlet"),
        Field("topic", max_length=200, zh="主题", en="topic"),
        Field("reports", "int", required=True, minimum=0, maximum=_MANY, zh="报道数(去重)", en="distinct reports"),
    ),
    zh="舆情",
    en="media exposure",
    evidence="media",
)

TRADE_NOTICE = Stream(
    "trade_notice",
    (
        Field("system", required=True, choices=("tbt", "sps", "other"), zh="通报类别", en="WTO/TBT, WTO/SPS or other"),
        Field("member", "code", required=True, max_length=40, zh="通报成员", en="notifying member"),
        Field("hs_code", "code", max_length=200, zh="HS编码", en="HS codes"),
        Field("title", max_length=4000, zh="标题", en="title"),
        Field("comment_until", "date", ahead=True, zh="评议截止日", en="comments until"),
        Field("notices", "int", required=True, minimum=0, maximum=_MANY, zh="通报数", en="notices"),
    ),
    zh="技术性贸易措施通报",
    en="trade-measure notices",
    evidence="notice",
)

# One row is what an insurer tells of one product (liability, extended warranty) for the month that ends on `event_date`.
INSURANCE_CLAIM = Stream(
    "insurance_claim",
    (
        Field("claims", "int", required=True, minimum=0, maximum=_MANY, zh="出险件数", en="claims"),
        Field("paid", "float", minimum=0, maximum=_YUAN, zh="赔付(元)", en="paid in yuan"),
        Field("policy_years", "float", required=True, minimum=0, maximum=1e12, zh="承保年数", en="policy-years insured in the month"),
        Field("cause", max_length=200, zh="出险原因", en="cause"),
    ),
    zh="责任保险理赔",
    en="insurance claims",
    evidence="insurance",
)

POLICY_STREAMS = (ACCIDENT, COMPLAINT, TRADE_INSPECTION, RECALL, CERTIFICATION, LABORATORY, MEDIA, TRADE_NOTICE, INSURANCE_CLAIM)
