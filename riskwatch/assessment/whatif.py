"""What would change the grade: the nearest inputs, tried one by one on the grading function itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from riskwatch.assessment.grading import Inputs, decide
from riskwatch.assessment.nearest import Nearest
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.types import Grade
from riskwatch.records.streams import STREAMS

__all__ = ["Position", "level_name", "sentences"]

# Input -> its name in Chinese and English.
INPUTS = {
    "q": ("最小 q 值", "the smallest q-value"),
    "windows": ("连续报警窗口数", "the number of windows in alarm in a row"),
    "severity": ("伤害严重程度", "the severity of the injuries"),
    "units": ("在用数量", "the number of units in use"),
    "targeted": ("不合格样品中靶向样品的比例", "the share of targeted samples among the failures"),
    "producers": ("不合格企业数", "the number of producers that fail"),
    "prefectures": ("波及的市（州）数", "the number of prefectures touched"),
}
# Where units in use are unknown, and where they are known.
PROBABILITY = (("核实在用数量后的伤害概率", "the probability of injury, with units in use known,"), ("伤害概率", "the probability of harm"))
_ONE_IN = 0.01  # below this a probability reads better as one in so many
SOURCE_NAMES = {stream.evidence: (stream.zh, stream.en) for stream in STREAMS.values()}


@dataclass(frozen=True, slots=True)
class Position:
    """Where the evidence stands, beyond what the grade itself reads; ``windows`` counts consecutive judged periods up to the newest."""

    best_q: float | None
    windows: int
    source_types: tuple[str, ...]
    ask_units: bool  # the probability hangs on the number of units in use, which is not known


def level_name(rules: GradingRules, grade: Grade, language: str) -> str:
    """Return the label and colour of a level in "zh" or "en"."""
    level = rules.levels[grade.name]  # type: ignore[index]  # levels has every grade
    text = getattr(level.label, language)
    colour = getattr(level.colour, language)
    return f"{text}（{colour}）" if language == "zh" else f"{text} ({colour})"


def sentences(inputs: Inputs, position: Position, rules: GradingRules, nearest: Sequence[Nearest] = ()) -> tuple[dict[str, str], ...]:
    """Return sentences {zh, en}, each about one input that moves the grade from where it is.

    First what a further window, another source or a verification would do, then the inputs of ``nearest``, nearest first.
    """
    now = decide(inputs, rules).grade
    c = rules.confidence

    def name(grade: Grade, language: str) -> str:
        return level_name(rules, grade, language)

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
            replace(inputs, confidence="C3", weak_sources_only=False, outside_only=False),
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
    # The probability is the least known of all: what would move it comes before what is less likely to change.
    said += [
        _moved(change, name, ask_units=position.ask_units, decisive=c.q_decisive) for change in nearest if change.input == "probability"
    ]
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
    # What leads up by q or windows was said above in words.
    others = [one for one in nearest if one.input != "probability" and not (one.input in ("q", "windows") and one.grade > now)]
    said += [_moved(change, name, ask_units=position.ask_units, decisive=c.q_decisive) for change in others]
    return tuple(said)


def _moved(change: Nearest, name: Callable[[Grade, str], str], *, ask_units: bool, decisive: float) -> dict[str, str]:
    if change.input == "q" and max(change.before, change.after) < decisive:
        # Not the smallest q meets a threshold, but that of a weaker signal on which the confidence hangs: all move by one factor.
        factor = f"{change.after / change.before:.2g}"
        return {
            "zh": f"若各信号的 q 值均为现值的 {factor} 倍，等级变为{name(change.grade, 'zh')}。",
            "en": f"If the q-values of all signals were {factor} times as large, the grade becomes {name(change.grade, 'en')}.",
        }
    zh, en = PROBABILITY[0 if ask_units else 1] if change.input == "probability" else INPUTS[change.input]
    before, after = _figure(change, change.before), _figure(change, change.after)
    if change.input in ("q", "probability", "units", "targeted"):
        # A threshold on a continuous scale: bounds are strict, so the figure itself is not reached.
        up = change.after > change.before
        moved_zh, moved_en = (f"升至 {after} 以上", f"rose above {after}") if up else (f"降至 {after} 以下", f"fell below {after}")
    else:
        moved_zh, moved_en = f"变为 {after}", f"became {after}"
    return {
        "zh": f"若{zh}由 {before} {moved_zh}，等级变为{name(change.grade, 'zh')}。",
        "en": f"If {en} {moved_en} (now {before}), the grade becomes {name(change.grade, 'en')}.",
    }


def _figure(change: Nearest, value: float) -> str:
    if change.input == "targeted":
        return f"{value:.1%}"
    if change.input == "units":
        return f"{value:,.0f}"
    if change.input == "probability" and value < _ONE_IN:
        return f"1/{float(f'{1 / value:.2g}'):,.0f}"
    return f"{value:.2g}" if change.input in ("q", "probability") else f"{value:g}"
