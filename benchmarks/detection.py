"""Scores of a detector on the simulation study of Noufaily et al. (2013); see bench_detection.py for the whole comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.datasets.outbreaks import CURRENT_WEEKS, simulate_outbreaks
from riskwatch.panel import Panel

LEVELS = (0.005, 0.01, 0.02, 0.05)


def scores(detector, panel, *, block=700):
    """Return the p-values of the last 49 weeks, shape (series, 49); what a detector refuses counts as 1."""
    judged = panel.periods[-CURRENT_WEEKS:]
    out = []
    for low in range(0, len(panel.index), block):
        rows = slice(low, low + block)
        part = Panel(panel.observed[rows], panel.index[rows], panel.periods)
        out.append(detector.detect(part, judged).p_value)
    return np.nan_to_num(np.vstack(out), nan=1.0)


def quality(p, twin, outbreak, alarm_at):
    """Return detection quality when p <= ``alarm_at`` alarms.

    ``p`` and ``twin`` are p-values with and without the current outbreak, ``outbreak`` its cases, all of shape (series, 49).
    FPR: share of alarmed weeks of the twins. POD: share of outbreaks with an alarm in one of their weeks; first: in their first week.
    Sensitivity, PPV, F1 and specificity count weeks. delay: weeks to the first alarm of those detected; delay_penalised: undetected
    outbreaks count with their duration; timeliness: 1 - delay / duration, 0 where undetected.
    """
    alarm, weeks = p <= alarm_at, outbreak > 0
    any_week = weeks.any(axis=1)  # an outbreak at the very end can lose all its cases
    alarm, weeks, quiet = alarm[any_week], weeks[any_week], (twin <= alarm_at)
    first, last = weeks.argmax(axis=1), weeks.shape[1] - 1 - weeks[:, ::-1].argmax(axis=1)
    hit = alarm & weeks
    detected, duration = hit.any(axis=1), last - first + 1
    delay = np.where(detected, hit.argmax(axis=1) - first, duration)
    true, false, missed = hit.sum(), (alarm & ~weeks).sum(), (weeks & ~alarm).sum()
    return {
        "FPR": quiet.mean(),
        "POD": detected.mean(),
        "first": hit[np.arange(len(first)), first].mean(),
        "sensitivity": true / weeks.sum(),
        "specificity": 1 - false / (~weeks).sum(),
        "PPV": true / max(true + false, 1),
        "F1": 2 * true / (2 * true + false + missed),
        "delay": delay[detected].mean() if detected.any() else np.nan,
        "delay_penalised": delay.mean(),
        "timeliness": np.mean(np.where(detected, 1 - delay / duration, 0.0)),
    }


def at_equal_rates(p, twin, outbreak, rates=LEVELS):
    """Return quality at the thresholds that give the twins these false-positive rates over all series together."""
    rows = []
    for rate in rates:
        # The largest p-value that keeps the rate at or below its target; ties would overshoot.
        values = np.sort(twin, axis=None)
        at = values[int(np.floor(rate * values.size)) - 1]
        if (values <= at).mean() > rate:
            below = values[values < at]
            at = below[-1] if below.size else -1.0
        rows.append({"rate": rate, "threshold": at, **quality(p, twin, outbreak, at)})
    return pd.DataFrame(rows)


def study(seed, replicates=100):
    """Return the study of a seed and the current outbreaks' cases in the last 49 weeks."""
    made = simulate_outbreaks(np.random.default_rng(seed), replicates=replicates)
    return made, made.outbreak[:, -CURRENT_WEEKS:]
