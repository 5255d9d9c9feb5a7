"""Charts: Chinese glyphs without system fonts, gaps for missing periods, the same bytes every time."""

from __future__ import annotations

import io
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from riskwatch.errors import RiskwatchError
from riskwatch.plots import ALARM, cjk_font, cluster_figure, series_figure, to_png


def history(**columns):
    starts = pd.date_range("2025-01-06", periods=6, freq="7D")
    return pd.DataFrame({"period_start": starts, "observed": [3, 4, 2, 5, 3, 18], "expected": 4.0, "upper": 9.0, **columns})


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(to_png(figure))).convert("RGB"))


def red_columns(image):
    wanted = np.array([int(ALARM[place : place + 2], 16) for place in (1, 3, 5)])
    return np.flatnonzero((np.abs(image.astype(int) - wanted).sum(axis=2) < 30).any(axis=0))


def test_alarm_is_marked_where_it_is():
    image = pixels(series_figure(history()))
    legend_free = image[image.shape[0] // 4 :, :]
    reds = red_columns(legend_free)
    assert reds.size > 0
    assert reds.min() > image.shape[1] * 0.75
    quiet = pixels(series_figure(history(alarm=False)))
    assert red_columns(quiet).size == 0


def test_same_bytes_every_time():
    assert to_png(series_figure(history())) == to_png(series_figure(history()))
    assert b"Software" not in to_png(series_figure(history()))


def test_languages_differ_and_every_glyph_is_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        assert to_png(series_figure(history(), language="zh")) != to_png(series_figure(history(), language="en"))


def test_font_is_read_by_path_not_from_the_system():
    before = len(mpl.font_manager.fontManager.ttflist)
    assert cjk_font(7).get_file().endswith("NotoSansSC-Regular.otf")
    assert len(mpl.font_manager.fontManager.ttflist) == before


def test_no_pyplot_state():
    import sys

    figure = series_figure(history())
    assert isinstance(figure, Figure)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_rates_are_drawn_in_percent():
    figure = series_figure(history(exposure=60.0))
    top = figure.axes[0].get_ylim()[1] / 1.12
    assert top == pytest.approx(30.0)
    assert figure.axes[0].get_yticklabels()[1].get_text() == "30%"
    assert series_figure(history(exposure=60.0), rate=False).axes[0].get_ylim()[1] / 1.12 == pytest.approx(18.0)


def test_missing_is_a_gap_not_a_zero():
    frame = history()
    frame.loc[2, ["expected", "upper"]] = np.nan
    lines = [line for line in series_figure(frame).axes[0].get_lines() if len(line.get_ydata()) == 6]
    assert all(np.isnan(line.get_ydata()[2]) for line in lines)
    nothing = history(observed=np.nan, expected=np.nan, upper=np.nan)
    assert to_png(series_figure(nothing)).startswith(b"\x89PNG")


def test_one_judged_period_is_still_visible():
    frame = history()
    frame.loc[:4, ["expected", "upper"]] = np.nan
    assert all(line.get_marker() in {"_", "v"} for line in series_figure(frame).axes[0].get_lines())
    assert to_png(series_figure(frame.tail(1))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("frame", "language", "message"),
    [
        (pd.DataFrame({"observed": [1]}), "zh", "series_figure: history must have period_start and observed; missing: period_start"),
        (pd.DataFrame({"period_start": [], "observed": []}), "zh", "series_figure: history must have at least one period, got none"),
        (history(), "fr", "series_figure: language must be one of zh, en, got 'fr'"),
    ],
)
def test_bad_input_is_named(frame, language, message):
    with pytest.raises(RiskwatchError, match=message):
        series_figure(frame, language=language)


def counties(n=9):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "place": [f"22{k:04d}" for k in range(n)],
            "name": [f"测试{k}县" for k in range(n)],
            "inside": [k < 3 for k in range(n)],
            "observed": [6.0, 4.0, 0.0, *rng.poisson(1, n - 3)],
            "expected": [1.5, 1.0, 0.4, *np.full(n - 3, 1.0)],
            "longitude": 125 + np.arange(n) % 3,
            "latitude": 43 + np.arange(n) // 3,
        }
    )


def square(code, x, y):
    ring = [[x - 0.5, y - 0.5], [x + 0.5, y - 0.5], [x + 0.5, y + 0.5], [x - 0.5, y + 0.5], [x - 0.5, y - 0.5]]
    return {"type": "Feature", "properties": {"adcode": code}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def test_a_cluster_is_outlined_and_its_counties_are_listed():
    table = counties()
    shapes = [square(code, x, y) for code, x, y in zip(table["place"], table["longitude"], table["latitude"], strict=True)]
    figure = cluster_figure(table, shapes, title="聚集")
    area, bars = figure.axes
    outlined = [patch for patch in area.patches if patch.get_edgecolor()[:3] == pytest.approx(to_rgb(ALARM))]
    assert (len(area.patches), len(outlined)) == (9, 3)
    assert [text.get_text() for text in area.texts] == ["1", "2", "3"]
    assert [patch.get_width() for patch in bars.patches] == [6, 4, 0]
    assert "6 / 1.5" in [text.get_text() for text in bars.texts]
    # Four times what is expected is darker than none at all, whatever the order of rows.
    assert outlined[0].get_facecolor() != outlined[2].get_facecolor()
    assert to_png(cluster_figure(table[::-1], shapes[::-1], title="聚集")) == to_png(figure)
    dots = cluster_figure(table)
    assert (len(dots.axes[0].patches), len(dots.axes[0].lines)) == (0, 9)
    many = cluster_figure(counties(12).assign(inside=True), language="en")
    assert any(text.get_text().startswith("5 more: observed") for text in many.texts)
    with pytest.raises(RiskwatchError, match=r"cluster_figure: the frame must have .* missing: latitude"):
        cluster_figure(table.drop(columns="latitude"))
