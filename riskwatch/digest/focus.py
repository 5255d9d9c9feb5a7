"""Top movers by product, industry and region, and the coverage proof, from the judged signals of a jurisdiction."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from riskwatch.digest.inputs import Labels
from riskwatch.digest.model import Coverage, Measure, Mover, Place, Text
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import significant
from riskwatch.digest.privacy import clean, scrub
from riskwatch.errors import RiskwatchError

__all__ = ["SIGNAL_COLUMNS", "check_signals", "coverage", "in_jurisdiction", "movers", "refused_counts"]

SIGNAL_COLUMNS = (
    "model",
    "stream",
    "product",
    "industry",
    "region",
    "stratum",
    "frequency",
    "period_start",
    "period_end",
    "observed",
    "expected",
    "lower",
    "upper",
    "p_value",
    "alarm",
    "reason",
)
_SERIES = ["model", "product", "industry", "region", "stratum"]
# Rows below this are too few for a share of small p-values to mean anything; the level itself is conventional.
CHANCE_LEVEL = 0.01


def check_signals(signals: pd.DataFrame) -> pd.DataFrame:
    """Return ``signals`` with plain text keys, or raise if columns are missing.

    ``exposure`` may be left out; so may ``q_value``, which is then computed over all judged rows (Benjamini and Hochberg 1995), as the
    assessment does. That is why the whole run is passed, not the rows of one jurisdiction.

    Raises
    ------
    RiskwatchError
        Names the columns that are missing.
    """
    missing = [name for name in SIGNAL_COLUMNS if name not in signals.columns]
    if missing:
        raise RiskwatchError(
            f"build_digest: signals must have the columns {', '.join(SIGNAL_COLUMNS)}; missing: {', '.join(missing)}",
            hint="pass the judged long frame, with q_value, as the assessment reads it",
        )
    frame = signals.copy()
    for name in (*_SERIES, "stream", "frequency"):
        frame[name] = frame[name].astype("object").where(frame[name].notna(), "").astype(str)
    if "exposure" not in frame:
        frame["exposure"] = math.nan
    if "q_value" not in frame:
        judged = (frame["reason"].fillna("").isin(["", 0]) & frame["p_value"].notna()).to_numpy()
        frame["q_value"] = math.nan
        if judged.any():
            frame.loc[judged, "q_value"] = false_discovery_control(frame.loc[judged, "p_value"].to_numpy(dtype=float))
    # Few reasons, many rows: each is read once.
    places, reasons = pd.factorize(frame["reason"], use_na_sentinel=False)
    frame["reason"] = np.array([_reason(value) for value in reasons], dtype=object)[places]
    frame["alarm"] = frame["alarm"].fillna(value=False).astype(bool)
    return frame


def _reason(value: object) -> str:
    """Reason as text; the first entry of ``detectors.signals.REASONS`` ("") means judged."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == 0:
        return ""
    return str(value)


def in_jurisdiction(frame: pd.DataFrame, namer: Namer, jurisdiction: str, *, wider: bool) -> pd.DataFrame:
    """Rows whose region lies inside the jurisdiction, or also (``wider``) those whose region contains it."""
    wanted = {"inside", "wider"} if wider else {"inside"}
    keep = {code for code in frame["region"].unique() if namer.relation(code, jurisdiction) in wanted}
    return frame[frame["region"].isin(keep)]


def measure_of(row: Mapping[str, object], namer: Namer, labels: Labels, jurisdiction: str) -> Measure:
    """Turn one judged row (a mapping with :data:`SIGNAL_COLUMNS`, ``exposure`` and perhaps ``windows``) into a :class:`Measure`."""
    region = str(row["region"])
    place: Place | None = namer.place(region, jurisdiction) if region else None
    observed, expected = _float(row["observed"]), _float(row["expected"])
    model = str(row["model"])
    return Measure(
        model=model,
        model_name=labels.models.get(model, Text(zh=clean(model), en=clean(model))),
        stream=str(row["stream"]),
        product=namer.product(str(row["product"])) if row["product"] else None,
        industry=namer.industry(str(row["industry"])) if row["industry"] else None,
        place=place,
        stratum=scrub(str(row["stratum"]), limit=80),
        frequency=str(row["frequency"]),
        period_start=pd.Timestamp(str(row["period_start"])).date(),
        period_end=pd.Timestamp(str(row["period_end"])).date(),
        observed=significant(observed) or 0.0,
        exposure=significant(_float(row.get("exposure"))),
        expected=significant(expected) or 0.0,
        lower=significant(_float(row["lower"])),
        upper=significant(_float(row["upper"])),
        ratio=significant(observed / expected) if expected > 0 else None,
        p_value=significant(_float(row["p_value"])),
        q_value=significant(_float(row["q_value"])),
        windows=int(windows) if math.isfinite(windows := _float(row.get("windows", 1))) else 1,
    )


def _float(value: object) -> float:
    return math.nan if value is None else float(value)  # type: ignore[arg-type]  # numpy and Python numbers alike


def movers(
    frame: pd.DataFrame, kind: str, namer: Namer, labels: Labels, jurisdiction: str, *, most: int = 3, within: pd.DataFrame | None = None
) -> tuple[Mover, ...]:
    """Return the subjects of one kind that rose most, strongest first.

    For each code, the figures are those of its coarsest series (fewest other dimensions set) in the newest judged period of each
    model; codes are ranked by q-value, p-value, then excess. Only rises count: a fall in failures is not a concern.

    Parameters
    ----------
    frame : DataFrame
        Judged signals (:func:`check_signals`) of the jurisdiction and what contains it.
    kind : {"product", "industry", "region"}
        Dimension.
    most : int
        Length of the answer.
    within : DataFrame, optional
        Rows to use instead where any exist for the kind (those inside the jurisdiction proper).
    """
    if within is not None and bool((within[kind] != "").any()):
        frame = within
    rows = frame[(frame[kind] != "") & (frame["reason"] == "") & frame["p_value"].notna()]
    if kind == "region":
        # The jurisdiction as a whole, and what contains it, is not a mover of its own list.
        own = {code for code in rows["region"].unique() if code != jurisdiction and namer.relation(code, jurisdiction) == "inside"}
        rows = rows[rows["region"].isin(own)]
    if rows.empty:
        return ()
    newest = rows.groupby("model")["period_end"].transform("max")
    rows = rows[rows["period_end"] == newest]
    others = [name for name in ("product", "industry", "region") if name != kind]
    rows = rows.assign(depth=(rows[others] != "").sum(axis=1), excess=rows["observed"] - rows["expected"])
    judged, alarmed = rows[kind].value_counts(), rows.loc[rows["alarm"], kind].value_counts()
    coarsest = rows[rows["depth"] == rows.groupby(kind)["depth"].transform("min")]
    rises = coarsest[coarsest["excess"] > 0]
    ranked = rises.sort_values(
        ["q_value", "p_value", "excess", *_SERIES],
        ascending=[True, True, False, *([True] * len(_SERIES))],
        kind="stable",
        na_position="last",
    ).drop_duplicates(kind)
    found = []
    for row in ranked.head(most).to_dict("records"):
        code = str(row[kind])
        found.append(
            Mover(
                code=code,
                name=namer.subject(kind, code),
                measure=measure_of({str(key): value for key, value in row.items()}, namer, labels, jurisdiction),
                judged=int(judged[code]),
                alarmed=int(alarmed.get(code, 0)),
            )
        )
    return tuple(found)


def refused_counts(frame: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    """Return how many cells were not judged, by reason, most frequent first."""
    counts = frame.loc[frame["reason"] != "", "reason"].value_counts()
    return tuple(sorted(((str(reason), int(count)) for reason, count in counts.items()), key=lambda pair: (-pair[1], pair[0])))


def coverage(frame: pd.DataFrame, *, records: int, heard: int, expected_sources: int, fdr: float | None) -> Coverage:
    """Return the proof that the day was watched.

    ``expected_by_chance`` is the number of tests times :data:`CHANCE_LEVEL`: what p-values alone would flag if nothing were wrong
    (an upper bound for counts, whose p-values are discrete). ``kept`` are the tests with a q-value of at most ``fdr``, ``expected_false``
    is ``fdr`` times their number: the bound of Benjamini and Hochberg (1995), which holds on average over runs.
    """
    tested = frame[(frame["reason"] == "") & frame["p_value"].notna()]
    alarms = int(tested["alarm"].sum())
    kept = None if fdr is None else int((tested["q_value"] <= fdr).sum())
    return Coverage(
        records=records,
        sources_heard=heard,
        sources_expected=expected_sources,
        models=int(frame["model"].nunique()),
        series=len(tested.drop_duplicates(_SERIES)),
        tests=len(tested),
        refused=int((frame["reason"] != "").sum()),
        alarms=alarms,
        chance_level=CHANCE_LEVEL,
        below_chance_level=int((tested["p_value"] < CHANCE_LEVEL).sum()),
        expected_by_chance=float(f"{len(tested) * CHANCE_LEVEL:.6g}"),
        fdr=fdr,
        kept=kept,
        expected_false=None if fdr is None or kept is None else float(f"{kept * fdr:.6g}"),
    )
