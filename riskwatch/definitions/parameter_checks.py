"""Check parameters against the detector that they are for, whichever part of a definition gives them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from riskwatch.definitions.entries import Collector, Draft
from riskwatch.definitions.rooms import Detectors
from riskwatch.definitions.strict_yaml import YamlPath
from riskwatch.errors import DetectorError

__all__ = ["check_parameters"]


def check_parameters(
    draft: Draft,
    detector: str,
    parameters: Mapping[str, Any],
    registry: Detectors,
    collector: Collector,
    *,
    at: YamlPath = ("parameters",),
    beneath: Mapping[str, Any] | None = None,
) -> Any:
    """Make a detector of parameters, report what it finds wrong with each of them, and return it; None if it could not be made.

    Parameters
    ----------
    draft, detector, registry, collector
        The definition, the registry name of its method, who makes it, and who takes the problems.
    parameters : mapping
        To be checked; they stand at the path ``at`` of the definition.
    beneath : mapping, optional
        Sound parameters of the definition that these are laid over; nothing is said about them.
    """
    left = dict(parameters)
    whole = True
    # Unknown names hide values out of range: take what is blamed out and ask again, so that all come out at once.
    while True:
        try:
            made = registry.make(detector, **{**(beneath or {}), **left})
        except DetectorError as error:
            whole = False
            blamed = set()
            for line in error.message.splitlines():
                message = line.removeprefix(detector).removeprefix(":").strip()
                name = _blamed(message, left)
                path: YamlPath = (*at, name) if name else at if parameters else ("detector",)
                collector.add(draft, path, message, of_key=message.startswith("unknown"))
                blamed.add(name)
            if not blamed - {None}:
                return None
            left = {name: value for name, value in left.items() if name not in blamed}
        else:
            return made if whole else None


def _blamed(message: str, parameters: Collection[str]) -> str | None:
    """Return the parameter that is named first in a detector's message."""
    places = {name: found.start() for name in parameters if (found := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message))}
    return min(places, key=lambda name: places[name]) if places else None
