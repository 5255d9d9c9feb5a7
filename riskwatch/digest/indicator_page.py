"""The section of quality indicators on the page: one small table and one line of counts."""

from __future__ import annotations

from riskwatch.digest.blocks import Block, Cell, Para, Table
from riskwatch.digest.model import Digest, IndicatorLine
from riskwatch.digest.numbers import chance
from riskwatch.digest.sentences import Speaker

__all__ = ["indicators"]

_COLUMNS = ("why", "name", "period", "value", "year", "beside", "target")
_OPS = {">=": "≥", "<=": "≤", "=": "="}


def indicators(digest: Digest, say: Speaker) -> list[Block]:
    """Return the indicators of which there is something to say; nothing where the digest has no such section."""
    t, section = say.t, digest.indicators
    if section is None:
        return []
    blocks: list[Block] = []
    if section.lines:
        rows = tuple(tuple(Cell(text) for text in _row(line, say, digest.header.region.code)) for line in section.lines)
        blocks.append(Table(tuple(t(f"indicators.{name}") for name in _COLUMNS), rows, "lllllll", (9, 28, 9, 18, 9, 12, 15)))
    counts = t(
        "indicators.summary",
        indicators=section.indicators,
        scored=section.targets_scored,
        met=section.targets_met,
        at_risk=section.targets_at_risk,
        lost=section.lost,
    )
    gap = "" if say.language == "zh" else " "
    parts = [] if section.lines else [t("indicators.none", days=section.recent_days)]
    parts += [t("indicators.more", n=section.more)] if section.more else []
    blocks.append(Para(gap.join([*parts, counts]), "muted"))
    return blocks


def _row(line: IndicatorLine, say: Speaker, home: str) -> tuple[str, ...]:
    t, digits = say.t, line.decimals
    value = f"{line.value:.{digits}f}"
    if line.lower is None or line.upper is None:
        shown = t("indicators.no_interval", value=value, unit=say.of(line.unit))
    else:
        limits = {"lower": f"{line.lower:.{digits}f}", "upper": f"{line.upper:.{digits}f}"}
        shown = t("indicators.interval", value=value, unit=say.of(line.unit), **limits)
    # The reader's own region goes without saying.
    place = "" if line.place.code == home else f"{say.of(line.place.name)} "
    place += line.period + (t("indicators.preliminary") if line.preliminary else "")
    return (t(f"indicators.why.{line.why}"), say.of(line.name), place, shown, _change(line, say), _beside(line, say), _target(line, say))


def _change(line: IndicatorLine, say: Speaker) -> str:
    if line.missing_since:
        return say.t("indicators.missing", period=line.missing_since)
    if line.year is None:
        return "–"
    change = f"{line.year:+.{line.decimals}f}"
    return say.t("indicators.unchanged", change=change) if line.year_verdict == "unchanged" else change


def _beside(line: IndicatorLine, say: Speaker) -> str:
    t, parts = say.t, []
    if line.national is not None:
        alike = line.national_verdict == "unchanged"
        parts.append(t("indicators.national", change=t("indicators.same") if alike else f"{line.national:+.{line.decimals}f}"))
    if line.wider is not None and line.wider_name is not None:
        parts.append(t("indicators.wider", name=say.of(line.wider_name), change=f"{line.wider:+.{line.decimals}f}"))
    return t("sep").join(parts) or "–"


def _target(line: IndicatorLine, say: Speaker) -> str:
    if line.asked is None or line.target_year is None:
        return "–"
    asked = say.t(
        "indicators.asked", target=line.target, year=str(line.target_year), op=_OPS.get(line.op, line.op), asked=f"{line.asked:g}"
    )
    return asked + (say.t("indicators.chance", chance=chance(line.chance)) if line.chance is not None else "")
