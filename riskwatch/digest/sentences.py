"""Sentences about figures, places, levels and measures in one language."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence

from riskwatch.digest.blocks import Badge
from riskwatch.digest.model import (
    ActionLine,
    Chart,
    CompactRow,
    Digest,
    GradeLabel,
    LawLine,
    Measure,
    Place,
    SystemicItem,
    Text,
    WarningCard,
)
from riskwatch.digest.numbers import amount, date, one_in, pair, percent, probability, ratio
from riskwatch.digest.text import Wording
from riskwatch.digest.urgency import first_first

__all__ = ["Speaker"]

# Of a new combination a few hundredths of a case are expected: "517 times expected" tells a reader nothing.
_HARDLY_ANY = 0.5
_BEYOND_WORDS = 10.0
_STRATUM_FIELD = re.compile(r", (?=\w+=)")  # a hazard's own name may hold a comma


class Speaker:
    """Says what a digest holds, in one language."""

    def __init__(self, digest: Digest, language: str) -> None:
        self.t = Wording(language)
        self.language = language
        self._grades: dict[str, GradeLabel] = {label.grade: label for label in digest.header.grades}
        self._domains: dict[str, dict[str, GradeLabel]] = {
            domain: {label.grade: label for label in labels} for domain, labels in digest.header.domain_grades
        }
        self._starts = dict(digest.header.starts)

    def of(self, text: Text | None) -> str:
        """Return a text in the language, "not stated" if there is none."""
        return text.of(self.language) if text is not None else self.t("unknown")

    def opening(self, text: str) -> str:
        """Return ``text`` as a sentence opens: with a capital in English."""
        return text if self.language == "zh" else text[:1].upper() + text[1:]

    def _label(self, grade: str, domain: str) -> GradeLabel | None:
        return self._domains.get(domain, self._grades).get(grade)

    def grade(self, grade: str, domain: str = "") -> str:
        """Return the name of a level, as the goods of ``domain`` have it."""
        label = self._label(grade, domain)
        return label.name.of(self.language) if label else grade

    def badge(self, grade: str, domain: str = "") -> Badge:
        """Return the badge of a level; the ink is black or white, whichever contrasts more."""
        label = self._label(grade, domain)
        background = label.colour if label else "#555555"
        return Badge(self.grade(grade, domain), background, ink_on(background))

    def place(self, place: Place) -> str:
        """Return the name of a place, and how it contains the jurisdiction where it does."""
        name = place.name.of(self.language) if place.code else self.t("place.everywhere")
        if place.relation == "inside":
            return name
        return self.t("place.province" if place.level == "province" else "place.wider", name=name)

    def change(self, change: str, before: str | None = None, grade: str | None = None, domain: str = "") -> str:
        """Return what happened, with the level before where it was another."""
        word = self.t.code("change", change)
        if before is None or before in {"NONE", grade}:
            return word
        return self.t("change.from", change=word, before=self.grade(before, domain))

    def unit(self, stream: str) -> str:
        """Return what is counted in a stream."""
        return self.t.code("unit", stream if stream in {"injury", "spot_check", "external_notice"} else "other")

    def stratum(self, stratum: str) -> str:
        """Return the wording of a stratum ("selection=random", or "hazard=ethylene oxide, origin=CN" by the names of its fields)."""
        whole = self.t.code("stratum", stratum)
        if whole != stratum:
            return whole
        parts = [part.partition("=") for part in _STRATUM_FIELD.split(stratum)]
        named = [(self.t.code("stratum", field), self.t("unknown") if value == "(missing)" else value) for field, _, value in parts]
        return self.t.join([f"{field} {value}" for field, value in named]) if all(value for _, value in named) else stratum

    def where(self, measure: Measure, *, with_subject: bool = True) -> str:
        """Return product or industry, place and stratum of a series, ending in a comma; "" if it has none."""
        parts = []
        if with_subject and measure.product is not None:
            parts.append(self.of(measure.product))
        if with_subject and measure.industry is not None:
            parts.append(self.of(measure.industry))
        if measure.place is not None:
            parts.append(self.place(measure.place))
        if measure.stratum:
            parts.append(self.stratum(measure.stratum))
        comma = "，" if self.language == "zh" else ", "
        return "".join(part + comma for part in parts)

    def limits(self, measure: Measure) -> str:
        """Return the interval, or the upper limit alone; in percent for rates."""

        def show(value: float) -> str:
            return amount(value) if measure.exposure is None else percent(value, measure.exposure)

        if measure.upper is None:
            return self.t("measure.nolimit")
        if measure.upper < measure.expected:
            # A method that weighs the newest periods together leaves less room after high ones: an interval would read as a mistake.
            return self.t("measure.lowered", upper=show(max(measure.upper, 0.0)))
        if measure.lower is None:
            return self.t("measure.limit", upper=show(measure.upper))
        return self.t("measure.limits", lower=show(measure.lower), upper=show(measure.upper))

    def _ratio(self, measure: Measure) -> str:
        if measure.ratio is None:
            return self.t("measure.noexpected")
        if measure.exposure is None and measure.expected < _HARDLY_ANY and measure.ratio > _BEYOND_WORDS:
            return self.t("measure.rare")
        return self.t("measure.ratio", ratio=ratio(measure.ratio))

    def measure(self, measure: Measure) -> str:
        """Return a series and period in full: observed, expected, interval, n, ratio, windows, q."""
        more = self._ratio(measure)
        if measure.windows > 1:
            more += self.t("measure.windows", n=measure.windows)
        more += self.t("measure.q", q=probability(measure.q_value))
        return self.t(
            "measure.count" if measure.exposure is None else "measure.rate",
            stream=self.t.code("stream", measure.stream),
            where=self.where(measure),
            period=self.t.period(measure.period_start, measure.period_end),
            observed=amount(measure.observed),
            exposure=amount(measure.exposure),
            unit=self.unit(measure.stream),
            rate=percent(measure.observed, measure.exposure),
            expected=amount(measure.expected),
            expected_rate=percent(measure.expected, measure.exposure),
            limits=self.limits(measure),
            more=more,
        )

    def figures(self, measure: Measure | None, *, where: str = "", with_ratio: bool = True) -> str:
        """Return observed against expected without the rest."""
        if measure is None:
            return self.t("figures.floor")
        return self.t(
            "figures.count" if measure.exposure is None else "figures.rate",
            where=where,
            observed=amount(measure.observed),
            exposure=amount(measure.exposure),
            unit=self.unit(measure.stream),
            rate=percent(measure.observed, measure.exposure),
            expected=amount(measure.expected),
            expected_rate=percent(measure.expected, measure.exposure),
            limits=self.limits(measure),
            ratio=self._ratio(measure) if with_ratio else "",
        )

    def row_figures(self, row: CompactRow) -> str:
        """Return observed over expected of a compact row."""
        if row.covered_by:
            return self.t("others.covered", code=row.covered_by)
        if row.observed is None:
            return self.t("figures.none")
        return pair(row.observed, row.expected, row.exposure)

    def scope(self, item: WarningCard | SystemicItem) -> str:
        """Return the scope with the figures behind it."""
        counts = (("prefectures", item.prefectures), ("counties", item.counties), ("producers", item.producers))
        known = [self.t(f"scope.{name}", n=count) for name, count in counts if count]
        return self.t.code("scope", item.scope) + (self.t("bracket", text=self.t.join(known)) if known else "")

    def title(self, card: WarningCard, form: str = "card.title") -> str:
        """Return subject and place; a region that is the subject itself is named once."""
        place = self.place(card.place)
        if card.subject_kind == "region" and card.subject == card.place.name:
            return self.t("card.title_region", place=place)
        return self.t(form, subject=self.of(card.subject), place=place)

    def reason(self, card: WarningCard) -> str:
        """Return why the level was proposed: risk, confidence, scope and rules apart, never one blended score."""
        chance = "" if card.probability is None else self.t("reason.probability", value=one_in(card.probability))
        if card.probability is not None and card.probability_assumed:
            chance += self.t("reason.assumed")
        risk = self.t.code("risk", card.risk)
        if card.risk_range is not None:
            low, high = (self.t.code("risk", value) for value in card.risk_range)
            chance += self.t("reason.range", low=low, high=high)
        rules = [self.t.code("rule", rule) for rule in card.rules]
        return self.t(
            "reason",
            risk=risk,
            severity=self.t.code("severity", str(card.severity)),
            probability=chance,
            confidence=card.confidence,
            scope=self.scope(card),
            rules=(self.t("reason.rules", rules=self.t.join(rules)) if rules else "") + (self.t("reason.review") if card.review else ""),
        )

    def exposed(self, card: WarningCard) -> str:
        """Return who was hurt or may be: outcomes, age bands, failed items, units in use, hazard."""
        parts = []
        if card.died is not None and card.admitted is not None:
            parts.append(self.t("exposed.injured", died=amount(card.died), admitted=amount(card.admitted)))
        elif card.died is not None:
            parts.append(self.t("exposed.died", died=amount(card.died)))
        elif card.admitted is not None:
            parts.append(self.t("exposed.admitted", admitted=amount(card.admitted)))
        bands = [
            self.t(
                "exposed.band_top" if band.endswith("+") else "exposed.band",
                band=band.rstrip("+"),
                count=self.t("exposed.few") if count is None else amount(count),
            )
            for band, count in card.age_bands
        ]
        if bands:
            parts.append(self.t("exposed.ages", bands=self.t.join(bands)))
        if card.failed_items:
            items = [f"{self.of(name)} {amount(count)}" for name, count in card.failed_items]
            parts.append(self.t("exposed.items", items=self.t.join(items)))
        if card.units_in_use:
            parts.append(self.t("exposed.units", n=amount(card.units_in_use)))
        if card.hazard_name is not None:
            parts.append(self.t("exposed.hazard", hazard=self.of(card.hazard_name)))
        return self.t("sep").join(parts) + self.t("stop") if parts else self.t("exposed.unknown")

    def sources(self, card: WarningCard) -> str:
        """Return the kinds of source and the confidence."""
        names = [self.t.code("source", name) for name in card.source_types]
        listed = self.t.join(names) or self.t("sources.none")
        return self.t("sources", sources=listed, n=len(names), confidence=self.t.code("confidence", card.confidence))

    def basis(self, law: LawLine) -> str:
        """Return a provision; one that nobody has read in force says that it is unverified."""
        name = self.of(law.law)
        if self.language == "zh":
            name = name if name.startswith("《") else f"《{name}》"
            numbers = law.article.replace(", ", "、")
            article = f"第{numbers}条" if numbers and not numbers.startswith("第") else numbers
        else:
            article = f"art. {law.article}" if law.article else ""
        text = self.t("action.basis", law=name, article=article).strip()
        return text if law.verified else text + self.t("action.unverified")

    def action(self, action: ActionLine, marks: Sequence[int]) -> str:
        """Return a measure: who does what, by when; ``marks`` are the numbers of its provisions in the card."""
        starts = self._starts.get(action.starts)
        fields = {
            "date": date(action.due_on),
            "deadline": action.deadline,
            "unit": self.t.code("unit", action.unit),
            "starts": starts.of(self.language) if starts is not None else self.t.code("starts", action.starts),
        }
        if action.deadline == 0:
            due = self.t("action.due_now")
        elif action.due_on is not None:
            due = self.t("action.due" if action.deadline is not None else "action.due_date", **fields)
        else:
            due = self.t("action.due_term" if action.deadline is not None else "action.due_none", **fields)
        listed = "".join(self.t("action.mark", n=mark) for mark in marks)
        return self.t("action", owner=self.of(action.owner), measure=self.of(action.measure), due=due, marks=listed)

    def actions(self, actions: Sequence[ActionLine]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the measures and, apart, the provisions they rest on, each provision once."""
        laws = list(dict.fromkeys(self.basis(law) for action in actions for law in action.legal_basis))
        sentences = tuple(
            self.action(action, sorted({laws.index(self.basis(law)) + 1 for law in action.legal_basis})) for action in actions
        )
        return sentences, tuple(self.t("legal.line", n=number, basis=law) for number, law in enumerate(laws, start=1))

    def chart(self, chart: Chart) -> str:
        """Return the caption of a chart, which carries its newest figure for those who cannot see it."""
        last = chart.points[-1]
        newest = "–" if last.observed is None else amount(last.observed)
        if chart.rate and last.observed is not None:
            newest = f"{amount(last.observed)}/{amount(last.exposure)}"
        return self.t(
            "chart.caption",
            start=date(chart.points[0].period_start),
            end=date(last.period_start),
            n=len(chart.points),
            alarms=sum(point.alarm for point in chart.points),
            last=newest,
        )

    def left(self, days: int) -> str:
        """Return how long a clock still has, or how far it is over."""
        if days == 0:
            return self.t("cases.today")
        return self.t("cases.days_over", n=-days) if days < 0 else self.t("cases.days_left", n=days)

    def next_due(self, card: WarningCard, today: dt.date) -> tuple[dt.date, str] | None:
        """Return day and owner of the measure that comes first of those due from ``today`` on; at once is today."""
        for action in first_first(card.actions):
            if action.deadline == 0:
                return action.due_on or today, self.of(action.owner)
            if action.due_on is not None and action.due_on >= today:
                return action.due_on, self.of(action.owner)
        return None


def ink_on(background: str) -> str:
    """Return black or white, whichever has the larger WCAG 2 contrast on ``background`` (#rrggbb)."""
    channels = [int(background[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4) for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#111111"
