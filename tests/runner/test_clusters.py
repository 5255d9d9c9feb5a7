"""Borders from the project's file to the scan, and clusters of a day for maps."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from riskwatch.api import Project
from riskwatch.detectors import scan_zones, space_time_scan
from riskwatch.errors import ProjectError
from riskwatch.runner.borders import borders_hash, borders_of
from riskwatch.runner.clusters import alarmed_clusters, county_outlines
from riskwatch.runner.detect import detect, detection_id
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import region_geography

LAST = dt.date(2025, 12, 31)
KEY = ["product", "industry", "stratum", "period", "cluster"]


def test_borders_reach_the_geography(demo_project: Path) -> None:
    tree, borders = Project(demo_project).trees["region"], borders_of(demo_project)
    codes = sorted({code for pair in borders for code in pair})
    index = pd.MultiIndex.from_product([["toys"], codes], names=["product", "region"])
    where = region_geography(index, tree, borders)
    assert where is not None
    assert where.borders is not None
    pairs = {tuple(sorted((where.places[a], where.places[b]))) for a, b in where.borders}
    assert len(pairs) == len(where.borders) > 200
    assert pairs <= {tuple(sorted(pair)) for pair in borders}
    assert where.tier is not None
    assert all(where.tier[a] == where.tier[b] for a, b in where.borders)
    turned = region_geography(index, tree, [(b, a) for a, b in borders[::-1]])
    assert turned is not None
    np.testing.assert_array_equal(turned.borders, where.borders)
    alone = region_geography(index, tree, [(codes[0], "nowhere")])
    assert alone is not None
    assert alone.borders is None


def test_a_hash_of_borders_knows_no_order() -> None:
    assert borders_hash([("a", "b"), ("c", "a")]) == borders_hash([("a", "c"), ("b", "a")]) != borders_hash([("a", "b")])


def test_connected_zones_are_searched_where_the_model_asks_for_them(own_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From config/geo/adjacency.csv to the clusters: no cluster crosses anything but borders, and other borders make another detection."""
    searched = []

    def spy(borders: np.ndarray, *arguments: object, **options: object) -> scan_zones.Zones:
        searched.append(len(borders))
        return scan_zones.connected_zones(borders, *arguments, **options)

    monkeypatch.setattr(space_time_scan, "connected_zones", spy)
    file = own_demo / "models" / "injury_counts.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("      longest_window: 6\n", "      longest_window: 6\n      zones: connected\n"), encoding="utf-8")
    project = Project(own_demo)
    signals = project.signals("injury-clusters", as_of=LAST)
    assert searched
    assert min(searched) > 100
    assert (signals["reason"] == "").any()
    clusters, places = project.clusters(as_of=LAST)
    neighbours = {frozenset(pair) for pair in borders_of(own_demo)}
    assert (clusters["n_places"] > 1).any()
    for _, one in places[places["inside"]].groupby(KEY):
        reached, left = set(one["place"].head(1)), set(one["place"].iloc[1:])
        while new := {code for code in left if any(frozenset((code, other)) in neighbours for other in reached)}:
            reached |= new
            left -= new
        assert not left
    with project.context(as_of=LAST) as ctx:
        fresh, model = freshness_by_source(ctx.store, LAST), project.model("injury-clusters")
        before = detection_id(ctx, model, fresh)
        adjacency = own_demo / "config" / "geo" / "adjacency.csv"
        adjacency.write_text("".join(adjacency.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
        assert detection_id(ctx, model, fresh) != before
        adjacency.unlink()
        failed = detect(ctx, ["injury-clusters"]).failed
    assert "connected zones need borders" in failed["injury-clusters"]


def test_clusters_and_their_map(demo_project: Path) -> None:
    project = Project(demo_project)
    clusters, places = project.clusters(as_of=LAST)
    assert clusters["p_value"].between(0, 1).all()
    assert (clusters["recurrence_years"] * clusters["p_value"] * 365.25 / 7).to_numpy() == pytest.approx(1.0)
    sums = places[places["inside"]].groupby(KEY)[["observed", "expected"]].sum()
    np.testing.assert_allclose(sums, clusters.set_index(KEY).loc[sums.index, ["observed", "expected"]], rtol=1e-9)
    assert places["name_zh"].str.endswith(("市", "县", "区", "自治县")).all()
    figure = project.cluster_map(as_of=LAST)
    assert isinstance(figure, Figure)
    assert "重现间隔" in figure.texts[0].get_text()
    with pytest.raises(ProjectError, match="no cluster 9"):
        project.cluster_map(cluster=9, as_of=LAST)
    with pytest.raises(ProjectError, match="need the detector space-time-scan"):
        project.clusters("injury-counts", as_of=LAST)


def test_maps_of_alarms_repeat_the_detection(demo_project: Path) -> None:
    """The cluster shown has the p-value of the alarm: taking the group alone changes nothing."""
    project = Project(demo_project)
    signals = project.signals("injury-clusters", as_of=LAST)
    judged = signals[signals["p_value"] < 1].sort_values("p_value").head(3)
    with project.context(as_of=LAST) as ctx:
        found = alarmed_clusters(ctx, judged.assign(alarm=True))
        assert len(county_outlines(ctx)) == 60
    assert len(found) == len(judged) > 0
    for row in judged.itertuples():
        cluster = found[(row.model, row.product, row.industry, row.region, row.stratum)]
        assert cluster.p_value == pytest.approx(row.p_value, rel=1e-12)
        assert cluster.last == row.period_end
        assert row.region in set(cluster.places.loc[cluster.places["inside"], "place"])
        assert len(cluster.places) == 60
