"""Scan statistics against published clusters and brute force, and the detector made of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.detectors.scan import scan
from riskwatch.detectors.scan_replicates import bernoulli_draw, permutation_draw, poisson_draw, tables
from riskwatch.detectors.scan_search import Search, replicate_maxima
from riskwatch.detectors.scan_significance import gumbel_p, monte_carlo_p, p_values, recurrence_interval
from riskwatch.detectors.scan_statistics import Likelihood, least_counts, permutation_expected
from riskwatch.detectors.scan_windows import prospective_windows, retrospective_windows, window_sums
from riskwatch.detectors.scan_zones import circular_zones, connected_zones, distances, elliptic_zones
from riskwatch.errors import DetectorError, PanelError
from riskwatch.panel import Geography, Panel

ONE = retrospective_windows(1, 1)


def llr(c, mu, total):
    """Poisson, written out from Kulldorff (1997)."""
    if c <= mu:
        return 0.0
    rest = (total - c) * np.log((total - c) / (total - mu)) if total > c else 0.0
    return c * np.log(c / mu) + rest


def brute(counts, base, distance, size, windows, share, least=2):
    """Return the largest ratio by a plain loop over centres, numbers of neighbours and windows."""
    best, total = 0.0, counts.sum()
    for centre in range(len(counts)):
        order = np.argsort(distance[centre], kind="stable")
        for k in range(1, len(order) + 1):
            zone = order[:k]
            if k > 1 and size[zone].sum() > share * size.sum():
                break
            for first, last in zip(windows.first, windows.last, strict=True):
                c = counts[zone, first : last + 1].sum()
                if c >= least:
                    best = max(best, llr(c, base[zone, first : last + 1].sum(), total))
    return best


@pytest.fixture
def world():
    rng = np.random.default_rng(4)
    where = rng.uniform(0, 100, (12, 2))
    return where, distances(where, kind="km"), rng.poisson(rng.gamma(2, 0.5, 12)[:, None], (12, 9))


@pytest.fixture
def reference(real_data):
    return real_data / "ref_scan"


def golden(reference, dataset):
    frame = pd.read_csv(reference / "golden_scan.csv")
    return frame[frame["dataset"].str.startswith(dataset)]


def agree(found, names, expected, *, skip=0):
    """Each cluster of the reference is there with its places and figures, in this order."""
    sets = [set(names[cluster.places]) for cluster in found.found]
    order = []
    for row in expected.itertuples():
        at = sets.index(set(row.regions.split()))
        got = found.clusters.iloc[at]
        assert got["n_places"] == row.n_regions
        np.testing.assert_allclose(got[["observed", "expected", "llr"]].astype(float), [row.cases, row.expected, row.llr], atol=6e-4)
        order.append(at)
    assert order == sorted(order)
    assert order[-1] - len(order) + 1 == skip


def test_new_york_leukaemia(reference):
    frame = pd.read_csv(reference / "ny_leukemia_281_tracts.csv")
    apart, people = distances(frame[["x", "y"]].to_numpy(), kind="km"), frame["population"].to_numpy(float)
    found = scan(frame[["cases"]], circular_zones(apart, people), ONE, model="poisson", base=people[:, None], min_cases=1)
    # The reference keeps clusters whose circles do not meet; ours share no tract, which lets one more in (265, 266).
    agree(found, frame["region"].astype(str).to_numpy(), golden(reference, "ny"), skip=1)
    first, second = found.clusters.iloc[0], found.clusters.iloc[1]
    assert (first["n_places"], round(first["llr"], 1), second["n_places"], round(second["llr"], 1)) == (24, 13.1, 11, 8.0)  # smerc vignette
    assert first["p_value"] < 0.005
    assert 0.02 < second["p_value"] < 0.10


def test_pennsylvania_lung_cancer(reference):
    strata, where = pd.read_csv(reference / "penn_lung_cancer_strata.csv"), pd.read_csv(reference / "penn_county_centroids.csv")
    by = ["race", "gender", "age"]
    totals = strata.groupby(by)[["cases", "population"]].transform("sum")
    strata["expected"] = strata["population"] * totals["cases"] / totals["population"]
    county = strata.groupby("county")[["cases", "population", "expected"]].sum().reindex(where["county"])
    zones = circular_zones(distances(where[["x", "y"]].to_numpy()), county["population"].to_numpy(float))
    found = scan(county[["cases"]], zones, ONE, model="poisson", base=county[["expected"]].to_numpy(), replicates=199)
    agree(found, where["county"].to_numpy(), golden(reference, "penn"))


def test_scotland_lip_cancer_by_brute_force(reference):
    frame = pd.read_csv(reference / "scotland_lip_cancer.csv")
    apart, expected = distances(frame[["x", "y"]].to_numpy(), kind="km"), frame["expected"].to_numpy(float)
    counts = frame[["cases"]].to_numpy(float)
    found = scan(counts, circular_zones(apart, expected), ONE, model="poisson", base=expected[:, None], replicates=99)
    scaled = expected[:, None] * counts.sum() / expected.sum()
    np.testing.assert_allclose(found.clusters["llr"].iloc[0], brute(counts, scaled, apart, expected, ONE, 0.5), rtol=1e-9)
    assert {"skye-lochalsh", "banff-buchan", "caithness"} <= set(frame["county.names"].to_numpy()[found.found[0].places])


def test_new_york_fever_by_brute_force(reference):
    """Space-time permutation, one month of days, windows of up to three days that end today."""
    where, cases = pd.read_csv(reference / "NYCfevergeo.csv"), pd.read_csv(reference / "NYCfevercas.csv")
    day = (pd.to_datetime(cases["date"]) - pd.Timestamp("2001-11-01")).dt.days.to_numpy()
    counts = np.zeros((len(where), day.max() + 1))
    np.add.at(counts, (pd.Index(where["zip"]).get_indexer(cases["zip"]), day), cases["cases"])
    apart, size = distances(where[["long", "lat"]].to_numpy()), counts.sum(axis=1)
    windows = prospective_windows(counts.shape[1], 3)
    found = scan(counts, circular_zones(apart, size, max_share=0.2), windows, replicates=99)
    expected = brute(counts, permutation_expected(counts), apart, size, windows, 0.2)
    np.testing.assert_allclose(found.clusters["llr"].iloc[0], expected, rtol=1e-9)


def test_new_mexico_brain_cancer_by_brute_force(reference):
    """Age and sex adjusted, years 1973 to 1991, every window of up to nine years."""
    where = pd.read_csv(reference / "NMgeo.csv")
    people, cases = pd.read_csv(reference / "NMpop.csv"), pd.read_csv(reference / "NMcas.csv")
    years = range(1973, 1992)
    people["year"] += 1900
    wide = people.pivot_table(index=["county", "agegroup", "sex"], columns="year", values="population", aggfunc="sum")
    known = wide.columns.to_numpy(float)
    filled = np.array([np.interp(years, known, row) for row in wide.to_numpy(float)])
    totals = cases.groupby(["agegroup", "sex"])["cases"].sum()
    stratum = pd.MultiIndex.from_arrays([wide.index.get_level_values("agegroup"), wide.index.get_level_values("sex")])
    lived = pd.Series(filled.sum(axis=1)).groupby([stratum.get_level_values(0), stratum.get_level_values(1)]).sum()
    rate = (totals.reindex(lived.index).fillna(0) / lived).reindex(stratum).to_numpy()
    expected = pd.DataFrame(filled * rate[:, None]).groupby(wide.index.get_level_values("county")).sum().reindex(where["county"]).to_numpy()
    counts = np.zeros(expected.shape)
    np.add.at(counts, (pd.Index(where["county"]).get_indexer(cases["county"]), cases["year"].to_numpy() - 1973), cases["cases"])
    apart, windows = distances(where[["lat", "long"]].to_numpy(float), kind="km"), retrospective_windows(19, 9)
    size = expected.sum(axis=1)
    found = scan(counts, circular_zones(apart, size), windows, model="poisson", base=expected, replicates=99)
    scaled = expected * counts.sum() / expected.sum()
    np.testing.assert_allclose(found.clusters["llr"].iloc[0], brute(counts, scaled, apart, size, windows, 0.5), rtol=1e-9)
    assert set(where["county"].to_numpy()[found.found[0].places]) >= {"LosAlamos", "SantaFe"}


def test_observed_and_replicates_equal_brute_force(world):
    _, apart, counts = world
    size, windows = counts.sum(axis=1).astype(float), retrospective_windows(9, 4)
    found = scan(counts, circular_zones(apart, size, max_share=0.4), windows, replicates=40, seed=(7,))
    expected = permutation_expected(counts.astype(float))
    assert found.clusters["llr"].iloc[0] == pytest.approx(brute(counts, expected, apart, size, windows, 0.4), rel=1e-9)
    drawn = tables(permutation_draw(counts), (7,), range(40), largest=int(counts.sum()))
    plain = [brute(table, expected, apart, size, windows, 0.4) for table in drawn]
    np.testing.assert_allclose(found.maxima, plain, rtol=1e-9)


@pytest.mark.parametrize("model", ["poisson", "bernoulli"])
def test_all_ways_of_searching_agree(world, model, monkeypatch):
    """A logarithm for every window, all replicates at once or a few at a time, short and long stretches, and any number of threads."""
    where, _, counts = world
    base = counts + 5 if model == "bernoulli" else counts.sum() * np.full(counts.shape, 1 / counts.size)
    likelihood = Likelihood(float(counts.sum()), float(base.sum()) if model == "bernoulli" else None)
    draw = bernoulli_draw(base, int(counts.sum())) if model == "bernoulli" else poisson_draw(base, int(counts.sum()))
    windows = prospective_windows(9, 5)
    drawn = tables(draw, (3,), range(150), largest=10_000)
    sums = np.moveaxis(window_sums(np.moveaxis(drawn, 0, 1), windows), 2, 1)
    search = Search(elliptic_zones(where, np.ones(12)), window_sums(base.astype(float), windows), likelihood)
    matrix = replicate_maxima(search, sums, threads=1)
    name = "riskwatch.detectors.scan_search."
    monkeypatch.setattr(name + "_BLOCK", 2_000)
    monkeypatch.setattr(name + "_STRETCH", 1.5)
    monkeypatch.setattr(name + "_THREADED", 1)
    np.testing.assert_array_equal(replicate_maxima(search, sums, threads=3), matrix)
    monkeypatch.setattr(name + "_STRETCH", 0.01)
    np.testing.assert_array_equal(replicate_maxima(search, sums, threads=3), matrix)
    monkeypatch.setattr(name + "_TABLE", 1)
    np.testing.assert_allclose(replicate_maxima(search, sums, threads=2), matrix, rtol=1e-9)
    assert (matrix > 0).all()


@pytest.mark.parametrize("population", [None, 900.0])
def test_least_counts(population):
    likelihood = Likelihood(200.0, population)
    bars = least_counts(likelihood, 3.0)
    for base in (1.3, 7.0, 40.0, 90.0):
        count = int(np.searchsorted(bars, base))
        assert likelihood.ratio(np.array(float(count)), np.array(base)) >= 3.0 - 1e-6
        assert likelihood.ratio(np.array(count - 1.0), np.array(base)) < 3.0


def test_draws_keep_their_totals(world):
    _, _, counts = world
    drawn = tables(permutation_draw(counts), (1,), range(300), largest=10_000)
    np.testing.assert_array_equal(drawn.sum(axis=2), np.tile(counts.sum(axis=1), (300, 1)))
    np.testing.assert_array_equal(drawn.sum(axis=1), np.tile(counts.sum(axis=0), (300, 1)))
    expected = permutation_expected(counts.astype(float))
    assert np.abs((drawn.mean(axis=0) - expected) / np.sqrt(expected / 300 + 1e-9)).max() < 5
    large = tables(permutation_draw(counts * 100_000), (1,), range(200), largest=2**40)
    scaled = expected * 100_000
    assert np.abs(large.mean(axis=0) / scaled - 1).max() < 0.01
    # Variance of a cell with both margins fixed: mu (1 - row share) (1 - column share).
    total = counts.sum()
    factor = (1 - counts.sum(axis=1) / total)[:, None] * (1 - counts.sum(axis=0) / total)
    assert 0.93 < (large.var(axis=0) / (scaled * factor)).mean() < 1.07


def test_results_follow_the_places_and_scales(world):
    where, apart, counts = world
    size = counts.sum(axis=1).astype(float)
    windows = prospective_windows(9, 4)
    one = scan(counts, circular_zones(apart, size), windows, replicates=0)
    order = np.random.default_rng(1).permutation(12)
    two = scan(counts[order], circular_zones(distances(10 * where[order], kind="km"), 3 * size[order]), windows, replicates=0)
    np.testing.assert_allclose(one.clusters["llr"], two.clusters["llr"], rtol=1e-9)
    assert [set(a.places) for a in one.found] == [set(order[b.places]) for b in two.found]
    used = np.concatenate([cluster.places for cluster in one.found])
    assert len(set(used)) == len(used)  # no place in two clusters
    drill = one.places.groupby("cluster")[["observed", "expected"]].sum()
    np.testing.assert_allclose(drill, one.clusters.set_index("cluster")[["observed", "expected"]], rtol=1e-9)


def test_an_elongated_cluster_needs_an_ellipse():
    grid = np.array([(x, y) for x in range(9) for y in range(9)], dtype=float)
    counts = np.full((81, 1), 10.0)
    counts[grid[:, 1] == 4] = 25.0
    base = np.ones((81, 1))
    round_, long = (
        scan(counts, zones, ONE, model="poisson", base=base, replicates=0).clusters.iloc[0]
        for zones in (circular_zones(distances(grid, kind="km"), base[:, 0]), elliptic_zones(grid, base[:, 0]))
    )
    assert long["shape"] > 1
    assert long["statistic"] > round_["statistic"]
    assert long["statistic"] == pytest.approx(long["llr"] * np.sqrt(4 * long["shape"] / (long["shape"] + 1) ** 2))


def test_connected_zones_cross_borders_only():
    where = np.array([(0, 0), (1, 0), (2, 0), (0, 0.1)], dtype=float)
    zones = connected_zones(np.array([(0, 1), (1, 2)]), distances(where, kind="km"), np.ones(4), max_share=1.0)
    sets = {frozenset(zones.of(entry)) for entry in np.flatnonzero(zones.ends)}
    assert sets == {frozenset(part) for part in ([0], [1], [2], [3], [0, 1], [1, 2], [0, 1, 2])} or sets == {
        frozenset(part) for part in ([0], [1], [2], [3], [0, 1], [1, 2], [0, 1, 2])
    } - {frozenset([1, 2])}


def test_p_values():
    maxima = stats.gumbel_r(5, 1.2).rvs(999, random_state=np.random.default_rng(2))
    at = np.array([4.0, 7.0, 20.0])
    assert monte_carlo_p(at, maxima)[2] == 0.001
    np.testing.assert_allclose(gumbel_p(at, maxima), stats.gumbel_r(5, 1.2).sf(at), rtol=0.4)
    p = p_values(at, maxima)
    np.testing.assert_array_equal(p[:2], monte_carlo_p(at, maxima)[:2])
    assert p[2] == gumbel_p(at, maxima)[2] < 1e-4
    assert (np.diff(p_values(np.linspace(2, 20, 200), maxima)) <= 0).all()
    assert recurrence_interval(np.array(0.01), 7) == pytest.approx(700)


def test_scan_refuses_nonsense(world):
    _, apart, counts = world
    zones, windows = circular_zones(apart, np.ones(12)), prospective_windows(9, 3)
    for wrong, message in (
        ({"counts": counts - 5.0}, "finite and >= 0"),
        ({"model": "poisson"}, "needs base"),
        ({"counts": counts + 0.5}, "whole numbers"),
        ({"model": "bernoulli", "base": counts * 0}, "counts must be <= base"),
        ({"base": np.ones((2, 2))}, "shape of counts"),
    ):
        with pytest.raises(DetectorError, match=message):
            scan(**{"counts": counts, "zones": zones, "windows": windows, **wrong})
    with pytest.raises(DetectorError, match="shapes must be >= 1"):
        elliptic_zones(np.zeros((2, 2)), np.ones(2), shapes=[0.5])


def province(rng, counties=30, weeks=70, rate=0.6):
    codes = tuple(f"r{at:02d}" for at in range(counties))
    index = pd.MultiIndex.from_product([["toys", "lamps"], codes], names=["product", "region"])
    observed = rng.poisson(rng.gamma(3, rate / 3, counties * 2)[:, None], (2 * counties, weeks)).astype(float)
    where = Geography(codes, np.random.default_rng(8).uniform([122, 41], [131, 46], (counties, 2)), np.tile(np.arange(counties), 2))
    return Panel(observed, index, pd.period_range("2020-01-06", periods=weeks, freq="W-SUN"), geography=where)


def test_a_cluster_stands_on_one_county():
    panel = province(np.random.default_rng(5))
    where = panel.geography.coordinates
    near = np.argsort(np.hypot(*(where - where[3]).T))[:3]
    observed = panel.observed.copy()
    observed[near, -3:] += 3
    panel = dataclasses.replace(panel, observed=observed)
    judge = detector("space-time-scan")
    signals = judge.detect(panel)
    assert list(np.flatnonzero(signals.alarm[:, 0])) == [near[np.argmax((signals.observed - signals.expected)[near, 0])]]
    assert (signals.p_value[:, 0] < 1).sum() <= 2 * judge.max_clusters
    table, places = judge.clusters(panel)
    first = table[table["product"] == "toys"].iloc[0]
    assert first["first"] == panel.periods[-3]
    assert first["p_value"] == np.nanmin(signals.p_value) < 1e-3
    inside = places[(places["product"] == "toys") & (places["cluster"] == 1)]
    assert set(near) <= {int(code[1:]) for code in inside["place"]}
    # Neither the other group nor the order of rows matters.
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_array_equal(judge.detect(panel.select(panel.index[order])).p_value, signals.p_value[order])
    alone = np.asarray(panel.index.get_level_values("product") == "toys")
    np.testing.assert_array_equal(judge.detect(panel.select(alone)).p_value, signals.p_value[alone])


def test_a_map_shows_every_county_in_the_window_of_the_cluster():
    panel = province(np.random.default_rng(5))
    judge = detector("space-time-scan")
    clusters, around = judge.around(panel)
    table, places = judge.clusters(panel)
    pd.testing.assert_frame_equal(clusters, table)
    for (product, number), one in around.groupby(["product", "cluster"]):
        assert sorted(one["place"]) == list(panel.geography.places)
        row = clusters[(clusters["product"] == product) & (clusters["cluster"] == number)].iloc[0]
        inside = one[one["inside"]]
        assert len(inside) == row["n_places"]
        assert inside["observed"].sum() == pytest.approx(row["observed"])
        assert inside["expected"].sum() == pytest.approx(row["expected"])
        own = places[(places["product"] == product) & (places["cluster"] == number)]
        assert set(own["place"]) == set(inside["place"])
        # Outside too the figures are those of the window.
        rows = panel.index.get_level_values("product") == product
        window = (panel.periods >= row["first"]) & (panel.periods <= row["last"])
        assert one["observed"].sum() == panel.observed[rows][:, window].sum()


def test_without_geography_it_says_so():
    panel = dataclasses.replace(province(np.random.default_rng(5)), geography=None)
    assert set(detector("space-time-scan").detect(panel).reason_text.ravel()) == {"no-geography"}
    with pytest.raises(DetectorError, match="connected zones need borders"):
        detector("space-time-scan", zones="connected").detect(province(np.random.default_rng(5)))
    with pytest.raises(DetectorError, match="needs exposure"):
        detector("space-time-scan", model="bernoulli").detect(panel)


def test_null_groups_alarm_at_the_nominal_rate():
    """Without any cluster the smallest p of a group is uniform: 120 groups and weeks."""
    judge = detector("space-time-scan", replicates=99, tail="monte-carlo", longest_window=4, alpha=0.05)
    smallest = []
    for seed in range(15):
        panel = province(np.random.default_rng([9, seed]), counties=20, weeks=60)
        p = judge.detect(panel, panel.periods[[-16, -11, -6, -1]]).p_value
        smallest += [p[:20].min(axis=0), p[20:].min(axis=0)]
    p = np.concatenate(smallest)
    # The anchor has to have an excess now, so some p are 1 and the rest err on the high side: no excess of small ones is what counts.
    for level in (0.05, 0.1, 0.2, 0.5):
        assert stats.binomtest(int((p <= level + 1e-9).sum()), len(p), level, alternative="greater").pvalue > 0.01, level
    assert (p <= 0.2).mean() > 0.1


def test_geography_is_checked():
    with pytest.raises(PanelError, match=r"places must be unique.*one row per place.*one position per series"):
        Geography(("a", "a"), np.zeros((1, 2)), np.array([5]))
    with pytest.raises(PanelError, match="longitude within 180"):
        Geography(("a",), np.array([[45.0, 125.0]]), np.array([0]))
    with pytest.raises(PanelError, match=r"one place per series \(1\), got 2"):
        Panel(
            np.ones((1, 2)),
            pd.Index(["a"]),
            pd.period_range("2020-01", periods=2, freq="M"),
            geography=Geography(("a",), np.zeros((1, 2)), np.array([0, 0])),
        )
