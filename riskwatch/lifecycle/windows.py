"""What of a warning's series was judged, and how much of its area is silent: what recovery and lowering are counted by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.texts import coded, joined, texts_of
from riskwatch.lifecycle.types import EarlyWarning

__all__ = ["Windows"]


class Windows:
    """Judged periods of a run, by model and stratum.

    Parameters
    ----------
    judged : pandas.DataFrame or None
        The signals frame that was assessed; rows with ``reason`` "" and a p-value count as judged.
    paths : mapping of str to TreePaths
        ``product``, ``industry``, ``region``.
    silent : mapping
        Stream -> region -> share of the region's usual records that silent reporters bring.
    """

    def __init__(self, judged: pd.DataFrame | None, paths: Mapping[str, TreePaths], silent: Mapping[str, Mapping[str, float]]) -> None:
        self.paths, self.silent = paths, silent
        self._rows, self._of_series = _judged(judged)
        self._asked: dict[tuple[str, str], list[tuple[str, str, str, dt.date]]] = {}
        self.streams = {} if judged is None else _streams(judged)

    def ends(self, warning: EarlyWarning) -> set[dt.date]:
        """Return ends of judged periods of the warning's series, or of series that contain them (rolled up when sparse)."""
        found: set[dt.date] = set()
        for model, stratum, product, industry, region in warning.series:
            for judged_product, judged_industry, judged_region, end in self._judged_of(model, stratum):
                if (
                    self.paths["product"].within(product, judged_product)
                    and self.paths["industry"].within(industry, judged_industry)
                    and self.paths["region"].within(region, judged_region)
                ):
                    found.add(end)
        return found

    def _judged_of(self, model: str, stratum: str) -> list[tuple[str, str, str, dt.date]]:
        """Return product, industry, region and period end of what was judged; few models and strata are ever asked for."""
        key = model, stratum
        if key not in self._asked:
            part = self._rows.iloc[self._of_series.get(key, np.empty(0, np.intp))]
            # Plain Python strings: single rows are read, and Arrow strings are slow at that.
            texts = (texts_of(part[name]) for name in ("product", "industry", "region"))
            self._asked[key] = list(zip(*texts, pd.to_datetime(part["period_end"]).dt.date, strict=True))
        return self._asked[key]

    def silence(self, warning: EarlyWarning) -> float:
        """Return the share of the area's usual records that silent reporters bring, in the stream where it is largest."""
        mine = {self.streams.get(model) for model, *_ in warning.series}
        # Where the model's stream is not known, any of them may be the one that fell silent.
        streams = self.silent if not mine or None in mine else [stream for stream in self.silent if stream in mine]
        return max((self.silent[stream].get(warning.subject.region, 0.0) for stream in streams), default=0.0)


def _streams(frame: pd.DataFrame) -> dict[str, str]:
    """Return model -> stream: of each model one row is read."""
    if not {"model", "stream"} <= set(frame.columns):
        return {}
    some = frame.loc[~frame["model"].duplicated(keep="last"), ["model", "stream"]]
    return dict(zip(some["model"].tolist(), some["stream"].tolist(), strict=True))


def _judged(frame: pd.DataFrame | None) -> tuple[pd.DataFrame, Mapping[tuple[str, str], npt.NDArray[np.intp]]]:
    """Return what was judged, and the rows of each model and stratum."""
    columns = ["product", "industry", "region", "period_end"]
    if frame is None or frame.empty:
        return pd.DataFrame(columns=columns), {}
    ok = (frame["reason"].astype("object").fillna("") == "").to_numpy() & frame["p_value"].notna().to_numpy()
    model, stratum = (coded(frame.loc[ok, name]) for name in ("model", "stratum"))
    both = joined(model.ids, stratum.ids)
    order = np.argsort(both, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(both[order])) + 1) if order.size else []
    rows = {(str(model.words[model.ids[part[0]]]), str(stratum.words[stratum.ids[part[0]]])): part for part in parts}
    return frame.loc[ok, columns], rows
