"""Panels as of a day: completeness learnt from what was known then, covariates, level shifts, and what a detector makes of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.calendar import completeness, concentration, delay_distribution, period_bounds, period_of, reporting_triangle
from riskwatch.definitions.types import Bilingual, Delay, Level, LevelShift, ModelDefinition
from riskwatch.detectors import detector
from riskwatch.errors import CalendarError
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import detection_id
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import heard_until, model_panel

DAY = dt.date(2025, 10, 15)


@pytest.fixture(scope="module")
def ctx(demo_project: Path) -> Iterator[RunContext]:
    with Project(demo_project).context(as_of=DAY) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(ctx: RunContext) -> ModelDefinition:
    """Return injuries by prefecture and in all, judged as soon as a week is over."""
    found = ctx.definitions.models["injury-counts"]
    return found.model_copy(update={"levels": (Level(region="prefecture"), Level()), "delay": Delay(), "ripe_after_days": 0})


@dataclasses.dataclass
class Changed:
    """A store whose records became known on other days."""

    store: Any
    known: Any
    corrected: dict[int, str] | None = None  # None: no record was ever corrected

    def read_records(self, *arguments: Any, **options: Any) -> pd.DataFrame:
        frame = self.store.read_records(*arguments, **options)
        return frame.assign(known_at=self.known(frame)) if "known_at" in frame else frame

    def first_known(self, *arguments: Any) -> pd.DataFrame:
        found = self.store.first_known(*arguments)
        if self.corrected is None:
            return found[:0]
        days = pd.to_datetime(pd.Series(list(self.corrected.values()), dtype="object")).astype("datetime64[s]")
        more = pd.DataFrame({"key_hash": np.array(list(self.corrected), np.int64), "first_known": days})
        return pd.concat([found, more[~more["key_hash"].isin(found["key_hash"])]], ignore_index=True)

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        return self.store.freshness(as_of)


def test_shares_are_those_of_a_plain_count_of_what_was_known(ctx: RunContext, model: ModelDefinition) -> None:
    panel = model_panel(dataclasses.replace(ctx, store=Changed(ctx.store, lambda frame: frame["known_at"])), model).panel
    frame = ctx.store.read_records("injury", ["event_date", "known_at", "region", "persons"], as_of=DAY)
    heard = frame["known_at"].max()
    assert heard.date() == heard_until(ctx, model, freshness_by_source(ctx.store, DAY))
    day = frame["event_date"].to_numpy("datetime64[D]")
    end = (day + (6 - (day.astype(np.int64) + 3) % 7)).astype(np.int64)
    known = frame["known_at"].to_numpy("datetime64[D]").astype(np.int64)
    now = int(np.datetime64(heard, "D").astype(np.int64))
    kept = (end <= now) & (end >= now - 730)
    names = [*panel.index.get_level_values("region")]
    codes = np.asarray(ctx.trees["region"].ancestor_at(frame["region"], "prefecture"), dtype=object)
    own = np.array([names.index(code) for code in codes])
    everywhere = names.index("")
    triangle = reporting_triangle(
        np.tile(end[kept], 2),
        np.tile(known[kept], 2),
        np.concatenate([own[kept], np.full(kept.sum(), everywhere)]),
        n_series=len(names),
        now=now,
        max_delay=60,
    )
    pooled = reporting_triangle(end[kept], known[kept], np.zeros(kept.sum(), np.int64), n_series=1, now=now, max_delay=60)
    cdf = delay_distribution(pooled)
    ages = now - period_bounds(panel.periods)[1].astype(np.int64)
    share, error = completeness(triangle, ages, cdf, concentration(triangle, cdf))
    assert panel.completeness is not None
    np.testing.assert_allclose(panel.completeness.share, np.where(ages < 60, share, 1.0), rtol=1e-12)
    assert (panel.completeness.error >= np.where(ages < 60, error, 0.0) - 1e-12).all()
    assert (panel.completeness.share[:, -1] < 0.8).all()


def test_shares_foretell_what_the_weeks_came_to(ctx: RunContext, model: ModelDefinition) -> None:
    panel = model_panel(ctx, model).panel
    final = model_panel(dataclasses.replace(ctx, as_of=dt.date(2025, 12, 31)), model).panel
    assert panel.completeness is not None
    at = final.periods.get_indexer(panel.periods[-5:])
    total, share, error = final.observed[:, at], panel.completeness.share[:, -5:], panel.completeness.error[:, -5:]
    # Weeks of one day share their batches, so they are off together; far off they are not.
    scores = (panel.observed[:, -5:] - total * share) / np.sqrt(total * share * (1.0 - share) + (total * error) ** 2)
    assert np.abs(scores).max() < 4.0
    assert np.abs(scores).mean() < 1.2


def test_records_that_came_without_delay_leave_every_number_as_it_was(ctx: RunContext, model: ModelDefinition) -> None:
    prompt = dataclasses.replace(ctx, store=Changed(ctx.store, lambda frame: frame["event_date"]))
    panel = model_panel(prompt, model).panel
    assert panel.completeness is not None
    assert (panel.completeness.share == 1.0).all()
    assert (panel.completeness.error == 0.0).all()
    method = detector(model.detector, **model.parameters)
    one, other = (
        method.detect(given, periods=given.periods[-4:])
        for given in (panel, model_panel(ctx, model.model_copy(update={"delay": None})).panel)
    )
    for name in ("observed", "expected", "lower", "upper", "p_value", "alarm", "reason"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.reason == 0).any()


def test_a_corrected_record_counts_from_the_day_it_was_first_known(ctx: RunContext, model: ModelDefinition) -> None:
    """All records of a week are corrected long after: they look late unless their first version counts."""
    keys = ctx.store.read_records("injury", ["key_hash", "known_at", "event_date"], as_of=DAY)
    touched = keys[(keys["event_date"] >= "2025-01-06") & (keys["event_date"] < "2025-06-01")]

    def late(frame: pd.DataFrame) -> pd.Series:
        return frame["known_at"].where(~frame["key_hash"].isin(touched["key_hash"]), frame["known_at"] + pd.Timedelta(days=30))

    days = dict(zip(touched["key_hash"].tolist(), touched["known_at"].astype(str), strict=True))
    plain, spoilt, mended = (
        model_panel(dataclasses.replace(ctx, store=store), model).panel.completeness
        for store in (ctx.store, Changed(ctx.store, late, {}), Changed(ctx.store, late, days))
    )
    assert plain is not None
    assert spoilt is not None
    assert mended is not None
    np.testing.assert_array_equal(mended.share, plain.share)
    assert (spoilt.share[:, -2] < plain.share[:, -2]).all()


def test_an_archive_says_nothing_about_delays(ctx: RunContext, model: ModelDefinition) -> None:
    """Everything up to 10 October arrived on that day: the weeks before it are no evidence, and younger ones are not judged."""
    archive = dataclasses.replace(ctx, store=Changed(ctx.store, lambda frame: pd.Timestamp("2025-10-10")))
    found = model_panel(archive, model).panel.completeness
    assert found is not None
    assert (found.share[:, -8:] == 0.0).all()
    assert (found.share[:, :-10] == 1.0).all()


def test_the_detector_judges_early_and_refuses_what_is_too_unripe(ctx: RunContext, model: ModelDefinition) -> None:
    panel = model_panel(ctx, model).panel
    weeks = panel.periods[-3:]
    reasons = {share: detector(model.detector, **{**model.parameters, "min_share": share}).detect(panel, weeks) for share in (0.05, 0.9)}
    assert (reasons[0.05].reason[:, -1] == 0).all()
    frame = reasons[0.9].to_frame()
    newest = frame[frame["period"] == weeks[-1]]
    assert (newest["reason"] == "unripe").all()
    assert not newest["alarm"].any()


def test_a_detection_rests_on_the_day_that_was_heard(ctx: RunContext, model: ModelDefinition) -> None:
    monthly = model.model_copy(update={"frequency": "month", "history_periods": 58})
    fresh = freshness_by_source(ctx.store, DAY)
    earlier = {name: dataclasses.replace(value, newest_known=dt.date(2025, 10, 6)) for name, value in fresh.items()}
    assert detection_id(ctx, monthly, fresh) == detection_id(ctx, monthly, fresh)
    assert detection_id(ctx, monthly, fresh) != detection_id(ctx, monthly, earlier)
    plain = monthly.model_copy(update={"delay": None})
    assert detection_id(ctx, plain, fresh) == detection_id(ctx, plain, earlier)


def test_covariates_and_level_shifts_are_on_the_panel(ctx: RunContext, model: ModelDefinition) -> None:
    why = Bilingual(zh="编码调整", en="codes changed")
    prefecture = next(code for code in model_panel(ctx, model).panel.index.get_level_values("region") if code)
    shifts = (
        LevelShift(since=dt.date(2024, 1, 3), where={"region": (prefecture,)}, reason=why, source="notice 1"),
        LevelShift(since=dt.date(2023, 1, 1), reason=why, source="notice 2"),
    )
    asked = model.model_copy(update={"covariates": ("spring-festival", "workdays"), "level_shifts": shifts, "delay": None})
    panel = model_panel(ctx, asked).panel
    found = panel.covariates
    assert found is not None
    assert found.names == (
        "spring-festival-before", "spring-festival-holiday", "spring-festival-after", "workdays",
        "level-shift-1-2024-01-03", "level-shift-2-2023-01-01",
    )  # fmt: skip
    assert found.applies is not None
    assert found.applies[:4].all()
    assert found.applies[4].tolist() == [code == prefecture for code in panel.index.get_level_values("region")]
    assert found.applies[5].all()
    at = panel.periods.get_loc(pd.Period("2024-01-03", "W-SUN"))
    assert found.values[4, [at - 1, at, at + 1]].tolist() == [0.0, 5 / 7, 1.0]
    assert int(period_of([np.datetime64("2024-01-03")], "week")[0]) == panel.periods[at].ordinal
    assert model_panel(ctx, model.model_copy(update={"covariates": ()})).panel.covariates is None


def test_a_year_without_holidays_fails_the_model_with_its_reason(ctx: RunContext, model: ModelDefinition) -> None:
    few = dataclasses.replace(ctx.holidays, festivals={2025: ctx.holidays.festivals[2025]})
    asked = model.model_copy(update={"covariates": ("spring-festival",), "delay": None})
    with pytest.raises(CalendarError, match="Spring Festival of 2020, 2021, 2022, 2023, 2024: no data"):
        model_panel(dataclasses.replace(ctx, holidays=few), asked)
