"""What readers are told of a day: what is worse or better than they know, in words, and the events that are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.types import Assessment, Grade
from riskwatch.lifecycle import reading as read
from riskwatch.lifecycle import wording
from riskwatch.lifecycle.handover import below
from riskwatch.lifecycle.types import EarlyWarning, WarningEvent, short_sha

__all__ = ["Journal"]


class Journal:
    """The events of one day, and the reasons that they give.

    Parameters
    ----------
    as_of : datetime.date
        The day of the run.
    rules : GradingRules
        ``lifecycle`` and the labels are read.
    paths : mapping of str to TreePaths
        ``product``, ``industry``, ``region``.
    """

    def __init__(self, as_of: dt.date, rules: GradingRules, paths: Mapping[str, TreePaths]) -> None:
        self.as_of, self.rules, self.paths = as_of, rules, paths
        self.events: list[WarningEvent] = []

    def label(self, grade: Grade, domain: str = "") -> tuple[str, str]:
        """Return the label of a level with its colour, zh and en."""
        levels = self.rules.for_domain(domain, self.as_of).levels
        level = levels[grade.name]  # type: ignore[index]  # levels has every grade
        return f"{level.label.zh}（{level.colour.zh}）", f"{level.label.en} ({level.colour.en})"

    def say(
        self,
        warning: EarlyWarning,
        change: tuple[str, str],
        reason: dict[str, str],
        before: Grade,
        assessment: Assessment | None,
        *,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """Record one event; ``change`` is its kind and cause."""
        kind, cause = change
        self.events.append(
            WarningEvent(
                event_id=short_sha(warning.warning_id, self.as_of.isoformat(), kind, cause, before.name, warning.grade.name),
                warning_id=warning.warning_id,
                as_of=self.as_of,
                kind=kind,
                cause=cause,
                reason=reason,
                grade_before=before,
                grade_after=warning.grade,
                figures={**(read.figures(assessment) if assessment is not None else {}), **(figures or {})},
            )
        )

    def taken(self, givers: Sequence[EarlyWarning], taker: EarlyWarning) -> dict[str, str]:
        """Return whose place ``taker`` takes."""
        return wording.taken(sorted({one.subject for one in givers}), taker.first_seen, self.paths)

    def changes(
        self, before: EarlyWarning, warning: EarlyWarning, assessment: Assessment, grade: Grade, givers: Sequence[EarlyWarning]
    ) -> list[tuple[str, str, dict[str, str]]]:
        """Return (kind, cause, reason) of what is worse or better than what readers know."""
        rules, regions, domain = self.rules.lifecycle, self.paths["region"], read.domain(assessment)
        excess, grave, here = read.excess(assessment), read.grave(assessment), assessment.subject.region
        known = max([before.grade, *(one.grade for one in givers if below(warning.subject, one.subject, self.paths))])
        was, now = self.label(before.grade, domain), self.label(grade, domain)
        found: list[tuple[str, str, dict[str, str]]] = []
        if grade > known:
            reason = {"zh": f"建议等级由{was[0]}升为{now[0]}。", "en": f"Proposed level raised from {was[1]} to {now[1]}."}
            if grade > assessment.grade:  # another's level, which it goes on with
                found.append(("worsened", "took-over", wording.joined([reason, self.taken(givers, warning)])))
            else:
                found.append(("worsened", "raised", reason))
        elif grade < before.grade:
            share, sure = read.lower_probability(assessment, before.grade), rules.lower_probability
            floor = not warning.series
            reason = wording.lowered(was, now, floor=floor, share=share, sure=sure, windows=warning.lower_windows)
            found.append(("eased", "lowered", reason))
        # A list of cases is told for the whole area: that places nothing.
        wider = here != warning.subject.region and regions.within(warning.subject.region, here)
        if wider and not assessment.facts.get("cases_only"):
            found.append(("worsened", "spread", wording.spread(warning.subject.region, here, regions)))
        if assessment.evidence and not warning.series:
            reason = {"zh": "除事件外，统计信号也已出现。", "en": "Beside recorded events, statistics speak for it now."}
            found.append(("worsened", "alarm", reason))
        if grave > warning.grave_at_change:
            more = grave - warning.grave_at_change
            reason = {"zh": f"新增严重事件 {more:g} 起。", "en": f"{more:g} more grave event(s): deaths, lethal items, failed rechecks."}
            found.append(("worsened", "grave-event", reason))
        elif (
            warning.series
            and excess > warning.excess_at_change * rules.worsen_factor
            and excess - warning.excess_at_change >= rules.worsen_min_excess
        ):
            was_zh = f"{warning.excess_at_change:.1f}"
            reason = {"zh": f"超出期望的数量由 {was_zh} 增至 {excess:.1f}。", "en": f"Excess grew from {was_zh} to {excess:.1f}."}
            found.append(("worsened", "larger-excess", reason))
        return found
