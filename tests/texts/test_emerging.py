"""New words are found, old ones are not, and chance alarms no more often than it should."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import TfidfVectorizer

from riskwatch.datasets.injury_words import MECHANISMS
from riskwatch.detectors import detector
from riskwatch.detectors.log_odds import conditional_tail, dispersion, log_odds
from riskwatch.texts import build_corpus, emerging, term_panel, themes
from riskwatch.texts.rules import ThemeRules
from riskwatch.texts.themes import weighted

UNTIL = dt.date(2025, 12, 28)


def one(value):
    return np.array([float(value)])


def judge(frame, rules, tokeniser, **more):
    found = term_panel(
        frame, field="narrative", rules=rules, tokeniser=tokeniser, trees={}, frequency="week", until=UNTIL, product_fields=()
    )
    method = detector("log-odds-dirichlet", window_periods=4, min_history_periods=13, min_total=5, pool_strata=True, **more)
    return found, emerging(found, method, rules=rules)


def narratives(rng, size):
    phrases = [m.phrase for m in MECHANISMS]
    products = ["电动自行车", "儿童滑板车", "电热水壶", "木制家具", "磁力玩具"]
    bodies = ["头部", "上肢", "下肢"]
    return [f"使用{rng.choice(products)}时{rng.choice(phrases)}，{rng.choice(bodies)}受伤" for _ in range(size)]


def made(seed, size=3000, days=728):
    rng = np.random.default_rng(seed)
    when = pd.Timestamp(UNTIL) - pd.to_timedelta(rng.integers(0, days, size), unit="D")
    return pd.DataFrame({"event_date": when, "narrative": narratives(rng, size)}), rng


def test_log_odds_by_hand():
    # y 12 of 100 now, 8 of 400 before, prior 50 with share 20/500: a = 2.
    delta, z = log_odds(one(12), one(8), n_now=one(100), n_before=one(400), prior=50.0)
    expected = np.log(14 / 136) - np.log(10 / 440)
    assert delta[0] == pytest.approx(expected, rel=1e-12)
    assert z[0] == pytest.approx(expected / np.sqrt(1 / 14 + 1 / 10), rel=1e-12)


def test_tail_against_scipy():
    given = {"n_now": one(100), "n_before": one(400)}
    plain = conditional_tail(one(5), one(0), **given, rho=one(0))
    assert plain[0] == pytest.approx(stats.binom.sf(4, 5, 0.2), rel=1e-12)
    weight = (1 / 0.05 - 1) * 500 / 400
    clustered = conditional_tail(one(7), one(9), **given, rho=one(0.05))
    assert clustered[0] == pytest.approx(stats.betabinom.sf(6, 16, 0.2 * weight, 0.8 * weight), rel=1e-9)
    assert clustered[0] > conditional_tail(one(7), one(9), **given, rho=one(0))[0]


def test_dispersion_is_recovered_and_nothing_is_made_of_chance():
    rng = np.random.default_rng(4)
    total, blocks, rho = 60, 26, 0.04
    shares = rng.dirichlet(np.full(blocks, (1 / rho - 1) / blocks), 400)
    exposure = np.full((400, blocks), 1e5)
    found = dispersion(np.array([rng.multinomial(total, share) for share in shares], dtype=float), exposure)
    assert found.mean() == pytest.approx(rho, rel=0.15)
    even = dispersion(rng.multinomial(total, np.full(blocks, 1 / blocks), 400).astype(float), exposure)
    assert even.mean() < 0.002


def test_an_injected_word_is_found_and_no_other(rules, tokeniser):
    frame, rng = made(1)
    newest = np.flatnonzero((frame["event_date"] > pd.Timestamp(UNTIL) - pd.Timedelta(days=28)).to_numpy())
    for at in rng.choice(newest, 12, replace=False):
        frame.loc[at, "narrative"] = "误吞磁力珠，" + frame.loc[at, "narrative"]
    _, table = judge(frame, rules, tokeniser)
    hits = table[table["q_value"] < 0.05]
    assert "磁力珠" in {term for row in hits.itertuples() for term in (row.term, *row.alike)} or any(
        "磁力" in term for term in hits["term"]
    )
    assert all("磁力" in row.term or "误吞" in row.term or row.same_as for row in hits.itertuples())
    shuffled = judge(frame.sample(frac=1, random_state=0), rules, tokeniser)[1]
    pd.testing.assert_frame_equal(shuffled, table)


def test_chance_alarms_at_most_at_its_rate(rules, tokeniser):
    small, tests, few = 0, 0, 0
    for seed in range(6):
        frame, _ = made(100 + seed, 1500)
        _, table = judge(frame, rules, tokeniser)
        small += int((table["p_value"] <= 0.05).sum())
        tests += len(table)
        few += int((table["q_value"] < 0.05).sum())
    assert tests > 150
    assert small / tests < 0.06
    assert few <= 1


def test_like_terms_are_one():
    corpus = build_corpus([["board", "hover", "hover board"]] * 6 + [["kettle"]] * 9, minimum_records=5, maximum_share=0.9, alike=0.8)
    assert corpus.terms == ("hover board", "kettle")
    assert corpus.alike == (("board", "hover"), ())


def test_themes_against_scikit_learn():
    rng = np.random.default_rng(8)
    groups = [["ride", "scooter", "fall"], ["burn", "kettle", "water"], ["bead", "magnet", "swallow"]]
    texts = [" ".join(sorted(set(rng.choice(groups[at % 3], 2)))) for at in range(150)]
    corpus = build_corpus([text.split() for text in texts], minimum_records=1, maximum_share=0.9, alike=0.99)
    vector = TfidfVectorizer()
    np.testing.assert_allclose(weighted(corpus.matrix).toarray(), vector.fit_transform(texts).toarray(), atol=1e-12)
    assert list(vector.get_feature_names_out()) == list(corpus.terms)
    now = np.arange(150) >= 120
    table = themes(corpus, now, ~now, ThemeRules(themes=3, top_terms=3))
    model = NMF(3, init="nndsvda", random_state=1, max_iter=500).fit(vector.fit_transform(texts))
    direct = {frozenset(np.asarray(corpus.terms)[np.argsort(-row)[:3]]) for row in model.components_}
    assert {frozenset(terms) for terms in table["terms"]} == direct == {frozenset(group) for group in groups}


@pytest.mark.slow
def test_powered_scooters_surface_in_words_when_they_share_the_code_of_others(real_data, rules, tokeniser):
    raw = pd.read_parquet(real_data / "neiss_scooters_2020" / "injuries.parquet")
    raw = raw.assign(event_date=pd.to_datetime(raw["treatment_date"]))
    powered = raw["narrative"].str.contains("ELECTRIC|MOTORIZED|HOVER", regex=True)
    raw = raw[~powered | (raw["event_date"] >= "2020-12-01")]
    frame = raw.assign(hospital=raw["psu"].astype(str))[["event_date", "narrative", "hospital"]]
    found = term_panel(
        frame, field="narrative", rules=rules, tokeniser=tokeniser, trees={}, frequency="week", until=dt.date(2020, 12, 27),
        product_fields=(), reporter="hospital",
    )  # fmt: skip
    method = detector("log-odds-dirichlet", window_periods=4, guard_periods=0, min_history_periods=8, min_total=5, pool_strata=True)
    table = emerging(found, method, rules=rules, reporter="hospital")
    assert any("electric" in term for term in table["term"].head(3))
