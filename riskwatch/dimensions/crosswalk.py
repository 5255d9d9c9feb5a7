"""Codes that moved: which code a unit has today, given a code and the day on which it was written.

A county that moves to another prefecture gets a new code (公主岭: 220381 until it joined 长春, then 220184). Old files keep the
old code, and people keep writing it for years. A code can also be given to another unit later, so the day matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import DimensionError

__all__ = ["Crosswalk", "Move", "is_pseudo_region"]

Days = npt.NDArray[np.datetime64]
_FOREVER = np.datetime64("9999-12-31")


def is_pseudo_region(codes: object) -> npt.NDArray[np.bool_]:
    """Tell which codes are statistical pseudo-regions: six digits ending in 71 to 79.

    Statistics offices give such codes to development zones (开发区), 220171 to 220174 for example. They are not divisions of
    GB/T 2260 and their area belongs to real counties, so counting them beside these would count twice.
    """
    return np.asarray(pd.Series(cast("Any", codes), dtype="object").astype("str").str.fullmatch(r"\d{4}7[1-9]"), dtype=np.bool_)


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """From ``effective_on`` the unit that was ``from_code`` is ``to_code``."""

    from_code: str
    effective_on: np.datetime64
    to_code: str
    note: str = ""
    place: str = ""


@dataclass(frozen=True, eq=False)
class Crosswalk:
    """All moves of one dimension.

    Parameters
    ----------
    moves : sequence of Move
        In any order. One code may move several times; chains are followed.

    Raises
    ------
    DimensionError
        If a code has two moves on one day, or moves lead back to where they began on the same day.
    """

    moves: Sequence[Move] = ()
    _by_code: Mapping[str, tuple[Move, ...]] = field(init=False)
    _breaks: Days = field(init=False)

    def __post_init__(self) -> None:
        by_code: dict[str, list[Move]] = {}
        for move in sorted(self.moves):
            by_code.setdefault(move.from_code, []).append(move)
        problems = [
            f"{later.place or 'crosswalk'}: {code} moves twice on {later.effective_on}: to {earlier.to_code} and to {later.to_code}"
            for code, moves in by_code.items()
            for earlier, later in pairwise(moves)
            if earlier.effective_on == later.effective_on
        ]
        problems += [
            f"{move.place or 'crosswalk'}: {move.from_code} moves to itself" for move in self.moves if move.from_code == move.to_code
        ]
        if problems:
            raise DimensionError(
                "\n".join(problems), hint="a code that was split cannot be followed: leave it out, or choose one successor"
            )
        object.__setattr__(self, "_by_code", {code: tuple(moves) for code, moves in by_code.items()})
        object.__setattr__(self, "_breaks", np.unique(np.array([move.effective_on for move in self.moves], dtype="datetime64[D]")))

    def codes(self) -> frozenset[str]:
        """Return the codes that moved."""
        return frozenset(self._by_code)

    def follow(self, code: str, on: np.datetime64, live: Mapping[str, tuple[np.datetime64, np.datetime64]]) -> str:
        """Return today's code of the unit that ``code`` meant on the day ``on``.

        Parameters
        ----------
        code : str
            Code as written.
        on : datetime64[D]
            Day on which it was written.
        live : mapping of code to (first day, last day)
            Codes of the current tree with their validity. A code that moved before ``on`` but is live on ``on`` was given to another
            unit and stays; one that is not live was out of date when written, and its last move counts.
        """
        seen = {(code, on)}
        while True:
            moves = self._by_code.get(code, ())
            later = [move for move in moves if move.effective_on > on]
            if later:
                code, on = later[0].to_code, later[0].effective_on
            else:
                first, last = live.get(code, (_FOREVER, _FOREVER))
                if not moves or first <= on <= last:
                    return code
                code = moves[-1].to_code
            if (code, on) in seen:
                raise DimensionError(f"crosswalk: moves lead from {code} back to {code}", hint="correct effective_on or take one move out")
            seen.add((code, on))

    def resolve(
        self, codes: npt.NDArray[np.object_], on: Days, live: Mapping[str, tuple[np.datetime64, np.datetime64]]
    ) -> npt.NDArray[np.object_]:
        """Follow many codes; ``codes`` and ``on`` have shape (n,), as has the result."""
        # What a code means changes only where something moves or where a live code begins or ends.
        bounds = [edge for code in self._by_code if code in live for edge in (live[code][0], live[code][1] + np.timedelta64(1, "D"))]
        breaks = np.unique(np.concatenate([self._breaks, np.array(bounds, dtype="datetime64[D]")]))
        spans = np.searchsorted(breaks, on, side="right")
        result = codes.copy()
        numbers, unique = pd.factorize(codes)
        pairs, inverse = np.unique(numbers * (len(breaks) + 1) + spans, return_inverse=True)
        days = np.concatenate([np.array([np.datetime64("0001-01-01")], dtype="datetime64[D]"), breaks])
        targets = [self.follow(str(unique[pair // (len(breaks) + 1)]), days[pair % (len(breaks) + 1)], live) for pair in pairs.tolist()]
        result[:] = np.array(targets, dtype=object)[inverse]
        return result
