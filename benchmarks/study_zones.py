"""Which zones the scan of neighbouring counties should search: false alarms without a cluster, and power by the shape of the cluster.

python benchmarks/study_zones.py [NULL CLUSTERED]  # worlds without and with a cluster (200, 60); 0.05 s of CPU for each kind of zone

The 60 counties of the demonstration with their borders and coordinates; a year of weekly counts, the rates of the counties gamma with
shape 2 and mean 0.25 a week. A cluster multiplies the rate of its counties in the newest four weeks: by 6 of one county, by 3 of several.
Columns: true cluster, zones, worlds, share with a p-value of the most likely cluster at most 0.005, and at most 0.05, and the counties that
it shares with the true ones over those in either (Jaccard), the mean over all worlds.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from riskwatch.detectors.scan import scan
from riskwatch.detectors.scan_windows import prospective_windows
from riskwatch.detectors.scan_zones import circular_zones, connected_zones, distances, elliptic_zones, kilometres

ROOT = Path(__file__).resolve().parent.parent
ALPHA, REPLICATES, WEEKS, LONGEST, TIMES = 0.005, 199, 52, 6, 6.0


def counties():
    """Return codes, coordinates and pairs of borders of the demonstration's counties."""
    features = json.loads((ROOT / "config/geo/jilin_counties.geojson").read_text(encoding="utf-8"))["features"]
    outlined = {feature["properties"]["adcode"] for feature in features}
    with (ROOT / "config/dimensions/regions.csv").open(encoding="utf-8", newline="") as file:
        rows = {
            row["code"]: row for row in csv.DictReader(file) if row["code"][:2] == "22" and row["level"] == "county" and row["longitude"]
        }
    codes = sorted(set(rows) & outlined)
    at = {code: k for k, code in enumerate(codes)}
    with (ROOT / "config/geo/adjacency.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(at[row["code_a"]], at[row["code_b"]]) for row in csv.DictReader(file) if row["code_a"] in at and row["code_b"] in at]
    return codes, np.array([(float(rows[code]["longitude"]), float(rows[code]["latitude"])) for code in codes]), np.array(pairs)


def shapes(codes, pairs, rng):
    """Return one true cluster of each shape: positions of its counties."""
    near = {k: sorted({*pairs[pairs[:, 0] == k, 1], *pairs[pairs[:, 1] == k, 0]}) for k in range(len(codes))}
    heart = int(rng.choice([k for k in near if len(near[k]) >= 3]))
    chain = [heart]
    while len(chain) < 5:
        ahead = [k for k in near[chain[-1]] if k not in chain]
        far = [k for k in ahead if len(chain) < 2 or k not in near[chain[-2]]] or ahead
        if not far:
            break
        chain.append(int(rng.choice(far)))
    return {
        "one county": [heart],
        "a county and its neighbours": [heart, *near[heart]],
        "a chain of five": chain,
        "a prefecture": [k for k, code in enumerate(codes) if code[:4] == codes[heart][:4]],
    }


def main(null: int, clusters: int) -> None:
    """Print the tables."""
    codes, where, pairs = counties()
    plane, apart, windows = kilometres(where), distances(where), prospective_windows(WEEKS, LONGEST)
    made = {
        "circular": lambda size: circular_zones(apart, size, max_share=0.25),
        "connected": lambda size: connected_zones(pairs, apart, size, max_share=0.25),
        "elliptic": lambda size: elliptic_zones(plane, size, max_share=0.25),
    }
    tables: dict[str, dict[str, list[tuple[float, float]]]] = {"none": {kind: [] for kind in made}}
    for world in range(null + clusters):
        rng = np.random.default_rng([11, world])
        rate = np.tile(rng.gamma(2, 0.25 / 2, len(codes))[:, None], WEEKS)
        true = shapes(codes, pairs, rng) if world >= null else {"none": []}
        for shape, members in true.items():
            mean = rate.copy()
            mean[members, -4:] *= TIMES if len(members) == 1 else TIMES / 2
            counts = rng.poisson(mean)
            for kind, zones in made.items():
                found = scan(counts, zones(counts.sum(axis=1).astype(float)), windows, replicates=REPLICATES, seed=(world,), limit=1)
                same = set(found.found[0].places.tolist()) if found.found else set()
                p = float(found.clusters["p_value"].min()) if len(found.clusters) else 1.0
                overlap = len(same & set(members)) / max(len(same | set(members)), 1)
                tables.setdefault(shape, {name: [] for name in made})[kind].append((p, overlap))
    for shape, kinds in tables.items():
        for kind, results in kinds.items():
            p, overlap = np.array(results).T
            print(
                f"| {shape} | {kind} | {len(p)} | {(p <= ALPHA).mean():.3f} | {(p <= 0.05).mean():.3f} | {overlap.mean():.2f} |", flush=True
            )


if __name__ == "__main__":
    main(*(int(text) for text in [*sys.argv[1:], "200", "60"][:2])) if len(sys.argv) in {1, 3} else sys.exit(__doc__)
