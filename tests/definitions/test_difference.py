"""What differs between two sets of definitions, in words; and what is no difference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from riskwatch.definitions import load_definitions
from riskwatch.definitions.difference import Change, differences
from riskwatch.project import init_project
from riskwatch.sources import ADAPTERS

ALPHA = "models.spot-check-failures.parameters.alpha"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., list[Change]]:
    """Return what compares the template with a copy in which texts of a file are replaced."""
    plain, other = tmp_path / "plain", tmp_path / "other"
    init_project(plain)
    shutil.copytree(plain, other)

    def compare(file: str = "", *pairs: tuple[str, str]) -> list[Change]:
        path = other / file
        for old, new in pairs:
            text = path.read_text(encoding="utf-8")
            assert old in text, old
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        one, two = (load_definitions(folder, adapters=ADAPTERS) for folder in (plain, other))
        there, back = differences(one, two), differences(two, one)
        assert [change.path for change in there] == [change.path for change in back]
        assert [(change.before, change.after) for change in there] == [(change.after, change.before) for change in back]
        return there

    return compare


def test_an_inherited_threshold_is_told_for_every_model_that_has_it(changed) -> None:
    found = changed("models/spot_check_failures.yaml", ("alpha: 0.005", "alpha: 0.0025"))
    assert [change.path for change in found] == [ALPHA, "models.spot-check-items.parameters.alpha"]
    assert found[0].words == "lowered from 0.005 to 0.0025 (0.5 times)"
    assert "parameter of binomial-baseline" in found[0].description
    assert found[0].where.startswith("models/spot_check_failures.yaml:")


def test_layout_comments_and_written_down_defaults_are_no_difference(changed) -> None:
    text = ("ripe_after_days: 0\n", "ripe_after_days:    0   # none\n  product_fields: [product]\n")
    assert changed("models/spot_check_failures.yaml", text) == []


def test_a_default_that_is_overridden_and_lists_switches_and_texts_are_told_in_words(changed) -> None:
    found = changed(
        "models/spot_check_failures.yaml",
        ("mid_p: true", "mid_p: false"),
        ("ripe_after_days: 0\n", "ripe_after_days: 0\n  min_relative_risk: 1.5\n"),
        ("roll_up: [region, product]", "roll_up: [product]"),
        ("profiles: [demo]\n    by_item: true", "profiles: [demo, real]\n    by_item: true"),
    )
    words = {change.path.removeprefix("models.spot-check-"): change.words for change in found}
    assert words["failures.parameters.mid_p"] == "switched off"
    assert words["failures.min_relative_risk"] == "raised from 1.2 to 1.5 (1.25 times)"
    assert words["failures.sparse.roll_up"] == "without region"
    assert words["items.profiles"] == "with real"
    assert "failures.profiles" not in words


def test_entries_with_a_name_are_held_against_their_namesake_whatever_the_order(changed) -> None:
    found = changed(
        "config/delivery.yaml",
        ("mention_days: 7", "mention_days: 14"),
        ("channels:\n", 'channels:\n  - {name: second, kind: file, folder: "{var}/second"}\n'),
    )
    assert [(change.path, change.kind) for change in found] == [("delivery.channels.second", "added"), ("delivery.mention_days", "changed")]


def test_a_definition_on_one_side_only_is_one_change(changed) -> None:
    found = changed(
        "models/spot_check_failures.yaml",
        ("name: spot-check-items", "name: by-test-item"),
        *[("model: spot-check-items", "model: by-test-item")] * 3,  # its tests
    )
    assert [(change.path, change.kind) for change in found] == [("models.by-test-item", "added"), ("models.spot-check-items", "removed")]
    assert str(found[0]).startswith("models.by-test-item: added\n    model")
