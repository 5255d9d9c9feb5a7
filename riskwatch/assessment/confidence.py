"""How sure we are: C0 to C3, from q-values, windows, data quality and independent source types."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from riskwatch.assessment.rules import ConfidenceRules
from riskwatch.assessment.types import Evidence, Step

__all__ = ["Quality", "confidence", "row_confidence"]


@dataclass(frozen=True)
class Quality:
    """State of sources and streams, and flags on subjects, read from the runner's mapping.

    Attributes
    ----------
    streams, sources : mapping of str to str
        Name -> state (ok, late, silent, closed, fail, ...).
    flags : tuple of mapping
        ``{kind, stream?, product?, industry?, region?}``: artefacts, completed recalls, confirmations. It speaks for what it
        names; one that names nothing matches nothing.
    """

    streams: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Mapping[str, object], ...] = ()

    @classmethod
    def of(cls, quality: Mapping[str, object]) -> Quality:
        """Read ``{"streams": {...}, "sources": {...}, "flags": [...]}``; states are texts or mappings with ``state``."""

        def states(value: object) -> dict[str, str]:
            found = value if isinstance(value, Mapping) else {}
            return {str(name): str(state.get("state", "ok") if isinstance(state, Mapping) else state) for name, state in found.items()}

        flags = quality.get("flags", ())
        listed = tuple(flag for flag in flags if isinstance(flag, Mapping)) if isinstance(flags, (list, tuple)) else ()
        return cls(states(quality.get("streams")), states(quality.get("sources")), listed)

    def failing(self, stream: str, sources: Collection[str], rules: ConfidenceRules) -> list[str]:
        """Return what fails for ``stream``: the stream itself, or all of the sources behind the concern."""
        found = [f"{stream}: {self.streams[stream]}"] if self.streams.get(stream) in rules.quality_fail else []
        bad = sorted(f"{name}: {self.sources[name]}" for name in sources if self.sources.get(name) in rules.quality_fail)
        # One silent source among several cannot fake an excess; it can only hide one.
        return found + bad if len(bad) == len(sources) else found


def row_confidence(evidence: Evidence, *, newest: bool, quality_ok: bool, rules: ConfidenceRules) -> int:
    """Return 0, 1 or 2 for one alarmed series-period."""
    if not quality_ok or evidence.q_value >= rules.q_weak:
        return 0
    # A single window is enough where chance is out of the question: waiting for a second one would cost a period.
    lasting = evidence.windows >= rules.windows or evidence.q_value < rules.q_decisive
    if evidence.q_value < rules.q_strong and lasting and newest:
        return 2
    return 1


def confidence(
    evidence: Sequence[Evidence],
    newest: Sequence[bool],
    *,
    failing: Mapping[str, Sequence[str]],
    confirmed: Sequence[str],
    rules: ConfidenceRules,
) -> tuple[str, list[Step]]:
    """Return C0..C3 and the steps that led there.

    Parameters
    ----------
    evidence : sequence of Evidence
        Alarmed series-periods; an alarm in an older window only is at most C1.
    newest : sequence of bool
        Whether each is its series' newest judged period.
    failing : mapping of str to sequence of str
        Stream -> what fails its quality check.
    confirmed : sequence of str
        Kinds of confirming flags.
    """
    levels = [
        row_confidence(e, newest=new, quality_ok=not failing.get(e.stream), rules=rules) for e, new in zip(evidence, newest, strict=True)
    ]
    level = max(levels, default=0)
    agreeing = sorted({e.source_type for e, one in zip(evidence, levels, strict=True) if one >= 1} - set(rules.weak_source_types))
    best = min((e.q_value for e in evidence), default=None)
    steps = [
        Step(
            "confidence.statistics",
            {
                "series": len(evidence),
                "smallest_q": best,
                "longest_run": max((e.windows for e in evidence), default=0),
                "q_strong": rules.q_strong,
                "q_weak": rules.q_weak,
                "q_decisive": rules.q_decisive,
                "windows_needed": rules.windows,
            },
            f"C{level}",
        ),
        Step("confidence.quality", {"failing": {stream: list(found) for stream, found in failing.items() if found}}, _quality(failing)),
        Step(
            "confidence.independent-sources",
            {"agreeing": agreeing, "needed": rules.independent_sources},
            "C3" if len(agreeing) >= rules.independent_sources else "no effect",
        ),
        Step(
            "confidence.confirmed",
            {"flags": list(confirmed)},
            "C3" if confirmed else "no effect",
        ),
    ]
    if confirmed or len(agreeing) >= rules.independent_sources:
        level = 3
    return f"C{level}", steps


def _quality(failing: Mapping[str, Sequence[str]]) -> str:
    return "evidence of the streams named is C0" if any(failing.values()) else "pass"
