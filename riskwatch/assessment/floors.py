"""What needs no statistics: deaths, known lethal hazards, failed rechecks and large single events."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.assessment.accident_floors import event_grade, final_reports, told_already
from riskwatch.assessment.behind import PRODUCTS, RecordBase
from riskwatch.assessment.hazards import Classifier
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import GradingRules, GroupedFloors
from riskwatch.assessment.types import Grade, Subject

__all__ = ["FloorEvent", "covers", "find_floor_events", "floor_events_of_domains", "floor_rules", "grouped", "subjects_of"]


@dataclass(frozen=True, slots=True)
class FloorEvent:
    """One thing that warrants a grade by itself; counts and codes only."""

    rule: str  # death | hazard-item | recheck-failed | event
    grade: Grade
    stream: str
    source_type: str
    products: tuple[str, ...]  # primary product first
    industry: str
    region: str
    day: dt.date
    count: float
    detail: str = ""  # hazard class of an item
    firm: int = -1  # which firm, as a number that means nothing outside this run

    @property
    def subject(self) -> Subject:
        """What it is about: the primary product, else the industry, else the place as such."""
        if self.products:
            return Subject("product", self.products[0], self.region)
        return Subject("industry", self.industry, self.region) if self.industry else Subject("region", self.region, self.region)


def _codes(row: Mapping[str, object], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(row[column]) for column in columns if column in row and isinstance(row[column], str) and row[column])


def _event(
    row: Mapping[str, object], rule: str, grade: str, *, stream: str, source_type: str, count: float = 1.0, detail: str = "", firm: int = -1
) -> FloorEvent:
    return FloorEvent(
        rule,
        Grade[grade],
        stream,
        source_type,
        _codes(row, PRODUCTS),
        next(iter(_codes(row, ("industry",))), ""),
        next(iter(_codes(row, ("region",))), ""),
        pd.Timestamp(row["event_date"]).date(),  # type: ignore[arg-type]  # a date column holds dates
        count,
        detail,
        firm,
    )


def _persons(row: Mapping[str, object]) -> float:
    value = row.get("persons")
    return float(value) if isinstance(value, (int, float)) and value > 0 else 1.0


def _recent(frame: pd.DataFrame, first: dt.date, as_of: dt.date) -> pd.DataFrame:
    days = pd.to_datetime(frame["event_date"])
    return frame.loc[((days >= pd.Timestamp(first)) & (days <= pd.Timestamp(as_of))).to_numpy()]


_ACCIDENT = ("deaths", "serious", "loss", "cause_preliminary", "cause_final")


def _plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    columns = [
        c
        for c in (*PRODUCTS, "industry", "region", "event_date", "persons", *_ACCIDENT, "_levels", "_firm", "_class")
        if c in frame.columns
    ]
    part = frame[columns].astype("object")
    return [{str(k): v for k, v in row.items()} for row in part.where(part.notna(), None).to_dict("records")]


def find_floor_events(
    base: RecordBase, rules: GradingRules, classifier: Classifier, *, as_of: dt.date, source_types: Mapping[str, str]
) -> list[FloorEvent]:
    """Scan all records of the look-back window, alarmed or not.

    Parameters
    ----------
    source_types : mapping of str to str
        Stream -> source type of its evidence.

    Returns
    -------
    list of FloorEvent
        In a fixed order. A death without a product is not plausibly from a product and is left out.
    """
    first = as_of - dt.timedelta(days=rules.floors.lookback_days)
    found: list[FloorEvent] = []
    if "injury" in base.frames:
        found += _injury_events(_recent(base.frames["injury"], first, as_of), rules, source_types.get("injury", "injury"))
    if "accident" in base.frames:
        told = [(e.products[0], e.region, e.day, e.count) for e in found if e.rule == "death"]
        found += _accident_events(_recent(base.frames["accident"], first, as_of), rules, source_types.get("accident", "accident"), told)
    if "spot_check" in base.frames:
        rows = _recent(base.frames["spot_check"], first, as_of)
        found += _check_events(rows, base, rules, classifier, source_types.get("spot_check", "inspection"))
    return sorted(found, key=lambda e: (e.rule, e.products, e.industry, e.region, e.day, -e.grade, e.detail, e.count, e.firm))


def floor_events_of_domains(
    base: RecordBase,
    rules: GradingRules,
    classifier: Classifier,
    *,
    as_of: dt.date,
    source_types: Mapping[str, str],
    domain_of: Callable[[Subject], str | None],
) -> list[FloorEvent]:
    """Scan for floors with the rules of all goods, and where a domain has floors of its own, for its goods with those.

    ``domain_of`` returns the domain of goods of a subject; None where it is not known.
    """
    events = find_floor_events(base, rules, classifier, as_of=as_of, source_types=source_types)
    own = {name: merged for name in rules.domains if (merged := rules.for_domain(name, as_of)).floors != rules.floors}
    if not own:
        return events

    def domain(event: FloorEvent) -> str | None:
        kind, code = ("product", event.products[0]) if event.products else ("industry", event.industry)
        return domain_of(Subject(kind, code)) if code else None

    kept = [event for event in events if domain(event) not in own]
    for name, merged in own.items():
        some = find_floor_events(base, merged, classifier, as_of=as_of, source_types=source_types)
        kept += [event for event in some if domain(event) == name]
    return kept


def floor_rules(rules: GradingRules, as_of: dt.date) -> dict[str, object]:
    """Return what :func:`floor_events_of_domains` reads of the rules, JSON-able."""
    own = {name: rules.for_domain(name, as_of).floors.model_dump(mode="json") for name in rules.domains}
    return {"floors": rules.floors.model_dump(mode="json"), "domains": own}


def _injury_events(rows: pd.DataFrame, rules: GradingRules, source_type: str) -> list[FloorEvent]:
    if rows.empty or "outcome" not in rows.columns:
        return []
    excluded = re.compile("|".join(f"(?:{p})" for p in rules.floors.death_excluded_causes) or r"(?!)", re.IGNORECASE)
    cause = rows["cause"].astype("object") if "cause" in rows.columns else pd.Series([""] * len(rows), index=rows.index, dtype="object")
    plausible = np.array([not excluded.search(str(text)) if isinstance(text, str) else True for text in cause], dtype=bool)
    died = (rows["outcome"].astype("object") == "died").to_numpy()
    found = [
        _event(row, "death", rules.floors.death, stream="injury", source_type=source_type, count=_persons(row))
        for row in _plain(rows.loc[plausible & died])
        if _codes(row, PRODUCTS)
    ]
    # One event is one place and day; where the place is not known nothing ties persons together but their own record.
    severe = (rows["outcome"].astype("object").isin(["admitted", "transferred"])).to_numpy()
    if "severity" in rows.columns:
        severe = severe | (rows["severity"].astype("object") == "severe").to_numpy()
    totals: dict[tuple[object, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    samples: dict[tuple[object, ...], dict[str, object]] = {}
    part = rows.assign(_levels=np.where(died, 2, np.where(severe, 1, 0))).loc[plausible & (died | severe)]
    for position, row in enumerate(_plain(part)):
        products = _codes(row, PRODUCTS)
        if not products:
            continue
        key: tuple[object, ...] = (products[0], row.get("region") or position, row["event_date"])
        totals[key][0 if row["_levels"] == 2 else 1] += _persons(row)
        samples.setdefault(key, row)
    for key, (deaths, serious) in totals.items():
        grade = event_grade(rules.floors, deaths=deaths, serious=serious, loss=0.0)
        if grade is not None:
            found.append(_event(samples[key], "event", grade, stream="injury", source_type=source_type, count=deaths + serious))
    return found


def _accident_events(
    rows: pd.DataFrame, rules: GradingRules, source_type: str, told: Sequence[tuple[str, str, dt.date, float]]
) -> list[FloorEvent]:
    """Return what accident reports warrant; a death that an injury card tells as well stays one floor event, of the card."""
    excluded = re.compile("|".join(f"(?:{p})" for p in rules.floors.death_excluded_causes) or r"(?!)", re.IGNORECASE)
    found: list[FloorEvent] = []
    for row in _plain(final_reports(rows)):
        if not _codes(row, PRODUCTS):
            continue
        deaths, serious, loss = (_amount(row, name) for name in ("deaths", "serious", "loss"))
        if excluded.search(str(row.get("cause_final") or row.get("cause_preliminary") or "")):
            continue
        if deaths and not told_already(row, told, deaths):
            found.append(_event(row, "death", rules.floors.death, stream="accident", source_type=source_type, count=deaths))
        grade = event_grade(rules.floors, deaths=deaths, serious=serious, loss=loss)
        if grade is not None:
            found.append(_event(row, "event", grade, stream="accident", source_type=source_type, count=deaths + serious))
    return found


def _amount(row: Mapping[str, object], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _check_events(rows: pd.DataFrame, base: RecordBase, rules: GradingRules, classifier: Classifier, source_type: str) -> list[FloorEvent]:
    if rows.empty or "verdict" not in rows.columns:
        return []
    failed = (rows["verdict"].astype("object") == "fail").to_numpy()
    found = []
    fails = rows.loc[failed]
    items = base.items_of(fails)
    if not items.empty:
        items = items.loc[(items["verdict"].astype("object") == "fail").to_numpy()]
        classes = pd.Series(classifier.of_items(items), index=items.index, dtype="object")
        floors = {code: known.floor for code, known in classifier.catalogue.classes.items() if known.floor is not None}
        grave = items.loc[classes.isin(list(floors)).to_numpy()]
        marked = grave[["sample"]].assign(_class=classes.loc[grave.index].to_numpy()).drop_duplicates()
        joined = fails.loc[marked["sample"]].assign(_class=marked["_class"].to_numpy())
        for row in _plain(joined):
            code = str(row["_class"])
            found.append(_event(row, "hazard-item", str(floors[code]), stream="spot_check", source_type=source_type, detail=code))
    again = np.zeros(len(rows), dtype=bool)
    if "check_type" in rows.columns:
        again = again | ((rows["check_type"].astype("object") == "recheck").to_numpy() & failed)
    if "recheck_of" in rows.columns:
        named = rows["recheck_of"].astype("object")
        again = again | ((named.notna() & (named != "")).to_numpy() & failed)
    if "recheck_result" in rows.columns:
        again = again | (rows["recheck_result"].astype("object") == "fail").to_numpy()
    repeats = rows.loc[again]
    if len(repeats):
        firms = repeats["producer"].astype("object") if "producer" in repeats.columns else pd.Series(pd.NA, index=repeats.index)
        firm_ids, _ = pd.factorize(firms.where(firms.notna() & (firms != ""), None), sort=True)
        found += [
            _event(
                row,
                "recheck-failed",
                rules.floors.recheck_failed,
                stream="spot_check",
                source_type=source_type,
                firm=int(str(row["_firm"])),
            )
            for row in _plain(repeats.assign(_firm=firm_ids))
        ]
    return found


def covers(subject: Subject, event: FloorEvent, paths: Mapping[str, TreePaths]) -> bool:
    """Whether a concern about ``subject`` speaks for ``event``."""
    if not paths["region"].within(event.region, subject.region):
        return False
    if subject.kind == "product":
        return any(paths["product"].within(code, subject.code) for code in event.products)
    if event.products:
        return False  # an industry or a region does not answer for what a product did
    return subject.kind == "region" or paths["industry"].within(event.industry, subject.code)


def subjects_of(events: Iterable[FloorEvent], paths: Mapping[str, TreePaths]) -> dict[Subject, list[FloorEvent]]:
    """Group events that no concern speaks for by what they are about; the anchor is the smallest region with all of them."""
    groups: dict[tuple[str, str], list[FloorEvent]] = defaultdict(list)
    for event in events:
        if event.products:
            groups["product", event.products[0]].append(event)
        elif event.industry:
            groups["industry", event.industry].append(event)
        else:
            groups["region", event.region].append(event)
    return {
        Subject(kind, code, code if kind == "region" else paths["region"].common([e.region for e in found])): found
        for (kind, code), found in sorted(groups.items())
    }


def grouped(
    events: Iterable[FloorEvent], rules: GroupedFloors, paths: Mapping[str, TreePaths]
) -> tuple[list[FloorEvent], dict[Subject, tuple[FloorEvent, ...]]]:
    """Part events that no concern speaks for into those that stand by themselves and groups of cases.

    Returns
    -------
    list of FloorEvent
        Those of no grouped rule, and those about no product.
    dict of Subject to tuple of FloorEvent
        The others by what they are cases of. A subject is the same whichever of its cases are known, so that its warning keeps its
        identity: goods and place on the levels of ``rules``, or as they are where the trees have no such level.
    """
    alone: list[FloorEvent] = []
    found: dict[Subject, list[FloorEvent]] = defaultdict(list)
    for event in events:
        if event.rule not in rules.rules or not event.products:
            alone.append(event)
            continue
        product, region = event.products[0], event.region
        goods = paths["product"].at_level(product, rules.product_level) or product
        place = paths["region"].at_level(region, rules.region_level) or region if rules.region_level else ""
        found[Subject("product", goods, place)].append(event)
    return alone, {subject: tuple(some) for subject, some in sorted(found.items())}
