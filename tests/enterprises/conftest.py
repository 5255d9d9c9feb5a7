"""Rules as shipped, and records of a few enterprises whose figures can be counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from riskwatch.enterprises import EnterpriseRules

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def rules() -> EnterpriseRules:
    return EnterpriseRules.model_validate(YAML(typ="safe").load((ROOT / "config" / "enterprises.yaml").read_text(encoding="utf-8")))
