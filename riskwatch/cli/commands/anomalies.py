"""``riskwatch anomalies``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table


class AnomalyKind(StrEnum):
    """What is looked at."""

    PRODUCT_REGION = "product-region"
    ENTERPRISE = "enterprise"


@app.command("anomalies")
def anomalies_command(
    context: typer.Context,
    kind: Annotated[AnomalyKind, typer.Option(help="Products in regions, or enterprises (internal).")] = AnomalyKind.PRODUCT_REGION,
    most: Annotated[int, typer.Option("--most", min=1, help="Rows printed, most unusual first.")] = 15,
    codes: Annotated[bool, typer.Option("--codes", help="With --kind enterprise: show codes, which must not leave the house.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show products in regions, or enterprises, whose figures are unusual TOGETHER, though each alone may be ordinary.

    Score: mean of an isolation forest and a robust Mahalanobis distance, each on the scale of its null distribution, which comes from
    permuted data. q is the false-discovery rate; rows with q at or below config/anomalies.yaml (q) are marked. Drivers are the features
    without which the score would fall most, in robust standard deviations. Evidence is C1 at most: it supports a concern, it never grades
    one.

    Examples: riskwatch anomalies; riskwatch anomalies --kind enterprise --most 5 --codes
    """
    project = open_project(context)
    frame = project.anomalies(kind.value, as_of=day(as_of))
    absent = frame.attrs["absent"]
    if kind is AnomalyKind.ENTERPRISE:
        columns = ["row", *(["enterprise"] if codes else [])]
        frame = frame.drop(columns=["product", "region"] if codes else ["product", "region", "enterprise"])
    else:
        frame = frame.drop(columns=["row", "enterprise"])
        for name in ("product", "region"):
            tree = project.trees[name]
            for language in ("zh", "en"):
                frame[f"{name}_{language}"] = [tree.name(code, language) if code in tree else code for code in frame[name]]
        columns = ["product", "product_zh", "product_en", "region", "region_zh", "region_en"]
    if as_json:
        print_json(
            {"kind": kind.value, "absent": {name: {"zh": zh, "en": en} for name, (zh, en) in absent.items()}, "rows": plain_rows(frame)},
            internal=codes,
        )
        return
    for name, (_, why) in absent.items():
        sys.stderr.write(f"left out: {name} ({why})\n")
    if frame.empty:
        sys.stdout.write("nothing to judge: fewer than 20 rows have enough records\n")
        return
    shown = frame.head(most)
    columns += ["score", "q_value", "anomaly", "worse", "drivers_zh", "drivers_en"]
    shown = shown.assign(score=shown["score"].map("{:.2f}".format), q_value=shown["q_value"].map("{:.3f}".format))
    title = f"{int(frame['anomaly'].sum())} anomalies among {len(frame):,} rows"
    print_table(columns, shown[columns].to_numpy().tolist(), title=title, internal=codes)
