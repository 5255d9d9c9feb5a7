"""Warnings that are lists of single firms' cases (failed rechecks), in a table; and whose place a warning has taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from riskwatch.digest.blocks import Cell, Table
from riskwatch.digest.cards import grade_name
from riskwatch.digest.dossier_model import CaseLine, CaseWarning, RelatedSubject, TakenLine
from riskwatch.digest.inputs import WarningLike
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import date
from riskwatch.digest.seen import Seen
from riskwatch.digest.sentences import Speaker

__all__ = ["case_table", "case_warnings", "concerns_centre", "taken_line", "taken_sentence"]

SHOWN = 4  # cases of one warning; the others are counted, and listed in the JSON


def _cases(item: Seen) -> list[Mapping[str, Any]]:
    listed = item.assessment.facts.get("speaks_for") if item.assessment is not None else None
    known = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, (list, tuple)) else []
    return sorted(known, key=lambda one: (str(one["day"]), str(one["code"]), str(one["region"])), reverse=True)


def concerns_centre(item: Seen, namer: Namer, jurisdiction: str) -> bool:
    """Whether a list of cases has one that is the centre's, or whose place is not known; other warnings all concern it."""
    return not item.cases_only or any(namer.relation(str(one["region"]), jurisdiction) for one in _cases(item))


def case_warnings(items: Sequence[Seen], namer: Namer, jurisdiction: str, due: Callable[[Seen], dt.date | None]) -> tuple[CaseWarning, ...]:
    """Return the lists of cases, those with news first; each with the cases of the centre, newest first, and the number of the others."""
    rank = {"new": 0, "worsened": 0, "eased": 1, "recovered": 2, "unchanged": 3}
    found = []
    for item in sorted((one for one in items if one.cases_only), key=lambda one: (rank[one.change], one.order)):
        mine = []
        for one in _cases(item):
            place = namer.place(str(one["region"]), jurisdiction)
            if place is not None:
                subject = namer.subject(str(one["kind"]), str(one["code"]))
                mine.append(CaseLine(rule=str(one["rule"]), subject=subject, place=place, day=dt.date.fromisoformat(str(one["day"]))))
        found.append(
            CaseWarning(
                warning_id=item.warning.warning_id,
                change=item.change,
                grade=grade_name(item.warning.grade) or "NONE",
                grade_before=item.before,
                subject=namer.subject(item.warning.subject.kind, item.warning.subject.code),
                first_seen=item.warning.first_seen,
                due_on=due(item),
                cases=tuple(mine),
                elsewhere=len(_cases(item)) - len(mine),
            )
        )
    return tuple(found)


def case_table(rows: Sequence[CaseWarning], say: Speaker) -> list[Table]:
    """Return the lists of cases as one table; none where there are none."""
    if not rows:
        return []
    t = say.t

    def told(row: CaseWarning) -> str:
        named = [t("case_warnings.one", subject=say.of(one.subject), place=say.place(one.place), day=date(one.day)) for one in row.cases]
        more = len(named) - SHOWN
        return t("sep").join(named[:SHOWN]) + (t("case_warnings.more", n=more) if more > 0 else "")

    lines = tuple(
        (
            Cell("", say.badge(row.grade)),
            Cell(say.change(row.change, row.grade_before, row.grade)),
            Cell(say.of(row.subject)),
            Cell(t("case_warnings.count", n=len(row.cases))),
            Cell(told(row)),
            Cell(date(row.first_seen)),
            Cell(date(row.due_on)),
        )
        for row in rows
    )
    names = ("others.grade", "others.change", "others.subject", "case_warnings.number", "case_warnings.cases", "others.since", "others.due")
    total = sum(len(row.cases) for row in rows)
    return [
        Table(
            head=tuple(t(name) for name in names),
            rows=lines,
            align="lllllll",
            widths=(11, 11, 16, 7, 33, 11, 11),
            caption=t("case_warnings.heading", n=total),
        )
    ]


def taken_line(
    warning: WarningLike, known: Mapping[str, WarningLike], *, as_of: dt.date, namer: Namer, jurisdiction: str
) -> TakenLine | None:
    """Return whose place a warning has taken, as far as the centre sees it; None on the day itself, when the reason says it."""
    members = [known[one] for one in getattr(warning, "takes_over", ()) if one in known]
    if getattr(warning, "handed_on", None) == as_of:
        return None
    found = []
    for one in sorted(members, key=lambda member: member.warning_id):
        place = namer.place(one.subject.region, jurisdiction)
        if place is not None:
            found.append(RelatedSubject(subject=namer.subject(one.subject.kind, one.subject.code), place=place))
    return TakenLine(subjects=tuple(found), since=warning.first_seen) if found else None


def taken_sentence(item: TakenLine | None, say: Speaker) -> tuple[str, ...]:
    """Return the line on the card; none where it took over from nobody."""
    if item is None:
        return ()
    named = [say.t("related.one", subject=say.of(one.subject), place=say.place(one.place)) for one in item.subjects]
    return (say.t("card.taken", subjects=say.t.join(named), since=date(item.since)),)
