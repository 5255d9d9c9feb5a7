"""Thresholds by product, region and stratum: which series an entry of ``overrides:`` means, and what a model is with some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from riskwatch.definitions.layers import merge
from riskwatch.definitions.types import ModelDefinition, Override, SeriesChoice
from riskwatch.dimensions import Tree

__all__ = ["FLOORS", "PARTS", "TREES", "meant", "named", "overridden", "values_of", "words_of"]

TREES = ("product", "industry", "region")
PARTS = (*TREES, "stratum")
FLOORS = ("min_observed", "min_relative_risk")


def named(where: SeriesChoice) -> dict[str, str]:
    """Return what a choice of series names, by dimension, in the order of :data:`PARTS`."""
    return {part: code for part in PARTS if (code := str(getattr(where, part)))}


def words_of(where: SeriesChoice | Mapping[str, Any]) -> str:
    """Say which series are meant: ``product P03, region 220100``."""
    given = named(where) if isinstance(where, SeriesChoice) else {part: where[part] for part in PARTS if where.get(part)}
    return ", ".join(f"{part} {code}" for part, code in given.items())


def meant(where: SeriesChoice, keys: Mapping[str, Sequence[str] | npt.NDArray[Any]], trees: Mapping[str, Tree]) -> npt.NDArray[np.bool_]:
    """Tell which series an entry means: in every dimension named, those of its code or of one below it.

    Parameters
    ----------
    where : SeriesChoice
    keys : mapping of str to sequence of str, all of shape (series,)
        Code in each of :data:`PARTS`, "" where a series is summed over it.
    trees : mapping of str to Tree

    Returns
    -------
    array of bool, shape (series,)

    Raises
    ------
    DimensionError
        If a code is not in its tree.
    """
    found = np.ones(len(keys["stratum"]), np.bool_)
    for part, code in named(where).items():
        if part == "stratum":
            # Text by text: a model has few strata, and thousands of series.
            texts, inverse = np.unique(np.asarray(keys[part], dtype=np.str_), return_inverse=True)
            wanted = set(code.split(", "))
            found &= np.array([wanted <= set(text.split(", ")) for text in texts.tolist()], np.bool_)[inverse]
        elif part not in trees:
            found[:] = False
        else:
            found &= trees[part].is_within(np.asarray(keys[part], dtype=object), code)
    return found


def overridden(model: ModelDefinition, entries: Iterable[int]) -> ModelDefinition:
    """Return the model as it is for series that the entries with these numbers mean: thresholds put in, no overrides left.

    A later entry wins over an earlier one, key by key.
    """
    chosen = [model.overrides[number] for number in sorted(entries)]
    changes: dict[str, Any] = {"overrides": (), "parameters": merge([model.parameters, *(entry.parameters for entry in chosen)])}
    for entry in chosen:
        changes |= {floor: value for floor in FLOORS if (value := getattr(entry, floor)) is not None}
    return model.model_copy(update=changes)


def values_of(entry: Override) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of every threshold that an entry gives: ``("parameters", "alpha"), 0.0005``."""
    for name, value in entry.parameters.items():
        yield ("parameters", name), value
    for floor in FLOORS:
        if (value := getattr(entry, floor)) is not None:
            yield (floor,), value
