"""The long form of the kill tests: ``python -m tests.faults.soak --kills 200``; ``make soak`` runs it on both databases.

Prints a line for every case, and ends with 1 if any run ended elsewhere than the one that nobody killed.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.harness import Harness, draw_kills


def main() -> int:
    """Run the cases that the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many runs must have died")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same kills")
    parser.add_argument("--postgres", default="", metavar="URL", help="a PostgreSQL server; default: SQLite")
    parser.add_argument("--scale", type=float, default=0.03, help="size of the simulated province")
    parser.add_argument("--whole", action="store_true", help="all sources, models and centres; with --scale 1 the demonstration")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder that is removed unless a case fails")
    options = parser.parse_args()
    begun = time.monotonic()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="riskwatch-soak-"))
    say = sys.stdout.write
    figures: collections.Counter[str] = collections.Counter()
    with Harness(folder, options.postgres, scale=options.scale, whole=options.whole) as harness:
        for name, scenario in harness.scenarios.items():
            rows = sum(len(rows) for rows in scenario.expected.values())
            say(f"{name}: {scenario.seconds:.1f} s, {scenario.counts}, {rows} rows and files compared\n")
        for number, (name, troubles) in enumerate(draw_kills(harness, options.seed), start=1):
            outcome = harness.case(name, troubles)
            figures.update(cases=1, drawn=len(troubles), died=outcome.died, differ=bool(outcome.differs))
            say(f"{number:4d}  {figures['died']:4d}/{options.kills}  {time.monotonic() - begun:6.0f} s  {outcome}\n")
            for line in outcome.differs:
                say(f"      {line}\n")
            sys.stdout.flush()
            if figures["died"] >= options.kills:
                break
    say(
        f"{'PostgreSQL' if options.postgres else 'SQLite'}, seed {options.seed}: {figures['cases']} cases, {figures['died']} runs killed "
        f"(of {figures['drawn']} that were to be), {figures['differ']} cases ended differently; {time.monotonic() - begun:.0f} s\n"
    )
    if not figures["differ"] and options.folder is None:
        import shutil

        shutil.rmtree(folder)
    return 1 if figures["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
