"""The part of the report on cells of product and region that look unlike the rest. Enterprises are left out: they stay in the store."""

from __future__ import annotations

from riskwatch.anomalies import AnomalyRules
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.anomalies import anomaly_frame
from riskwatch.runner.report_scope import Scope

__all__ = ["anomalies"]


def anomalies(scope: Scope) -> dict[str, Input | Missing]:
    """Return the anomalies of products in regions of the jurisdiction, as known at the period's end."""
    ctx = scope.standing
    frame = anomaly_frame(ctx, "product-region")
    tree = ctx.trees.get("region")
    judged = len(frame)
    if scope.region and tree is not None and judged:
        frame = frame[tree.is_within(frame["region"], scope.region)]
    if frame.empty:
        return {"anomalies": Missing(Text(zh="没有样本足够的产品与地区格", en="no cell of product and region has enough samples"))}
    rules = AnomalyRules.model_validate(ctx.definitions.catalogue("anomalies"))
    origin = Origin(
        room="riskwatch.anomalies.anomalies",
        method=Text(
            zh=f"多变量异常得分；错误发现率不高于 {rules.q:g} 为异常；只作线索，不作定级依据",
            en=f"multivariate anomaly score; an anomaly has a false-discovery rate of at most {rules.q:g}; a lead and no"
            f" ground for a level",
        ),
        stream="spot_check",
        records=judged,
        filters={"kind": "product-region", "as known on": scope.day.isoformat(), "cells judged": str(judged), **scope.where},
        parameters={"anomalies.q": f"{rules.q:g}", "anomalies.version": str(rules.version)},
        last=scope.day,
    )
    return {"anomalies": Input(frame[[*COLUMNS["anomalies"], "worse"]].reset_index(drop=True), origin)}
