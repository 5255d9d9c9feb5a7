"""Identifiers are planted in every text field of every stream; what a centre reads, and what may be passed on, holds none of them."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.definitions.types import FolderReader
from riskwatch.project import init_project
from riskwatch.records.streams import STREAMS
from tests.cli.conftest import Cli

# Characters that stand nowhere else, so that a name found is a name that was planted.
FIRST, SECOND = "鑫淼焱垚骉羴犇猋龘靐", "槑囧玊囍嘦嫑烎巭勥氼"
# Codes that must stay what they are, or the row is no row.
LEFT_ALONE = {"indicator", "enterprise", "member", "hs_code", "origin", "destination", "first_report"}
LONG = 100  # fields that take so many characters hold every kind of identifier


@dataclass
class Planted:
    """What was put into the files, and the values that were personal from the start."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    times: set[str] = field(default_factory=set)

    def found_in(self, text: str) -> list[str]:
        told = [f"{where}: {value}" for where, values in self.texts.items() for value in values if value in text]
        told += sorted(set(re.findall(r"[A-Za-z0-9]{8,}", text)) & self.codes)[:5]
        return told + sorted(set(re.findall(r"(?<![\d:])\d\d:\d\d(?![\d:])", text)) & self.times)[:5]


def identifiers(number: int) -> dict[str, str]:
    """Return one of each kind, and the words that they stand in; none could be part of a hexadecimal number in a document."""
    name = f"张{FIRST[number // 10 % 10]}{SECOND[number % 10]}"
    tail = f"{number:04d}"
    return {
        f"患者{name}": name,
        f"联系人：李{name[1:]}": f"李{name[1:]}",
        f"王{name[1]}{name[2]}女士": f"王{name[1]}{name[2]}",
        f"电话1390431{tail}": f"1390431{tail}",
        f"手机 138-0431-{tail}": f"138-0431-{tail}",
        f"座机0431-8892{tail}": f"8892{tail}",
        f"身份证22010219780312{tail}": f"22010219780312{tail}",
        f"信用代码91220101MA0Y3{tail}X": f"91220101MA0Y3{tail}X",
        f"车牌吉A·K{tail}": f"K{tail}",
        f"邮箱zhang{tail}@example.com": f"zhang{tail}",
        f"微信wx_{tail}77": f"wx_{tail}77",
        f"银行卡622202123456789{tail}": f"622202123456789{tail}",
        f"住{name[1:]}路{tail}号3栋": f"{name[1:]}路{tail}号",
        f"生日1987年3月{number % 28 + 1}日": f"1987年3月{number % 28 + 1}日",
        f"病案号：N{tail}": f"N{tail}",
        f"在{name[1:]}实验小学": f"{name[1:]}实验",
        f"送{name[1:]}骨科医院": f"{name[1:]}骨科医院",
        f"购自{name[1:]}电器有限公司": f"{name[1:]}电器",
    }


def plant(project: Path) -> Planted:
    """Add identifiers to every text of every file of the project's sources."""
    planted = Planted()
    numbers = itertools.count(1)
    sources = Project(project).definitions.sources
    for source in sources.values():
        stream = STREAMS[source.stream]
        known = {entry.name: entry for entry in (*stream.all_fields, *stream.items)}
        assert isinstance(source.reader, FolderReader)
        folder = Path(source.reader.path.replace("{data}", str(project / "data")))
        frames = {path: pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(folder.glob("*.csv"))}
        for name, given in {**source.columns, **source.items}.items():
            entry = known[name]
            headers = {given} if isinstance(given, str) else set(given)
            columns = [(frame, header) for frame in frames.values() for header in headers & set(frame.columns)]
            if entry.kind == "moment":
                planted.times |= {value for frame, header in columns for value in frame[header].str.extract(r"(\d\d:\d\d)$")[0].dropna()}
            if entry.personal and entry.kind == "code":
                planted.codes |= {value for frame, header in columns for value in frame[header] if re.fullmatch(r"[A-Za-z0-9]{8,}", value)}
            if entry.choices or entry.tree or entry.kind not in {"text", "code"} or name in LEFT_ALONE:
                continue
            kinds = identifiers(next(numbers))
            short = " " + next(iter(kinds)) + "电话" + list(kinds.values())[3]
            many = [" ".join(itertools.islice(itertools.cycle(kinds), start, start + 4)) for start in range(0, len(kinds), 4)]
            if name == "narrative" or (entry.max_length or 0) >= LONG:
                planted.texts[f"{stream.name}.{name}"] = list(kinds.values())
            else:
                planted.texts[f"{stream.name}.{name}"] = [value for place, value in enumerate(kinds.values()) if place in {0, 3}]
            for frame, header in columns:
                added = pd.Series([short], index=[0]).reindex(range(len(frame)), fill_value=short)
                if len(planted.texts[f"{stream.name}.{name}"]) > 2:
                    # All of a value's rows get the same addition, so that values go on being counted together.
                    added = frame[header].map({value: many[place % len(many)] for place, value in enumerate(frame[header].unique())})
                if name == "record_key":
                    added = pd.Series(f"-{list(kinds.values())[3]}", index=frame.index)
                frame[header] = frame[header].where(frame[header] == "", frame[header] + " " + added.to_numpy())
        for path, frame in frames.items():
            frame.to_csv(path, index=False)
    return planted


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    folder = tmp_path_factory.mktemp("planted") / "demo"
    init_project(folder)
    province = datasets.simulate_province(seed=1, start=dt.date(2024, 1, 1), scale=0.1)
    province.write(folder / "data", formats="plain")
    planted = plant(folder)
    report = Project(folder).run("daily")
    assert report.faults == []
    assert sum(report.warnings.values()) >= 3
    assert min(report.records.values()) > 0
    return folder, planted


def readable(path: Path) -> str:
    if path.suffix in {".docx", ".xlsx"}:
        with zipfile.ZipFile(path) as archive:
            return " ".join(
                archive.read(name).decode("utf-8", "replace") for name in archive.namelist() if name.endswith((".xml", ".rels"))
            )
    return path.read_text(encoding="utf-8", errors="replace")


def outputs(folder: Path, cli: Cli) -> Iterator[tuple[str, str]]:
    """Yield every document and answer that may be passed on."""
    for path in sorted((folder / "var").rglob("*")):
        if path.suffix in {".html", ".md", ".json", ".txt", ".csv"}:
            yield path.name, readable(path)
    for path in map(Path, cli("report", "--period", "2025-11", "--out", folder / "var" / "out", project=folder).out.split()):
        yield path.name, readable(path)
    known = [entry["warning_id"] for entry in cli("warnings", "list", "--json", project=folder).json]
    assert known
    commands = [("warnings", "show", known[0]), ("actions", "explain", known[0])]
    commands += [(*command, one, "--json") for one in known[:3] for command in (("warnings", "show"), ("actions", "explain"))]
    commands += [("actions", "cases", "--json"), ("pairs",), ("pairs", "--json"), ("words", "--json"), ("items", "--by", "product")]
    commands += [("items", "--json"), ("trends", "--all", "--json"), ("indicators", "--json")]
    for command in commands:
        answer = cli(*command, project=folder)
        assert answer.code == 0, (command, answer.err)
        yield " ".join(command), answer.out + answer.err


@pytest.mark.slow
def test_no_identifier_leaves_the_house(world: tuple[Path, Planted], cli: Cli) -> None:
    folder, planted = world
    assert len(planted.texts) > 50
    assert len(planted.codes) > 100
    assert len(planted.times) >= 3
    leaks = {where: found for where, text in outputs(folder, cli) if (found := planted.found_in(text))}
    assert leaks == {}


@pytest.mark.slow
def test_what_is_internal_shows_what_it_is_for(world: tuple[Path, Planted], cli: Cli) -> None:
    """The test above would pass if nothing were stored: the commands for those who work on the rows still show them."""
    folder, planted = world
    assert planted.found_in(cli("quarantine", "list", "--json", project=folder).out)
    assert set(re.findall(r"[A-Za-z0-9]{8,}", cli("enterprises", "list", project=folder).out)) & planted.codes
    records = Project(folder).records("injury")
    assert any(planted.found_in(text) for text in records["narrative"].head(50))
