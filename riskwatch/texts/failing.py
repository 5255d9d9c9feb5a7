"""Names that fail more often than they did, or than names without a past do: what a table says of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.calendar import period_bounds
from riskwatch.detectors import REASONS, Detector, memory_of
from riskwatch.texts.emerging import EMERGING_COLUMNS, TermPanel, with_context
from riskwatch.texts.rules import TextRules
from riskwatch.texts.tokens import language_of

__all__ = ["failing"]


def failing(
    found: TermPanel, method: Detector, *, counted: str, frequency: str, rules: TextRules, reporter: str = "", most: int = 3
) -> pd.DataFrame:
    """Return the terms of the newest period by how unlikely it is that so many of the records that hold them have the counted measure.

    Parameters
    ----------
    found : TermPanel
        Made with ``counted``.
    method : Detector
        One that takes counts of an exposure (binomial-baseline).
    counted, frequency
        As for :func:`riskwatch.texts.term_panel`.
    rules : TextRules
    reporter : str
    most : int
        Products and regions that are listed for each term.

    Returns
    -------
    DataFrame
        The columns of :func:`riskwatch.texts.emerging`, with these meanings: ``records_now``, ``records_before`` counted records of the
        window and before it; ``share_now`` the share of the term's records of the window that is counted, ``share_before`` the share that
        the detector expects; ``log_odds`` the log odds ratio of these two (a half added to each count of the window), ``z`` it by its
        normal standard error. Only the p-value decides.
    """
    from scipy.stats import false_discovery_control  # noqa: PLC0415 - slow to import

    panel = found.built.panel
    signals = method.detect(panel)
    size = min(memory_of(method, frequency), len(panel.periods))
    x, n = np.nan_to_num(panel.observed), np.nan_to_num(np.asarray(panel.exposure))
    now, tried, before = x[:, -size:].sum(axis=1), n[:, -size:].sum(axis=1), x[:, :-size].sum(axis=1)
    reason = signals.reason[:, 0]
    tested = (reason == 0) | (reason == REASONS.index("too-few-cases"))
    p = np.where(reason == 0, signals.p_value[:, 0], 1.0)
    q = np.full(len(p), np.nan)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = signals.expected[:, 0] / n[:, -1]
        delta = np.log((now + 0.5) / (tried - now + 0.5)) - np.log(expected / (1.0 - expected))
        table = pd.DataFrame(
            {
                "term": list(found.corpus.terms),
                "language": [language_of(term) for term in found.corpus.terms],
                "alike": list(found.corpus.alike),
                "product": panel.index.get_level_values("product").to_numpy(dtype=object),
                "records_now": now.astype(np.int64),
                "records_before": before.astype(np.int64),
                "share_now": now / tried,
                "share_before": expected,
                "log_odds": delta,
                "z": delta / np.sqrt(1.0 / (now + 0.5) + 1.0 / (tried - now + 0.5)),
                "p_value": p,
                "q_value": q,
                "alarm": signals.alarm[:, 0],
                "period_start": period_bounds(panel.periods)[0][-size].item(),
                "period_end": period_bounds(panel.periods)[1][-1].item(),
                "position": np.arange(len(p)),
            }
        )
    table = table.loc[tested].sort_values(["p_value", "z", "term"], ascending=[True, False, True], kind="stable", ignore_index=True)
    failed = found.records[counted].fillna(0).to_numpy(dtype=np.float64) > 0
    window = np.flatnonzero((found.period >= len(panel.periods) - size) & failed)
    return with_context(table, found, window, rules, reporter=reporter, most=most)[EMERGING_COLUMNS]
