"""A simulated province: records of three streams with the truth about what was put into them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.datasets.codelists import build_world, nation_of
from riskwatch.datasets.complaints import CAMPAIGNS
from riskwatch.datasets.credit import CREDIT_COLUMNS, simulate_credit, write_credit
from riskwatch.datasets.enterprises import build_enterprises
from riskwatch.datasets.hazard_list import default_hazards
from riskwatch.datasets.hazards import Hazard, check_hazards
from riskwatch.datasets.hospitals import build_hospitals
from riskwatch.datasets.indicators import simulate_indicators
from riskwatch.datasets.injuries import simulate_injuries
from riskwatch.datasets.malformed import plan_malformed
from riskwatch.datasets.notices import simulate_notices
from riskwatch.datasets.policy import simulate_policy, write_policy
from riskwatch.datasets.rhythm import DayAxis
from riskwatch.datasets.scene import Scene
from riskwatch.datasets.spot_checks import simulate_spot_checks
from riskwatch.datasets.writing import FORMATS, Files, Formats, write_indicators, write_stream
from riskwatch.errors import RiskwatchError

__all__ = ["LEDGER_COLUMNS", "SimulatedProvince", "simulate_province"]

LEDGER_COLUMNS = (
    "hazard_id", "kind", "scope", "products", "industry", "regions", "start", "end", "active_at_end", "stream", "defect_from", "item",
    "cause", "relative_risk", "fail_relative_risk", "expected_injuries", "expected_failures", "expected_excess", "injected_injuries",
    "injected_failures", "grade_expected", "note_zh", "note_en",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SimulatedProvince:
    """Simulated records (模拟数据): no row is about a real person, enterprise or event.

    Attributes
    ----------
    seed, start, end
        What it was made with.
    spot_checks, injuries, notices : DataFrame
        Records with the field names of their streams, ``known_on``, ``version`` (2 corrects 1 of the same key) and ``hazard_id``
        ("" for the ordinary course of things; never written to the files that sources read).
    spot_check_items : DataFrame
        Failing items: ``record_key, version, item_no, item, limit, measured, unit, verdict, safety_item, code``.
    ledger : DataFrame
        What was injected: one row per hazard or decoy, with expected and actual excess; the campaigns of single claimants last.
    malformed : DataFrame
        ``stream, position, kind, field, value, expect``: rows that the written files hold besides, wrong on purpose.
    hospitals, hospital_gaps : DataFrame
        Sentinel hospitals, and when they were silent.
    indicators : DataFrame
        Figures of quality indicators, ``indicators.INDICATOR_COLUMNS``; numbers are text, as they are published.
    credit : DataFrame
        Credit classes of the enterprises, one row per evaluation.
    policy : dict of str to DataFrame
        The streams that the policies name: ``accident``, ``complaint``, ``trade_inspection``, ``recall``, ``certification``,
        ``laboratory``, ``media``, ``trade_notice`` and ``insurance_claim``.
    """

    seed: int
    start: dt.date
    end: dt.date
    spot_checks: pd.DataFrame
    spot_check_items: pd.DataFrame
    injuries: pd.DataFrame
    notices: pd.DataFrame
    ledger: pd.DataFrame
    malformed: pd.DataFrame
    hospitals: pd.DataFrame
    hospital_gaps: pd.DataFrame
    indicators: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    credit: pd.DataFrame = dataclasses.field(default_factory=lambda: pd.DataFrame(columns=list(CREDIT_COLUMNS)))
    policy: dict[str, pd.DataFrame] = dataclasses.field(default_factory=dict)

    def write(self, folder: str | Path, *, formats: Formats = "mixed") -> list[Path]:
        """Write the files that the demonstration's sources read, and the truth beside them.

        ``folder/demo/{spot_checks,injuries,notices,indicators,credit}`` hold what centres would receive; ``folder/demo_truth``
        holds ``ledger.csv``, ``malformed.csv`` and ``hospital_gaps.csv``, which no source reads.

        Parameters
        ----------
        folder : path
            Data folder; made if it is not there. Files of the same name are overwritten.
        formats : {"mixed", "plain"}
            ``mixed`` writes some files as GB18030, with a byte-order mark, as XLSX or compressed; ``plain`` all as UTF-8 CSV.

        Returns
        -------
        list of Path
            The files, in the order of writing. The same province gives the same bytes.

        Raises
        ------
        RiskwatchError
            If ``formats`` is unknown.
        """
        if formats not in FORMATS:
            raise RiskwatchError(f"SimulatedProvince.write: formats must be one of {FORMATS}, got {formats!r}")
        files = Files(Path(folder) / "demo")
        located = [
            write_stream(files, stream, frame, malformed=self.malformed, seed=self.seed, formats=formats, items=items)
            for stream, frame, items in (
                ("spot_check", self.spot_checks, self.spot_check_items),
                ("injury", self.injuries, None),
                ("external_notice", self.notices, None),
            )
        ]
        write_indicators(files, self.indicators)
        write_credit(files, self.credit)
        write_policy(files, self.policy)
        truth = Files(Path(folder) / "demo_truth")
        truth.write("ledger", self.ledger, "utf-8")
        truth.write("malformed", pd.concat(located, ignore_index=True), "utf-8")
        truth.write("hospital_gaps", self.hospital_gaps, "utf-8")
        return files.paths + truth.paths


def _industry_of(codes: pd.Series) -> str:
    """Longest code that all product industries share, "" where they share none."""
    texts = [str(code) for code in codes]
    prefix = texts[0]
    while prefix and not all(text.startswith(prefix) for text in texts):
        prefix = prefix[:-1]
    return prefix if len(prefix) != 2 else prefix[:1]


def _ledger(
    hazards: Sequence[Hazard],
    products: pd.DataFrame,
    injuries: dict[str, float],
    failures: dict[str, float],
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> pd.DataFrame:
    cards, samples = frames
    first_cards = cards.loc[cards["version"] == 1, "hazard_id"].value_counts()
    failed = samples.loc[(samples["version"] == 1) & (samples["failed"] > 0), "hazard_id"].value_counts()
    rows = []
    for hazard in hazards:
        named = products["code"].isin(hazard.products) | products["parent"].isin(hazard.products)
        of_injuries, of_failures = injuries.get(hazard.hazard_id, 0.0), failures.get(hazard.hazard_id, 0.0)
        rows.append(
            {
                "hazard_id": hazard.hazard_id,
                "kind": hazard.kind,
                "scope": hazard.scope,
                "products": ";".join(hazard.products),
                "industry": _industry_of(products.loc[named, "industry"]) if named.any() else "",
                "regions": ";".join(hazard.regions),
                "start": hazard.start,
                "end": hazard.end,
                "active_at_end": hazard.end is None,
                "stream": hazard.stream,
                "defect_from": hazard.samples_from if hazard.in_spot_checks else None,
                "item": hazard.item,
                "cause": hazard.mechanism,
                "relative_risk": hazard.relative_risk,
                "fail_relative_risk": hazard.failure_risk,
                "expected_injuries": round(of_injuries, 2),
                "expected_failures": round(of_failures, 2),
                "expected_excess": round(of_injuries + of_failures, 2),
                "injected_injuries": int(first_cards.get(hazard.hazard_id, 0)),
                "injected_failures": int(failed.get(hazard.hazard_id, 0)),
                "grade_expected": hazard.grade_expected,
                "note_zh": hazard.note_zh,
                "note_en": hazard.note_en,
            }
        )
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def _with_campaigns(ledger: pd.DataFrame, complaints: pd.DataFrame, products: pd.DataFrame, axis: DayAxis) -> pd.DataFrame:
    """Add the campaigns of single claimants that were drawn: decoys that are no hazards and live in the complaints alone."""
    rows = ledger.to_dict("records")
    drawn = set(complaints["hazard_id"])
    for campaign in (one for one in CAMPAIGNS if one.campaign_id in drawn):
        first = axis.start + dt.timedelta(days=campaign.first_day(axis))
        numbers = ("relative_risk", "fail_relative_risk", "expected_injuries", "expected_failures", "expected_excess")
        rows.append(
            {
                **dict.fromkeys(LEDGER_COLUMNS, ""),
                **dict.fromkeys(numbers, 0.0),
                "relative_risk": 1.0,
                "fail_relative_risk": 1.0,
                "injected_injuries": 0,
                "injected_failures": 0,
                "hazard_id": campaign.campaign_id,
                "kind": "decoy-claimant",
                "scope": "none",
                "products": campaign.product,
                "industry": _industry_of(products.loc[products["code"] == campaign.product, "industry"]),
                "regions": campaign.region,
                "start": first,
                "end": first + dt.timedelta(days=campaign.days - 1),
                "active_at_end": False,
                "stream": "complaint",
                "defect_from": None,
                "note_zh": campaign.note_zh,
                "note_en": campaign.note_en,
            }
        )
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def simulate_province(
    seed: int = 1,
    start: dt.date = dt.date(2021, 1, 1),
    end: dt.date = dt.date(2025, 12, 31),
    scale: float = 1.0,
    *,
    products: pd.DataFrame | None = None,
    regions: pd.DataFrame | None = None,
    hazards: Sequence[Hazard] | None = None,
    hospitals: int = 15,
    malformed: int = 200,
) -> SimulatedProvince:
    """Simulate spot checks, injuries and notices of a province, with hazards injected and recorded.

    Baseline records do not depend on ``hazards``: each hazard adds cards, or turns passed samples into failed ones, from random
    streams of its own. So the same seed with and without hazards differs by the injected excess only.

    Parameters
    ----------
    seed : int
        Same seed, same records, whatever the number of threads.
    start, end : date
        First and last day, within 2015 to 2030. Records not yet known on ``end`` are left out.
    scale : float
        Multiplies all volumes; 1 gives about 105,000 samples and 107,000 injuries in five years.
    products, regions : DataFrame, optional
        Code lists in the format of ``config/dimensions``; None takes those of the demonstration. Products without a profile get an
        ordinary one. Volumes grow with the population of the regions.
    hazards : sequence of Hazard, optional
        None takes the demonstration's; an empty one injects nothing.
    hospitals : int
        Sentinel hospitals, besides any that a decoy adds.
    malformed : int
        Malformed rows that :meth:`SimulatedProvince.write` adds to the files.

    Returns
    -------
    SimulatedProvince

    Raises
    ------
    RiskwatchError, DimensionError
        If a parameter is out of range, or a hazard or code list does not fit.

    Examples
    --------
    >>> province = simulate_province(seed=1, scale=0.01)
    >>> sorted(province.ledger["kind"].unique())[:2]
    ['decoy-backlog', 'decoy-campaign']
    """
    if not (np.isfinite(scale) and scale > 0):
        raise RiskwatchError(f"simulate_province: scale must be a positive number, got {scale}")
    if seed < 0:
        raise RiskwatchError(f"simulate_province: seed must be >= 0, got {seed}")
    if hospitals < 1:
        raise RiskwatchError(f"simulate_province: hospitals must be >= 1, got {hospitals}")
    if malformed < 0:
        raise RiskwatchError(f"simulate_province: malformed must be >= 0, got {malformed}")
    axis = DayAxis.between(start, end)
    world = build_world(products, regions)
    injected = default_hazards(start, end, world) if hazards is None else tuple(hazards)
    check_hazards(injected, world)
    places = build_hospitals(world, axis, injected, hospitals)
    enterprises = build_enterprises(world, seed)
    scene = Scene(world, axis, seed, scale, injected, enterprises, places)
    cards, of_injuries = simulate_injuries(scene)
    samples, items, of_failures = simulate_spot_checks(scene)
    ledger = _ledger(injected, world.products, of_injuries, of_failures, (cards, samples))
    policy = simulate_policy(scene, cards)
    ledger = _with_campaigns(ledger, policy["complaint"], world.products, axis)
    table = places.table.assign(county=world.counties["code"].to_numpy()[places.table["county"]])
    return SimulatedProvince(
        seed,
        start,
        end,
        samples,
        items,
        cards,
        simulate_notices(scene),
        ledger,
        plan_malformed({"spot_check": samples, "injury": cards}, seed, malformed),
        table,
        places.gaps,
        indicators=simulate_indicators(world, seed, start, end, nation=nation_of(regions, world)),
        credit=simulate_credit(enterprises, axis, seed),
        policy=policy,
    )
