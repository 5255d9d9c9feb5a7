"""Terms as series of a panel, and what a table of emerging terms says of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from riskwatch.calendar import Frequency, period_bounds, period_of, periods_from_numbers
from riskwatch.detectors import REASONS
from riskwatch.detectors.log_odds import log_odds
from riskwatch.detectors.log_odds_dirichlet import LogOddsDirichlet
from riskwatch.dimensions import Tree
from riskwatch.errors import PanelError
from riskwatch.panel import BuiltPanel, Panel, SilenceRule
from riskwatch.texts.corpus import Corpus, build_corpus
from riskwatch.texts.nodes import catch_alls, deepest_nodes, leading_codes, uncoded, within
from riskwatch.texts.rules import TextRules
from riskwatch.texts.tokens import Tokeniser, language_of

__all__ = ["EMERGING_COLUMNS", "STRATUM", "TermPanel", "emerging", "term_panel", "with_context"]

STRATUM = "term"
EMERGING_COLUMNS = [
    "term", "language", "alike", "same_as", "product", "records_now", "records_before", "share_now", "share_before", "log_odds", "z",
    "p_value", "q_value", "alarm", "products", "regions", "reporters", "period_start", "period_end",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class TermPanel:
    """A panel with one series for each term, and the records behind it.

    Attributes
    ----------
    built : BuiltPanel
        Index (product, industry, region, stratum): the term's product node, "", "", ``term=<term>``. ``observed`` are records that hold
        the term, ``exposure`` all records with a text; with a counted measure those that have it, of those that hold the term.
    corpus : Corpus
        Records by terms, in the panel's order of series.
    records : DataFrame
        The corpus' records: ``event_date`` and the columns of products, record id, region and reporter, where the frame has them.
    period : array of int, shape (record,)
        Position of each record's period.
    product_fields : tuple of str
    """

    built: BuiltPanel
    corpus: Corpus
    records: pd.DataFrame
    period: npt.NDArray[np.int64]
    product_fields: tuple[str, ...]


def term_panel(
    frame: pd.DataFrame,
    *,
    field: str,
    rules: TextRules,
    tokeniser: Tokeniser,
    trees: Mapping[str, Tree],
    frequency: Frequency,
    until: dt.date,
    start: dt.date | None = None,
    product_fields: Sequence[str] = ("product",),
    reporter: str = "",
    recent_periods: int = 1,
    known: Collection[str] = (),
    counted: str = "",
    only_uncoded: bool = False,
) -> TermPanel:
    """Count the records that hold each term by period.

    Parameters
    ----------
    frame : DataFrame
        Records: ``event_date``, ``field``, and, if there, ``region``, the product fields and ``reporter``.
    field : str
        The text; records without one are left aside.
    rules : TextRules
        Which terms become series: those that enough records, of enough reporters, hold in the whole history.
    tokeniser : Tokeniser
        It scrubs each text before it cuts it.
    trees : mapping
        ``product``, for the node of each term.
    frequency, until, start
        As :func:`riskwatch.panel.build_panel`.
    product_fields : sequence of str
    reporter : str
        Column of who wrote the text (hospital): a word that one of them alone uses is a habit, not news. "": not known.
    recent_periods : int
        A term's product node is that of its records in so many newest periods, or of all its records where there are none.
    known : collection of str
        Terms that make no series: names in the product tree, whose products are watched by code.
    counted : str
        Column of a measure (failed samples). ``observed`` are then records that hold the term and have the measure above 0, ``exposure``
        all records that hold the term. "": records that hold the term, of all records.
    only_uncoded : bool
        Read only records without a product, or with none but those of ``rules.catch_all``.

    Raises
    ------
    PanelError
        If a column is absent, or no period is complete by ``until``.
    """
    asked = ("event_date", field, *product_fields, *(name for name in (reporter, counted) if name))
    absent = [name for name in asked if name not in frame.columns]
    if absent:
        raise PanelError(f"term_panel: frame lacks the column(s) {', '.join(absent)}")
    texts = frame[field].astype("object")
    given = (texts.notna() & (texts != "")).to_numpy()
    if only_uncoded:
        others = catch_alls(trees["product"], rules.catch_all) if "product" in trees else frozenset()
        given = given & uncoded([frame[name] for name in product_fields], others)
    when = period_of(frame["event_date"].to_numpy(), frequency)
    end = int(period_of([np.datetime64(until, "D") + 1], frequency)[0])
    if start is not None:
        first = int(period_of([np.datetime64(start, "D") - 1], frequency)[0]) + 1
    else:
        first = int(when.min()) if len(when) else end - 1
    if first >= end:
        raise PanelError(
            f"term_panel: no {frequency} period is complete between {start or 'the first record'} and {until}",
            hint="widen the dates; unfinished periods are left out",
        )
    periods = periods_from_numbers(np.arange(first, end), frequency)
    rows = np.flatnonzero(given & (when >= first) & (when < end))
    kept = ["event_date", *product_fields, *(name for name in ("record_id", "region", reporter, counted) if name and name in frame.columns)]
    records = frame.iloc[rows][list(dict.fromkeys(kept))].reset_index(drop=True)
    period = (when[rows] - first).astype(np.int64)
    names = {name.lower() for name in known}
    made = build_corpus(
        [[term for term in part if term not in names] for part in tokeniser.all_terms([str(text) for text in texts.iloc[rows]])],
        minimum_records=rules.minimum_records,
        maximum_share=rules.maximum_share,
        alike=rules.alike,
    )
    corpus = _of_several(made, records[reporter], rules.minimum_reporters) if reporter else made
    nodes = _nodes(corpus, records, period, rules, trees, product_fields=product_fields, since=len(periods) - recent_periods)
    size = len(periods)
    in_period = sparse.csr_matrix((np.ones(len(period), np.int64), (np.arange(len(period)), period)), shape=(len(period), size))
    holding = _by_period(corpus.matrix, in_period)
    total = np.bincount(period, minlength=size).astype(np.float64)
    exposure = np.broadcast_to(total, holding.shape).copy()
    observed = holding
    if counted:
        some = sparse.diags((records[counted].fillna(0).to_numpy(dtype=np.float64) > 0).astype(np.float64))
        observed, exposure = _by_period(corpus.matrix, some @ in_period), holding
    silent = (total == 0) & (np.median(total) >= SilenceRule().typical_records)
    observed[:, silent], exposure[:, silent] = np.nan, np.nan
    blank = [""] * len(corpus.terms)
    index = pd.MultiIndex.from_arrays(
        [nodes.tolist(), blank, blank, [f"{STRATUM}={term}" for term in corpus.terms]], names=["product", "industry", "region", "stratum"]
    )
    panel = Panel(observed, index, periods, exposure)
    return TermPanel(BuiltPanel(panel, _nothing_rolled_up(), periods[silent]), corpus, records, period, tuple(product_fields))


def _by_period(matrix: sparse.csr_matrix, in_period: sparse.csr_matrix) -> npt.NDArray[np.float64]:
    """Return how many records hold each term in each period, shape (term, period)."""
    return np.asarray((matrix.T @ in_period).todense(), dtype=np.float64).reshape(matrix.shape[1], in_period.shape[1])


def _of_several(corpus: Corpus, reporter: pd.Series, minimum: int) -> Corpus:
    """Leave out terms that fewer reporters use; without any reporter named, nothing."""
    codes, labels = pd.factorize(reporter)
    if not len(labels):
        return corpus
    stay = np.flatnonzero(_reporters(corpus.matrix, codes, len(labels)) >= minimum)
    return Corpus(tuple(corpus.terms[at] for at in stay), corpus.matrix[:, stay].tocsr(), tuple(corpus.alike[at] for at in stay))


def _reporters(matrix: sparse.csr_matrix, codes: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.int64]:
    """Return by how many reporters each term is used."""
    known = np.flatnonzero(codes >= 0)
    of = sparse.csr_matrix((np.ones(len(known), np.int64), (known, codes[known])), shape=(len(codes), size))
    return np.asarray((matrix.T @ of > 0).sum(axis=1)).ravel().astype(np.int64)


def _nodes(
    corpus: Corpus,
    records: pd.DataFrame,
    period: npt.NDArray[np.int64],
    rules: TextRules,
    trees: Mapping[str, Tree],
    *,
    product_fields: Sequence[str],
    since: int,
) -> npt.NDArray[np.object_]:
    tree = trees.get("product")
    if tree is None or not product_fields or not corpus.terms:
        return np.full(len(corpus.terms), "", dtype=object)
    inside = within([records[name] for name in product_fields], tree)
    newest = np.flatnonzero(period >= since)
    recent = deepest_nodes(corpus.matrix[newest], inside[newest], tree, rules.node_share)
    ever = deepest_nodes(corpus.matrix, inside, tree, rules.node_share)
    held = np.asarray(corpus.matrix[newest].sum(axis=0)).ravel() > 0
    return np.where(held, recent, ever)


def _nothing_rolled_up() -> pd.DataFrame:
    columns = (
        "level",
        "product",
        "industry",
        "region",
        "stratum",
        "parent_product",
        "parent_industry",
        "parent_region",
        "total",
        "active_periods",
        "reason",
    )
    return pd.DataFrame({name: pd.Series(dtype="float64" if name in {"total", "active_periods"} else "object") for name in columns})


def emerging(found: TermPanel, method: LogOddsDirichlet, *, rules: TextRules, reporter: str = "", most: int = 3) -> pd.DataFrame:
    """Return the terms of the newest period by how much they have emerged, the least likely chance first.

    Parameters
    ----------
    found : TermPanel
    method : LogOddsDirichlet
        The detector; its window ends with the panel's newest period.
    rules : TextRules
    reporter : str
        As for :func:`term_panel`.
    most : int
        Products and regions that are listed for each term.

    Returns
    -------
    DataFrame
        :data:`EMERGING_COLUMNS`, all terms that were judged or refused for being few. ``share_*`` are shares of all records;
        ``q_value`` is Benjamini and Hochberg's over all these terms; ``alike`` are terms joined with this one (of the same records);
        ``same_as`` is a stronger emerging term of which the window's records are the same; ``products`` and ``regions`` are tuples of
        (code, records) of the window, none of fewer records than ``rules.show_from``; ``reporters`` how many wrote it in the window
        (0 where not known).
    """
    from scipy.stats import false_discovery_control  # noqa: PLC0415 - slow to import

    panel = found.built.panel
    signals = method.detect(panel)
    compared = method.compare(panel, len(panel.periods) - 1)
    reason = signals.reason[:, 0]
    tested = (reason == 0) | (reason == REASONS.index("too-few-cases"))
    p = np.where(reason == 0, signals.p_value[:, 0], 1.0)
    delta, z = log_odds(compared.now, compared.before, n_now=compared.n_now, n_before=compared.n_before, prior=method.prior_records)
    begin = period_bounds(panel.periods)[0][-min(method.window_periods, len(panel.periods))].item()
    finish = period_bounds(panel.periods)[1][-1].item()
    q = np.full(len(p), np.nan)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    with np.errstate(divide="ignore", invalid="ignore"):
        table = pd.DataFrame(
            {
                "term": list(found.corpus.terms),
                "language": [language_of(term) for term in found.corpus.terms],
                "alike": list(found.corpus.alike),
                "product": panel.index.get_level_values("product").to_numpy(dtype=object),
                "records_now": compared.now.astype(np.int64),
                "records_before": compared.before.astype(np.int64),
                "share_now": compared.now / compared.n_now,
                "share_before": compared.before / compared.n_before,
                "log_odds": delta,
                "z": z,
                "p_value": p,
                "q_value": q,
                "alarm": signals.alarm[:, 0],
                "period_start": begin,
                "period_end": finish,
                "position": np.arange(len(p)),
            }
        )
    table = table.loc[tested].sort_values(["p_value", "z", "term"], ascending=[True, False, True], kind="stable", ignore_index=True)
    window = np.flatnonzero(found.period >= len(panel.periods) - method.window_periods)
    table = with_context(table, found, window, rules, reporter=reporter, most=most)
    return table[EMERGING_COLUMNS]


def with_context(
    table: pd.DataFrame, found: TermPanel, window: npt.NDArray[np.intp], rules: TextRules, *, reporter: str, most: int
) -> pd.DataFrame:
    """Add what the window's records say of each term: products, regions, reporters, and which stronger term they belong to."""
    newest = found.corpus.matrix[window].tocsc()
    products: list[tuple[tuple[str, int], ...]] = []
    regions: list[tuple[tuple[str, int], ...]] = []
    reporters: list[int] = []
    same_as: list[str] = []
    stronger: list[tuple[str, frozenset[int]]] = []
    has_region = "region" in found.records.columns
    for term, position, alarm in zip(table["term"].tolist(), table["position"].tolist(), table["alarm"].tolist(), strict=True):
        held = newest.indices[newest.indptr[position] : newest.indptr[position + 1]]
        at = window[held]
        if not alarm:
            products.append(())
            regions.append(())
            same_as.append("")
            reporters.append(0)
            continue
        columns = [found.records[name] for name in found.product_fields]
        products.append(tuple(leading_codes(at, columns, most=most, minimum=rules.show_from)) if columns else ())
        regions.append(tuple(leading_codes(at, [found.records["region"]], most=most, minimum=rules.show_from)) if has_region else ())
        reporters.append(int(found.records[reporter].iloc[at].nunique()) if reporter else 0)
        own = frozenset(held.tolist())
        same_as.append(next((name for name, other in stronger if len(own & other) >= rules.alike * len(own | other)), ""))
        if not same_as[-1]:
            stronger.append((term, own))
    found_here = {"products": products, "regions": regions, "reporters": reporters, "same_as": same_as}
    return table.assign(**{name: pd.Series(values, index=table.index, dtype="object") for name, values in found_here.items()})
