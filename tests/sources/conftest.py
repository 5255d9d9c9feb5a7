from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riskwatch.definitions.types import SourceDefinition
from riskwatch.sources import RawBatch, SourceFault, SourceState, open_source

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make_definition() -> Callable[..., SourceDefinition]:
    def make(reader: dict[str, Any], **rest: Any) -> SourceDefinition:
        given = {"name": "drop", "stream": "injury", "label": {"zh": "源", "en": "source"}, "key": ["id"], "columns": {"product": "p"}}
        return SourceDefinition.model_validate({**given, "reader": reader, **rest})

    return make


@pytest.fixture
def read(tmp_path: Path, make_definition: Callable[..., SourceDefinition]) -> Callable[..., tuple[list[RawBatch], list[SourceFault]]]:
    """Read the drop folder ``tmp_path/drop``."""

    def run(state: SourceState | None = None, adapter: str | None = None, **reader: Any) -> tuple[list[RawBatch], list[SourceFault]]:
        definition = make_definition({"kind": "folder", "path": "drop", **reader}, adapter=adapter)
        found = list(open_source(definition, root=tmp_path, data=tmp_path, state=state))
        return [part for part in found if isinstance(part, RawBatch)], [part for part in found if isinstance(part, SourceFault)]

    (tmp_path / "drop").mkdir()
    return run


@pytest.fixture
def real_data() -> Path:
    folder = Path(os.environ.get("RISKWATCH_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set RISKWATCH_REAL_DATA")
    return folder
