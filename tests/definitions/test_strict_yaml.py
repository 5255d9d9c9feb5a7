"""The reader: what is accepted, and where each part stands."""

import io
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from riskwatch.definitions.scalars import read_scalar
from riskwatch.definitions.strict_yaml import MAX_BYTES, parse_yaml


def read(text):
    document, problems = parse_yaml(text.encode(), "x.yaml")
    assert problems == []
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("0.05", 0.05),
        ("1e-3", 0.001),
        ("2.5E+2", 250.0),
        ("true", True),
        ("", None),
        ("~", None),
        ("2025-12-31", "2025-12-31"),
        ("1.2.3", "1.2.3"),
        ("220000a", "220000a"),
        ("中文", "中文"),
        ("4-week", "4-week"),
        ("a:b", "a:b"),
    ],
)
def test_plain_values(text, value):
    read_value, complaint = read_scalar(text)
    assert (read_value, complaint) == (value, "")
    assert type(read_value) is type(value)


@pytest.mark.parametrize(
    "text", ["010000", "-007", "00.5", "12:30", "1:2:3", "yes", "Off", "True", "NULL", "0o17", "0b1", "1_0", ".nan", "+.5"]
)
def test_what_may_be_misread_is_kept_as_text_and_complained_about(text):
    value, complaint = read_scalar(text)
    assert value == text
    assert complaint.startswith(f"{text} ")
    assert f'"{text}" in quotes' in complaint


def test_positions_of_keys_and_values():
    document = read("a: 1\nb:\n  - c: [x, 'y']\n    d: |\n      text\n")
    assert document.data == {"a": 1, "b": [{"c": ["x", "y"], "d": "text\n"}]}
    assert document.position(("a",)) == (1, 4)
    assert document.position(("b", 0, "c", 1)) == (3, 12)
    assert document.position(("b", 0, "d"), of_key=True) == (4, 5)
    # What is not there stands where it could be added.
    assert document.position(("b", 0, "missing")) == (3, 5)
    assert document.position(("nothing", "at", "all")) == (1, 1)


def test_an_alias_repeats_data_and_points_to_the_anchor():
    document = read("one: &a {x: [1, 2]}\ntwo: *a\n")
    assert document.data["two"] == {"x": [1, 2]}
    assert document.position(("two",)) == (2, 6)
    assert document.position(("two", "x", 1)) == (1, 17)


def test_too_large_and_unreadable_files(tmp_path):
    from riskwatch.definitions.strict_yaml import read_yaml

    _, problems = parse_yaml(b"#" * (MAX_BYTES + 1), "x.yaml")
    assert [str(problem) for problem in problems] == [f"x.yaml:1:1: is larger than {MAX_BYTES} bytes"]
    _, problems = read_yaml(tmp_path, "config")
    assert [str(problem) for problem in problems] == ["config:1:1: cannot be read: Is a directory"]


def test_deep_nesting_is_refused_not_crashed_on():
    _, problems = parse_yaml(("[" * 5000 + "]" * 5000).encode(), "x.yaml")
    assert [problem.message for problem in problems] == ["nested deeper than 60 levels"]


plain = st.text(string.printable + "中：", max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(plain, values, min_size=1, max_size=4))
def test_what_a_careful_writer_writes_is_read_back(data):
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.default_style = '"'  # quotes every text; numbers then carry a tag, so they are written plain below
    buffer = io.StringIO()
    writer.representer.add_representer(int, lambda r, v: r.represent_scalar("tag:yaml.org,2002:int", str(v), style=""))
    writer.representer.add_representer(bool, lambda r, v: r.represent_scalar("tag:yaml.org,2002:bool", str(v).lower(), style=""))
    writer.representer.add_representer(type(None), lambda r, v: r.represent_scalar("tag:yaml.org,2002:null", "null", style=""))
    writer.dump(data, buffer)
    assert read(buffer.getvalue()).data == data


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_crash(content):
    document, problems = parse_yaml(content, "x.yaml")
    assert document is not None or problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@settings(deadline=None)
@given(st.text("ab01:-[]{}&*!?|>'\"\n #,%@`~<\t", max_size=60))
def test_no_yaml_like_text_makes_the_reader_crash(text):
    document, problems = parse_yaml(text.encode(), "x.yaml")
    assert document is not None or problems
