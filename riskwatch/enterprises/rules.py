"""``config/enterprises.yaml``: clocks after an order, windows for repeat failures, and the rules that propose a credit class.

A rule proposes; a person decides. The rules are built so that more failures can never give a better class: what may be asked of a class
worse than the default are lower bounds of bad figures, and of a better one upper bounds of them and a lower bound of passed samples. A file
that mixes the two is refused.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from riskwatch.rulebase import Basis, Rule, Text

__all__ = ["CLASSES", "BadAtLeast", "CandidacyRule", "Clocks", "CreditRule", "CreditRules", "EnterpriseRules", "GoodRecord", "Term", "rank"]

CreditClass = Literal["A", "B", "C", "D"]
CLASSES: tuple[CreditClass, ...] = ("A", "B", "C", "D")


def rank(credit_class: str) -> int:
    """Return 0 for A (low risk) to 3 for D (high risk)."""
    return CLASSES.index(credit_class)


class Term(Rule):
    """One term: so many days from a start event."""

    amount: int = Field(ge=1, description="days from the start event to the last day of the term")
    opens: int = Field(0, ge=0, description="days from the start event before which the act does not count; 0: at once")
    unit: Literal["natural-day"] = Field("natural-day", description="natural days; the provisions name no working days")
    starts: Literal["order", "announcement"] = Field(description="order: the order to correct; announcement: that a recheck failed")
    article: str = Field(min_length=1, description="provision, as shown")
    text: Text = Field(description="what is due")
    basis: Basis = Field(description="where the term comes from")

    @model_validator(mode="after")
    def _window(self) -> Term:
        if self.opens >= self.amount:
            raise ValueError(f"opens must be < amount ({self.amount}), got {self.opens}")
        return self


class Clocks(Rule):
    """Terms after a failed spot check."""

    correct: Term = Field(description="correct what was found")
    recheck: Term = Field(description="recheck by the authority")
    second_recheck: Term = Field(description="second recheck, after a failed one was announced")
    due_soon_days: int = Field(ge=0, description="a running term that ends within so many natural days is due soon")
    basis: Basis = Field(description="of due_soon_days")

    @model_validator(mode="after")
    def _starts(self) -> Clocks:
        expected = {"correct": "order", "recheck": "order", "second_recheck": "announcement"}
        wrong = {name: getattr(self, name).starts for name, starts in expected.items() if getattr(self, name).starts != starts}
        if wrong:
            raise ValueError(f"clocks: correct and recheck start with the order, second_recheck with the announcement, got {wrong}")
        return self


class Windows(Rule):
    """How far back figures look."""

    repeat_days: int = Field(
        ge=1, description="failures of an enterprise within so many natural days before the as-of day are repeats of one another"
    )
    basis: Basis = Field(description="where the number comes from")


class BadAtLeast(Rule):
    """Lower bounds of bad figures; every one that is given must be reached, and at least one must be given."""

    failed_window: int | None = Field(None, ge=1, description="distinct failed batches within the window")
    repeat_failures: int | None = Field(None, ge=1, description="failed batches within the window beyond the first")
    failed_products: int | None = Field(None, ge=1, description="distinct products that failed within the window")
    recheck_failures: int | None = Field(None, ge=1, description="failed rechecks within the window")
    follow_up_failures: int | None = Field(None, ge=1, description="failed follow-up samples within the window")
    overdue: int | None = Field(None, ge=1, description="terms that are overdue")

    @model_validator(mode="after")
    def _something(self) -> BadAtLeast:
        if not self.bounds:
            raise ValueError("a rule needs at least one condition")
        return self

    @property
    def bounds(self) -> dict[str, int]:
        """Figure -> lower bound, of those that are given."""
        return {name: value for name in sorted(type(self).model_fields) if (value := getattr(self, name)) is not None}


class GoodRecord(Rule):
    """What a class better than the default asks for: many passed samples and hardly a bad figure."""

    passed_window: int = Field(ge=1, description="at least so many passed samples within the window")
    failed_window: int = Field(0, ge=0, description="at most so many failed batches within the window")
    recheck_failures: int = Field(0, ge=0, description="at most so many failed rechecks within the window")
    overdue: int = Field(0, ge=0, description="at most so many overdue terms")


class CreditRule(Rule):
    """One rule: who meets it is proposed for its class; the first rule that is met counts."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="unique name of the rule")
    credit_class: CreditClass = Field(description="class that is proposed")
    at_least: BadAtLeast | None = Field(None, description="for a class worse than the default")
    good: GoodRecord | None = Field(None, description="for a class better than the default")
    text: Text = Field(description="why, as shown")
    basis: Basis = Field(description="where the rule comes from")

    @model_validator(mode="after")
    def _one_kind(self) -> CreditRule:
        if (self.at_least is None) == (self.good is None):
            raise ValueError("a rule needs either at_least or good")
        return self


class CandidacyRule(Rule):
    """When an enterprise is a candidate for the list of serious violators: a pointer for a review, never a listing."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="unique name of the rule")
    at_least: BadAtLeast = Field(description="bad figures that must be reached")
    text: Text = Field(description="why, as shown")
    basis: Basis = Field(description="where the rule comes from")


class CreditRules(Rule):
    """From history to a proposed class."""

    basis: Basis = Field(description="where the scheme comes from")
    default: CreditClass = Field(description="class of an enterprise without one in force that meets no rule")
    listed: CreditClass = Field(description="no better class is proposed for an enterprise on the list of serious violators")
    max_improvement: int = Field(ge=0, le=3, description="classes by which a proposal may improve on the one in force")
    rules: tuple[CreditRule, ...] = Field(min_length=1, description="worst class first; the first rule that is met counts")
    candidacy: tuple[CandidacyRule, ...] = Field((), description="pointers to the list of serious violators; the first that is met counts")

    @model_validator(mode="after")
    def _monotone(self) -> CreditRules:
        problems: list[str] = []
        ranks = [rank(rule.credit_class) for rule in self.rules]
        if ranks != sorted(ranks, reverse=True):
            problems.append("rules must go from the worst class to the best, or more failures could give a better class")
        for rule in self.rules:
            if rule.at_least is not None and rank(rule.credit_class) <= rank(self.default):
                problems.append(f"rule {rule.id!r}: at_least is for a class worse than the default {self.default}, got {rule.credit_class}")
            if rule.good is not None and rank(rule.credit_class) >= rank(self.default):
                problems.append(f"rule {rule.id!r}: good is for a class better than the default {self.default}, got {rule.credit_class}")
        ids = [*(rule.id for rule in self.rules), *(rule.id for rule in self.candidacy)]
        problems += [f"rule {name!r} is there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Shrinkage(Rule):
    """When a stratum is large enough for its own rate and scatter."""

    min_samples: int = Field(ge=1, description="smaller strata take the rate and scatter of all samples")
    min_enterprises: int = Field(ge=2, description="strata of fewer enterprises take those of all samples")
    scatter_weight: float = Field(ge=0, description="weight of the prior against scatter between enterprises, Beta(1, 1 + weight); 0: none")
    level: float = Field(gt=0, lt=1, description="coverage of the intervals, as 0.95")
    basis: Basis = Field(description="where the numbers come from")


class EnterpriseRules(Rule):
    """``config/enterprises.yaml``."""

    version: str = Field(min_length=1, description="day of the last edit")
    clocks: Clocks = Field(description="terms after a failed spot check")
    windows: Windows = Field(description="how far back figures look")
    credit: CreditRules = Field(description="from history to a proposed class")
    shrinkage: Shrinkage = Field(description="enterprise rates against their stratum")
