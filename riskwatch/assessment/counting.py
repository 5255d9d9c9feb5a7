"""Which evidence is counted together, and the confidence that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from riskwatch.assessment.confidence import confidence, signals_arrays
from riskwatch.assessment.context import Case, Run
from riskwatch.assessment.outside import Heard, ratios
from riskwatch.assessment.rules import GradingRules
from riskwatch.assessment.situation import Signals
from riskwatch.assessment.ties import groups_of, tie_step, ties_of
from riskwatch.assessment.types import Evidence, Step

__all__ = ["Judgement", "count_together", "signals_of"]

Judgement = tuple[tuple[Evidence, bool], ...]  # evidence, and whether each is its series' newest judged period


def count_together(  # noqa: PLR0917 - what confidence reads
    run: Run,
    case: Case,
    failing: Mapping[str, Sequence[str]],
    confirmed: Sequence[str],
    silent: Mapping[str, float],
    heard: Heard | None = None,
) -> tuple[str, list[Step], Judgement]:
    """Return the confidence, the steps that led there and the evidence counted together.

    Sources are counted together only where hazard and cases do not part them.
    """
    rules, types = run.rules, {e.source_type for e in case.evidence}
    streams = {kind: sorted({e.stream for e in case.evidence if e.source_type == kind}) for kind in types}
    source_types = {e.stream: e.source_type for e in case.evidence}
    catalogue, profiles = run.classifier.catalogue, case.facts.profiles(source_types)
    ties = ties_of(types, profiles, case.facts.cases, streams, share=rules.linking.hazard_share, catalogue=catalogue)
    pairs = tuple(zip(case.evidence, case.newest, strict=True))
    candidates: list[tuple[str, list[Step], tuple[str, ...], Judgement]] = []
    for group in groups_of(types, ties) or [()]:
        chosen = tuple((e, new) for e, new in pairs if e.source_type in group)
        level, steps = confidence(
            [e for e, _ in chosen],
            [new for _, new in chosen],
            failing=failing,
            confirmed=confirmed,
            rules=rules.confidence,
            silent=silent,
            weakens=rules.absence.lower_share,
            ratios=ratios(heard, tuple(e.source_type for e, _ in chosen)),
        )
        candidates.append((level, steps, group, chosen))
    level, steps, group, chosen = max(candidates, key=lambda one: one[0])  # the first of equals: the largest group
    return level, [tie_step(ties, group), *steps] if ties else steps, chosen


def signals_of(
    counted: Judgement, failing: Mapping[str, Sequence[str]], silent: Mapping[str, float], rules: GradingRules, heard: Heard | None
) -> Signals:
    """Return what confidence reads as arrays, so that it can be asked again."""
    evidence = tuple(e for e, _ in counted)
    q, windows, kinds = signals_arrays(evidence)
    return Signals(
        q=q,
        windows=windows,
        newest=np.array([new for _, new in counted], dtype=np.bool_),
        sound=np.array([not failing.get(e.stream) for e in evidence], dtype=np.bool_),
        weakened=np.array([silent.get(e.stream, 0.0) >= rules.absence.lower_share for e in evidence], dtype=np.bool_),
        kinds=kinds,
        ratios=ratios(heard, kinds),
    )
