"""The streams that the policies name, simulated together, and the files in which they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from riskwatch.datasets.accidents import simulate_accidents, simulate_claims, simulate_media, simulate_recalls
from riskwatch.datasets.complaints import simulate_complaints
from riskwatch.datasets.registers import simulate_certificates, simulate_laboratories, simulate_trade, simulate_trade_notices
from riskwatch.datasets.scene import Scene

if TYPE_CHECKING:
    from riskwatch.datasets.writing import Files

__all__ = ["POLICY_HEADERS", "POLICY_WORDS", "simulate_policy", "write_policy"]

# Stream -> folder and field -> header on file. Fields not listed are not delivered; `known_on` is the day of registration.
POLICY_HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "accident": (
        "accidents",
        {
            "record_key": "报告编号",
            "event_date": "发生日期",
            "known_on": "登记日期",
            "occurred_at": "发生时间",
            "learned_at": "获知时间",
            "reported_at": "报告时间",
            "reporter": "报告单位类型",
            "product": "产品代码",
            "region": "地区代码",
            "producer": "生产企业代码",
            "batch_no": "批号",
            "deaths": "死亡人数",
            "serious": "重伤人数",
            "light": "轻伤人数",
            "loss": "直接经济损失",
            "cause_preliminary": "初步原因",
            "cause_final": "查明原因",
            "measures": "已采取措施",
            "exposed": "仍受威胁人数",
            "sold": "已售数量",
            "report_no": "报告序号",
            "first_report": "首报编号",
        },
    ),
    "complaint": (
        "complaints",
        {
            "record_key": "登记编号",
            "event_date": "登记日期",
            "known_on": "入库日期",
            "kind": "类型",
            "channel": "渠道",
            "complainant": "投诉人标识",
            "respondent": "被投诉企业代码",
            "platform": "平台",
            "product": "产品代码",
            "region": "地区代码",
            "problem": "问题类型",
            "injury": "是否受伤",
            "loss": "损失",
            "complaints": "件数",
            "accepted_on": "受理日期",
            "closed_on": "办结日期",
            "result": "处理结果",
            "narrative": "诉求内容",
        },
    ),
    "trade_inspection": (
        "trade",
        {
            "record_key": "报检单号",
            "event_date": "检验日期",
            "known_on": "公布日期",
            "flow": "进出口",
            "hs_code": "HS编码",
            "inspected": "检验批次",
            "refused": "不合格批次",
            "kilograms": "重量",
            "origin": "原产地",
            "destination": "目的地",
            "port": "口岸",
            "importer": "进出口企业代码",
            "reason": "原因",
            "product": "产品代码",
            "region": "地区代码",
        },
    ),
    "recall": (
        "recalls",
        {
            "record_key": "召回编号",
            "event_date": "召回开始日期",
            "known_on": "公布日期",
            "product": "产品代码",
            "region": "地区代码",
            "producer": "生产企业代码",
            "models": "型号",
            "affected": "涉及数量",
            "defect": "缺陷",
            "hazard": "危害",
            "remedy": "补救措施",
            "ends_on": "结束日期",
            "completion": "完成率",
        },
    ),
    "certification": (
        "certificates",
        {
            "record_key": "记录编号",
            "event_date": "生效日期",
            "known_on": "公布日期",
            "enterprise": "统一社会信用代码",
            "scheme": "制度",
            "status": "状态",
            "valid_until": "有效期至",
            "reason": "变更原因",
            "product": "产品代码",
            "region": "地区代码",
        },
    ),
    "laboratory": (
        "laboratories",
        {
            "record_key": "记录编号",
            "event_date": "生效日期",
            "known_on": "公布日期",
            "laboratory": "检验机构",
            "item": "项目",
            "calibration": "校准状态",
            "calibration_until": "校准有效期至",
            "capability": "检测能力",
        },
    ),
    "media": (
        "media",
        {
            "record_key": "舆情编号",
            "event_date": "首报日期",
            "product": "产品代码",
            "region": "地区代码",
            "outlet": "媒体类型",
            "topic": "主题",
            "reports": "报道数",
        },
    ),
    "trade_notice": (
        "trade_notices",
        {
            "record_key": "通报号",
            "event_date": "通报日期",
            "system": "类别",
            "member": "通报成员",
            "hs_code": "HS编码",
            "title": "标题",
            "comment_until": "评议截止日",
            "notices": "通报数",
            "product": "产品代码",
        },
    ),
    "insurance_claim": (
        "insurance",
        {
            "record_key": "记录编号",
            "event_date": "统计月末",
            "known_on": "报送日期",
            "product": "产品代码",
            "region": "地区代码",
            "claims": "出险件数",
            "paid": "赔付金额",
            "policy_years": "承保年数",
            "cause": "出险原因",
        },
    ),
}

# (stream, field) -> canonical value -> word on file.
POLICY_WORDS: dict[tuple[str, str], dict[str, str]] = {
    ("accident", "reporter"): {"enterprise": "企业", "county": "县级", "prefecture": "市级", "province": "省级"},
    ("complaint", "kind"): {"complaint": "投诉", "report": "举报", "rewarded-report": "有奖举报", "consultation": "咨询"},
    ("complaint", "problem"): {
        "quality": "质量",
        "safety": "安全",
        "counterfeit": "假冒",
        "after-sales": "售后",
        "advertising": "广告",
        "price": "价格",
        "contract": "合同",
        "other": "其他",
    },
    ("complaint", "result"): {
        "upheld": "支持",
        "settled": "和解",
        "rejected": "不予支持",
        "withdrawn": "撤回",
        "transferred": "移送",
        "pending": "办理中",
    },
    ("trade_inspection", "flow"): {"import": "进口", "export": "出口"},
    ("certification", "scheme"): {"licence": "生产许可", "ccc": "强制性认证", "certificate": "自愿认证"},
    ("certification", "status"): {"valid": "有效", "suspended": "暂停", "revoked": "撤销", "expired": "过期"},
    ("laboratory", "calibration"): {"valid": "有效", "due": "临期", "lapsed": "过期", "failed": "不合格"},
    ("laboratory", "capability"): {"accredited": "具备", "suspended": "暂停", "none": "不具备"},
    ("media", "outlet"): {"press": "报刊", "television": "广播电视", "online": "网络媒体", "social": "社交平台", "self-media": "自媒体"},
    ("trade_notice", "system"): {"tbt": "TBT", "sps": "SPS"},
}


def simulate_policy(scene: Scene, cards: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Draw all streams of this module: stream name -> frame with ``version``, ``known_on`` and ``hazard_id`` beside the stream's fields.

    Parameters
    ----------
    cards : DataFrame
        Simulated injury cards; most deaths of hazards come again as accident reports.
    """
    return {
        "accident": simulate_accidents(scene, cards),
        "complaint": simulate_complaints(scene),
        "trade_inspection": simulate_trade(scene),
        "recall": simulate_recalls(scene),
        "certification": simulate_certificates(scene),
        "laboratory": simulate_laboratories(scene),
        "media": simulate_media(scene),
        "trade_notice": simulate_trade_notices(scene),
        "insurance_claim": simulate_claims(scene),
    }


def _text(column: pd.Series, words: dict[str, str] | None) -> pd.Series:
    if words is not None:
        return column.map(lambda value: words.get(value, ""))
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        days: pd.Series = column.dt.strftime("%Y-%m-%d").fillna("")
        return days
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.map({True: "是", False: "否"})
    if pd.api.types.is_float_dtype(column.dtype):
        return column.map(lambda value: f"{value:.12g}")
    return column.astype(str)


def write_policy(files: Files, policy: dict[str, pd.DataFrame]) -> None:
    """Write one file for each stream and year of registration: ``complaints/2024.csv``."""
    for stream, frame in policy.items():
        folder, headers = POLICY_HEADERS[stream]
        for year, part in frame.groupby(frame["known_on"].dt.year) if len(frame) else ():
            native = {header: _text(part[name], POLICY_WORDS.get((stream, name))) for name, header in headers.items()}
            files.write(f"{folder}/{year}", pd.DataFrame(native, dtype=object), "utf-8")
