"""Thresholds by product and region as definitions: what is refused and where, what a series' value is and why, and what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riskwatch.definitions import Definitions, check, explain, load_definitions
from riskwatch.definitions.difference import Change, differences
from riskwatch.definitions.rooms import built_trees
from riskwatch.errors import DefinitionError, ProjectError

FILE = "models/injury_counts.yaml"
ALPHA = "models.injury-counts.parameters.alpha"
FIRST = 14  # line of the first entry
SOUND = """
      - where: {product: P01}
        parameters: {alpha: 0.0005}
        because: {zh: 一家医院报两次, en: one hospital reports twice}
        dated: 2026-11-26
      - where: {product: P0101, region: "010100"}
        parameters: {alpha: 0.002}
        min_observed: 5
        because: a plain text"""


@pytest.fixture
def written(project: Path) -> Callable[[str], Path]:
    """Return what writes overrides into the small project's one model."""
    file = project / FILE
    plain = file.read_text(encoding="utf-8")
    assert plain.count("\n") == FIRST - 2

    def write(entries: str) -> Path:
        file.write_text(f"{plain}    overrides:{entries}\n", encoding="utf-8")
        return project

    return write


def loaded(folder: Path) -> Definitions:
    return load_definitions(folder, environ={})


def told(definitions: Definitions, path: str = ALPHA, **series: str) -> Any:
    trees, complaints = built_trees(definitions.dimensions, {"root": definitions.root, "data": definitions.data})
    assert complaints == []
    return explain(definitions, path, series=series, trees=trees)


# --- check -----------------------------------------------------------------------------------------------------------

WRONG = [
    (
        ["where: {product: P0102}", "  parameters: {alpha: 0.01}"],
        '0:26: overrides[0].where.product: unknown code "P0102"; did you mean "P0101"?',
    ),
    (["where: {region: 010100}", "  min_observed: 5"], "0:25: 010100 would lose its leading zeros"),
    (["where: {product: P01}", "  parameters: {alhpa: 0.01}"], "1:22: unknown parameter 'alhpa'"),
    (["where: {product: P01}", "  parameters: {alpha: 2}"], "1:29: alpha must be <= 1, got 2"),
    (["min_observed: 5"], "0:9: overrides[0].where is required"),
    (["where: {}", "  min_observed: 5"], "0:16: overrides[0].where names no series: give product, industry, region or stratum"),
    (["where: {product: P01}", "  frequency: day"], '1:9: overrides[0]: unknown key "frequency"'),
    (["where: {product: P01}"], "0:9: overrides[0] changes nothing: give parameters, min_observed or min_relative_risk"),
    (
        ["where: {product: P01}", "  parameters: {alpha: 0.001, baseline_years: 5}", "  min_observed: 3"],
        "0:9: overrides[0] changes nothing: for product P01 all of it is so without this entry",
    ),
    (
        ["where: {industry: C24}", "  min_observed: 5"],
        "0:27: overrides[0].where.industry: there is no industry tree in profile demo",
    ),
    (
        ["where: {stratum: cause=burn}", "  min_observed: 5"],
        '0:26: overrides[0].where.stratum: "cause=burn" is no stratum of the model; it has none, it does not stratify',
    ),
    (
        ["where: {product: P01}", "  parameters: {baseline_years: 30}"],
        "1:9: overrides[0].parameters: counting then needs 304 periods, and history_periods is 100",
    ),
    (
        [
            "where: {product: P01}",
            "  min_observed: 5",
            "where: {product: P0101}",
            "  min_observed: 6",
            "where: {product: P01}",
            "  min_observed: 7",
        ],
        "0:9: overrides[0] is wholly overridden by overrides[2], which is for product P01 as well",
    ),
]


@pytest.mark.parametrize(("lines", "expected"), WRONG, ids=[expected.split(": ", 1)[1][:40] for _, expected in WRONG])
def test_what_is_wrong_is_said_with_its_place(written: Callable[[str], Path], lines: list[str], expected: str) -> None:
    entries = "".join(f"\n      {line}" if line.startswith("  ") else f"\n      - {line}" for line in lines)
    folder = written(entries)
    if "history_periods" in expected:
        file = folder / FILE
        file.write_text(
            file.read_text(encoding="utf-8").replace("    levels:", "    history_periods: 100\n    levels:").rstrip("\n") + "\n",
            encoding="utf-8",
        )
        expected = expected.replace("1:9", "2:9", 1)
    line, rest = expected.split(":", 1)
    place, message = rest.split(": ", 1)
    found = [str(problem).replace('model "injury-counts": ', "") for problem in check(folder, environ={})]
    assert [one for one in found if one.startswith(f"{FILE}:{FIRST + int(line)}:{place}: {message}")], found
    assert len(found) == 1


def test_a_series_that_the_model_does_not_judge_is_refused(written: Callable[[str], Path]) -> None:
    folder = written("\n      - where: {product: P0101}\n        min_observed: 5")
    assert check(folder, environ={}) == []
    products = folder / "config" / "dimensions" / "products.csv"
    products.write_text(products.read_text(encoding="utf-8") + "P010101,P0101,part,块,brick,,\n", encoding="utf-8")
    file = folder / FILE
    file.write_text(file.read_text(encoding="utf-8").replace("where: {product: P0101}", "where: {product: P010101}"), encoding="utf-8")
    (found,) = check(folder, environ={})
    assert (
        "overrides[0].where: the model judges no series of product P010101, nor below; it judges: product product, region prefecture"
        in str(found)
    )
    assert f"{FILE}:{FIRST}:9: " in str(found)


def test_going_back_to_the_models_value_changes_something_below_a_wider_entry(written: Callable[[str], Path]) -> None:
    wider = "\n      - where: {product: P01}\n        parameters: {alpha: 0.0005}"
    back = "\n      - where: {product: P0101}\n        parameters: {alpha: 0.001}"
    assert check(written(wider + back), environ={}) == []
    (found,) = check(written(back + wider), environ={})
    assert f"{FILE}:{FIRST}:9" in str(found)
    assert "changes nothing" in str(found)


def test_the_defaults_of_a_file_may_hold_overrides_and_a_models_list_replaces_them(project: Path) -> None:
    file = project / FILE
    text = file.read_text(encoding="utf-8").replace("models:\n", "  overrides:\n  - where: {product: P01}\n    min_observed: 4\nmodels:\n")
    file.write_text(text, encoding="utf-8")
    assert [entry.min_observed for entry in loaded(project).models["injury-counts"].overrides] == [4]
    file.write_text(text + "    overrides: []\n", encoding="utf-8")
    assert loaded(project).models["injury-counts"].overrides == ()
    file.write_text(text.replace("min_observed: 4", "min_observed: -1"), encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"overrides\[0\].min_observed must be >= 0, got -1"):
        loaded(project)


def test_a_model_keeps_its_hash_until_it_has_overrides(written: Callable[[str], Path], project: Path) -> None:
    before = loaded(project).hashes["models.injury-counts"]
    assert loaded(written(" []")).hashes["models.injury-counts"] == before
    assert loaded(written(SOUND)).hashes["models.injury-counts"] != before


# --- explain ---------------------------------------------------------------------------------------------------------


def test_the_value_of_a_series_is_told_with_its_entry_and_what_it_overrides(written: Callable[[str], Path]) -> None:
    definitions = loaded(written(SOUND))
    assert check(definitions.root, environ={}) == []
    found = told(definitions, product="P0101", region="010100")
    assert found.value == 0.002
    assert [value for value, _ in found.chain] == [0.05, 0.01, 0.001, 0.0005, 0.002]
    text = str(found).splitlines()
    assert text[:2] == [f"{ALPHA} for product P0101, region 010100 = 0.002", f"  from {FILE}:{FIRST + 5}:29"]
    assert f"  overrides 0.0005 from {FILE}:{FIRST + 1}:29" in text
    assert text[-1] == "  because a plain text"
    wide = told(definitions, product="P0101")
    assert wide.value == 0.0005
    assert wide.notes[0] == "because one hospital reports twice (decided on 2026-11-26)"
    assert wide.notes[1].startswith(f"otherwise: 0.002 for product P0101, region 010100 ({FILE}:{FIRST + 5}:29)")
    assert told(definitions, region="010100").value == 0.001
    assert told(definitions, "models.injury-counts.min_observed", product="P0101", region="010100").value == 5
    assert told(definitions, "models.injury-counts.parameters", product="P01").value == {"baseline_years": 5, "alpha": 0.0005}


def test_without_a_series_the_models_value_stands_and_the_others_are_named(written: Callable[[str], Path], project: Path) -> None:
    bare = str(explain(loaded(project), ALPHA))
    found = explain(loaded(written(SOUND)), ALPHA)
    assert found.value == 0.001
    lines = str(found).splitlines()
    assert "\n".join(lines[:-2]) == bare
    assert (
        lines[-2]
        == f"  otherwise: 0.0005 for product P01 ({FILE}:{FIRST + 1}:29); because one hospital reports twice (decided on 2026-11-26)"
    )
    assert "0.002 for product P0101, region 010100" in lines[-1]


@pytest.mark.parametrize(
    ("path", "series", "message"),
    [
        (ALPHA, {"product": "P77"}, 'product: no code "P77" in the product tree'),
        (ALPHA, {"industry": "C24"}, 'industry: no code "C24" in the industry tree'),
        ("settings.name", {"product": "P01"}, "only values of models differ by product"),
        (ALPHA, {"prodcut": "P01"}, 'unknown dimension "prodcut"; did you mean "product"?'),
    ],
)
def test_a_series_that_cannot_be_is_refused(project: Path, path: str, series: dict[str, str], message: str) -> None:
    with pytest.raises(ProjectError, match=message.replace("?", r"\?")):
        told(loaded(project), path, **series)


# --- diff ------------------------------------------------------------------------------------------------------------


def test_overrides_are_told_threshold_by_threshold(written: Callable[[str], Path], project: Path) -> None:
    def compared(one: Definitions, other: Definitions) -> list[Change]:
        there, back = differences(one, other), differences(other, one)
        assert [change.path for change in there] == [change.path for change in back]
        return there

    bare = loaded(project)
    sound = loaded(written(SOUND))
    found = {change.path: change for change in compared(bare, sound)}
    one = found["models.injury-counts.overrides[product P01].parameters.alpha"]
    assert one.words == "added: 0.0005"
    assert one.description.startswith("for product P01; the model's other series: 0.001; parameter of counting")
    assert one.where == f"{FILE}:{FIRST + 1}:29"
    assert found["models.injury-counts.overrides[product P0101, region 010100].min_observed"].words == "added: 5"
    changed = compared(sound, loaded(written(SOUND.replace("0.0005", "0.00025"))))
    assert [change.words for change in changed] == ["lowered from 0.0005 to 0.00025 (0.5 times)"]
    head, *entries = SOUND.split("\n      - ")
    (turned,) = compared(sound, loaded(written("\n      - ".join([head, *reversed(entries)]))))
    assert (turned.path, turned.words) == ("models.injury-counts.overrides", "in another order")
