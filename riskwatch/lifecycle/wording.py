"""Reasons for changes of warnings, in zh and en."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.types import Subject

__all__ = ["absent", "clear", "handed", "held", "joined", "lowered", "resumed", "silent", "spread", "taken"]

Text = dict[str, str]
Label = tuple[str, str]  # zh, en
NAMED = 3


def named(subject: Subject, paths: Mapping[str, TreePaths]) -> Label:
    """Return what a warning is about with its place."""
    found = []
    for language, whole, form in (("zh", "全域", "{}（{}）"), ("en", "the whole area", "{} ({})")):
        name = paths[subject.kind].name(subject.code, language)
        place = paths["region"].name(subject.region, language) if subject.region else whole
        found.append(place if subject.kind == "region" else form.format(name, place))
    return found[0], found[1]


def joined(texts: Sequence[Text]) -> Text:
    """Return several sentences as one text."""
    return {"zh": "".join(one["zh"] for one in texts), "en": " ".join(one["en"] for one in texts)}


def handed(subject: Subject, warning_id: str, paths: Mapping[str, TreePaths], *, down: bool) -> Text:
    """Return why a warning no longer speaks for itself; ``down``: what is left of it is one of its parts."""
    zh, en = named(subject, paths)
    if down:
        return {
            "zh": f"现仅余{zh}，由预警 {warning_id} 接续；历史与时限照旧。",
            "en": f"Only {en} is left of it: handed to warning {warning_id}; history and deadlines stand.",
        }
    return {
        "zh": f"同一批信号由{zh}一并说明，并入预警 {warning_id}；历史与时限照旧。",
        "en": f"{en} explains the same alarms: handed over to warning {warning_id}; history and deadlines stand.",
    }


def taken(subjects: Sequence[Subject], since: dt.date, paths: Mapping[str, TreePaths]) -> Text:
    """Return whose place a warning takes, and since when the concern is known."""
    names = [named(subject, paths) for subject in subjects]
    more = len(names) - NAMED
    zh = "、".join(one for one, _ in names[:NAMED]) + (f"等 {len(names)} 条" if more > 0 else "")
    en = ", ".join(one for _, one in names[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return {
        "zh": f"接续{zh}的预警（自 {since} 起已知），原有时限照旧。",
        "en": f"Takes over from {en} (known since {since}); their deadlines stand.",
    }


def resumed(subject: Subject | None, paths: Mapping[str, TreePaths]) -> Text:
    """Return why a warning speaks for itself again."""
    if subject is None:
        return {"zh": "恢复单独列示。", "en": "Stands by itself again."}
    zh, en = named(subject, paths)
    return {"zh": f"{zh}不再代为说明，恢复单独列示。", "en": f"{en} no longer explains it: it stands by itself again."}


def held(label: Label, *, windows: int, needed: int, share: float, sure: float) -> Text:
    """Return why a level does not fall yet."""
    return {
        "zh": f"本次评估为{label[0]}，已有 {windows} 个已判定窗口偏低（需 {needed} 个；较低等级把握 {share:.0%}，"
        f"需 {sure:.0%}），等级暂不下调。",
        "en": f"Assessed at {label[1]} this time; {windows} judged window(s) lower of {needed} needed (lower levels {share:.0%} "
        f"probable, {sure:.0%} needed): the level is held.",
    }


def held_by_events(label: Label) -> Text:
    """Return why a level does not fall on a day that brings another grave event."""
    return {
        "zh": f"本次评估为{label[0]}，但当日又有重大事件，等级暂不下调。",
        "en": f"Assessed at {label[1]} this time, but another grave event has come in: the level is held.",
    }


def lowered(before: Label, after: Label, *, floor: bool, share: float, sure: float, windows: int) -> Text:
    """Return the reason for a lower level: how it came to be believed."""
    if floor:
        why = ("此前依据的事件已不在回溯期内", "the event behind it has left the look-back")
    elif share >= sure:
        why = (f"较低等级的把握为 {share:.0%}", f"lower levels are {share:.0%} probable")
    else:
        why = (f"连续 {windows} 个已判定窗口偏低", f"lower in {windows} judged windows in a row")
    return {
        "zh": f"建议等级由{before[0]}降为{after[0]}：{why[0]}。",
        "en": f"Proposed level lowered from {before[1]} to {after[1]}: {why[1]}.",
    }


def spread(was: str, now: str, regions: TreePaths) -> Text:
    """Return that a concern reaches further."""
    return {
        "zh": f"范围由{regions.name(was, 'zh')}扩大到{regions.name(now, 'zh') or '全域'}。",
        "en": f"Spread from {regions.name(was, 'en')} to {regions.name(now, 'en') or 'the whole area'}.",
    }


def silent(share: float) -> Text:
    """Return why silence does not count towards recovery."""
    return {
        "zh": f"所在地区平时 {share:.0%} 的记录来自目前无数据的医院或机构：不计入恢复。",
        "en": f"Reporters that usually bring {share:.0%} of the area's records are silent: this does not count towards recovery.",
    }


def clear(number: int, *, windows: bool) -> Text:
    """Return that a concern is over: after so many judged windows, or days."""
    if windows:
        return {
            "zh": f"连续 {number} 个已判定窗口未再出现，恢复正常。",
            "en": f"Absent for {number} judged windows in a row: recovered.",
        }
    return {"zh": f"已 {number} 天没有新的严重事件，恢复正常。", "en": f"No grave event for {number} days: recovered."}


def absent(needed: int, *, windows: bool) -> Text:
    """Return that a concern was not there this time."""
    unit_zh, unit_en = ("个已判定窗口", "judged windows") if windows else ("天", "days")
    return {
        "zh": f"本次未再出现，正在冷却；{needed} {unit_zh}后恢复。",
        "en": f"Not there this time, cooling; recovers after {needed} {unit_en}.",
    }
