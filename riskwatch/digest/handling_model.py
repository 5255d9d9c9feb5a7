"""What people have done with a warning so far, and which warnings they have set aside."""

from __future__ import annotations

import datetime as dt

from riskwatch.digest.parts import GradeName, Part, Text

__all__ = ["HandlingLine", "SetAside"]


class HandlingLine(Part):
    """Where the case of a warning stands: desks and posts, never a personal name."""

    stage: Text
    owner: Text
    assignee: Text | None
    acknowledged_by: Text | None
    acknowledged_until: dt.date | None
    due_on: dt.date | None
    overdue: bool
    escalations: int
    # What the machine proposes; the level of the card is that of people where they decided on one.
    proposed: GradeName
    by_people: bool
    needed: int
    signed: int
    confirmed: bool


class SetAside(Part):
    """Warnings that are still there and are not listed: closed by people, or silenced until a day."""

    closed: int
    silenced: int
    silenced_until: dt.date | None
