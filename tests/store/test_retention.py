"""What a sweep deletes and what it never does, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.records.streams import STREAMS
from riskwatch.store import AssessmentRow, DetectionResult, DigestRow, EventRow, Store, WarningRow, outbox
from riskwatch.store.outbox import MessageRow
from riskwatch.store.retention import Cutoffs, free_space, sweep
from riskwatch.store.retention_rules import RetentionRules
from riskwatch.store.tables import metadata
from tests.store.conftest import Loader, parsed, rejections, spot_checks

DAY = dt.date(2024, 6, 1)


def day(month: int, number: int = 1) -> dt.date:
    return dt.date(2024, month, number)


def instant(month: int) -> dt.datetime:
    return dt.datetime(2024, month, 1, 4, tzinfo=dt.UTC)


def count(store: Store, name: str) -> int:
    with store.database.session("count") as session:
        return int(session.scalar(sa.select(sa.func.count()).select_from(metadata.tables[name])))


def detection(name: str, as_of: dt.date, *periods: dt.date, model: str = "m") -> DetectionResult:
    signals = pd.DataFrame({"period_start": periods, "period_end": periods, "frequency": "day", "observed": 1.0, "alarm": False})
    return DetectionResult(name, model, as_of, signals)


def warning(name: str, as_of: dt.date, state: str = "unchanged") -> WarningRow:
    return WarningRow(name, as_of, "f", "product", "P1", "", state, "III", "isolated", DAY, DAY, {})


def test_raw_rows_go_but_not_those_that_wait(store: Store, load: Loader) -> None:
    load(spot_checks(["A1"]), now=instant(1))
    load(
        parsed(spot_checks(["B1"]), rejected=rejections((2, "failed", "below-minimum", "-1", "no"))),
        pa.table({"no": ["B1", "bad"]}),
        now=instant(1),
    )
    load(spot_checks(["C1"]), now=instant(4))
    assert sweep(store.database, Cutoffs(raw=day(3)), dry_run=True) == {"raw_chunk": 1}
    assert count(store, "raw_chunk") == 3
    assert sweep(store.database, Cutoffs(raw=day(3)), dry_run=False) == {"raw_chunk": 1}
    assert sweep(store.database, Cutoffs(raw=day(3)), dry_run=False) == {}
    with pytest.raises(StoreError, match="No raw rows of batch 1"):
        store.read_raw(1)
    assert store.read_raw(2).num_rows == 2
    assert len(store.read_records("spot_check", ["record_key"])) == 3
    # What was read stays known as read: the file is not read again.
    assert len(store.seen_keys("spot")) == 3


def test_detections_stay_while_the_next_run_reads_them(store: Store) -> None:
    made = [
        detection("old", day(1), day(1, 1)),
        # Judged a period that the newest judges too: how often it was looked at counts.
        detection("same-period", day(2), day(2, 1), day(5, 20)),
        detection("at-an-open-warning", day(3), day(3, 1)),
        detection("forgotten", day(3, 20), day(3, 10)),
        detection("newest", day(5, 25), day(5, 20)),
        detection("other-model", day(1), day(1, 1), model="n"),
    ]
    for entry in made:
        store.write_detection(entry, now=instant(6))
    cutoffs = Cutoffs(detections=day(6), protected_days=frozenset({day(3, 5)}))
    assert sweep(store.database, cutoffs, dry_run=False) == {"signal": 2, "detection": 2}
    assert [entry.detection_id for entry in made if not store.has_detection(entry.detection_id)] == ["old", "forgotten"]
    assert len(store.read_signals(["same-period"])) == 2


def test_assessments_warnings_and_digests(store: Store) -> None:
    for month in (1, 2, 3, 5):
        run = f"daily-{day(month)}-1"
        store.start_run(run, pipeline="daily", as_of=day(month), now=instant(month), definitions={})
        store.write_run_results(
            run,
            now=instant(month),
            assessments=[AssessmentRow("a", day(month), "product", "P1", "", "III", {})],
            warnings=[warning("w1", day(month)), *([warning("w2", day(month))] if month == 1 else [])],
            events=[EventRow("w1", day(month), 0, "worsened", {"zh": "重", "en": "worse"}, "IV", "III", {})],
            digests=[DigestRow("c", day(month), "zh", month, {})],
        )
    stood = store.read_warnings(as_of=day(4))
    cutoffs = Cutoffs(assessments=day(4), warnings=day(4), digests=day(3), protected_days=frozenset({day(2)}))
    assert sweep(store.database, cutoffs, dry_run=False) == {"assessment": 2, "warning": 2, "digest": 2}
    assert store.read_assessments(as_of=day(2)) != []
    assert store.read_warnings(as_of=day(4)) == stood
    assert {row.warning_id for row in stood} == {"w1", "w2"}
    assert store.read_digest("c", day(3)) is not None
    assert (count(store, "warning_event"), count(store, "run")) == (4, 4)


def test_records_go_with_their_items_and_a_late_one_stays(store: Store, load: Loader) -> None:
    records = spot_checks(["A1", "A2"], 1, "2024-02-01", event_date=["2020-01-10", "2024-01-10"])
    item = {each.name: [None] for each in STREAMS["spot_check"].items} | {
        "record_key": ["A1"],
        "item_no": [1],
        "row_no": [1],
        "item": ["铅"],
        "verdict": ["fail"],
    }
    load(parsed(records, pd.DataFrame(item)))
    load(spot_checks(["A3"], 1, "2024-05-01", event_date=["2020-01-11"]))  # happened long ago, learnt last month
    cutoffs = Cutoffs(records={"spot_check": day(4)})
    assert sweep(store.database, cutoffs, dry_run=False) == {"record_spot_check_item": 1, "record_spot_check": 2}
    assert store.read_records("spot_check", ["record_key"])["record_key"].tolist() == ["A3"]


def test_a_swept_sqlite_file_shrinks(tmp_path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        for number in range(40):
            periods = [day(1) + dt.timedelta(days=k) for k in range(300)]
            store.write_detection(detection(f"{number:064d}", day(1) + dt.timedelta(days=number), *periods), now=instant(1))
        store.write_detection(detection("newest", day(6), day(12)), now=instant(6))
        free_space(store.database)
        before = (tmp_path / "store.db").stat().st_size
        assert sweep(store.database, Cutoffs(detections=day(6)), dry_run=False)["detection"] == 40
        assert (tmp_path / "store.db").stat().st_size == before
        freed = free_space(store.database)
        assert freed is not None
        assert freed > before // 3
        assert (tmp_path / "store.db").stat().st_size == before - freed
        assert count(store, "detection") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"raw_days": 1}, "greater than or equal to 30"),
        ({"record_days": {"no-stream": 2000}}, 'no stream "no-stream"'),
        ({"record_days": {"injury": 365}}, "injury: records must be kept for at least 1096 days, got 365"),
        ({"event_days": 30}, "Extra inputs are not permitted"),
    ],
)
def test_rules_that_would_lose_too_much_are_refused(change, message) -> None:
    rules = {
        "version": "1",
        "basis": {"source": "test", "dated": "2026-11-26", "verified": False},
        **dict.fromkeys(
            (
                "raw_days",
                "quarantine_days",
                "detection_days",
                "assessment_days",
                "warning_days",
                "digest_days",
                "digest_file_days",
                "report_days",
            )
        ),
    }
    RetentionRules.model_validate(rules)
    with pytest.raises(ValueError, match=message):
        RetentionRules.model_validate(rules | change)


def test_messages_that_are_done_with_go_with_their_attempts_and_a_dead_letter_stays(store: Store) -> None:
    outcomes: tuple[Literal["sent", "dead"], ...] = ("sent", "dead", "sent")
    for month, outcome in enumerate(outcomes, start=1):
        run = f"daily-{day(month)}-1"
        key = f"digest/{day(month)}/c/files/desk/zh"
        row = MessageRow(key, "c", day(month), "digest", "files", "desk", "zh", "", "", "", None, 1, "told", instant(month))
        store.start_run(run, pipeline="daily", as_of=day(month), now=instant(month), definitions={})
        store.write_run_results(run, now=instant(month), messages=[row])
        assert outbox.claim(store.database, "files", holder="sender", now=instant(month), seconds=60) is not None
        outbox.mark(
            store.database, key, holder="sender", outcome=outcome, code="", detail="", started=instant(month), finished=instant(month)
        )
    assert sweep(store.database, Cutoffs(messages=day(3)), dry_run=False) == {"delivery_attempt": 1, "message": 1}
    assert {(one.as_of, one.state) for one in outbox.read_messages(store.database)} == {(day(2), "dead"), (day(3), "sent")}
    assert count(store, "delivery_attempt") == 2
