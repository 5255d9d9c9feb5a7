"""Routes of ``config/delivery.yaml`` name centres and goods that exist."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from riskwatch.definitions import load_definitions
from riskwatch.errors import DefinitionError

ROOT = Path(__file__).resolve().parents[2]
DELIVERY = """version: "2025-12-31"
channels: [{name: drop, kind: file, folder: out}]
routes:
  - {name: one, channel: drop, centres: [changchun, chagnchun], products: ["P01", "P9999"], profiles: [demo]}
"""


def test_a_slip_in_a_route_is_found_with_its_place(tmp_path: Path) -> None:
    for name in ("config", "models", "pipelines"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "config" / "delivery.yaml").write_text(DELIVERY, encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path, environ={})
    found = str(caught.value).splitlines()
    assert len(found) == 2
    assert found[0].startswith('config/delivery.yaml:4:53: routes[0].centres[1]: unknown centre "chagnchun"; did you mean "changchun"?')
    assert found[1] == 'config/delivery.yaml:4:83: routes[0].products[1]: "P9999" is not in the product tree of profile demo'
