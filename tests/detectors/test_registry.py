"""Detectors by name, plug-ins, and signals as a table."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import REASONS, Signals, detector, detector_class, names, registry
from riskwatch.detectors.parameters import describe
from riskwatch.errors import DetectorError


@dataclasses.dataclass(frozen=True)
class Quiet:
    alpha: float = 0.1
    name = "quiet"


def test_unknown_name():
    with pytest.raises(DetectorError) as caught:
        detector("farington-flexible")
    assert caught.value.message == "no detector is named 'farington-flexible'; did you mean 'farrington-flexible'?"
    assert "binomial-baseline" in caught.value.hint


def test_plug_in(monkeypatch):
    points = {
        "quiet": EntryPoint("quiet", f"{__name__}:Quiet", registry.ENTRY_POINT_GROUP),
        "gone": EntryPoint("gone", "no_such_module_here:Thing", registry.ENTRY_POINT_GROUP),
        "odd": EntryPoint("odd", "math:pi", registry.ENTRY_POINT_GROUP),
    }
    monkeypatch.setattr(registry, "_plug_ins", lambda: points)
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(Quiet=Quiet))
    assert "quiet" in names()
    assert detector("quiet", alpha=0.2) == Quiet(0.2)
    with pytest.raises(DetectorError, match="unknown parameter 'alhpa'; did you mean 'alpha'"):
        detector("quiet", alhpa=0.2)
    with pytest.raises(DetectorError, match="plug-in 'no_such_module_here:Thing' cannot be loaded"):
        detector("gone")
    with pytest.raises(DetectorError, match="plug-in 'math:pi' must be a dataclass, got float"):
        detector("odd")


@pytest.mark.parametrize("name", names())
def test_every_parameter_is_declared_and_documented(name):
    kind = detector_class(name)
    declared = {entry["name"] for entry in describe(kind)}
    assert declared == {item.name for item in dataclasses.fields(kind)}
    for parameter in declared:
        assert parameter in kind.__doc__, parameter


def signals(**changes):
    values = {
        "index": pd.Index(["a", "b"], name="product"),
        "periods": pd.period_range("2021-01", periods=2, freq="M"),
        "observed": np.array([[4.0, 0.0], [np.nan, 3.0]]),
        "expected": np.array([[2.0, 0.0], [np.nan, 0.0]]),
        "lower": np.zeros((2, 2)),
        "upper": np.ones((2, 2)),
        "p_value": np.ones((2, 2)),
        "alarm": np.array([[True, False], [False, True]]),
        "reason": np.array([[0, 0], [1, 0]], dtype=np.uint8),
    }
    return Signals(**{**values, **changes})


def test_excess_and_relative_risk():
    made = signals()
    np.testing.assert_array_equal(made.excess, [[2.0, 0.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(made.relative_risk, [[2.0, np.nan], [np.nan, np.inf]])
    assert made.reason_text.tolist() == [["", ""], ["missing", ""]]
    assert REASONS[0] == ""


def test_frame_keeps_levels_and_order():
    index = pd.MultiIndex.from_tuples([("p1", "r1"), ("p2", "")], names=["product", "region"])
    frame = signals(index=index, exposure=np.full((2, 2), 10.0)).to_frame()
    assert frame[["product", "region"]].to_numpy().tolist() == [["p1", "r1"], ["p1", "r1"], ["p2", ""], ["p2", ""]]
    assert [str(period) for period in frame["period"]] == ["2021-01", "2021-02"] * 2
    assert frame["exposure"].tolist() == [10.0] * 4
    assert frame["reason"].tolist() == ["", "", "missing", ""]


def test_shapes_are_checked():
    with pytest.raises(DetectorError, match=r"shape \(series, judged period\) = \(2, 2\); not so: upper, reason"):
        signals(upper=np.ones((2, 3)), reason=np.zeros(2, np.uint8))
