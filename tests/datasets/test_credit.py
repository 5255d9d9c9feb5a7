"""Simulated credit classes: of the fictitious enterprises, after their risk, from random streams of their own."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.datasets import simulate_province
from riskwatch.datasets.codelists import build_world
from riskwatch.datasets.credit import CREDIT_COLUMNS, simulate_credit
from riskwatch.datasets.enterprises import build_enterprises, valid_credit_code
from riskwatch.datasets.rhythm import DayAxis


@pytest.fixture(scope="module")
def enterprises():
    return build_enterprises(build_world(None, None), 1)


@pytest.fixture(scope="module")
def credit(enterprises) -> pd.DataFrame:
    return simulate_credit(enterprises, DayAxis.between(dt.date(2021, 1, 1), dt.date(2025, 12, 31)), 1)


def test_one_class_a_year_of_known_enterprises(credit, enterprises):
    assert list(credit.columns) == list(CREDIT_COLUMNS)
    assert credit["record_key"].is_unique
    assert set(credit["enterprise"]) <= set(enterprises.table["code"])
    assert all(valid_credit_code(code) for code in credit["enterprise"].unique())
    assert not credit.duplicated(["enterprise", "event_date"]).any()
    assert credit["event_date"].dt.year.unique().tolist() == [2021, 2022, 2023, 2024, 2025]
    share = credit.groupby("event_date")["enterprise"].nunique() / len(enterprises.table)
    assert share.between(0.65, 0.85).all()


def test_classes_follow_the_risk_and_mostly_stay(credit, enterprises):
    risk = enterprises.table.set_index("code")["risk"]
    mean = credit["enterprise"].map(risk).groupby(credit["credit_class"]).median()
    assert mean.index.tolist() == ["A", "B", "C", "D"]
    assert mean.is_monotonic_increasing
    wide = credit.pivot_table(index="enterprise", columns="event_date", values="credit_class", aggfunc="first")
    both = wide.iloc[:, -2:].dropna()
    assert (both.iloc[:, 0] == both.iloc[:, 1]).mean() > 0.75


def test_a_few_are_listed_and_a_few_have_expired(credit):
    assert 0 < credit["listed"].mean() < 0.05
    assert set(credit.loc[credit["listed"], "credit_class"]) == {"D"}
    newest = credit.sort_values("event_date").drop_duplicates("enterprise", keep="last")
    expired = newest["valid_until"] < pd.Timestamp("2025-12-31")
    assert 0.02 < expired.mean() < 0.2


def test_a_year_does_not_depend_on_the_others(enterprises, credit):
    later = simulate_credit(enterprises, DayAxis.between(dt.date(2024, 1, 1), dt.date(2025, 12, 31)), 1)
    same = credit[credit["event_date"] >= "2024-01-01"].reset_index(drop=True)
    pd.testing.assert_frame_equal(later, same)
    early = simulate_credit(enterprises, DayAxis.between(dt.date(2025, 1, 1), dt.date(2025, 3, 10)), 1)
    assert early.empty
    assert np.array_equal(early.columns, credit.columns)


def test_the_files_hold_every_record(tmp_path):
    province = simulate_province(seed=3, start=dt.date(2024, 1, 1), end=dt.date(2024, 6, 30), scale=0.01, malformed=0)
    (path,) = [path for path in province.write(tmp_path) if path.parent.name == "credit"]
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(table) == len(province.credit)
    assert set(table["信用风险等级"]) <= {"A级", "B级", "C级", "D级"}
    assert set(table["列入严重违法失信名单"]) <= {"是", "否"}
