"""Hazards that are known to have been: a list of one's own, or the ledger of the simulated province."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from riskwatch.errors import ProjectError

__all__ = ["KnownHazard", "read_hazards"]

COLUMNS = "products (codes, ; between them), start, and if known: hazard_id, regions, end, official_date, kind, stream"


@dataclass(frozen=True)
class KnownHazard:
    """One hazard.

    Attributes
    ----------
    name : str
    products, regions : tuple of str
        Codes; no regions: everywhere.
    start : date
        First day on which records of it can be.
    end : date or None
    official : date or None
        Day of the official action; lead times are counted to it.
    stream : str
        Stream whose records show it; "" if not told.
    """

    name: str
    products: tuple[str, ...]
    regions: tuple[str, ...]
    start: dt.date
    end: dt.date | None = None
    official: dt.date | None = None
    stream: str = ""


def read_hazards(path: Path) -> tuple[KnownHazard, ...]:
    """Read hazards from a CSV file or a YAML list of mappings. Rows whose ``kind`` is told and is not ``hazard`` (decoys) are left out.

    Raises
    ------
    ProjectError
        If the file cannot be read, lacks a column, or holds a value that is no day; the row is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix in {".yaml", ".yml"}:
            rows: Any = YAML(typ="safe", pure=True).load(text) or []
        else:
            rows = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, YAMLError, csv.Error) as error:
        raise ProjectError(f"backtest: cannot read the list of hazards {path}: {error}", hint=f"columns: {COLUMNS}") from error
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ProjectError(f"backtest: {path} must be a list of mappings", hint=f"columns: {COLUMNS}")
    return tuple(_hazard(path, number, row) for number, row in enumerate(rows, start=1) if (row.get("kind") or "hazard") == "hazard")


def _hazard(path: Path, number: int, row: Mapping[str, Any]) -> KnownHazard:
    where = f"backtest: {path}, hazard {number}"
    products, start = _codes(row.get("products")), _day(where, "start", row.get("start"))
    if not products or start is None:
        raise ProjectError(f"{where}: products and start are needed, got {row.get('products')!r} and {row.get('start')!r}", hint=COLUMNS)
    # Samples may show a defect before anyone is hurt.
    early = _day(where, "defect_from", row.get("defect_from"))
    return KnownHazard(
        name=str(row.get("hazard_id") or row.get("name") or number),
        products=products,
        regions=_codes(row.get("regions")),
        start=start if early is None else min(start, early),
        end=_day(where, "end", row.get("end")),
        official=_day(where, "official_date", row.get("official_date")),
        stream=str(row.get("stream") or ""),
    )


def _codes(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else str(value or "").split(";")
    return tuple(str(code).strip() for code in listed if str(code).strip())


def _day(where: str, name: str, value: object) -> dt.date | None:
    if value is None or value == "":
        return None
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise ProjectError(f"{where}: {name} must be a day YYYY-MM-DD, got {value!r}") from None
