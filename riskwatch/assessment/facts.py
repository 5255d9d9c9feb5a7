"""Figures from the records behind a concern: counts and codes only, no names, small cells of persons suppressed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.behind import RecordBase, Window
from riskwatch.assessment.cases import Cases, link_cases
from riskwatch.assessment.hazards import Classifier, tally
from riskwatch.assessment.other_facts import OTHER_STREAMS
from riskwatch.assessment.related import Shared
from riskwatch.assessment.risk import cluster_severity, proportion_interval, severities
from riskwatch.assessment.rules import GradingRules, Privacy
from riskwatch.assessment.texts import texts_of
from riskwatch.assessment.types import Subject

__all__ = ["Facts", "InjuryFacts", "NoticeFacts", "OtherFacts", "SpotCheckFacts", "age_bands", "gather"]

OWN = ("injury", "spot_check", "external_notice")  # streams with facts of their own

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InjuryFacts:
    """Injuries of a concern; arrays run over records."""

    persons: float
    deaths: float
    serious: float
    levels: npt.NDArray[np.int64]
    counts: FloatArray
    estimate: FloatArray
    percentile: int
    maximum: int
    vulnerable_share: float | None
    hospitals: int
    classes: Mapping[str, float]
    figures: dict[str, object]


@dataclass(frozen=True, eq=False)
class SpotCheckFacts:
    """Samples of a concern."""

    inspected: float
    failed: float
    random_inspected: float
    random_failed: float
    failing_selections: tuple[str, ...]
    producers: int
    largest_producer_share: float | None
    sharing_producers: int
    shared_item: str
    classes: Mapping[str, float]
    figures: dict[str, object]
    largest_batch_share: float | None = None
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True, eq=False)
class OtherFacts:
    """Records of any other stream of a concern."""

    records: float
    classes: Mapping[str, float]
    counts: Mapping[str, object]
    largest_platform_share: float | None = None
    with_platform: int = 0

    @property
    def figures(self) -> dict[str, object]:
        """What the reader sees, JSON-able."""
        share = None if self.largest_platform_share is None else round(self.largest_platform_share, 3)
        told = {**self.counts, "records": self.records, "hazard_classes": dict(self.classes)}
        return {**told, "largest_platform_share": share, "with_platform": self.with_platform}


@dataclass(frozen=True, eq=False)
class NoticeFacts:
    """Foreign notices of a concern."""

    notices: float
    recalled: float
    classes: Mapping[str, float]
    figures: dict[str, object]


@dataclass(frozen=True, eq=False)
class Facts:
    """All figures of one concern; a stream without records is None."""

    injury: InjuryFacts | None = None
    spot_check: SpotCheckFacts | None = None
    notice: NoticeFacts | None = None
    others: Mapping[str, OtherFacts] = field(default_factory=dict)
    cases: Cases = field(default_factory=lambda: Cases({}, {}, 0))
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_region: Mapping[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, object]:
        """Return what the reader sees, JSON-able."""
        parts = {"injuries": self.injury, "spot_checks": self.spot_check, "external": self.notice}
        found: dict[str, object] = {name: part.figures for name, part in parts.items() if part is not None}
        for stream, part in sorted(self.others.items()):
            found[OTHER_STREAMS[stream][0] if stream in OTHER_STREAMS else stream] = part.figures
        if len(self.cases.records) > 1:
            found["cases"] = self.cases.figures()
        return found

    def profiles(self, types: Mapping[str, str]) -> dict[str, dict[str, float]]:
        """Return source type -> hazard class -> weight; ``types`` says of which type each stream is."""
        found: dict[str, dict[str, float]] = {}
        parts: list[tuple[str, InjuryFacts | SpotCheckFacts | NoticeFacts | OtherFacts | None]] = [
            ("injury", self.injury),
            ("spot_check", self.spot_check),
            ("external_notice", self.notice),
            *sorted(self.others.items()),
        ]
        for stream, part in parts:
            mine = found.setdefault(types.get(stream, stream), {})
            for code, weight in (part.classes if part is not None else {}).items():
                mine[code] = mine.get(code, 0.0) + weight
        return found


def _text(frame: pd.DataFrame, column: str) -> pd.Series:
    texts = texts_of(frame[column]) if column in frame.columns else np.full(len(frame), "", dtype=object)
    return pd.Series(texts, index=frame.index, dtype="object")


def _number(frame: pd.DataFrame, column: str, default: float) -> FloatArray:
    if column not in frame.columns:
        return np.full(len(frame), default)
    return np.asarray(frame[column].astype(np.float64).fillna(default), dtype=np.float64)


def _sums(labels: pd.Series, weights: FloatArray) -> dict[str, float]:
    ids, words = pd.factorize(labels.to_numpy(dtype=object))
    totals = np.bincount(ids, weights=weights, minlength=len(words)).tolist()
    return {
        str(label): total
        for label, total in sorted(zip(words, totals, strict=True), key=lambda pair: (-pair[1], str(pair[0])))
        if total > 0
    }


def age_bands(ages: FloatArray, persons: FloatArray, privacy: Privacy) -> dict[str, int | None]:
    """Return persons by age band; None where fewer than ``suppress_below`` but not zero.

    Where exactly one band is suppressed the next smallest is suppressed with it, so that it cannot be had by subtraction.
    """
    counts: dict[str, int] = {}
    for first, last in privacy.age_bands:
        inside = (ages >= first) & (ages < (np.inf if last is None else last + 1))
        counts[f"{first}+" if last is None else f"{first}-{last}"] = int(persons[inside].sum())
    hidden = {band for band, count in counts.items() if 0 < count < privacy.suppress_below}
    if len(hidden) == 1:
        others = sorted((count, band) for band, count in counts.items() if band not in hidden and count > 0)
        if others:
            hidden.add(others[0][1])
    return {band: None if band in hidden else count for band, count in counts.items()}


def _injuries(rows: pd.DataFrame, rules: GradingRules, classifier: Classifier) -> InjuryFacts | None:
    persons = _number(rows, "persons", 1.0)
    if persons.sum() <= 0:
        return None
    levels = severities(rows, rules.severity)
    outcome = _text(rows, "outcome")
    deaths = float(persons[(outcome == "died").to_numpy()].sum())
    serious = float(persons[levels == 3].sum())
    percentile, maximum = cluster_severity(levels, persons, rules.severity.percentile)
    ages = _number(rows, "age", np.nan)
    known = np.isfinite(ages)
    young_or_old = persons[known & ((ages < 15) | (ages >= 65))].sum()
    known_persons = float(persons[known].sum())
    hospitals = _text(rows, "hospital")
    coverage = rules.probability.coverage
    by_source = _text(rows, "source").map(lambda name: coverage.get(name, coverage["default"])).astype(np.float64).to_numpy()
    weight = _number(rows, "weight", np.nan)
    estimate = persons * np.where(np.isfinite(weight) & (weight > 0), weight, 1 / by_source)
    classes = tally(classifier.of_injuries(rows), persons)
    figures: dict[str, object] = {
        "records": len(rows),
        "persons": float(persons.sum()),
        "deaths": deaths,
        "serious": serious,
        "by_outcome": _sums(outcome.where(outcome != "", "unknown"), persons),
        "by_severity": {str(level): float(persons[levels == level].sum()) for level in (1, 2, 3, 4)},
        "severity_percentile": percentile,
        "severity_maximum": maximum,
        "hospitals": int(hospitals[hospitals != ""].nunique()),
        "hazard_classes": classes,
    }
    share = None
    if known_persons > 0:
        bands = age_bands(ages[known], persons[known], rules.privacy)
        figures["age_bands"] = bands
        share = float(young_or_old / known_persons)
        # A share of few persons tells their ages as well as a count does.
        figures["under_15_or_over_64_share"] = round(share, 3) if all(count is not None for count in bands.values()) else None
    if known_persons < rules.lifts.vulnerable_min_persons:
        share = None
    if np.isfinite(weight).any():
        figures["weighted_estimate"] = float(estimate.sum())
    hospital_count = int(hospitals[hospitals != ""].nunique())
    return InjuryFacts(
        float(persons.sum()), deaths, serious, levels, persons, estimate, percentile, maximum, share, hospital_count, classes, figures
    )


def _spot_checks(rows: pd.DataFrame, base: RecordBase, rules: GradingRules, classifier: Classifier) -> SpotCheckFacts | None:
    inspected = _number(rows, "inspected", 1.0)
    failed = _number(rows, "failed", 0.0)
    if inspected.sum() <= 0:
        return None
    selection = _text(rows, "selection")
    selection = selection.where(selection != "", "unknown")
    by_selection: dict[str, object] = {}
    for name, total in _sums(selection, inspected).items():
        bad = float(failed[(selection == name).to_numpy()].sum())
        low, high = proportion_interval(min(bad, total), total, rules.probability.interval)
        by_selection[name] = {"inspected": total, "failed": bad, "rate": bad / total, "low": low, "high": high}
    random = (selection == "random").to_numpy()
    fails = rows.loc[failed > 0]
    bad_counts = pd.Series(failed[failed > 0], index=fails.index)
    producers = _text(fails, "producer")
    by_producer = _sums(producers[producers != ""], np.asarray(bad_counts[producers != ""], dtype=np.float64))
    known_failures = sum(by_producer.values())
    largest = max(by_producer.values()) / known_failures if known_failures > 0 else None

    batches = _text(fails, "batch_no")
    # A batch number is one firm's: two firms may use the same.
    by_batch = _sums((producers + "|" + batches)[batches != ""], np.asarray(bad_counts[batches != ""], dtype=np.float64))
    largest_batch = max(by_batch.values()) / sum(by_batch.values()) if by_batch else None

    bad_items = base.items_of(fails)
    if not bad_items.empty and "verdict" in bad_items.columns:
        bad_items = bad_items.loc[(bad_items["verdict"].astype("object") == "fail").to_numpy()]
    item_names = _text(bad_items, "item").str.strip()
    item_classes = classifier.of_items(bad_items) if len(bad_items) else []
    classes = tally(item_classes, np.ones(len(item_classes)))
    per_item = {str(name): float(count) for name, count in item_names.value_counts().items() if str(name)}
    shared, sharing = _shared_item(bad_items, item_names, producers)
    figures: dict[str, object] = {
        "samples": len(rows),
        "inspected": float(inspected.sum()),
        "failed": float(failed.sum()),
        "by_selection": by_selection,
        "by_channel": _sums(_text(fails, "channel").replace("", "unknown"), np.asarray(bad_counts, dtype=np.float64)),
        "producers_failed": len(by_producer),
        "largest_producer_share": None if largest is None else round(largest, 3),
        "batches_failed": len(by_batch),
        "failed_with_batch": sum(by_batch.values()),
        "largest_batch_share": None if largest_batch is None else round(largest_batch, 3),
        "producers_sharing_an_item": sharing,
        "shared_item": shared,
        "counterfeit_claims": int(rows["counterfeit_claim"].fillna(value=False).astype(bool).sum())
        if "counterfeit_claim" in rows.columns
        else 0,
        "items": [
            {"item": name, "class": classifier.classify("items", name), "failed": count}
            for name, count in sorted(per_item.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
        ],
        "hazard_classes": classes,
    }
    return SpotCheckFacts(
        float(inspected.sum()),
        float(failed.sum()),
        float(inspected[random].sum()),
        float(failed[random].sum()),
        tuple(sorted(set(selection[failed > 0]))),
        len(by_producer),
        largest,
        sharing,
        shared,
        classes,
        figures,
        largest_batch,
        Shared(frozenset(per_item), frozenset(by_producer)),
    )


def _shared_item(items: pd.DataFrame, names: pd.Series, producers: pd.Series) -> tuple[str, int]:
    """Return the item that most producers fail, and how many they are."""
    if items.empty:
        return "", 0
    joined = pd.DataFrame({"item": names.to_numpy(), "producer": producers.loc[items["sample"]].to_numpy()})
    joined = joined.loc[((joined["producer"] != "") & (joined["item"] != "")).to_numpy()]
    counts = joined.groupby("item")["producer"].nunique()
    return max(((str(item), int(count)) for item, count in counts.items()), key=lambda pair: (pair[1], pair[0]), default=("", 0))


def _notices(rows: pd.DataFrame, rules: GradingRules, classifier: Classifier) -> NoticeFacts | None:
    notices = _number(rows, "notices", 1.0)
    if notices.sum() <= 0:
        return None
    pattern = re.compile(rules.lifts.recalled_abroad, re.IGNORECASE)
    about = _text(rows, "notice_type") + " " + _text(rows, "title")
    recalled = float(notices[[bool(pattern.search(text)) for text in about]].sum())
    classes = tally(classifier.of_notices(rows), notices)
    decisions = _sums(_text(rows, "risk_decision").replace("", "unknown"), notices)
    origins = dict(list(_sums(_text(rows, "origin").replace("", "unknown"), notices).items())[:5])
    figures: dict[str, object] = {
        "notices": float(notices.sum()),
        "recalled": recalled,
        "by_risk_decision": decisions,
        "largest_origins": origins,
        "hazard_classes": classes,
    }
    return NoticeFacts(float(notices.sum()), recalled, classes, figures)


def _others(stream: str, rows: pd.DataFrame, classifier: Classifier) -> OtherFacts:
    platforms = _text(rows, "platform")
    counts = _sums(platforms[platforms != ""], np.ones(int((platforms != "").sum())))
    share = max(counts.values()) / sum(counts.values()) if counts else None
    told = OTHER_STREAMS[stream][1](rows) if stream in OTHER_STREAMS else {}
    return OtherFacts(float(len(rows)), tally(classifier.of_texts(rows), np.ones(len(rows))), told, share, int((platforms != "").sum()))


def gather(subject: Subject, windows: Mapping[str, Window | None], base: RecordBase, rules: GradingRules, classifier: Classifier) -> Facts:
    """Return the figures of the records about ``subject`` within the window of each stream.

    Parameters
    ----------
    subject : Subject
        What and where. Foreign notices have no place of their own and are taken wherever they come from.
    windows : mapping of str to (date, date) or None
        Stream -> first and last day; None for all that was given.
    """
    parts: dict[str, pd.DataFrame] = {}
    sources: dict[str, tuple[str, ...]] = {}
    by_region: dict[str, float] = defaultdict(float)
    for stream, window in sorted(windows.items()):
        if stream not in base.frames:
            continue
        rows = base.select(stream, subject, window=window, region="" if stream == "external_notice" else None)
        parts[stream] = rows
        if len(rows) and "source" in rows.columns:
            sources[stream] = tuple(sorted(set(_text(rows, "source")) - {""}))
        # Complaints, claims and the like are counted where people live or firms report: they say little of where the harm is.
        if stream not in OTHER_STREAMS:
            for region, count in base.counts_by_region(stream, rows).items():
                by_region[region] += count
    injury = parts.get("injury")
    checks = parts.get("spot_check")
    notices = parts.get("external_notice")
    linking = rules.linking
    persons = {stream: rows for stream, rows in parts.items() if stream in linking.case_streams}
    return Facts(
        injury=_injuries(injury, rules, classifier) if injury is not None and len(injury) else None,
        spot_check=_spot_checks(checks, base, rules, classifier) if checks is not None and len(checks) else None,
        notice=_notices(notices, rules, classifier) if notices is not None and len(notices) else None,
        others={stream: _others(stream, rows, classifier) for stream, rows in parts.items() if stream not in OWN and len(rows)},
        cases=link_cases(persons, days=linking.case_days, age=linking.case_age, paths=base.paths),
        sources=sources,
        by_region=dict(sorted(by_region.items())),
    )
