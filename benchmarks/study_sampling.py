"""What a plan of the advisor finds and learns on a simulated truth, against a plan of the same size by population.

python benchmarks/study_sampling.py: rates are drawn by product and region; the plans see the samples, never
the truth.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.coverage import CatalogueFile, coverage
from riskwatch.coverage.advisor import advise, worth
from riskwatch.coverage.gains import information_gains
from riskwatch.coverage.grid import COLUMNS
from riskwatch.coverage.priors import cell_counts, posteriors, priors_by_moments
from riskwatch.definitions import load_definitions
from riskwatch.dimensions import load_trees

ROOT = Path(__file__).resolve().parent.parent
AS_OF = dt.date(2025, 12, 31)
REPEATS, SAMPLES = 20, 300


def main() -> None:
    """Print failing samples found, their harm, and the fall of the weighted squared error, mean over the repeats."""
    definitions = load_definitions(ROOT, profile="demo", environ={})
    trees = load_trees(definitions.dimensions, root=ROOT, data=ROOT / "data")
    rules = CatalogueFile.model_validate(definitions.catalogue("catalogue"))
    catalogue, advice = rules.in_force(AS_OF), rules.advice
    none = pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS}).astype({"inspected": "int64", "failed": "int64"})
    none["event_date"] = pd.to_datetime(none["event_date"])
    empty = cell_counts(none, trees, catalogue, as_of=AS_OF, coverage=rules.coverage, advice=advice)
    empty = empty.sort_values(["product", "region"], ignore_index=True)
    frame = coverage(none, trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    people, products = empty["population"].to_numpy(), empty["product"].unique()
    rng = np.random.default_rng(11)
    out: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(REPEATS):
        mean = rng.beta(2, 20, products.size)[np.searchsorted(products, empty["product"])]
        truth = rng.beta(15 * mean, 15 * (1 - mean))
        seen = rng.poisson(4.0 * people / people.mean())
        failed = rng.binomial(seen, truth)
        cells = empty.assign(inspected=seen, failed=failed, weighted_inspected=seen * 1.0, weighted_failed=failed * 1.0)
        priors = priors_by_moments(cells, trees["product"], strength=advice.strength)
        a, b = posteriors(cells, priors)
        value = worth(cells, priors, catalogue, advice, as_of=AS_OF)
        weight, harm = value.information[:, 0] / information_gains(a, b, 1)[:, 0], value.hazard[:, 0] / (a / (a + b))
        before = (weight * (a / (a + b) - truth) ** 2).sum()
        plans = {"proportional": rng.multinomial(SAMPLES, people / people.sum())}
        for objective in ("hazard", "information", "mixture"):
            plan = advise(cells, frame, priors, trees, catalogue, rules=advice, samples=SAMPLES, objective=objective, as_of=AS_OF)
            keyed = plan.set_index(["product", "region"])["n"]
            plans[objective] = keyed.reindex(pd.MultiIndex.from_frame(cells[["product", "region"]])).fillna(0).to_numpy().astype(int)
        for name, n in plans.items():
            after = (weight * ((a + rng.binomial(n, truth)) / (a + b + n) - truth) ** 2).sum()
            out.setdefault(name, []).append(((n * truth).sum(), (harm * n * truth).sum(), 100 * (before - after) / before))
    for name, rows in out.items():
        failing, harmful, fall = np.mean(rows, axis=0)
        sys.stdout.write(f"{name}\tfailing {failing:.1f}\tharm {harmful:.0f}\terror falls by {fall:.1f} %\n")


if __name__ == "__main__":
    main()
