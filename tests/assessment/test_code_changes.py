"""Codes that changed: by the lists of codes, and by cases that moved between codes."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.assessment.certainty_rules import ArtefactRules
from riskwatch.assessment.code_changes import code_flags, transfer_flags
from riskwatch.assessment.protocols import TreePaths

CONFIG = Path(__file__).resolve().parents[2] / "config" / "grading.yaml"
RULES = ArtefactRules.model_validate(YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8"))["artefacts"])
AS_OF = dt.date(2025, 6, 20)
MONTHS = pd.date_range("2023-06-01", "2025-06-01", freq="MS")  # 24 complete ones and a part of the last
FAMILIES = 6
CODES = [f"P{family:02}{leaf:02}" for family in range(1, FAMILIES + 1) for leaf in range(9)]  # leaf 0: the category, "other goods of it"


class Tree:
    """Categories P01, P02, ... with goods P0101, P0102, ... below them; what is no closer known has the category's code."""

    attributes = pd.DataFrame()

    def path(self, code):
        return (code,) if len(code) == 3 else (code[:3], code)

    def level_of(self, code):
        return ""

    def name(self, code, language):
        return code


PATHS = TreePaths(Tree())


def named(code):
    return code.removesuffix("00")


GROWTH = 1.3  # of the whole stream in a year


def steady(seed, mean):
    """Counts of a product without seasons that grows as the stream does."""
    return np.random.default_rng(seed).poisson(mean * GROWTH ** (np.arange(len(MONTHS)) / 12))


def world(seed):
    """Monthly counts (months, codes) without a change of codes: seasons of each product, a growing stream, more spread than Poisson."""
    rng = np.random.default_rng(seed)
    usual = rng.gamma(1.0, 30.0, len(CODES))
    phase, height = rng.uniform(0, 12, len(CODES)), rng.uniform(0, 0.8, len(CODES))
    month = np.arange(len(MONTHS))[:, None]
    season = 1 + height * np.cos(2 * np.pi * (month - phase) / 12)
    return rng.poisson(usual * season * GROWTH ** (month / 12) * rng.gamma(10, 0.1, (len(MONTHS), len(CODES))))


def records(counts):
    rows = np.repeat(np.arange(counts.size), counts.ravel())
    months, codes = np.divmod(rows, counts.shape[1])
    days = MONTHS.to_numpy()[months] + (np.arange(len(rows)) % 18).astype("timedelta64[D]")
    return pd.DataFrame({"product": np.array([named(code) for code in CODES], dtype=object)[codes], "event_date": days})


def found(counts, **more):
    return transfer_flags("injury", records(counts), as_of=AS_OF, rules=RULES, products=PATHS, **more)


def moved(counts, one, other, *, since, share=1.0):
    """Counts in which a share of the cases of ``one`` is written under ``other`` from a month on."""
    made = counts.copy()
    a, b = CODES.index(one), CODES.index(other)
    from_month = MONTHS.get_loc(pd.Timestamp(since))
    part = np.round(made[from_month:, a] * share).astype(int)
    made[from_month:, a] -= part
    made[from_month:, b] += part
    return made


def test_dated_changes_speak_for_their_codes_for_a_while():
    days = {name: AS_OF - dt.timedelta(days=age) for name, age in (("new", 10), ("old", 366), ("last", 365), ("ahead", -1), ("twice", 100))}
    flags = code_flags([*((day, name) for name, day in days.items()), (AS_OF, "twice")], as_of=AS_OF, rules=RULES)
    assert [(flag["product"], flag["since"]) for flag in flags] == [
        ("last", days["last"].isoformat()),
        ("new", days["new"].isoformat()),
        ("twice", AS_OF.isoformat()),
    ]
    assert {flag["kind"] for flag in flags} == {"code-change"}


def test_without_changes_next_to_nothing_is_flagged():
    flagged = [flag for seed in range(40) for flag in found(world(seed))]
    assert len(flagged) <= 2  # 40 streams of 54 codes: one pair at most


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_planted_transfer_flags_both_from_its_month_on(share):
    counts = world(3)
    counts[:, CODES.index("P0201")] = steady(5, 60)
    counts[:, CODES.index("P0202")] = steady(6, 12)
    made = moved(counts, "P0201", "P0202", since="2025-01-01", share=share)
    flags = found(made)
    head = {"kind": "code-change", "stream": "injury", "since": "2025-01-01"}
    assert flags == [{**head, "product": "P0201", "other": "P0202"}, {**head, "product": "P0202", "other": "P0201"}]
    shuffled = records(made).sample(frac=1, random_state=2)
    assert transfer_flags("injury", shuffled, as_of=AS_OF, rules=RULES, products=PATHS) == flags
    # Two complete months are no proof, and a code that is a year old has a year of its own.
    assert found(moved(counts, "P0201", "P0202", since="2025-04-01", share=share)) == []
    assert found(moved(counts, "P0201", "P0202", since="2023-06-01", share=share)) == []


def test_the_smaller_of_two_codes_merged_into_the_larger():
    """Twelve a month are within the noise of thirty; of the two together they are seen."""
    counts = world(3)
    counts[:, CODES.index("P0201")], counts[:, CODES.index("P0202")] = steady(5, 12), steady(6, 30)
    flags = found(moved(counts, "P0201", "P0202", since="2025-01-01"))
    assert [(flag["product"], flag["other"]) for flag in flags] == [("P0201", "P0202"), ("P0202", "P0201")]


def test_a_code_of_its_own_for_what_was_among_the_others():
    counts = world(4)
    counts[:, CODES.index("P0300")], counts[:, CODES.index("P0305")] = steady(7, 40), 0
    flags = found(moved(counts, "P0300", "P0305", since="2024-11-01", share=0.8))
    assert [(flag["product"], flag["other"]) for flag in flags] == [("P03", "P0305"), ("P0305", "P03")]


def test_growth_is_no_transfer():
    counts = world(3)
    one, other, far = (CODES.index(code) for code in ("P0201", "P0202", "P0401"))
    for code, mean in ((one, 60), (other, 12), (far, 60)):
        counts[:, code] = steady(code, mean)
    grown = counts.copy()
    grown[-6:, other] += 2000  # more than all others together: their shares of the stream fall
    assert found(grown) == []
    alone = counts.copy()
    alone[-6:, one] = 0  # fell, and nothing rose
    assert found(alone) == []
    # As many as were lost, in another category.
    assert found(moved(counts, "P0401", "P0202", since="2025-01-01")) == []
    assert len(found(moved(counts, "P0201", "P0202", since="2025-01-01"))) == 2


def test_too_short_a_history_and_no_records_at_all():
    counts = moved(world(3), "P0201", "P0202", since="2025-01-01")
    short = records(counts)
    assert transfer_flags("injury", short[short["event_date"] >= "2024-06-02"], as_of=AS_OF, rules=RULES, products=PATHS) == []
    assert transfer_flags("injury", short.iloc[:0], as_of=AS_OF, rules=RULES, products=PATHS) == []
