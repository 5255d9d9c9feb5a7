"""Which laboratory finds more than the others among like samples, as a table for readers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.detectors.binomial_expectation import Settings, centred_design, stratum_effects
from riskwatch.detectors.failures import checked_counts, sorted_siblings
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["laboratory_effects"]

_NORMAL = 1.959963984540054  # 97.5 % point


def laboratory_effects(
    panel: Panel,
    *,
    harmonics: int = 2,
    trend: bool = True,
    reweight_threshold: float = 3.0,
    typical_rate: float = 0.05,
    typical_strength: float = 20.0,
) -> pd.DataFrame:
    """Estimate, from all periods of a panel, how much more or less often each laboratory finds a failure than they do on average.

    The series of each stratum that name most dimensions are compared: like products in like places. Effects are drawn towards none by
    empirical Bayes, so that the extremes of many small laboratories are not taken for strict ones.

    Parameters
    ----------
    panel : Panel
        Failures and inspections, with a breakdown by laboratory.
    harmonics, trend, reweight_threshold, typical_rate, typical_strength
        As for ``binomial-glm``.

    Returns
    -------
    DataFrame
        Index ``label``, in the breakdown's order within each stratum. Columns: stratum, effect (odds ratio), lower, upper (95 %), n
        (inspections), failed, tau (standard deviation of the laboratories' logits in the stratum). Labels without inspections are left out.

    Raises
    ------
    DetectorError
        Without a breakdown, or if the counts are not those of failures among inspections.
    """
    name = "laboratory_effects"
    x, n = checked_counts(panel, name)
    parts = panel.breakdown
    if parts is None or parts.exposure is None:
        raise DetectorError(f"{name}: the panel needs a breakdown, got none", hint="build_panel(..., breakdown='laboratory')")
    settings = Settings(harmonics, trend, 2.0, 4.0, 0.5, reweight_threshold, typical_rate, typical_strength)
    base = slice(0, len(panel.periods))
    frames = []
    if len(panel.index) and len(panel.periods):
        design = centred_design(panel, base, len(panel.periods) - 1, settings)
        for groups in sorted_siblings(panel.index):
            rows = groups[0]
            found = stratum_effects(panel, x, n, rows=rows, base=base, design=design, settings=settings)
            error = np.sqrt(np.maximum(np.diag(found.covariance), 0.0))
            stratum = str(panel.index[rows[0]][panel.index.names.index("stratum")]) if "stratum" in panel.index.names else ""
            frame = pd.DataFrame(
                {
                    "stratum": stratum,
                    "effect": np.exp(found.effect),
                    "lower": np.exp(found.effect - _NORMAL * error),
                    "upper": np.exp(found.effect + _NORMAL * error),
                    "n": parts.exposure[:, rows].sum(axis=(1, 2)),
                    "failed": parts.observed[:, rows].sum(axis=(1, 2)),
                    "tau": found.tau,
                },
                index=pd.Index(parts.labels, name="label"),
            )
            frames.append(frame[frame["n"] > 0])
    columns = ["stratum", "effect", "lower", "upper", "n", "failed", "tau"]
    return pd.concat(frames) if frames else pd.DataFrame(columns=columns, index=pd.Index([], name="label"))
