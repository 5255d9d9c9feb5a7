from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.dimensions import Crosswalk, Move, Tree, build_tree, is_pseudo_region, load_trees
from riskwatch.errors import DimensionError

REGIONS = """code,parent,level,name_zh,name_en,valid_from,valid_to,population
220000,,province,吉林省,Jilin,,,24000000
220100,220000,prefecture,长春市,Changchun,,,
220104,220100,county,朝阳区,Chaoyang,,,700000
220113,220100,county,九台区,Jiutai,2014-10-20,,
220184,220100,county,公主岭市,Gongzhuling,2020-06-19,,
220700,220000,prefecture,松原市,Songyuan,,,
220781,220700,county,扶余市,,2013-01-18,,
220900,220000,prefecture,旧市,Old,,2000-12-31,
"""
SECOND = "code,parent,level,name_zh,name_en\n110000,,province,北京市,Beijing\n110105,110000,county,朝阳区,Chaoyang\n"
MOVES = """from_code,to_code,effective_on,note
220381,220184,2020-06-19,moved from 四平
220319,220381,1988-01-01,county became city: a chain
220181,220113,2014-10-20,
220724,220781,2013-01-18,
"""


def entry(path, dimension="region", **more):
    return SimpleNamespace(**{"dimension": dimension, "path": path, "format": "tree", "options": {}, "crosswalk": None, **more})


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    folder = write(tmp_path_factory.mktemp("tree"), regions=REGIONS, second=SECOND, moves=MOVES)
    return load_trees([entry("regions.csv", crosswalk="moves.csv"), entry("second.csv")], folder, folder)["region"]


def test_levels_paths_and_names(tree):
    assert tree.levels == ("province", "prefecture", "county")
    assert tree.path("220184") == ["220000", "220100", "220184"]
    assert tree.children("220100") == ["220104", "220113", "220184"]
    assert tree.children() == ["220000", "110000"]
    assert tree.leaves("220700") == ["220781"]
    assert tree.leaves("220184") == ["220184"]
    assert len(tree.leaves()) == 6
    assert tree.parent_of("220184") == "220100"
    assert tree.parent_of("220000") == ""
    assert (tree.name("220184"), tree.name("220184", "en"), tree.name("220781", "en")) == ("公主岭市", "Gongzhuling", "扶余市")
    assert tree.level_of("220184") == "county"
    assert tree.attributes.loc["220000", "population"] == "24000000"


def test_questions_about_many_codes(tree):
    codes = ["220184", "220100", "110105", "", None, "999999"]
    assert tree.contains(codes).tolist() == [True, True, True, False, False, False]
    assert tree.ancestor_at(codes, "prefecture").tolist() == ["220100", "220100", "", "", "", ""]
    assert tree.ancestor_at(codes, "province").tolist() == ["220000", "220000", "110000", "", "", ""]
    assert tree.is_within(codes, "220100").tolist() == [True, True, False, False, False, False]
    assert tree.is_within(codes, "").tolist() == [True, True, True, False, False, False]
    assert tree.level_of(codes).tolist() == ["county", "prefecture", "county", "", "", ""]


def test_categoricals_stay_categoricals(tree):
    codes = pd.Categorical(["220184", None, "220104", "999999", "220184"])
    up = tree.ancestor_at(codes, "prefecture")
    assert isinstance(up, pd.Categorical)
    assert up.tolist() == ["220100", "", "220100", "", "220100"]
    assert isinstance(tree.ancestor_at(pd.Series(codes), "county"), pd.Categorical)
    assert tree.contains(pd.Series(codes)).tolist() == [True, False, True, False, True]


def test_common_ancestors(tree):
    assert tree.common_ancestor(["220184", "220104"]) == "220100"
    assert tree.common_ancestor(["220184", "220781", "nonsense"]) == "220000"
    assert tree.common_ancestor(["220184", "220100"]) == "220100"
    assert tree.common_ancestor(["220184"]) == "220184"
    assert tree.common_ancestor(["220184", "110105"]) == ""
    assert tree.common_ancestor([]) == ""


def test_names_that_belong_to_two_codes_find_neither(tree):
    assert tree.names()["公主岭市"] == "220184"
    assert tree.names()["Changchun"] == "220100"
    assert "朝阳区" not in tree.names()
    assert "长春市" not in tree.names("county")


def test_attributes_are_inherited(tree):
    assert tree.attribute(["220104", "220184", "110105", "x"], "population").tolist() == ["700000", "24000000", "", ""]
    assert tree.attribute(["220104", "220184"], "population", inherit=False).tolist() == ["700000", ""]
    assert tree.attribute(["220104"], "area").tolist() == [""]


def test_validity(tree):
    assert tree.valid_on(
        ["220184", "220184", "220900", "220104", "x"], ["2020-06-18", "2020-06-19", "2001-01-01", "1950-01-01", "2020-01-01"]
    ).tolist() == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_changes_are_dated_and_of_codes_in_the_tree(tree):
    found = tree.changes()
    assert found == sorted(found)
    assert (dt.date(2020, 6, 19), "220184") in found
    assert (dt.date(2013, 1, 18), "220781") in found  # took over from a code that is gone
    assert {code for _, code in found} <= set(tree.codes)


def test_unknown_codes_and_levels_are_named(tree):
    with pytest.raises(DimensionError, match=r"the region tree has no code '220185'\nHint: did you mean '220184' \(公主岭市\)\?"):
        tree.path("220185")
    with pytest.raises(DimensionError, match=r"no level 'country'; it has province, prefecture, county\nHint: did you mean 'county'"):
        tree.ancestor_at(["220184"], "country")
    with pytest.raises(DimensionError, match="language must be zh or en, got 'de'"):
        tree.name("220184", "de")


# --- moved codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "on", "today"),
    [
        ("220381", "2019-01-01", "220184"),
        ("220381", "2021-01-01", "220184"),  # out of date when written
        ("220181", None, "220113"),
        ("220724", "2012-05-05", "220781"),
        ("220319", "1985-01-01", "220184"),  # two moves
        ("220319", "2021-01-01", "220184"),
        ("220184", "2019-01-01", "220184"),
        ("999999", "2019-01-01", "999999"),
        ("", "2019-01-01", ""),
    ],
)
def test_moved_codes(tree, code, on, today):
    assert tree.resolve([code], on).tolist() == [today]


def test_many_moved_codes_each_on_its_day(tree):
    codes = ["220381", "220104", None, "220181"]
    days = np.array(["2019-01-01", "2019-01-01", "NaT", "NaT"], dtype="datetime64[D]")
    assert tree.resolve(codes, days).tolist() == ["220184", "220104", None, "220113"]
    result = tree.resolve(pd.Categorical(["220381", "220104", None]), dt.date(2019, 1, 1))
    assert isinstance(result, pd.Categorical)
    assert result.tolist()[:2] == ["220184", "220104"]


def test_a_code_given_to_another_unit_depends_on_the_day(tmp_path):
    folder = write(
        tmp_path,
        regions="code,parent,level,name_zh,valid_from\nA,,county,新甲,2010-01-01\nB,,county,旧甲,\n",
        moves="from_code,to_code,effective_on\nA,B,2005-01-01\n",
    )
    tree = load_trees([entry("regions.csv", crosswalk="moves.csv")], folder, folder)["region"]
    assert tree.resolve(["A"] * 4, ["2000-01-01", "2007-01-01", "2010-01-01", "2020-01-01"]).tolist() == ["B", "B", "A", "A"]


def test_crosswalks_that_contradict_themselves():
    day = np.datetime64("2020-01-01")
    with pytest.raises(DimensionError, match="A moves twice on 2020-01-01: to B and to C"):
        Crosswalk((Move("A", day, "B"), Move("A", day, "C")))
    with pytest.raises(DimensionError, match="A moves to itself"):
        Crosswalk((Move("A", day, "A"),))
    with pytest.raises(DimensionError, match=r"moves lead from A back to A|moves lead from B back to B"):
        Crosswalk((Move("A", day, "B"), Move("B", day, "A"))).follow("A", day, {})


def test_there_and_back_again_over_time():
    walk = Crosswalk((Move("A", np.datetime64("2000-01-01"), "B"), Move("B", np.datetime64("2010-01-01"), "A")))
    live = {"A": (np.datetime64("0001-01-01"), np.datetime64("9999-12-31"))}
    for day in ("1990-01-01", "2005-01-01", "2020-01-01"):
        assert walk.follow("A", np.datetime64(day), live) == "A"
        assert walk.follow("B", np.datetime64(day), live) == "A"


def test_pseudo_regions():
    assert is_pseudo_region(["220171", "220174", "220170", "220181", "22017", "x", ""]).tolist() == [
        True,
        True,
        False,
        False,
        False,
        False,
        False,
    ]


# --- broken files ----------------------------------------------------------------------------------------------------


def test_everything_wrong_is_listed_with_file_and_line(tmp_path):
    folder = write(
        tmp_path,
        one="code,parent,level,name_zh,valid_from\nA,,county,甲,\nB,A,Big Level,乙,2020-02-30\nC,X,county,丙,\nA,,county,甲,\n",
        two="code,parent,level,name_zh\nA,,county,甲\nD,E,county,丁\nE,D,county,戊\nF,,county,\n",
        moves="from_code,to_code,effective_on\nQ,ZZ,2020-01-01\nR,A,soon\n",
    )
    with pytest.raises(DimensionError) as caught:
        load_trees(
            [entry("one.csv", crosswalk="moves.csv"), entry("two.csv"), entry("three.csv"), entry("one.csv", format="yaml")], folder, folder
        )
    assert sorted(caught.value.message.splitlines()) == [
        "moves.csv:2: Q moves to ZZ, which is not in the region tree",
        "moves.csv:3: effective_on: 'soon' is not a date (write 2020-06-19)",
        "one.csv: format 'yaml' is unknown; known: tree, neiss-codebook, gb2260-divisions, gbt4754",
        "one.csv:3: code 'B': level 'Big Level' is unknown; a level is lower-case letters, digits, '-'",
        "one.csv:3: valid_from: '2020-02-30' is not a date (write 2020-06-19)",
        "one.csv:4: region code 'C': parent 'X' is in no file of this dimension",
        "one.csv:5: region code 'A' appears twice (first in one.csv:2)",
        "three.csv: no such file",
        "two.csv:2: region code 'A' appears twice (first in one.csv:2)",
        "two.csv:3: region code 'D' is its own ancestor (cycle through parent 'E')",
        "two.csv:4: region code 'E' is its own ancestor (cycle through parent 'D')",
        "two.csv:5: code 'F' has no name",
    ]


def test_a_tree_from_a_frame():
    frame = pd.DataFrame(
        {
            "code": ["A", "B"],
            "parent": ["", "A"],
            "level": ["up", "down"],
            "name_en": ["a", None],
            "name_zh": ["", "乙"],
            "industry": ["C1", None],
        }
    )
    tree = build_tree("product", frame, [Move("X", np.datetime64("2020-01-01"), "B")])
    assert tree.path("B") == ["A", "B"]
    assert tree.attribute(["B"], "industry").tolist() == ["C1"]
    assert tree.resolve(["X"]).tolist() == ["B"]
    with pytest.raises(DimensionError, match=r"product row 2: product code 'B': parent 'Z' is in no file"):
        build_tree("product", frame.assign(parent=["", "Z"]))
    with pytest.raises(DimensionError, match=r"product: column 'level' is missing; found: code, parent"):
        build_tree("product", frame[["code", "parent"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.csv:1: column 'code' is missing; found: an empty file"),
        ("code,level,name_zh\nA,county,甲\n", "bad.csv:1: column 'parent' is missing; found: code, level, name_zh"),
        ("code,parent,level,name_zh\nA,,county\n", "bad.csv:2: 3 cells, the header has 4"),
        (
            "code,parent,level,name_zh\nA,,county,甲\nB,A,county,乙\n",
            "bad.csv:3: region code 'B' has level 'county', which is not below its parent's level 'county'",
        ),
        (
            "code,parent,level,name_zh,valid_from,valid_to\nA,,county,甲,2020-01-01,2019-01-01\n",
            "bad.csv:2: code 'A': valid_to is before valid_from",
        ),
    ],
)
def test_broken_files(tmp_path, text, message):
    write(tmp_path, bad=text)
    with pytest.raises(DimensionError) as caught:
        load_trees([entry("bad.csv")], tmp_path, tmp_path)
    assert caught.value.message == message


def test_levels_may_be_declared_and_encoding_must_be_utf8(tmp_path):
    write(tmp_path, regions=SECOND)
    with pytest.raises(DimensionError, match="code '110105': level 'county' is unknown; levels of this file: province, city"):
        load_trees([entry("regions.csv", options={"levels": "province, city"})], tmp_path, tmp_path)
    (tmp_path / "gb.csv").write_bytes(SECOND.encode("gb18030"))
    with pytest.raises(DimensionError, match=r"gb.csv: not UTF-8 \(byte \d+\)"):
        load_trees([entry("gb.csv")], tmp_path, tmp_path)


# --- properties ------------------------------------------------------------------------------------------------------


@st.composite
def random_trees(draw):
    """Draw a forest: the parent of each code comes before it, levels by depth."""
    size = draw(st.integers(1, 30))
    parents = [draw(st.integers(-1, place - 1)) for place in range(size)]
    order = draw(st.permutations(range(size)))
    place = {old: new for new, old in enumerate(order)}
    depth = []
    for above in parents:
        depth.append(0 if above < 0 else depth[above] + 1)
    rows = sorted((place[old], -1 if parents[old] < 0 else place[parents[old]], f"l{depth[old]}") for old in range(size))
    return Tree(
        dimension="product",
        codes=pd.Index([f"c{at}" for at, _, _ in rows], dtype=object),
        parent=np.array([above for _, above, _ in rows], dtype=np.int64),
        level=np.array([level for _, _, level in rows], dtype=object),
        name_zh=np.full(size, "", dtype=object),
        name_en=np.full(size, "", dtype=object),
        valid_from=np.full(size, "NaT", dtype="datetime64[D]"),
        valid_to=np.full(size, "NaT", dtype="datetime64[D]"),
        attributes=pd.DataFrame(index=range(size)),
    )


@given(tree=random_trees())
@settings(max_examples=60, deadline=None)
def test_vector_answers_agree_with_walking_up(tree):
    for code in tree.codes:
        path = [code]
        while tree.parent_of(path[0]):
            path.insert(0, tree.parent_of(path[0]))
        assert tree.path(code) == path
        assert sorted(tree.codes[tree.is_within(tree.codes, code)]) == sorted(other for other in tree.codes if code in tree.path(other))
        for level in tree.levels:
            expected = [above for above in path if tree.level_of(above) == level]
            assert tree.ancestor_at([code], level).tolist() == (expected or [""])
    leaves = tree.leaves()
    assert set(leaves) == {code for code in tree.codes if not tree.children(code)}
    pair = [tree.codes[0], tree.codes[-1]]
    shared = [code for code in tree.path(pair[0]) if code in tree.path(pair[1])]
    assert tree.common_ancestor(pair) == (shared[-1] if shared else "")
