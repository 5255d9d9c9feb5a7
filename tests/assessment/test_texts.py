"""Columns of texts as strings and as numbers, whatever they are held in."""

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment.texts import coded, joined, texts_of

VALUES = ["b", None, "a", "", "b"]
WANTED = ["b", "", "a", "", "b"]


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_texts_are_the_same_in_every_kind_of_column(kind: str) -> None:
    column = pd.Series(VALUES, dtype="object").astype(kind)
    assert texts_of(column).tolist() == WANTED
    found = coded(column)
    assert found.texts.tolist() == WANTED
    assert found.ids[1] == found.ids[3], "missing and empty are the same text"
    assert len(set(found.ids.tolist())) == 3


def test_numbers_are_read_as_texts() -> None:
    assert texts_of(pd.Series([220100, "220100", np.nan], dtype="object")).tolist() == ["220100", "220100", ""]
    assert len(set(coded(pd.Series([220100, "220100"], dtype="object")).ids.tolist())) == 1


def test_an_empty_column_has_no_texts() -> None:
    empty = pd.Series([], dtype="object")
    assert texts_of(empty).tolist() == coded(empty).texts.tolist() == []
    assert joined(coded(empty).ids).tolist() == []


def test_combinations_are_numbered_as_they_come() -> None:
    one, other = np.array([2, 0, 2, 2]), np.array([1, 1, 0, 1])
    assert joined(one, other).tolist() == [0, 1, 2, 0]
    rng = np.random.default_rng(5)
    columns = rng.integers(0, 40, (3, 500))
    assert joined(*columns).tolist() == pd.factorize(pd.MultiIndex.from_arrays(list(columns)))[0].tolist()
