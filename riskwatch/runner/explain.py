"""The story of one warning: evidence, each rule that led to its grade, actions, history. From the store, for people and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from riskwatch.errors import ProjectError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.runner.case_tables import case_lines, case_story
from riskwatch.runner.context import RunContext

__all__ = ["Story", "explain_warning"]


@dataclass(frozen=True)
class Story:
    """A warning with its newest assessment and all its events, as JSON-able data."""

    data: dict[str, Any]
    name: str
    place: str

    def text(self) -> str:
        """Return the story as plain text in English."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        warning, assessment = self.data["warning"], self.data["assessment"]
        yield f"{warning['warning_id']}  proposed level {warning['grade']}, {warning['state']}, {warning['scope']}"
        yield f"{self.name}; {self.place}"
        yield f"first seen {warning['first_seen']}, last changed {warning['last_changed']}, last seen {warning['last_seen']}"
        if warning["state"] == "absorbed" and warning.get("covered_by"):
            yield f"another warning speaks for it now, with its evidence and measures: {warning['covered_by']}"
        if assessment is not None:
            yield ""
            figures = ", ".join(f"{name} {assessment[name]}" for name in ("risk", "severity", "confidence"))
            yield f"assessed as of {assessment['as_of']}: {figures}"
            shares = assessment["facts"].get("grade_probability", {})
            if shares:
                yield "probability of the level: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
            rule_set = assessment["facts"].get("rule_set", {})
            if rule_set.get("domain"):
                yield f"rules of the domain {rule_set['domain']}, in force from {rule_set['from']} (file {rule_set['version']})"
            for sign in assessment["facts"].get("attention", ()):
                yield f"attention: {sign['reason']['en']}" + (" (lifts)" if sign["lift"] else "")
            if "outside" in assessment["facts"]:
                yield f"outside signals: {assessment['facts']['outside']['text']['en']}"
                yield f"外部信号：{assessment['facts']['outside']['text']['zh']}"
            if warning.get("held"):
                yield f"held: {warning['held']['en']}"
            yield ""
            yield "evidence"
            for entry in assessment["evidence"]:
                yield "  " + _evidence(entry)
            yield "rules looked at"
            for step in assessment["steps"]:
                after = f" -> {step['grade_after']}" if step["grade_after"] else ""
                inputs = ", ".join(f"{key}={value}" for key, value in step["inputs"].items())
                yield f"  {step['rule']}: {step['outcome']}{after}" + (f"  [{inputs}]" if inputs else "")
            yield "what would change it"
            for sentence in assessment["what_would_change"]:
                yield f"  {sentence['en']}"
            yield "proposed actions"
            for action in assessment["actions"]:
                yield "  " + _action(action)
        yield "history"
        for event in self.data["events"]:
            yield f"  {event['as_of']} {event['kind']} ({event['grade_before']} -> {event['grade_after']}): {event['reason']['en']}"
        if self.data["case"] is not None:
            yield from case_lines(self.data["case"])


def _evidence(entry: dict[str, Any]) -> str:
    series = ", ".join(f"{name}={entry[name]}" for name in ("product", "industry", "region", "stratum") if entry[name])
    size = f"{entry['observed']:g}" + (f" of {entry['exposure']:g}" if entry["exposure"] is not None else "")
    return (
        f"{entry['model']} [{series}] {entry['period_start']} to {entry['period_end']}: {size}, expected {entry['expected']:.2f}, "
        f"limit {entry['upper']}, p={entry['p_value']:.2g}, q={entry['q_value']:.2g}, {entry['windows']} window(s)"
    )


def _action(action: dict[str, Any]) -> str:
    basis = "; ".join(
        f"{_english(entry.get('law'))} {entry.get('article') or ''}".strip() + ("" if entry.get("verified") else " (unverified)")
        for entry in action["legal_basis"]
    )
    due = f", by {action['due_on']}" if action["due_on"] else ""
    return f"[{action['object']}] {action['owner']['en']}: {action['measure']['en']}{due}" + (f" - {basis}" if basis else "")


def _english(value: object) -> str:
    return str(value.get("en", "")) if isinstance(value, dict) else str(value or "")


def explain_warning(ctx: RunContext, warning_id: str) -> Story:
    """Return the story, at the end of ``ctx.as_of``, of the warning whose id is, or starts with, ``warning_id``.

    Raises
    ------
    ProjectError
        If no warning, or more than one, starts so.
    """
    found = [row for row in ctx.store.read_warnings(as_of=ctx.as_of) if row.warning_id.startswith(warning_id)]
    if len(found) != 1:
        some = ", ".join(row.warning_id for row in found[:5])
        raise ProjectError(
            f'warnings show: {len(found)} warnings start with "{warning_id}" on {ctx.as_of}' + (f": {some}" if some else ""),
            hint="riskwatch warnings list --all; --as-of DAY looks at another day",
        )
    row = found[0]
    subject = row.payload["subject"]
    assessments = [
        entry.payload
        for entry in ctx.store.read_assessments(as_of=row.last_seen)
        if (entry.subject_kind, entry.subject_code) == (subject["kind"], subject["code"])
    ]
    tree, regions = ctx.trees.get(subject["kind"]), ctx.trees.get("region")
    name = tree.name(subject["code"], "en") if tree is not None and subject["code"] in tree else subject["code"]
    place = (
        regions.name(subject["region"], "en") if regions is not None and subject["region"] in regions else subject["region"] or "everywhere"
    )
    data = {
        "warning": row.payload,
        "assessment": assessments[0] if assessments else None,
        "events": [event.payload for event in ctx.store.read_events(warning_id=row.warning_id) if event.as_of <= ctx.as_of],
        "case": case_story(ctx, EarlyWarning.from_payload(row.payload)),
    }
    return Story(data, f"{subject['kind']} {subject['code']} {name}", place)
