"""Parts of the report on enterprises: counts only, and how many orders to correct were closed in time. No code or name leaves here."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.enterprises import closure_by_region, current_classes, enterprise_history, propose, terms
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.enterprises import CREDIT_COLUMNS, RECORD_COLUMNS, enterprise_rules
from riskwatch.runner.report_scope import Scope

__all__ = ["enterprises"]


def enterprises(scope: Scope) -> dict[str, Input | Missing]:
    """Return counts of enterprises of the jurisdiction, and the closure of orders whose term ended, as known at the period's end."""
    ctx, day = scope.ctx, scope.day
    rules = enterprise_rules(ctx)
    days = rules.windows.repeat_days
    everything = scope.records("spot_check", RECORD_COLUMNS, dt.date(1900, 1, 1), day)
    records = everything[everything["known_at"] < pd.Timestamp(day) + pd.Timedelta(days=1)].reset_index(drop=True)
    if records.empty:
        gone = Missing(Text(zh="期末前没有已知的抽查记录", en="no spot check was known by the end of the period"))
        return {"enterprises": gone, "closure": gone}
    running = terms(records, rules.clocks, as_of=day)
    return {"enterprises": _counts(scope, records, running, days=days), "closure": _closure(scope, running, days=days)}


def _counts(scope: Scope, records: pd.DataFrame, running: pd.DataFrame, *, days: int) -> Input:
    ctx, day, first = scope.ctx, scope.day, scope.period.first
    rules = enterprise_rules(ctx)
    credit = ctx.store.read_records("enterprise_credit", CREDIT_COLUMNS, as_of=day)
    year = enterprise_history(records, as_of=day, window_days=days)
    period = enterprise_history(records, as_of=day, window_days=(day - first).days + 1).frame
    own = set(year.frame["enterprise"])
    classes = current_classes(credit, as_of=day)
    proposals = propose(
        year.frame,
        running,
        classes[classes["enterprise"].isin(own)],
        rules.credit,
        overdue_since=day - dt.timedelta(days=days),
    )
    proposals = proposals[proposals["enterprise"].isin(own)]
    late = running[running["state"] == "overdue"]
    rows = [
        ("inspected", int((period["last_sample"] >= pd.Timestamp(first)).sum())),
        ("failed", int((period["failed_window"] > 0).sum())),
        ("repeat", int((year.frame["repeat_failures"] > 0).sum())),
        ("recheck-failed", int((year.frame["recheck_failures"] > 0).sum())),
        ("overdue", int(late["enterprise"].nunique())),
        ("worse-class", int((proposals["change"] == "worse").sum())),
        ("candidate", int((proposals["candidacy"] != "").sum())),
    ]
    origin = Origin(
        room="riskwatch.enterprises.enterprise_history, terms, propose",
        method=Text(
            zh=f"企业计数（名义生产企业否认的批次除外）；多次、复查仍不合格按截至期末 {days} 天计；仅计数，名单不出系统",
            en=f"counts of enterprises (failures that nominal producers deny left out); repeated and failed rechecks within"
            f" {days} days up to"
            " the period's end; counts only, no list leaves the system",
        ),
        stream="spot_check",
        records=len(records),
        filters={"as known on": day.isoformat(), "place": "of sampling", **scope.where},
        parameters={"enterprises.windows.repeat_days": str(days), "enterprises.version": str(rules.version)},
        first=records["event_date"].min().date(),
        last=day,
    )
    return Input(pd.DataFrame(rows, columns=list(COLUMNS["enterprises"])), origin)


def _closure(scope: Scope, running: pd.DataFrame, *, days: int) -> Input | Missing:
    since = scope.day - dt.timedelta(days=days)
    rechecks = running[(running["term"] == "recheck") & (running["started_on"] > pd.Timestamp(since))]
    tree = scope.ctx.trees.get("region")
    level = None if tree is None else scope.level_of("region", rechecks["region"], pd.Series(1.0, index=rechecks.index))
    found = closure_by_region(rechecks, tree if level else None, as_of=scope.day, level=level or "")
    found = found[found["region"] != ""]
    if found.empty:
        return Missing(Text(zh="没有责令改正的记录", en="no order to correct is on record"))
    rules = enterprise_rules(scope.ctx)
    origin = Origin(
        room="riskwatch.enterprises.closure_by_region",
        method=Text(
            zh=f"近 {days} 天发出的责令改正中，复查期限已到期者；按时办结指期限内复查合格；精确区间",
            en=f"orders to correct of the last {days} days whose term for the recheck has ended; closed in time: a recheck"
            f" passed within the"
            " term; exact interval",
        ),
        stream="spot_check",
        records=int(found["orders"].sum()),
        filters={"as known on": scope.day.isoformat(), "place": "of sampling", "level": level or "code", **scope.where},
        parameters={"enterprises.windows.repeat_days": str(days), "enterprises.version": str(rules.version)},
        first=since + dt.timedelta(days=1),
        last=scope.day,
    )
    return Input(found[list(COLUMNS["closure"])].reset_index(drop=True), origin)
