import numpy as np
import pandas as pd
import pytest
from assessment_world import HAZARDS, RULES
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from riskwatch.assessment.hazards import Classifier
from riskwatch.assessment.risk import (
    Scenario,
    cluster_severity,
    injury_scenarios,
    matrix_risk,
    overall_risk,
    poisson_interval,
    proportion_interval,
    severities,
    uplifted,
)
from riskwatch.assessment.rules import RISKS
from riskwatch.errors import RiskwatchError

# The published matrix, written out once more and independently of the configuration: p just inside each row, severities 1-4.
CELLS = {
    0.6: "HSSS",
    0.3: "MSSS",
    0.05: "MSSS",
    0.005: "LHSS",
    0.0005: "LMHS",
    0.00005: "LLMH",
    0.000005: "LLLM",
    0.0000005: "LLLL",
}


@pytest.mark.parametrize(("p", "row"), CELLS.items())
def test_matrix_cell_by_cell(p, row):
    assert "".join(matrix_risk(severity, p, RULES.matrix) for severity in (1, 2, 3, 4)) == row


@pytest.mark.parametrize(
    ("p", "below"), [(0.5, 0.3), (0.1, 0.05), (0.01, 0.005), (0.001, 0.0005), (0.0001, 0.00005), (0.00001, 0.000005), (0.000001, 0.0000005)]
)
def test_bounds_are_strict(p, below):
    for severity in (1, 2, 3, 4):
        assert matrix_risk(severity, p, RULES.matrix) == matrix_risk(severity, below, RULES.matrix)


def test_probability_is_not_rounded_by_its_inverse():
    """1/0.6 rounds to 2 and would fall in the row of 1/10; p itself is above one half. The folding chair (1, 1/500) is low."""
    assert matrix_risk(1, 0.6, RULES.matrix) == "H"
    assert matrix_risk(1, 1 / 500, RULES.matrix) == "L"


@given(st.integers(1, 4), st.floats(0, 1), st.floats(0, 1))
def test_risk_never_falls_with_probability_or_severity(severity, p, q):
    low, high = sorted((p, q))
    rank = [RISKS.index(matrix_risk(severity, one, RULES.matrix)) for one in (low, high)]
    assert rank[0] <= rank[1]
    assert rank[1] <= RISKS.index(matrix_risk(min(4, severity + 1), high, RULES.matrix))


def test_matrix_refuses_other_inputs():
    with pytest.raises(RiskwatchError, match="severity must be 1, 2, 3 or 4, got 5"):
        matrix_risk(5, 0.1, RULES.matrix)
    with pytest.raises(RiskwatchError, match=r"probability must lie in \[0, 1\], got 1.2"):
        matrix_risk(1, 1.2, RULES.matrix)


@pytest.mark.parametrize(
    ("units", "row"), [(100_000, "LMHS"), (100_001, "MHHS"), (500_000, "MHHS"), (500_001, "MHSS"), (1_000_000, "MHSS"), (1_000_001, "HSSS")]
)
def test_population_uplift(units, row):
    assert "".join(uplifted(risk, units, RULES.uplift) for risk in "LMHS") == row


def test_severity_is_the_higher_of_outcome_and_statement():
    rows = pd.DataFrame(
        {
            "outcome": ["treated-released", "treated-released", "treated-released", "observed", "admitted", "died", None],
            "severity": ["mild", "severe", None, "mild", "moderate", "mild", None],
        }
    )
    assert severities(rows, RULES.severity).tolist() == [1, 3, 2, 2, 3, 4, 1]


def test_cluster_takes_a_level_that_occurs():
    levels = np.array([1] * 9 + [3])
    assert cluster_severity(levels, np.ones(10), 0.9) == (1, 3)
    assert cluster_severity(np.array([1] * 8 + [3, 4]), np.ones(10), 0.9) == (3, 4)
    assert cluster_severity(np.array([1, 4]), np.array([99.0, 1.0]), 0.9) == (1, 4)
    with pytest.raises(RiskwatchError, match="at least one person"):
        cluster_severity(np.array([1]), np.zeros(1), 0.9)


def test_intervals_hold_what_they_promise():
    low, high = poisson_interval(7, 0.95)
    assert poisson.sf(6, low) == pytest.approx(0.025)
    assert poisson.cdf(7, high) == pytest.approx(0.025)
    assert poisson_interval(0, 0.95)[0] == 0
    assert proportion_interval(0, 5, 0.95) == (0.0, pytest.approx(1 - 0.025**0.2))
    assert proportion_interval(5, 5, 0.95)[1] == 1.0
    with pytest.raises(RiskwatchError, match="got 6 of 5"):
        proportion_interval(6, 5, 0.95)


def scenarios(units):
    levels = np.array([2] * 18 + [3] * 2)
    return injury_scenarios(
        levels,
        np.ones(20),
        np.full(20, 5.0),
        units=units,
        lifetime_years=4.0,
        observed_years=0.5,
        probability=RULES.probability,
        severity=RULES.severity,
    )


def test_probability_of_injury_is_per_unit_and_life():
    """20 seen of 100 injuries in half a year on 200,000 units that live 4 years: 100 / 200,000 x 8 = 0.4 %; a tenth of it severe."""
    percentile, maximum = scenarios(200_000.0)
    assert (percentile.severity, maximum.severity) == (2, 3)
    assert percentile.probability == pytest.approx(0.004)
    assert maximum.probability == pytest.approx(0.0004)
    assert maximum.low < maximum.probability < maximum.high
    result = overall_risk([percentile, maximum], RULES.matrix, 10)
    assert (result.risk, result.low, result.high) == ("H", "M", "S")
    assert result.uncertain


def test_without_units_in_use_the_probability_is_an_assumption():
    percentile, maximum = scenarios(None)
    assert not percentile.estimated
    assert percentile.probability == pytest.approx(RULES.probability.working)
    assert maximum.probability == pytest.approx(RULES.probability.working / 10)


def test_overall_risk_is_the_highest_scenario():
    rare_death = Scenario("a", 4, 5e-6, 0, 1, estimated=True)
    common_scratch = Scenario("b", 1, 0.2, 0, 1, estimated=True)
    certain = Scenario("c", 2, 0.02, 0, 1, estimated=True)
    result = overall_risk([rare_death, common_scratch, certain], RULES.matrix, 10)
    assert (result.risk, result.driver.name) == ("S", "c")


@pytest.mark.parametrize(
    ("kind", "text", "hazard"),
    [
        ("items", "铝的残留量(干样品，以Al计)", "chemical"),
        ("items", "菌落总数", "microbiological"),
        ("items", "接地措施", "electrical"),
        ("items", "电源连接和外部软线", "electrical"),
        ("items", "稳定性和机械危险", "mechanical"),
        ("items", "氯霉素", "banned-drug"),
        ("items", "三聚氰胺", "illegal-additive"),
        ("items", "苏丹红Ⅰ", "illegal-additive"),
        ("items", "标签不合格", "label-only"),
        ("items", "小零件", "choking"),
        ("items", "烟气中CO含量", "gas-co"),
        ("items", "甲醇", "toxic-lethal"),
        ("items", "蛋白质", "quality-only"),
        ("items", "某某指标", "unknown"),
        ("causes", "跌倒/坠落", "mechanical"),
        ("causes", "溺水", "drowning"),
        ("causes", "烧烫伤", "fire-burn"),
        ("diagnoses", "51 - BURNS, THERMAL", "fire-burn"),
        ("diagnoses", "46 - BURN, ELECTRICAL", "electrical"),
        ("diagnoses", "57 - FRACTURE", "mechanical"),
        ("diagnoses", "65 - ANOXIA", "choking"),
        ("notices", "Ethylene oxide - pesticide residues", "chemical"),
        ("notices", "Salmonella spp. - pathogenic micro-organisms", "microbiological"),
    ],
)
def test_hazard_classes_of_real_names(kind, text, hazard):
    assert Classifier(HAZARDS).classify(kind, text) == hazard


def test_the_main_class_is_unknown_only_where_nothing_else_votes():
    classifier = Classifier(HAZARDS)
    assert classifier.main({"unknown": 9.0, "chemical": 1.0}) == "chemical"
    assert classifier.main({"chemical": 2.0, "electrical": 2.0}) == "electrical"
    assert classifier.main({"unknown": 2.0}) == "unknown"
