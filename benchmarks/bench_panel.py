"""Panel of five million records: weekly product x county series, with the time it takes and the memory it needs.

python benchmarks/bench_panel.py [ROWS]
"""

from __future__ import annotations

import datetime as dt
import resource
import sys
import time

import numpy as np
import pandas as pd

from riskwatch.panel import SparseRule, build_panel


class Digits:
    """A tree whose levels are prefixes of the code."""

    def __init__(self, **lengths):
        self.lengths = lengths
        self.levels = tuple(lengths)

    def ancestor_at(self, codes, level):
        length = self.lengths[level]
        return np.array([code[:length] if len(code) >= length else "" for code in codes], dtype=object)


def main(rows):
    rng = np.random.default_rng(1)
    products = [f"{category:02d}{leaf:02d}" for category in range(10) for leaf in range(8)]
    counties = [f"22{prefecture:02d}{county:02d}" for prefecture in range(9) for county in range(7)]
    frame = pd.DataFrame(
        {
            "event_date": np.datetime64("2017-01-02", "s") + rng.integers(0, 1820, rows) * np.timedelta64(86400, "s"),
            "product": pd.Categorical.from_codes(rng.integers(0, 80, rows), products),
            "product_2": pd.Categorical.from_codes(np.where(rng.random(rows) < 0.2, rng.integers(0, 80, rows), -1), products),
            "region": pd.Categorical.from_codes(rng.integers(0, 63, rows), counties),
            "persons": np.ones(rows, np.int64),
        }
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    trees = {"product": Digits(category=2, product=4), "region": Digits(province=2, prefecture=4, county=6)}
    jobs = {
        "product x county": ({"product": "product", "region": "county"}, ("product",)),
        "the same, two product fields": ({"product": "product", "region": "county"}, ("product", "product_2")),
        "four levels at once": (
            [
                {"product": "product", "region": "county"},
                {"product": "product", "region": "prefecture"},
                {"product": "category"},
                {"region": "county"},
            ],
            ("product",),
        ),
    }
    print(f"{rows:,} records, frame held: {before:.2f} GB")
    for name, (levels, fields) in jobs.items():
        started = time.perf_counter()
        built = build_panel(
            frame,
            levels=levels,
            trees=trees,
            frequency="week",
            until=dt.date(2021, 12, 31),
            numerator="persons",
            product_fields=fields,
            sparse=SparseRule(),
        )
        took = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name:30} {took:6.2f} s, {built.panel.shape[0]:,} series x {built.panel.shape[1]} weeks, peak {peak:.2f} GB")
    started = time.perf_counter()
    frame.groupby(["product", "region", frame["event_date"].dt.to_period("W-SUN")], observed=True)["persons"].sum()
    print(f"{'pandas groupby, for comparison':30} {time.perf_counter() - started:6.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)
