"""What of a warning's series was judged, and how much of its area is silent: what recovery and lowering are counted by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from riskwatch.assessment.protocols import TreePaths
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
        self.judged = _judged(judged)
        known = judged is not None and {"model", "stream"} <= set(judged.columns)
        self.streams = dict(zip(judged["model"], judged["stream"], strict=True)) if judged is not None and known else {}

    def ends(self, warning: EarlyWarning) -> set[dt.date]:
        """Return ends of judged periods of the warning's series, or of series that contain them (rolled up when sparse)."""
        found: set[dt.date] = set()
        for model, stratum, product, industry, region in warning.series:
            for judged_product, judged_industry, judged_region, end in self.judged.get((model, stratum), ()):
                if (
                    self.paths["product"].within(product, judged_product)
                    and self.paths["industry"].within(industry, judged_industry)
                    and self.paths["region"].within(region, judged_region)
                ):
                    found.add(end)
        return found

    def silence(self, warning: EarlyWarning) -> float:
        """Return the share of the area's usual records that silent reporters bring, in the stream where it is largest."""
        mine = {self.streams.get(model) for model, *_ in warning.series}
        # Where the model's stream is not known, any of them may be the one that fell silent.
        streams = self.silent if not mine or None in mine else [stream for stream in self.silent if stream in mine]
        return max((self.silent[stream].get(warning.subject.region, 0.0) for stream in streams), default=0.0)


def _judged(frame: pd.DataFrame | None) -> dict[tuple[str, str], list[tuple[str, str, str, dt.date]]]:
    """Return (model, stratum) -> (product, industry, region, period end) of what was judged."""
    found: dict[tuple[str, str], list[tuple[str, str, str, dt.date]]] = {}
    if frame is None or frame.empty:
        return found
    ok = (frame["reason"].astype("object").fillna("") == "").to_numpy() & frame["p_value"].notna().to_numpy()
    columns = ["model", "stratum", "product", "industry", "region"]
    part = frame.loc[ok, [*columns, "period_end"]].copy()
    for column in columns:
        part[column] = part[column].astype("object").where(part[column].notna(), "").astype(str)
    part["period_end"] = pd.to_datetime(part["period_end"]).dt.date
    once = part.drop_duplicates()
    # Plain Python objects: single rows are read, and Arrow strings are slow at that.
    texts = (once[column].to_numpy(dtype=object) for column in columns)
    for model, stratum, product, industry, region, end in zip(*texts, once["period_end"], strict=True):
        found.setdefault((model, stratum), []).append((product, industry, region, end))
    return found
