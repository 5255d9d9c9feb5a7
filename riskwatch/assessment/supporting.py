"""Anomalies beside the concerns of a run: support for those they match, a watch-list for the rest. No grade and no confidence moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.types import Assessment, Step
from riskwatch.errors import DetectorError

__all__ = ["RULE", "WATCH", "Support", "supporting", "supportive"]

RULE = "confidence.multivariate-anomaly"
"""Name of the step that is added."""

WATCH = ("product", "region", "score", "q_value", "drivers_zh", "drivers_en", "evidence")
"""Columns of the watch-list."""

_NEEDED = ("kind", "product", "region", "score", "p_value", "q_value", "anomaly", "worse", "drivers_zh", "drivers_en", "evidence")
_ALONE = "C1"  # the most that such evidence may count for by itself


@dataclass(frozen=True)
class Support:
    """What became of the anomalies of a run.

    Attributes
    ----------
    assessments : tuple of Assessment
        In their order; those with a matching anomaly have one more step. Everything else in them is as it was.
    watch : DataFrame
        Anomalies for the worse that no concern covers: something to look at, not a warning. Columns :data:`WATCH`.
    """

    assessments: tuple[Assessment, ...]
    watch: pd.DataFrame


def supporting(anomalies: pd.DataFrame, assessments: Sequence[Assessment], *, trees: object) -> Support:
    """Attach anomalies of products in regions to the concerns that they support.

    An anomaly supports a concern about a product where one of the two products lies within the other and the same holds for the regions;
    one about a region where its region lies within that region. Only anomalies for the worse count. The step holds the figures and says
    that grade and confidence stay as they are: this kind of evidence is C1 at most and rests on the records that the concern rests on,
    so it is no independent source.

    Parameters
    ----------
    anomalies : DataFrame
        From :func:`riskwatch.anomalies.anomalies`; rows of enterprises are left alone (they are internal).
    assessments : sequence of Assessment
    trees : mapping of str to Tree, or an object with such attributes
        ``product`` and ``region``.

    Raises
    ------
    DetectorError
        If a column is missing, or a row claims more than C1.
    """
    missing = [name for name in _NEEDED if name not in anomalies.columns]
    if missing:
        raise DetectorError(f"supporting: anomalies must have the columns {', '.join(_NEEDED)}; missing: {', '.join(missing)}")
    above = sorted(set(anomalies["evidence"]) - {_ALONE})
    if above:
        raise DetectorError(f"supporting: anomalies are evidence of {_ALONE} at most, got {', '.join(map(str, above))}")
    rows = (
        supportive(anomalies)
        .sort_values(["q_value", "score", "product", "region"], ascending=[True, False, True, True], kind="stable")
        .to_dict("records")
    )
    products, regions = TreePaths(tree_of(trees, "product")), TreePaths(tree_of(trees, "region"))

    def related(paths: TreePaths, one: str, other: str) -> bool:
        return paths.within(one, other) or paths.within(other, one)

    def match(row: Mapping[object, object], assessment: Assessment) -> bool:
        subject, product, region = assessment.subject, str(row["product"]), str(row["region"])
        if subject.kind == "product":
            return related(products, product, subject.code) and related(regions, region, subject.region)
        return subject.kind == "region" and regions.within(region, subject.code)

    used: set[int] = set()
    found = []
    for assessment in assessments:
        own = [number for number, row in enumerate(rows) if match(row, assessment)]
        used.update(own)
        found.append(
            replace(assessment, steps=(*assessment.steps, _step(assessment, [rows[number] for number in own]))) if own else assessment
        )
    watch = pd.DataFrame([row for number, row in enumerate(rows) if number not in used], columns=[*anomalies.columns])
    return Support(tuple(found), watch[list(WATCH)].reset_index(drop=True))


def supportive(anomalies: pd.DataFrame) -> pd.DataFrame:
    """Return the anomalies that :func:`supporting` looks at: of products in regions, and for the worse."""
    mine = (anomalies["kind"] == "product-region") & anomalies["anomaly"].astype(bool) & anomalies["worse"].astype(bool)
    return anomalies[mine].reset_index(drop=True)


def _step(assessment: Assessment, rows: Sequence[Mapping[object, object]]) -> Step:
    figures = [
        {
            "product": str(row["product"]),
            "region": str(row["region"]),
            "score": round(float(str(row["score"])), 3),
            "q_value": float(str(row["q_value"])),
            "drivers": {"zh": str(row["drivers_zh"]), "en": str(row["drivers_en"])},
        }
        for row in rows
    ]
    level = assessment.confidence
    return Step(
        RULE,
        {
            "anomalies": figures,
            "evidence": _ALONE,
            "text": {
                "zh": f"有 {len(rows)} 项多变量异常与之吻合，作为佐证（最高 C1）；可信度 {level} 与等级不变",
                "en": f"{len(rows)} multivariate anomalies agree with it, as support (C1 at most); confidence {level} and the grade stay",
            },
        },
        f"supports: {len(rows)}; C and grade unchanged",
        assessment.grade,
    )
