"""Cells' rates drawn towards what the tree, the region and the stratum lead to expect, with honest intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.errors import RateError
from riskwatch.rates import mixture
from riskwatch.rates.cells import COUNTS, KEYS, tree_of
from riskwatch.rates.hierarchy import Belief, Hierarchy, Layout, fit_hierarchy
from riskwatch.rates.posterior import Posterior, posterior
from riskwatch.rates.rules import RateRules
from riskwatch.rates.strata import UNKNOWN

__all__ = ["Shared", "Shrunken", "complete", "shrink"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shared:
    """An error that several cells have in common, on the logit scale.

    Attributes
    ----------
    level : array of int, shape (cell,)
        Which part each cell has; -1 for none.
    variance : array, shape (level,)
    """

    level: IntArray
    variance: FloatArray


@dataclass(frozen=True, eq=False)
class Shrunken:
    """Cells with their rates.

    Attributes
    ----------
    cells : DataFrame
        The cells given, with ``rate, lower, upper`` (posterior mean and interval), ``prior_rate`` (without the cell's own samples),
        ``strength`` (samples the prior counts for), ``weight`` (share of the cell's own samples in its rate), ``variance``,
        ``own_variance`` and ``pull`` (see :class:`riskwatch.rates.posterior.Posterior`).
    a, b : array, shape (component, cell)
    weights : array, shape (component,)
        The posterior as a mixture of beta distributions.
    shared : tuple of Shared
    fits : dict of str to Hierarchy
        By selection.
    """

    cells: pd.DataFrame
    a: FloatArray
    b: FloatArray
    weights: FloatArray
    shared: tuple[Shared, ...] = ()
    fits: Mapping[str, Hierarchy] = field(default_factory=dict)


def complete(cells: pd.DataFrame, rows: str, over: Sequence[str]) -> pd.DataFrame:
    """Add the cells without samples: every value of ``rows`` with every combination of ``over`` that occurs anywhere.

    Returns
    -------
    DataFrame
        Sorted by ``rows`` and ``over``; counts of added cells are 0, their ``largest_share`` NaN, their ``correlation`` their stratum's.
    """
    keys = [rows, *over]
    combinations = cells[list(over)].drop_duplicates().sort_values(list(over), ignore_index=True)
    values = np.sort(cells[rows].unique().astype(object))
    grid = pd.DataFrame({rows: np.repeat(values, len(combinations))})
    for name in over:
        grid[name] = np.tile(combinations[name].to_numpy(dtype=object), len(values))
    out = grid.merge(cells, on=keys, how="left", validate="one_to_one")
    for name in COUNTS:
        if name == "largest_share":
            continue
        if name == "correlation":
            by_stratum = cells.groupby("stratum")["correlation"].first()
            out[name] = out[name].fillna(out["stratum"].map(by_stratum))
        else:
            out[name] = out[name].fillna(0).astype(cells[name].dtype)
    return out.sort_values(keys, ignore_index=True)


def shrink(
    cells: pd.DataFrame,
    trees: Mapping[str, Tree],
    rules: RateRules,
    *,
    along: str = "product",
    crossed: Sequence[str] | None = None,
    intervals: bool = True,
) -> Shrunken:
    """Fit cells along a tree and return each cell's rate.

    The prior of a cell is the rate of its code in the tree (itself drawn to its parent's, and so up to the root), moved by the effects of
    the other keys and of the stratum. Selections (random, targeted, ...) are fitted apart, whatever is given.

    Parameters
    ----------
    cells : DataFrame
        Of :func:`riskwatch.rates.cells.build_cells`; cells with no samples get their prior.
    trees : mapping of str to Tree
    rules : RateRules
    along : str
        Key column whose tree is gone along; "" if the cells have none (one root).
    crossed : sequence of str, optional
        Columns with effects of their own. Default: the other key columns and ``stratum``.
    intervals : bool
        False leaves ``lower`` and ``upper`` out: they take as long as the fit.

    Raises
    ------
    RateError
        If a column is absent.
    """
    keys = [name for name in KEYS if name in cells.columns]
    crossed = [name for name in (*keys, "stratum") if name != along] if crossed is None else list(crossed)
    absent = [name for name in ([along] if along else []) + crossed if name not in cells.columns]
    if absent:
        raise RateError(f"shrink: cells have no column {', '.join(absent)}", hint=f"columns: {', '.join(map(str, cells.columns))}")
    size = len(cells)
    selection = _selections(cells, rules)
    belief = Belief(**rules.shrinkage.model_dump())
    names = ("rate", "variance", "prior_rate", "strength", "weight", "pull", "own_variance")
    values = {name: np.full(size, np.nan) for name in names}
    a, b = np.ones((3, size)), np.ones((3, size))
    weights = np.ones(3) / 3.0
    levels = [np.full(size, -1, dtype=np.int64) for _ in range(1 + len(crossed))]
    variances: list[list[FloatArray]] = [[] for _ in levels]
    fits: dict[str, Hierarchy] = {}
    for name in sorted(set(selection.tolist())):
        rows = np.flatnonzero(selection == name)
        part = cells.iloc[rows]
        layout = _layout(part, trees, along, crossed)
        x, n = part["failed_eff"].to_numpy(np.float64), part["inspected_eff"].to_numpy(np.float64)
        fit = fits[name] = fit_hierarchy(x, n, layout, belief)
        found: Posterior = posterior(x, n, layout, fit)
        for key in names:
            values[key][rows] = getattr(found, key)
        a[:, rows], b[:, rows], weights = found.a, found.b, found.weights
        effects = [(layout.node, fit.eta_variance), *((at, e.variance) for at, e in zip(layout.crossed, fit.effects, strict=True))]
        for number, (at, variance) in enumerate(effects):
            start = sum(len(earlier) for earlier in variances[number])
            levels[number][rows] = np.where(at >= 0, at + start, -1)
            variances[number].append(variance)
    shared = tuple(Shared(at, np.concatenate(parts) if parts else np.empty(0)) for at, parts in zip(levels, variances, strict=True))
    out = Shrunken(cells.assign(**values), a, b, weights, shared, fits)
    if not intervals:
        return out
    lower, upper = mixture.interval(a, b, weights, rules.interval_level)
    return Shrunken(out.cells.assign(lower=lower, upper=upper), a, b, weights, shared, fits)


def _selections(cells: pd.DataFrame, rules: RateRules) -> npt.NDArray[np.object_]:
    if "stratum" not in cells.columns:
        raise RateError("shrink: cells have no column stratum", hint="make them with build_cells")
    if "selection" not in rules.strata:
        return np.full(len(cells), UNKNOWN, dtype=object)
    place = rules.strata.index("selection")
    code, labels = pd.factorize(cells["stratum"])
    return np.asarray(np.array([str(label).split("|")[place] for label in labels], dtype=object)[code])


def _layout(cells: pd.DataFrame, trees: Mapping[str, Tree], along: str, crossed: Sequence[str]) -> Layout:
    size = len(cells)
    groups = tuple(pd.factorize(cells[name].to_numpy(dtype=object), sort=True)[0].astype(np.int64) for name in crossed)
    if not along:
        return Layout(np.array([-1]), np.array([0]), np.zeros(size, dtype=np.int64), groups)
    code, labels = pd.factorize(cells[along].to_numpy(dtype=object), sort=True)
    # A code that is one cell hangs on its parent; one that holds several is a node itself.
    alone = len(labels) == size
    tree = tree_of(trees, along)
    parent, depth, node = _nodes(tree, np.asarray(labels, dtype=object), leaves=not alone)
    return Layout(parent, depth, node[code], groups)


def _nodes(tree: Tree, labels: npt.NDArray[np.object_], *, leaves: bool) -> tuple[IntArray, IntArray, IntArray]:
    """Return parents and depths of the nodes, and the node of each label.

    Levels at which all labels have one and the same ancestor add nothing and are left out.
    """
    own = np.array([str(tree.level_of(str(label))) if label in tree else "" for label in labels], dtype=object)
    node = np.zeros(len(labels), dtype=np.int64)
    parents, depths = [np.array([-1])], [np.array([0])]
    count, deep = 1, 0
    for level in tree.levels:
        above = np.asarray(tree.ancestor_at(labels, level), dtype=object)
        above = np.where(own == level, "", above)
        some = above != ""
        names, place = np.unique(above[some].astype(str), return_inverse=True)
        if len(names) < 2 and some.all():
            continue
        if not some.any():
            continue
        deep += 1
        first = np.full(len(names), 0, dtype=np.int64)
        first[place] = node[some]  # all labels below one code have the same node above it
        parents.append(first)
        depths.append(np.full(len(names), deep))
        node[some] = count + place
        count += len(names)
    if leaves:
        parents.append(node.copy())
        depths.append(np.full(len(labels), deep + 1))
        node = count + np.arange(len(labels))
    return np.concatenate(parents).astype(np.int64), np.concatenate(depths).astype(np.int64), node
