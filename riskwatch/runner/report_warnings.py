"""Parts of the report that rest on warnings: the open ones, their changes, their measures; and the dates of the next period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from riskwatch.assessment import Action, Grade, from_payload
from riskwatch.digest import Trees
from riskwatch.digest.names import Namer
from riskwatch.lifecycle import EarlyWarning
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.report_period import following
from riskwatch.runner.report_scope import Scope

__all__ = ["calendar", "warnings"]


def warnings(scope: Scope) -> dict[str, Input | Missing]:
    """Return the warnings open at the end of the period, what changed within it, and the measures proposed."""
    store, day = scope.ctx.store, scope.day
    namer = Namer(Trees(region=scope.ctx.trees.get("region")))
    stored = [EarlyWarning.from_payload(row.payload) for row in store.read_warnings(as_of=day)]
    if not stored and store.newest_run_day("daily") is None:
        never = Missing(Text(zh="尚未运行预警流程（riskwatch run daily）", en="no run has looked for warnings yet (riskwatch run daily)"))
        return {"warnings": never, "events": never, "actions": never}
    here = [warning for warning in stored if namer.relation(warning.subject.region, scope.region)]
    live = sorted(
        (warning for warning in here if warning.live and warning.grade >= Grade.IV),
        key=lambda warning: (-warning.grade, warning.subject, warning.warning_id),
    )
    rows = [_row(warning) for warning in live]
    frame = pd.DataFrame(rows, columns=list(COLUMNS["warnings"]))
    for name in ("first_seen", "last_changed", "period_start", "period_end"):
        frame[name] = pd.to_datetime(frame[name])
    for name in ("observed", "exposure", "expected", "lower", "upper", "persons"):
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    ids = {warning.warning_id for warning in here}
    events = [event.payload for event in store.read_events(since=scope.period.first, until=day) if event.warning_id in ids]
    changes = pd.DataFrame(
        [(one["warning_id"], one["as_of"], one["kind"], one["grade_before"], one["grade_after"]) for one in events],
        columns=list(COLUMNS["events"]),
    )
    measures = pd.DataFrame(
        [_measure(warning_id, action) for warning_id, actions in sorted(_actions(scope, live).items()) for action in actions],
        columns=list(COLUMNS["actions"]),
    )
    measures["due_on"] = pd.to_datetime(measures["due_on"])
    filters = {"region": scope.region or "all", "state": "not recovered", "day": day.isoformat()}
    methods = {
        "warnings": (
            "riskwatch.lifecycle",
            "期末在控预警（级别为建议）",
            "warnings open at the end of the period (levels are proposals)",
            frame,
        ),
        "events": ("riskwatch.lifecycle", "本期内预警变动", "changes of warnings within the period", changes),
        "actions": (
            "riskwatch.assessment.actions",
            "按处置规则对在控预警提出的措施",
            "measures proposed for open warnings by the rules of handling",
            measures,
        ),
    }
    return {
        name: Input(
            content,
            Origin(
                room=room,
                method=Text(zh=zh, en=en),
                stream="warnings",
                records=len(content),
                filters=filters,
                first=scope.period.first,
                last=day,
            ),
        )
        for name, (room, zh, en, content) in methods.items()
    }


def _row(warning: EarlyWarning) -> tuple[Any, ...]:
    lead = warning.summary.get("lead") or {}
    exposure = lead.get("exposure")
    return (
        warning.warning_id,
        warning.grade.name,
        warning.state,
        warning.scope.value,
        warning.subject.kind,
        warning.subject.code,
        warning.subject.region,
        warning.hazard,
        warning.first_seen,
        warning.last_changed,
        lead.get("observed"),
        exposure,
        lead.get("expected"),
        lead.get("lower"),
        lead.get("upper"),
        lead.get("model", ""),
        lead.get("stratum", ""),
        lead.get("period_start"),
        lead.get("period_end"),
        lead.get("observed") if lead and exposure is None else None,
    )


def _actions(scope: Scope, live: Sequence[EarlyWarning]) -> dict[str, Sequence[Action]]:
    """Return the measures proposed when each warning last changed: their due dates stand and do not slide."""
    found: dict[str, Sequence[Action]] = {}
    for day in sorted({warning.last_changed for warning in live}):
        stored: dict[tuple[str, ...], Sequence[Action]] = {}
        for row in scope.ctx.store.read_assessments(as_of=day):
            assessment = from_payload(row.payload)
            subject = assessment.subject
            stored[subject.kind, subject.code, subject.region] = assessment.actions
            # The place of a warning may have widened since: then any assessment of its subject on that day will do.
            stored.setdefault((subject.kind, subject.code), assessment.actions)
        for warning in live:
            subject = warning.subject
            if warning.last_changed == day:
                exact = (subject.kind, subject.code, subject.region)
                found[warning.warning_id] = stored.get(exact, stored.get(exact[:2], ()))
    return found


def _measure(warning_id: str, action: Action) -> tuple[Any, ...]:
    basis = action.legal_basis[0] if action.legal_basis else None
    law = _words(basis.get("law")) if basis else ("", "")
    article = str(basis.get("article") or "") if basis else ""
    zh, en = (f"{law[0]} 第{article}条", f"{law[1]} {article}") if article else law
    verified = all(bool(one.get("verified")) for one in action.legal_basis)
    return (
        warning_id,
        action.object,
        action.stage,
        action.measure["zh"],
        action.measure["en"],
        action.owner["zh"],
        action.owner["en"],
        action.due_on,
        zh,
        en,
        verified,
    )


def _words(value: object) -> tuple[str, str]:
    return (str(value.get("zh", "")), str(value.get("en", ""))) if isinstance(value, dict) else (str(value or ""), str(value or ""))


def calendar(scope: Scope) -> dict[str, Input | Missing]:
    """Return the public holidays and the Spring Festival of the next period."""
    after = following(scope.period)
    content = scope.ctx.definitions.catalogue("holidays")
    rows: list[tuple[dt.date, str, str, str]] = []
    for entry in content.get("holidays") or ():
        day = entry["date"] if isinstance(entry["date"], dt.date) else dt.date.fromisoformat(str(entry["date"]))
        name = entry.get("name")
        zh, en = _words(name)
        # Days off in exchange or in lieu belong to a holiday that is named already.
        if zh and not zh.endswith(("调休", "补休")) and after.first <= day <= after.last:
            rows.append((day, "holiday", zh, en))
    rows = sorted({(zh, en): (day, kind, zh, en) for day, kind, zh, en in sorted(rows, reverse=True)}.values())
    for year, start in sorted((content.get("spring_festival") or {}).items()):
        day = start if isinstance(start, dt.date) else dt.date.fromisoformat(str(start))
        if after.first <= day <= after.last and int(year) == day.year:
            rows.append(
                (
                    day,
                    "season",
                    "春节（农历正月初一）前后抽样与就诊减少，数字须对照农历同期",
                    "Spring Festival: less sampling and fewer visits; compare with the same lunar weeks",
                )
            )
    if not rows:
        return {"outlook": Missing(Text(zh="节假日表中没有下期的日期", en="the calendar of holidays has no date in the next period"))}
    frame = pd.DataFrame(sorted(rows), columns=["date", "kind", "name_zh", "name_en"])
    frame["date"] = pd.to_datetime(frame["date"])
    origin = Origin(
        room="riskwatch.runner.report_warnings.calendar",
        method=Text(zh="config/holidays.yaml 中下期的日期", en="dates of the next period in config/holidays.yaml"),
        stream="holidays",
        records=len(frame),
        first=after.first,
        last=after.last,
    )
    return {"outlook": Input(frame, origin)}
