"""What notices from outside add to a concern: how far they move the odds of its alarms, and whether the good is here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.assessment.context import Case, Run
from riskwatch.assessment.hazards import UNKNOWN
from riskwatch.assessment.rules import HazardCatalogue
from riskwatch.assessment.types import Step
from riskwatch.outside.goods import Met, met
from riskwatch.outside.weight import Outside, Weight, weigh

__all__ = ["OWN", "RULE", "Heard", "facts_of", "hear", "outside_step", "ratios"]

RULE = "confidence.outside-signal"
OWN = "external"
"""Source type of notices: an alarm of notices is not strengthened by the same notices."""

_PRESENCE = {
    "here": (
        "本地近{years}年抽检、查验和伤害记录 {sold} 条、本地生产 {made} 条",
        "met here in {sold} records of {years} years, {made} as made here",
    ),
    "not-met": ("本地近{years}年 {looked_at} 条记录中未见该产品", "not met here in {looked_at} records of {years} years"),
    "unknown": (
        "本地是否生产销售不详（近{years}年仅 {looked_at} 条记录）",
        "not known to be made or sold here (only {looked_at} records in {years} years)",
    ),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """Notices about a concern, and whether its good is here."""

    weight: Weight
    met: Met


def _tie(catalogue: HazardCatalogue) -> Callable[[str, str], str]:
    def tie(one: str, other: str) -> str:
        if UNKNOWN in (one, other):
            return "unknown"
        if one == other:
            return "same"
        akin = other in catalogue.classes[one].akin or one in catalogue.classes[other].akin
        return "akin" if akin else "differs"

    return tie


def hear(run: Run, case: Case) -> Heard | None:
    """Return what notices say of a concern about a product; None for other subjects and where nothing is told from outside.

    Where the concern is about goods of a notice system's own list, the goods here are those to which its notices were matched.
    """
    outside = run.outside
    if outside is None or case.subject.kind != "product" or (outside.notices.empty and OWN not in case.types):
        return None
    within, place = run.paths["product"].within, run.paths["region"].within
    code, region = case.subject.code, case.subject.region
    country = run.paths["region"].path(region)[:1]
    own = {name: within(str(name), code) for name in outside.notices["own"].unique()}
    codes = sorted({code, *outside.notices.loc[outside.notices["own"].map(own).astype(bool), "product"]})
    found = met(outside.goods, codes, region, product=within, place=place, rules=outside.rules.local)
    weight = weigh(
        outside.notices,
        product=code,
        hazard=case.hazard,
        as_of=run.as_of,
        presence=found.presence,
        within=within,
        tie=_tie(run.classifier.catalogue),
        home=lambda origin: bool(origin and country) and place(origin, country[0]),
        rules=outside.rules.weights,
    )
    return Heard(weight, found) if weight.terms or OWN in case.types else None


def ratios(heard: Heard | None, kinds: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return the likelihood ratio for evidence of each source type, shape (series-periods,)."""
    ratio = heard.weight.ratio if heard is not None else 1.0
    return np.array([1.0 if kind == OWN else ratio for kind in kinds], dtype=np.float64)


def outside_step(heard: Heard | None, before: str, after: str) -> tuple[Step, ...]:
    """Return the step that says what the notices did to the confidence; none where nothing was heard."""
    if heard is None:
        return ()
    terms = {
        term.system: {
            "notices": term.notices,
            "made_here": term.made_here,
            "newest": term.newest.isoformat(),
            "stated": term.stated,
            "share": round(term.share, 3),
            "ratio": round(term.ratio, 3),
        }
        for term in heard.weight.terms
    }
    inputs: dict[str, object] = {**terms, "ratio": round(heard.weight.ratio, 3), "capped": heard.weight.capped, **asdict(heard.met)}
    return (Step(RULE, inputs, f"{before} to {after}" if before != after else "no effect"),)


def facts_of(heard: Heard | None, outside: Outside | None, before: str, after: str) -> dict[str, object]:
    """Return the figures and the line for the reader, JSON-able; nothing where nothing was heard."""
    if heard is None or outside is None:
        return {}
    rules, weight = outside.rules.weights, heard.weight
    figures = asdict(heard.met)
    zh, en = (text.format(**figures) for text in _PRESENCE[heard.met.presence])
    terms = [{**asdict(term), "newest": term.newest.isoformat()} for term in weight.terms]
    if weight.terms:
        told_zh = "、".join(
            f"{t.system} {t.notices} 起（本国产 {t.made_here}，最近 {t.newest.isoformat()}，权重 {t.stated:g} 计 {t.share:.0%}）"
            for t in weight.terms
        )
        told_en = ", ".join(
            f"{t.system} {t.notices} ({t.made_here} of goods from this country, newest {t.newest.isoformat()};"
            f" weight {t.stated:g} at {t.share:.0%})"
            for t in weight.terms
        )
        basis_zh, basis_en = ("", "") if rules.basis.verified else ("，权重未经验证", ", weights not verified")
        moved = f"{before}→{after}" if before != after else after
        zh = f"同类产品和危害的外部通报：{told_zh}；{zh}；似然比 {weight.ratio:.2f}（上限 {rules.cap:g}{basis_zh}）；可信度 {moved}。"
        en = (
            f"Notices elsewhere on this product and hazard: {told_en}; {en};"
            f" likelihood ratio {weight.ratio:.2f} (at most {rules.cap:g}{basis_en}); confidence {moved}."
        )
    else:
        zh, en = f"依据境外通报；{zh}。", f"Rests on notices from elsewhere; the good: {en}."
    return {
        "outside": {
            "ratio": weight.ratio,
            "capped": weight.capped,
            "terms": terms,
            "goods": figures,
            "verified": rules.basis.verified,
            "confidence_before": before,
            "text": {"zh": zh, "en": en},
        }
    }
