"""Labels from the rules that are in force, by shape rather than by class: what ``config/grading.yaml`` and its neighbours say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from riskwatch.digest.inputs import Labels, TextLike
from riskwatch.digest.model import GRADES, GradeLabel, Text

__all__ = ["labels_from_rules"]


class LevelLike(Protocol):
    """One level of ``grading.yaml``."""

    @property
    def label(self) -> TextLike:
        """Name: 一级."""

    @property
    def colour(self) -> TextLike:
        """Colour in words: 红色."""

    @property
    def hex(self) -> str:
        """Colour as #rrggbb."""


class HazardLike(Protocol):
    """One class of ``hazards.yaml``."""

    @property
    def label(self) -> TextLike:
        """Name of the class."""


def labels_from_rules(
    *,
    levels: Mapping[str, LevelLike],
    hazards: Mapping[str, HazardLike] = MappingProxyType({}),
    starts: Mapping[str, TextLike] = MappingProxyType({}),
    models: Mapping[str, TextLike] = MappingProxyType({}),
    reviewers: Mapping[str, int] = MappingProxyType({}),
    domains: Mapping[str, Mapping[str, LevelLike]] = MappingProxyType({}),
) -> Labels:
    """Return the labels of a digest from rules and definitions.

    Parameters
    ----------
    levels : mapping
        ``GradingRules.levels``.
    hazards : mapping
        ``HazardCatalogue.classes``.
    starts : mapping
        ``ActionCatalogue.starts``.
    models : mapping
        Model name -> ``ModelDefinition.label``.
    reviewers : mapping
        ``GradingRules.review.reviewers``.
    domains : mapping
        Domain -> levels of the rules that are in force for its goods.

    Returns
    -------
    Labels
    """
    grades = _grades(levels)
    of_domains = {name: _grades(own) for name, own in domains.items()}
    return Labels(
        grades=grades,
        domains={name: own for name, own in of_domains.items() if own != grades},
        models={key: _text(value) for key, value in models.items()},
        hazards={key: _text(value.label) for key, value in hazards.items()},
        starts={key: _text(value) for key, value in starts.items()},
        reviewers=reviewers or Labels().reviewers,
    )


def _grades(levels: Mapping[str, LevelLike]) -> tuple[GradeLabel, ...]:
    found = []
    for grade in GRADES:
        level = levels[grade]
        name = Text(zh=f"{level.label.zh}（{level.colour.zh}）", en=f"{level.label.en} ({level.colour.en})")
        found.append(GradeLabel(grade=grade, name=name, colour=level.hex))
    return tuple(found)


def _text(value: TextLike) -> Text:
    return Text(zh=value.zh, en=value.en)
