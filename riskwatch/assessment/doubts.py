"""What of a concern's own records may come from whoever reports them: lapsed calibrations, one claimant who writes many times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.behind import RecordBase, Window
from riskwatch.assessment.certainty_rules import ArtefactRules
from riskwatch.assessment.recalled import Behind
from riskwatch.assessment.types import Subject
from riskwatch.dossiers.calibration import lapsed_results
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.rules import BurstRules

__all__ = ["CLAIMANT_BURST", "LAPSED_CALIBRATION", "Calibrations", "Doubt", "doubts_of", "lapsed_samples", "lapsed_share", "split"]

BoolArray = npt.NDArray[np.bool_]

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


def lapsed_samples(checks: pd.DataFrame, items: pd.DataFrame, laboratories: pd.DataFrame) -> BoolArray:
    """Return which samples failed in a laboratory whose calibration had lapsed when it reported, shape (samples,).

    A sample with failing items counts only if the calibration for every one of them had lapsed: one item measured well is a failure.

    Parameters
    ----------
    checks : pandas.DataFrame
        Samples: ``event_date``, ``failed``, ``laboratory`` and, where known, ``reported_on``; an index without duplicates.
    items : pandas.DataFrame
        Their test items: ``sample`` (index of the sample), ``item``, ``verdict``.
    laboratories : pandas.DataFrame
        Stream ``laboratory``, see :func:`riskwatch.dossiers.calibration.lapsed_results`.
    """
    failed = (checks["failed"] > 0).to_numpy(dtype=np.bool_)
    fails = checks.loc[failed]
    found = np.zeros(len(checks), dtype=np.bool_)
    day = pd.to_datetime(fails["event_date"])
    if "reported_on" in fails.columns:
        reported = pd.to_datetime(fails["reported_on"])
        day = reported.where(reported.notna(), day)
    laboratories = laboratories.loc[laboratories["laboratory"].isin(fails["laboratory"].unique()).to_numpy()]
    bad_ever = laboratories["calibration"].isin(["lapsed", "failed"]).to_numpy()
    if not (bad_ever | (pd.to_datetime(laboratories["calibration_until"]) < day.max()).to_numpy()).any():
        return found
    samples = pd.DataFrame({"sample": fails.index, "laboratory": fails["laboratory"].to_numpy(), "day": day.to_numpy()})
    bad = pd.DataFrame({"sample": [], "item": []}, dtype=object)
    if len(items):
        bad = items.loc[(items["verdict"].astype("object") == "fail").to_numpy(), ["sample", "item"]].astype(object)
    results = samples.merge(bad.astype({"sample": samples["sample"].dtype}), on="sample", how="left")
    lapsed = pd.Series(lapsed_results(results, laboratories)).groupby(results["sample"].to_numpy()).all()
    found[failed] = lapsed.reindex(fails.index).to_numpy(dtype=np.bool_)
    return found


def lapsed_share(checks: pd.DataFrame, lapsed: BoolArray) -> tuple[float, float]:
    """Return the share of failing samples that are among the ``lapsed`` (:func:`lapsed_samples`), and how many failed."""
    failed = np.maximum(np.nan_to_num(checks["failed"].to_numpy(dtype=np.float64, na_value=np.nan)), 0.0)
    total = float(failed.sum())
    return (float(failed @ lapsed) / total, total) if total > 0 else (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Calibrations:
    """Which of a run's samples failed in a laboratory whose calibration had lapsed; worked out once, when it is first asked for."""

    behind: Behind

    @cached_property
    def lapsed(self) -> BoolArray | None:
        """One truth value for each spot check of the base; None where nothing is known of laboratories."""
        laboratories, base = self.behind.records.get("laboratory"), self.behind.base
        checks = base.frames.get("spot_check")
        if laboratories is None or not len(laboratories) or checks is None or not {"failed", "laboratory"} <= set(checks.columns):
            return None
        fails = checks.loc[(checks["failed"] > 0).to_numpy(dtype=np.bool_)]
        return lapsed_samples(checks, base.items_of(fails) if len(base.items) else base.items, laboratories)


def doubts_of(
    base: RecordBase,
    subject: Subject,
    windows: Mapping[str, Window | None],
    *,
    as_of: dt.date,
    calibrations: Calibrations,
    artefacts: ArtefactRules,
    bursts: BurstRules,
) -> tuple[Doubt, ...]:
    """Return the artefacts that the records about ``subject`` show.

    Failing samples are those of the concern's own window, complaints those of the last ``bursts.days``: a campaign is longer than a week.
    """
    found: list[Doubt] = []
    lapsed = calibrations.lapsed
    if lapsed is not None:
        chosen = base.about("spot_check", subject, window=windows.get("spot_check"))
        share, count = lapsed_share(base.frames["spot_check"].loc[chosen, ["failed"]], lapsed[chosen])
        if share > artefacts.lapsed_share:
            found.append(Doubt(LAPSED_CALIBRATION, "spot_check", share, count))
    complaints = base.frames.get("complaint")
    if complaints is not None and {"complainant", "complaints"} <= set(complaints.columns):
        chosen = base.about("complaint", subject, window=(as_of - dt.timedelta(days=bursts.days - 1), as_of))
        recent = complaints.loc[chosen, ["event_date", "complainant", "complaints"]]
        # One subject, whatever its products and places.
        recent = recent.assign(product=subject.code, region=subject.region)
        # Looked at closely only where somebody may have written often enough.
        often = recent.groupby(recent["complainant"].astype("object"))["complaints"].sum().max() if len(recent) else 0.0
        one = claimant_bursts(recent, as_of=as_of, **bursts.arguments()) if often >= bursts.least else recent.iloc[:0]
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
