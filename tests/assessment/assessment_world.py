"""A small world for the tests: trees, signals, records, built by hand so that every expected number can be checked by eye."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from riskwatch.assessment import ActionCatalogue, GradingRules, HazardCatalogue, assess

CONFIG = Path(__file__).resolve().parents[2] / "config"
AS_OF = dt.date(2024, 6, 17)
WEEKS = [(dt.date(2024, 6, 3), dt.date(2024, 6, 9)), (dt.date(2024, 6, 10), dt.date(2024, 6, 16))]


def load(name):
    return YAML(typ="safe").load((CONFIG / name).read_text(encoding="utf-8"))


RULES = GradingRules.model_validate(load("grading.yaml"))
ACTIONS = ActionCatalogue.model_validate(load("actions.yaml"))
HAZARDS = HazardCatalogue.model_validate(load("hazards.yaml"))


class Tree:
    """A tree from ``code -> (parent, level)``; names are made from the code."""

    def __init__(self, nodes, attributes=None):
        self.nodes = nodes
        self.attributes = pd.DataFrame.from_dict(attributes or {}, orient="index")

    def path(self, code):
        found = []
        while code:
            found.append(code)
            code = self.nodes[code][0]
        return tuple(reversed(found))

    def level_of(self, code):
        return self.nodes[code][1]

    def name(self, code, language):
        self.nodes[code]
        return f"{code}-{language}"


REGIONS = {"220000": ("", "province")}
for _prefecture in ("220100", "220200", "220300", "220400"):
    REGIONS[_prefecture] = ("220000", "prefecture")
    for _county in range(1, 4):
        REGIONS[f"{_prefecture[:4]}0{_county}"] = (_prefecture, "county")
PRODUCTS = {
    "toys": ("", "category"),
    "dolls": ("toys", "leaf"),
    "scooters": ("toys", "leaf"),
    "kites": ("toys", "leaf"),
    "heating": ("", "category"),
    "heaters": ("heating", "leaf"),
    "blankets": ("heating", "leaf"),
}
ATTRIBUTES = {
    "scooters": {"units_in_use": 200_000.0, "lifetime_years": 4.0, "vulnerable": "children", "hazards": "mechanical"},
    "heaters": {"units_in_use": 2_000_000.0, "lifetime_years": 8.0, "vulnerable": "", "hazards": "gas-co"},
}
INDUSTRIES = {"C": ("", "section"), "C24": ("C", "division"), "C38": ("C", "division")}
TREES = {"product": Tree(PRODUCTS, ATTRIBUTES), "region": Tree(REGIONS), "industry": Tree(INDUSTRIES)}
TYPES = {
    "spot_check": "inspection",
    "injury": "injury",
    "external_notice": "external",
    "press": "media",
    "complaint": "complaint",
    "insurance_claim": "insurance",
    "trade_inspection": "inspection-border",
}


def signal(product="", region="", *, observed=30.0, expected=10.0, p=1e-6, alarm=True, week=1, **other):
    """One judged series-period."""
    stream = other.get("stream", "injury")
    row = {
        "model": f"{stream}-weekly",
        "stream": stream,
        "source_type": TYPES[stream],
        "detector": "farrington-flexible",
        "detector_hash": "abc",
        "product": product,
        "industry": "",
        "region": region,
        "stratum": "",
        "frequency": "week",
        "period_start": WEEKS[week][0],
        "period_end": WEEKS[week][1],
        "observed": observed,
        "exposure": float("nan"),
        "expected": expected,
        "lower": 0.0,
        "upper": expected + 10,
        "p_value": p,
        "alarm": alarm,
        "reason": "",
        "evidence_start": WEEKS[week][0],
    }
    return {**row, **other}


def twice(*args, **kwargs):
    """The same alarm in both judged weeks."""
    return [signal(*args, **kwargs, week=0), signal(*args, **kwargs, week=1)]


def quiet(product, region, **other):
    """Judged and not in alarm."""
    return [signal(product, region, **{"observed": 10, "expected": 10, "p": 0.5, "alarm": False, **other})]


def injuries(product, count, region="220101", *, outcome="treated-released", severity="mild", week=1, **other):
    """Records, one person each."""
    start = WEEKS[week][0]
    return [
        {
            "record_key": f"{product}-{region}-{outcome}-{severity}-{week}-{number}-{other.get('tag', '')}",
            "source": "hospital-cards",
            "event_date": start + dt.timedelta(days=number % 7),
            "product": product,
            "product_2": None,
            "region": region,
            "industry": None,
            "hospital": f"H{number % 8}",
            "age": float(other.get("age", 30)),
            "sex": "male",
            "cause": other.get("cause", "跌倒/坠落"),
            "body_part": "上肢",
            "diagnosis": other.get("diagnosis", "骨折"),
            "severity": severity,
            "outcome": outcome,
            "persons": 1,
            "weight": None,
        }
        for number in range(count)
    ]


def samples(product, inspected, failed, region="220101", *, selection="random", producers=5, item="小零件", week=1, **other):
    """Samples and their failing items."""
    rows, items = [], []
    for number in range(inspected):
        bad = number < failed
        key = f"S-{product}-{region}-{selection}-{week}-{number}-{other.get('tag', '')}"
        rows.append(
            {
                "record_key": key,
                "source": "spot-checks",
                "event_date": WEEKS[week][0] + dt.timedelta(days=number % 7),
                "product": product,
                "industry": other.get("industry"),
                "region": region,
                "selection": selection,
                "check_type": other.get("check_type", "provincial"),
                "channel": "distribution",
                "producer": f"P{number % producers}" if producers else None,
                "producer_name": "某某有限公司",
                "inspected": 1,
                "failed": int(bad),
                "verdict": "fail" if bad else "pass",
            }
        )
        if bad:
            items.append({"record_key": key, "source": "spot-checks", "item_no": 1, "item": item, "verdict": "fail"})
    return rows, items


def judge_run(signals=(), injury=(), checks=(), notices=(), **options):
    """Call ``assess`` with the repository's rules."""
    records = {}
    if injury:
        records["injury"] = pd.DataFrame(list(injury))
    items = []
    if checks:
        rows = [row for part, _ in checks for row in part]
        items = [item for _, part in checks for item in part]
        records["spot_check"] = pd.DataFrame(rows)
    if notices:
        records["external_notice"] = pd.DataFrame(list(notices))
    frame = pd.DataFrame(list(signals), columns=list(signal()))
    defaults = {"as_of": AS_OF, "rules": RULES, "actions": ACTIONS, "hazards": HAZARDS, "trees": TREES, "quality": {}}
    return assess(frame, records, pd.DataFrame(items), **{**defaults, **options})
