"""Who may do what with which case, who owns it, and until when: the rules of an office over the trees and the calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from riskwatch.assessment.duedates import Count, count
from riskwatch.assessment.protocols import TreePaths, WorkCalendar
from riskwatch.assessment.types import Grade
from riskwatch.casework.case import Case
from riskwatch.casework.rules import Actor, LifecycleRules, Reach
from riskwatch.errors import CaseworkError
from riskwatch.lifecycle import EarlyWarning

__all__ = ["Office", "models_of", "opened_on"]


def models_of(warning: EarlyWarning) -> tuple[str, ...]:
    """Return the models whose alarms a warning rests on; none where it rests on events alone."""
    return tuple(sorted({one[0] for one in warning.series}))


def opened_on(warning: EarlyWarning) -> dt.date:
    """Return the day on which the warning itself was opened."""
    return warning.opened or warning.first_seen


@dataclass(frozen=True)
class Office:
    """What decisions rest on.

    Parameters
    ----------
    rules : LifecycleRules
    reviewers : mapping of str to int
        Level -> number of different actors who must sign (``review.reviewers`` of ``config/grading.yaml``).
    regions, products : TreePaths
    calendar : WorkCalendar, optional
        Working days; without it, or in a year it does not know, natural days are counted, which can only be earlier.
    """

    rules: LifecycleRules
    reviewers: Mapping[str, int]
    regions: TreePaths
    products: TreePaths
    calendar: WorkCalendar | None = None

    def actor(self, name: str) -> Actor:
        """Return an actor who may act.

        Raises
        ------
        CaseworkError
            If there is none of that name, or the desk is no longer in use.
        """
        found = self.rules.actors.get(name)
        if found is None:
            near = ", ".join(list(self.rules.actors)[:8])
            raise CaseworkError(f'no actor "{name}"', hint=f"desks and posts are named in config/lifecycle.yaml, actors: {near}, ...")
        if not found.active:
            raise CaseworkError(f'actor "{name}" is no longer in use', hint="config/lifecycle.yaml, actors")
        return found

    def rank(self, region: str) -> int:
        """Return the place of a region's level among those that own cases, from 0; the highest for a wider or unknown region."""
        levels = self.rules.escalation.levels
        for code in reversed(self.regions.path(region)):
            if self.regions.level(code) in levels:
                return levels.index(self.regions.level(code))
        return len(levels) - 1

    def owner(self, case: Case, warning: EarlyWarning) -> str:
        """Return the level that owns a case: of the warning's region, of its grade, or where it was escalated to; the highest of them."""
        rules = self.rules.escalation
        ranks = [self.rank(warning.subject.region)]
        by_level = rules.owner_of_level.get(case.standing(warning.grade).name)  # type: ignore[call-overload]  # WATCH and NONE have none
        ranks += [rules.levels.index(name) for name in (by_level, case.owner) if name in rules.levels]
        return rules.levels[max(ranks)]

    def reaches(self, actor: Actor, case: Case, warning: EarlyWarning, reach: Reach) -> bool:
        """Whether a case lies within what an actor may decide on."""
        mine, theirs = actor.region, warning.subject.region
        if reach == "related":
            return self.regions.within(theirs, mine) or self.regions.within(mine, theirs)
        covered = self.regions.within(theirs, mine)
        if reach == "covers" or not covered:
            return covered
        return self.rank(mine) >= self.rules.escalation.levels.index(self.owner(case, warning))

    def signatures(self, *levels: Grade | None) -> int:
        """Return how many different actors must sign what concerns these levels: as many as the most demanding of them asks for."""
        return max((self.reviewers.get(level.name, 1) for level in levels if level is not None), default=1)

    def due(self, case: Case, warning: EarlyWarning) -> Count | None:
        """Return when the term of the present stage ends; None where none runs.

        None runs for a closed case, for one that a silence hides, and while another warning speaks for this one or it has recovered.
        """
        if case.closed or case.hidden_by or not warning.live:
            return None
        days = self.rules.stages[case.stage].deadline.get(case.standing(warning.grade).name)  # type: ignore[call-overload]
        return None if days is None else count(case.clock_from, days, "working-day", self.calendar)

    def longest_acknowledgement(self, warning: EarlyWarning, case: Case, day: dt.date) -> dt.date:
        """Return until when an acknowledgement of ``day`` holds at the longest."""
        lives = self.rules.acknowledgement.working_days
        days = lives.get(case.standing(warning.grade).name, max(lives.values()))  # type: ignore[call-overload]
        return count(day, days, "working-day", self.calendar).due_on

    def confirmed(self, case: Case, warning: EarlyWarning) -> bool:
        """Whether enough reviewers have signed a level that is no lower than the one that stands."""
        return case.confirmed is not None and case.confirmed >= case.standing(warning.grade)
