from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.datasets import simulate_province
from riskwatch.datasets.malformed import FAULTS, FORMULA, TRUNCATED
from riskwatch.datasets.native import HEADERS, WORDS
from riskwatch.definitions.types import SourceDefinition
from riskwatch.errors import RiskwatchError
from riskwatch.records.streams import STREAMS

FOLDERS = {"spot_check": "spot_checks", "injury": "injuries", "external_notice": "notices"}
CONFIG = Path(__file__).resolve().parents[2] / "config" / "sources" / "demo.yaml"


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, small.write(folder)


@pytest.fixture(scope="module")
def sources():
    definitions = [SourceDefinition.model_validate(entry) for entry in YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8"))["sources"]]
    return {source.stream: source for source in definitions}


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".xlsx":
        rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
        return pd.DataFrame(rows[1:], columns=rows[0]).fillna("").astype(str)
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    lines = [line for line in text.splitlines() if line]
    width = lines[0].count(",")
    whole = [line for line in lines if line.count(",") >= width]
    return pd.read_csv(pd.io.common.StringIO("\n".join(whole)), dtype=str, keep_default_na=False)


def test_same_province_same_bytes(small, written, tmp_path):
    folder, paths = written
    again = small.write(tmp_path)
    digests = [[hashlib.sha256(path.read_bytes()).hexdigest() for path in files] for files in (paths, again)]
    assert digests[0] == digests[1]
    assert [path.relative_to(folder) for path in paths] == [path.relative_to(tmp_path) for path in again]


def test_truth_is_kept_apart(small, written):
    folder, paths = written
    assert {path.relative_to(folder).parts[0] for path in paths} == {"demo", "demo_truth"}
    assert {path.name for path in paths if "demo_truth" in path.parts} == {"ledger.csv", "malformed.csv", "hospital_gaps.csv"}
    notes = set(small.ledger["hazard_id"]) | set(small.ledger["note_zh"])
    for path in paths:
        if "demo_truth" not in path.parts:
            table = read(path)
            assert "hazard_id" not in table.columns
            for column in table.columns:
                assert not set(table[column]) & notes


def test_files_come_in_several_encodings_and_formats(written):
    _, paths = written
    checks = [path for path in paths if path.parent.name == "spot_checks"]
    assert {path.suffix for path in checks} == {".csv", ".gz", ".xlsx"}
    heads = [path.read_bytes()[:3] for path in checks]
    assert b"\xef\xbb\xbf" in heads
    national = []
    for path in checks:
        if path.suffix == ".csv":
            try:
                path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                national.append(path)
    assert national
    assert "抽样编号" in national[0].read_text(encoding="gb18030").splitlines()[0]


def test_plain_files_are_all_utf8_csv(small, tmp_path):
    for path in small.write(tmp_path, formats="plain"):
        assert path.suffix == ".csv"
        path.read_text(encoding="utf-8")
    with pytest.raises(RiskwatchError, match=r"formats must be one of \('mixed', 'plain'\), got 'fancy'"):
        small.write(tmp_path, formats="fancy")


@pytest.mark.parametrize("stream", ["spot_check", "injury", "external_notice"])
def test_every_record_is_delivered_and_some_twice(small, written, stream):
    _, paths = written
    header = HEADERS[stream]["record_key"]
    frame = {"spot_check": small.spot_checks, "injury": small.injuries, "external_notice": small.notices}[stream]
    keys = pd.concat(
        [
            table[header[0] if header[0] in table else header[1]]
            for table in (read(path) for path in paths if path.parent.name == FOLDERS[stream])
        ]
    )
    assert set(frame["record_key"]) <= set(keys)
    if stream == "injury":
        wrong = small.malformed["stream"].eq("injury").sum()
        assert 0.004 * len(frame) < len(keys) - wrong - len(frame) < 0.02 * len(frame)


def test_the_sources_map_every_header_and_word(sources):
    for stream, source in sources.items():
        aliases = {
            header
            for given in (*source.columns.values(), *source.items.values())
            for header in ([given] if isinstance(given, str) else given)
        }
        written = {header for pair in HEADERS[stream].values() for header in pair}
        assert written == aliases | (written & set(source.ignore))
        for field, pair in HEADERS[stream].items():
            mapped = source.items.get(field[6:]) if field.startswith("items.") else source.columns.get(field)
            if mapped is None:
                assert set(pair) <= set(source.ignore), field
            else:
                assert set(pair) == set([mapped] if isinstance(mapped, str) else mapped), field
        fields = {field.name: field for field in STREAMS[stream].all_fields}
        for name, words in WORDS.items():
            if name in fields and name in HEADERS[stream]:
                assert {word: value for value, pair in words.items() for word in pair} == dict(source.values[name]), name
        assert source.profiles == ("demo",)
        assert source.licence == "simulated"


def test_one_county_goes_on_writing_its_old_code(written):
    _, paths = written
    old = [path for path in paths if path.name.startswith("gongzhuling")]
    assert old
    for path in old:
        assert set(read(path)["所在地代码"]) == {"220381"}
    for path in paths:
        if path.parent.name == "spot_checks" and path.name.startswith("2022Q"):
            table = read(path)
            # Malformed copies have numbers that end in E and a serial number, and stay in the quarter's file.
            assert "220184" not in set(table.loc[~table["抽样编号"].str.contains("E"), "所在地代码"])


def test_malformed_rows_are_where_the_truth_says(written):
    folder, _ = written
    truth = pd.read_csv(folder / "demo_truth" / "malformed.csv", dtype=str, keep_default_na=False)
    assert 150 < len(truth) <= 200
    for stream, faults in FAULTS.items():
        of_stream = truth[truth["stream"] == stream]
        assert set(of_stream["kind"]) >= {fault[0] for fault in faults if fault[0] != TRUNCATED}
    checked = 0
    for row in truth.itertuples():
        if row.kind == TRUNCATED:
            continue
        table = read(folder / "demo" / FOLDERS[row.stream] / row.file)
        header = next(name for name in HEADERS[row.stream][row.field] if name in table.columns)
        assert table.iloc[int(row.row_no) - 1][header] == row.value
        checked += 1
    assert checked > 150


def test_a_formula_is_text_in_the_spreadsheet(tmp_path):
    province = simulate_province(seed=1, start=dt.date(2021, 1, 1), end=dt.date(2022, 9, 30), scale=0.02, malformed=1_000)
    paths = [path for path in province.write(tmp_path) if path.suffix == ".xlsx"]
    cells = [cell for path in paths for row in openpyxl.load_workbook(path).active.iter_rows() for cell in row if cell.value == FORMULA]
    assert cells
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
