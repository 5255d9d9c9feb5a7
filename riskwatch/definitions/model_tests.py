"""Unit tests of models, written beside them in ``models/*.yaml``: a series, and what the model is to say of its newest periods."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from riskwatch.definitions.types import Definition

__all__ = ["ModelTest", "read_series"]

_NUMBER = r"\d+(?:\.\d+)?"
_PIECE = re.compile(rf"(?:(_)|({_NUMBER})(?:([+-])({_NUMBER}))?)(?:x(\d+))?")
_LONGEST = 2_000  # periods


def read_series(text: str) -> tuple[float, ...]:
    """Return the values of a series in the notation of Prometheus' unit tests; NaN for a missing period.

    ``4`` is one value, ``4x3`` four of them (the first and three more), ``1+2x3`` is 1 3 5 7, ``9-3x2`` is 9 6 3, ``_`` a missing
    period, ``_x3`` three of them. Pieces are separated by blanks.

    Raises
    ------
    ValueError
        Naming the piece that cannot be read, or that goes below 0.
    """
    values: list[float] = []
    for piece in text.split():
        found = _PIECE.fullmatch(piece)
        if found is None:
            raise ValueError(f'"{piece}" is no piece of a series; pieces read 4, 4x3, 1+2x3, 9-3x2, _ or _x3')
        gap, first, sign, step, times = found.groups()
        if gap:
            values += [math.nan] * int(times or 1)
        else:
            change = float(step or 0) * (-1 if sign == "-" else 1)
            made = [float(first) + change * number for number in range(int(times or 0) + 1)]
            if min(made) < 0:
                raise ValueError(f'"{piece}" goes below 0: counts do not')
            values += made
        if len(values) > _LONGEST:
            raise ValueError(f"a series has at most {_LONGEST} periods")
    if not values:
        raise ValueError("a series needs a value")
    return tuple(values)


class ModelTest(Definition):
    """One series of a kind of goods in a place, and what a model and the grading are to say of it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="unique name of the test")
    model: str = Field(description="model that is tested")
    product: str = Field("", description="code of the product tree, on a level that the model looks at; empty: the level has none")
    industry: str = Field("", description="code of the industry tree; empty: the level has none")
    region: str = Field("", description="code of the region tree; empty: the level has none")
    strata: dict[str, str] = Field(default_factory=dict, description="value of each field that the model stratifies or breaks down by")
    item: str = Field("", description="code of the test item that fails, for models by item")
    observed: str = Field(description="counts by period, oldest first: `4 4x3 1+2x3 9-3x2 _x3` (docs/tuning.md)")
    exposure: str = Field("", description="samples, policy years and the like by period, for models of shares; as long as observed")
    last: dt.date = Field(dt.date(2025, 12, 31), description="the newest period is the last that is over on this day")
    alarms: tuple[bool, ...] = Field((), description="whether the newest periods alarm, oldest first; empty: not asked")
    grade: Literal["I", "II", "III", "IV", "WATCH", "NONE"] | None = Field(
        None, description="level that would be proposed were this all that is known; null: not asked"
    )
    least: Annotated[bool, Field(description="grade is the least level that is asked for, not the one")] = False

    @field_validator("observed", "exposure")
    @classmethod
    def _readable(cls, text: str) -> str:
        if text:
            read_series(text)
        return text

    @model_validator(mode="after")
    def _whole(self) -> ModelTest:
        if not self.alarms and self.grade is None:
            raise ValueError("says nothing to expect: give alarms, grade or both")
        if self.exposure and len(read_series(self.exposure)) != len(read_series(self.observed)):
            lengths = f"{len(read_series(self.observed))} and {len(read_series(self.exposure))}"
            raise ValueError(f"observed and exposure must be as long as each other, got {lengths} periods")
        return self
