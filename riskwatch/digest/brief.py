"""A warning in brief, for days on which not all of level I and II have room in full: what it keeps, and in which words."""

from __future__ import annotations

import datetime as dt

from riskwatch.digest.blocks import BriefBlock
from riskwatch.digest.card_model import WarningCard
from riskwatch.digest.card_notes import emergency_sentence, related_sentence, spread_sentence
from riskwatch.digest.handling import change_text, handling_sentence
from riskwatch.digest.sentences import Speaker
from riskwatch.digest.urgency import first_first, within_a_day

__all__ = ["brief_card"]


def brief_card(card: WarningCard, say: Speaker, today: dt.date) -> BriefBlock:
    """Return level, what, where, why, and the first measure with its term; of level I also who was hurt and all that is due within a day.

    What it leaves out of level II is the second series, the sources in words, what would change the level, the later measures and the
    provisions. Level I keeps its reason in full, those exposed, the spread, the concerns of its cause and the emergency response.
    """
    t = say.t
    lead = card.measures[0] if card.measures else None
    where = say.where(lead, with_subject=False) if lead and lead.place and lead.place.code != card.place.code else ""
    stream = t.code("stream", lead.stream) + t("colon") if lead else ""
    what = stream + say.figures(lead, where=where) + t("stop")
    parts = [("card.what", what), ("card.reason", _why(card, say))]
    if card.grade == "I":
        parts.append(("card.exposed", say.exposed(card)))
        notes = [spread_sentence(card.spread, say), related_sentence(card.related, say), emergency_sentence(card, say)]
        parts += [("", note) for note in notes if note]
    elif card.died:
        parts.append(("", t("exposed.died", died=card.died) + t("stop")))
    if card.held is not None:
        parts.append(("", t("card.held", text=say.of(card.held))))
    parts.append(("card.actions", _measures(card, say)))
    if handled := handling_sentence(card, say, today, brief=True):
        parts.append(("handling", handled))
    return BriefBlock(
        badge=say.badge(card.grade, card.domain),
        change=change_text(card, say),
        title=say.title(card),
        code=card.warning_id,
        parts=tuple((t(label) + t("colon") if label else "", say.opening(text)) for label, text in parts),
    )


def _why(card: WarningCard, say: Speaker) -> str:
    if card.grade == "I":
        return say.reason(card)
    t = say.t
    rules = [t.code("rule", rule) for rule in card.rules]
    return t(
        "brief.why",
        risk=t.code("risk", card.risk),
        severity=card.severity,
        confidence=card.confidence,
        scope=say.scope(card),
        rules=(t("reason.rules", rules=t.join(rules)) if rules else "") + (t("reason.review") if card.review else ""),
    )


def _measures(card: WarningCard, say: Speaker) -> str:
    ordered = first_first(card.actions)
    if not ordered:
        return say.t("action.none")
    shown = max(1, len(within_a_day(card.actions))) if card.grade == "I" else 1
    sentences = [say.opening(say.action(action, ())) for action in ordered[:shown]]
    if len(ordered) > shown:
        sentences.append(say.t("brief.others", n=len(ordered) - shown))
    return ("" if say.language == "zh" else " ").join(sentences)
