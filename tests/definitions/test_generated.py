"""Generated files are up to date, and the shipped definitions fit schemas and rooms."""

import json
from pathlib import Path

import jsonschema
import pytest

from riskwatch.definitions import check, explain, load_definitions, reference, rooms, schemas, strict_yaml

ROOT = Path(__file__).parents[2]
KINDS = {
    "config/riskwatch.yaml": "riskwatch",
    "config/dimensions.yaml": "dimensions",
    "config/centres.yaml": "centres",
    "config/holidays.yaml": "holidays",
    "config/grading.yaml": "grading",
    "config/actions.yaml": "actions",
    "config/ladders.yaml": "ladders",
    "config/emergency.yaml": "emergency",
    "config/hazards.yaml": "hazards",
    "config/catalogue.yaml": "catalogue",
    "config/anomalies.yaml": "anomalies",
    "config/backtest.yaml": "backtest",
    "config/standards.yaml": "standards",
    "config/enterprises.yaml": "enterprises",
    "config/trends.yaml": "trends",
    "config/indicators.yaml": "indicators",
    "config/report.yaml": "report",
    "config/rates.yaml": "rates",
    "config/schedule.yaml": "schedule",
    "config/delivery.yaml": "delivery",
    **{path.relative_to(ROOT).as_posix(): "source" for path in (ROOT / "config/sources").glob("*.yaml")},
    **{path.relative_to(ROOT).as_posix(): "model" for path in (ROOT / "models").glob("*.yaml")},
    **{path.relative_to(ROOT).as_posix(): "pipeline" for path in (ROOT / "pipelines").glob("*.yaml")},
}


def test_schemas_are_up_to_date():
    made = {f"{kind}.json": schemas.as_text(schema) for kind, schema in schemas.schemas().items()}
    stored = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / schemas.FOLDER).glob("*.json")}
    assert stored == made, "run: python -m riskwatch.definitions.schemas ."


def test_both_can_be_written_anew(tmp_path):
    written = [*schemas.write_schemas(tmp_path), reference.write_reference(tmp_path)]
    assert {path.relative_to(tmp_path).as_posix() for path in written} >= {"config/schemas/model.json", "docs/configuration.md"}
    for path in written:
        assert path.read_bytes() == (ROOT / path.relative_to(tmp_path)).read_bytes()


def test_the_reference_is_up_to_date():
    stored = (ROOT / reference.PATH).read_text(encoding="utf-8")
    assert stored == reference.reference(), "run: python -m riskwatch.definitions.reference ."


def test_every_key_has_a_meaning():
    lines = [line for line in reference.reference().splitlines() if line.startswith("| `")]
    assert len(lines) > 100
    # The kind of a reader is explained where it is chosen.
    assert [line for line in lines if line.endswith("|  |") and not line.startswith("| `kind`")] == []


@pytest.mark.parametrize("name", sorted(name for name in KINDS if (ROOT / name).exists()))
def test_shipped_files_fit_their_schema_and_name_it(name):
    document, problems = strict_yaml.read_yaml(ROOT / name, name)
    assert problems == []
    schema = schemas.schemas()[KINDS[name]]
    jsonschema.Draft202012Validator.check_schema(schema)
    # Keys are text in JSON: the years of the Spring Festival are numbers in YAML.
    data = json.loads(json.dumps(document.data))
    jsonschema.validate(data, schema)
    first = (ROOT / name).read_text(encoding="utf-8").split("\n", maxsplit=1)[0]
    if first.startswith("# yaml-language-server"):
        link = first.split("$schema=")[1]
        assert (ROOT / name).parent.joinpath(link).resolve() == ROOT / schemas.FOLDER / f"{KINDS[name]}.json"


def test_a_schema_finds_a_slip_that_an_editor_should_underline():
    schema = schemas.schemas()["model"]
    good = {"models": [{"name": "a", "label": {"zh": "x", "en": "x"}}]}
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError, match="'alhpa' was unexpected"):
        jsonschema.validate({"defaults": {"alhpa": 1}, "models": []}, schema)


def test_the_shipped_project_has_no_problem():
    assert [str(problem) for problem in check(ROOT, environ={})] == []


@pytest.mark.parametrize(("profile", "simulated"), [("demo", True), ("real", False)])
def test_the_shipped_profiles(profile, simulated):
    found = load_definitions(ROOT, profile=profile, environ={})
    assert found.settings.simulated is simulated
    # Only the demonstration stands still.
    assert (found.settings.as_of is not None) is simulated
    assert found.models
    assert found.centres
    for model in found.models.values():
        assert rooms.detectors().make(model.detector, **model.parameters).name == model.detector
        # A model watches something that is pulled in its profile.
        assert any(source.stream == model.stream for source in found.sources.values())
    assert {"settings", "pipelines.daily", "holidays"} <= set(found.hashes)


def test_other_rooms_take_what_the_files_say():
    from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
    from riskwatch.calendar import HolidayCalendar

    found = load_definitions(ROOT, environ={})
    GradingRules.model_validate(found.catalogue("grading"))
    ActionCatalogue.model_validate(found.catalogue("actions"))
    HazardCatalogue.model_validate(found.catalogue("hazards"))
    calendar = HolidayCalendar.from_config(found.catalogue("holidays"))
    # National Day 2025 with Mid-Autumn: off until 8 October, Saturday the 11th worked in exchange.
    days = [f"2025-10-{day:02d}" for day in range(1, 13)]
    worked = [day[-2:] for day, is_worked in zip(days, calendar.is_workday(days), strict=True) if is_worked]
    assert worked == ["09", "10", "11"]


def test_the_thin_series_of_2015_is_not_rolled_away():
    # neiss:5042 had 49 cases in four years; the hoverboard episode must be visible in its own series.
    model = load_definitions(ROOT, profile="real", environ={}).models["neiss-youth-products"]
    assert model.sparse.min_total <= 49
    assert model.between == {"age": (14, 24)}
    assert model.frequency == "month"


def test_explain_knows_the_real_detectors():
    found = load_definitions(ROOT, environ={})
    told = explain(found, "models.injury-counts.parameters.alpha")
    assert str(told.origin).startswith("models/injury_counts.yaml:")
    assert told.default == rooms.detectors().make("sequential-nb").alpha
    assert told.description.startswith("parameter of sequential-nb")
