"""Figures of the report: what is missing is hatched, few samples are dotted, limits are right, glyphs are there, bytes do not change."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import binom

from riskwatch import plots
from riskwatch.errors import RiskwatchError
from riskwatch.plots.base import spread
from riskwatch.plots.maps import class_bounds

ROOT = Path(__file__).resolve().parents[1]
RATES = pd.DataFrame(
    {"label": ["长春市", "吉林市"], "rate": [0.05, 0.11], "lower": [0.03, 0.08], "upper": [0.08, 0.15], "raw": [0.04, 0.13], "n": [40, 400]}
)
FUNNEL = pd.DataFrame(
    {"label": ["长春市", "吉林市"], "inspected": [200, 900], "failed": [10, 90], "inflation": [1.2, 1.6], "flagged": [False, True]}
)
CHANGE = pd.DataFrame(
    {
        "label": ["甲", "乙"],
        "raw_change": [0.02, -0.01],
        "change": [0.015, -0.02],
        "mix": [0.005, 0.01],
        "change_lower": [0.0, -0.03],
        "change_upper": [0.03, -0.01],
    }
)
SERIES = pd.DataFrame(
    {
        "period_start": pd.date_range("2025-01-01", periods=4, freq="MS"),
        "observed": [1.0, 2, np.nan, np.nan],
        "forecast": [np.nan, 2, 3, 3.5],
        "lower": [np.nan, 2, 2.5, 2.6],
        "upper": [np.nan, 2, 3.5, 4],
    }
)
SLOPES = pd.DataFrame(
    {"label": ["甲", "乙", "丙"], "before": [0.05, 0.05, 0.051], "now": [0.09, 0.04, 0.05], "worse": [True, False, False]}
)
CELLS = pd.DataFrame([[3.0, 0.0], [np.nan, 120.0]], index=["甲", "乙"], columns=["长春", "吉林"])
BULLETS = pd.DataFrame(
    {"label": ["合格率", "损失率"], "value": [94.0, 1.2], "target": [98.0, np.nan], "lower": [93.0, 1.0], "upper": [95.0, 1.4]}
)
SQUARE = {
    "type": "Feature",
    "properties": {"adcode": "A"},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]},
}
OTHER = {
    "type": "Feature",
    "properties": {"adcode": "B"},
    "geometry": {"type": "Polygon", "coordinates": [[[2, 0], [3, 0], [3, 1], [2, 1], [2, 0]]]},
}

DRAW = {
    "funnel": lambda language: plots.funnel_figure(FUNNEL, centre=0.08, language=language),
    "intervals": lambda language: plots.interval_figure(RATES, reference=0.06, language=language),
    "mix": lambda language: plots.mix_figure(CHANGE, language=language),
    "forecast": lambda language: plots.forecast_figure(SERIES, target=2.0, language=language),
    "slopes": lambda language: plots.slope_figure(SLOPES, language=language),
    "heat": lambda language: plots.coverage_figure(CELLS, language=language),
    "bullets": lambda language: plots.bullet_figure(BULLETS, language=language),
    "map": lambda language: plots.map_figure([SQUARE, OTHER], {"A": 0.02}, language=language, small=["A"], small_n=30),
}


@pytest.mark.parametrize("name", sorted(DRAW))
def test_each_figure_has_all_glyphs_both_languages_and_the_same_bytes(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        zh, en = plots.to_png(DRAW[name]("zh")), plots.to_png(DRAW[name]("en"))
    assert zh != en
    assert (plots.to_png(DRAW[name]("zh")) == zh) is True
    with pytest.raises(RiskwatchError, match="language must be one of zh, en, got 'fr'"):
        DRAW[name]("fr")


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(plots.to_png(figure))).convert("RGB")).astype(int)


def test_a_region_without_data_is_hatched_and_not_in_the_colour_of_low():
    def part(values):
        image = pixels(plots.map_figure([SQUARE, OTHER], values, width=4.0))
        return image[:, int(image.shape[1] * 0.42) : int(image.shape[1] * 0.70)]  # the right-hand square

    missing, low = part({"A": 0.10}), part({"A": 0.10, "B": 0.001})
    orange = lambda image: (image[..., 0] - image[..., 2] > 25).mean()  # noqa: E731 - used twice, right below
    grey = lambda image: ((np.ptp(image, axis=2) < 25) & (image.max(axis=2) < 230)).mean()  # noqa: E731
    assert orange(missing) == 0
    assert orange(low) > 0.2
    assert grey(missing) > 0.03
    nan = part({"A": 0.10, "B": float("nan")})
    assert (nan == missing).all()


def test_few_samples_are_dotted():
    plain = pixels(plots.map_figure([SQUARE, OTHER], {"A": 0.1, "B": 0.2}))
    dotted = pixels(plots.map_figure([SQUARE, OTHER], {"A": 0.1, "B": 0.2}, small=["A"], small_n=30))
    assert (plain != dotted).any()


def test_lines_of_an_outline_file_are_drawn():
    line = {"type": "Feature", "properties": {"adcode": ""}, "geometry": {"type": "LineString", "coordinates": [[0, -1], [3, -1]]}}
    figure = plots.map_figure([SQUARE, OTHER, line], {"A": 0.1})
    assert len(figure.axes[0].get_lines()) == 1
    provinces = json.loads((ROOT / "config/geo/china_provinces.geojson").read_text(encoding="utf-8"))["features"]
    kinds = [feature["geometry"]["type"] for feature in provinces]
    assert sum("Polygon" in kind for kind in kinds) == 34
    assert sum("Line" in kind for kind in kinds) == 8


def test_outlines_have_every_region_of_the_tree():
    tree = pd.read_csv(ROOT / "config/dimensions/regions.csv", dtype=str)
    for level, file in (("county", "jilin_counties.geojson"), ("prefecture", "jilin_prefectures.geojson")):
        features = json.loads((ROOT / "config/geo" / file).read_text(encoding="utf-8"))["features"]
        codes = {feature["properties"]["adcode"] for feature in features}
        assert codes == set(tree.loc[(tree["level"] == level) & tree["code"].str.startswith("22"), "code"])


def test_a_map_needs_polygons():
    with pytest.raises(RiskwatchError, match="at least one polygon"):
        plots.map_figure([], {"A": 0.1})


@pytest.mark.parametrize(("centre", "probability"), [(0.05, 0.975), (0.2, 0.001), (0.08, 0.999)])
def test_funnel_limits_keep_their_probability(centre, probability):
    """Interpolated limits (Spiegelhalter 2005) lie between the exact quantile and the count below it."""
    size = np.array([30.0, 111.0, 850.0])
    limits = plots.binomial_limits(size, centre, probability)
    exact = binom.ppf(probability, size, centre)
    assert (limits * size <= exact + 1e-9).all()
    assert (limits * size >= np.maximum(exact - 1, 0) - 1e-9).all()


def test_funnel_limits_narrow_and_bad_ones_are_refused():
    limits = plots.binomial_limits(np.arange(50.0, 2000.0, 50), 0.1, 0.999)
    assert limits[0] > limits[-1] > 0.1
    with pytest.raises(RiskwatchError, match="sizes must be at least 1"):
        plots.binomial_limits(np.array([0.0]), 0.1, 0.9)
    with pytest.raises(RiskwatchError, match="strictly between 0 and 1"):
        plots.binomial_limits(np.array([10.0]), 0.0, 0.9)


def test_classes_of_a_map_hold_every_value():
    values = np.array([0.2, 3.1, 4.4, 9.7, 17.2, np.nan])
    bounds = class_bounds(values)
    assert (np.diff(bounds) > 0).all()
    assert bounds[0] <= 0.2
    assert bounds[-1] > 17.2
    assert len(class_bounds(np.array([4.0, 4.0]))) == 2


def test_labels_are_moved_apart_and_keep_their_order():
    places = np.array([1.0, 1.0, 1.05, 5.0])
    moved = spread(places, 0.5)
    assert (np.diff(moved[np.argsort(places, kind="stable")]) >= 0.5 - 1e-12).all()
    assert moved[3] == 5.0
    assert moved[:3].mean() == pytest.approx(places[:3].mean())


def test_gaps_of_coverage_are_patches_and_not_white_cells():
    figure = plots.coverage_figure(CELLS)
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 2


@pytest.mark.parametrize(
    ("figure", "frame"),
    [(plots.interval_figure, RATES), (plots.mix_figure, CHANGE), (plots.slope_figure, SLOPES), (plots.bullet_figure, BULLETS)],
)
def test_frames_without_columns_or_rows_are_named(figure, frame):
    with pytest.raises(RiskwatchError, match=r"must have .*; missing: label"):
        figure(frame.drop(columns="label"))
    with pytest.raises(RiskwatchError, match="at least one row"):
        figure(frame.iloc[:0])
