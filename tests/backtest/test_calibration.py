"""How often p-values of replayed days fell below a level, against hand counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.backtest.calibration import CALIBRATION, LEVELS, by_detector, calibration_table, counted
from riskwatch.backtest.page import calibration_section

TABLE = pd.DataFrame(
    {
        "model": ["a", "a", "a", "b", "b", "c"],
        "detector": ["ears-c1", "ears-c1", "ears-c1", "ears-c1", "ears-c1", "funnel"],
        "newest": [True, True, False, True, True, True],
        "p_value": [0.05, 0.0005, 0.0, 0.2, 0.011, 0.00009],
    }
)


def test_newest_cells_at_or_below_each_level():
    assert LEVELS == (0.05, 0.01, 0.001, 0.0001)
    assert counted(TABLE) == [
        {"model": "a", "detector": "ears-c1", "cells": 2, "below": [2, 1, 1, 0]},
        {"model": "b", "detector": "ears-c1", "cells": 2, "below": [1, 0, 0, 0]},
        {"model": "c", "detector": "funnel", "cells": 1, "below": [1, 1, 1, 1]},
    ]
    assert counted(TABLE.iloc[::-1]) == counted(TABLE)
    assert counted(TABLE.iloc[:0]) == []


def test_days_add_up():
    table = calibration_table([counted(TABLE), [], counted(TABLE.iloc[:2])])
    assert tuple(table.columns) == CALIBRATION
    a = table[(table["model"] == "a") & (table["nominal"] == 0.001)].iloc[0]
    assert (a["cells"], a["below"], a["realised"]) == (4, 2, 0.5)
    assert a["lower"] == pytest.approx(0.1500, abs=5e-4)  # Wilson's interval of 2 in 4
    assert a["upper"] == pytest.approx(0.8500, abs=5e-4)
    both = by_detector(table).set_index(["label", "nominal"])
    assert both.loc[("ears-c1", 0.05), ["cells", "below"]].tolist() == [6, 5]
    assert len(calibration_table([])) == 0


def test_uniform_p_values_are_at_their_level():
    rng = np.random.default_rng(1)
    days = [counted(pd.DataFrame({"model": "m", "detector": "d", "newest": True, "p_value": rng.random(4000)})) for _ in range(50)]
    table = calibration_table(days, level=0.9999)
    assert ((table["lower"] <= table["nominal"]) & (table["nominal"] <= table["upper"])).all()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_has_a_row_for_each_model_and_a_picture(language):
    section = calibration_section(calibration_table([counted(TABLE)]), language, name=str.upper)
    assert [[cell["text"] for cell in row] for row in section["rows"]] == [
        ["A", "2", "100%", "50%", "50%", "0%"],
        ["B", "2", "50%", "0%", "0%", "0%"],
        ["C", "1", "100%", "100%", "100%", "100%"],
    ]
    assert section["heads"][-4:] == ["≤ 5%", "≤ 1%", "≤ 0.1%", "≤ 0.01%"]
    assert section["png"].startswith("data:image/png;base64,")
