"""What would change the grade: the nearest inputs, tried one by one on the grading function itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from riskwatch.assessment.grading import Inputs, decide
from riskwatch.assessment.rules import RISKS, GradingRules
from riskwatch.assessment.types import Grade
from riskwatch.records.streams import STREAMS

__all__ = ["Position", "sentences"]

SOURCE_NAMES = {stream.evidence: (stream.zh, stream.en) for stream in STREAMS.values()}


@dataclass(frozen=True, slots=True)
class Position:
    """Where the evidence stands, beyond what the grade itself reads.

    ``windows`` counts consecutive judged periods in alarm up to the newest; ``risk_low`` and ``risk_high`` are the risk under the
    sensitivity test.
    """

    best_q: float | None
    windows: int
    source_types: tuple[str, ...]
    risk_low: str
    risk_high: str
    ask_units: bool  # the probability hangs on the number of units in use, which is not known


def sentences(inputs: Inputs, position: Position, rules: GradingRules) -> tuple[dict[str, str], ...]:
    """Return sentences {zh, en}, each about one input that moves the grade from where it is; nearest first."""
    now = decide(inputs, rules).grade
    c = rules.confidence

    def name(grade: Grade, language: str) -> str:
        level = rules.levels[grade.name]  # type: ignore[index]  # levels has every grade
        text = getattr(level.label, language)
        colour = getattr(level.colour, language)
        return f"{text}（{colour}）" if language == "zh" else f"{text} ({colour})"

    said: list[dict[str, str]] = []

    def look(changed: Inputs, zh: Callable[[str], str], en: Callable[[str], str]) -> None:
        then = decide(changed, rules).grade
        if then != now:
            said.append({"zh": zh(name(then, "zh")), "en": en(name(then, "en"))})

    level = inputs.confidence
    if level in ("C0", "C1") and position.best_q is not None:
        if position.best_q < c.q_strong and position.windows < c.windows:
            look(
                replace(inputs, confidence="C2"),
                lambda to: f"若下一窗口仍报警（连续{c.windows}个窗口，q<{c.q_strong:g}），等级变为{to}。",
                lambda to: f"If the next window is in alarm too ({c.windows} in a row, q < {c.q_strong:g}), the grade becomes {to}.",
            )
        elif position.best_q >= c.q_weak:
            look(
                replace(inputs, confidence="C1"),
                lambda to: f"若 q 值由 {position.best_q:.3f} 降至 {c.q_weak:g} 以下，等级变为{to}。",
                lambda to: f"If q falls from {position.best_q:.3f} below {c.q_weak:g}, the grade becomes {to}.",
            )
        else:
            look(
                replace(inputs, confidence="C2"),
                lambda to: f"若 q 值由 {position.best_q:.3f} 降至 {c.q_strong:g} 以下并连续{c.windows}个窗口报警，等级变为{to}。",
                lambda to: (
                    f"If q falls from {position.best_q:.3f} below {c.q_strong:g}, {c.windows} windows in a row, the grade becomes {to}."
                ),
            )
    if level != "C3":
        have_zh = "、".join(SOURCE_NAMES.get(kind, (kind, kind))[0] for kind in position.source_types) or "无"
        have_en = ", ".join(SOURCE_NAMES.get(kind, (kind, kind))[1] for kind in position.source_types) or "none"
        look(
            replace(inputs, confidence="C3", weak_sources_only=False),
            lambda to: f"若第二个独立来源（现有：{have_zh}）或实验室、调查予以证实，等级变为{to}。",
            lambda to: (
                f"If a second independent source type (now: {have_en}), a laboratory or an inquiry confirms it, the grade becomes {to}."
            ),
        )
    if inputs.only_targeted:
        look(
            replace(inputs, only_targeted=False),
            lambda to: f"目前仅有靶向样品；若随机样品同样偏高，等级变为{to}。",
            lambda to: f"Only targeted samples so far; if random samples show it too, the grade becomes {to}.",
        )
    if inputs.one_firm:
        look(
            replace(inputs, one_firm=False),
            lambda to: f"目前仅涉及一家企业；若出现第二家，等级变为{to}。",
            lambda to: f"Only one firm so far; with a second one the grade becomes {to}.",
        )
    for risk, word_zh, word_en in ((position.risk_high, "十倍", "ten times larger"), (position.risk_low, "十分之一", "ten times smaller")):
        if risk != inputs.risk:
            ask_zh = "核实在用数量后" if position.ask_units else "核实伤害概率后"
            ask_en = "units in use, once known," if position.ask_units else "a better estimate"
            look(
                replace(inputs, risk=risk),
                lambda to, zh=word_zh, ask=ask_zh, r=risk: f"{ask}若伤害概率为目前取值的{zh}（风险 {r}），等级变为{to}。",  # type: ignore[misc]  # defaults bind the loop's values
                lambda to, en=word_en, ask=ask_en, r=risk: f"If {ask} put the probability {en} (risk {r}), the grade becomes {to}.",  # type: ignore[misc]  # defaults bind the loop's values
            )
    if inputs.artefacts:
        look(
            replace(inputs, artefacts=()),
            lambda to: f"若排除数据假象（{'、'.join(inputs.artefacts)}），等级变为{to}。",
            lambda to: f"If the artefact ({', '.join(inputs.artefacts)}) is ruled out, the grade becomes {to}.",
        )
    if level == "C2":
        look(
            replace(inputs, confidence="C1", rising=False),
            lambda to: f"若下一窗口不再报警，等级变为{to}。",
            lambda to: f"If the next window is not in alarm, the grade becomes {to}.",
        )
    if inputs.risk != RISKS[-1] and not inputs.floors:
        worse = RISKS[RISKS.index(inputs.risk) + 1]
        if worse not in (position.risk_high, position.risk_low):
            look(
                replace(inputs, risk=worse),
                lambda to: f"若出现更严重的伤害使风险升至 {worse}，等级变为{to}。",
                lambda to: f"If graver injuries raise the risk to {worse}, the grade becomes {to}.",
            )
    return tuple(said)
