"""The part of the report on laboratories: which find more than the others among like samples. Laboratories are letters, never codes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.detectors.laboratory_effects import laboratory_effects
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.report_scope import Scope
from riskwatch.runner.report_trends import models_in_scope, panel_in_scope
from riskwatch.runner.trends import trend_rules

__all__ = ["laboratories", "letters"]


def letters(count: int) -> list[str]:
    """Return as many letters: A, B, … Z, AA, AB and so on."""
    out = []
    for number in range(count):
        text, rest = "", number
        while rest >= 0:
            text, rest = chr(ord("A") + rest % 26) + text, rest // 26 - 1
        out.append(text)
    return out


def laboratories(scope: Scope) -> dict[str, Input | Missing]:
    """Return the odds of a failure in each laboratory against all, among random samples of like products in like places."""
    parts = []
    names = []
    for model in models_in_scope(scope, trend_rules(scope.ctx)):
        panel = panel_in_scope(scope.standing, model.model_copy(update={"breakdown": "laboratory"}), scope)
        if panel is None or panel.breakdown is None or not panel.breakdown.labels:
            continue
        strata = panel.index.get_level_values("stratum").astype(str)
        chosen = panel.select(np.asarray(strata == "selection=random", dtype=np.bool_))
        if len(chosen.index):
            parts.append(laboratory_effects(chosen))
            names.append(model.name)
    found = pd.concat(parts) if parts else pd.DataFrame()
    if len(found) < 2:  # one alone has nobody to differ from
        return {
            "laboratories": Missing(
                Text(
                    zh="记录没有检验机构代码，或只有一家", en="the records name no laboratory, or only one, so there is nothing to compare"
                )
            )
        }
    # The order of size says nothing that the table does not print, and a code could be told from its place in the alphabet.
    frame = found.sort_values(["n", "effect"], ascending=[False, False], kind="stable").reset_index(drop=True)
    frame = frame.assign(laboratory=letters(len(frame))).rename(columns={"effect": "odds_ratio"})
    origin = Origin(
        room="riskwatch.detectors.laboratory_effects.laboratory_effects",
        method=Text(
            zh="同类产品、同地区随机样品中各机构检出不合格的优势与各机构平均之比（二项回归，经验贝叶斯收缩）；95% 区间",
            en="odds that a laboratory finds a failure against their average, among random samples of like products in like"
            " places (binomial"
            " regression, drawn in by empirical Bayes); 95% intervals",
        ),
        stream="spot_check",
        records=int(np.nansum(frame["n"].to_numpy(dtype=np.float64))),
        filters={"selection": "random", "models": ", ".join(names), "as known on": scope.day.isoformat(), **scope.where},
        last=scope.day,
    )
    return {"laboratories": Input(frame[list(COLUMNS["laboratories"])], origin)}
