"""The document: every number traced, missing parts said, the same bytes every time, small figures kept back."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.reports.build import build_report
from riskwatch.reports.explain import explain_trace, find_trace
from riskwatch.reports.inputs import COLUMNS, Input, Missing, ReportInputs
from riskwatch.reports.model import Note, Paragraph, Picture, Report, Table, Text, render_json
from riskwatch.reports.numbers import printed
from riskwatch.reports.rules import SECTIONS
from riskwatch.reports.writer import with_a_second
from tests.reports.conftest import frames, make_inputs, origin, rules

INPUTS = tuple(COLUMNS)


def lines(report, language="zh"):
    return "\n".join(line.plain(language) for line in report.lines())


def tables(report):
    return [block for section in report.sections for block in section.blocks if isinstance(block, Table)]


def test_all_sections_stand_in_their_order_and_none_is_empty(report):
    assert [section.key for section in report.sections] == list(SECTIONS)
    assert [int(section.number) for section in report.sections] == list(range(1, 14))
    for section in report.sections:
        assert any(not isinstance(block, Paragraph) or block.style != "heading" for block in section.blocks)
        assert all(section.title.of(language) for language in ("zh", "en"))


def test_every_number_in_a_sentence_has_its_trace(report):
    known = {trace.id: trace for trace in report.traces}
    used = [run for line in report.lines() for language in ("zh", "en") for run in line.of(language) if run.trace]
    assert len(used) > 300
    for run in used:
        assert known[run.trace].text == run.text
        assert re.fullmatch(r"R\d+\.\d+-\d\d+", run.trace)
    assert len(known) == len(report.traces)


def test_both_languages_cite_the_same_numbers(report):
    for line in report.lines():
        assert sorted(run.trace for run in line.zh if run.trace) == sorted(run.trace for run in line.en if run.trace)


def test_every_column_of_numbers_is_traced_to_its_cells(report):
    known = {trace.id: trace for trace in report.traces}
    seen = 0
    for table in tables(report):
        for place, column in enumerate(table.columns):
            if not column.trace:
                continue
            trace = known[column.trace]
            for key, row in zip(table.keys, table.rows, strict=True):
                cell = row[place]
                if f"{key}.lower" in trace.values:
                    assert cell.value is None
                else:
                    assert trace.values[key] == cell.value
                seen += 1
    assert seen > 500


def test_traces_say_what_a_sceptic_asks(report):
    for trace in report.traces:
        assert trace.what.zh
        assert trace.what.en
        assert trace.method.zh
        assert trace.room.startswith("riskwatch.")
        assert trace.as_of == report.header.as_of
        assert trace.records >= 0


def test_a_number_can_be_followed_to_the_frame(report, inputs):
    frame = inputs.overall.frame
    trace = next(trace for trace in report.traces if trace.what.en == "failure rate of random samples")
    assert trace.value == frame["rate"].iloc[0]
    assert trace.text == "5.1%"
    told = explain_trace(report, trace.id)
    for part in ("5.1%", "0.0515", "spot_check", "selection=random", "models.rates.prior = beta", "2025-12-31", "riskwatch.rates.shrink"):
        assert part in told
    assert "率" in explain_trace(report, trace.id, language="zh")


def test_a_cell_can_be_followed_too(report):
    table = next(table for table in tables(report) if table.title.en == "Failure rates by region")
    column = next(column for column in table.columns if column.head.en == "standardised")
    told = explain_trace(report, f"{column.trace}/{table.keys[0]}")
    assert table.keys[0] in told
    assert table.rows[0][0].text.en in told
    with pytest.raises(ProjectError, match="has no row 'nowhere'"):
        explain_trace(report, f"{column.trace}/nowhere")


def test_an_unknown_number_names_the_nearest(report):
    with pytest.raises(ProjectError, match=r"no number 'R3\.1-99'") as caught:
        find_trace(report, "R3.1-99")
    assert "did you mean R3.1-" in caught.value.hint


def test_a_missing_part_gives_its_reason_and_no_empty_heading():
    reasons = {name: Text(zh=f"缘由{name}。", en=f"cause of {name}") for name in INPUTS}
    gone = {name: Missing(reason) for name, reason in reasons.items()}
    told = lines(build_report(dataclasses.replace(make_inputs(), **gone), languages=()), "en")
    # Two have no sentence of their own (a chart more or less); changes of warnings are not asked for where there are no warnings.
    silent = {"trend_series", "events"}
    assert {name for name, reason in reasons.items() if reason.en not in told} == silent
    one = build_report(dataclasses.replace(make_inputs(), closure=gone["closure"], funnel=gone["funnel"]), languages=())
    notes = [
        block.line.plain("zh")
        for section in one.sections
        for block in section.blocks
        if isinstance(block, Note) and block.tone == "missing"
    ]
    assert sum("缘由closure" in note for note in notes) == 2
    assert sum("缘由funnel" in note for note in notes) == 1


def test_with_nothing_at_all_every_section_says_so():
    report = build_report(make_inputs(only=()), languages=("zh",))
    assert [section.key for section in report.sections] == list(SECTIONS)
    assert report.traces == ()
    assert "本期缺失" in lines(report)
    assert render_json(report)


def test_empty_frames_are_missing_parts_not_errors():
    made = make_inputs()
    empty = {name: dataclasses.replace(getattr(made, name), frame=getattr(made, name).frame.iloc[:0]) for name in INPUTS}
    report = build_report(dataclasses.replace(made, **empty), languages=())
    assert "没有符合条件的记录" in lines(report)


def test_frames_of_nothing_but_missing_values_do_not_break_a_report():
    made = make_inputs()
    blank = {}
    for name in INPUTS:
        frame = getattr(made, name).frame.copy()
        for column in frame.select_dtypes("number").columns:
            frame[column] = np.nan
        blank[name] = Input(frame, origin())
    report = build_report(dataclasses.replace(made, **blank), languages=("zh",))
    assert "nan" not in lines(report).lower()


def test_json_is_canonical_and_comes_back(report):
    text = render_json(report)
    # Compared outside of assert: a difference of megabytes would be printed.
    same = text == render_json(report.model_copy(deep=True))
    assert same
    data = json.loads(text)
    assert list(data) == ["header", "sections", "traces"]
    assert "sha256:" in text
    assert "iVBOR" not in text
    assert data["header"]["period"] == "2025Q4"


def test_row_order_of_the_frames_changes_nothing(report):
    made = make_inputs()
    # Order says something in these: the first row is the present period, and categories of warnings are listed as given.
    kept = {"overall", "sources", "enterprises", "standard_effect", "warnings", "actions", "indicators", "injuries"}
    shuffled = {
        name: Input(getattr(made, name).frame.sample(frac=1, random_state=4), getattr(made, name).origin)
        for name in INPUTS
        if name not in kept
    }
    again = build_report(dataclasses.replace(made, **shuffled), languages=())
    assert len(again.traces) == len(report.traces)
    for one, other in zip(again.traces, report.traces, strict=True):
        assert one == other


def test_ids_do_not_depend_on_which_sections_are_printed(report):
    periods = rules().model_dump()["periods"]
    periods["quarter"]["sections"] = ["overall", "regions"]
    fewer = build_report(make_inputs(rules=rules(periods=periods)), languages=())
    assert [section.number for section in fewer.sections] == ["3", "6"]
    by_id = {trace.id: trace.value for trace in report.traces}
    assert all(by_id[trace.id] == trace.value for trace in fewer.traces)


def test_small_numbers_of_persons_are_kept_back(report):
    injuries = next(table for table in tables(report) if table.title.en == "Injuries by product category")
    cells = {row[0].text.zh: row for row in injuries.rows}
    small = [row for row in cells.values() if row[1].text.zh == "<5" or row[2].text.zh == "<5"]
    assert small
    data = render_json(report)
    for row in small:
        for cell in row[1:3]:
            assert (cell.value is None) == (cell.text.zh in {"<5", "≥5"})
    trace = next(trace for trace in report.traces if trace.id == injuries.columns[1].trace)
    assert None in trace.values.values()
    assert '"persons": 3' not in data


def test_regions_beyond_chance_are_named_and_others_are_not_ranked(report, inputs):
    text = lines(report, "en")
    assert "lie above the 99.8% limits" in text
    calm = inputs.funnel.frame.assign(z=0.4, z_adjusted=0.3)
    quiet = build_report(dataclasses.replace(inputs, funnel=Input(calm, origin())), languages=())
    assert "within the 99.8% limits that allow for their usual differences" in lines(quiet, "en")


def test_regions_of_few_samples_are_not_named_as_worst():
    made = make_inputs()
    frame = made.rates_region.frame.copy()
    frame.loc[0, ["inspected", "failed", "raw", "rate", "lower", "upper"]] = [4, 4, 1.0, 0.9, 0.8, 0.99]
    report = build_report(dataclasses.replace(made, rates_region=Input(frame, origin())), languages=())
    name = report.sections[5]
    first = next(block for block in name.blocks if isinstance(block, Paragraph) and block.style == "body")
    code = frame.loc[0, "code"]
    assert made.trees.region.name(code, "zh") not in first.line.plain("zh")


def test_maps_say_that_they_are_for_internal_use(report):
    captions = [block.caption.plain("zh") for section in report.sections for block in section.blocks if isinstance(block, Picture)]
    maps = [caption for caption in captions if "斜线为无数据" in caption]
    assert maps
    assert all("仅供内部使用" in caption and "审图号" in caption for caption in maps)


def test_without_outlines_the_interval_plot_remains():
    report = build_report(make_inputs(geometries=()), languages=())
    alts = [block.alt.en for section in report.sections for block in section.blocks if isinstance(block, Picture)]
    assert not any(alt.startswith("map ") for alt in alts)
    assert any("interval plot" in alt and "region" in alt for alt in alts)


def test_pictures_have_words_and_are_drawn_for_the_languages_asked(report):
    pictures = [block for section in report.sections for block in section.blocks if isinstance(block, Picture)]
    assert len(pictures) >= 14
    assert all(set(picture.png) == {"zh", "en"} and picture.alt.zh and picture.alt.en for picture in pictures)


def test_a_frame_without_its_columns_is_refused_at_once():
    bad = frames()["funnel"].drop(columns=["z", "p_value"])
    with pytest.raises(RiskwatchError, match=r"report input funnel: columns must include .*; missing: z, p_value"):
        make_inputs(funnel=Input(bad, origin()))


def test_every_input_has_its_columns_stated():
    names = {field.name for field in dataclasses.fields(ReportInputs) if "Input" in str(field.type)}
    assert names == set(COLUMNS)


def test_a_period_that_has_not_ended_is_marked():
    import datetime as dt

    report = build_report(make_inputs(as_of=dt.date(2025, 11, 20)), languages=())
    assert "本期尚未结束" in lines(report)


def test_report_is_frozen(report):
    with pytest.raises(Exception, match="frozen"):
        report.header.version = "x"
    assert isinstance(report, Report)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([9, 3, 7, 0, None], ["9", "<5", "≥5", "0", "–"]),
        ([9, 3, 2, 7], ["9", "<5", "<5", "7"]),
        ([9, 7, 0], ["9", "7", "0"]),
        ([3, 0], ["<5", "0"]),
    ],
)
def test_a_small_cell_is_not_given_away_by_the_total(values, texts):
    assert with_a_second([printed(value, "persons") for value in values], values, 5) == texts
