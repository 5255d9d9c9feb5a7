"""``init``, ``simulate``, ``check``, ``explain`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_init_makes_a_project_that_passes_its_check(tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "demo"
    answer = cli("init", folder, "--no-demo-data")
    assert answer.code == 0
    assert answer.out.endswith(f"next: cd {folder} && riskwatch check && riskwatch run daily\n")
    checked = cli("check", project=folder)
    assert checked.code == 0
    assert checked.out.startswith("all well: ")


def test_init_refuses_a_folder_that_is_not_empty_and_leaves_it_alone(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    answer = cli("init", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "the folder must be empty, and holds mine.txt" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert cli("init", tmp_path, "--force", "--no-demo-data").code == 0
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_simulate_writes_the_same_bytes_for_the_same_seed_and_keeps_the_truth_apart(tmp_path: Path, cli: Cli) -> None:
    def simulate(name: str, seed: int) -> dict[str, bytes]:
        answer = cli("simulate", tmp_path / name, "--scale", "0.02", "--seed", seed, "--end", "2023-06-30")
        assert answer.code == 0
        assert answer.out.startswith("simulated data 模拟数据 in ")
        return {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*.csv")}

    first = simulate("a", 7)
    assert {name.split("/")[0] for name in first} == {"demo", "demo_truth"}
    assert simulate("b", 7) == first
    assert simulate("c", 8) != first
    assert cli("simulate", tmp_path / "d", "--end", "June").code == 2


@pytest.fixture
def broken(last_quarter: Path) -> Path:
    """Return a project with three mistakes in two files."""
    model = last_quarter / "models" / "injury_counts.yaml"
    text = model.read_text(encoding="utf-8")
    assert "    alpha: 0.005" in text
    model.write_text(text.replace("    alpha: 0.005", "    alhpa: 0.005"), encoding="utf-8")
    source = last_quarter / "config" / "sources" / "demo.yaml"
    text = source.read_text(encoding="utf-8")
    text = text.replace("stream: injury", "stream: injuries").replace("kind: folder", "kind: drawer", 1)
    source.write_text(text, encoding="utf-8")
    return last_quarter


def test_check_prints_all_problems_at_once_as_file_line_column(broken: Path, cli: Cli) -> None:
    answer = cli("check", project=broken)
    assert answer.code == 2
    for file, needle, word in (
        ("models/injury_counts.yaml", "alhpa", "alhpa"),
        ("config/sources/demo.yaml", "stream: injuries", "injuries"),
        ("config/sources/demo.yaml", "kind: drawer", "drawer"),
    ):
        lines = (broken / file).read_text(encoding="utf-8").splitlines()
        number = next(index for index, line in enumerate(lines, start=1) if needle in line)
        found = [line for line in answer.out.splitlines() if line.startswith(f"{file}:{number}:")]
        assert len(found) == 1, answer.out
        assert word in found[0]


def test_check_as_json_is_the_same_list(broken: Path, cli: Cli) -> None:
    plain, answer = cli("check", project=broken), cli("check", "--json", project=broken)
    assert answer.code == 2
    assert answer.err == ""
    assert [f"{p['file']}:{p['line']}:{p['column']}: {p['message']}" for p in answer.json] == plain.out.splitlines()


def test_other_commands_refuse_broken_definitions_with_the_same_words(broken: Path, cli: Cli) -> None:
    problems = cli("check", project=broken).out.splitlines()
    answer = cli("pull", project=broken)
    assert (answer.code, answer.out) == (2, "")
    assert all(problem in answer.err for problem in problems)
    assert not (broken / "var").exists()
    doctor = cli("doctor", "--json", project=broken)
    assert doctor.code == 1
    assert [(f["mark"], f["what"], f["found"]) for f in doctor.json] == [("wrong", "definitions", problem) for problem in problems]


def test_explain_tells_value_and_origin(made_project: Path, cli: Cli) -> None:
    lines = (made_project / "models" / "injury_counts.yaml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if text.strip().startswith("alpha:"))
    found = cli("explain", "models.injury-counts.parameters.alpha", "--json", project=made_project).json
    assert (found["value"], found["origin"]["file"], found["origin"]["line"]) == (0.002, "models/injury_counts.yaml", line)
    assert f"from models/injury_counts.yaml:{line}:" in cli("explain", "models.injury-counts.parameters.alpha", project=made_project).out


def test_explain_tells_of_the_command_line_and_the_environment(made_project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "command line" in cli("--set", "settings.lease_seconds=60", "explain", "settings.lease_seconds", project=made_project).out
    monkeypatch.setenv("RISKWATCH_LEASE_SECONDS", "70")
    found = cli("explain", "settings.lease_seconds", "--json", project=made_project).json
    assert (found["value"], found["origin"]["kind"], found["origin"]["name"]) == (70, "environment", "RISKWATCH_LEASE_SECONDS")


def test_explain_names_what_is_known(made_project: Path, cli: Cli) -> None:
    answer = cli("explain", "settings.nonsense", project=made_project)
    assert (answer.code, answer.out) == (2, "")
    assert 'unknown key "nonsense"; known: as_of, data, database' in answer.err


def test_doctor_finds_a_sound_installation_sound(demo_project: Path, cli: Cli) -> None:
    answer = cli("doctor", "--json", project=demo_project)
    assert answer.code == 0
    marks = {finding["what"]: finding["mark"] for finding in answer.json}
    assert marks["definitions"] == marks["database"] == marks["font"] == marks["disk"] == marks["pipeline daily"] == "ok"
    assert marks["source hospital-injury-cards"] == "ok"


def test_doctor_finds_silent_sources_and_pipelines_that_never_ran(last_quarter: Path, cli: Cli) -> None:
    answer = cli("doctor", project=last_quarter)
    assert answer.code == 1
    found = {row["what"]: row for row in answer.rows}
    assert found["source hospital-injury-cards"][""] == "wrong"
    assert "riskwatch pull hospital-injury-cards" in found["source hospital-injury-cards"]["what to do"]
    assert found["pipeline daily"]["found"] == "never ran"


def test_doctor_says_how_to_mend_database_and_environment(last_quarter: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSPECTIONS_URL", raising=False)
    (last_quarter / "config" / "sources" / "more.yaml").write_text(
        """
sources:
  - name: inspections-db
    stream: injury
    label: {zh: 库, en: database}
    key: [record_key]
    reader:
      kind: sql
      url_env: INSPECTIONS_URL
      query: select * from cards where id > :cursor order by id
      cursor: id
    columns: {record_key: id, product: p, region: r, event_date: d}
    constants: {persons: "1"}
""",
        encoding="utf-8",
    )
    database = last_quarter / "var" / "demo" / "riskwatch.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database at all" * 1000)
    answer = cli("doctor", project=last_quarter)
    assert answer.code == 1
    found = {row["what"]: row for row in answer.rows}
    assert (
        found["source inspections-db"]["found"]
        == 'reader.url is env:INSPECTIONS_URL, and the environment variable "INSPECTIONS_URL" is not set'
    )
    assert found["database"][""] == "wrong"
    assert "not a sound SQLite database" in found["database"]["found"]
    assert "backup" in found["database"]["what to do"]
