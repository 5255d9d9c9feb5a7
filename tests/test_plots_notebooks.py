"""Charts that notebooks need: calibration, a series of a panel with its judgements, figures that show themselves."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from riskwatch.detectors import detector
from riskwatch.detectors.realised import realised_rates
from riskwatch.errors import RiskwatchError
from riskwatch.panel import Panel
from riskwatch.plots import calibration_figure, history_of, series_figure, to_png


def rates(*labels):
    rng = np.random.default_rng(2)
    return pd.concat([realised_rates(rng.random(3000) ** (at + 1)).assign(label=label) for at, label in enumerate(labels)])


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_tuples([("P1", ""), ("P2", "220100")], names=["product", "region"])
    counts = rng.poisson(6.0, (2, 60)).astype(float)
    counts[1, -1], counts[1, 10] = 40.0, np.nan
    return Panel(counts, index, pd.period_range("2024-01-01", periods=60, freq="W-SUN"))


def test_calibration_draws_each_label_with_its_intervals():
    figure = calibration_figure(rates("守信", "太响 too loud"), language="zh")
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["名实相符", "守信", "太响 too loud"]
    assert len(axes.collections) == 3, "the grey of what is too loud, and the intervals of two labels"
    assert to_png(figure) == to_png(calibration_figure(rates("守信", "太响 too loud"), language="zh"))
    assert axes.get_xlabel() == "名义水平"
    assert calibration_figure(rates("a"), language="en").axes[0].get_ylabel() == "realised rate of false alarms"


def test_calibration_shows_that_nothing_alarmed():
    quiet = realised_rates(np.ones(500)).assign(label="quiet")
    axes = calibration_figure(quiet, language="en").axes[0]
    assert "below the axis" in [text.get_text() for text in axes.get_legend().get_texts()]
    with pytest.raises(RiskwatchError, match="missing: label"):
        calibration_figure(realised_rates([0.5]))
    with pytest.raises(RiskwatchError, match="got none"):
        calibration_figure(quiet.iloc[:0])


def test_history_joins_a_series_with_what_was_said_of_it(panel):
    key = ("P2", "220100")
    signals = detector("ears-c1").detect(panel.select([key]), panel.periods[-5:])
    found = history_of(panel, key, signals)
    assert list(found.columns) == ["period_start", "observed", "exposure", "expected", "upper", "alarm"]
    np.testing.assert_array_equal(found["observed"], panel.observed[1])
    np.testing.assert_array_equal(found["expected"].iloc[-5:], signals.expected[0])
    assert found["expected"].iloc[:-5].isna().all()
    assert found["alarm"].tolist() == [False] * 59 + [True]
    assert found["period_start"].iloc[0] == pd.Timestamp("2024-01-01")
    pd.testing.assert_frame_equal(history_of(panel, key, signals, last=7), found.tail(7).reset_index(drop=True))
    assert history_of(panel, ("P1", ""))["upper"].isna().all()
    assert to_png(series_figure(found)).startswith(b"\x89PNG")
    with pytest.raises(RiskwatchError, match=r"the panel must hold the series \('P9', ''\)"):
        history_of(panel, ("P9", ""))
    with pytest.raises(RiskwatchError, match="the signals must hold"):
        history_of(panel, ("P1", ""), signals)


def test_a_figure_shows_itself_without_pyplot(panel):
    figure = series_figure(history_of(panel, ("P1", "")), width=4.0, height=1.0)
    png, size = figure._repr_png_()
    assert png == to_png(figure)
    assert size == {"width": 440, "height": 110}
    assert Image.open(io.BytesIO(png)).size == (800, 200)
