"""The state machine: assessments to new, worsened, unchanged, eased, absorbed and recovered warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.types import Assessment, Grade
from riskwatch.errors import AsOfError
from riskwatch.lifecycle import reading as read
from riskwatch.lifecycle import wording
from riskwatch.lifecycle.handover import below, match, receive, related, speaker, speakers, with_members
from riskwatch.lifecycle.journal import Journal
from riskwatch.lifecycle.types import EarlyWarning, Outcome, fingerprint, short_sha
from riskwatch.lifecycle.windows import Windows

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
        Those that are open or absorbed; recovered ones may be among them and are only linked to when the concern returns.
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
        self.as_of, self.rules = as_of, rules
        names = ("product", "industry", "region")
        self.paths = {name: TreePaths(None if trees is None else tree_of(trees, name)) for name in names}
        self.journal = Journal(as_of, rules, self.paths)
        self.windows = Windows(judged, self.paths, silent)

    def run(self, given: Sequence[EarlyWarning], assessments: Sequence[Assessment]) -> Outcome:
        held = [warning for warning in given if warning.state != "recovered"]
        gone = [warning for warning in given if warning.state == "recovered"]
        taken = match(held, assessments, self.paths["region"])
        graded = [a for a, one in enumerate(assessments) if one.grade >= Grade.IV]
        matched = set(taken.values())
        spoken = speakers([w for w in range(len(held)) if w not in matched], held, assessments, taken, self.paths)
        by_id = {warning.warning_id: warning for warning in held}
        done: dict[int, EarlyWarning] = {}
        reporting: dict[int, EarlyWarning] = {}
        for a in graded:
            givers = [held[w] for w, number in spoken.items() if number == a and held[w].live]
            if a not in taken:
                reporting[a] = self.open(assessments[a], gone, givers)
                continue
            base = held[taken[a]]
            base = base if base.live else self.wake(base, assessments[a], by_id.get(base.covered_by))
            reporting[a] = done[taken[a]] = self.seen(base, assessments[a], givers)
        new = [reporting[a] for a in graded if a not in taken]
        for a, w in taken.items():
            if w not in done:
                done[w] = self.below(held[w], assessments[a])
        for w, warning in enumerate(held):
            if w not in done and warning.live:
                done[w] = self.unmatched(warning, assessments, spoken.get(w), reporting)
        now = {one.warning_id: one for one in (*done.values(), *new)}
        for w, warning in enumerate(held):
            if w not in done:
                done[w] = self.rest(warning, assessments, spoken.get(w), reporting, now)
        watch = [one for a, one in enumerate(assessments) if one.grade == Grade.WATCH and a not in taken]
        warnings = with_members([*(done[w] for w in range(len(held))), *gone, *new])
        return Outcome(
            tuple(sorted(warnings, key=lambda one: (-one.grade, one.subject, one.warning_id))),
            tuple(sorted(self.journal.events, key=lambda one: (one.warning_id, one.kind, one.cause))),
            tuple(watch),
        )

    # --- transitions -------------------------------------------------------------------------------------------------

    def open(self, assessment: Assessment, gone: Sequence[EarlyWarning], givers: Sequence[EarlyWarning]) -> EarlyWarning:
        mark = fingerprint(assessment.subject)
        earlier = [
            one
            for one in gone
            if (one.subject.kind, one.subject.code) == (assessment.subject.kind, assessment.subject.code)
            and related(one.subject.region, assessment.subject.region, self.paths["region"])
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
            opened=self.as_of,
            proposed_on=self.as_of,
            summary=read.summary(assessment),
        )
        warning, _ = self.level(receive(warning, givers, assessment.subject, as_of=self.as_of, paths=self.paths), assessment)
        zh, en = self.journal.label(warning.grade, read.domain(assessment))
        if previous:
            reason = {"zh": f"已恢复的预警再次出现，建议等级{zh}。", "en": f"A recovered concern has returned, proposed at {en}."}
        else:
            reason = {"zh": f"新出现，建议等级{zh}。", "en": f"New, proposed at {en}."}
        if givers:
            reason = wording.joined([reason, self.journal.taken(givers, warning)])
        self.journal.say(warning, ("new", "returned" if previous else "opened"), reason, Grade.NONE, assessment)
        return warning

    def wake(self, warning: EarlyWarning, assessment: Assessment, before: EarlyWarning | None) -> EarlyWarning:
        """Return an absorbed warning as it goes on where the one that spoke for it stands; nothing of that is news."""
        level = warning.grade if before is None else min(warning.grade, before.grade)
        awake = replace(
            warning,
            state="unchanged",
            grade=level,
            covered_by="",
            handed_on=self.as_of,
            # Its growth meanwhile was told by the other.
            excess_at_change=max(warning.excess_at_change, read.excess(assessment)),
        )
        reason = wording.resumed(None if before is None else before.subject, self.paths)
        self.journal.say(awake, ("resumed", "own-again"), reason, warning.grade, assessment)
        return awake

    def seen(self, before: EarlyWarning, assessment: Assessment, givers: Sequence[EarlyWarning] = ()) -> EarlyWarning:
        """Advance a warning whose concern is there again at warning level, perhaps in the place of others."""
        warning = receive(before, givers, assessment.subject, as_of=self.as_of, paths=self.paths)
        warning, grade = self.level(warning, assessment)
        excess, grave, here = read.excess(assessment), read.grave(assessment), assessment.subject.region
        changes = self.journal.changes(before, warning, assessment, grade, givers)
        # Statistics place what was a list of cases.
        moved = {"spread", "alarm"} & {cause for _, cause, _ in changes}
        # Worse in one way and better in another is worse: nothing is eased while it spreads or kills.
        kinds = [kind for kind, _, _ in changes]
        kind = "worsened" if "worsened" in kinds else "".join(kinds[:1])
        updated = replace(
            warning,
            subject=replace(warning.subject, region=here) if moved else warning.subject,
            state=kind or (warning.state if warning.last_changed == self.as_of else "unchanged"),
            grade=grade,
            scope=assessment.scope,
            hazard=assessment.hazard,
            last_seen=self.as_of,
            last_changed=self.as_of if kind else warning.last_changed,
            proposed_on=self.as_of if kind else warning.proposed_on,
            last_run=self.as_of,
            times_seen=warning.times_seen + (warning.last_seen < self.as_of),
            absent_windows=0,
            judged_through=_latest(warning.judged_through, read.newest(assessment)),
            series=read.series(assessment) or warning.series,
            excess_at_change=excess if kind else warning.excess_at_change,
            # The count falls as events leave the look-back, so that a later one is a rise again.
            grave_at_change=grave,
            summary=read.summary(assessment),
        )
        if kind:
            cause = next(cause for one, cause, _ in changes if one == kind)
            self.journal.say(updated, (kind, cause), wording.joined([text for _, _, text in changes]), before.grade, assessment)
        return updated if grade > assessment.grade else _followed(updated)

    def level(self, warning: EarlyWarning, assessment: Assessment) -> tuple[EarlyWarning, Grade]:
        """Return the level a warning takes, and the warning with what it remembers of lower proposals.

        It rises at once. It falls after enough judged windows in a row that propose less; or at once, where the lower levels are
        probable enough, or where it rests on a floor alone, which no window judges. It never falls on the day of a handover: a change
        of shape is no judgement; nor on a day that brings another grave event.
        """
        rules = self.rules.lifecycle
        if assessment.grade >= warning.grade:
            return _followed(warning), assessment.grade
        since = warning.lower_through or warning.judged_through
        newest = read.newest(assessment)
        ends = {end for end in (*self.windows.ends(warning), newest) if end is not None and (since is None or end > since)}
        windows = warning.lower_windows + len(ends)
        share = read.lower_probability(assessment, warning.grade)
        fallen = not warning.series or share >= rules.lower_probability or windows >= rules.lower_after
        graver = read.grave(assessment) > warning.grave_at_change
        if fallen and warning.handed_on != self.as_of and not graver:
            return replace(warning, lower_windows=windows), assessment.grade
        label = self.journal.label(assessment.grade, read.domain(assessment))
        held = (
            wording.held_by_events(label)
            if graver
            else wording.held(label, windows=windows, needed=rules.lower_after, share=share, sure=rules.lower_probability)
        )
        through = max(ends, default=warning.lower_through)
        return replace(warning, lower_windows=windows, lower_through=through, held=held), warning.grade

    def below(self, warning: EarlyWarning, assessment: Assessment, *, own: bool = True) -> EarlyWarning:
        """Ease a warning whose concern is still looked at, yet below warning level: it is on its way to recovery.

        ``own``: the assessment is of the warning's subject, not of a wider one whose alarms are about it.
        """
        remembered, grade = self.level(warning, assessment)
        lowered = replace(remembered, summary=read.summary(assessment) if own else warning.summary)
        if grade < warning.grade:
            domain = read.domain(assessment)
            zh, en = self.journal.label(grade, domain)
            before_zh, before_en = self.journal.label(warning.grade, domain)
            told = replace(_followed(lowered), state="eased", grade=grade, last_changed=self.as_of)
            reason = {"zh": f"由{before_zh}降至预警以下（{zh}）。", "en": f"Fell from {before_en} below warning level ({en})."}
            self.journal.say(told, ("eased", "lowered"), reason, warning.grade, assessment)
            return self.cool(told, quiet=True)
        if lowered.held and not warning.held:
            # Told once, when it first falls short: the level stands, and the reader knows why.
            lowered = replace(lowered, state="eased", last_changed=self.as_of)
            self.journal.say(lowered, ("eased", "below"), lowered.held, warning.grade, assessment)
        return self.cool(lowered, quiet=True)

    def unmatched(
        self, warning: EarlyWarning, assessments: Sequence[Assessment], number: int | None, reporting: Mapping[int, EarlyWarning]
    ) -> EarlyWarning:
        """Advance a live warning that no assessment is about: another's speaks for it, or it is absent."""
        if number is not None:
            other = reporting[number]
            down = not below(warning.subject, other.subject, self.paths)
            absorbed = self.covered(warning, assessments[number], other)
            reason = wording.handed(other.subject, other.warning_id, self.paths, down=down)
            figures = {"covered_by": other.warning_id}
            change = ("absorbed", "handed-down" if down else "handed-over")
            self.journal.say(absorbed, change, reason, warning.grade, None, figures=figures)
            return absorbed
        lesser = [a for a, one in enumerate(assessments) if one.grade < Grade.IV]
        wider = speaker(warning, assessments, lesser, self.paths)
        if wider is not None:
            return self.below(warning, assessments[wider], own=False)
        return self.cool(warning, quiet=False)

    def covered(self, warning: EarlyWarning, assessment: Assessment, other: EarlyWarning) -> EarlyWarning:
        """Return a warning as the assessment of another one speaks for it."""
        return replace(
            warning,
            state="absorbed",
            last_seen=self.as_of,
            last_run=self.as_of,
            times_seen=warning.times_seen + (warning.last_seen < self.as_of),
            absent_windows=0,
            # What was judged by now says nothing against it.
            judged_through=_latest(warning.judged_through, read.newest(assessment), *self.windows.ends(warning)),
            covered_by=other.warning_id,
        )

    def rest(
        self,
        warning: EarlyWarning,
        assessments: Sequence[Assessment],
        number: int | None,
        reporting: Mapping[int, EarlyWarning],
        now: Mapping[str, EarlyWarning],
    ) -> EarlyWarning:
        """Advance an absorbed warning: spoken for, or quiet and on its way to recovery; without a live speaker it stands alone again."""
        if number is not None:
            return self.covered(warning, assessments[number], reporting[number])
        cooled = self.cool(warning, quiet=True)
        if cooled.state == "recovered":
            return cooled
        speaks, seen = now.get(warning.covered_by), {warning.warning_id}
        while speaks is not None and speaks.state == "absorbed" and speaks.warning_id not in seen:
            seen.add(speaks.warning_id)
            speaks = now.get(speaks.covered_by)
        if speaks is not None and speaks.live:
            return replace(cooled, state="absorbed", covered_by=speaks.warning_id)
        alone = replace(cooled, state="eased", covered_by="", last_changed=self.as_of)
        before = now.get(warning.covered_by)
        reason = wording.resumed(None if before is None else before.subject, self.paths)
        self.journal.say(alone, ("resumed", "speaker-gone"), reason, warning.grade, None)
        return alone

    def cool(self, warning: EarlyWarning, *, quiet: bool) -> EarlyWarning:
        """Count judged windows without the concern; recover after enough of them, unless silent reporters cover its area."""
        rules = self.rules.lifecycle
        share = self.windows.silence(warning)
        if share >= self.rules.absence.block_share:
            news = warning.state if warning.last_changed == self.as_of else "unchanged"
            return replace(warning, state=news, held=wording.silent(share), last_run=self.as_of)
        by_windows = bool(warning.series)
        if by_windows:
            ends = sorted({end for end in self.windows.ends(warning) if warning.judged_through is None or end > warning.judged_through})
            absent = number = warning.absent_windows + len(ends)
            clear, cause = absent >= rules.recover_after, "judged-clear"
            through = ends[-1] if ends else warning.judged_through
        else:
            number = (self.as_of - warning.last_seen).days
            absent, through = warning.absent_windows + (warning.last_run < self.as_of), warning.judged_through
            clear, cause = number >= rules.hold_days, "expired"
        grade = warning.grade
        if clear:
            warning = replace(_followed(warning), state="recovered", grade=Grade.NONE, last_changed=self.as_of, covered_by="")
            reason = wording.clear(number, windows=by_windows)
            self.journal.say(warning, ("recovered", cause), reason, grade, None, figures={"absent_windows": absent})
        elif absent and not warning.absent_windows and not quiet:
            warning = replace(warning, state="eased", last_changed=self.as_of)
            reason = wording.absent(rules.recover_after if by_windows else rules.hold_days, windows=by_windows)
            self.journal.say(warning, ("eased", "absent"), reason, grade, None, figures={"absent_windows": absent})
        elif not absent and warning.last_changed < self.as_of:
            # Not judged (source silent, period unripe): no news, and no recovery.
            warning = replace(warning, state="unchanged")
        return replace(warning, absent_windows=absent, judged_through=through, last_run=self.as_of)


def _followed(warning: EarlyWarning) -> EarlyWarning:
    """Return the warning without memory of lower proposals: its level is the day's."""
    return replace(warning, lower_windows=0, lower_through=None, held={})


def _latest(*days: dt.date | None) -> dt.date | None:
    return max((day for day in days if day is not None), default=None)
