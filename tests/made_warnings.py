"""Alarms, assessments and trees for the tests of warnings: what every test of the lifecycle needs, made in one place."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from riskwatch.assessment import Assessment, Evidence, Grade, GradingRules, Scope, Subject

CONFIG = Path(__file__).resolve().parents[1] / "config"


def load(name):
    return YAML(typ="safe").load((CONFIG / name).read_text(encoding="utf-8"))


RULES = GradingRules.model_validate(load("grading.yaml"))


class Tree:
    """Codes whose parents are the shorter codes: level -> length of a code on it; regions are filled up with zeros."""

    attributes = pd.DataFrame()

    def __init__(self, **lengths):
        self.lengths = lengths

    def path(self, code):
        return tuple(
            dict.fromkeys(code[:length].ljust(len(code), "0") if code.isdigit() else code[:length] for length in self.lengths.values())
        )

    def level_of(self, code):
        return list(self.lengths)[len(self.path(code)) - 1]

    def name(self, code, language):
        return f"{code}-{language}"


def alarm(product, region, *, end, observed=30.0):
    """One alarmed week of injuries, the one that ends on ``end``."""
    return Evidence(
        model="injury-weekly",
        stream="injury",
        source_type="injury",
        product=product,
        industry="",
        region=region,
        stratum="",
        period_start=end - dt.timedelta(days=6),
        period_end=end,
        frequency="week",
        observed=observed,
        exposure=None,
        expected=10.0,
        lower=4.0,
        upper=18.0,
        p_value=1e-6,
        q_value=1e-5,
        windows=2,
    )


def assessed(product, region, evidence, *, as_of, grade=Grade.III, hazard="electrical", facts=None):
    """One assessment that rests on ``evidence``."""
    return Assessment(
        subject=Subject("product", product, region),
        as_of=as_of,
        hazard=hazard,
        evidence=tuple(evidence),
        severity=2,
        probability=None,
        probability_range=None,
        risk="M",
        risk_range=None,
        confidence="C2",
        scope=Scope.REGIONAL,
        scope_figures={},
        grade=grade,
        steps=(),
        actions=(),
        facts=facts or {},
    )
