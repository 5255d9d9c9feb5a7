"""When a perfect observer could have seen each injected hazard: used by bench_warnings.py.

The observer knows the usual rate of every product in every county exactly (with the noise of its places and months, and how each hospital
reports), knows which products, places and producers to watch and since when, and which records are another hazard's or a decoy's. It
reads every record on the day on which it becomes known. It sees the hazard on the first day on which the records known so far, of events
since the onset, have a tail probability below :data:`LEVEL`: Poisson for injuries, binomial for failures among the samples published; at
least one of them must be the hazard's own. So it has no delay but that of the records and of chance.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from riskwatch.datasets import Hazard
from riskwatch.datasets.codelists import build_world
from riskwatch.datasets.enterprises import build_enterprises
from riskwatch.datasets.hospitals import build_hospitals, report_days
from riskwatch.datasets.injuries import county_weeks, simulate_injuries
from riskwatch.datasets.rhythm import DayAxis, random_stream
from riskwatch.datasets.sampling import _LAB_EFFECT, _ODDS, LABORATORIES, SELECTIONS
from riskwatch.datasets.scene import Scene
from riskwatch.datasets.spot_checks import simulate_spot_checks

LEVEL = 0.001
VIRTUAL = 100  # cards per hospital and day from which the delay of reports is read
AFTER_DAYS = 60  # injuries are still reported, and samples published, so long after the end


@dataclass(frozen=True)
class Seen:
    """First day on which a perfect observer sees a hazard, by stream; None where it never does."""

    injury: dt.date | None
    spot_check: dt.date | None

    @property
    def first(self) -> dt.date | None:
        """The earlier of the two."""
        return min((day for day in (self.injury, self.spot_check) if day is not None), default=None)


class Observer:
    """What there is to know about one seed's province."""

    def __init__(self, seed: int, start: dt.date, end: dt.date, hazards: Sequence[Hazard]) -> None:
        world, axis = build_world(), DayAxis.between(start, end)
        hazards = tuple(hazards)
        self.hazards = hazards
        self.scene = Scene(world, axis, seed, 1.0, hazards, build_enterprises(world, seed), build_hospitals(world, axis, hazards, 15))
        cards, _ = simulate_injuries(self.scene)
        samples, _, _ = simulate_spot_checks(self.scene)
        self.cards, self.samples = self._cards(cards), self._samples(samples)
        self.lag = self._lags()

    def _codes(self, frame: pd.DataFrame) -> pd.DataFrame:
        world, first = self.scene.world, np.datetime64(self.scene.axis.start)
        products = {code: number for number, code in enumerate(world.products["code"])}
        counties = {code: number for number, code in enumerate(world.counties["code"])}
        return pd.DataFrame(
            {
                "product": frame["product"].astype(str).map(products).to_numpy(),
                "county": frame["region"].astype(str).map(counties).to_numpy(),
                "day": (frame["event_date"].to_numpy() - first).astype("timedelta64[D]").astype(np.int64),
                "known": (frame["known_on"].to_numpy() - first).astype("timedelta64[D]").astype(np.int64),
                "hazard": frame["hazard_id"].astype(str).to_numpy(),
            }
        )

    def _cards(self, cards: pd.DataFrame) -> pd.DataFrame:
        return self._codes(cards[cards["version"] == 1])

    def _samples(self, samples: pd.DataFrame) -> pd.DataFrame:
        part = samples[(samples["version"] == 1) & (samples["selection"] != "follow-up")]
        found = self._codes(part)
        table, axis = self.scene.enterprises.table, self.scene.axis
        codes = np.asarray(table["code"]).astype(str)
        producer = part["producer"].astype(str).map({code: number for number, code in enumerate(codes)}).to_numpy()
        position, day = found["product"].to_numpy(), found["day"].to_numpy()
        rates = self.scene.world.products["fail_percent"].to_numpy(dtype=np.float64) / 100.0
        drift = np.exp(0.12 * np.sin(axis.years[day] * 1.3 + position))
        laboratory = part["laboratory"].astype(str).map({name: number for number, name in enumerate(LABORATORIES)}).to_numpy()
        selection = part["selection"].astype(str).map({name: number for number, name in enumerate(SELECTIONS)}).to_numpy()
        chance = rates[position] * drift * table["risk"].to_numpy()[producer] * _LAB_EFFECT[laboratory] * _ODDS[selection]
        rank = producer - np.asarray(self.scene.enterprises.first)[position]
        return found.assign(failed=part["failed"].to_numpy(), chance=np.minimum(chance, 0.6), rank=rank)

    def _lags(self) -> np.ndarray:
        """Days from event to report of virtual cards, sorted; shape (hospital, day, VIRTUAL)."""
        hospitals, axis = self.scene.hospitals, self.scene.axis
        number = len(hospitals.table)
        rng = random_stream(self.scene.seed, "observer")
        day = np.tile(np.repeat(np.arange(axis.size), VIRTUAL), number)
        hospital = np.repeat(np.arange(number), axis.size * VIRTUAL)
        visited = np.minimum(day + rng.choice(4, day.size, p=[0.82, 0.12, 0.04, 0.02]), axis.size - 1)
        reported = report_days(hospitals, hospital, visited, axis, rng)
        return np.sort((reported - day).reshape(number, axis.size, VIRTUAL), axis=2)

    def _window(self, hazard: Hazard, onset: dt.date) -> tuple[int, int, int]:
        axis = self.scene.axis
        last = axis.size - 1 if hazard.end is None else min(axis.size - 1, axis.position(hazard.end))
        return axis.position(onset), last, min(axis.size - 1, last + AFTER_DAYS)

    def _cells(self, hazard: Hazard, frame: pd.DataFrame) -> np.ndarray:
        world = self.scene.world
        mask = world.product_mask(hazard.products)[frame["product"]] & world.county_mask(hazard.regions)[frame["county"]]
        return mask & frame["hazard"].isin(["", hazard.hazard_id]).to_numpy()

    def _date(self, position: int) -> dt.date:
        return self.scene.axis.start + dt.timedelta(days=int(position))

    def injuries(self, hazard: Hazard) -> dt.date | None:
        """Return the first day on which the injuries known so far are beyond chance."""
        first, last, until = self._window(hazard, hazard.start)
        scene = self.scene
        span = np.arange(first, last + 1)
        mean = np.zeros((len(scene.world.counties), span.size))
        for position in np.flatnonzero(scene.world.product_mask(hazard.products)):
            rng = random_stream(scene.seed, "injury", str(scene.world.products["code"].iloc[position]))
            weeks, weekly, daily = county_weeks(scene, int(position), rng)
            mean += weeks[:, span // 7] * (daily[span] / weekly[span // 7])
        mean[~scene.world.county_mask(hazard.regions)] = 0.0
        to_come = (scene.hospitals.share.T @ mean) * scene.hospitals.opened[:, span]
        part = self.cards[self._cells(hazard, self.cards) & self.cards["day"].between(first, last).to_numpy()]
        own = part["hazard"] == hazard.hazard_id
        for now in range(first, until + 1):
            known = (part["known"] <= now).to_numpy()
            if not own.to_numpy()[known].any():
                continue
            share = (self.lag[:, span] <= (now - span)[None, :, None]).mean(axis=2)
            if stats.poisson.sf(known.sum() - 1, float((to_come * share).sum())) < LEVEL:
                return self._date(now)
        return None

    def failures(self, hazard: Hazard) -> dt.date | None:
        """Return the first day on which the failures among the samples published so far are beyond chance."""
        first, last, until = self._window(hazard, hazard.samples_from)
        mask = self._cells(hazard, self.samples) & self.samples["day"].between(first, last).to_numpy()
        if hazard.producers:
            mask &= (self.samples["rank"] < hazard.producers).to_numpy()
        part = self.samples[mask].sort_values("known", kind="stable")
        own = ((part["hazard"] == hazard.hazard_id) & (part["failed"] > 0)).to_numpy()
        if not own.any():
            return None
        n, failed = np.arange(1, len(part) + 1), part["failed"].cumsum().to_numpy()
        chance = part["chance"].cumsum().to_numpy() / n
        known = part["known"].to_numpy()
        whole_day = np.append(known[1:] != known[:-1], True)
        seen = (stats.binom.sf(failed - 1, n, chance) < LEVEL) & (np.cumsum(own) > 0) & whole_day & (known <= until)
        return self._date(known[seen.argmax()]) if seen.any() else None

    def sees(self, hazard: Hazard) -> Seen:
        """Return when the hazard can be seen in each stream."""
        return Seen(
            self.injuries(hazard) if hazard.in_injuries else None,
            self.failures(hazard) if hazard.in_spot_checks else None,
        )
