"""Codes to names: the only place that reads the trees."""

from __future__ import annotations

from riskwatch.digest.inputs import TreeLike, Trees
from riskwatch.digest.model import Place, Text
from riskwatch.digest.privacy import clean
from riskwatch.errors import DimensionError

__all__ = ["Namer"]

EVERYWHERE = Text(zh="全部地区", en="all regions")


class Namer:
    """Names of codes in both languages. A code that a tree does not know is shown as the code itself, never dropped."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._paths: dict[str, frozenset[str]] = {}

    def product(self, code: str) -> Text:
        """Name of a product code."""
        return _name(self._trees.product, code)

    def industry(self, code: str) -> Text:
        """Name of an industry code."""
        return _name(self._trees.industry, code)

    def region(self, code: str) -> Text:
        """Name of a region code."""
        return _name(self._trees.region, code)

    def subject(self, kind: str, code: str) -> Text:
        """Name of the subject of a concern; ``kind`` is product, industry or region."""
        tree = {"product": self._trees.product, "industry": self._trees.industry, "region": self._trees.region}.get(kind)
        return EVERYWHERE if kind == "region" and not code else _name(tree, code)

    def relation(self, code: str, jurisdiction: str) -> str:
        """Return "inside", "wider" or "" for how ``code`` lies to a jurisdiction ("" is everything)."""
        if not jurisdiction or code == jurisdiction:
            return "inside"
        if not code:
            return "wider"
        if self._is_within(code, jurisdiction):
            return "inside"
        return "wider" if self._is_within(jurisdiction, code) else ""

    def distance(self, one: str, other: str) -> int | None:
        """Return how many levels apart two related regions are, 0 for the same, None for unrelated ones; "" is above all."""
        if one == other:
            return 0
        if not one or not other:
            return 1 + len(self._path(one or other))
        if self._is_within(one, other) or self._is_within(other, one):
            return abs(len(self._path(one)) - len(self._path(other)))
        return None

    def depth(self, code: str) -> int:
        """Return how many levels a region lies below everything."""
        return len(self._path(code)) if code else 0

    def place(self, code: str, jurisdiction: str) -> Place | None:
        """Return the place as the jurisdiction sees it, None if it lies elsewhere."""
        relation = self.relation(code, jurisdiction)
        if not relation:
            return None
        name = self.region(code) if code else EVERYWHERE
        return Place(code=code, name=name, relation="inside" if relation == "inside" else "wider", level=self._level(code))

    def _is_within(self, code: str, ancestor: str) -> bool:
        return ancestor in self._path(code)

    def _path(self, code: str) -> frozenset[str]:
        """Return a region and all above it; an unknown code is above and below nothing but itself."""
        tree = self._trees.region
        if code not in self._paths:
            try:
                self._paths[code] = frozenset({code, *map(str, tree.path(code))}) if tree is not None else frozenset({code})
            except (LookupError, DimensionError):
                self._paths[code] = frozenset({code})
        return self._paths[code]

    def _level(self, code: str) -> str:
        tree = self._trees.region
        if tree is None or not code:
            return ""
        try:
            return str(tree.level_of(code))
        except (LookupError, DimensionError):
            return ""


def _name(tree: TreeLike | None, code: str) -> Text:
    if tree is None or not code:
        return Text(zh=clean(code, limit=60), en=clean(code, limit=60))
    try:
        return Text(zh=clean(tree.name(code, "zh") or code, limit=60), en=clean(tree.name(code, "en") or code, limit=60))
    except (LookupError, DimensionError):
        return Text(zh=clean(code, limit=60), en=clean(code, limit=60))
