"""The dates of the next period: holidays, and standards that come into force."""

from __future__ import annotations

import dataclasses

import pandas as pd

from riskwatch.reports.inputs import Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.report_period import following
from riskwatch.runner.report_scope import Scope
from riskwatch.runner.report_warnings import calendar
from riskwatch.runner.standards import standard_catalogue

__all__ = ["outlook"]


def outlook(scope: Scope) -> dict[str, Input | Missing]:
    """Return the holidays of the next period and the standards of ``config/standards.yaml`` that come into force within it."""
    days = calendar(scope)["outlook"]
    after = following(scope.period)
    rows = []
    for change in standard_catalogue(scope.ctx.definitions).changes(scope.ctx.definitions.profile):
        if after.first <= change.effective_from <= after.last:
            doubt = Text(zh="", en="") if change.basis.verified else Text(zh="（未核对原文）", en=" (text not checked)")
            rows.append(
                (
                    pd.Timestamp(change.effective_from),
                    "standard",
                    f"{change.standard} {change.title.zh}{doubt.zh}",
                    f"{change.standard}: {change.title.en}{doubt.en}",
                )
            )
    if not rows:
        return {"outlook": days}
    standards = pd.DataFrame(rows, columns=["date", "kind", "name_zh", "name_en"])
    origin = Origin(
        room="riskwatch.runner.report_outlook.outlook",
        method=Text(
            zh="config/holidays.yaml 与 config/standards.yaml 中下期的日期",
            en="dates of the next period in config/holidays.yaml and config/standards.yaml",
        ),
        stream="holidays, standards",
        first=after.first,
        last=after.last,
    )
    frame = standards if isinstance(days, Missing) else pd.concat([days.frame, standards], ignore_index=True)
    frame = frame.sort_values(["date", "name_en"], kind="stable", ignore_index=True)
    return {"outlook": Input(frame, dataclasses.replace(origin, records=len(frame)))}
