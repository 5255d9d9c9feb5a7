"""The section of quality indicators on the page: a few sentences and the counts."""

from __future__ import annotations

from riskwatch.digest.blocks import Block, Para
from riskwatch.digest.model import Digest, IndicatorLine
from riskwatch.digest.numbers import chance
from riskwatch.digest.sentences import Speaker

__all__ = ["indicators"]

_OPS = {">=": "≥", "<=": "≤", "=": "="}


def indicators(digest: Digest, say: Speaker) -> list[Block]:
    """Return the indicators of which there is something to say; nothing where the digest has no such section."""
    t, section = say.t, digest.indicators
    if section is None:
        return []
    home = digest.header.region.code
    # One paragraph: a list would push an ordinary day's signatures onto a third page.
    shown = section.lines[:1] if digest.full_day else section.lines
    parts = [say.opening(_sentence(line, say, home)) for line in shown] or [t("indicators.none", days=section.recent_days)]
    more = section.more + len(section.lines) - len(shown)
    parts += [t("indicators.more", n=more)] if more else []
    counts = t(
        "indicators.summary",
        indicators=section.indicators,
        scored=section.targets_scored,
        met=section.targets_met,
        at_risk=section.targets_at_risk,
        lost=section.lost,
    )
    return [Para(("" if say.language == "zh" else " ").join([*parts, counts]))]


def _sentence(line: IndicatorLine, say: Speaker, home: str) -> str:
    t = say.t
    # The reader's own region goes without saying.
    place = "" if line.place.code == home else f"{say.of(line.place.name)} "
    return t(
        "indicators.line",
        why=t(f"indicators.why.{line.why}"),
        colon=t("colon"),
        name=say.of(line.name),
        period=place + line.period + (t("indicators.preliminary") if line.preliminary else ""),
        value=_value(line, say),
        rest=_change(line, say) + _beside(line, say) + _target(line, say),
    )


def _value(line: IndicatorLine, say: Speaker) -> str:
    value, unit = f"{line.value:.{line.decimals}f}", say.of(line.unit)
    if line.lower is None or line.upper is None:
        return say.t("indicators.no_interval", value=value, unit=unit)
    limits = {"lower": f"{line.lower:.{line.decimals}f}", "upper": f"{line.upper:.{line.decimals}f}"}
    return say.t("indicators.interval", value=value, unit=unit, **limits)


def _change(line: IndicatorLine, say: Speaker) -> str:
    if line.missing_since:
        return say.t("indicators.missing", period=line.missing_since)
    same = line.year_verdict == "unchanged"
    # Of a target at risk the chance is what counts: that nothing moved is left unsaid, as is being like the nation.
    if line.year is None or (same and line.why == "at-risk"):
        return ""
    return say.t("indicators.year_same" if same else "indicators.year", change=f"{line.year:+.{line.decimals}f}")


def _beside(line: IndicatorLine, say: Speaker) -> str:
    t, nation, text = say.t, say.t("indicators.nation"), ""
    if line.national is not None and line.national_verdict != "unchanged":
        text = t("indicators.beside", name=nation, change=f"{line.national:+.{line.decimals}f}")
    if line.wider is not None and line.wider_name is not None:
        text += t("indicators.beside", name=say.of(line.wider_name), change=f"{line.wider:+.{line.decimals}f}")
    return text


def _target(line: IndicatorLine, say: Speaker) -> str:
    if line.asked is None or line.target_year is None:
        return ""
    asked = {"op": _OPS.get(line.op, line.op), "asked": f"{line.asked:g}", "year": str(line.target_year)}
    text = say.t("indicators.asked", target=line.target, **asked)
    return text + (say.t("indicators.chance", chance=chance(line.chance)) if line.chance is not None else "")
