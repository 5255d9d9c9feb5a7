"""A warning taken apart: every number of its evidence is the sum of the records behind it, and the story is that of the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.calendar import period_bounds
from riskwatch.errors import ProjectError
from riskwatch.runner.evidence_records import EvidenceReader, _strata
from riskwatch.runner.explain import explain_warning
from riskwatch.runner.explanation import ACTION_COLUMNS, EVENT_COLUMNS, EVIDENCE_COLUMNS, STEP_COLUMNS, Explanation
from riskwatch.runner.panels import model_panel


@pytest.fixture(scope="module")
def project(demo_project: Path) -> Project:
    return Project(demo_project)


# Counts, strata (causes, ways of sampling), test items and what other streams say.
MODELS = {"injury-counts", "injury-causes", "spot-check-failures", "spot-check-items", "complaints", "media-reports"}


@pytest.fixture(scope="module")
def stories(project: Project) -> list[Explanation]:
    """The most urgent warnings, until every kind of model has spoken and one rests on a floor alone."""
    made: list[Explanation] = []
    for name in project.warnings()["warning_id"]:
        made.append(project.explain(name))
        if {model for story in made for model in story.evidence["model"]} >= MODELS and made[-1].evidence.empty:
            break
    return made


def test_records_add_up_to_what_was_observed(stories: list[Explanation]) -> None:
    seen = set()
    for story in stories:
        assert len(story.records) == len(story.series) == len(story.evidence)
        for row, records in zip(story.evidence.itertuples(), story.records, strict=True):
            assert records["counted"].sum() == row.observed, (story.warning_id, row)
            assert len(records) == row.records
            assert records["event_date"].between(row.period_start, row.period_end).all()
            assert (records["known_at"] <= pd.Timestamp(story.as_of)).all()
            assert records["counted"].is_monotonic_decreasing
            seen.add(row.model)
    assert seen >= MODELS


def test_shares_hold_the_samples_that_passed_too(stories: list[Explanation]) -> None:
    story, at = next(
        (story, at) for story in stories for at, row in enumerate(story.evidence.itertuples()) if row.model == "spot-check-failures"
    )
    records, row = story.records[at], story.evidence.iloc[at]
    assert records["inspected"].sum() == row["exposure"] > row["observed"]
    assert set(records["selection"]) == {row["stratum"].removeprefix("selection=")}


def test_series_end_where_the_evidence_is(stories: list[Explanation]) -> None:
    for story in stories:
        for row, series in zip(story.evidence.itertuples(), story.series, strict=True):
            (now,) = series[series["period_start"] == row.period_start].to_dict("records")
            assert (now["observed"], now["expected"], now["alarm"]) == (row.observed, pytest.approx(row.expected), True)


def test_frames_have_their_columns_and_the_story_is_that_of_the_command_line(project: Project, stories: list[Explanation]) -> None:
    story = stories[0]
    frames = (
        (story.evidence, EVIDENCE_COLUMNS),
        (story.steps, STEP_COLUMNS),
        (story.actions, ACTION_COLUMNS),
        (story.events, EVENT_COLUMNS),
    )
    for frame, columns in frames:
        assert tuple(frame.columns) == columns
        assert len(frame) > 0
    with project.context() as ctx:
        told = explain_warning(ctx, story.warning_id)
    assert story.text() == told.text()
    assert [step["rule"] for step in told.data["assessment"]["steps"]] == story.steps["rule"].tolist()
    assert story.figures[["risk", "confidence"]].iloc[0].tolist() == [told.data["assessment"][name] for name in ("risk", "confidence")]
    assert story.steps["grade_after"].iloc[-1] in {"", story.grade}
    assert story.warning_id in repr(story)
    assert story.actions["measure_zh"].str.len().min() > 0


def test_a_warning_on_a_floor_alone_has_steps_and_no_evidence(stories: list[Explanation]) -> None:
    floors = [story for story in stories if story.evidence.empty]
    assert floors
    for story in floors:
        assert story.records == story.series == ()
        assert (story.steps["grade_after"] == story.grade).any()


def test_an_id_that_is_none_is_refused(project: Project) -> None:
    with pytest.raises(ProjectError, match="0 warnings start with"):
        project.explain("zzzz")


def test_strata_are_read_whatever_they_hold() -> None:
    assert _strata(["selection"], "selection=random") == {"selection": "random"}
    assert _strata(["selection", "item"], "selection=random, item=铅, 总=5") == {"selection": "random", "item": "铅, 总=5"}
    assert _strata([], "") == {}


@pytest.mark.parametrize("counted", ["", "persons"])
def test_records_that_hold_a_term_are_found_as_the_model_found_them(project: Project, counted: str) -> None:
    model = project.model("injury-words")
    assert model.terms is not None
    model = model.model_copy(update={"terms": model.terms.model_copy(update={"counted": counted}), "history_periods": 60})
    with project.context() as ctx:
        definitions = dataclasses.replace(ctx.definitions, models={model.name: model})
        ctx = dataclasses.replace(ctx, definitions=definitions)  # noqa: PLW2901 - with this model alone
        panel = model_panel(ctx, model).panel
        at = int(panel.observed[:, -1].argmax())
        first, last = (days[-1].item().isoformat() for days in period_bounds(panel.periods))
        evidence = {"model": model.name, "stream": model.stream, "period_start": first, "period_end": last, "stratum": panel.index[at][3]}
        reader = EvidenceReader(ctx)
        records = reader.records(evidence)
        assert reader.records({**evidence, "stratum": "term=no such term"}).empty
        assert reader.records({**evidence, "model": "no-such-model"}).empty
    assert records["counted"].sum() == panel.observed[at, -1] > 0
    assert panel.exposure is not None
    if counted:
        assert len(records) == panel.exposure[at, -1]
