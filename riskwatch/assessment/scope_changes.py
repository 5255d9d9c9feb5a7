"""What would change how far a concern is said to reach: what is found out about its suppliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from riskwatch.assessment.situation import Move, Situation
from riskwatch.assessment.suppliers import SupplierFigures, Verdict
from riskwatch.assessment.types import Grade, Scope

__all__ = ["scope_sentences"]

SCOPES = {
    Scope.ISOLATED: ("个案", "isolated"),
    Scope.REGIONAL: ("区域性", "regional"),
    Scope.INDUSTRY_WIDE: ("行业性", "industry-wide"),
    Scope.SYSTEMIC: ("系统性", "systemic"),
}
FOUND = {
    "shared": ("若查明多家企业的不合格品出自同一供应商", "If one supplier were found behind the failures of several firms"),
    "none": ("若查明不合格品并非出自同一供应商", "If the failures were found to have no supplier in common"),
}


def scope_sentences(situation: Situation, name: Callable[[Grade, str], str]) -> tuple[dict[str, str], ...]:
    """Return sentences {zh, en} on what the suppliers could change: the scope, and the grade where it follows.

    Parameters
    ----------
    situation : Situation
    name : callable
        Level and language ("zh", "en") to its name.
    """
    suppliers = situation.figures.suppliers
    if suppliers is None:
        return ()
    now = situation.grade()
    said = []
    for verdict, (zh, en) in FOUND.items():
        move = Move(supplier=cast("Verdict", verdict))
        scope = situation.scope_after(move)
        if verdict == suppliers.verdict or scope == situation.scope:
            continue
        then = situation.grade(move)
        more_zh, more_en = (f"，等级变为{name(then, 'zh')}", f", the grade {name(then, 'en')}") if then != now else ("", "")
        known_zh, known_en = _known(suppliers)
        said.append(
            {
                "zh": f"{zh}（现：{known_zh}），范围变为{SCOPES[scope][0]}{more_zh}。",
                "en": f"{en} (now: {known_en}), the scope becomes {SCOPES[scope][1]}{more_en}.",
            }
        )
    return tuple(said)


def _known(one: SupplierFigures) -> tuple[str, str]:
    if not one.known:
        return f"{one.failed} 个不合格样品均未载明供应商", f"none of {one.failed} failed samples names one"
    firms = "firm" if one.producers == 1 else "firms"
    return (
        f"载明供应商的 {one.known} 个不合格样品中 {one.same} 个出自同一供应商，涉及 {one.producers} 家企业",
        f"{one.same} of {one.known} failed samples with a known supplier name the same one; {one.producers} {firms}",
    )
