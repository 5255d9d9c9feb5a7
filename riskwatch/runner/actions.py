"""What should be done about a stored warning, and why: measures, clocks, ladders, emergency response. From the store."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskwatch.assessment.actions import Desk, Wanted, clocks_for, measures_for, owner_of
from riskwatch.assessment.duedates import HOW, count
from riskwatch.assessment.emergency_rules import EmergencyRules
from riskwatch.assessment.ladder_rules import LadderCatalogue
from riskwatch.assessment.ladders import case_positions, step_counts, verdict, with_clocks
from riskwatch.assessment.measures import ActionRule, Deadline, StatutoryClock
from riskwatch.assessment.payload import from_payload
from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.types import Assessment
from riskwatch.errors import ProjectError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.lifecycle.reading import speaks_for
from riskwatch.records.streams import STREAMS
from riskwatch.runner.context import RunContext
from riskwatch.runner.enterprises import RECORD_COLUMNS, enterprise_rules

__all__ = [
    "ActionStory",
    "cases_of_warnings",
    "catalogue_rows",
    "desk_of",
    "emergency_rules",
    "explain_actions",
    "ladder_catalogue",
    "orders_on_record",
]

UNITS = {"natural-day": ("个自然日", "natural day(s)"), "working-day": ("个工作日", "working day(s)"), "hour": ("小时", "hour(s)")}
VERDICTS = {
    "escalates": ("建议升级处置", "escalation proposed"),
    "closes": ("全部复查合格，建议销号", "all passed, closing proposed"),
    "open": ("在办", "open"),
    "none": ("无相关责令改正记录", "no order on record"),
}


def emergency_rules(ctx: RunContext) -> EmergencyRules | None:
    """Return ``config/emergency.yaml``; None if the project has none."""
    content = ctx.definitions.catalogue("emergency")
    return EmergencyRules.model_validate(content) if content else None


def ladder_catalogue(ctx: RunContext) -> LadderCatalogue | None:
    """Return ``config/ladders.yaml`` with the terms of ``config/enterprises.yaml``; None if the project has none."""
    content = ctx.definitions.catalogue("ladders")
    return with_clocks(LadderCatalogue.model_validate(content), enterprise_rules(ctx).clocks) if content else None


def desk_of(ctx: RunContext) -> Desk:
    """Return what measures are chosen with."""
    region, product, industry = (TreePaths(tree_of(ctx.trees, name)) for name in ("region", "product", "industry"))
    return Desk(ctx.actions, region, ctx.holidays, product, industry)


def _warning(ctx: RunContext, start: str) -> EarlyWarning:
    rows = ctx.store.read_warnings(as_of=ctx.as_of)
    found = [row for row in rows if row.warning_id.startswith(start)]
    if len(found) == 1:
        return EarlyWarning.from_payload(found[0].payload)
    names = [row.warning_id for row in (found or rows)]
    near = names[:5] if found else difflib.get_close_matches(start, names, n=3, cutoff=0.3)
    some = f"; near: {', '.join(near)}" if near else ""
    raise ProjectError(
        f'actions explain: {len(found)} warnings known on {ctx.as_of} start with "{start}"{some}', hint="riskwatch warnings list --all"
    )


def _takers(ctx: RunContext, warning: EarlyWarning) -> list[EarlyWarning]:
    """Return who speaks for an absorbed warning, and who speaks for that one if it was absorbed in turn, the nearest first."""
    known = {row.warning_id: row for row in ctx.store.read_warnings(as_of=ctx.as_of)} if warning.covered_by else {}
    found: list[EarlyWarning] = []
    number = warning.covered_by
    while number in known and number not in {warning.warning_id, *(one.warning_id for one in found)}:
        found.append(EarlyWarning.from_payload(known[number].payload))
        number = found[-1].covered_by
    return found


def _assessment(ctx: RunContext, warning: EarlyWarning, takers: Sequence[EarlyWarning]) -> Assessment:
    """Return the newest assessment of the warning's subject, the one of its own place first; else of who speaks for it."""
    subject = warning.subject
    stored = [from_payload(row.payload) for row in ctx.store.read_assessments(as_of=warning.last_seen)]
    found: list[Assessment] = []
    for who in (warning, *takers):
        found = found or [one for one in stored if (one.subject.kind, one.subject.code) == (who.subject.kind, who.subject.code)]
    if not found:  # a product whose category, below warning level, spoke for it that day
        found = [
            one
            for one in stored
            if any(getattr(e, subject.kind) == subject.code for e in one.evidence) or subject.code in {s.code for s in speaks_for(one)}
        ]
    if not found:
        raise ProjectError(f"warning {warning.warning_id}: no assessment of {warning.last_seen} is stored", hint="run that day again")
    return min(found, key=lambda one: (one.subject.region != subject.region, -one.grade, one.subject))


def _clock(deadline: Deadline, start: dt.date, desk: Desk) -> dict[str, Any] | None:
    if deadline.amount is None:
        return None
    known = deadline.starts in desk.catalogue.proposed_events
    counted = count(start, deadline.amount, deadline.unit, desk.calendar) if known else None
    return {
        **deadline.model_dump(),
        "start_event": desk.catalogue.starts[deadline.starts].model_dump(),
        "started_on": start.isoformat() if known else None,
        "due_on": None if counted is None else counted.due_on.isoformat(),
        "how": "" if counted is None else counted.how,
        "holidays_skipped": [] if counted is None else [day.isoformat() for day in counted.holidays],
        "weekends_worked": [] if counted is None else [day.isoformat() for day in counted.worked],
    }


def _why(rule: ActionRule, wanted: Wanted) -> dict[str, str]:
    zh, en = [f"{rule.grade} 级 × {rule.object} × {rule.stage}"], [f"grade {rule.grade} x {rule.object} x {rule.stage}"]
    for values, name_zh, name_en in (
        (sorted(set(rule.source_types) & wanted.source_types), "证据类型", "evidence"),
        (rule.domains, "适用领域", "law of"),
        (rule.scopes, "影响范围", "scope"),
    ):
        if values:
            zh.append(f"{name_zh} {'、'.join(values)}")
            en.append(f"{name_en} {', '.join(values)}")
    return {"zh": "；".join(zh), "en": "; ".join(en)}


def _entry(rule: ActionRule | StatutoryClock, wanted: Wanted, start: dt.date, desk: Desk) -> dict[str, Any]:
    bodies = desk.bodies_of(wanted)
    text = rule.measure if isinstance(rule, ActionRule) else rule.duty
    laws = [(key, desk.catalogue.legal_basis[key]) for key in rule.legal]
    return {
        "rule": rule.id,
        "object": rule.object,
        "stage": rule.stage,
        "measure": text.model_dump(),
        "owner": owner_of(rule.owner, wanted.subject.region, desk),
        "clock": _clock(rule.deadline, start, desk),
        "legal_basis": [{"key": key, **law.model_dump(mode="json")} for key, law in laws if desk.applies(law.domains, bodies)],
        "why": _why(rule, wanted) if isinstance(rule, ActionRule) else None,
        "force": rule.force if isinstance(rule, ActionRule) else None,
    }


def orders_on_record(ctx: RunContext, catalogue: LadderCatalogue, since: dt.date | None = None) -> pd.DataFrame:
    """Return the terms of orders that are not older than the ladders look back; ``since``: spot checks before are not read."""
    from riskwatch.enterprises import terms  # noqa: PLC0415 - only where ladders are asked for

    records = ctx.store.read_records("spot_check", RECORD_COLUMNS, as_of=ctx.as_of, since=since)
    frame = terms(records, enterprise_rules(ctx).clocks, as_of=ctx.as_of)
    oldest = pd.Timestamp(ctx.as_of - dt.timedelta(days=catalogue.case_days))
    recent = frame.loc[(frame["term"] == "recheck") & (frame["started_on"] >= oldest), "order_key"]
    return frame[frame["order_key"].isin(set(recent))]


def _cases(ctx: RunContext, warning: EarlyWarning, frame: pd.DataFrame, catalogue: LadderCatalogue, desk: Desk) -> list[dict[str, Any]]:
    """Return each ladder for the warning's goods, with the number of its cases by step; no codes of enterprises."""
    subject, regions = warning.subject, desk.regions
    found = []
    for name in catalogue.for_domain(desk.bodies(subject).goods):
        ladder = catalogue.ladders[name]
        mine = frame[[regions.within(code, subject.region) for code in frame["region"]]] if len(frame) else frame
        if subject.kind == "product" and desk.products is not None and len(mine):
            mine = mine[[desk.products.within(code, subject.code) for code in mine["product"]]]
        if warning.summary.get("cases_only") and len(mine):
            # A list of cases answers for those it lists; the other orders of the category are their own products' matter.
            listed = {(one["code"], one["region"]) for one in warning.summary["events"]}
            mine = mine[[pair in listed for pair in zip(mine["product"], mine["region"], strict=True)]]
        usable = ladder.from_records and subject.kind == "product"
        cases = case_positions(mine if usable else mine.iloc[:0], ladder, as_of=ctx.as_of, order=catalogue.events, calendar=ctx.holidays)
        # What was closed before the warning began says nothing about it.
        cases = cases[(cases["result"] != "closes") | (cases["entered_on"] >= pd.Timestamp(warning.first_seen))]
        counts = step_counts(cases)
        due = cases.loc[~cases["overdue"], "due_on"].min()
        found.append(
            {
                "ladder": name,
                "label": ladder.label.model_dump(),
                "verdict": verdict(cases) if len(cases) else "none",
                "overdue": int(cases["overdue"].sum()),
                "next_due": None if pd.isna(due) else due.date().isoformat(),
                "steps": [
                    {
                        "step": key,
                        "label": step.label.model_dump(),
                        "cases": counts.get(key, 0),
                        "result": step.result,
                        "next": [
                            {"event": catalogue.events[event].model_dump(), "step": ladder.steps[to].label.model_dump()}
                            for event, to in step.on.items()
                        ],
                    }
                    for key, step in ladder.steps.items()
                ],
            }
        )
    return found


def cases_of_warnings(ctx: RunContext) -> list[dict[str, Any]]:
    """Return, for every open warning about a product, what its cases mean for it. Counts only.

    Raises
    ------
    ProjectError
        If the project has no ``config/ladders.yaml``.
    """
    catalogue = ladder_catalogue(ctx)
    if catalogue is None:
        raise ProjectError("the project has no config/ladders.yaml", hint="`riskwatch init DIR` writes one to copy from")
    frame, desk = orders_on_record(ctx, catalogue), desk_of(ctx)
    rows = []
    for stored in ctx.store.read_warnings(as_of=ctx.as_of):
        warning = EarlyWarning.from_payload(stored.payload)
        if warning.state == "recovered" or warning.subject.kind != "product":
            continue
        for one in _cases(ctx, warning, frame, catalogue, desk):
            steps = {step["step"]: step["cases"] for step in one["steps"] if step["cases"]}
            if steps:
                head = {"warning_id": warning.warning_id, "grade": warning.grade.name, "product": warning.subject.code}
                rows.append(
                    {
                        **head,
                        "covered_by": warning.covered_by,
                        "ladder": one["ladder"],
                        "verdict": one["verdict"],
                        "overdue": one["overdue"],
                        "next_due": one["next_due"],
                        "steps": steps,
                    }
                )
    return rows


def explain_actions(ctx: RunContext, warning_id: str) -> ActionStory:
    """Return what is proposed for the warning whose id is, or starts with, ``warning_id``, and why.

    Raises
    ------
    ProjectError
        If no warning, or more than one, starts so; near ids are named.
    """
    warning = _warning(ctx, warning_id)
    takers = _takers(ctx, warning)
    assessment = _assessment(ctx, warning, takers)
    desk = desk_of(ctx)
    # Events (a death, a failed recheck) speak beside the series in alarm, or alone.
    rests_on = _mapping(assessment.facts.get("rests_on"))
    types = {e.source_type for e in assessment.evidence} | set(map(str, rests_on.get("source_types", ())))
    streams = {e.stream for e in assessment.evidence} | set(map(str, rests_on.get("streams", ())))
    if not rests_on and not types:  # stored before this was written down
        streams |= set(map(str, _mapping(assessment.facts.get("windows"))))
        types = {one.evidence for name, one in STREAMS.items() if name in streams}
    wanted = Wanted(assessment.grade, assessment.subject, assessment.scope, frozenset(types), frozenset(streams))
    rules = measures_for(wanted, desk, brief=False)
    catalogue = ladder_catalogue(ctx)
    stored = [action.rule for action in assessment.actions]
    data = {
        "warning_id": warning.warning_id,
        "as_of": assessment.as_of.isoformat(),
        "grade": assessment.grade.name,
        "scope": assessment.scope.value,
        "subject": {"kind": warning.subject.kind, "code": warning.subject.code, "region": warning.subject.region},
        # An absorbed warning: what is proposed is proposed for the one that speaks for it.
        "covered_by": _spoken(takers[0]) if takers else None,
        "name": assessment.facts.get("name", {}),
        "place": assessment.facts.get("place", {}),
        "law": desk.bodies(wanted.subject, wanted.source_types, wanted.streams).goods,
        "catalogue_version": ctx.actions.version,
        "stored_actions_differ": stored != [rule.id for rule in rules if rule.brief],
        "actions": [_entry(rule, wanted, assessment.as_of, desk) for rule in rules],
        "clocks": [_entry(clock, wanted, assessment.as_of, desk) for clock in clocks_for(wanted, desk)],
        "ladders": [] if catalogue is None else _cases(ctx, warning, orders_on_record(ctx, catalogue), catalogue, desk),
        "emergency": assessment.facts.get("emergency"),
    }
    return ActionStory(
        data,
        {key: text.model_dump() for key, text in ctx.actions.stages.items()},
        {key: text.model_dump() for key, text in ctx.actions.objects.items()},
    )


def _spoken(taker: EarlyWarning) -> dict[str, Any]:
    subject = taker.subject
    return {
        "warning_id": taker.warning_id,
        "kind": subject.kind,
        "code": subject.code,
        "region": subject.region,
        "name": _mapping(taker.summary.get("name")),
    }


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class ActionStory:
    """What is proposed for a warning, as JSON-able data, with the labels of stages and objects."""

    data: dict[str, Any]
    stages: dict[Any, dict[str, str]]
    objects: dict[Any, dict[str, str]]

    def text(self, language: str = "en") -> str:
        """Return the story as plain text in ``zh`` or ``en``."""
        return "\n".join(self._lines(language)) + "\n"

    def _lines(self, lang: str) -> Iterator[str]:
        data, zh = self.data, lang == "zh"
        name, place = data["name"].get(lang, ""), data["place"].get(lang, "")
        yield f"{data['warning_id']}  {'建议等级' if zh else 'proposed level'} {data['grade']}  {name}  {place}"
        if taker := data["covered_by"]:
            named = f"{taker['name'].get(lang, '')} {taker['code']} {taker['region']}".strip()
            yield (
                f"该预警已并入 {taker['warning_id']}（{named}），以下为其处置建议"
                if zh
                else f"spoken for by {taker['warning_id']} ({named}): what follows is proposed there"
            )
        yield (
            "均为建议，由责任人决定；条文核对状态见各项"
            if zh
            else "all proposals: persons decide; each provision says whether its text was read"
        ) + (f"  ({data['as_of']}, {data['catalogue_version']})")
        if data["stored_actions_differ"]:
            yield "处置目录在该次运行后已有变化" if zh else "the catalogue has changed since that run"
        for stage, label in self.stages.items():
            entries = [one for one in data["actions"] if one["stage"] == stage]
            if entries:
                yield f"{label[lang]}"
                yield from (line for one in entries for line in self._entry(one, lang))
        if data["clocks"]:
            yield "法定时限（事件发生后起算）" if zh else "clocks that the law starts once the event happens"
            yield from (line for one in data["clocks"] for line in self._entry(one, lang))
        yield from self._ladders(lang)
        yield from self._emergency(lang)

    def _entry(self, one: dict[str, Any], lang: str) -> Iterator[str]:
        zh = lang == "zh"
        yield f"  [{self.objects[one['object']][lang]}] {one['measure'][lang]} - {one['owner'][lang]}"
        clock = one["clock"]
        if clock:
            amount = f"{clock['amount']}{UNITS[clock['unit']][0]}" if zh else f"{clock['amount']} {UNITS[clock['unit']][1]}"
            line = f"    {'时限' if zh else 'clock'}: {amount}, {'自' if zh else 'from the'} {clock['start_event'][lang]}"
            if clock["due_on"]:
                line += f" -> {clock['due_on']} ({HOW[clock['how']][lang]})"
            for key, words in (
                ("holidays_skipped", ("跳过节假日", "holidays skipped")),
                ("weekends_worked", ("调休上班", "weekend days worked")),
            ):
                if clock[key]:
                    line += f"; {words[0] if zh else words[1]}: {', '.join(clock[key])}"
            source = clock["legal"] or ("自拟" if zh else "our own proposal")
            yield (
                f"{line} [{source}, {'已核对' if clock['verified'] else '未核对'}]"
                if zh
                else f"{line} [{source}, {'verified' if clock['verified'] else 'not verified'}]"
            )
        for law in one["legal_basis"]:
            article = (
                (f"第{law['article']}条" if zh else f"art. {law['article']}")
                if law["article"]
                else ("条款未找到" if zh else "article not found")
            )
            read = f"[{law['status']}, verified: {str(law['verified']).lower()}]"
            yield f"    {'依据' if zh else 'law'}: {law['law'][lang]} {article}: {law['text'][lang]} {read}"
        if one["why"]:
            yield f"    {'规则' if zh else 'why'}: {one['rule']} ({one['why'][lang]})"

    def _ladders(self, lang: str) -> Iterator[str]:
        zh = lang == "zh"
        for ladder in self.data["ladders"]:
            word = VERDICTS[ladder["verdict"]][0 if zh else 1]
            yield f"{'升级阶梯' if zh else 'ladder'}: {ladder['label'][lang]} - {word}"
            if ladder["overdue"]:
                yield f"  {'逾期' if zh else 'overdue'}: {ladder['overdue']}"
            for step in ladder["steps"]:
                to = "; ".join(f"{one['event'][lang]} -> {one['step'][lang]}" for one in step["next"])
                yield f"  {step['label'][lang]}: {step['cases']}" + (f"  ({to})" if to else "")

    def _emergency(self, lang: str) -> Iterator[str]:
        zh, found = lang == "zh", self.data["emergency"]
        if not found:
            return
        kind = {"event": ("应急响应", "emergency response"), "readiness": ("应急准备", "readiness")}[found["kind"]][0 if zh else 1]
        yield f"{kind}: {found['label'][lang]}; {'宣布机关' if zh else 'declared by'} {found['declared_by'][lang]}"
        yield from (
            f"  {one['scheme']}: {one['figure']} {one['value']:g} -> {one['level']} (verified: {str(one['verified']).lower()})"
            for one in found["met"]
        )
        yield from (
            f"  {one['label'][lang]}: "
            + (f"{one['within_hours']} 小时内" if zh else f"within {one['within_hours']} h")
            + f" [{one['legal']}]"
            for one in found["calls"]
        )
        yield from (f"  - {one['text'][lang]} [{', '.join(one['legal'])}]" for one in found["measures"])


def catalogue_rows(
    ctx: RunContext, *, grade: str = "", kind: str = "", stage: str = "", domain: str = "", clocks: bool = False
) -> Sequence[dict[str, Any]]:
    """Return the catalogue as rows: measures, or with ``clocks`` the statutory clocks; those of a domain include what is for all goods."""
    rules: Sequence[ActionRule | StatutoryClock] = ctx.actions.clocks if clocks else ctx.actions.actions
    rows = []
    for rule in rules:
        level = rule.grade if isinstance(rule, ActionRule) else ""
        if (grade and level != grade) or (kind and rule.object != kind) or (stage and rule.stage != stage):
            continue
        if domain and rule.domains and domain not in rule.domains:
            continue
        text = rule.measure if isinstance(rule, ActionRule) else rule.duty
        clock = rule.deadline
        rows.append(
            {
                "id": rule.id,
                "grade": level,
                "object": rule.object,
                "stage": rule.stage,
                "measure_zh": text.zh,
                "measure_en": text.en,
                "owner": rule.owner,
                "clock": "" if clock.amount is None else f"{clock.amount} {clock.unit} from {clock.starts}",
                "clock_legal": clock.legal,
                "clock_verified": clock.verified,
                "legal": ", ".join(f"{key}{'' if ctx.actions.legal_basis[key].verified else ' (unverified)'}" for key in rule.legal),
                "domains": ", ".join(rule.domains),
            }
        )
    return rows
