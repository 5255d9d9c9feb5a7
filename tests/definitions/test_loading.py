"""Inheritance, profiles, overrides, hashes, provenance."""

import datetime as dt
from pathlib import Path

import pytest

from riskwatch.definitions import check, explain, load_definitions, rooms
from riskwatch.definitions.explanation import NO_DEFAULT
from riskwatch.errors import DefinitionError, ProjectError


def write(project, name, text):
    (project / name).write_text(text, encoding="utf-8")


def test_thresholds_are_inherited_key_by_key(project):
    model = load_definitions(project, environ={}).models["injury-counts"]
    # built-in default -> riskwatch.yaml -> file defaults -> model
    assert model.judge == 2
    assert model.min_observed == 3
    assert model.frequency == "week"
    assert model.parameters == {"alpha": 0.001, "baseline_years": 5}


def test_parameters_of_another_detector_are_not_inherited(project, registry, monkeypatch):
    write(
        project,
        "models/other.yaml",
        "defaults: {stream: injury, frequency: week, detector: counting, parameters: {baseline_years: 9}}\n"
        "models:\n"
        "  - {name: same, label: {zh: 同, en: same}, levels: [{}]}\n"
        "  - {name: rate, label: {zh: 率, en: rate}, levels: [{}], detector: rates, parameters: {alpha: 0.2}}\n",
    )
    from riskwatch.definitions import loader

    both = rooms.Detectors(("counting", "rates"), registry.make)
    monkeypatch.setattr(loader, "detectors", lambda: both)
    models = load_definitions(project, environ={}).models
    assert models["same"].parameters == {"alpha": 0.01, "baseline_years": 9}
    assert models["rate"].parameters == {"alpha": 0.2}


def test_profiles_choose_what_is_in_force(project):
    write(project, "config/centres.yaml", 'centres:\n  - {name: desk, label: {zh: 席, en: desk}, region: "", profiles: [real]}\n')
    demo = load_definitions(project, environ={})
    real = load_definitions(project, profile="real", environ={})
    assert (demo.profile, real.profile) == ("demo", "real")
    assert demo.profiles == ("demo", "real")
    assert list(demo.centres) == []
    assert list(real.centres) == list(real.all_centres) == ["desk"]
    assert real.var == project / "var" / "real"
    assert real.database_url() == f"sqlite:///{project.resolve().as_posix()}/var/real/riskwatch.db"
    assert real.path("{data}/x.csv") == project / "data/x.csv"
    with pytest.raises(ProjectError, match=r"path '\{date\}/x': unknown placeholder 'date'"):
        real.path("{date}/x")


def test_the_last_word_on_settings(project):
    text = (project / "config/riskwatch.yaml").read_text(encoding="utf-8")
    write(project, "config/riskwatch.yaml", text + "    lease_seconds: 60\n    as_of: 2024-02-29\n")
    environ = {"RISKWATCH_LEASE_SECONDS": "70", "RISKWATCH_DATA": "2015", "RISKWATCH_TOKEN_X": "kept out", "RISKWATCH_REAL_DATA": "/x"}
    settings = load_definitions(project, profile="real", environ={}).settings
    assert (settings.lease_seconds, settings.as_of, settings.data) == (60, dt.date(2024, 2, 29), "data")
    settings = load_definitions(project, profile="real", environ=environ).settings
    assert (settings.lease_seconds, settings.data) == (70, "2015")
    found = load_definitions(
        project, environ=environ, overrides={"settings.profile": "real", "settings.lease_seconds": "80", "settings.as_of": "null"}
    )
    assert (found.profile, found.settings.lease_seconds, found.settings.as_of) == ("real", 80, None)
    told = explain(found, "settings.lease_seconds")
    assert told.value == 80
    assert str(told.origin) == "command line settings.lease_seconds=80"
    assert [(value, str(origin)) for value, origin in told.chain] == [
        (900, "built-in default"),
        (60, "config/riskwatch.yaml:9:20"),
        (70, "environment RISKWATCH_LEASE_SECONDS"),
        (80, "command line settings.lease_seconds=80"),
    ]


def test_a_model_can_be_overridden_from_the_command_line(project):
    found = load_definitions(
        project, environ={}, overrides={"models.injury-counts.parameters.alpha": "0.2", "models.injury-counts.sparse.min_total": "7"}
    )
    model = found.models["injury-counts"]
    assert model.parameters == {"alpha": 0.2, "baseline_years": 5}
    assert (model.sparse.min_total, model.sparse.min_active_periods) == (7, 5)


@pytest.mark.parametrize(
    ("overrides", "environ", "message"),
    [
        ({"settings.profile": "rael"}, {}, 'command line settings.profile=rael:1:1: unknown profile "rael"; did you mean "real"?'),
        ({"settings.leas": "1"}, {}, 'command line settings.leas=1:1:1: unknown key "leas"'),
        (
            {},
            {"RISKWATCH_LEASE_SECONDS": "soon"},
            'environment RISKWATCH_LEASE_SECONDS:1:1: lease_seconds must be a whole number, got "soon"',
        ),
        (
            {"models.injury-count.judge": "1"},
            {},
            'command line models.injury-count.judge=1:1:1: unknown model "injury-count"; did you mean "injury-counts"?',
        ),
        (
            {"models.injury-counts.judge": "0"},
            {},
            'command line models.injury-counts.judge=0:1:1: model "injury-counts": judge must be >= 1, got 0',
        ),
        (
            {"alpha": "1"},
            {},
            'command line alpha=1:1:1: cannot override "alpha"; write settings.KEY=VALUE or models.NAME.KEY=VALUE',
        ),
    ],
)
def test_wrong_overrides_are_told_like_wrong_files(project, overrides, environ, message):
    with pytest.raises(DefinitionError) as caught:
        load_definitions(project, environ=environ, overrides=overrides)
    assert [str(problem) for problem in caught.value.problems] == [message]


def test_a_hash_follows_the_meaning_not_the_layout(project):
    before = load_definitions(project, environ={})
    path = project / "models/injury_counts.yaml"
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    after = load_definitions(project, environ={})
    assert after.hashes == before.hashes
    assert after.files["models/injury_counts.yaml"] != before.files["models/injury_counts.yaml"]
    # What is inherited counts as well.
    text = (project / "config/riskwatch.yaml").read_text(encoding="utf-8")
    write(project, "config/riskwatch.yaml", text.replace("min_observed: 3", "min_observed: 4"))
    changed = load_definitions(project, environ={}).hashes
    assert {name for name in changed if changed[name] != before.hashes[name]} == {"models.injury-counts"}


def test_the_database_url_may_come_from_the_environment(project):
    write(project, "config/riskwatch.yaml", "name: {zh: 测, en: t}\ndatabase: env:TEST_DATABASE_URL\nprofiles: {real: {}}\n")
    found = load_definitions(project, environ={"TEST_DATABASE_URL": "postgresql://u:p@h/d"})
    assert found.database_url() == "postgresql://u:p@h/d"
    with pytest.raises(ProjectError, match='environment variable "TEST_DATABASE_URL" is not set'):
        load_definitions(project, environ={}).database_url()


def test_a_folder_without_a_project(tmp_path):
    with pytest.raises(ProjectError, match=r"holds no project: config/riskwatch.yaml is missing\nHint: `riskwatch init DIR` makes one"):
        load_definitions(tmp_path, environ={})


# --- explain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "origin", "default"),
    [
        ("settings.database", "sqlite:///{var}/riskwatch.db", "built-in default", "sqlite:///{var}/riskwatch.db"),
        ("settings.name.zh", "测试", "config/riskwatch.yaml:1:12", NO_DEFAULT),
        ("models.injury-counts.parameters.alpha", 0.001, "models/injury_counts.yaml:12:25", 0.05),
        ("models.injury-counts.parameters.baseline_years", 5, "models/injury_counts.yaml:5:32", 4),
        ("models.injury-counts.min_observed", 3, "config/riskwatch.yaml:4:19", 0),
        ("models.injury-counts.sparse.min_total", 20, "built-in default", 20),
        ("models.injury-counts.levels[0].region", "prefecture", "models/injury_counts.yaml:11:36", None),
        ("sources.hospital.reader.path", "{data}/hospital", "config/sources/hospital.yaml:4:30", NO_DEFAULT),
        ("sources.hospital.reader.encoding", "auto", "built-in default", "auto"),
        ("sources.hospital.expected.every_days", 7, "built-in default", 7),
        ("sources.hospital.values.sex.女", "female", "config/sources/hospital.yaml:13:25", NO_DEFAULT),
        ("centres.first.region", "010000", "config/centres.yaml:4:13", NO_DEFAULT),
        ("pipelines.daily.schedule", "0 6 * * mon-fri", "pipelines/daily.yaml:3:11", ""),
        ("sources.checks.values.verdict.1", "pass", "config/sources/checks.yaml:7:25", NO_DEFAULT),
        ("dimensions.1.dimension", "region", "config/dimensions.yaml:3:17", NO_DEFAULT),
    ],
)
def test_explain_says_value_origin_and_default(project, path, value, origin, default):
    write(
        project,
        "config/sources/checks.yaml",
        "name: checks\nstream: spot_check\nlabel: {zh: 查, en: checks}\nreader: {kind: folder, path: x}\nkey: [record_key]\n"
        "columns: {record_key: k, event_date: d, selection: s, inspected: i, failed: f, verdict: v}\n"
        'values: {verdict: {"1": pass, "2": fail}}\n',
    )
    found = load_definitions(project, environ={})
    told = explain(found, path)
    assert told.value == value
    assert str(told.origin) == origin
    assert told.default == default
    assert told.chain[-1][0] == value
    if origin != "built-in default":
        assert str(found.where(path)) == origin


def test_explain_prints_what_was_overridden(project):
    text = str(explain(load_definitions(project, environ={}), "models.injury-counts.parameters.alpha"))
    assert text.splitlines() == [
        "models.injury-counts.parameters.alpha = 0.001",
        "  from models/injury_counts.yaml:12:25",
        "  parameter of counting: one-sided level; in probability",
        "  overrides 0.01 from config/riskwatch.yaml:5:25",
        "  overrides 0.05 from built-in default",
    ]


def test_explain_does_not_print_a_password(project):
    found = load_definitions(project, environ={"RISKWATCH_DATABASE": "env:X"}, overrides={"settings.data": "https://u:geheim@h/d"})
    assert "geheim" not in str(explain(found, "settings.data"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("models.injury-count.judge", 'no definition is called "models.injury-count.judge"; did you mean "models.injury-counts"?'),
        ("models.injury-counts.juge", 'models.injury-counts: unknown key "juge"; did you mean "judge"?'),
        ("models.injury-counts.sparse.min_totl", 'models.injury-counts.sparse: unknown key "min_totl"; did you mean "min_total"?'),
        ("modles", 'no definition is called "modles"; known: centres, dimensions, models, pipelines, settings, sources'),
    ],
)
def test_explain_suggests_the_nearest_name(project, path, message):
    with pytest.raises(ProjectError) as caught:
        explain(load_definitions(project, environ={}), path)
    assert caught.value.message == message


def test_paths_of_files_are_relative_to_the_project(project):
    files = load_definitions(project, environ={}).files
    assert set(files) == {
        "config/riskwatch.yaml",
        "config/centres.yaml",
        "config/dimensions.yaml",
        "config/sources/hospital.yaml",
        "models/injury_counts.yaml",
        "pipelines/daily.yaml",
    }
    assert not any(Path(name).is_absolute() for name in files)


def test_folders_within_models_are_read_and_hidden_files_are_not(project):
    text = "models:\n  - {name: NAME, label: {zh: 深, en: deep}, stream: injury, frequency: week, detector: counting, levels: [{}]}\n"
    (project / "models/food").mkdir()
    write(project, "models/food/deep.yaml", text.replace("NAME", "deep"))
    write(project, "models/.draft.yaml", text.replace("NAME", "draft"))
    found = load_definitions(project, environ={})
    assert sorted(found.models) == ["deep", "injury-counts"]
    assert str(found.where("models.deep")) == "models/food/deep.yaml:2:5"


def test_definitions_do_not_depend_on_the_working_directory(project, monkeypatch, tmp_path):
    monkeypatch.chdir(project)
    found = load_definitions(Path(), environ={})
    monkeypatch.chdir(tmp_path)
    assert found.path("config/riskwatch.yaml").is_file()


# --- trees -----------------------------------------------------------------------------------------------------------


def test_check_looks_into_the_code_lists(project):
    path = project / "config/dimensions/products.csv"
    path.write_text(path.read_text(encoding="utf-8") + "P0101,P01,product,又,again,,\nP0201,P02,product,球,balls,,\n", encoding="utf-8")
    found = [str(problem) for problem in check(project, environ={})]
    assert len(found) == 2
    assert found[0].startswith("config/dimensions/products.csv:4:1: ")
    assert "P0101" in found[0]
    assert found[1].startswith("config/dimensions/products.csv:5:1: ")
    assert "P02" in found[1]


def test_a_tree_that_needs_the_data_folder_is_not_judged_without_it(project):
    write(
        project,
        "config/dimensions.yaml",
        "dimensions:\n"
        '  - {dimension: product, path: "{data}/products.csv"}\n'
        "  - {dimension: region, path: config/dimensions/regions.csv}\n",
    )
    text = (project / "models/injury_counts.yaml").read_text(encoding="utf-8")
    write(project, "models/injury_counts.yaml", text.replace("product: product", "product: brand"))
    assert check(project, environ={}) == []
