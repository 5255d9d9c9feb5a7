"""From the frames of the dossiers to what one centre reads: its own places, counts only, nothing that names a firm or a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from riskwatch.digest.dossier_model import (
    AccidentLine,
    BurstLine,
    CertificateCount,
    Dossier,
    LaboratoryCounts,
    MediaLine,
    NoticeLine,
    RecallLine,
    StepCount,
)
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import significant
from riskwatch.digest.parts import Place, Text
from riskwatch.digest.privacy import MIN_CELL, scrub

__all__ = ["DossierFrames", "dossier"]

LOST = ("suspended", "revoked", "expired")
Row = Mapping[Hashable, Any]


@dataclass(frozen=True, slots=True, eq=False)
class DossierFrames:
    """What the dossiers say of all places, as a run read it. Absent or empty frames are not shown.

    Attributes
    ----------
    accidents : DataFrame
        Of :func:`riskwatch.dossiers.accidents.accident_clocks`, the newest ``accident_days`` only.
    bursts : DataFrame
        Of :func:`riskwatch.dossiers.complaints.claimant_bursts`.
    recalls, certificates, notices : DataFrame
        Of :mod:`riskwatch.dossiers.registers`.
    laboratories : DataFrame
        Of :func:`riskwatch.dossiers.registers.laboratory_status`, with ``region``.
    media : DataFrame
        ``product, region, reports`` over ``media_days``.
    steps : DataFrame
        One row per case: ``ladder, step, region``; only steps that call for escalation.
    labels : mapping of (ladder, step) to Text
        Names of steps.
    """

    accidents: pd.DataFrame = field(default_factory=pd.DataFrame)
    bursts: pd.DataFrame = field(default_factory=pd.DataFrame)
    recalls: pd.DataFrame = field(default_factory=pd.DataFrame)
    certificates: pd.DataFrame = field(default_factory=pd.DataFrame)
    laboratories: pd.DataFrame = field(default_factory=pd.DataFrame)
    notices: pd.DataFrame = field(default_factory=pd.DataFrame)
    media: pd.DataFrame = field(default_factory=pd.DataFrame)
    steps: pd.DataFrame = field(default_factory=pd.DataFrame)
    labels: Mapping[tuple[str, str], Text] = field(default_factory=dict)
    accident_days: int = 7
    burst_days: int = 60
    media_days: int = 28
    certificate_days: int = 30
    comment_days: int = 30


def dossier(frames: DossierFrames, *, as_of: dt.date, namer: Namer, jurisdiction: str) -> Dossier:
    """Return what the dossiers say to one centre.

    Accidents, bursts, cases, licences: of places inside the jurisdiction. Recalls, media and laboratories: of those, of wider areas and of
    unknown places. Trade notices: all whose comments are due within ``comment_days``.
    """
    view = _View(namer, jurisdiction)
    return Dossier(
        accident_days=frames.accident_days,
        accidents=tuple(_accident(row, view) for row in view.inside(frames.accidents)),
        steps=_steps(frames, view),
        certificate_days=frames.certificate_days,
        certificates=_certificates(view.inside(frames.certificates), as_of, frames.certificate_days),
        recalls=_recalls(view.touching(frames.recalls), view),
        notices=tuple(_notice(row, view) for row in _records(frames.notices) if int(row["days_left"]) <= frames.comment_days),
        media_days=frames.media_days,
        comment_days=frames.comment_days,
        media=_media(view.touching(frames.media), view),
        burst_days=frames.burst_days,
        bursts=tuple(_burst(row, view) for row in view.inside(frames.bursts)),
        laboratories=_laboratories(view.touching(frames.laboratories)),
    )


def _records(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return frame.to_dict("records") if len(frame) else []


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or pd.isna(value) else str(value)  # type: ignore[call-overload]  # scalars only


def _day(value: object) -> dt.date | None:
    return None if _text(value) in ("", "NaT") else pd.Timestamp(value).date()  # type: ignore[arg-type]  # a day or a text


@dataclass(frozen=True, slots=True)
class _View:
    """Places and names as one centre sees them."""

    namer: Namer
    jurisdiction: str

    def inside(self, frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
        """Return rows whose place lies in the jurisdiction; an unknown place lies in none but the whole."""
        return [row for row in _records(frame) if self.namer.relation(_text(row["region"]), self.jurisdiction) == "inside"]

    def touching(self, frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
        """Return rows whose place lies in the jurisdiction or contains it, or is unknown."""
        return [row for row in _records(frame) if self.namer.relation(_text(row["region"]), self.jurisdiction)]

    def product(self, row: Row) -> Text | None:
        """Return the name of the product, None if there is none."""
        code = _text(row["product"])
        return self.namer.product(code) if code else None

    def place(self, row: Row) -> Place:
        """Return the place of a row that lies inside."""
        code = _text(row["region"])
        return self.namer.place(code, self.jurisdiction) or Place(code=code, name=self.namer.region(code), relation="inside")


def _persons(value: object) -> int | None:
    """Return a number of persons, None for 1 to 4; what is not stated counts as none reported."""
    number = int(float(known)) if (known := _text(value)) else 0
    return None if 0 < number < MIN_CELL else number


def _accident(row: Row, view: _View) -> AccidentLine:
    return AccidentLine(
        product=view.product(row),
        place=view.place(row),
        event_date=pd.Timestamp(row["event_date"]).date(),
        deaths=_persons(row["deaths"]),
        serious=_persons(row["serious"]),
        hours=significant(float(row["hours"])),
        allowed=float(row["allowed"]),
        state=row["state"],
    )


def _burst(row: Row, view: _View) -> BurstLine:
    by_one, every = int(row["by_one"]), int(row["complaints"])
    few = 0 < every - by_one < MIN_CELL
    return BurstLine(product=view.product(row), place=view.place(row), by_one=by_one, complaints=None if few else every)


def _recalls(rows: list[dict[Hashable, Any]], view: _View) -> tuple[RecallLine, ...]:
    """Return recalls that are not completed: overdue ones first, then the one that ends first."""
    found = [
        RecallLine(
            product=view.product(row),
            begun=pd.Timestamp(row["begun"]).date(),
            ends_on=_day(row["ends_on"]),
            completion=significant(float(row["completion"])) if _text(row["completion"]) else None,
            state=row["state"],
        )
        for row in rows
        if row["state"] != "completed"
    ]
    return tuple(sorted(found, key=lambda line: (line.state != "overdue", line.ends_on or dt.date.max)))


def _notice(row: Row, view: _View) -> NoticeLine:
    return NoticeLine(
        system=scrub(_text(row["system"]), limit=40),
        member=view.namer.region(_text(row["member"])),
        member_code=scrub(_text(row["member"]), limit=10),
        product=view.product(row),
        hs_code=scrub(_text(row["hs_code"]), limit=40),
        comment_until=pd.Timestamp(row["comment_until"]).date(),
        days_left=int(row["days_left"]),
    )


def _media(rows: list[dict[Hashable, Any]], view: _View) -> tuple[MediaLine, ...]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[_text(row["product"])] = totals.get(_text(row["product"]), 0) + int(row["reports"])
    ordered = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(MediaLine(product=view.namer.product(code) if code else None, reports=count) for code, count in ordered if count)


def _certificates(rows: list[dict[Hashable, Any]], as_of: dt.date, days: int) -> tuple[CertificateCount, ...]:
    """Count firms by scheme and status that lost theirs in the last days; one that ran out did so on its last day."""
    since = as_of - dt.timedelta(days=days)
    firms: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        last = _day(row["valid_until"])
        changed = last if row["status"] == "expired" and last is not None and last < as_of else _day(row["since"])
        if row["status"] in LOST and changed is not None and since < changed <= as_of:
            firms.setdefault((str(row["scheme"]), str(row["status"])), set()).add(_text(row["enterprise"]))
    order = sorted(firms, key=lambda key: (key[0], LOST.index(key[1])))
    return tuple(CertificateCount.model_validate({"scheme": key[0], "status": key[1], "firms": len(firms[key])}) for key in order)


def _laboratories(rows: list[dict[Hashable, Any]]) -> LaboratoryCounts | None:
    unfit = [row for row in rows if not row["fit"]]
    if not unfit:
        return None
    counts: dict[str, int] = {}
    for row in unfit:
        item = scrub(_text(row["item"]), limit=40)
        counts[item] = counts.get(item, 0) + 1
    items = sorted((item for item in counts if item), key=lambda item: (-counts[item], item))
    names = ({_text(row["laboratory"]) for row in part} for part in (rows, unfit))
    every, lost = (len(found) for found in names)
    return LaboratoryCounts(laboratories=every, unfit=lost, items=tuple(Text(zh=item, en=item) for item in items))


def _steps(frames: DossierFrames, view: _View) -> tuple[StepCount, ...]:
    """Count cases by step, in the order in which the catalogue names the steps."""
    counts: dict[tuple[str, str], int] = {}
    for row in view.inside(frames.steps):
        key = (str(row["ladder"]), str(row["step"]))
        counts[key] = counts.get(key, 0) + 1
    return tuple(
        StepCount(ladder=key[0], step=key[1], label=label, cases=counts[key]) for key, label in frames.labels.items() if key in counts
    )
