"""The state machine: assessments to new, worsened, unchanged, eased and recovered warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.types import Assessment, Grade, Subject
from riskwatch.errors import AsOfError
from riskwatch.lifecycle import reading as read
from riskwatch.lifecycle.types import EarlyWarning, Outcome, WarningEvent, fingerprint, short_sha

__all__ = ["advance"]


def advance(
    open_warnings: Iterable[EarlyWarning],
    assessments: Iterable[Assessment],
    *,
    as_of: dt.date,
    rules: GradingRules,
    judged: pd.DataFrame | None = None,
    trees: object = None,
    silent: Mapping[str, Mapping[str, float]] | None = None,
) -> Outcome:
    """Match assessments with open warnings and return both, changed, with the events that say why.

    Parameters
    ----------
    open_warnings : iterable of EarlyWarning
        Those that are open; recovered ones may be among them and are only linked to when the concern returns.
    assessments : iterable of Assessment
        All of the run, whatever their grade.
    as_of : datetime.date
        The day of the run.
    rules : GradingRules
        ``lifecycle`` and the labels are read.
    judged : pandas.DataFrame, optional
        The signals frame that was assessed. Rows with ``reason`` "" count as judged; without it nothing was, and nothing recovers.
    trees : mapping or object, optional
        Trees; without them only equal regions (and "" with any) are related.
    silent : mapping of str to mapping, optional
        Stream -> region -> share of the region's usual records that silent reporters bring ("" for the whole area): where it reaches
        ``absence.block_share`` nothing recovers.

    Raises
    ------
    AsOfError
        If a warning was already advanced to a later day.
    """
    given = sorted(open_warnings, key=lambda warning: warning.warning_id)
    later = [warning for warning in given if warning.last_run > as_of]
    if later:
        raise AsOfError(
            f"advance: warning {later[0].warning_id} was already advanced to {later[0].last_run}, asked for {as_of}",
            hint="replay past days into an empty database",
        )
    machine = _Machine(as_of, rules, judged, trees, silent or {})
    return machine.run(given, sorted(assessments, key=lambda one: (one.subject, -one.grade)))


class _Machine:
    def __init__(
        self,
        as_of: dt.date,
        rules: GradingRules,
        judged: pd.DataFrame | None,
        trees: object,
        silent: Mapping[str, Mapping[str, float]],
    ) -> None:
        self.as_of, self.rules, self.silent = as_of, rules, silent
        names = ("product", "industry", "region")
        self.paths = {name: TreePaths(None if trees is None else tree_of(trees, name)) for name in names}
        self.events: list[WarningEvent] = []
        self.judged = self._judged(judged)
        known = judged is not None and {"model", "stream"} <= set(judged.columns)
        self.streams = dict(zip(judged["model"], judged["stream"], strict=True)) if judged is not None and known else {}

    @staticmethod
    def _judged(frame: pd.DataFrame | None) -> dict[tuple[str, str], list[tuple[str, str, str, dt.date]]]:
        """Return (model, stratum) -> (product, industry, region, period end) of what was judged."""
        found: dict[tuple[str, str], list[tuple[str, str, str, dt.date]]] = {}
        if frame is None or frame.empty:
            return found
        ok = (frame["reason"].astype("object").fillna("") == "").to_numpy() & frame["p_value"].notna().to_numpy()
        columns = ["model", "stratum", "product", "industry", "region"]
        part = frame.loc[ok, [*columns, "period_end"]].copy()
        for column in columns:
            part[column] = part[column].astype("object").where(part[column].notna(), "").astype(str)
        part["period_end"] = pd.to_datetime(part["period_end"]).dt.date
        for model, stratum, product, industry, region, end in part.drop_duplicates().itertuples(index=False, name=None):
            found.setdefault((model, stratum), []).append((product, industry, region, end))
        return found

    # --- matching ----------------------------------------------------------------------------------------------------

    def related(self, one: str, other: str) -> bool:
        """Whether one region is the other, above it or below it."""
        regions = self.paths["region"]
        return regions.within(one, other) or regions.within(other, one)

    def match(self, warnings: Sequence[EarlyWarning], assessments: Sequence[Assessment]) -> dict[int, int]:
        """Return assessment number -> warning number: same kind and code, related region; the nearest pair first."""
        regions = self.paths["region"]
        pairs = []
        for w, warning in enumerate(warnings):
            for a, assessment in enumerate(assessments):
                mine, theirs = warning.subject, assessment.subject
                if (mine.kind, mine.code) == (theirs.kind, theirs.code) and self.related(mine.region, theirs.region):
                    distance = abs(len(regions.path(mine.region)) - len(regions.path(theirs.region)))
                    pairs.append((distance, -int(assessment.grade), warning.warning_id, a, w))
        taken: dict[int, int] = {}
        used: set[int] = set()
        for _, _, _, a, w in sorted(pairs):
            if a not in taken and w not in used:
                taken[a] = w
                used.add(w)
        return taken

    def run(self, given: Sequence[EarlyWarning], assessments: Sequence[Assessment]) -> Outcome:
        live = [warning for warning in given if warning.state != "recovered"]
        gone = [warning for warning in given if warning.state == "recovered"]
        taken = self.match(live, assessments)
        done: dict[int, EarlyWarning] = {}
        reporting: list[tuple[Assessment, EarlyWarning]] = []
        watch: list[Assessment] = []
        new: list[EarlyWarning] = []
        for a, assessment in enumerate(assessments):
            if a in taken:
                done[taken[a]] = self.seen(live[taken[a]], assessment)
                if assessment.grade >= Grade.IV:
                    reporting.append((assessment, done[taken[a]]))
            elif assessment.grade >= Grade.IV:
                opened = self.open(assessment, gone)
                new.append(opened)
                reporting.append((assessment, opened))
            elif assessment.grade == Grade.WATCH:
                watch.append(assessment)
        for w, warning in enumerate(live):
            if w not in done:
                done[w] = self.unmatched(warning, reporting)
        warnings = [*(done[w] for w in range(len(live))), *gone, *new]
        return Outcome(
            tuple(sorted(warnings, key=lambda one: (-one.grade, one.subject, one.warning_id))),
            tuple(sorted(self.events, key=lambda one: (one.warning_id, one.kind, one.cause))),
            tuple(watch),
        )

    # --- transitions -------------------------------------------------------------------------------------------------

    def open(self, assessment: Assessment, gone: Sequence[EarlyWarning]) -> EarlyWarning:
        mark = fingerprint(assessment.subject)
        earlier = [
            one
            for one in gone
            if (one.subject.kind, one.subject.code) == (assessment.subject.kind, assessment.subject.code)
            and self.related(one.subject.region, assessment.subject.region)
        ]
        previous = max(earlier, key=lambda one: (one.last_changed, one.warning_id)).warning_id if earlier else ""
        warning = EarlyWarning(
            warning_id=short_sha(mark, self.as_of.isoformat()),
            fingerprint=mark,
            subject=assessment.subject,
            state="new",
            grade=assessment.grade,
            scope=assessment.scope,
            hazard=assessment.hazard,
            first_seen=self.as_of,
            last_seen=self.as_of,
            last_changed=self.as_of,
            last_run=self.as_of,
            judged_through=read.newest(assessment),
            series=read.series(assessment),
            excess_at_change=read.excess(assessment),
            grave_at_change=read.grave(assessment),
            previous=previous,
            summary=read.summary(assessment),
        )
        zh, en = self.label(assessment.grade, read.domain(assessment))
        if previous:
            reason = {"zh": f"已恢复的预警再次出现，建议等级{zh}。", "en": f"A recovered concern has returned, proposed at {en}."}
        else:
            reason = {"zh": f"新出现，建议等级{zh}。", "en": f"New, proposed at {en}."}
        self.say(warning, ("new", "returned" if previous else "opened"), reason, Grade.NONE, assessment)
        return warning

    def seen(self, warning: EarlyWarning, assessment: Assessment) -> EarlyWarning:
        """Advance a warning whose concern is there again (perhaps below warning level)."""
        if assessment.grade < Grade.IV:
            return self.below(warning, assessment)
        rules = self.rules.lifecycle
        warning, grade = self.level(warning, assessment)
        excess, grave = read.excess(assessment), read.grave(assessment)
        domain = read.domain(assessment)
        before_zh, before_en = self.label(warning.grade, domain)
        zh, en = self.label(grade, domain)
        regions = self.paths["region"]
        here = assessment.subject.region
        spread = here != warning.subject.region and regions.within(warning.subject.region, here)
        larger = excess > warning.excess_at_change * rules.worsen_factor and excess - warning.excess_at_change >= rules.worsen_min_excess
        changes: list[tuple[str, str, dict[str, str]]] = []
        if grade > warning.grade:
            reason = {"zh": f"建议等级由{before_zh}升为{zh}。", "en": f"Proposed level raised from {before_en} to {en}."}
            changes.append(("worsened", "raised", reason))
        elif grade < warning.grade:
            reason = self.lowered(warning, assessment, before=(before_zh, before_en), after=(zh, en))
            changes.append(("eased", "lowered", reason))
        if spread:
            was, now = warning.subject.region, here
            reason = {
                "zh": f"范围由{regions.name(was, 'zh')}扩大到{regions.name(now, 'zh') or '全域'}。",
                "en": f"Spread from {regions.name(was, 'en')} to {regions.name(now, 'en') or 'the whole area'}.",
            }
            changes.append(("worsened", "spread", reason))
        if grave > warning.grave_at_change:
            more = grave - warning.grave_at_change
            changes.append(
                (
                    "worsened",
                    "grave-event",
                    {"zh": f"新增严重事件 {more:g} 起。", "en": f"{more:g} more grave event(s): deaths, lethal items, failed rechecks."},
                )
            )
        elif larger and warning.series:
            was_zh = f"{warning.excess_at_change:.1f}"
            changes.append(
                (
                    "worsened",
                    "larger-excess",
                    {"zh": f"超出期望的数量由 {was_zh} 增至 {excess:.1f}。", "en": f"Excess grew from {was_zh} to {excess:.1f}."},
                )
            )
        # Worse in one way and better in another is worse: nothing is eased while it spreads or kills.
        kinds = [kind for kind, _, _ in changes]
        kind = "worsened" if "worsened" in kinds else "".join(kinds[:1])
        updated = replace(
            warning,
            subject=replace(warning.subject, region=here) if spread else warning.subject,
            state=kind or (warning.state if warning.last_changed == self.as_of else "unchanged"),
            grade=grade,
            scope=assessment.scope,
            hazard=assessment.hazard,
            last_seen=self.as_of,
            last_changed=self.as_of if kind else warning.last_changed,
            last_run=self.as_of,
            times_seen=warning.times_seen + (warning.last_seen < self.as_of),
            absent_windows=0,
            judged_through=max((day for day in (warning.judged_through, read.newest(assessment)) if day is not None), default=None),
            series=read.series(assessment) or warning.series,
            excess_at_change=excess if kind else warning.excess_at_change,
            # The count falls as events leave the look-back, so that a later one is a rise again.
            grave_at_change=grave,
            covered_by="",
            summary=read.summary(assessment),
        )
        if kind:
            reason = {
                language: "".join(text[language] if language == "zh" else text[language] + " " for _, _, text in changes).strip()
                for language in ("zh", "en")
            }
            cause = next(cause for one, cause, _ in changes if one == kind)
            self.say(updated, (kind, cause), reason, warning.grade, assessment)
        return updated if grade > assessment.grade else _followed(updated)

    def level(self, warning: EarlyWarning, assessment: Assessment) -> tuple[EarlyWarning, Grade]:
        """Return the level a warning takes, and the warning with what it remembers of lower proposals.

        It rises at once. It falls after enough judged windows in a row that propose less; or at once, where the lower levels are
        probable enough, or where it rests on a floor alone, which no window judges.
        """
        rules = self.rules.lifecycle
        if assessment.grade >= warning.grade:
            return _followed(warning), assessment.grade
        since = warning.lower_through or warning.judged_through
        newest = read.newest(assessment)
        ends = {end for end in (*self.ends(warning), newest) if end is not None and (since is None or end > since)}
        windows = warning.lower_windows + len(ends)
        share = read.lower_probability(assessment, warning.grade)
        if not warning.series or share >= rules.lower_probability or windows >= rules.lower_after:
            return replace(warning, lower_windows=windows), assessment.grade
        domain = read.domain(assessment)
        zh, en = self.label(assessment.grade, domain)
        held = {
            "zh": f"本次评估为{zh}，已有 {windows} 个已判定窗口偏低（需 {rules.lower_after} 个；较低等级把握 {share:.0%}，"
            f"需 {rules.lower_probability:.0%}），等级暂不下调。",
            "en": f"Assessed at {en} this time; {windows} judged window(s) lower of {rules.lower_after} needed (lower levels {share:.0%} "
            f"probable, {rules.lower_probability:.0%} needed): the level is held.",
        }
        through = max(ends, default=warning.lower_through)
        return replace(warning, lower_windows=windows, lower_through=through, held=held), warning.grade

    def lowered(self, warning: EarlyWarning, assessment: Assessment, *, before: tuple[str, str], after: tuple[str, str]) -> dict[str, str]:
        """Return the reason for a lower level: how it came to be believed."""
        share = read.lower_probability(assessment, warning.grade)
        if not warning.series:
            why = ("此前依据的事件已不在回溯期内", "the event behind it has left the look-back")
        elif share >= self.rules.lifecycle.lower_probability:
            why = (f"较低等级的把握为 {share:.0%}", f"lower levels are {share:.0%} probable")
        else:
            why = (f"连续 {warning.lower_windows} 个已判定窗口偏低", f"lower in {warning.lower_windows} judged windows in a row")
        return {
            "zh": f"建议等级由{before[0]}降为{after[0]}：{why[0]}。",
            "en": f"Proposed level lowered from {before[1]} to {after[1]}: {why[1]}.",
        }

    def below(self, warning: EarlyWarning, assessment: Assessment) -> EarlyWarning:
        """Ease a warning whose concern is still looked at, yet below warning level: it is on its way to recovery."""
        remembered, grade = self.level(warning, assessment)
        lowered = replace(remembered, summary=read.summary(assessment), covered_by="")
        if grade < warning.grade:
            domain = read.domain(assessment)
            zh, en = self.label(grade, domain)
            before_zh, before_en = self.label(warning.grade, domain)
            told = replace(_followed(lowered), state="eased", grade=grade, last_changed=self.as_of)
            reason = {"zh": f"由{before_zh}降至预警以下（{zh}）。", "en": f"Fell from {before_en} below warning level ({en})."}
            self.say(told, ("eased", "lowered"), reason, warning.grade, assessment)
            return self.cool(told, quiet=True)
        if lowered.held and not warning.held:
            # Told once, when it first falls short: the level stands, and the reader knows why.
            lowered = replace(lowered, state="eased", last_changed=self.as_of)
            self.say(lowered, ("eased", "below"), lowered.held, warning.grade, assessment)
        return self.cool(lowered, quiet=True)

    def unmatched(self, warning: EarlyWarning, reporting: Sequence[tuple[Assessment, EarlyWarning]]) -> EarlyWarning:
        """Advance a warning that no assessment is about: reported under another, or absent."""
        for assessment, other in reporting:
            if self.covers(assessment, warning.subject):
                nothing_new = warning.state if warning.last_changed == self.as_of else "unchanged"
                return replace(
                    warning,
                    state=nothing_new,
                    last_seen=self.as_of,
                    last_run=self.as_of,
                    times_seen=warning.times_seen + (warning.last_seen < self.as_of),
                    absent_windows=0,
                    judged_through=max((day for day in (warning.judged_through, read.newest(assessment)) if day is not None), default=None),
                    covered_by=other.warning_id,
                )
        return self.cool(replace(warning, covered_by=""), quiet=False)

    def covers(self, assessment: Assessment, subject: Subject) -> bool:
        if not self.related(assessment.subject.region, subject.region):
            return False
        if (assessment.subject.kind, assessment.subject.code) == (subject.kind, subject.code):
            return True
        return any(
            getattr(e, subject.kind) == subject.code
            and (subject.kind == "product" or not e.product)
            and self.related(e.region, subject.region)
            for e in assessment.evidence
        )

    def cool(self, warning: EarlyWarning, *, quiet: bool) -> EarlyWarning:
        """Count judged windows without the concern; recover after enough of them, unless silent reporters cover its area."""
        rules = self.rules.lifecycle
        share = self.silence(warning)
        if share >= self.rules.absence.block_share:
            held = {
                "zh": f"所在地区平时 {share:.0%} 的记录来自目前无数据的医院或机构：不计入恢复。",
                "en": f"Reporters that usually bring {share:.0%} of the area's records are silent: this does not count towards recovery.",
            }
            news = warning.state if warning.last_changed == self.as_of else "unchanged"
            return replace(warning, state=news, held=held, last_run=self.as_of)
        if warning.series:
            ends = sorted({end for end in self.ends(warning) if warning.judged_through is None or end > warning.judged_through})
            absent = warning.absent_windows + len(ends)
            clear, cause = absent >= rules.recover_after, "judged-clear"
            through = ends[-1] if ends else warning.judged_through
            why = {
                "zh": f"连续 {absent} 个已判定窗口未再出现，恢复正常。",
                "en": f"Absent for {absent} judged windows in a row: recovered.",
            }
        else:
            days = (self.as_of - warning.last_seen).days
            absent, through = warning.absent_windows + (warning.last_run < self.as_of), warning.judged_through
            clear, cause = days >= rules.hold_days, "expired"
            why = {"zh": f"已 {days} 天没有新的严重事件，恢复正常。", "en": f"No grave event for {days} days: recovered."}
        grade = warning.grade
        if clear:
            warning = replace(_followed(warning), state="recovered", grade=Grade.NONE, last_changed=self.as_of)
            self.say(warning, ("recovered", cause), why, grade, None, figures={"absent_windows": absent})
        elif absent and not warning.absent_windows and not quiet:
            warning = replace(warning, state="eased", last_changed=self.as_of)
            needed = rules.recover_after if warning.series else rules.hold_days
            unit_zh, unit_en = ("个已判定窗口", "judged windows") if warning.series else ("天", "days")
            reason = {
                "zh": f"本次未再出现，正在冷却；{needed} {unit_zh}后恢复。",
                "en": f"Not there this time, cooling; recovers after {needed} {unit_en}.",
            }
            self.say(warning, ("eased", "absent"), reason, grade, None, figures={"absent_windows": absent})
        elif not absent and warning.last_changed < self.as_of:
            # Not judged (source silent, period unripe): no news, and no recovery.
            warning = replace(warning, state="unchanged")
        return replace(warning, absent_windows=absent, judged_through=through, last_run=self.as_of)

    def silence(self, warning: EarlyWarning) -> float:
        """Return the share of the area's usual records that silent reporters bring, in the stream where it is largest."""
        mine = {self.streams.get(model) for model, *_ in warning.series}
        # Where the model's stream is not known, any of them may be the one that fell silent.
        streams = self.silent if not mine or None in mine else [stream for stream in self.silent if stream in mine]
        return max((self.silent[stream].get(warning.subject.region, 0.0) for stream in streams), default=0.0)

    def ends(self, warning: EarlyWarning) -> set[dt.date]:
        """Return ends of judged periods of the warning's series, or of series that contain them (rolled up when sparse)."""
        found: set[dt.date] = set()
        for model, stratum, product, industry, region in warning.series:
            for judged_product, judged_industry, judged_region, end in self.judged.get((model, stratum), ()):
                if (
                    self.paths["product"].within(product, judged_product)
                    and self.paths["industry"].within(industry, judged_industry)
                    and self.paths["region"].within(region, judged_region)
                ):
                    found.add(end)
        return found

    # --- words -------------------------------------------------------------------------------------------------------

    def label(self, grade: Grade, domain: str = "") -> tuple[str, str]:
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


def _followed(warning: EarlyWarning) -> EarlyWarning:
    """Return the warning without memory of lower proposals: its level is the day's."""
    return replace(warning, lower_windows=0, lower_through=None, held={})
