"""Write records as the files a centre receives: several encodings and formats, duplicates and malformed rows included."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import openpyxl
import pandas as pd
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from riskwatch.datasets.malformed import TRUNCATED
from riskwatch.datasets.native import HEADERS, LATER_WORDS_FROM, to_native
from riskwatch.datasets.rhythm import random_stream

__all__ = ["FORMATS", "Files", "write_indicators", "write_stream"]

Formats = Literal["mixed", "plain"]
FORMATS: tuple[str, ...] = ("mixed", "plain")
_FIXED_TIME = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - a constant stamp, so that the same rows give the same bytes
# Share of rows that are delivered twice.
_DUPLICATES = {"injury": 0.01, "spot_check": 0.003, "external_notice": 0.0}
# One county goes on writing the code it had before it moved.
_OLD_CODE = ("220184", "220381", "gongzhuling")
_OLD_CODE_YEAR = 2022
# Spreadsheets are for files a person would open.
_LARGEST_SHEET = 50_000


class Files:
    """Writes tables of text under a folder and remembers their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []

    def write(self, name: str, table: pd.DataFrame, style: str, *, cut_last_line: bool = False) -> None:
        """Write one table; ``style`` is utf-8, utf-8-sig, gb18030, gzip or xlsx."""
        if style == "xlsx" and len(table) > _LARGEST_SHEET:
            style = "utf-8"
        path = self.folder / f"{name}{ {'gzip': '.csv.gz', 'xlsx': '.xlsx'}.get(style, '.csv') }"
        path.parent.mkdir(parents=True, exist_ok=True)
        if style == "xlsx":
            path.write_bytes(_spreadsheet(table))
        else:
            # Windows tools end lines with CR LF and write the national encoding.
            text = table.to_csv(index=False, lineterminator="\r\n" if style == "gb18030" else "\n")
            if cut_last_line:
                text = text.rstrip("\r\n")
                text = text[: text.rindex("\n") + 1 + (len(text) - text.rindex("\n")) // 2] + "\n"
            data = text.encode(style if style != "gzip" else "utf-8")
            path.write_bytes(gzip.compress(data, 6, mtime=0) if style == "gzip" else data)
        self.paths.append(path)


def _spreadsheet(table: pd.DataFrame) -> bytes:
    """Return the bytes of an XLSX of text cells; the same table gives the same bytes."""
    book = openpyxl.Workbook(write_only=True)
    book.properties.created = _FIXED_TIME
    sheet = book.create_sheet("数据")
    sheet.append([str(name) for name in table.columns])
    for row in table.itertuples(index=False, name=None):
        # A cell that begins with = would become a formula: here it is text that looks like one.
        sheet.append([_text_cell(sheet, value) if value[:1] == "=" else value for value in row])
    raw = io.BytesIO()
    book.save(raw)
    packed = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            # openpyxl stamps the time of saving.
            content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2000-01-01T00:00:00Z", source.read(entry))
            target.writestr(zipfile.ZipInfo(entry.filename, (2000, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _text_cell(sheet: WriteOnlyWorksheet, value: str) -> Cell:
    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"
    return cell


def _style(stream: str, number: int) -> str:
    """Return how the ``number``-th file of a stream is written."""
    styles = {
        "spot_check": {1: "gb18030", 3: "utf-8-sig", 6: "xlsx", 9: "gzip", 13: "gb18030"},
        "injury": {4: "gb18030", 8: "gzip", 14: "xlsx", 22: "utf-8-sig", 31: "gb18030"},
    }
    return styles.get(stream, {}).get(number, "utf-8")


def _deliveries(known: pd.Series, stream: str) -> npt.NDArray[np.object_]:
    """Name of the file in which each row is delivered: quarter of publication, or month of report."""
    day = known.to_numpy().astype("datetime64[D]")
    month = day.astype("datetime64[M]").astype(np.int64)
    year, of_year = month // 12 + 1970, month % 12
    numbers, at = np.unique(
        year * 12 + (of_year // 3 * 3 if stream == "spot_check" else of_year if stream == "injury" else 0), return_inverse=True
    )
    names = []
    for number in numbers.tolist():
        in_year, rest = divmod(number, 12)
        names.append({"spot_check": f"{in_year}Q{rest // 3 + 1}", "injury": f"{in_year}-{rest + 1:02d}"}.get(stream, f"{in_year}"))
    return np.array(names, dtype=object)[at]


def _rows_with_items(frame: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """One row per failing item; a sample without any keeps its one row."""
    columns = {name: f"items.{name}" for name in ("item", "measured", "limit", "unit", "verdict", "safety_item")}
    wide = items.rename(columns=columns)[["record_key", *columns.values()]]
    # A reversed verdict comes without items.
    wide = wide.assign(version=1, **{"items.safety_item": wide["items.safety_item"].map({True: "是", False: "否"})})
    order = np.arange(len(frame))
    return (
        frame.assign(order=order)
        .merge(wide, on=["record_key", "version"], how="left")
        .sort_values("order", kind="stable", ignore_index=True)
    )


def _spoiled(native: pd.DataFrame, rows: pd.DataFrame, stream: str, later: int) -> pd.DataFrame:
    """Return copies of native rows, each with a key of its own and one wrong value."""
    headers = {field: pair[later] for field, pair in HEADERS[stream].items()}
    copies = native.iloc[rows["at"].to_numpy()].copy().reset_index(drop=True)
    copies[headers["record_key"]] = copies[headers["record_key"]] + "E" + rows["number"].astype(str).to_numpy()
    for place, (field, value) in enumerate(zip(rows["field"], rows["value"], strict=True)):
        if field:
            copies.loc[place, headers[field]] = value
    return copies


def write_stream(
    files: Files,
    stream: str,
    frame: pd.DataFrame,
    *,
    malformed: pd.DataFrame,
    seed: int,
    formats: Formats,
    items: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Write the deliveries of one stream: a file for each quarter of publication, month of report or year of notices.

    Returns
    -------
    DataFrame
        The rows of ``malformed`` of this stream with ``file`` (name) and ``row_no`` (1-based data row in it).
    """
    folder = {"spot_check": "spot_checks", "injury": "injuries", "external_notice": "notices"}[stream]
    delivery = _deliveries(frame["known_on"], stream)
    rng = random_stream(seed, "duplicates", stream)
    twice = rng.random(len(frame)) < _DUPLICATES[stream]
    wrong = malformed[malformed["stream"] == stream].assign(number=lambda rows: np.arange(len(rows)))
    located: list[pd.DataFrame] = []
    carried = frame.iloc[:0]
    for number, name in enumerate(pd.unique(delivery)):
        here = np.flatnonzero(delivery == name)
        year = int(str(name)[:4])
        part = frame.iloc[here]
        faulty = wrong[np.isin(wrong["position"].to_numpy(), here)].reset_index(drop=True)
        faulty["at"] = np.searchsorted(here, faulty["position"].to_numpy())
        # Half of the duplicates come in the same file, half once more with the next.
        again = part[twice[here]]
        same, later_file = again.iloc[::2], again.iloc[1::2]
        good = to_native(pd.concat([part, same, carried]) if len(carried) or len(same) else part, stream, year)
        bad = _spoiled(good, faulty, stream, int(year >= LATER_WORDS_FROM))
        carried = later_file
        if items is not None:
            whole = pd.concat([part, same]) if len(same) else part
            good = to_native(_rows_with_items(whole, items), stream, year)
            bad = bad.reindex(columns=good.columns, fill_value="")
        if stream == "spot_check" and year == _OLD_CODE_YEAR:
            good = _old_code_file(files, good, folder, int(year >= LATER_WORDS_FROM))
        cut = (faulty["kind"] == TRUNCATED).to_numpy()
        table = pd.concat([good, bad[~cut], bad[cut].iloc[:1]], ignore_index=True)
        kept = pd.concat([faulty[~cut], faulty[cut].iloc[:1]], ignore_index=True)
        style = "utf-8" if formats == "plain" else _style(stream, number)
        truncated = bool(cut.any()) and style not in {"xlsx", "gzip"}
        if cut.any() and not truncated:
            table, kept = table.iloc[:-1], kept.iloc[:-1]
        files.write(f"{folder}/{name}", table, style, cut_last_line=truncated)
        kept["file"] = files.paths[-1].name
        kept["row_no"] = len(good) + 1 + np.arange(len(kept))
        located.append(kept)
    columns = ["stream", "file", "row_no", "kind", "field", "value", "expect"]
    return pd.concat(located, ignore_index=True)[columns] if located else pd.DataFrame(columns=columns)


def _old_code_file(files: Files, good: pd.DataFrame, folder: str, later: int) -> pd.DataFrame:
    """Put one county's rows into a file of its own, with the code the county had before it moved."""
    new, old, name = _OLD_CODE
    header = HEADERS["spot_check"]["region"][later]
    own = (good[header] == new).to_numpy()
    if own.any():
        quarter = sum(path.name.startswith(name) for path in files.paths) + 1
        files.write(f"{folder}/{name}-{_OLD_CODE_YEAR}Q{quarter}", good[own].assign(**{header: old}), "utf-8")
    return good[~own]


def write_indicators(files: Files, frame: pd.DataFrame) -> None:
    """Write the figures of quality indicators, one file for each year of publication."""
    for year, part in frame.groupby(frame["known_on"].dt.year) if len(frame) else ():
        files.write(f"indicators/{year}", to_native(part, "indicator", int(year)), "utf-8")
