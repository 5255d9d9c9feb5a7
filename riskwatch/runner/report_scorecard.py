"""Parts of the report that put other parts side by side: the funnel of standardised rates, and the scorecard of regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from riskwatch.indicators.attainment import TARGET_COLUMNS
from riskwatch.indicators.scorecard import SCORECARD_COLUMNS, scorecard
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.indicators import catalogue_of
from riskwatch.runner.rates import rate_rules
from riskwatch.runner.report_scope import Scope

__all__ = ["regions"]


def regions(scope: Scope, found: Mapping[str, Input | Missing]) -> dict[str, Input | Missing]:
    """Return funnel and scorecard from the rates, the coverage and the closure that were found before.

    The funnel compares standardised rates: raw ones would call out a region for what it samples.
    """
    rates = found.get("rates_region")
    catalogue = catalogue_of(scope.ctx)
    if not isinstance(rates, Input) or catalogue is None:
        reason = (
            Missing(Text(zh="项目没有 config/indicators.yaml", en="the project has no config/indicators.yaml"))
            if catalogue is None
            else rates
            if isinstance(rates, Missing)
            else Missing(Text(zh="没有地区不合格率", en="there are no failure rates by region"))
        )
        return {"funnel": reason, "scorecard": reason}
    rules, level = catalogue.scorecard, rate_rules(scope.ctx).interval_level
    table = scorecard(
        rates.frame,
        _frame(found.get("coverage_region"), {"code": "region"}, ("region", "cells", "covered", "share")),
        _frame(found.get("closure"), {}, ("region", "orders", "due", "closed_in_time", "share", "lower", "upper")),
        pd.DataFrame(columns=TARGET_COLUMNS),  # targets are those of the whole jurisdiction: section 10 tells of them
        rules=rules,
        level=level,
    )
    parameters = {
        **rates.origin.parameters,
        "indicators.scorecard.min_coverage": f"{rules.min_coverage:g}",
        "indicators.scorecard.min_inspected": str(rules.min_inspected),
        "indicators.scorecard.warning_z": f"{rules.warning_z:g}",
        "indicators.scorecard.alarm_z": f"{rules.alarm_z:g}",
        "indicators.scorecard.winsorise": f"{rules.winsorise:g}",
    }
    origin = dataclasses.replace(
        rates.origin,
        room="riskwatch.indicators.scorecard.scorecard",
        method=Text(
            zh="标准化不合格率在反正弦尺度上与总体比较，方差计入地区间的正常差异（Spiegelhalter 2005，缩尾）；覆盖、闭环并列，不合成总分",
            en="standardised rates against the overall one on the arcsine scale, usual differences between regions added to the variance"
            " (Spiegelhalter 2005, winsorised); coverage and closure stand beside them, no blended score",
        ),
        parameters=parameters,
    )
    return {"funnel": _funnel(table, rates, origin), "scorecard": Input(table[SCORECARD_COLUMNS], origin)}


def _frame(source: Input | Missing | None, renamed: Mapping[str, str], columns: tuple[str, ...]) -> pd.DataFrame:
    if not isinstance(source, Input):
        return pd.DataFrame(columns=list(columns))
    return source.frame.rename(columns=dict(renamed))[list(columns)]


def _funnel(table: pd.DataFrame, rates: Input, origin: Origin) -> Input | Missing:
    known = table[table["z"].notna() & (table["inspected"] > 0)].rename(columns={"region": "code", "z": "z_adjusted"})
    if len(known) < 3:
        return Missing(Text(zh="有率的地区不足三个，无法画漏斗图", en="fewer than three regions have a rate: there is no funnel"))
    centre = known["centre"].to_numpy(np.float64)
    size, rate = known["inspected"].to_numpy(np.float64), known["rate"].to_numpy(np.float64)
    failed = rates.frame.set_index("code")["failed"].reindex(known["code"]).to_numpy(np.float64)
    # z of chance alone, were every sample independent: how far the adjusted limits are wider is drawn as dashed lines.
    z = 2.0 * np.sqrt(size) * (np.arcsin(np.sqrt(rate)) - np.arcsin(np.sqrt(centre)))
    p_value = 2.0 * stats.norm.sf(np.abs(known["z_adjusted"].to_numpy(np.float64)))
    frame = known.assign(failed=failed, z=z, p_value=p_value)
    return Input(frame[list(COLUMNS["funnel"])].reset_index(drop=True), origin)
