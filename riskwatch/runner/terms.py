"""Terms of a model as of a day: its texts from the store, the rules from ``config/texts.yaml``; emerging terms and themes as tables."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors import detector, memory_of
from riskwatch.detectors.log_odds_dirichlet import LogOddsDirichlet
from riskwatch.errors import ProjectError
from riskwatch.runner.context import RunContext
from riskwatch.texts import THEME_COLUMNS, TermPanel, TextRules, Tokeniser, emerging, failing, term_panel, themes

__all__ = ["REPORTERS", "TermsFound", "model_terms", "names_hash", "term_models", "term_rules", "terms_of"]

# Who stands behind the texts of a stream, where it is known: a word of one hospital alone is its habit, one of one producer alone its
# brand, which would name the firm.
REPORTERS = {"injury": "hospital", "spot_check": "producer"}


@dataclass(frozen=True, eq=False)
class TermsFound:
    """What the terms of one model say: emerging terms (``texts.EMERGING_COLUMNS``) and themes (``texts.THEME_COLUMNS``)."""

    model: str
    emerging: pd.DataFrame
    themes: pd.DataFrame


def term_rules(ctx: RunContext) -> TextRules:
    """Return ``config/texts.yaml``.

    Raises
    ------
    ProjectError
        If the project has none.
    """
    content = ctx.definitions.catalogue("texts")
    if not content:
        raise ProjectError("this project has no config/texts.yaml", hint="riskwatch init writes one to copy")
    return TextRules.model_validate(content)


def _names(ctx: RunContext) -> list[str]:
    """Return the Chinese names of the product tree: words to keep in one piece."""
    tree = ctx.trees.get("product")
    return [] if tree is None else sorted({str(name) for name in tree.name_zh if name})


def _tokeniser(ctx: RunContext, rules: TextRules) -> Tokeniser:
    """Return the tokeniser of the project: its dictionary takes seconds to load, and each distinct text is cut once."""
    names = _names(ctx)
    key = f"tokeniser {hashlib.sha256(repr((rules.tokens, names)).encode()).hexdigest()}"
    made: Tokeniser = ctx.kept.get(key) or Tokeniser(rules.tokens, names)
    ctx.kept[key] = made
    return made


def _known(ctx: RunContext) -> frozenset[str]:
    """Return the names in the product tree, in both languages: not new."""
    tree = ctx.trees.get("product")
    return frozenset() if tree is None else frozenset(map(str, (*tree.name_zh, *tree.name_en)))


def names_hash(ctx: RunContext) -> str:
    """Return a hash of the words that the cutting of texts rests on besides the rules."""
    return hashlib.sha256("\n".join(sorted(_known(ctx))).encode()).hexdigest()


def model_terms(ctx: RunContext, model: ModelDefinition, days: tuple[dt.date, dt.date]) -> TermPanel:
    """Return the term panel of a model over the first and last of ``days``.

    Raises
    ------
    ProjectError
        If the model has no terms, or the project no ``config/texts.yaml``.
    """
    if model.terms is None:
        raise ProjectError(f'model "{model.name}" has no terms', hint=f"models that have: {', '.join(term_models(ctx)) or 'none'}")
    rules = term_rules(ctx)
    reporter = REPORTERS.get(model.stream, "")
    columns = [
        "record_id",
        "event_date",
        "region",
        model.terms.field,
        *model.product_fields,
        *(name for name in (reporter, model.terms.counted) if name),
    ]
    frame = ctx.store.read_records(
        model.stream,
        columns=list(dict.fromkeys(columns)),
        as_of=ctx.as_of,
        where=model.where or None,
        between=model.between or None,
        sources=model.sources or None,
        since=days[0],
        until=days[1],
    )
    first = frame["event_date"].min() if len(frame) else None
    method = detector(model.detector, **model.parameters)
    return term_panel(
        frame,
        field=model.terms.field,
        rules=rules,
        tokeniser=_tokeniser(ctx, rules),
        trees=ctx.trees,
        frequency=model.frequency,
        start=days[0] if first is None or pd.Timestamp(first).date() <= days[0] + dt.timedelta(days=31) else None,
        until=days[1],
        product_fields=model.product_fields,
        reporter=reporter,
        known=_known(ctx),
        recent_periods=memory_of(method, model.frequency),
        counted=model.terms.counted,
        only_uncoded=model.terms.uncoded,
    )


def term_models(ctx: RunContext) -> list[str]:
    """Return the names of the models in force that watch terms."""
    return [name for name, model in ctx.definitions.models.items() if model.terms is not None]


def terms_of(ctx: RunContext, model: ModelDefinition, days: tuple[dt.date, dt.date], *, with_themes: bool = False) -> TermsFound:
    """Return the emerging terms, and if asked for the themes, of a model over the first and last of ``days``.

    Raises
    ------
    ProjectError
        If the model's detector is none of terms.
    """
    method = detector(model.detector, **model.parameters)
    counted = model.terms.counted if model.terms is not None else ""
    if not counted and not isinstance(method, LogOddsDirichlet):
        raise ProjectError(
            f'model "{model.name}" watches terms with {model.detector}',
            hint="words need log-odds-dirichlet, or terms.counted and a detector of shares",
        )
    rules, reporter = term_rules(ctx), REPORTERS.get(model.stream, "")
    found = model_terms(ctx, model, days)
    if isinstance(method, LogOddsDirichlet) and not counted:
        table = emerging(found, method, rules=rules, reporter=reporter)
    else:
        table = failing(found, method, counted=counted, frequency=model.frequency, rules=rules, reporter=reporter)
    # The absolute floors of the model hold here as they do for its signals.
    newest = found.built.panel.observed[:, -1]
    counts = dict(zip(found.corpus.terms, newest.tolist(), strict=True))
    enough = np.array([counts[term] >= model.min_observed for term in table["term"]], np.bool_)
    enough &= (table["share_now"] >= model.min_relative_risk * table["share_before"].fillna(0.0)).to_numpy(np.bool_)
    table["alarm"] &= enough
    for name, tree in (("product", ctx.trees.get("product")),):
        for language in ("zh", "en"):
            table[f"{name}_{language}"] = [tree.name(code, language) if tree is not None and code in tree else code for code in table[name]]
    return TermsFound(
        model.name, table, _themes(found, memory_of(method, model.frequency), rules) if with_themes else pd.DataFrame(columns=THEME_COLUMNS)
    )


def _themes(found: TermPanel, window: int, rules: TextRules) -> pd.DataFrame:
    size = len(found.built.panel.periods)
    begin = size - window
    return themes(found.corpus, found.period >= begin, found.period < begin, rules.themes)
