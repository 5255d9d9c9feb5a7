"""Fictitious enterprises: credit codes that pass their checksum and cannot belong to anybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.codelists import World
from riskwatch.datasets.rhythm import random_stream

__all__ = ["Enterprises", "build_enterprises", "credit_code", "organisation_check", "valid_credit_code"]

# GB 32100-2015: digits and capitals without I, O, S, V, Z; the value of a character is its place.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

# Provinces from which goods come that are not made here.
_ORIGINS = ("440000", "330000", "320000", "370000", "210000", "130000", "350000", "410000")


def organisation_check(body: str) -> str:
    """Check character of an eight-character organisation code (GB 11714: weights 3,7,9,10,5,8,4,2; mod 11)."""
    total = sum(
        weight * (ord(char) - 55 if char.isalpha() else int(char)) for weight, char in zip(_ORGANISATION_WEIGHTS, body, strict=True)
    )
    rest = 11 - total % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def _credit_check(body: str) -> str:
    rest = 31 - sum(weight * ALPHABET.index(char) for weight, char in zip(_CREDIT_WEIGHTS, body, strict=True)) % 31
    return ALPHABET[rest % 31]


def credit_code(region: str, number: int) -> str:
    """Return a unified social credit code for fictitious enterprise ``number`` of a region.

    The organisation part begins with MN (模拟), which no issued code does, and both checksums are right.
    """
    organisation = f"MN{number:06d}"
    body = f"91{region}{organisation}{organisation_check(organisation)}"
    return body + _credit_check(body)


def valid_credit_code(code: str) -> bool:
    """Whether both checksums of a unified social credit code hold."""
    if len(code) != 18 or any(char not in ALPHABET for char in code):
        return False
    return organisation_check(code[8:16]) == code[16] and _credit_check(code[:17]) == code[17]


@dataclass(frozen=True, eq=False)
class Enterprises:
    """Producers of every product, and how bad they are.

    ``table`` has ``code, name, region, product`` (position of the product), ``share`` (of its market) and ``risk`` (multiplies the failure
    probability; a few repeat offenders are far above one). Producers of one product are consecutive, largest first;
    ``first[p]`` is where those of product ``p`` begin.
    """

    table: pd.DataFrame
    first: npt.NDArray[np.int64]


def build_enterprises(world: World, seed: int) -> Enterprises:
    """Make 12 to 40 producers for each product: local for farm and local goods, mostly from elsewhere for industrial ones."""
    rng = random_stream(seed, "enterprises")
    rows: list[pd.DataFrame] = []
    first = [0]
    local_share = world.shares(0.0)
    for position, parent in enumerate(world.products["parent"].to_numpy()):
        size = int(rng.integers(12, 41))
        local = rng.random(size) < (0.75 if parent in {"P08", "P09"} else 0.3)
        home = world.counties["code"].to_numpy()[rng.choice(local_share.size, size, p=local_share)]
        away = np.array(_ORIGINS)[rng.integers(0, len(_ORIGINS), size)]
        share = 1.0 / np.arange(1, size + 1) ** 0.8
        # Gamma with shape 0.7: most producers are fine, a few fail again and again. Mean over the market is one.
        risk = rng.gamma(0.7, 1.0, size) + 0.15
        share = share / share.sum()
        rows.append(
            pd.DataFrame({"region": np.where(local, home, away), "product": position, "share": share, "risk": risk / (share @ risk)})
        )
        first.append(first[-1] + size)
    table = pd.concat(rows, ignore_index=True)
    numbers = np.arange(1, len(table) + 1)
    table["code"] = [credit_code(region, int(number)) for region, number in zip(table["region"], numbers, strict=True)]
    table["name"] = [f"模拟企业{number:04d}" for number in numbers]
    return Enterprises(table, np.array(first, dtype=np.int64))
