"""Finding a project, making one, and what the wheel carries for it."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import setuptools

import riskwatch
from riskwatch import project
from riskwatch.definitions import strict_yaml
from riskwatch.errors import ProjectError

ROOT = Path(__file__).parents[1]
DATA = {".yaml", ".csv", ".json"}


def template_files(root):
    return {path.relative_to(root) for name in project.FOLDERS for path in (root / name).rglob("*") if path.suffix in DATA}


# --- find and init ---------------------------------------------------------------------------------------------------


def test_the_nearest_project_above_is_found(tmp_path):
    inner = tmp_path / "a" / "config" / "sources"
    inner.mkdir(parents=True)
    (tmp_path / "a/config/riskwatch.yaml").write_text("name: x\n", encoding="utf-8")
    assert project.find_project(inner) == tmp_path / "a"
    assert project.find_project(str(tmp_path / "a")) == tmp_path / "a"


def test_no_project_says_what_to_do(tmp_path):
    with pytest.raises(ProjectError) as caught:
        project.find_project(tmp_path)
    assert caught.value.message == f"no project at {tmp_path}: neither it nor a folder above it holds config/riskwatch.yaml"
    assert "riskwatch init DIR" in caught.value.hint
    with pytest.raises(ProjectError, match="no such folder"):
        project.find_project(tmp_path / "nowhere")


def test_init_copies_the_template(tmp_path):
    made = project.init_project(tmp_path / "new" / "demo")
    assert project.find_project(made / "config") == made
    assert template_files(made) == template_files(ROOT)
    assert (made / ".gitignore").read_text(encoding="utf-8") == "var/\n"
    assert not list(made.rglob("__pycache__"))
    for path in template_files(ROOT):
        assert (made / path).read_bytes() == (ROOT / path).read_bytes()


def test_init_refuses_a_folder_that_is_not_empty(tmp_path):
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / name).touch()
    with pytest.raises(ProjectError) as caught:
        project.init_project(tmp_path)
    assert caught.value.message == f"cannot make a project at {tmp_path}: the folder must be empty, and holds a.txt, b.txt, c.txt, …"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt", "c.txt", "d.txt"]


def test_force_replaces_the_template_files_and_no_others(tmp_path):
    made = project.init_project(tmp_path)
    (made / "config/riskwatch.yaml").write_text("spoilt", encoding="utf-8")
    (made / "models/own.yaml").write_text("models: []\n", encoding="utf-8")
    (made / ".gitignore").write_text("own\n", encoding="utf-8")
    project.init_project(made, force=True)
    assert (made / "config/riskwatch.yaml").read_bytes() == (ROOT / "config/riskwatch.yaml").read_bytes()
    assert (made / "models/own.yaml").read_text(encoding="utf-8") == "models: []\n"
    assert (made / ".gitignore").read_text(encoding="utf-8") == "own\n"


def test_init_refuses_a_file_and_the_template_itself(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="it is a file, not a folder"):
        project.init_project(tmp_path / "file")
    with pytest.raises(ProjectError, match="it is the template itself"):
        project.init_project(project.template_root(), force=True)
    with pytest.raises(ProjectError, match="it lies within the template"):
        project.init_project(project.template_root() / "config" / "sources", force=True)


def test_an_installation_without_a_template_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(riskwatch, "__file__", str(tmp_path / "riskwatch" / "__init__.py"))
    monkeypatch.setattr(project.importlib.resources, "files", lambda name: tmp_path)
    with pytest.raises(ProjectError, match="holds no project template"):
        project.template_root()
    (tmp_path / "template").mkdir()
    assert project.template_root() == tmp_path / "template"


# --- the wheel -------------------------------------------------------------------------------------------------------


def packages_in_setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    folders = dict(line.split(" = ") for line in parser["options"]["package_dir"].split("\n") if line)
    return parser["options"]["packages"].split(), folders


def test_setup_cfg_lists_every_package():
    listed, folders = packages_in_setup_cfg()
    code = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "riskwatch").rglob("__init__.py")}
    expected = sorted(code | set(folders))
    assert listed == expected, "write this into [options] packages of setup.cfg:\n    " + "\n    ".join(expected)
    assert folders == {f"riskwatch.template.{name}": name for name in project.FOLDERS}
    # A mapped name that is also a module would hide it.
    assert not [path for path in (ROOT / "riskwatch").iterdir() if path.stem == "template"]


@pytest.mark.slow
def test_the_wheel_carries_the_template_and_makes_a_project(tmp_path):
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip(f"building needs setuptools >= 77 as in pyproject.toml, this environment has {setuptools.__version__}")
    source = tmp_path / "source"
    for name in ("riskwatch", *project.FOLDERS):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
        else:
            (source / name).touch()
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        str(tmp_path),
        str(source),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    assert template_files(installed / "riskwatch/template") == template_files(ROOT)
    code = {path.relative_to(ROOT) for path in (ROOT / "riskwatch").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in code if not (installed / path).exists()} == set()
    assert not (installed / "riskwatch/template/__init__.py").exists()
    # Elsewhere, with nothing but the wheel's own files on the path:
    script = "import sys; from riskwatch.project import init_project, template_root; print(template_root()); init_project(sys.argv[1])"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "demo")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(installed / "riskwatch" / "template")
    assert template_files(tmp_path / "demo") == template_files(ROOT)
    document, problems = strict_yaml.read_yaml(tmp_path / "demo/config/riskwatch.yaml", "riskwatch.yaml")
    assert problems == []
    assert document.data["profile"] == "demo"
