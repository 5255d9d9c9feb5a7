"""How often each series and period was looked at before: what the control of false discoveries spends its error over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.runner.context import RunContext

__all__ = ["FIGURES", "KEY", "count_looks", "with_looks"]

KEY = ["model", "product", "industry", "region", "stratum", "period_start"]
FIGURES = ["observed", "exposure"]


def with_looks(ctx: RunContext, signals: pd.DataFrame) -> pd.DataFrame:
    """Return ``signals`` with ``looks``: the distinct figures at which each series and period was judged up to now, this run included.

    Only detections of earlier as-of days count, so a run that is killed and repeated finds the same. Figures that did not change are the
    same look.
    """
    judged = signals.loc[signals["p_value"].notna()]
    if judged.empty:
        return signals.assign(looks=1)
    since = pd.Timestamp(min(judged["period_start"])).date()
    models = sorted(set(judged["model"]))
    return signals.assign(looks=count_looks(ctx.store.read_looks(models, since=since, before=ctx.as_of), signals))


def count_looks(before: pd.DataFrame, signals: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return for each row of ``signals`` the distinct figures at which its series and period was judged, this time included.

    Parameters
    ----------
    before : pandas.DataFrame
        What was judged on earlier days: columns :data:`KEY` and :data:`FIGURES`; repetitions count once.
    signals : pandas.DataFrame
        This day's judgements.
    """
    before, now = before[[*KEY, *FIGURES]].copy(), signals[[*KEY, *FIGURES]].copy()
    for frame in (before, now):
        frame["period_start"] = pd.to_datetime(frame["period_start"]).astype("datetime64[s]")
        for name in KEY[:-1]:
            frame[name] = frame[name].astype("object")
        frame[FIGURES] = frame[FIGURES].astype("float64").round(9)
    every = pd.concat([before, now], ignore_index=True).drop_duplicates([*KEY, *FIGURES])
    counts = every.groupby(KEY, dropna=False, sort=False).size().rename("looks").reset_index()
    return now.merge(counts, on=KEY, how="left")["looks"].to_numpy(dtype=np.int64)
