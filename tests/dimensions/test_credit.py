"""Real registered codes hold both check characters, which chance would grant one in 341 of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.dimensions import credit_code_check_character, credit_code_problem, credit_codes_valid, looks_like_credit_code
from riskwatch.errors import DimensionError

# Codes of four large public companies.
PUBLIC = ["91110000802100433B", "914403001922038216", "9144030071526726XG", "91330100799655058B"]
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", PUBLIC)
def test_public_codes_are_right(code):
    assert credit_code_problem(code) is None
    assert credit_code_check_character(code[:17]) == code[17]


def test_many_at_once_agrees():
    codes = [*PUBLIC, PUBLIC[0][:-1] + "C", "", "short", "9111000080210O433B", "汉" * 18, "E1a5478982987", PUBLIC[0] + "1"]
    assert credit_codes_valid(codes).tolist() == [True] * 4 + [False] * 7
    assert credit_codes_valid([]).tolist() == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("9111", "has 18 characters (GB 32100-2015), got 4"),
        ("9111000080210O433B", "character 14 is 'O': only digits and capitals without I, O, S, V, Z"),
        ("91110000802100433b", "character 18 is 'b'"),
        ("91A10000802100433B", "characters 3 to 8 must be the region digits"),
        ("91110000802100433C", "check character is 'C', the other 17 ask for 'B'"),
    ],
)
def test_problems_are_said_without_the_code(code, problem):
    found = credit_code_problem(code)
    assert found is not None
    assert problem in found
    assert code not in found


def test_the_organisation_code_inside_is_checked_too():
    first17 = "91110000802100434"
    code = first17 + credit_code_check_character(first17)
    assert credit_code_problem(code) == "check character of the organisation code (position 17) is '4', the other 8 ask for '3' (GB 11714)"
    assert not credit_codes_valid([code])[0]


@given(first17=st.text(ALPHABET, min_size=17, max_size=17))
def test_the_weighted_sum_is_divisible_by_31(first17):
    code = first17 + credit_code_check_character(first17)
    # Independently: weights 1, 3, 9, ... of GB 32100-2015, table 4, counted from the left.
    assert sum(ALPHABET.index(character) * 3**place for place, character in enumerate(code[:17])) % 31 == -ALPHABET.index(code[17]) % 31
    assert credit_codes_valid([code])[0] == (credit_code_problem(code) is None)


@given(code=st.sampled_from(PUBLIC), place=st.integers(0, 17), letter=st.sampled_from(ALPHABET))
def test_any_single_wrong_character_is_found(code, place, letter):
    changed = code[:place] + letter + code[place + 1 :]
    assert (credit_code_problem(changed) is None) == (changed == code)
    assert credit_codes_valid(np.array([changed], dtype=object))[0] == (changed == code)


def test_shape():
    assert looks_like_credit_code(
        [*PUBLIC, "91110000802100433C", "9111O000802100433B", "E1a5478982987", "abcdefabcdefabcdef", ""]
    ).tolist() == [
        True,
        True,
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_seventeen_characters_are_needed():
    with pytest.raises(DimensionError, match="need 17 digits or capitals without I, O, S, V, Z; got 3 characters '91I'"):
        credit_code_check_character("91I")
