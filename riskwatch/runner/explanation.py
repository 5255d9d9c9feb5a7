"""One warning taken apart into frames: for notebooks. The same story as ``riskwatch warnings show`` tells, down to the records."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskwatch.runner.context import RunContext
from riskwatch.runner.evidence_records import EvidenceReader
from riskwatch.runner.explain import Story, explain_warning

__all__ = ["ACTION_COLUMNS", "EVENT_COLUMNS", "EVIDENCE_COLUMNS", "STEP_COLUMNS", "Explanation", "explanation"]

EVIDENCE_COLUMNS = (
    "model", "stream", "product", "product_zh", "product_en", "industry", "region", "region_zh", "region_en", "stratum", "period_start",
    "period_end", "observed", "exposure", "expected", "upper", "p_value", "q_value", "windows", "records",
)  # fmt: skip
STEP_COLUMNS = ("rule", "outcome", "grade_after", "inputs")
ACTION_COLUMNS = (
    "object",
    "stage",
    "measure_zh",
    "measure_en",
    "owner_zh",
    "owner_en",
    "due_on",
    "basis_zh",
    "basis_en",
    "verified",
    "rule",
)
EVENT_COLUMNS = ("as_of", "kind", "grade_before", "grade_after", "reason_zh", "reason_en")


@dataclass(frozen=True, eq=False)
class Explanation:
    """A warning from its grade back to its records. For internal use: the records are as stored.

    Attributes
    ----------
    warning_id, grade, state : str
    name, place : str
        What it is about, in English.
    as_of : date or None
        Day of the newest assessment; None if there is none.
    figures : DataFrame
        One row: ``risk, severity, confidence, scope, probability`` and the ``probability_of_<grade>`` that the assessment states.
    evidence : DataFrame
        :data:`EVIDENCE_COLUMNS`, one row per alarmed series and period; ``records``: how many records lie behind it.
    steps : DataFrame
        :data:`STEP_COLUMNS`: every rule that was looked at, in order, what it read, and the grade after it ("" where it changed nothing).
    actions : DataFrame
        :data:`ACTION_COLUMNS`: proposed measures; ``verified`` is whether every provision named was checked against its text.
    events : DataFrame
        :data:`EVENT_COLUMNS`: how the warning came to stand where it stands.
    would_change : DataFrame
        ``zh``, ``en``: what would raise or lower the grade.
    records : tuple of DataFrame
        One frame per row of ``evidence``, in its order: :func:`riskwatch.runner.evidence_records.EvidenceReader.records`.
    series : tuple of DataFrame
        Likewise, the series that it stood out of: :func:`riskwatch.runner.evidence_records.EvidenceReader.series`.
    story : Story
        What ``riskwatch warnings show`` tells.
    """

    warning_id: str
    grade: str
    state: str
    name: str
    place: str
    as_of: dt.date | None
    figures: pd.DataFrame
    evidence: pd.DataFrame
    steps: pd.DataFrame
    actions: pd.DataFrame
    events: pd.DataFrame
    would_change: pd.DataFrame
    records: tuple[pd.DataFrame, ...]
    series: tuple[pd.DataFrame, ...]
    story: Story

    def text(self) -> str:
        """Return the story as plain text in English."""
        return self.story.text()

    def __repr__(self) -> str:
        return (
            f"Explanation({self.warning_id}, grade {self.grade}, {self.state}: {self.name}; {self.place}; "
            f"{len(self.evidence)} pieces of evidence, {len(self.steps)} rules, {len(self.events)} events)"
        )


def explanation(ctx: RunContext, warning_id: str) -> Explanation:
    """Return the warning whose id is, or starts with, ``warning_id``, as it stood at the end of ``ctx.as_of``.

    Raises
    ------
    ProjectError
        If no warning, or more than one, starts so.
    """
    story = explain_warning(ctx, warning_id)
    warning, assessment = story.data["warning"], story.data["assessment"]
    pieces = [] if assessment is None else assessment["evidence"]
    day = None if assessment is None else dt.date.fromisoformat(assessment["as_of"])
    reader = EvidenceReader(ctx if day is None else dataclasses.replace(ctx, as_of=day))
    records = tuple(reader.records(piece) for piece in pieces)
    return Explanation(
        warning_id=warning["warning_id"],
        grade=warning["grade"],
        state=warning["state"],
        name=story.name,
        place=story.place,
        as_of=day,
        figures=_figures(assessment),
        evidence=_evidence(ctx, pieces, records),
        steps=_steps(assessment),
        actions=_actions(assessment),
        events=_frame(({**event, **_both("reason", event["reason"])} for event in story.data["events"]), EVENT_COLUMNS, days=("as_of",)),
        would_change=_frame([] if assessment is None else assessment["what_would_change"], ("zh", "en")),
        records=records,
        series=tuple(reader.series(piece) for piece in pieces),
        story=story,
    )


def _frame(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], *, days: tuple[str, ...] = ()) -> pd.DataFrame:
    frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=list(columns))
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in days})


def _both(name: str, value: Mapping[str, str] | None) -> dict[str, str]:
    return {f"{name}_{language}": str((value or {}).get(language) or "") for language in ("zh", "en")}


def _figures(assessment: Mapping[str, Any] | None) -> pd.DataFrame:
    if assessment is None:
        return pd.DataFrame(columns=["risk", "severity", "confidence", "scope", "probability"])
    shares = assessment["facts"].get("grade_probability", {})
    row = {name: assessment[name] for name in ("risk", "severity", "confidence", "scope", "probability")}
    return pd.DataFrame([{**row, **{f"probability_of_{grade}": share for grade, share in shares.items()}}])


def _evidence(ctx: RunContext, pieces: list[dict[str, Any]], records: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
    rows = []
    for piece, behind in zip(pieces, records, strict=True):
        names: dict[str, str] = {}
        for dimension in ("product", "region"):
            code, tree = piece[dimension], ctx.trees.get(dimension)
            known = tree is not None and code in tree
            names |= {
                f"{dimension}_{language}": tree.name(code, language) if tree is not None and known else code for language in ("zh", "en")
            }
        rows.append({**piece, **names, "records": len(behind)})
    frame = _frame(rows, EVIDENCE_COLUMNS, days=("period_start", "period_end"))
    return frame.astype(dict.fromkeys(("observed", "exposure", "expected", "upper", "p_value", "q_value"), "float64"))


def _steps(assessment: Mapping[str, Any] | None) -> pd.DataFrame:
    rows = [] if assessment is None else assessment["steps"]
    return _frame(({**row, "grade_after": row["grade_after"] or ""} for row in rows), STEP_COLUMNS)


def _actions(assessment: Mapping[str, Any] | None) -> pd.DataFrame:
    rows = []
    for action in [] if assessment is None else assessment["actions"]:
        law: dict[str, object] = {
            f"basis_{language}": "; ".join(
                " ".join(part for part in (str((one.get("law") or {}).get(language, "")), str(one.get("article") or "")) if part)
                for one in action["legal_basis"]
            )
            for language in ("zh", "en")
        }
        verified = all(one.get("verified") for one in action["legal_basis"])
        rows.append({**action, **_both("measure", action["measure"]), **_both("owner", action["owner"]), **law, "verified": verified})
    return _frame(rows, ACTION_COLUMNS, days=("due_on",))
