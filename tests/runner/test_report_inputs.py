"""What the report is filled with: each room's own numbers, missing parts with their reasons, and nobody's name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.errors import AsOfError, RateError, StoreError
from riskwatch.reports.build import build_report
from riskwatch.reports.inputs import COLUMNS, Input, Missing, ReportInputs
from riskwatch.reports.model import Report
from riskwatch.runner import reporting
from riskwatch.runner.context import RunContext
from riskwatch.runner.enterprises import enterprises
from riskwatch.runner.indicators import indicator_report
from riskwatch.runner.rates import failure_rates
from riskwatch.runner.report_laboratories import letters
from riskwatch.runner.report_period import parse_period
from riskwatch.runner.report_scope import Scope

PROVINCE, CITY, QUARTER = "220000", "220100", "2025Q4"


@dataclass(frozen=True)
class Filled:
    """A project, its context, and the inputs of one quarter."""

    ctx: RunContext
    inputs: ReportInputs
    report: Report

    def frame(self, name: str) -> pd.DataFrame:
        found = getattr(self.inputs, name)
        assert isinstance(found, Input), f"{name}: {found.reason.en}"
        return found.frame

    @property
    def random(self) -> pd.DataFrame:
        found = self.ctx.store.read_records(
            "spot_check",
            ["record_id", "product", "region", "producer", "selection", "inspected", "failed"],
            as_of=self.ctx.as_of,
            since=dt.date(2025, 10, 1),
            until=dt.date(2025, 12, 31),
        )
        return found[found["selection"].astype(str) == "random"]


@pytest.fixture(scope="module")
def filled(demo_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Fill one quarter of the province; fewer permutations of the anomalies make it quick."""
    folder = tmp_path_factory.mktemp("fill") / "demo"
    shutil.copytree(demo_project, folder)
    rules = folder / "config/anomalies.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("permutations: 40", "permutations: 10"), encoding="utf-8")
    with Project(folder).context() as ctx:
        inputs = reporting.build_inputs(ctx, parse_period(QUARTER), PROVINCE)
        yield Filled(ctx, inputs, build_report(inputs, languages=("zh",), issued=ctx.as_of))


def small(scope_of: Filled, period: str, region: str, monkeypatch: pytest.MonkeyPatch, *kept: str) -> ReportInputs:
    """Fill only some inputs: the others would take their time."""
    monkeypatch.setattr(reporting, "FILLERS", tuple(entry for entry in reporting.FILLERS if set(entry[0]) & set(kept)))
    monkeypatch.setattr(reporting, "COMBINERS", ())
    return reporting.build_inputs(scope_of.ctx, parse_period(period), region)


def test_every_input_has_one_filler() -> None:
    named = [name for names, _ in (*reporting.FILLERS, *reporting.COMBINERS) for name in names]
    assert sorted(named) == sorted(COLUMNS)


def test_nothing_is_missing_in_the_demonstration(filled: Filled) -> None:
    missing = {name: found.reason.en for name in COLUMNS if isinstance(found := getattr(filled.inputs, name), Missing)}
    assert missing == {}
    for name in COLUMNS:
        found = getattr(filled.inputs, name)
        assert found.origin.room.startswith("riskwatch."), name
        assert found.origin.records > 0 or name in {"events", "actions", "warnings"}, name


def test_counts_are_those_of_the_records(filled: Filled) -> None:
    random = filled.random
    now = filled.frame("overall").iloc[0]
    assert (now["inspected"], now["failed"]) == (random["inspected"].sum(), random["failed"].sum())
    sums = random.groupby(random["product"].astype(str))[["inspected", "failed"]].sum()
    table = filled.frame("rates_product").set_index("code")
    assert table[["inspected", "failed"]].to_numpy().tolist() == sums.reindex(table.index).to_numpy().tolist()
    items = filled.ctx.store.read_items("spot_check", as_of=filled.ctx.as_of)
    bad = items[items["record_id"].isin(random.loc[random["failed"] > 0, "record_id"]) & (items["verdict"].astype(str) == "fail")]
    counted = bad.groupby(bad["item"].astype(str))["record_id"].nunique()
    top = filled.frame("items").head(5)
    assert top["failing"].tolist() == [counted[name] for name in top["item"]]


@pytest.mark.parametrize(("by", "level"), [("region", "prefecture"), ("product", "product"), ("industry", "division")])
def test_rates_are_the_rooms_own(filled: Filled, by: str, level: str) -> None:
    own = failure_rates(
        filled.ctx, by=by, level=level, since=dt.date(2025, 10, 1), until=dt.date(2025, 12, 31), within={"region": PROVINCE}
    )
    own = own[own["code"] != "?"].set_index("code")
    table = filled.frame(f"rates_{by}").set_index("code")
    assert table.index.tolist() == own.index.tolist()
    for name in ("rate", "lower", "upper", "raw"):
        np.testing.assert_allclose(table[name], own[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(table["borrowed"], own["borrowed"])


def test_a_change_is_its_two_parts(filled: Filled) -> None:
    for name in ("change_region", "change_product", "change_industry"):
        frame = filled.frame(name)
        np.testing.assert_allclose(frame["change"] + frame["mix"], frame["raw_change"], atol=1e-12)
        assert frame["q_value"].between(0, 1).all()
        # The false-discovery rate never calls out what its own interval does not.
        assert not (frame["q_value"] < 0.05).where((frame["change_lower"] <= 0) & (frame["change_upper"] >= 0), other=False).any()
    overall = filled.frame("overall").iloc[1:]
    np.testing.assert_allclose(overall["mix"] + overall["within"], overall["change"], atol=1e-12)
    assert ((overall["within_lower"] < overall["within"]) & (overall["within"] < overall["within_upper"])).all()


def test_the_scorecard_repeats_its_parts(filled: Filled) -> None:
    card = filled.frame("scorecard").set_index("region")
    rates, coverage, closure = (
        filled.frame(name).set_index(key) for name, key in (("rates_region", "code"), ("coverage_region", "code"), ("closure", "region"))
    )
    np.testing.assert_allclose(card["rate"], rates["rate"].reindex(card.index))
    np.testing.assert_allclose(card["coverage"], coverage["share"].reindex(card.index))
    np.testing.assert_allclose(card["closure"], closure["share"].reindex(card.index))
    funnel = filled.frame("funnel").set_index("code")
    np.testing.assert_allclose(funnel["rate"], rates["rate"].reindex(funnel.index))
    tree = filled.ctx.trees["region"]
    assert {str(tree.level_of(code)) for code in card.index} == {"prefecture"}


def test_enterprises_are_counts_that_agree_with_the_room(filled: Filled) -> None:
    counts = filled.frame("enterprises").set_index("group")["enterprises"]
    own = enterprises(filled.ctx).summary(filled.ctx)
    assert (counts["repeat"], counts["recheck-failed"]) == (own.repeat_failers, own.recheck_failers)
    assert counts["candidate"] == own.candidates
    assert counts["worse-class"] == own.proposed_worse
    assert counts["inspected"] >= counts["failed"] > 0


def test_indicators_are_those_of_the_room(filled: Filled) -> None:
    frame = filled.frame("indicators").set_index("indicator")
    own = indicator_report(filled.ctx, regions=[PROVINCE])
    shown = own.overview[own.overview["region"] == PROVINCE]
    assert set(frame.index) == set(shown["indicator"])
    for code, row in frame.iterrows():
        match = shown[(shown["indicator"] == code) & (shown["period"] == row["period"])]
        assert match["value"].iloc[0] == row["value"]
    scored = own.targets[(own.targets["kind"] == "q") & (own.targets["region"] == PROVINCE)]
    aimed = frame[frame["target"].notna()]
    assert set(aimed.index) <= set(scored["indicator"])
    # What is called attained lies on the right side of its target.
    assert ((aimed["gap"] >= 0) == aimed["attained"].astype(bool)).all()
    assert filled.inputs.indicator_names[aimed.index[0]].zh


def test_forecasts_follow_the_series(filled: Filled) -> None:
    frame = filled.frame("trend_series")
    seen, ahead = frame[frame["observed"].notna()], frame[frame["forecast"].notna()]
    assert seen["period_start"].max() < ahead["period_start"].min()
    assert ((ahead["lower"] <= ahead["forecast"]) & (ahead["forecast"] <= ahead["upper"])).all()
    trends = filled.frame("trends")
    assert set(trends["kind"]) == {"product", "industry", "region"}
    assert trends["probability"].dropna().between(0, 1).all()
    assert not trends.duplicated(["kind", "code"]).any()


def _forms(filled: Filled) -> dict[str, str]:
    made = reporting.render_forms(filled.report, ["zh"], ["html", "docx", "json"])
    texts = {name: content.decode("utf-8") for name, content in made.items() if not name.endswith("docx")}
    with zipfile.ZipFile(io.BytesIO(made["zh.docx"])) as archive:
        texts["docx"] = "\n".join(archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith(".xml"))
    return texts


def test_no_firm_hospital_or_laboratory_is_named(filled: Filled) -> None:
    store, day = filled.ctx.store, filled.ctx.as_of
    checks = store.read_records("spot_check", ["producer", "sampled", "laboratory"], as_of=day)
    cards = store.read_records("injury", ["hospital"], as_of=day)
    credit = store.read_records("enterprise_credit", ["enterprise"], as_of=day)
    secret = {
        str(value)
        for column in (checks["producer"], checks["sampled"], checks["laboratory"], cards["hospital"], credit["enterprise"])
        for value in column.dropna().unique()
        if len(str(value)) >= 4
    }
    assert len(secret) > 1000
    for name, text in _forms(filled).items():
        found = [value for value in secret if value in text]
        assert found == [], name
    assert set(filled.frame("laboratories")["laboratory"]) <= set(letters(len(filled.frame("laboratories"))))


def test_letters_go_on_after_z() -> None:
    assert letters(28)[:3] == ["A", "B", "C"]
    assert letters(28)[25:] == ["Z", "AA", "AB"]


def test_a_city_is_compared_by_county(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = small(filled, "2025-11", CITY, monkeypatch, "rates_region", "enterprises", "coverage_region", "overall")
    tree = filled.ctx.trees["region"]
    for name, key in (("rates_region", "code"), ("closure", "region"), ("coverage_region", "code")):
        found = getattr(inputs, name)
        assert isinstance(found, Input), name
        codes = found.frame[key].astype(str).to_numpy(dtype=object)
        assert {str(level) for level in tree.level_of(codes)} == {"county"}, name
        assert tree.is_within(codes, CITY).all(), name
    # Categories, not single products: a month of one city has too few samples of most.
    assert isinstance(inputs.rates_product, Input)
    assert isinstance(inputs.overall, Input)
    assert inputs.rates_product.frame["inspected"].sum() <= inputs.overall.frame["inspected"].iloc[0]


def test_standards_that_come_into_force_are_dates_ahead(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = small(filled, "2025Q3", PROVINCE, monkeypatch, "outlook")
    assert isinstance(inputs.outlook, Input)
    rows = inputs.outlook.frame[inputs.outlook.frame["kind"] == "standard"]
    assert rows["date"].tolist() == [pd.Timestamp("2025-12-01")]
    assert "GB/T 28803.1-2025" in rows["name_zh"].iloc[0]
    assert "text not checked" in rows["name_en"].iloc[0]


def test_a_room_that_refuses_is_missing_with_its_reason(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(scope: Scope) -> dict[str, Input | Missing]:
        raise RateError(f"no sample of {scope.period.key} serves comparison", hint="see config/rates.yaml")

    kept = tuple(entry for entry in reporting.FILLERS if entry[0] == ("sources",))
    names = ("rates_region", "rates_product", "rates_industry")
    monkeypatch.setattr(reporting, "FILLERS", (*kept, (names, refuse)))
    inputs = reporting.build_inputs(filled.ctx, parse_period(QUARTER), PROVINCE)
    assert isinstance(inputs.sources, Input)
    for name in names:
        found = getattr(inputs, name)
        assert isinstance(found, Missing)
        assert found.reason.en == "no sample of 2025Q4 serves comparison"
    # The funnel rests on the rates: it is missing for the same reason, and the report is written all the same.
    assert isinstance(inputs.funnel, Missing)
    assert inputs.funnel.reason.en == "no sample of 2025Q4 serves comparison"
    report = build_report(inputs, languages=(), issued=filled.ctx.as_of)
    assert "no sample of 2025Q4 serves comparison" in report.model_dump_json()


def test_a_database_that_cannot_be_read_is_no_missing_part(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scope: Scope) -> dict[str, Input | Missing]:
        raise StoreError(f"the database of {scope.period.key} is gone")

    monkeypatch.setattr(reporting, "FILLERS", ((("items",), broken),))
    with pytest.raises(StoreError, match="is gone"):
        reporting.build_inputs(filled.ctx, parse_period(QUARTER), PROVINCE)


def test_a_quarter_without_records_is_all_reasons(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    early = dataclasses.replace(filled, ctx=dataclasses.replace(filled.ctx, as_of=dt.date(2019, 6, 30)))
    monkeypatch.setattr(reporting, "FILLERS", tuple(entry for entry in reporting.FILLERS if not set(entry[0]) & {"anomalies", "warnings"}))
    inputs = reporting.build_inputs(early.ctx, parse_period("2019Q1"), PROVINCE)
    for name in ("overall", "rates_region", "change_product", "items", "enterprises", "trends", "trend_series", "funnel", "laboratories"):
        found = getattr(inputs, name)
        assert isinstance(found, Missing), name
        assert found.reason.zh, name
        assert found.reason.en, name
    assert build_report(inputs, languages=(), issued=early.ctx.as_of).sections
    with pytest.raises(AsOfError):
        reporting.build_inputs(early.ctx, parse_period("2025Q4"), PROVINCE)
