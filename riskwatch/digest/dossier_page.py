"""The dossier of a digest on the page: one short paragraph for each part that has something to say."""

from __future__ import annotations

from collections.abc import Sequence

from riskwatch.digest.blocks import Block, Bullets, Para
from riskwatch.digest.dossier_model import AccidentLine, NoticeLine, RecallLine
from riskwatch.digest.model import Digest
from riskwatch.digest.numbers import amount, date, percent
from riskwatch.digest.sentences import Speaker

__all__ = ["abroad", "accidents", "certificates", "defects", "steps"]

SHOWN, LISTED = 3, 2


def accidents(digest: Digest, say: Speaker) -> list[Block]:
    """Return accident reports of the last days, late ones first."""
    lines, t = digest.dossier.accidents, say.t
    if not lines:
        return []
    late = sum(line.state == "late" for line in lines)
    head = t("accidents", days=digest.dossier.accident_days, n=len(lines), late=late)
    blocks: list[Block] = [Para(head, "alert" if late else ""), Bullets(tuple(Para(_accident(line, say)) for line in lines[:SHOWN]))]
    return blocks + ([Para(_more(len(lines), say), "muted")] if len(lines) > SHOWN else [])


def _accident(line: AccidentLine, say: Speaker) -> str:
    t = say.t
    hurt = [
        t(f"accidents.{name}", n=t("exposed.few") if count is None else amount(count))
        for name, count in (("deaths", line.deaths), ("serious", line.serious))
        if count != 0
    ]
    clock = t(f"accidents.{line.state}", hours=amount(line.hours), allowed=amount(line.allowed))
    return t(
        "accidents.line",
        date=date(line.event_date),
        product=say.of(line.product),
        place=say.place(line.place),
        hurt=t.join(hurt) or t("accidents.unhurt"),
        clock=clock,
    )


def _more(count: int, say: Speaker) -> str:
    return say.t("dossier.more", n=count - SHOWN)


def _listed(parts: Sequence[str], say: Speaker) -> str:
    """Return the first parts as one text; how many more there are stands at its end."""
    more = [say.t("dossier.others", n=len(parts) - LISTED)] if len(parts) > LISTED else []
    return say.t("sep").join([*parts[:LISTED], *more])


def _together(texts: Sequence[str], say: Speaker) -> list[Block]:
    """Return sentences as one paragraph: a full day fills its two pages."""
    return [Para(("" if say.language == "zh" else " ").join(texts))] if texts else []


def certificates(digest: Digest, say: Speaker) -> str:
    """Return how many licences and certificates were lost, as a sentence that follows another; "" for none."""
    t = say.t
    counts: dict[str, list[str]] = {}
    for one in digest.dossier.certificates:
        counts.setdefault(one.scheme, []).append(t("certificates.count", status=t.code("status", one.status), n=one.firms))
    parts = [t("certificates.item", scheme=t.code("scheme", scheme), counts=t.join(found)) for scheme, found in counts.items()]
    gap = "" if say.language == "zh" else " "
    return gap + t("certificates", days=digest.dossier.certificate_days, counts=t("sep").join(parts)) if parts else ""


def steps(digest: Digest, say: Speaker) -> str:
    """Return where cases stand that call for escalation; "" for none."""
    t = say.t
    parts = [t("steps.item", step=say.of(one.label), n=one.cases) for one in digest.dossier.steps]
    return t("steps", steps=_listed(parts, say)) if parts else ""


def abroad(digest: Digest, say: Speaker) -> list[Block]:
    """Return recalls, trade notices and media reports."""
    t, item = say.t, digest.dossier
    texts: list[str] = []
    if item.recalls:
        overdue = sum(line.state == "overdue" for line in item.recalls)
        listed = _listed([_recall(line, say) for line in item.recalls], say)
        texts.append(t("recalls", n=len(item.recalls), overdue=overdue, recalls=listed))
    if item.notices:
        named = _listed([_notice(line, say) for line in item.notices], say)
        texts.append(t("notices", days=item.comment_days, n=len(item.notices), notices=named))
    if item.media:
        parts = [t("media.item", product=say.of(line.product), n=line.reports) for line in item.media]
        total = sum(line.reports for line in item.media)
        texts.append(t("media", days=item.media_days, n=total, products=_listed(parts, say)))
    return _together(texts, say)


def _recall(line: RecallLine, say: Speaker) -> str:
    end = say.t(f"recalls.{line.state}" if line.ends_on is not None else "recalls.open", date=date(line.ends_on))
    return say.t("recalls.item", product=say.of(line.product), done=percent(line.completion, 1.0), end=end)


def _notice(line: NoticeLine, say: Speaker) -> str:
    goods = say.of(line.product) if line.product is not None or not line.hs_code else say.t("notices.hs", code=line.hs_code)
    known = say.t.code("member", line.member_code)
    member = known if known != line.member_code else say.of(line.member)
    return say.t("notices.item", member=member, goods=goods, date=date(line.comment_until))


def defects(digest: Digest, say: Speaker) -> str:
    """Return bursts of complaints by one claimant, and laboratories that are not fit, as sentences that follow others; "" for none."""
    t, item = say.t, digest.dossier
    texts: list[str] = []
    if item.bursts:
        parts = [
            t(
                "bursts.item" if line.complaints is not None else "bursts.nearly",
                product=say.of(line.product),
                place=say.place(line.place),
                one=amount(line.by_one),
                **({} if line.complaints is None else {"n": amount(line.complaints)}),
            )
            for line in item.bursts
        ]
        texts.append(t("bursts", days=item.burst_days, bursts=_listed(parts, say)))
    labs = item.laboratories
    if labs is not None:
        names = _listed([say.of(name) for name in labs.items], say)
        listed = t("laboratories.items", items=names) if names else ""
        texts.append(t("laboratories", unfit=labs.unfit, n=labs.laboratories, items=listed))
    return "".join(("" if say.language == "zh" else " ") + text for text in texts)
