"""Records become versions; loading twice changes nothing; as-of reads are exact."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from riskwatch.errors import StoreError
from riskwatch.store import IngestCounts, Store
from tests.store.conftest import NOW, Raw, no_items, parsed, rejections, spot_checks


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def seen(store, as_of: str | None = None) -> dict[str, int]:
    frame = store.read_records("spot_check", ["record_key", "failed"], as_of=None if as_of is None else day(as_of))
    assert not frame["record_key"].duplicated().any()
    return dict(zip(frame["record_key"], frame["failed"], strict=True))


def test_a_correction_is_a_version_and_the_past_stays_as_it_was(store, load):
    assert load(spot_checks(["A1", "A2"], 0, "2024-02-01")) == IngestCounts(new=2)
    assert load(spot_checks(["A1", "A2", "A3"], [3, 0, 0], "2024-03-01")) == IngestCounts(new=1, changed=1, same=1)
    assert seen(store, "2024-01-31") == {}
    assert seen(store, "2024-02-01") == {"A1": 0, "A2": 0}
    assert seen(store, "2024-02-29") == {"A1": 0, "A2": 0}
    assert seen(store, "2024-03-01") == {"A1": 3, "A2": 0, "A3": 0}
    assert seen(store) == {"A1": 3, "A2": 0, "A3": 0}
    versions = store.read_records("spot_check", ["record_key", "version", "row_no"], as_of=None)
    assert versions.set_index("record_key")["version"].to_dict() == {"A1": 2, "A2": 1, "A3": 1}


def test_without_a_declared_day_a_record_is_known_on_arrival_in_the_projects_zone(store, load):
    late_evening = dt.datetime(2024, 5, 1, 16, 30, tzinfo=dt.UTC)  # half past midnight of 2 May in Shanghai
    load(spot_checks(["A1"]), now=late_evening)
    assert seen(store, "2024-05-01") == {}
    assert seen(store, "2024-05-02") == {"A1": 0}


def test_a_correction_that_keeps_its_old_day_counts_from_arrival(store, load):
    load(spot_checks(["A1"], 0, "2024-02-01"))
    assert load(spot_checks(["A1"], 1, "2024-02-01")).changed == 1
    assert seen(store, "2024-04-30") == {"A1": 0}
    assert seen(store, "2024-05-01") == {"A1": 1}
    assert load(spot_checks(["A1"], 2, "2024-02-01"), now=NOW + dt.timedelta(days=3)).changed == 1
    assert seen(store, "2024-05-03") == {"A1": 1}
    assert seen(store, "2024-05-04") == {"A1": 2}


def test_an_older_version_that_arrives_late_takes_its_place_in_time(store, load):
    load(spot_checks(["A1"], 2, "2024-03-01"))
    assert load(spot_checks(["A1"], 1, "2024-02-01")) == IngestCounts(stale=1)
    assert [seen(store, text) for text in ("2024-01-31", "2024-02-01", "2024-03-01")] == [{}, {"A1": 1}, {"A1": 2}]
    assert load(spot_checks(["A1"], 1, "2024-02-10")) == IngestCounts(stale=1)
    assert len(store.read_records("spot_check", as_of=None)) == 1


def test_the_same_file_and_the_same_rows_in_another_file_change_nothing(store, load):
    judged = parsed(spot_checks(["A1", "A2"], 1, "2024-02-01"), rejected=rejections((2, "failed", "integer", "x", "not a number")))
    raw = pa.table({"no": ["A1", "bad"]})
    assert load(judged, raw, content_key="f" * 64) == IngestCounts(new=2, rejected=1)
    vintage = store.data_vintage("spot_check")
    assert load(judged, raw, content_key="f" * 64) == IngestCounts()
    assert load(judged, raw, content_key="e" * 64) == IngestCounts(same=2, rejected=1)
    assert store.data_vintage("spot_check") == vintage
    assert len(store.list_quarantine()) == 1
    assert store.seen_keys("spot") == {"f" * 64, "e" * 64}


def test_one_key_twice_in_a_batch_is_two_versions_in_file_order(store, load):
    counts = load(spot_checks(["A1", "B1", "A1"], [1, 0, 2], ["2024-02-01", "2024-02-01", "2024-03-01"]))
    assert counts == IngestCounts(new=2, changed=1)
    assert seen(store, "2024-02-15") == {"A1": 1, "B1": 0}
    assert seen(store, "2024-03-15") == {"A1": 2, "B1": 0}


def test_two_keys_with_one_hash_do_not_hide_each_other(store, load, monkeypatch):
    monkeypatch.setattr("riskwatch.store.ingest.key_hashes", lambda source, keys: np.full(len(keys), 7, np.int64))
    assert load(spot_checks(["A1", "B1"], [1, 5], "2024-02-01")).new == 2
    assert load(spot_checks(["B1", "C1"], [6, 9], "2024-03-01")) == IngestCounts(new=1, changed=1)
    assert seen(store, "2024-02-15") == {"A1": 1, "B1": 5}
    assert seen(store) == {"A1": 1, "B1": 6, "C1": 9}


def test_sources_keep_their_keys_apart(store, load):
    load(spot_checks(["A1"], 1, "2024-02-01"))
    load.source = "other"
    assert load(spot_checks(["A1"], 2, "2024-02-01")).new == 1
    frame = store.read_records("spot_check", ["source", "failed"], sources=["other"])
    assert frame.to_dict("list") == {"source": ["other"], "failed": [2]}


def test_every_value_comes_back_as_it_was(store, load):
    records = spot_checks(
        ["零一'\"%$1", "A2"],
        [1, 0],
        "2024-02-01",
        product=["0101", None],
        task=["食品; DROP TABLE", None],
        counterfeit_claim=[True, None],
        production_date=["2023-12-31", None],
        recheck_result=["pass", None],
    )
    items = pd.DataFrame(
        {
            "record_key": ["A2", "A2"],
            "row_no": [2, 2],
            "item_no": [1, 2],
            "item": ["铅", "镉"],
            "standard": ["GB 2762", None],
            "limit": ["≤0.5", None],
            "measured": ["<0.01", None],
            "unit": ["mg/kg", None],
            "verdict": ["pass", "not-tested"],
            "safety_item": pd.array([True, None], dtype="boolean"),
        }
    )
    load(parsed(records, items))
    frame = store.read_records("spot_check")
    for name in records.columns.drop(["row_no", "known_on"]):
        expected, found = (column.astype(object).where(column.notna(), None).tolist() for column in (records[name], frame[name]))
        assert found == expected, name
    assert frame["product"].dtype == "category"
    assert frame["event_date"].dtype == "datetime64[s]"
    back = store.read_items("spot_check")
    assert back["limit"].tolist()[0] == "≤0.5"
    assert back["measured"].isna().tolist() == [False, True]
    assert back["safety_item"].tolist() == [True, pd.NA]
    assert store.read_items("spot_check", [1]).empty


def test_a_long_run_of_missing_values_does_not_decide_the_type(store, load):
    size = 70_000  # beyond the rows that the driver looks at
    records = spot_checks([f"A{i:06d}" for i in range(size)], 0, "2024-02-01")
    records.loc[size - 1, "task"] = "x"
    records.loc[size - 1, "producer_name"] = "y"
    records.loc[size - 1, "production_date"] = pd.Timestamp("2024-01-01")
    load(records)
    frame = store.read_records("spot_check", ["task", "producer_name", "production_date", "counterfeit_claim"])
    assert frame.iloc[-1].tolist() == ["x", "y", pd.Timestamp("2024-01-01"), pd.NA]
    assert frame["task"].isna().sum() == size - 1


def test_filters(store, load):
    load(
        spot_checks(
            ["A1", "A2", "A3"],
            [0, 5, 9],
            "2024-02-01",
            event_date=["2024-01-01", "2024-01-02", "2024-01-03"],
            selection=["random", "targeted", "random"],
            product=["01", "02", "03"],
        )
    )

    def keys(**filters):
        return store.read_records("spot_check", ["record_key"], **filters)["record_key"].tolist()

    assert keys(where={"selection": ("random",)}) == ["A1", "A3"]
    assert keys(where={"selection": ("random",), "product": ("03", "02")}) == ["A3"]
    assert keys(where={"product": ()}) == []
    assert keys(between={"failed": (5, 8)}) == ["A2"]
    assert keys(since=day("2024-01-02"), until=day("2024-01-02")) == ["A2"]
    assert keys(sources=["nobody"]) == []
    with pytest.raises(StoreError, match='No column "colour" in record_spot_check'):
        keys(where={"colour": ("red",)})
    with pytest.raises(StoreError, match='No stream "moon"'):
        store.read_records("moon")


def test_raw_rows_land_first_and_come_back_exactly(store):
    table = pa.table({"样品": ["甲", None, ""], "数": ["01", "=1+1", "1e6"]})
    landed = store.land(Raw("spot", "f.csv", "a" * 64, table), "spot_check", landed_at=NOW)
    assert not landed.judged
    assert store.read_raw(landed.batch_id).equals(table)
    assert [(waiting.batch_id, raw.equals(table)) for waiting, raw in store.pending()] == [(landed.batch_id, True)]
    assert store.seen_keys("spot") == frozenset()
    again = store.land(Raw("spot", "renamed.csv", "a" * 64, table), "spot_check", landed_at=NOW)
    assert again == landed
    with pytest.raises(StoreError, match='raw columns are text, column "n" is int64'):
        store.land(Raw("spot", "g.csv", "b" * 64, pa.table({"n": [1]})), "spot_check", landed_at=NOW)


def test_a_run_killed_between_landing_and_judging_goes_on_to_the_same_end(store, load):
    table = pa.table({"no": ["A1"]})
    landed = store.land(Raw("spot", "f.csv", "a" * 64, table), "spot_check", landed_at=NOW)
    for waiting, raw in store.pending("spot"):
        assert store.ingest(waiting, parsed(spot_checks(["A1"], 1, "2024-02-01")), raw=raw, arrived_at=NOW).new == 1
    assert list(store.pending()) == []
    # The handle from before the kill is stale now; using it must not store twice.
    assert store.ingest(landed, parsed(spot_checks(["A1"], 2, "2024-03-01")), raw=table, arrived_at=NOW) == IngestCounts()
    assert seen(store) == {"A1": 1}


def test_a_batch_that_fails_leaves_nothing_and_stays_waiting(store, load):
    load(spot_checks(["A1"], 1, "2024-02-01"))
    table = pa.table({"no": ["A1", "A2"]})
    landed = store.land(Raw("spot", "f.csv", "a" * 64, table), "spot_check", landed_at=NOW)
    bad = parsed(spot_checks(["A1", "A2"], 7, "2024-03-01"), rejected=rejections((5, "f", "r", "v", "m")))
    with pytest.raises(StoreError, match=r"Cannot quarantine row 5 of batch 2: it has rows 1 to 2"):
        store.ingest(landed, bad, raw=table, arrived_at=NOW)
    assert seen(store) == {"A1": 1}
    assert [waiting.batch_id for waiting, _ in store.pending()] == [2]


def test_a_file_is_seen_once_its_last_batch_is_judged(store):
    batches = [Raw("spot", "f.csv", "a" * 64, pa.table({"no": [f"A{i}", f"B{i}"]}), first_row=1 + 2 * i, last=i == 4) for i in range(5)]
    new = []
    for raw in [*batches[:3], *batches]:
        landed = store.land(raw, "spot_check", landed_at=NOW)
        judged = parsed(spot_checks(raw.table.column("no").to_pylist(), raw.first_row, "2024-02-01"))
        new.append(store.ingest(landed, judged, raw=raw.table, arrived_at=NOW).new)
        assert store.seen_keys("spot") == ({"a" * 64} if len(new) == 8 else frozenset())
    assert new == [2, 2, 2, 0, 0, 0, 2, 2]
    assert len(store.read_records("spot_check", ["failed"])) == 10


def test_vintage_changes_exactly_with_what_is_visible(store, load):
    empty = store.data_vintage("spot_check", as_of=day("2024-02-10"))
    load(spot_checks(["A1"], 1, "2024-02-01"))
    first = store.data_vintage("spot_check", as_of=day("2024-02-10"))
    assert first != empty
    assert first == store.data_vintage("spot_check", as_of=day("2024-02-20"))
    load(spot_checks(["A1"], 2, "2024-03-01"))
    assert store.data_vintage("spot_check", as_of=day("2024-02-10")) == first
    assert store.data_vintage("spot_check", as_of=day("2024-03-01")) != first
    assert store.data_vintage("spot_check", ["elsewhere"]) == store.data_vintage("spot_check", ["nowhere"])
    load(spot_checks(["A1"], 9, "2024-01-15"))
    assert store.data_vintage("spot_check", as_of=day("2024-02-10")) != first


def test_freshness_counts_what_was_known_on_the_day(store, load):
    load(parsed(spot_checks(["A1", "A2"], 0, ["2024-02-01", "2024-03-20"], event_date=["2024-01-01", "2024-03-10"])))
    load.source = "broken"
    load(parsed(spot_checks([]), no_items(), rejections((1, "event_date", "date", "30.2.", "no such day"))), pa.table({"no": ["x"]}))
    table = store.freshness(day("2024-03-31")).set_index("source")
    assert table.loc["spot", ["newest_event", "newest_known", "records", "recent"]].tolist() == [
        pd.Timestamp("2024-03-10"),
        pd.Timestamp("2024-03-20"),
        2,
        1,
    ]
    assert table.loc["broken", ["records", "open_quarantine"]].tolist() == [0, 1]
    assert store.freshness(day("2024-02-10")).set_index("source").loc["spot", "records"] == 1


def test_the_day_on_which_a_corrected_record_was_first_known(store, load):
    load(spot_checks(["A1", "A2", "A3"], 0, "2024-02-01"))
    load(spot_checks(["A1"], 1, "2024-02-20"))
    load(spot_checks(["A1", "A2"], 2, "2024-03-01"))

    def first(as_of: str | None, sources: list[str] | None = None) -> dict[str, str]:
        known = store.first_known("spot_check", sources, None if as_of is None else day(as_of))
        frame = store.read_records("spot_check", ["record_key", "key_hash"], as_of=None if as_of is None else day(as_of))
        found = frame.merge(known, on="key_hash")
        return dict(zip(found["record_key"], found["first_known"].dt.strftime("%Y-%m-%d"), strict=True))

    assert first("2024-02-19") == {}
    assert first("2024-02-20") == {"A1": "2024-02-01"}
    assert first("2024-03-01") == first(None) == {"A1": "2024-02-01", "A2": "2024-02-01"}
    assert first(None, ["other"]) == {}
    assert store.first_known("spot_check")["key_hash"].dtype == np.int64


def test_where_the_records_of_each_source_begin(store, load):
    load(spot_checks(["A1", "A2"], 0, ["2024-02-01", "2024-03-01"], event_date=["2024-01-20", "2023-12-31"]))
    assert store.first_events("spot_check", day("2024-02-15")) == {"spot": day("2024-01-20")}
    assert store.first_events("spot_check") == {"spot": day("2023-12-31")}
    assert store.first_events("injury") == {}


def test_an_absent_database_is_not_made_by_looking(tmp_path):
    assert Store.existing(f"sqlite:///{tmp_path}/none.db") is None
    assert list(tmp_path.iterdir()) == []
    Store.open(f"sqlite:///{tmp_path}/one.db").close()
    found = Store.existing(f"sqlite:///{tmp_path}/one.db")
    assert found is not None
    with found:
        assert found.first_events("injury") == {}
