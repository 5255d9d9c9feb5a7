"""Unified social credit codes (统一社会信用代码) of enterprises.

GB 32100-2015: 18 characters of an alphabet of 31 (digits and capitals without I, O, S, V, Z): registering authority (1), kind of
body (1), region (6), organisation code (9), check character (1). The check character makes the weighted sum divisible by 31,
with weights 3^(i-1) mod 31. GB 11714: the organisation code inside has 8 characters and its own check character, mod 11.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from riskwatch.errors import DimensionError

__all__ = ["credit_code_check_character", "credit_code_problem", "credit_codes_valid", "looks_like_credit_code"]

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ALPHABET_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)], dtype=np.int64)
_ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
_LENGTH = 18


def _table(alphabet: str) -> npt.NDArray[np.int64]:
    table = np.full(128, -1, dtype=np.int64)
    table[[ord(character) for character in alphabet]] = np.arange(len(alphabet))
    return table


_VALUES, _VALUES_36 = _table(_ALPHABET), _table(_ALPHABET_36)


def _matrix(codes: object) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which codes have 18 ASCII characters, and the character numbers of those, shape (those, 18)."""
    values = np.asarray(cast("Any", codes), dtype=np.str_)
    lengths = np.strings.str_len(values)
    long_enough = np.asarray(lengths == _LENGTH)
    points = values[long_enough].astype(f"U{_LENGTH}").view(np.uint32).reshape(-1, _LENGTH).astype(np.int64)
    ascii_only = (points < 128).all(axis=1)
    long_enough[np.flatnonzero(long_enough)[~ascii_only]] = False
    return long_enough, points[ascii_only]


def credit_code_check_character(first17: str) -> str:
    """Return the 18th character that GB 32100-2015 asks for after the first 17.

    Raises
    ------
    DimensionError
        If the text does not have 17 characters of the standard's alphabet.
    """
    values = [_ALPHABET.find(character) for character in first17]
    if len(values) != _LENGTH - 1 or min(values) < 0:
        raise DimensionError(f"credit code: need 17 digits or capitals without I, O, S, V, Z; got {len(first17)} characters {first17!r}")
    return _ALPHABET[-int(np.dot(values, _WEIGHTS)) % 31]


def _organisation_check_character(first8: str) -> str:
    rest = -int(np.dot([_ALPHABET_36.index(character) for character in first8], _ORGANISATION_WEIGHTS)) % 11
    return "X" if rest == 10 else str(rest)


def credit_code_problem(code: str) -> str | None:
    """Say what is wrong with a unified social credit code, or None if it is right. The code itself is not repeated."""
    if len(code) != _LENGTH:
        return f"a unified social credit code has 18 characters (GB 32100-2015), got {len(code)}"
    for position, character in enumerate(code, start=1):
        if character not in _ALPHABET:
            return f"character {position} is {character!r}: only digits and capitals without I, O, S, V, Z (GB 32100-2015)"
    if not code[2:8].isdigit():
        return "characters 3 to 8 must be the region digits of the registering office (GB 32100-2015)"
    expected = credit_code_check_character(code[:17])
    if code[17] != expected:
        return f"check character is {code[17]!r}, the other 17 ask for {expected!r} (GB 32100-2015)"
    expected = _organisation_check_character(code[8:16])
    if code[16] != expected:
        return f"check character of the organisation code (position 17) is {code[16]!r}, the other 8 ask for {expected!r} (GB 11714)"
    return None


def looks_like_credit_code(codes: object) -> npt.NDArray[np.bool_]:
    """Tell which texts have the shape of a credit code: 18 digits or capitals, digits in places 3 to 8.

    Anonymised keys and keys of other systems do not, and are left alone.
    """
    candidate, points = _matrix(codes)
    digits = (points >= ord("0")) & (points <= ord("9"))
    capitals = (points >= ord("A")) & (points <= ord("Z"))
    candidate[np.flatnonzero(candidate)] = (digits | capitals).all(axis=1) & digits[:, 2:8].all(axis=1)
    return candidate


def credit_codes_valid(codes: object) -> npt.NDArray[np.bool_]:
    """Check many credit codes at once.

    Parameters
    ----------
    codes : array-like of str, shape (n,)
        Codes as written.

    Returns
    -------
    array of bool, shape (n,)
        True where :func:`credit_code_problem` finds nothing.
    """
    valid, points = _matrix(codes)
    values = _VALUES[points]
    ok = (values >= 0).all(axis=1) & (points[:, 2:8] <= ord("9")).all(axis=1)
    ok &= (values[:, :17] @ _WEIGHTS + values[:, 17]) % 31 == 0
    organisation = _VALUES_36[points[:, 8:16]]
    # GB 11714 writes the check value 10 as X; the weighted sum plus the check value is divisible by 11.
    check = np.where(points[:, 16] == ord("X"), 10, points[:, 16] - ord("0"))
    ok &= (check >= 0) & (check <= 10) & ((organisation @ _ORGANISATION_WEIGHTS + check) % 11 == 0)
    valid[np.flatnonzero(valid)] = ok
    return valid
