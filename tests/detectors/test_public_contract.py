"""The contract that plug-ins test themselves against: what keeps it passes, and each broken clause is told."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from typing import ClassVar

import numpy as np
import pytest

from riskwatch.detectors import contract, detector, detector_class, names
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import REASONS
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.errors import DetectorError

PLUG_IN = """
from dataclasses import dataclass
from typing import ClassVar

from riskwatch.detectors.ears import EarsC1


@dataclass(frozen=True)
class Short(EarsC1):
    name: ClassVar[str] = "short"

    baseline: int = 5
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A plug-in as an installer leaves it: a module, and the folder that tells of its entry point."""
    (tmp_path / "riskwatch_short.py").write_text(PLUG_IN, encoding="utf-8")
    info = tmp_path / "riskwatch_short-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: riskwatch-short\nVersion: 0.1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[riskwatch.detectors]\nshort = riskwatch_short:Short\newma = riskwatch_short:Short\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("riskwatch_short", None)


def test_a_plug_in_is_found_by_its_entry_point_and_keeps_the_contract(installed):
    assert "short" in names()
    mine = detector("short", alpha=0.02)
    assert type(mine).__module__ == "riskwatch_short"
    assert contract.findings(mine) == []
    contract.check(mine)
    assert detector_class("ewma").__module__ == "riskwatch.detectors.ewma", "a plug-in cannot take a built-in name"
    with pytest.raises(DetectorError, match="unknown parameter 'bseline'; did you mean 'baseline'"):
        detector("short", bseline=3)


def test_without_the_plug_in_its_name_is_unknown():
    assert "short" not in names()
    with pytest.raises(DetectorError, match="no detector is named 'short'"):
        detector("short")


@pytest.mark.parametrize("name", ["ears-c1", "ears-c3", "farrington-flexible", "funnel", "laney-p", "p-chart", "u-chart"])
def test_what_is_built_in_keeps_it(name):
    assert contract.findings(detector(name)) == []


@dataclasses.dataclass(frozen=True)
class Sound(Parameters):
    """The mean of eight periods and normal limits: enough to keep the contract, and the base of those that break it."""

    name: ClassVar[str] = "sound"
    alpha: float = parameter(0.001, above=0.0, below=0.5)

    def min_periods(self, frequency):
        return 9

    def detect(self, panel, periods=None):
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        for column, now in enumerate(judged.tolist()):
            mean = self._mean(panel.observed, now)
            count = panel.observed[:, now]
            reason = out.reason[:, column]
            reason[~np.isfinite(mean)] = REASONS.index("too-short")
            reason[np.isnan(count)] = REASONS.index("missing")
            on = reason == 0
            self._fill(out, column, on, count, mean)
        return out

    def _mean(self, observed, now):
        known = observed[:, max(now - 8, 0) : now]
        enough = np.isfinite(known).sum(axis=1) >= (5 if now >= 8 else 99)
        return np.where(enough, np.nansum(known, axis=1) / np.maximum(np.isfinite(known).sum(axis=1), 1), np.nan)

    def _fill(self, out, column, on, count, mean):
        limit = mean + 5 * np.sqrt(mean) + 1
        for target, values in ((out.expected, mean), (out.lower, 0 * mean), (out.upper, limit)):
            target[on, column] = values[on]
        out.p_value[on, column] = np.where(count > limit, self.alpha, 0.5)[on]
        out.alarm[on, column] = (count > limit)[on]


class Peeks(Sound):
    """Its baseline ends with the panel."""

    def _mean(self, observed, now):
        return super()._mean(observed, observed.shape[1] - 1 if now > 8 else now)


class Neighbours(Sound):
    """The first series counts more."""

    def _mean(self, observed, now):
        found = super()._mean(observed, now)
        return found + 0.5 * found[0] if len(found) else found


class Writes(Sound):
    """It fills gaps in place."""

    def detect(self, panel, periods=None):
        panel.observed[np.isnan(panel.observed)] = 0.0
        return super().detect(panel, periods)


class Zero(Sound):
    """A missing count is taken for zero."""

    def _fill(self, out, column, on, count, mean):
        out.reason[:, column] = np.where(np.isfinite(mean), 0, out.reason[:, column])
        super()._fill(out, column, np.isfinite(mean), np.nan_to_num(count), mean)


class TwoStories(Sound):
    """It alarms two cases above its limit."""

    def _fill(self, out, column, on, count, mean):
        super()._fill(out, column, on, count, mean)
        out.upper[on, column] -= 2.0


class Eager(Sound):
    """It judges what has no past."""

    def min_periods(self, frequency):
        return 40


class Hashless(Sound):
    """Its results would be kept under one name."""

    hash = "same"


class Blind(Sound):
    """Nothing alarms."""

    def _fill(self, out, column, on, count, mean):
        super()._fill(out, column, on, np.minimum(count, mean), mean)


class Breaks(Sound):
    """It raises on every panel."""

    def detect(self, panel, periods=None):
        raise ZeroDivisionError("no weeks")


def test_the_base_of_the_broken_ones_is_sound():
    assert contract.findings(Sound()) == []


@pytest.mark.parametrize(
    ("kind", "clause", "words"),
    [
        (Peeks, "no future", "what comes after the judged period must not matter; differ: expected"),
        (Neighbours, "no order", "the order of the series must not matter"),
        (Writes, "panel unchanged", "observed has changed"),
        (Zero, "shapes", "a missing count is no zero"),
        (TwoStories, "one story", "alarm must be observed > upper"),
        (Eager, "short history", "nothing must be judged"),
        (Hashless, "hashed", "hash must change with alpha"),
        (Blind, "a jump", "a jump from 20 to 100 must alarm"),
        (Breaks, "nothing to judge", "ZeroDivisionError: no weeks"),
    ],
)
def test_each_broken_clause_is_told(kind, clause, words):
    told = contract.findings(kind())
    assert any(line.startswith(f"{clause}: ") and words in line for line in told), told
    with pytest.raises(DetectorError, match=f"sound breaks the contract of detectors:\n(.*\n)*{clause}: "):
        contract.check(kind())


def test_what_is_no_detector_or_can_change():
    @dataclasses.dataclass
    class Loose(Sound.__mro__[1]):
        name: ClassVar[str] = "loose"
        alpha: float = parameter(0.01)
        min_periods = Sound.min_periods
        detect = Sound.detect
        _mean, _fill = Sound._mean, Sound._fill

    assert any("it must be frozen: alpha could be set" in line for line in contract.findings(Loose()))
    assert contract.CLAUSES["frozen"](object()) == "it must have name, hash, min_periods(frequency) and detect(panel, periods)"
