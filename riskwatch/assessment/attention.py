"""What raises attention: key products, vulnerable users, season and occasions; each with its reason, none silently."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from riskwatch.assessment.certainty_rules import VULNERABLE, AttentionRules, AttentionSign, Occasion
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import Text
from riskwatch.assessment.types import Step, Subject

__all__ = ["KeyProduct", "Sign", "attention_step", "signs_of"]


@dataclass(frozen=True, slots=True)
class KeyProduct:
    """An entry of the key-product catalogue in force on the day."""

    product: str
    reason: Text
    vulnerable: tuple[str, ...] = ()
    season: tuple[int, ...] = ()  # months


@dataclass(frozen=True, slots=True)
class Sign:
    """One reason for attention."""

    rule: str  # attention.key-product | attention.vulnerable | attention.season | attention.<occasion>
    points: int
    lift: bool
    zh: str
    en: str

    def facts(self) -> dict[str, object]:
        """Return the sign as JSON-able data."""
        return {"rule": self.rule, "points": self.points, "lift": self.lift, "reason": {"zh": self.zh, "en": self.en}}


def signs_of(
    subject: Subject,
    *,
    as_of: dt.date,
    rules: AttentionRules,
    products: TreePaths,
    catalogue: Sequence[KeyProduct] = (),
    festivals: Mapping[int, dt.date] | None = None,
) -> tuple[Sign, ...]:
    """Return what draws attention to a product on a day; a subject that is no product has no sign.

    Parameters
    ----------
    catalogue : sequence of KeyProduct
        Entries in force; an entry speaks for everything below its product.
    festivals : mapping of int to date, optional
        Year -> Spring Festival; without it the occasions around it do not hold.
    """
    if subject.kind != "product":
        return ()
    entry = next((one for one in catalogue if products.within(subject.code, one.product)), None)
    found: list[Sign] = []

    def add(rule: str, sign: AttentionSign | Occasion, zh: str, en: str) -> None:
        found.append(Sign(f"attention.{rule}", sign.points, sign.lift, zh, en))

    users = set(entry.vulnerable) if entry is not None else set()
    declared = str(products.attribute(subject.code, "vulnerable", inherit=True) or "").replace(";", "|").replace(",", "|").split("|")
    users |= {word.strip() for word in declared if word.strip() in VULNERABLE}
    if entry is not None:
        add("key-product", rules.key_product, f"重点监管产品（{entry.reason.zh}）", f"key product ({entry.reason.en})")
    if users:
        names = sorted(users)
        zh = "、".join(_USERS.get(name, name) for name in names)
        add("vulnerable", rules.vulnerable, f"易受伤害人群使用：{zh}", f"vulnerable users: {', '.join(names)}")
    if entry is not None and as_of.month in entry.season:
        add("season", rules.season, "正值监管季节", "its season is on")
    for name, occasion in rules.occasions.items():
        if not (any(products.within(subject.code, code) for code in occasion.products) or users & set(occasion.vulnerable)):
            continue
        when = _when(occasion, as_of, festivals or {})
        if when is not None:
            begins, running = when
            zh = f"{occasion.label.zh}{'期间' if running else f'临近（{begins} 起）'}"
            add(name, occasion, zh, f"{occasion.label.en} {'is on' if running else f'ahead (from {begins})'}")
    return tuple(found)


_USERS = {"children": "儿童", "elderly": "老年人", "patients": "病人", "pregnant": "孕产妇"}


def _when(occasion: Occasion, as_of: dt.date, festivals: Mapping[int, dt.date]) -> tuple[dt.date, bool] | None:
    """Return the first day of the stretch that holds or is upcoming, and whether it is on; None where neither."""
    for year in (as_of.year - 1, as_of.year, as_of.year + 1):
        if occasion.festival_days is not None:
            if year not in festivals:
                continue
            first, last = (festivals[year] + dt.timedelta(days=shift) for shift in occasion.festival_days)
        else:
            first = dt.date.fromisoformat(f"{year}-{occasion.first}")
            last = dt.date.fromisoformat(f"{year + (occasion.last < occasion.first)}-{occasion.last}")
        if first - dt.timedelta(days=occasion.lead_days) <= as_of <= last:
            return first, as_of >= first
    return None


def attention_step(signs: Sequence[Sign]) -> Step:
    """Return the step that stores what was found."""
    inputs: dict[str, object] = {sign.rule.removeprefix("attention."): sign.points for sign in signs}
    inputs["lifting"] = [sign.rule for sign in signs if sign.lift]
    return Step("attention", inputs, f"{sum(sign.points for sign in signs)} points")
