"""The dossier of a digest on the page: one short paragraph for each part that has something to say."""

from __future__ import annotations

from collections.abc import Sequence

from riskwatch.digest.blocks import Block, Bullets, Para
from riskwatch.digest.dossier_model import AccidentLine, NoticeLine, RecallLine
from riskwatch.digest.model import Digest
from riskwatch.digest.numbers import amount, date, percent
from riskwatch.digest.sentences import Speaker

__all__ = ["abroad", "accidents", "certificates", "defects", "steps"]

SHOWN = 3


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
    more = [say.t("dossier.others", n=len(parts) - SHOWN)] if len(parts) > SHOWN else []
    return say.t("sep").join([*parts[:SHOWN], *more])


def certificates(digest: Digest, say: Speaker) -> list[Block]:
    """Return how many licences and certificates were lost."""
    t = say.t
    parts = [
        t("certificates.item", scheme=t.code("scheme", one.scheme), status=t.code("status", one.status), n=one.firms)
        for one in digest.dossier.certificates
    ]
    return [Para(t("certificates", days=digest.dossier.certificate_days, counts=t("sep").join(parts)))] if parts else []


def steps(digest: Digest, say: Speaker) -> list[Block]:
    """Return where cases stand that call for escalation."""
    t = say.t
    parts = [t("steps.item", step=say.of(one.label), n=one.cases) for one in digest.dossier.steps]
    return [Para(t("steps", steps=_listed(parts, say)))] if parts else []


def abroad(digest: Digest, say: Speaker) -> list[Block]:
    """Return recalls, trade notices and media reports."""
    t, item = say.t, digest.dossier
    blocks: list[Block] = []
    if item.recalls:
        overdue = sum(line.state == "overdue" for line in item.recalls)
        listed = _listed([_recall(line, say) for line in item.recalls], say)
        blocks.append(Para(t("recalls", n=len(item.recalls), overdue=overdue, recalls=listed)))
    if item.notices:
        blocks.append(Para(t("notices", n=len(item.notices), notices=_listed([_notice(line, say) for line in item.notices], say))))
    if item.media:
        parts = [t("media.item", product=say.of(line.product), n=line.reports) for line in item.media]
        total = sum(line.reports for line in item.media)
        blocks.append(Para(t("media", days=item.media_days, n=total, products=_listed(parts, say))))
    return blocks


def _recall(line: RecallLine, say: Speaker) -> str:
    end = say.t(f"recalls.{line.state}" if line.ends_on is not None else "recalls.open", date=date(line.ends_on))
    return say.t("recalls.item", product=say.of(line.product), done=percent(line.completion, 1.0), end=end)


def _notice(line: NoticeLine, say: Speaker) -> str:
    goods = say.of(line.product) if line.product is not None or not line.hs_code else say.t("notices.hs", code=line.hs_code)
    return say.t("notices.item", member=say.of(line.member), goods=goods, date=date(line.comment_until), days=line.days_left)


def defects(digest: Digest, say: Speaker) -> list[Block]:
    """Return bursts of complaints by one claimant, and laboratories that are not fit."""
    t, item = say.t, digest.dossier
    blocks: list[Block] = []
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
        blocks.append(Para(t("bursts", days=item.burst_days, bursts=_listed(parts, say))))
    labs = item.laboratories
    if labs is not None:
        names = _listed([say.of(name) for name in labs.items], say)
        listed = t("laboratories.items", items=names) if names else ""
        blocks.append(Para(t("laboratories", unfit=labs.unfit, n=labs.laboratories, items=listed), "alert"))
    return blocks
