"""How often each series and period was looked at before: what the control of false discoveries spends its error over."""

from __future__ import annotations

import pandas as pd

from riskwatch.runner.context import RunContext

__all__ = ["with_looks"]

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
    before = ctx.store.read_looks(models, since=since, before=ctx.as_of)
    now = signals[[*KEY, *FIGURES]].copy()
    for frame in (before, now):
        frame["period_start"] = pd.to_datetime(frame["period_start"]).astype("datetime64[s]")
        for name in KEY[:-1]:
            frame[name] = frame[name].astype("object")
        frame[FIGURES] = frame[FIGURES].astype("float64").round(9)
    every = pd.concat([before, now], ignore_index=True).drop_duplicates([*KEY, *FIGURES])
    counts = every.groupby(KEY, dropna=False, sort=False).size().rename("looks").reset_index()
    found = now.merge(counts, on=KEY, how="left")["looks"].to_numpy()
    return signals.assign(looks=found.astype("int64"))
