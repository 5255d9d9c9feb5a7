"""Integer hashes of (source, record_key): what the index of versions is built on."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["key_hashes"]

# Keys that differ only in their last characters share the upper bits, so that a run of consecutive numbers touches few
# pages of the index. With 20 + 44 bits, ten million keys in runs of 10,000 have a collision with a chance of about 0.3 %;
# a collision is not an error, see the tables.
_TAIL_CHARACTERS = 4
_TAIL_BITS = np.uint64(44)


def key_hashes(source: str, keys: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Hash record keys of one source; the numbers are stored, so they may never change.

    Parameters
    ----------
    source : str
        Name of the source; the same key of two sources has two hashes.
    keys : Arrow array of string, shape (row,)
        No nulls.

    Returns
    -------
    array of int64, shape (row,)
    """
    salt = hashlib.sha256(source.encode()).hexdigest()[:16]
    whole = _hash(keys.to_numpy(zero_copy_only=False) if isinstance(keys, pa.Array) else keys.to_numpy(), salt)
    heads = pc.utf8_slice_codeunits(keys, 0, -_TAIL_CHARACTERS)
    heads = heads.combine_chunks() if isinstance(heads, pa.ChunkedArray) else heads
    heads = heads.dictionary_encode()
    head = _hash(heads.dictionary.to_numpy(zero_copy_only=False), salt)[heads.indices.to_numpy(zero_copy_only=False)]
    mixed = (head >> _TAIL_BITS << _TAIL_BITS) | (whole >> (np.uint64(64) - _TAIL_BITS))
    return np.asarray(mixed.view(np.int64))


def _hash(values: Any, salt: str) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_array(np.asarray(values, dtype=object), hash_key=salt, categorize=False), dtype=np.uint64)
