"""What of a concern's own records may come from whoever reports them: lapsed calibrations, one claimant who writes many times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.assessment.behind import RecordBase, Window
from riskwatch.assessment.certainty_rules import ArtefactRules
from riskwatch.assessment.types import Subject
from riskwatch.dossiers.calibration import lapsed_results
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.rules import BurstRules

__all__ = ["CLAIMANT_BURST", "LAPSED_CALIBRATION", "Doubt", "doubts_of", "lapsed_share", "split"]

LAPSED_CALIBRATION = "lapsed-calibration"
CLAIMANT_BURST = "claimant-burst"


@dataclass(frozen=True, slots=True)
class Doubt:
    """An artefact that a concern's own records show.

    Attributes
    ----------
    kind, stream : str
        Kind of flag, as ``lowers.artefact_flags`` lists it, and the stream whose records it is about.
    share, count : float
        Share of the failing samples (complaints) that it is about, and of how many.
    """

    kind: str
    stream: str
    share: float
    count: float

    def figures(self) -> dict[str, object]:
        """Return it for the reader; nobody is named."""
        return {"kind": self.kind, "stream": self.stream, "share": round(self.share, 3), "of": self.count}


def lapsed_share(checks: pd.DataFrame, items: pd.DataFrame, laboratories: pd.DataFrame) -> tuple[float, float]:
    """Return the share of failing samples whose laboratory's calibration had lapsed when it reported, and how many failed.

    A sample with failing items counts only if the calibration for every one of them had lapsed: one item measured well is a failure.

    Parameters
    ----------
    checks : pandas.DataFrame
        Samples: ``event_date``, ``failed``, ``laboratory`` and, where known, ``reported_on``.
    items : pandas.DataFrame
        Their test items: ``sample`` (index of the sample), ``item``, ``verdict``.
    laboratories : pandas.DataFrame
        Stream ``laboratory``, see :func:`riskwatch.dossiers.calibration.lapsed_results`.
    """
    fails = checks.loc[(checks["failed"] > 0).to_numpy()]
    total = float(fails["failed"].sum())
    if total <= 0:
        return 0.0, 0.0
    day = pd.to_datetime(fails["event_date"])
    if "reported_on" in fails.columns:
        reported = pd.to_datetime(fails["reported_on"])
        day = reported.where(reported.notna(), day)
    laboratories = laboratories.loc[laboratories["laboratory"].isin(fails["laboratory"].unique()).to_numpy()]
    bad_ever = laboratories["calibration"].isin(["lapsed", "failed"]).to_numpy()
    if not (bad_ever | (pd.to_datetime(laboratories["calibration_until"]) < day.max()).to_numpy()).any():
        return 0.0, total
    samples = pd.DataFrame({"sample": fails.index, "laboratory": fails["laboratory"].to_numpy(), "day": day.to_numpy()})
    bad = pd.DataFrame({"sample": [], "item": []}, dtype=object)
    if len(items):
        bad = items.loc[(items["verdict"].astype("object") == "fail").to_numpy(), ["sample", "item"]].astype(object)
    results = samples.merge(bad.astype({"sample": samples["sample"].dtype}), on="sample", how="left")
    lapsed = pd.Series(lapsed_results(results, laboratories)).groupby(results["sample"].to_numpy()).all()
    return float(fails["failed"].to_numpy(dtype=np.float64) @ lapsed.reindex(fails.index).to_numpy(dtype=np.float64)) / total, total


def doubts_of(
    base: RecordBase,
    subject: Subject,
    windows: Mapping[str, Window | None],
    *,
    as_of: dt.date,
    laboratories: pd.DataFrame | None,
    artefacts: ArtefactRules,
    bursts: BurstRules,
) -> tuple[Doubt, ...]:
    """Return the artefacts that the records about ``subject`` show.

    Failing samples are those of the concern's own window, complaints those of the last ``bursts.days``: a campaign is longer than a week.
    """
    found: list[Doubt] = []
    checks = base.frames.get("spot_check")
    if laboratories is not None and len(laboratories) and checks is not None and {"failed", "laboratory"} <= set(checks.columns):
        rows = base.select("spot_check", subject, window=windows.get("spot_check"))
        share, count = lapsed_share(rows, base.items_of(rows) if len(base.items) else base.items, laboratories)
        if share > artefacts.lapsed_share:
            found.append(Doubt(LAPSED_CALIBRATION, "spot_check", share, count))
    complaints = base.frames.get("complaint")
    if complaints is not None and {"complainant", "complaints"} <= set(complaints.columns):
        recent = base.select("complaint", subject, window=(as_of - dt.timedelta(days=bursts.days - 1), as_of))
        # One subject, whatever its products and places.
        recent = recent.assign(product=subject.code, region=subject.region)
        enough = float(recent["complaints"].sum()) >= bursts.least
        one = claimant_bursts(recent, as_of=as_of, **bursts.arguments()) if enough else recent.iloc[:0]
        if len(one):
            found.append(Doubt(CLAIMANT_BURST, "complaint", float(one["share"].iloc[0]), float(one["complaints"].iloc[0])))
    return tuple(found)


def split(doubts: Sequence[Doubt], streams: Sequence[str], kinds: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the kinds that lower the grade, and stream -> kind for evidence that must not corroborate.

    An artefact speaks against its own stream: a concern that rests on that stream alone is lowered; where others speak too, theirs stands
    and this one counts for nothing. So nobody lowers a warning by writing many complaints.
    """
    mine = [doubt for doubt in doubts if doubt.kind in kinds and doubt.stream in streams]
    alone = len(set(streams)) == 1
    lowering = tuple(sorted({doubt.kind for doubt in mine})) if alone else ()
    return lowering, {} if alone else {doubt.stream: doubt.kind for doubt in mine}
