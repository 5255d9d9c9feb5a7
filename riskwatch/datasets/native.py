"""How the records of the demonstration look in the files of those who deliver them: headers, words and dates by year."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["HEADERS", "WORDS", "to_native"]

# Canonical field -> header until the end of 2022, header since then. Fields not listed are not delivered.
HEADERS: dict[str, dict[str, tuple[str, str]]] = {
    "spot_check": {
        "record_key": ("抽样编号", "样品编号"),
        "task": ("任务名称", "任务来源"),
        "check_type": ("抽查类型", "抽查类别"),
        "selection": ("抽样方式", "抽样方式"),
        "channel": ("抽样领域", "抽样环节"),
        "product": ("产品代码", "产品分类代码"),
        "product_name": ("产品名称", "样品名称"),
        "specification": ("规格型号", "规格型号"),
        "industry": ("行业代码", "行业代码"),
        "producer_name": ("标称生产企业", "标称生产企业名称"),
        "producer": ("统一社会信用代码", "生产企业统一社会信用代码"),
        "producer_region": ("生产地代码", "生产企业所在地"),
        "supplier": ("主要部件供应商代码", "关键原料或部件供应商代码"),
        "sampled_name": ("被抽样单位", "被抽样单位名称"),
        "region": ("所在地代码", "抽样地区代码"),
        "laboratory": ("检验机构", "承检机构"),
        "event_date": ("抽样日期", "抽样日期"),
        "received_on": ("收样日期", "到样日期"),
        "reported_on": ("报告日期", "报告签发日期"),
        "published_on": ("公布日期", "公告日期"),
        "inspected": ("抽查批次数", "抽查批次"),
        "failed": ("不合格批次数", "不合格批次"),
        "verdict": ("判定", "检验结论"),
        "counterfeit_claim": ("企业否认", "企业否认"),
        "recheck_of": ("复查原样品编号", "复查原样品编号"),
        "recheck_result": ("复查结果", "复查结论"),
        "ordered_on": ("责令改正日期", "责令改正日期"),
        "rectified_on": ("整改完成日期", "整改完成日期"),
        "recheck_on": ("复查日期", "复查日期"),
        "items.item": ("不合格项目", "不合格项目"),
        "items.measured": ("检验结果", "实测值"),
        "items.limit": ("标准值", "标准要求"),
        "items.unit": ("单位", "计量单位"),
        "items.verdict": ("单项判定", "单项判定"),
        "items.safety_item": ("安全项目", "是否安全项目"),
    },
    "injury": {
        "record_key": ("卡片编号", "报告卡编号"),
        "hospital": ("监测医院", "医院名称"),
        "sex": ("性别", "性别"),
        "age": ("年龄", "年龄(岁)"),
        "event_date": ("伤害发生日期", "发生日期"),
        "visited_on": ("就诊日期", "就诊日期"),
        "reported_on": ("报告日期", "填报日期"),
        "cause": ("伤害原因", "伤害发生原因"),
        "place": ("发生地点", "伤害发生地点"),
        "activity": ("活动", "伤害发生时活动"),
        "diagnosis": ("伤害性质", "伤害性质"),
        "body_part": ("部位", "伤害部位"),
        "severity": ("严重程度", "伤害严重程度"),
        "outcome": ("结局", "伤害结局"),
        "product": ("产品分类", "涉及产品1"),
        "product_2": ("产品2", "涉及产品2"),
        "region": ("县区代码", "县区代码"),
        "narrative": ("经过", "伤害经过"),
    },
    "external_notice": {
        "record_key": ("通报编号", "通报编号"),
        "event_date": ("通报日期", "发布日期"),
        "system": ("通报系统", "通报系统"),
        "title": ("主题", "主题"),
        "notice_type": ("通报类型", "通报类型"),
        "risk_decision": ("风险判定", "风险等级"),
        "hazard": ("危害物", "危害描述"),
        "hazard_class": ("危害类别", "危害类别"),
        "product": ("产品代码", "产品代码"),
        "origin": ("原产地", "原产地代码"),
        "notices": ("通报数", "通报数"),
    },
    "indicator": {
        "record_key": ("记录编号", "记录编号"),
        "indicator": ("指标代码", "指标代码"),
        "period_type": ("周期", "统计周期"),
        "event_date": ("期末日期", "期末日期"),
        "region": ("地区代码", "地区代码"),
        "value": ("数值", "指标值"),
        "numerator": ("分子", "分子"),
        "n": ("样本量", "样本量"),
        "standard_error": ("标准误", "标准误"),
        "status": ("数据状态", "数据状态"),
        "note": ("备注", "备注"),
        "known_on": ("发布日期", "发布日期"),
    },
    "enterprise_credit": {
        "record_key": ("记录编号", "记录编号"),
        "event_date": ("评定日期", "评定日期"),
        "known_on": ("公布日期", "公布日期"),
        "enterprise": ("统一社会信用代码", "统一社会信用代码"),
        "region": ("所在地代码", "所在地代码"),
        "credit_class": ("信用等级", "信用风险等级"),
        "listed": ("列入严重违法失信名单", "列入严重违法失信名单"),
        "authority": ("评定机关", "评定机关"),
        "valid_until": ("有效期至", "有效期至"),
    },
}

# Canonical value -> word on file until the end of 2022, word since then.
WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "check_type": {
        "national": ("国家监督抽查", "国抽"),
        "provincial": ("省级监督抽查", "省抽"),
        "prefecture": ("市级监督抽查", "市抽"),
        "county": ("县级监督抽查", "县抽"),
        "special": ("专项抽查", "专项抽查"),
        "enforcement": ("执法检验", "执法抽检"),
        "recheck": ("复查", "复查"),
    },
    "selection": {
        "random": ("随机抽样", "随机"),
        "targeted": ("定向抽样", "重点抽样"),
        "follow-up": ("跟踪抽样", "跟踪"),
        "complaint-led": ("投诉举报抽样", "投诉举报"),
    },
    "channel": {
        "production": ("生产领域", "生产"),
        "distribution": ("流通领域", "流通"),
        "online": ("网络交易", "网络"),
        "catering": ("餐饮环节", "餐饮"),
    },
    "verdict": {"pass": ("合格", "合格"), "fail": ("不合格", "不合格")},
    "recheck_result": {"pass": ("合格", "复查合格"), "fail": ("不合格", "复查不合格")},
    "credit_class": {"A": ("A", "A级"), "B": ("B", "B级"), "C": ("C", "C级"), "D": ("D", "D级")},
    "items.verdict": {"fail": ("不合格", "不合格项")},
    "sex": {"male": ("男", "男性"), "female": ("女", "女性")},
    "severity": {"mild": ("轻度", "轻"), "moderate": ("中度", "中"), "severe": ("重度", "重")},
    "outcome": {
        "treated-released": ("处理后离院", "处理后离院"),
        "observed": ("观察", "留院观察"),
        "transferred": ("转院", "转院"),
        "admitted": ("住院", "住院"),
        "died": ("死亡", "死亡"),
        "left": ("自行离院", "自行离院"),
        "other": ("其他", "其他"),
    },
    "period_type": {"year": ("年", "年度"), "quarter": ("季", "季度")},
    "status": {"preliminary": ("初步", "初步数"), "final": ("最终", "最终核实数")},
}
LATER_WORDS_FROM = 2023


def _dates(column: pd.Series, year: int) -> pd.Series:
    days = column.to_numpy().astype("datetime64[D]")
    numbers, at = np.unique(days, return_inverse=True)
    texts = ["" if np.isnat(day) else str(day) for day in numbers]
    if year == 2021:
        texts = [text.replace("-", "/") for text in texts]
    elif year == 2022:
        texts = [text.replace("-", "") for text in texts]
    return pd.Series(np.array(texts, dtype=object)[at], index=column.index)


def _text(column: pd.Series, field: str, year: int) -> pd.Series:
    """Return one column as it stands on file."""
    if field in WORDS:
        words = {value: pair[year >= LATER_WORDS_FROM] for value, pair in WORDS[field].items()}
        return column.astype(object).map(words).fillna("")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _dates(column, year)
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.map({True: "是", False: "否"})
    if pd.api.types.is_float_dtype(column.dtype):
        numbers, at = np.unique(column.to_numpy(), return_inverse=True)
        return pd.Series(np.array([f"{number:g}" for number in numbers], dtype=object)[at], index=column.index)
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype(str).astype(object)
    return column.astype(object).where(column.notna(), "")


def to_native(frame: pd.DataFrame, stream: str, year: int) -> pd.DataFrame:
    """Return records as text under the headers of their year.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns; those of items are named ``items.<field>``.
    stream : str
        Stream name.
    year : int
        Year of delivery: decides headers, words and the way dates are written.
    """
    columns = {
        pair[year >= LATER_WORDS_FROM]: _text(frame[field], field, year)
        for field, pair in HEADERS[stream].items()
        if field in frame.columns
    }
    return pd.DataFrame(columns, dtype=object)
