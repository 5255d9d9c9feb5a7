"""Read what the dossiers of a day stand on: accident reports, complaints, recalls, registers, notices, media, cases."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskwatch.assessment.ladders import case_positions
from riskwatch.assessment.types import Subject
from riskwatch.digest import DossierFrames, Text
from riskwatch.dossiers.accidents import accident_clocks
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.registers import certificates_in_force, laboratory_status, open_trade_notices, recalls_in_force
from riskwatch.dossiers.rules import LOOK_BACK
from riskwatch.runner.actions import desk_of, ladder_catalogue, orders_on_record
from riskwatch.runner.context import RunContext
from riskwatch.runner.dossier_rules import dossier_rules

__all__ = ["dossier_frames", "first_reports"]

COLUMNS = {
    "accident": [
        "record_key",
        "known_at",
        "event_date",
        "product",
        "region",
        "reporter",
        "deaths",
        "serious",
        "learned_at",
        "reported_at",
        "report_no",
        "first_report",
    ],
    "complaint": ["event_date", "product", "region", "complainant", "complaints"],
    "recall": ["event_date", "product", "region", "affected", "ends_on", "completion"],
    "certification": ["record_key", "event_date", "enterprise", "scheme", "product", "region", "status", "valid_until"],
    "laboratory": ["record_key", "event_date", "laboratory", "item", "region", "calibration", "calibration_until", "capability"],
    "trade_notice": ["event_date", "system", "member", "hs_code", "product", "title", "comment_until"],
    "media": ["event_date", "product", "region", "reports"],
}


def first_reports(accidents: pd.DataFrame, *, as_of: dt.date, days: int = LOOK_BACK.accident_days) -> pd.DataFrame:
    """Return the first report of each accident that happened, or of which something became known, in the last days.

    Parameters
    ----------
    accidents : DataFrame
        Stream ``accident`` with ``known_at``; a follow-up has a ``report_no`` above 1 and names its ``first_report``.

    Returns
    -------
    DataFrame
        First reports, with the largest ``deaths`` and ``serious`` of all reports on the accident: people die later, too.
    """
    first = accidents["first_report"].astype("object")
    named = (first.notna() & (first != "")).to_numpy()
    chain = np.where(named, first.fillna(""), accidents["record_key"].astype("object"))
    follow_up = named | (pd.to_numeric(accidents["report_no"]).fillna(1) > 1).to_numpy(dtype=bool)
    since = pd.Timestamp(as_of) - pd.Timedelta(days=days)
    new = (pd.to_datetime(accidents["event_date"]) > since) | (pd.to_datetime(accidents["known_at"]) > since)
    most = accidents[["deaths", "serious"]].groupby(chain).max()
    news = set(chain[new.to_numpy(dtype=bool)])
    keep = ~follow_up & np.isin(chain, list(news))
    found = accidents.loc[keep].copy()
    for name in ("deaths", "serious"):
        found[name] = most[name].reindex(chain[keep]).to_numpy()
    return found


def _steps(ctx: RunContext) -> tuple[pd.DataFrame, dict[tuple[str, str], Text]]:
    """Return one row per case on a step that calls for escalation, and the names of all such steps; codes of enterprises stay behind."""
    catalogue = ladder_catalogue(ctx)
    if catalogue is None:
        return pd.DataFrame(), {}
    since = ctx.as_of - dt.timedelta(days=catalogue.case_days + dossier_rules(ctx.definitions).look_back.order_read_days)
    orders, desk, parts = orders_on_record(ctx, catalogue, since), desk_of(ctx), []
    labels: dict[tuple[str, str], Text] = {}
    goods = {code: desk.bodies(Subject("product", code)).goods for code in sorted(set(orders["product"]))} if len(orders) else {}
    for name, ladder in catalogue.ladders.items():
        if not ladder.from_records or not len(orders):
            continue
        mine = orders[[name in catalogue.for_domain(goods[code]) for code in orders["product"]]]
        cases = case_positions(mine, ladder, as_of=ctx.as_of, order=catalogue.events, calendar=ctx.holidays)
        grave = {key: step.label for key, step in ladder.steps.items() if step.result == "escalates"}
        parts.append(cases.loc[cases["step"].isin(grave), ["step", "region"]].assign(ladder=name))
        labels |= {(name, key): Text(zh=label.zh, en=label.en) for key, label in grave.items()}
    return (pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()), labels


def dossier_frames(ctx: RunContext) -> DossierFrames:
    """Return the dossiers of the day for all places; a stream without records gives an empty frame."""
    day, rules = ctx.as_of, dossier_rules(ctx.definitions)
    span = rules.look_back
    back = {
        "accident": span.accident_read_days,
        "complaint": rules.claimant_bursts.days,
        "recall": span.recall_read_days,
        "certification": span.certificate_read_days,
        "laboratory": span.laboratory_read_days,
        "trade_notice": span.trade_notice_read_days,
        "media": span.media_days,
    }

    def read(stream: str) -> pd.DataFrame:
        since = day - dt.timedelta(days=back[stream])
        return ctx.store.read_records(stream, COLUMNS[stream], as_of=day, since=since, until=day)

    laboratories = read("laboratory")
    status = laboratory_status(laboratories, as_of=day, **rules.laboratories.arguments())
    places = (
        laboratories.sort_values("event_date", kind="stable").drop_duplicates("laboratory", keep="last").set_index("laboratory")["region"]
    )
    steps, labels = _steps(ctx)
    return DossierFrames(
        accidents=accident_clocks(first_reports(read("accident"), as_of=day, days=span.accident_days), **rules.accident_clock.arguments()),
        bursts=claimant_bursts(read("complaint"), as_of=day, **rules.claimant_bursts.arguments()),
        recalls=recalls_in_force(read("recall"), as_of=day, **rules.recalls.arguments()),
        certificates=certificates_in_force(read("certification"), as_of=day),
        laboratories=status.assign(region=status["laboratory"].map(places)),
        notices=open_trade_notices(read("trade_notice"), as_of=day),
        media=read("media"),
        steps=steps,
        labels=labels,
        accident_days=span.accident_days,
        burst_days=rules.claimant_bursts.days,
        media_days=span.media_days,
        certificate_days=span.certificate_days,
        comment_days=span.comment_days,
    )
