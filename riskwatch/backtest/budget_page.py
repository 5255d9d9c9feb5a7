"""An alert budget as tables and one self-contained HTML page, in Chinese or English."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from riskwatch.backtest.ahead import rate_to_keep
from riskwatch.backtest.budget import weeks_of
from riskwatch.backtest.page import calibration_section, environment, image, reliability_section, table_section
from riskwatch.backtest.scalars import written
from riskwatch.backtest.trials import budget_rules
from riskwatch.backtest.tuned import TuneOutcome
from riskwatch.digest.render import css_string
from riskwatch.errors import RiskwatchError
from riskwatch.plots import budget_figure, calendar_figure, to_png

__all__ = ["conclusion", "expected", "render_budget", "setting_label", "write_budget"]

WORDS = {
    "zh": {
        "title": "预警预算", "internal": "内部资料", "basis": "按各日当时已知数据回放；不自动应用任何改动", "nothing": "无",
        "simulated": "模拟数据：不得用于任何实际决定", "centre": "中心", "period": "期间", "weeks": "周", "budget": "预算",
        "asked": "每周 {per_week:g} 条 {grade}", "curve": "预算与检出", "after": "此后能否守住？", "trials": "逐个回放的设置",
        "calendar": "每周预警：现行（线下）与最接近预算的设置（线上）", "changes": "得失：逐条比较", "thresholds": "门槛",
        "yes": "建议设置每周 {rate:.2f} 条（泊松区间 {low:.2f}–{high:.2f}），现行 {now:.2f} 条。"
        "其中每周 {events:.2f} 条仅由记录的事件（死亡、复检不合格等）引起，任何门槛都不改变它们。",
        "low": "预算无法满足：最严的设置每周仍有 {rate:.2f} 条（泊松区间 {low:.2f}–{high:.2f}），"
        "其中 {events:.2f} 条仅由记录的事件引起。以下为最接近的设置，不建议改动。",
        "high": "预算用不完：最宽的设置每周也只有 {rate:.2f} 条（泊松区间 {low:.2f}–{high:.2f}）。以下为最接近的设置，不建议改动。",
        "neighbours": "相邻设置：{below}；{above}。", "none_below": "没有不超预算的设置", "none_above": "没有超出预算的设置",
        "one": "{label} 每周 {rate:.2f} 条",
        "ahead": "其后 {weeks} 周若情形如本期，预计每周 {low:.2f}–{high:.2f} 条（{level:.0%}）；"
        "落在预算 ±{within:.0%} 以内的可能为 {kept:.0%}。",
        "needed": "预警条数越少，起伏越大：每周约 {needed:.1f} 条起，才有 {sure:.0%} 的把握保持在 ±{within:.0%} 以内。",
        "bend": "回放的设置中，放宽并不总是增多：关注点会合并，预警会持续更久。所选为已回放者中最接近预算的。",
        "same": "现行设置已最接近预算，无需改动。", "verify": "可调门槛清单未经核实（{source}，{dated}）",
        "lost": "{gained} 条新增，{lost} 条消失，{grades} 条等级不同，{times} 条仅日期不同（前后至少一方达到 {grade}）。",
        "failed": "部分模型在某些日未能运行",
        "note": "计数：打开时即达到、或升至该等级的预警，每次计一条；期间开始前已达到的不计。"
        "及时：早于官方行动；无官方行动的，自危害开始 {days} 天内。",
    },
    "en": {
        "title": "Alert budget", "internal": "Internal", "basis": "each day as it was known then; nothing is applied", "nothing": "None.",
        "simulated": "SIMULATED DATA: for no real decision", "centre": "Centre", "period": "Period", "weeks": "weeks", "budget": "Budget",
        "asked": "{per_week:g} warnings a week at {grade}", "curve": "Budget and what is found",
        "after": "Will it be kept?", "trials": "Settings replayed",
        "calendar": "Warnings by week: today's setting (below) and the nearest to the budget (above)",
        "changes": "Gained and lost, warning by warning", "thresholds": "Thresholds",
        "yes": "The proposed setting gives {rate:.2f} a week (Poisson interval {low:.2f} to {high:.2f}), today's {now:.2f}. "
        "Of these {events:.2f} a week rest on recorded events alone (a death, a failed recheck), which no threshold moves.",
        "low": "The budget cannot be met: the strictest setting still gives {rate:.2f} a week (Poisson interval {low:.2f} to {high:.2f}), "
        "of which {events:.2f} rest on recorded events alone. The nearest setting is shown; no change is proposed.",
        "high": "The budget cannot be used up: the loosest setting gives {rate:.2f} a week (Poisson interval {low:.2f} to {high:.2f}). "
        "The nearest setting is shown; no change is proposed.",
        "neighbours": "Neighbours: {below}; {above}.", "none_below": "no setting within the budget", "none_above": "no setting beyond it",
        "one": "{label} gives {rate:.2f} a week",
        "ahead": "In the {weeks} weeks that follow, if things stay as they were, {low:.2f} to {high:.2f} a week are to be expected "
        "({level:.0%}); within ±{within:.0%} of the budget with a chance of {kept:.0%}.",
        "needed": "Few warnings scatter much: only from about {needed:.1f} a week on is a budget kept to ±{within:.0%} "
        "with a chance of {sure:.0%}.",
        "bend": "Looser did not always give more among the settings replayed: concerns merge and warnings last longer. "
        "The nearest to the budget of those replayed is taken.",
        "same": "Today's setting is the nearest to the budget: nothing to change.",
        "verify": "The list of thresholds that may be moved is not verified ({source}, {dated})",
        "lost": "{gained} gained, {lost} lost, {grades} of another level, {times} on another day only (at {grade} before or after).",
        "failed": "Some models failed on some days",
        "note": "Counted: warnings opened at, or raised to, the level, once each time; not those that had it before the period. "
        "In time: before the official action, or, where none is known, within {days} days of the hazard's start.",
    },
}  # fmt: skip
TRIAL_HEADS = {
    "label": ("设置", "setting"), "mark": ("", ""), "warnings": ("预警", "warnings"), "per_week": ("每周", "per week"),
    "interval": ("区间", "interval"), "events_alone": ("仅事件", "events alone"), "ahead": ("其后预计", "to be expected after"),
    "kept": ("守住预算", "budget kept"), "in_time": ("及时预警的危害", "hazards in time"),
}  # fmt: skip
CHANGED = ["change", "name", "code", "place", "grade_before", "grade_after", "first_day_before", "first_day_after", "days_earlier"]


def setting_label(outcome: TuneOutcome, setting: int) -> str:
    """Return what a setting is called: its value, or the factor on today's where several move together."""
    values, now = outcome.settings[setting], outcome.settings[outcome.today]
    told = next((name for name in values if isinstance(now[name], (int, float)) and now[name]), "")
    if len(values) == 1 or not told:
        return ", ".join(written(value) for value in values.values())
    factor = float(f"{float(values[told]) / float(now[told]):.2g}")
    return f"×{written(factor).removesuffix('.0')}"


def conclusion(outcome: TuneOutcome, language: str) -> list[str]:
    """Return what came of it in sentences."""
    words, found = WORDS[language], outcome.search
    assert found is not None  # noqa: S101 - nothing is concluded of a dry run
    chosen, now = outcome.row(found.chosen), outcome.row(outcome.today)
    assert chosen is not None  # noqa: S101 - both were tried
    assert now is not None  # noqa: S101
    kind = {"yes": "yes", "too low": "low", "too high": "high"}[found.met]
    figures = {"rate": chosen["per_week"], "low": chosen["per_week_low"], "high": chosen["per_week_high"]}
    said = [words[kind].format(**figures, now=now["per_week"], events=chosen["events_alone"] / outcome.weeks)]
    sides = []
    for place, none in ((found.below, "none_below"), (found.above, "none_above")):
        row = outcome.row(place)
        sides.append(
            words[none] if row is None or place is None else words["one"].format(label=setting_label(outcome, place), rate=row["per_week"])
        )
    said.append(words["neighbours"].format(below=sides[0], above=sides[1]))
    if not found.monotone:
        said.append(words["bend"])
    if found.met == "yes" and found.chosen == outcome.today:
        said.append(words["same"])
    return said


def expected(outcome: TuneOutcome, language: str) -> list[str]:
    """Return what is to be expected of the weeks that follow and, where the budget is too small to be kept, from where on one is."""
    words, rules = WORDS[language], budget_rules(outcome.rules)
    chosen = None if outcome.search is None else outcome.row(outcome.search.chosen)
    assert chosen is not None  # noqa: S101 - nothing is expected of a dry run
    limits = {"weeks": rules.ahead_weeks, "within": rules.within, "sure": rules.sure, "level": outcome.rules.interval}
    said = [words["ahead"].format(**limits, low=chosen["ahead_low"], high=chosen["ahead_high"], kept=chosen["kept"])]
    needed = rate_to_keep(outcome.weeks, ahead=rules.ahead_weeks, dispersion=chosen["dispersion"], within=rules.within, sure=rules.sure)
    if outcome.budget.per_week < needed:
        said.append(words["needed"].format(**limits, needed=needed))
    return said


def render_budget(outcome: TuneOutcome, language: str) -> str:
    """Return the page."""
    words, which = WORDS[language], 0 if language == "zh" else 1
    rules = outcome.rules.budget
    assert outcome.before is not None  # noqa: S101 - a dry run has no page
    assert outcome.after is not None  # noqa: S101
    assert outcome.changes is not None  # noqa: S101
    assert outcome.reliability is not None  # noqa: S101
    assert rules is not None  # noqa: S101 - there is no outcome without them
    grade = outcome.budget.grade.removesuffix("+") + ("+" if outcome.budget.grade.removesuffix("+") != "I" else "")
    trials = outcome.trials.assign(
        label=[setting_label(outcome, at) for at in outcome.trials["setting"]],
        events_per_week=outcome.trials["events_alone"] / outcome.weeks,
    )
    weeks = [weeks_of(trial.rises, outcome.first, outcome.last) for trial in (outcome.after, outcome.before)]
    changed = outcome.changes
    number = changed["change"].value_counts()
    said = words["lost"].format(
        gained=int(number.get("gained", 0)), lost=int(number.get("lost", 0)), grades=int(_other_level(changed).sum()),
        times=int(len(changed) - number.get("gained", 0) - number.get("lost", 0) - _other_level(changed).sum()), grade=grade,
    )  # fmt: skip
    told = changed.assign(name=changed[f"name_{language}"], place=changed[f"place_{language}"])[CHANGED]
    figure = to_png(budget_figure(trials, outcome.budget.per_week, language=language))
    calendar = calendar_figure(weeks[0], weeks[1], language=language, names=_SIDES[language])
    joint = " " if which else ""
    sections: list[dict[str, Any]] = [
        {"title": words["curve"], "png": image(figure), "text": joint.join(conclusion(outcome, language)), "heads": [], "rows": []},
        {"title": words["after"], "png": "", "text": joint.join(expected(outcome, language)), "heads": [], "rows": []},
        {
            "title": words["thresholds"], "png": "", "text": outcome.knob_label[language], "rows": _thresholds(outcome),
            "heads": [("门槛", "threshold")[which], ("现行", "today")[which], ("最接近", "nearest")[which]],
        },
        {
            "title": words["calendar"], "png": image(to_png(calendar)),
            "text": "", "heads": [], "rows": [],
        },
        table_section(words["changes"], told, language, text=said),
        {
            "title": words["trials"], "png": "", "text": words["note"].format(days=rules.in_time_days),
            "heads": [pair[which] for pair in TRIAL_HEADS.values()], "rows": _trials(trials, which),
        },
        reliability_section(outcome.reliability, language, enough=outcome.rules.reliable_from),
    ]  # fmt: skip
    if outcome.calibration is not None and len(outcome.calibration):
        sections.append(calibration_section(outcome.calibration, language, name=lambda model: outcome.models[model][language]))
    notes = [] if rules.basis.verified else [words["verify"].format(source=rules.basis.source, dated=rules.basis.dated)]
    if outcome.failed:
        notes.append(words["failed"])
    env = environment()
    css = Markup(env.get_template("report.css.j2").render(running=css_string(words["title"])))  # noqa: S704 - escaped right there
    return env.get_template("replay.html.j2").render(
        language=language,
        css=css,
        word=lambda key: words[key],
        first=outcome.first,
        last=outcome.last,
        simulated=outcome.simulated,
        meta=[
            (words["centre"], outcome.label[language]),
            (words["budget"], words["asked"].format(per_week=outcome.budget.per_week, grade=grade)),
            (words["period"], f"{outcome.first} – {outcome.last} ({outcome.weeks:.0f} {words['weeks']})"),
        ],
        notes=notes,
        sections=sections,
    )


_SIDES = {"zh": ("现行", "最接近"), "en": ("today's", "nearest")}


def _other_level(changed: pd.DataFrame) -> pd.Series:
    both = (changed["grade_before"] != "") & (changed["grade_after"] != "")
    return both & (changed["grade_before"] != changed["grade_after"])


def _thresholds(outcome: TuneOutcome) -> list[list[dict[str, object]]]:
    assert outcome.search is not None  # noqa: S101 - a dry run has no page
    now, new = outcome.settings[outcome.today], outcome.settings[outcome.search.chosen]
    return [
        [{"text": name, "number": False}, {"text": written(now[name]), "number": True}, {"text": written(new[name]), "number": True}]
        for name in now
    ]


def _trials(trials: pd.DataFrame, which: int) -> list[list[dict[str, object]]]:
    marks = {"today": ("现行", "today"), "chosen": ("最接近", "nearest")}
    rows: list[list[dict[str, object]]] = []
    for row in trials.to_dict("records"):
        mark = ", ".join(pair[which] for name, pair in marks.items() if row[name])
        figures = [
            f"{row['warnings']:,}", f"{row['per_week']:.2f}", f"{row['per_week_low']:.2f}–{row['per_week_high']:.2f}",
            f"{row['events_alone']:,}", f"{row['ahead_low']:.2f}–{row['ahead_high']:.2f}", f"{row['kept']:.0%}",
            f"{row['in_time']} / {row['hazards']}",
        ]  # fmt: skip
        texts = [{"text": row["label"], "number": True}, {"text": mark, "number": False}]
        rows.append([*texts, *({"text": text, "number": True} for text in figures)])
    return rows


def write_budget(outcome: TuneOutcome, folder: Path, language: str) -> list[Path]:
    """Write the page, the tables and, where a change is proposed, the diff; each file appears whole or not at all."""
    assert outcome.changes is not None  # noqa: S101 - a dry run writes nothing
    values = pd.DataFrame([dict(one) for one in outcome.trials["values"]], index=outcome.trials.index)
    frames = {"trials": pd.concat([outcome.trials.drop(columns="values"), values], axis=1), "changes": outcome.changes}
    if outcome.after is not None:
        frames["warnings"] = outcome.after.rises
    for name in ("reliability", "calibration"):
        if getattr(outcome, name) is not None:
            frames[name] = getattr(outcome, name)
    texts = {f"budget.{language}.html": render_budget(outcome, language)}
    texts |= {f"budget_{name}.csv": str(frame.to_csv(index=False, lineterminator="\n")) for name, frame in frames.items()}
    if outcome.diff:
        texts["budget.diff"] = outcome.diff
    written_files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not outcome.diff:
            (folder / "budget.diff").unlink(missing_ok=True)  # of an earlier answer: it must not be taken for this one's
        for name, text in texts.items():
            part = folder / f"{name}.part"
            part.write_text(text, encoding="utf-8", newline="")
            written_files.append(part.replace(folder / name))
    except OSError as error:
        raise RiskwatchError(f"tune budget: cannot write under {folder}: {error.strerror or error}") from error
    return written_files
