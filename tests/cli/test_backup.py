"""``backup``, ``verify``, ``restore`` and ``retention`` as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.faults.province import make_province

KEPT = {"sources": ("complaints",), "models": ("complaints",), "centres": ("changchun",)}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "demo"
    make_province(folder, kept=KEPT)
    return folder


def test_backup_verify_restore_and_retention(small: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("backup", tmp_path, project=small).code == 4  # there is no store yet
    assert cli("pull", project=small).code == 0
    made = cli("backup", tmp_path / "kept", "--json", project=small)
    assert made.code == 0
    path = Path(made.json["file"])
    assert path.parent == tmp_path / "kept"
    assert path.name.startswith("riskwatch-demo-")
    assert made.json["rows"]["record_complaint"] > 0
    told = cli("verify", path)
    assert (told.code, told.out.startswith(f"{path} is sound: sqlite, schema ")) == (0, True)

    refused = cli("restore", path, project=small)
    assert refused.code == 4
    assert "--force" in refused.err
    elsewhere = tmp_path / "other" / "store.db"
    assert cli("restore", path, "--to", elsewhere, project=small).code == 0
    assert elsewhere.is_file()
    done = cli("restore", path, "--force", "--json", project=small)
    assert done.code == 0
    assert Path(done.json["kept"]).is_file()

    path.write_bytes(path.read_bytes()[:3000])
    broken = cli("verify", path)
    assert broken.code == 4
    assert "Cannot use the backup" in broken.err

    shown = cli("retention", "show", "--json", project=small)
    assert shown.json["days"]["raw_days"] == 400
    assert shown.json["least_record_days"]["complaint"] > 365
    swept = cli("retention", "apply", "--dry-run", "--json", project=small)
    assert (swept.code, swept.json["rows"], swept.json["dry_run"]) == (0, {}, True)
    assert cli("retention", "apply", project=small).code == 0


def test_an_error_that_nobody_foresaw_ends_with_5(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's own 1 would say that a source failed and the rest went on."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr("riskwatch.api.Project.__init__", broken)
    answer = cli("doctor")
    assert answer.code == 5
    assert "KeyError: 'odd'" in answer.err
    assert "nobody foresaw" in answer.err
