"""Real episodes as of past days: warned of in time, through the pipelines of the real profile, and quiet before.

The whole twelve months before each episode, with their false warnings, are docs/episodes.md (``benchmarks/episodes.py``): here are the
weeks around the day that matters.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def load():
    spec = importlib.util.spec_from_file_location("episodes", ROOT / "benchmarks" / "episodes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["episodes"] = module
    spec.loader.exec_module(module)
    return module


episodes = load()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "first", "last", "by"),
    [
        # Every day of these weeks would say the same: weeks ripen once a week, and months once a month.
        ("hoverboards", dt.date(2015, 9, 26), dt.date(2015, 10, 31), dt.date(2015, 10, 31)),
        ("fireworks", dt.date(2020, 5, 3), dt.date(2020, 7, 5), dt.date(2020, 7, 5)),
        ("ethylene-oxide", dt.date(2020, 9, 7), dt.date(2020, 10, 31), dt.date(2020, 10, 31)),
        # These two rise slowly: twelve months over the two years before, and estimates that come once a year.
        ("e-scooters", dt.date(2019, 8, 31), dt.date(2019, 10, 31), dt.date(2019, 10, 31)),
        ("laundry-packets", dt.date(2013, 3, 31), dt.date(2013, 4, 30), dt.date(2013, 4, 30)),
    ],
)
def test_episode_is_warned_of_in_time(real_data, tmp_path, name, first, last, by):
    episode = next(one for one in episodes.EPISODES if one.name == name)
    found = episodes.replay(episodes.project_of(tmp_path, real_data, [episode]), episode, first, last, episode.every)
    assert min(found.warned, default=dt.date.max) <= by
    assert found.series_years > 0
    assert len(found.false_high) <= max(1, found.series_years // 100)
