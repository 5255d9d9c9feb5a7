"""The audit against a folder of advisories finds what is affected, and nothing else."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "audit_offline.py"
spec = importlib.util.spec_from_file_location("audit_offline", SCRIPT)
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

RANGES = [{"type": "ECOSYSTEM", "events": [{"introduced": "1.2"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.1"}]}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "vulns"
    made.mkdir()

    def put(name: str, **more: object) -> None:
        affected = [{"package": {"name": "Some.Package", "ecosystem": "PyPI"}, "ranges": RANGES, "versions": ["0.9"]}]
        content = {"id": name, "modified": "2026-01-02T00:00:00Z", "affected": affected, "aliases": ["CVE-1"], **more}
        (made / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    put("PYSEC-1")
    put("PYSEC-2", withdrawn="2026-01-03T00:00:00Z")
    put("NPM-1", affected=[{"package": {"name": "some-package", "ecosystem": "npm"}, "versions": ["1.1"]}])
    other = "id: PYSEC-3\nmodified: '2026-01-04T00:00:00Z'\naffected:\n- package: {name: other, ecosystem: PyPI}\n  versions: ['1.0']\n"
    (made / "PYSEC-3.yaml").write_text(other, encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("version", "code"), [("0.9", 1), ("1.1", 0), ("1.2", 1), ("1.4.9", 1), ("1.5", 0), ("2.0", 1), ("2.1", 1), ("2.1.1", 0)]
)
def test_versions_listed_or_within_a_range_are_found(folder: Path, tmp_path: Path, version: str, code: int, capsys) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"# pins\nsome-package=={version}\nother==1.1 ; python_version > '3'\n", encoding="utf-8")
    assert audit.main(str(constraints), str(folder)) == code
    told = capsys.readouterr().out
    assert ("PYSEC-1 CVE-1" in told) == bool(code)
    assert f"2 packages looked up in 3 advisories, the newest of 2026-01-04; {code} known" in told


def test_a_folder_without_advisories_is_no_audit(tmp_path: Path, capsys) -> None:
    (tmp_path / "constraints.txt").write_text("some==1.0\n", encoding="utf-8")
    assert audit.main(str(tmp_path / "constraints.txt"), str(tmp_path)) == 2
    assert "NOT MADE" in capsys.readouterr().err
