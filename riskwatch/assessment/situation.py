"""Where a concern stands: all that its grade was computed from, so that the function can be asked again with one input moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskwatch.assessment.confidence import level_of, row_levels
from riskwatch.assessment.grading import Inputs, decide
from riskwatch.assessment.risk import Scenario, matrix_risk, uplifted
from riskwatch.assessment.rules import RISKS, GradingRules
from riskwatch.assessment.scope import ScopeFigures, by_chance, decide_scope
from riskwatch.assessment.suppliers import Verdict
from riskwatch.assessment.types import Grade, Scope
from riskwatch.outside.weight import lowered

__all__ = ["Move", "Signals", "Situation"]


@dataclass(frozen=True, eq=False)
class Signals:
    """What confidence is read from; arrays of shape (series-periods,).

    Attributes
    ----------
    q, windows : array
        False-discovery rate, and consecutive windows in alarm.
    newest, sound : array of bool
        Whether each is its series' newest judged period; whether its stream passes the quality check.
    weakened : array of bool
        Whether silent reporters take a level of confidence from it.
    kinds : tuple of str
        Source type of each.
    ratios : array, optional
        Likelihood ratio of notices from outside for each.
    """

    q: npt.NDArray[np.float64]
    windows: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]
    sound: npt.NDArray[np.bool_]
    weakened: npt.NDArray[np.bool_]
    kinds: tuple[str, ...]
    ratios: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """By how much inputs are moved: decades (powers of ten) for q, probability and units; numbers for the others.

    ``supplier``: what is found out about suppliers, "" for nothing.
    """

    q: float = 0.0
    windows: int = 0
    probability: float = 0.0
    severity: int = 0
    units: float = 0.0
    targeted: float = 0.0
    producers: int = 0
    prefectures: int = 0
    supplier: Verdict | Literal[""] = ""


@dataclass(frozen=True, eq=False)
class Situation:
    """All inputs of one grade.

    Attributes
    ----------
    inputs : Inputs
        As they were decided upon.
    scenarios : tuple of Scenario
        How harm may come about; the highest counts.
    mix : tuple of (float, Scenario)
        Levels at which the percentile of severity may lie, each with its probability; they stand in for ``injury-percentile``.
    scope, figures : Scope, ScopeFigures
        How far it reaches, and what that was decided on.
    units : float or None
        Units in use in the anchor region.
    targeted_share : float or None
        Share of the failures that come from samples not drawn at random; None where that is not read from failures.
    confirmed : bool
        Whether a laboratory or an investigation confirms.
    presumed : bool
        Whether the risk is presumed serious, whatever its probability.
    completed : tuple of str
        Completed recalls or removals, whether or not they count in this scope.
    """

    inputs: Inputs
    signals: Signals
    scenarios: tuple[Scenario, ...]
    mix: tuple[tuple[float, Scenario], ...]
    scope: Scope
    figures: ScopeFigures
    units: float | None
    targeted_share: float | None
    confirmed: bool
    rules: GradingRules
    presumed: bool = False
    completed: tuple[str, ...] = ()
    _grades: dict[Inputs, Grade] = field(default_factory=dict, repr=False)
    _confidences: dict[tuple[int | bytes, ...], str] = field(default_factory=dict, repr=False)

    @cached_property
    def longest(self) -> int:
        """Longest run of windows in alarm among the newest periods."""
        now = self.signals.newest
        return int(self.signals.windows[now].max()) if now.any() else 0

    def grade(self, move: Move = Move()) -> Grade:
        """Return the grade with its inputs moved; without a move, the grade that was proposed."""
        return self.decided(self.moved(move))

    def decided(self, inputs: Inputs) -> Grade:
        """Return the grade of ``inputs``; asked once for each."""
        known = self._grades.get(inputs)
        if known is None:
            known = self._grades[inputs] = decide(inputs, self.rules).grade
        return known

    def scope_after(self, move: Move) -> Scope:
        """Return the scope after ``move``."""
        return decide_scope(self._figures(move), self.rules.scope)[0]

    def moved(self, move: Move) -> Inputs:
        """Return what the grade after ``move`` is decided upon; units in use as they were, where they stay on their side of the limit."""
        inputs = self.inputs
        figures, scope = self.figures, self.scope
        if move.producers or move.prefectures or move.supplier:
            figures = self._figures(move)
            scope, _ = decide_scope(figures, self.rules.scope)
            if scope != self.scope:
                counted = scope.value in self.rules.lowers.completed_scopes
                inputs = replace(inputs, completed=self.completed if counted else ())
            spread = figures.touched if figures.by_chance is not None and figures.by_chance < self.rules.scope.touched_p else 0
            inputs = replace(
                inputs,
                prefectures=spread if figures.judged else inputs.prefectures,
                sharing_producers=figures.sharing_producers,
                one_firm=(inputs.one_firm or self.inspected_only) and figures.producers == 1,
            )
        units = None if self.units is None else self.units * 10**move.units
        if move.targeted and self.targeted_share is not None:
            targeted = self.inspected_only and self.targeted_share + move.targeted >= self.rules.lowers.targeted_share
            inputs = inputs if targeted == inputs.only_targeted else replace(inputs, only_targeted=targeted)
        if move.q or move.windows:
            confidence = self.confidence(move.q, move.windows)
            inputs = inputs if confidence == inputs.confidence else replace(inputs, confidence=confidence)
        if move.windows < 0:
            inputs = replace(inputs, rising=inputs.rising and self.longest + move.windows >= self.rules.lifts.rising_windows)
        if move.probability or move.severity or move.units or scope != self.scope:
            risk = self._risk(move)
            raised = risk
            if scope.value in self.rules.uplift.scopes and units is not None:
                raised = uplifted(risk, units, self.rules.uplift)
            if (raised, raised != risk) != (inputs.risk, inputs.uplifted):
                inputs = replace(inputs, risk=raised, uplifted=raised != risk)
        # Of the units themselves, only on which side of the limit they lie counts: many a shift comes to the same.
        return inputs if self._many(units) == self._many(inputs.units_in_use) else replace(inputs, units_in_use=units)

    def _many(self, units: float | None) -> bool:
        return units is not None and units > self.rules.lifts.units_in_use

    @cached_property
    def inspected_only(self) -> bool:
        """Whether inspections alone speak for the concern: only then 'targeted samples only' and 'one firm only' mean anything."""
        return bool(self.signals.kinds) and set(self.signals.kinds) == {"inspection"}

    def confidence(self, q_decades: float = 0.0, windows: int = 0) -> str:
        """Return C after q was multiplied by a power of ten and every run of windows lengthened."""
        signals, rules = self.signals, self.rules.confidence
        q = np.minimum(1.0, signals.q * 10**q_decades) if q_decades else signals.q
        heard = (q,) if signals.ratios is None else (q, lowered(q, signals.ratios))
        limits = (rules.q_weak, rules.q_strong, rules.q_decisive)
        # Of q, only on which side of each limit it lies counts: many a shift comes to the same.
        asked: tuple[int | bytes, ...] = (windows, *((one < limit).tobytes() for one in heard for limit in limits))
        known = self._confidences.get(asked)
        if known is None:
            levels = row_levels(
                q, np.maximum(1, signals.windows + windows), signals.newest, signals.sound, signals.weakened, rules, signals.ratios
            )
            known = self._confidences[asked] = f"C{level_of(levels, signals.kinds, confirmed=self.confirmed, rules=rules)}"
        return known

    def _risk(self, move: Move) -> str:
        rank = RISKS.index("S") if self.presumed else 0
        for scenario in self.scenarios:
            decades = move.probability - (move.units if scenario.estimated and scenario.name.startswith("injury") else 0.0)
            severity = min(4, max(1, scenario.severity + move.severity))
            risk = matrix_risk(severity, min(1.0, scenario.probability * 10**decades), self.rules.matrix)
            rank = max(rank, RISKS.index(risk))
        return RISKS[rank]

    def _figures(self, move: Move) -> ScopeFigures:
        """Return the figures of scope with more or fewer producers (one failure each) and prefectures touched."""
        old = self.figures
        producers = max(0, old.producers + move.producers)
        share = old.largest_producer_share
        if share is not None and producers:
            failures = max(old.cases, float(old.producers))
            rest = max(0.0, failures * (1 - share) + move.producers)
            share = max(1 / producers, failures * share / (failures * share + rest))
        touched = min(max(0, old.touched + move.prefectures), max(old.judged, old.touched))
        chance = by_chance(touched, old.judged, self.rules.scope.touched_p) if old.judged else None
        sharing = max(0, old.sharing_producers + move.producers) if old.sharing_producers else 0
        suppliers = replace(old.suppliers, verdict=move.supplier) if old.suppliers is not None and move.supplier else old.suppliers
        return replace(
            old,
            producers=producers,
            largest_producer_share=share,
            sharing_producers=sharing,
            touched=touched,
            by_chance=chance,
            suppliers=suppliers,
        )

    def alternatives(self) -> Sequence[tuple[float, tuple[Scenario, ...]]]:
        """Return the sets of scenarios that the uncertain severity of the cluster allows, each with its probability."""
        others = tuple(one for one in self.scenarios if one.name != "injury-percentile")
        if not self.mix:
            return ((1.0, self.scenarios),)
        return tuple((share, (*others, scenario)) for share, scenario in self.mix)
