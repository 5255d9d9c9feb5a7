"""A detector on weeks that are still being reported, with delays learnt on the day: its level holds where plain counts are blind."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.calendar import completeness, concentration, delay_distribution, period_index, reporting_triangle
from riskwatch.detectors import detector
from riskwatch.panel import Completeness, Panel

SERIES, WEEKS, LONGEST = 400, 230, 28


def panels(seed: int, age: int) -> tuple[Panel, Panel]:
    """Return the panel on the day ``age`` days after its last week, with its completeness and without."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(5.0, 20.0, (SERIES, 1))
    count = rng.poisson(level, (SERIES, WEEKS))
    days = np.array([1, 8, 15, 22])
    own = rng.dirichlet(25.0 * np.array([0.5, 0.3, 0.15, 0.05]), size=SERIES)
    split = np.stack([rng.multinomial(count[s], own[s]) for s in range(SERIES)])
    owner, week, batch = (np.broadcast_to(grid, split.shape) for grid in np.ix_(np.arange(SERIES), np.arange(WEEKS), days))
    end, known, series = (np.repeat(part.ravel(), split.ravel()) for part in (7 * week, 7 * week + batch, owner))
    now = 7 * (WEEKS - 1) + age
    seen = known <= now
    observed = np.bincount(series[seen] * WEEKS + end[seen] // 7, minlength=SERIES * WEEKS).reshape(SERIES, WEEKS).astype(np.float64)
    triangle = reporting_triangle(end, known, series, n_series=SERIES, now=now, max_delay=LONGEST)
    cdf = delay_distribution(triangle)
    share, error = completeness(triangle, now - 7 * np.arange(WEEKS), cdf, concentration(triangle, cdf))
    periods = period_index("week", "2019-01-07", "2029-12-31")[:WEEKS]
    index = pd.Index(range(SERIES))
    return Panel(observed, index, periods, completeness=Completeness(share, error)), Panel(observed, index, periods)


def test_the_level_holds_on_the_first_days_of_a_week() -> None:
    method = detector("farrington-flexible", years_back=3, limit_cases=0, threshold_method="nb-predictive", min_share=0.2)
    for age in (1, 8):
        p, blind = ([], [])
        for seed in range(3):
            completed, plain = panels(seed, age)
            p.append(method.detect(completed).p_value.ravel())
            blind.append(method.detect(plain).p_value.ravel())
        assert np.isfinite(np.concatenate(p)).all()
        # About 1,200 cells: the standard error of the rate is 0.9%. Half or double the level would fail.
        assert 0.06 < np.mean(np.concatenate(p) <= 0.1) < 0.14, age
        assert np.mean(np.concatenate(blind) <= 0.1) < 0.03, age
