"""The shipped rules of texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from riskwatch.texts import TextRules, Tokeniser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def rules():
    return TextRules.model_validate(YAML(typ="safe").load((ROOT / "config" / "texts.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def tokeniser(rules):
    return Tokeniser(rules.tokens, ["电动自行车", "磁力玩具"])
