"""Which class of hazard: failing items, injury causes, diagnoses and foreign notices to the classes of ``config/hazards.yaml``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from riskwatch.assessment.rules import HazardCatalogue

__all__ = ["Classifier"]

# What records of other streams say about the hazard, the surest first.
TEXTS = ("hazard", "cause_final", "cause_preliminary", "cause", "problem", "defect", "topic", "reason")

UNKNOWN = "unknown"


class Classifier:
    """Names to hazard classes, each distinct name looked at once.

    Parameters
    ----------
    catalogue : HazardCatalogue
        Classes in order of precedence; the first class with a matching pattern wins.
    """

    def __init__(self, catalogue: HazardCatalogue) -> None:
        self.catalogue = catalogue
        self._patterns: dict[str, list[tuple[str, re.Pattern[str]]]] = {
            kind: [
                (code, re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE))
                for code, known in catalogue.classes.items()
                if (patterns := getattr(known, kind))
            ]
            for kind in ("items", "causes", "diagnoses", "notices", "complaints")
        }
        self._known: dict[tuple[str, str], str] = {}

    def classify(self, kind: str, text: str) -> str:
        """Return the class of ``text`` read as of one ``kind`` (a field of :class:`HazardClass` with patterns); "unknown" if none fits."""
        found = self._known.get((kind, text))
        if found is None:
            found = next((code for code, pattern in self._patterns[kind] if pattern.search(text)), UNKNOWN)
            self._known[kind, text] = found
        return found

    def _column(self, kind: str, column: pd.Series) -> list[str]:
        if isinstance(column.dtype, pd.CategoricalDtype):
            classes = [*(self._of(kind, word) for word in column.cat.categories), UNKNOWN]
            return [classes[code] for code in column.cat.codes.tolist()]  # -1, missing, reads the last
        return [self._of(kind, value) for value in column.astype("object").tolist()]

    def _of(self, kind: str, value: object) -> str:
        return self.classify(kind, value) if isinstance(value, str) and value else UNKNOWN

    def of_items(self, items: pd.DataFrame) -> list[str]:
        """Return the class of each row of test items."""
        return self._column("items", items["item"])

    def of_injuries(self, rows: pd.DataFrame) -> list[str]:
        """Return the class of each injury: by its cause, and where that says nothing by its diagnosis."""
        size = len(rows)
        cause = self._column("causes", rows["cause"]) if "cause" in rows.columns else [UNKNOWN] * size
        diagnosis = self._column("diagnoses", rows["diagnosis"]) if "diagnosis" in rows.columns else [UNKNOWN] * size
        return [first if first != UNKNOWN else second for first, second in zip(cause, diagnosis, strict=True)]

    def of_notices(self, rows: pd.DataFrame) -> list[str]:
        """Return the class of each foreign notice: by its hazard (read as an item too), then its category, then its subject."""
        classes = [UNKNOWN] * len(rows)
        for column in ("hazard", "hazard_class", "title"):
            if column not in rows.columns:
                continue
            for kind in ("notices", "items"):
                new = self._column(kind, rows[column])
                classes = [old if old != UNKNOWN else fresh for old, fresh in zip(classes, new, strict=True)]
        return classes

    def of_texts(self, rows: pd.DataFrame) -> list[str]:
        """Return the class of each complaint, accident, recall, claim or report: by the first of its texts that names one."""
        classes = [UNKNOWN] * len(rows)
        for column in TEXTS:
            if column not in rows.columns:
                continue
            for kind in ("complaints", "causes", "notices", "items"):
                new = self._column(kind, rows[column])
                classes = [old if old != UNKNOWN else fresh for old, fresh in zip(classes, new, strict=True)]
        return classes

    def main(self, votes: Mapping[str, float]) -> str:
        """Return the class with most votes, "unknown" only where nothing else has any; ties go to the earlier class."""
        order = list(self.catalogue.classes)
        named = {code: votes[code] for code in votes if code != UNKNOWN and votes[code] > 0}
        return max(named, key=lambda code: (named[code], -order.index(code)), default=UNKNOWN)


def tally(classes: Iterable[str], weights: Iterable[float]) -> dict[str, float]:
    """Return class -> sum of weights, in alphabetical order."""
    totals: dict[str, float] = defaultdict(float)
    for code, weight in zip(classes, weights, strict=True):
        totals[code] += float(weight) if np.isfinite(weight) else 0.0
    return dict(sorted(totals.items()))
