"""Tables for spreadsheets, in which no cell can act."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
from openpyxl import Workbook

from riskwatch.errors import StoreError

__all__ = ["safe_cell", "write_table"]

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width forms act as well
_LONGEST_CELL = 32_767  # characters that XLSX allows
# Characters that XML, and so XLSX, cannot hold.
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32)], "\ufffd")


def safe_cell(value: object) -> str:
    """Write a value as text that no spreadsheet takes for a formula.

    Text that begins like a formula gets an apostrophe in front, which spreadsheets show as text; plain numbers keep their sign.
    Control characters that XLSX cannot hold become U+FFFD. Missing values are empty.
    """
    if value is None or (not isinstance(value, str) and bool(pd.isna(value))):  # type: ignore[call-overload]
        return ""
    text = str(value).translate(_CONTROL)
    if text.lstrip(" \u00a0\ufeff").startswith(_FORMULA_STARTS) and not _is_number(text):
        text = "'" + text
    return text[:_LONGEST_CELL]


def _is_number(text: str) -> bool:
    return (
        text.lstrip("+-").replace(".", "", 1).isascii()
        and text.lstrip("+-").replace(".", "", 1).isdigit()
        and text[:2] not in {"--", "++", "+-", "-+"}
    )


def write_table(frame: pd.DataFrame, path: Path, *, sheet: str = "quarantine") -> None:
    """Write a frame to ``.csv`` (UTF-8 with a mark that Excel knows) or ``.xlsx``, every cell through :func:`safe_cell`.

    Raises
    ------
    StoreError
        If the ending is another, or the file cannot be written.
    """
    header = [safe_cell(name) for name in frame.columns]
    rows = ([safe_cell(value) for value in row] for row in frame.itertuples(index=False, name=None))
    try:
        if path.suffix.lower() == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows(rows)
        elif path.suffix.lower() == ".xlsx":
            book = Workbook(write_only=True)
            page = book.create_sheet(sheet)
            page.append(header)
            for row in rows:
                page.append(row)
            book.save(path)
        else:
            raise StoreError(
                f'Cannot export to {path.name}: the ending must be ".csv" or ".xlsx", got "{path.suffix}".', hint="name the file so"
            )
    except OSError as error:
        raise StoreError(
            f"Cannot write {path}: {error.strerror or error}.", hint="check the folder, its rights and the space left"
        ) from error
