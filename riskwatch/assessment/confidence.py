"""How sure we are: C0 to C3, from q-values, windows, data quality and independent source types."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from riskwatch.assessment.rules import ConfidenceRules
from riskwatch.assessment.types import Evidence, Step
from riskwatch.outside.weight import lowered

__all__ = ["Quality", "confidence", "level_of", "row_levels", "signals_arrays", "witnesses_of", "witnesses_of_hits"]


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
    silent : mapping of str to mapping
        Stream -> region -> share of the region's usual records that silent reporters bring ("" for the whole area).
    """

    streams: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Mapping[str, object], ...] = ()
    silent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, quality: Mapping[str, object]) -> Quality:
        """Read ``{"streams", "sources", "flags", "silent": {stream: {region: share}}}``; states are texts or mappings with ``state``."""

        def states(value: object) -> dict[str, str]:
            found = value if isinstance(value, Mapping) else {}
            return {str(name): str(state.get("state", "ok") if isinstance(state, Mapping) else state) for name, state in found.items()}

        flags = quality.get("flags", ())
        listed = tuple(flag for flag in flags if isinstance(flag, Mapping)) if isinstance(flags, (list, tuple)) else ()
        areas = quality.get("silent")
        silent = {
            str(stream): {str(region): float(share) for region, share in regions.items()}
            for stream, regions in (areas.items() if isinstance(areas, Mapping) else ())
            if isinstance(regions, Mapping)
        }
        return cls(states(quality.get("streams")), states(quality.get("sources")), listed, silent)

    def silent_share(self, stream: str, region: str) -> float:
        """Return the share of a region's usual records of a stream that silent reporters bring."""
        return self.silent.get(stream, {}).get(region, 0.0)

    def failing(self, stream: str, sources: Collection[str], rules: ConfidenceRules) -> list[str]:
        """Return what fails for ``stream``: the stream itself, or all of the sources behind the concern."""
        found = [f"{stream}: {self.streams[stream]}"] if self.streams.get(stream) in rules.quality_fail else []
        bad = sorted(f"{name}: {self.sources[name]}" for name in sources if self.sources.get(name) in rules.quality_fail)
        # One silent source among several cannot fake an excess; it can only hide one.
        return found + bad if len(bad) == len(sources) else found


def row_levels(  # noqa: PLR0917 - arrays of one table
    q: npt.NDArray[np.float64],
    windows: npt.NDArray[np.int64],
    newest: npt.NDArray[np.bool_],
    sound: npt.NDArray[np.bool_],
    weakened: npt.NDArray[np.bool_],
    rules: ConfidenceRules,
    ratios: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.int64]:
    """Return 0, 1 or 2 for each alarmed series-period, shape (series-periods,).

    ``sound`` tells whether the data quality passes; ``weakened`` evidence, from an area with silent reporters, counts one level less.
    ``ratios`` are likelihood ratios of notices from outside: they lower q and so may raise a level by one, never by more.
    """
    if ratios is not None:
        plain = row_levels(q, windows, newest, sound, weakened, rules)
        return np.clip(row_levels(lowered(q, ratios), windows, newest, sound, weakened, rules), plain, plain + 1)
    # A single window is enough where chance is out of the question: waiting for a second one would cost a period.
    lasting = (windows >= rules.windows) | (q < rules.q_decisive)
    levels = np.where((q < rules.q_strong) & lasting & newest, 2, 1)
    levels = np.where(sound & (q < rules.q_weak), levels, 0)
    return np.asarray(np.maximum(0, levels - weakened), dtype=np.int64)


def level_of(levels: npt.NDArray[np.int64], kinds: Sequence[str], *, confirmed: bool, rules: ConfidenceRules) -> int:
    """Return 0 to 3: the highest level, or 3 where it is confirmed or source types with enough different witnesses agree."""
    heard = witnesses_of(_agreeing(levels, kinds, rules), rules)
    return 3 if confirmed or len(heard) >= rules.independent_sources else int(levels.max(initial=0))


def witnesses_of(source_types: Collection[str], rules: ConfidenceRules) -> list[str]:
    """Return who is behind the source types, each once: a type that the rules do not name is a witness of its own.

    The same person may be on a hospital card, in a complaint and in an insurance claim: three source types, one witness.
    """
    return sorted({rules.witnesses.get(kind, kind) for kind in source_types})


def witnesses_of_hits(evidence: Sequence[Evidence], rules: ConfidenceRules) -> list[str]:
    """Return the kinds of witnesses that speak by a hit."""
    heard = {e.source_type for e in evidence if e.q_value < rules.q_weak} - set(rules.weak_source_types)
    return witnesses_of(heard, rules)


def _agreeing(levels: npt.NDArray[np.int64], kinds: Sequence[str], rules: ConfidenceRules) -> list[str]:
    return sorted({kind for kind, one in zip(kinds, levels, strict=True) if one >= 1} - set(rules.weak_source_types))


def signals_arrays(
    evidence: Sequence[Evidence],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], tuple[str, ...]]:
    """Return q-values, windows and source types of the evidence."""
    q = np.array([e.q_value for e in evidence], dtype=np.float64)
    return q, np.array([e.windows for e in evidence], dtype=np.int64), tuple(e.source_type for e in evidence)


def confidence(
    evidence: Sequence[Evidence],
    newest: Sequence[bool],
    *,
    failing: Mapping[str, Sequence[str]],
    confirmed: Sequence[str],
    rules: ConfidenceRules,
    silent: Mapping[str, float] | None = None,
    weakens: float = 1.0,
    ratios: npt.NDArray[np.float64] | None = None,
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
    silent : mapping of str to float, optional
        Stream -> share of the area's usual records that silent reporters bring.
    weakens : float
        From this share on, evidence of the stream counts one level less.
    ratios : array of shape (series-periods,), optional
        Likelihood ratio of notices from outside, for each piece of evidence.
    """
    q, windows, kinds = signals_arrays(evidence)
    sound = np.array([not failing.get(e.stream) for e in evidence], dtype=np.bool_)
    shares = silent or {}
    weakened = np.array([shares.get(e.stream, 0.0) >= weakens for e in evidence], dtype=np.bool_)
    now = np.array(newest, dtype=np.bool_)
    levels = row_levels(q, windows, now, sound, weakened, rules, ratios)
    level = int(row_levels(q, windows, now, sound, weakened, rules).max(initial=0))
    agreeing = _agreeing(levels, kinds, rules)
    heard = witnesses_of(agreeing, rules)
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
            "confidence.silent-reporters",
            {"shares": {stream: round(share, 3) for stream, share in sorted(shares.items()) if share > 0}, "from": weakens},
            "one level less for evidence of the streams named" if weakened.any() else "no effect",
        ),
        Step(
            "confidence.independent-sources",
            {"agreeing": agreeing, "witnesses": heard, "needed": rules.independent_sources},
            "C3" if len(heard) >= rules.independent_sources else "no effect",
        ),
        Step(
            "confidence.confirmed",
            {"flags": list(confirmed)},
            "C3" if confirmed else "no effect",
        ),
    ]
    return f"C{level_of(levels, kinds, confirmed=bool(confirmed), rules=rules)}", steps


def _quality(failing: Mapping[str, Sequence[str]]) -> str:
    return "evidence of the streams named is C0" if any(failing.values()) else "pass"
