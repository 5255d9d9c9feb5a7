"""Notes on a card: what the scope figures say beyond counts, concerns of one cause, a level that is held, the emergency response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from riskwatch.assessment.types import Assessment, Scope, Subject
from riskwatch.digest.dossier_model import EmergencyLine, RelatedLine, RelatedSubject, Spread, SupplierLine
from riskwatch.digest.inputs import Labels, WarningLike
from riskwatch.digest.model import WarningCard
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import amount, percent, probability, significant
from riskwatch.digest.parts import Text
from riskwatch.digest.privacy import MIN_CELL, integer_fact, scrub
from riskwatch.digest.sentences import Speaker

__all__ = ["emergency_line", "emergency_sentence", "held_text", "lead_of", "related_line", "related_sentence", "spread", "spread_sentence"]

HALF, ALPHA, NAMED = 0.5, 0.05, 3


def _mapping(value: object) -> dict[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def spread(assessment: Assessment) -> Spread:
    """Return the scope figures that say something.

    Shares come from the facts, which say of how many they are: of fewer than five they say nothing, one case is always in one batch.
    """
    figures = assessment.scope_figures

    def share(facts: object, name: str, count: str) -> float | None:
        known = _mapping(facts)
        value, of = _number(known.get(name)), _number(known.get(count)) or 0.0
        return significant(value) if value is not None and of >= MIN_CELL and HALF <= value <= 1.0 else None

    def small(name: str) -> float | None:
        value = _number(figures.get(name))
        return significant(value) if value is not None and 0.0 <= value < ALPHA else None

    platforms = [share(facts, "largest_platform_share", "with_platform") for _, facts in sorted(assessment.facts.items())]
    joins_p = small("joins_p")
    return Spread(
        batch_share=share(assessment.facts.get("spot_checks"), "largest_batch_share", "failed_with_batch"),
        platform_share=max((value for value in platforms if value is not None), default=None),
        joins=(integer_fact(figures, "joins") or 0) if joins_p is not None else 0,
        joins_p=joins_p,
        rest_p=small("untouched_excess_p"),
        suppliers=supplier_line(assessment),
    )


def supplier_line(assessment: Assessment) -> SupplierLine | None:
    """Return what suppliers say; None where they decide nothing.

    They are asked everywhere, so of an isolated or regional concern they say nothing. That it is not known whether one is shared is told
    of a systemic one only, which it might make industry-wide. Of fewer than five known suppliers no numbers are told.
    """
    figures = assessment.scope_figures
    systemic = assessment.scope == Scope.SYSTEMIC
    # Without the key it was stored before suppliers were looked at.
    if "suppliers" not in figures or assessment.scope not in {Scope.SYSTEMIC, Scope.INDUSTRY_WIDE}:
        return None
    found = _mapping(figures["suppliers"])
    if not found:
        return SupplierLine(verdict="no-failures") if systemic else None
    failed, known, same, producers = (integer_fact(found, name) or 0 for name in ("failed", "known", "same", "producers"))
    verdict = found.get("verdict")
    if verdict in {"shared", "none"}:
        return SupplierLine.model_validate({"verdict": verdict, "failed": failed, "known": known, "same": same, "producers": producers})
    return SupplierLine(verdict="unknown", failed=failed, known=known if known >= MIN_CELL else 0) if systemic else None


def supplier_part(item: SupplierLine, say: Speaker) -> str:
    """Return what suppliers say as a part of the sentence on the spread."""
    verdict = "unrecorded" if item.verdict == "unknown" and not item.known else item.verdict
    return say.t(f"spread.supplier.{verdict}", failed=item.failed, known=item.known, same=item.same, n=item.producers)


def spread_sentence(item: Spread, say: Speaker) -> str:
    """Return what the figures say as one sentence; "" if nothing."""
    t = say.t
    parts = [
        t(f"spread.{name}", share=percent(share, 1.0))
        for name, share in (("batch", item.batch_share), ("platform", item.platform_share))
        if share is not None
    ]
    if item.suppliers is not None:
        parts.append(supplier_part(item.suppliers, say))
    if item.joins_p is not None:
        parts.append(t("spread.joins", n=item.joins, p=probability(item.joins_p)))
    if item.rest_p is not None:
        parts.append(t("spread.rest", p=probability(item.rest_p)))
    return t("spread", parts=t("sep").join(parts)) if parts else ""


def lead_of(assessment: Assessment | None) -> tuple[str, str] | None:
    """Return code and region of the concern that leads those of one cause; None where this one has no such company."""
    lead = _mapping(_mapping(assessment.facts.get("related")).get("lead")) if assessment is not None else {}
    return (str(lead.get("code", "")), str(lead.get("region", ""))) if lead else None


def related_line(assessment: Assessment, teller: Subject | None, *, namer: Namer, labels: Labels, jurisdiction: str) -> RelatedLine | None:
    """Return the concerns of the same cause that the centre sees; None where there are none.

    Parameters
    ----------
    assessment : Assessment
    teller : Subject, optional
        The concern on whose card the cause is told in this digest; if it is another, only it is named.
    """
    known = _mapping(assessment.facts.get("related"))
    if not known or teller is None:
        return None
    tells = teller == assessment.subject
    others = known.get("subjects") if tells else [{"kind": teller.kind, "code": teller.code, "region": teller.region}]
    found = []
    for other in map(_mapping, others) if isinstance(others, Sequence) and not isinstance(others, str) else ():
        place = namer.place(str(other.get("region", "")), jurisdiction)
        if place is not None:
            found.append(RelatedSubject(subject=namer.subject(str(other.get("kind", "")), str(other.get("code", ""))), place=place))
    if not found:
        return None
    cause = _mapping(known.get("cause"))
    return RelatedLine(
        tells=tells,
        hazard_name=labels.hazards.get(str(cause.get("hazard", ""))),
        producers=integer_fact(cause, "producers") or 0,
        subjects=tuple(found),
    )


def related_sentence(item: RelatedLine | None, say: Speaker) -> str:
    """Return the cause and whom it is shared with, or where it is told; "" for none."""
    if item is None:
        return ""
    t = say.t
    named = [t("related.one", subject=say.of(one.subject), place=say.place(one.place)) for one in item.subjects[:NAMED]]
    if len(item.subjects) > NAMED:
        named.append(t("related.more", n=len(item.subjects) - NAMED))
    if not item.tells:
        return t("related.see", subjects=t.join(named))
    why = [say.of(item.hazard_name)] if item.hazard_name is not None else []
    why += [t("related.producers", n=item.producers)] if item.producers else []
    return t("related", why=t("bracket", text=t.join(why)) if why else "", subjects=t.join(named))


def held_text(warning: WarningLike) -> Text | None:
    """Return why a level does not follow the day's figures; None where it does."""
    held = _mapping(getattr(warning, "held", None))
    zh, en = (str(held.get(key) or "") for key in ("zh", "en"))
    return Text(zh=scrub(zh or en), en=scrub(en or zh)) if zh or en else None


def emergency_line(assessment: Assessment) -> EmergencyLine | None:
    """Return the emergency response of level I or II that is proposed; lower levels are left to the measures."""
    found = _mapping(assessment.facts.get("emergency"))
    if found.get("level") not in {"I", "II"} or found.get("kind") not in {"event", "readiness"}:
        return None
    label, declared = (_mapping(found.get(name)) for name in ("label", "declared_by"))
    calls = found.get("calls")
    hours = [_number(_mapping(call).get("within_hours")) for call in calls] if isinstance(calls, (list, tuple)) else []
    later = [value for value in hours if value is not None and value > 0]  # at once is the duty officer
    return EmergencyLine.model_validate(
        {
            "kind": found["kind"],
            "level": found["level"],
            "label": {key: scrub(str(label.get(key, found["level"])), limit=80) for key in ("zh", "en")},
            "declared_by": {key: scrub(str(declared.get(key, "")), limit=80) for key in ("zh", "en")},
            "within_hours": min(later, default=None),
        }
    )


def emergency_sentence(card: WarningCard, say: Speaker) -> str:
    """Return the response as the first line of the measures; "" for none."""
    item, t = card.emergency, say.t
    if item is None:
        return ""
    calls = "" if item.within_hours is None else t("emergency.calls", hours=amount(item.within_hours))
    return t(f"emergency.{item.kind}", label=say.of(item.label), body=say.of(item.declared_by), calls=calls)
