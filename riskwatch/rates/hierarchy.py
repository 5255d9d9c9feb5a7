"""Rates along a tree, with effects that cross it: fitted for all nodes together.

The rate of a cell scatters as Beta(m S, (1 - m) S) around logit(m) = eta(node) + effects. The eta of a node scatters around its parent's
with a
variance of its level, root to lowest; crossed effects (region, stratum) scatter around zero; log S of the lowest nodes scatters around a
common value. All variances are fitted. The posterior of every part is taken as normal on these scales.

Sources
-------
Penalised quasi-likelihood by repeated working responses: Breslow & Clayton (1993), J. Amer. Statist. Assoc. 88(421), 9-25. Smoothing along
a tree by one pass up and one down: Chou, Willsky & Benveniste (1994), IEEE Trans. Automatic Control 39(3), 464-478. Variances by EM,
held off
zero by a weak prior, since a variance fitted as zero makes intervals too short: Chung et al. (2013), Psychometrika 78(4), 685-709.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.rates.blocks import over_blocks
from riskwatch.rates.likelihood import LOG_STRENGTH, check_counts, derivatives, quasi_information
from riskwatch.rates.sums import sums

__all__ = ["Belief", "Effect", "Hierarchy", "Layout", "fit_hierarchy", "smooth"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_BLOCK = 16_384
_ROOT_VARIANCE = 4.0  # of logit(rate) and log(strength) before any sample is seen
_SWEEPS = 3
_PASSES = 40
_DONE = 0.02


@dataclass(frozen=True, slots=True)
class Belief:
    """What to believe before any sample is seen; each outweighed by a few samples or nodes.

    Parameters
    ----------
    rate, strength : float
        Centre of the root's rate, and of the strengths (in samples), each with standard deviation 2 on the logit and log scale.
    spread : float
        Standard deviation on the logit scale between a node and its parent, and of crossed effects.
    strength_spread : float
        Standard deviation of log(strength) between the lowest nodes.
    weight : float
        Number of nodes that the two spreads count for.
    """

    rate: float = 0.05
    strength: float = 20.0
    spread: float = 0.4
    strength_spread: float = 0.5
    weight: float = 2.0


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each cell belongs.

    Parameters
    ----------
    parent : array of int, shape (node,)
        Parent of each node; the root is node 0 and has -1; parents come before their children.
    depth : array of int, shape (node,)
        0 for the root.
    node : array of int, shape (cell,)
        Lowest node that each cell hangs on.
    crossed : tuple of array of int, shape (cell,)
        Number of the level of each crossed effect; -1 for none.
    """

    parent: IntArray
    depth: IntArray
    node: IntArray
    crossed: tuple[IntArray, ...] = ()


@dataclass(frozen=True, eq=False)
class Effect:
    """One crossed effect on the logit scale; arrays of shape (level,). ``spread`` is the fitted standard deviation between levels."""

    value: FloatArray
    variance: FloatArray
    spread: float


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A fitted hierarchy.

    Attributes
    ----------
    eta, eta_variance : array, shape (node,)
        Logit of each node's rate.
    psi, psi_variance : array, shape (node,)
        Log strength of the cells that hang on each node.
    effects : tuple of Effect
    spread : array, shape (depth,)
        Fitted standard deviation between a node of that depth and its parent; the root's is its prior's.
    passes : int
    converged : bool
    """

    eta: FloatArray
    eta_variance: FloatArray
    psi: FloatArray
    psi_variance: FloatArray
    effects: tuple[Effect, ...]
    spread: FloatArray
    passes: int
    converged: bool


def smooth(
    layout_parent: IntArray, depth: IntArray, value: FloatArray, precision: FloatArray, variance: FloatArray, *, centre: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of each node given all observations, and the expected square of its distance to its parent.

    Parameters
    ----------
    layout_parent, depth : array of int, shape (node,)
        As in :class:`Layout`.
    value, precision : array, shape (node,)
        One observation of each node; precision 0 where there is none.
    variance : array, shape (depth,)
        Variance between a node of that depth and its parent; of the root around ``centre``.
    centre : float

    Returns
    -------
    mean, variance, squared : array, shape (node,)
        ``squared`` is NaN for nodes with nothing observed at or below them.
    """
    nodes = len(depth)
    own = precision.copy()
    total = precision * value
    by_depth = [np.flatnonzero(depth == level) for level in range(len(variance))]
    for level in range(len(variance) - 1, 0, -1):
        here = by_depth[level]
        sent = own[here] / (1.0 + own[here] * variance[level])
        with np.errstate(invalid="ignore", divide="ignore"):
            at = np.where(own[here] > 0, total[here] / own[here], 0.0)
        own = own + sums(layout_parent[here], sent, nodes)
        total = total + sums(layout_parent[here], sent * at, nodes)
    mean, spread, squared = np.empty(nodes), np.empty(nodes), np.full(nodes, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        local = np.where(own > 0, total / own, 0.0)
    for level, here in enumerate(by_depth):
        above_mean = np.full(len(here), centre) if level == 0 else mean[layout_parent[here]]
        above_variance = np.zeros(len(here)) if level == 0 else spread[layout_parent[here]]
        share = 1.0 / (1.0 + own[here] * variance[level])  # of the parent
        mean[here] = share * above_mean + (1.0 - share) * local[here]
        spread[here] = share * variance[level] + share**2 * above_variance
        distance = (mean[here] - above_mean) ** 2 + share * variance[level] + (1.0 - share) ** 2 * above_variance
        squared[here] = np.where(own[here] > 0, distance, np.nan)
    return mean, spread, squared


def _variances(squared: FloatArray, depth: IntArray, old: FloatArray, belief: float, weight: float) -> FloatArray:
    """One EM step of the variance of each depth; the root's stays."""
    seen = np.isfinite(squared)
    count = np.bincount(depth[seen], minlength=len(old))
    total = sums(depth[seen], squared[seen], len(old))
    new = (total + weight * belief**2) / (count + weight)
    new[0] = old[0]
    return np.asarray(new)


@dataclass(eq=False)
class _State:
    eta: FloatArray
    eta_variance: FloatArray
    psi: FloatArray
    psi_variance: FloatArray
    effects: list[FloatArray]
    effect_variances: list[FloatArray]
    between: FloatArray
    strengths: FloatArray
    crossed: FloatArray
    last: FloatArray  # newest moves of psi, and how long they may be
    reach: FloatArray


def fit_hierarchy(x: FloatArray, n: FloatArray, layout: Layout, belief: Belief | None = None) -> Hierarchy:
    """Fit nodes, effects, strengths and all variances.

    Parameters
    ----------
    x, n : array, shape (cell,)
        Failures and samples, possibly fractions; cells with n = 0 add nothing.
    layout : Layout
    belief : Belief, optional

    Notes
    -----
    Each pass takes exact gradients of the beta-binomial likelihood at all cells, makes working responses of them, and solves the normal
    model for these by going round tree and effects a few times. The fixed point does not depend on the working weights.

    Raises
    ------
    RateError
        If counts are out of range.
    """
    belief = belief or Belief()
    check_counts(x, n)
    order = np.lexsort((x, n, *layout.crossed, layout.node))  # the same sums whatever the order of the cells
    order = order[n[order] > 0]
    x, n, node = x[order], n[order], layout.node[order]
    crossed = [part[order] for part in layout.crossed]
    nodes, depths = len(layout.parent), int(layout.depth.max()) + 1
    levels = [int(part.max(initial=-1)) + 1 for part in layout.crossed]
    state = _State(
        np.full(nodes, special.logit(belief.rate)), np.full(nodes, _ROOT_VARIANCE),
        np.full(nodes, np.log(belief.strength)), np.full(nodes, _ROOT_VARIANCE),
        [np.zeros(size) for size in levels], [np.full(size, belief.spread**2) for size in levels],
        np.array([_ROOT_VARIANCE, *[belief.spread**2] * (depths - 1)]),
        np.array([_ROOT_VARIANCE, belief.strength_spread**2]),
        np.full(len(levels), belief.spread**2),
        np.zeros(nodes), np.ones(nodes),
    )  # fmt: skip
    if len(x):
        overall = (x.sum() + 0.5) / (n.sum() + 1.0)
        state.eta[:] = special.logit(overall)
    converged, passes = False, 0
    while passes < _PASSES and not converged:
        passes += 1
        before = state.eta.copy(), state.psi.copy(), [part.copy() for part in state.effects]
        _advance(state, x, n, node, crossed, layout=layout, belief=belief)
        # Moves are measured by what is not known: a fiftieth of a standard error changes no interval.
        moved = [_moved(state.eta, before[0], state.eta_variance), 0.3 * _moved(state.psi, before[1], state.psi_variance)]
        moved += [_moved(new, old, spread) for new, old, spread in zip(state.effects, before[2], state.effect_variances, strict=True)]
        converged = max(moved) < _DONE
    return Hierarchy(
        state.eta, state.eta_variance, state.psi, state.psi_variance,
        tuple(
            Effect(value, variance, float(np.sqrt(spread)))
            for value, variance, spread in zip(state.effects, state.effect_variances, state.crossed.tolist(), strict=True)
        ),
        np.sqrt(state.between), passes, converged,
    )  # fmt: skip


def _moved(new: FloatArray, old: FloatArray, variance: FloatArray) -> float:
    return float((np.abs(new - old) / np.sqrt(variance)).max(initial=0.0))


def _offset(effects: list[FloatArray], crossed: list[IntArray], size: int) -> FloatArray:
    out = np.zeros(size)
    for value, at in zip(effects, crossed, strict=True):
        out += np.append(value, 0.0)[at]
    return out


def _advance(
    state: _State, x: FloatArray, n: FloatArray, node: IntArray, crossed: list[IntArray], *, layout: Layout, belief: Belief
) -> None:
    """One pass: gradients at every cell, then a few rounds over tree, effects and variances on the working responses."""
    size, nodes = len(x), len(layout.parent)
    start = state.eta[node] + _offset(state.effects, crossed, size)
    gradient, by_psi, weight, eta_eta, psi_psi = (np.empty(size) for _ in range(5))

    unsure = state.eta_variance[node] + _offset(state.effect_variances, crossed, size)

    def work(at: slice) -> tuple[FloatArray, ...]:
        psi = state.psi[node[at]]
        found = derivatives(x[at], n[at], start[at], psi)
        information = quasi_information(n[at], start[at], psi)
        rho = 1.0 / (np.exp(psi) + 1.0)
        scatter = (n[at] - 1.0) * rho
        # Fitted means follow the samples and make them look less scattered than they are: the adjustment for it (as in REML).
        adjusted = found[1] - 0.5 * unsure[at] * information * scatter * (1.0 - rho) / (1.0 + scatter)
        # The mode of a logit lies above its mean where failures are few, and rates at the mode plus its spread would be too high: with the
        # third derivative the fixed point is the mean, and fitted and observed failures agree.
        mean = special.expit(start[at])
        by_eta = found[0] - 0.5 * np.minimum(unsure[at], 1.0) * information * (1.0 - 2.0 * mean)
        return by_eta, adjusted, information, found[2], found[3]

    over_blocks(work, size, (gradient, by_psi, weight, eta_eta, psi_psi), _BLOCK)
    # The observed information of a node, shared out over its cells by the expected one, which is positive everywhere.
    by_node = sums(node, weight, nodes)
    ratio = np.clip(sums(node, eta_eta, nodes) / np.maximum(by_node, 1e-300), 0.5, 3.0)
    weight *= ratio[node]
    by_node *= ratio
    # The residual is kept up to date as parts move: r = gradient - weight x (move of the linear predictor).
    residual = gradient.copy()
    for _ in range(_SWEEPS):
        pull = sums(node, residual, nodes)
        value = state.eta + pull / np.maximum(by_node, 1e-300)
        new, state.eta_variance, squared = smooth(
            layout.parent, layout.depth, np.where(by_node > 0, value, 0.0), by_node, state.between, centre=float(special.logit(belief.rate))
        )
        state.between = _variances(squared, layout.depth, state.between, belief.spread, belief.weight)
        move = np.clip(new - state.eta, -1.0, 1.0)
        state.eta = state.eta + move
        residual -= weight * move[node]
        for number, at in enumerate(crossed):
            inside = at >= 0
            levels = len(state.effects[number])
            information = sums(at[inside], weight[inside], levels)
            pull = sums(at[inside], residual[inside], levels)
            variance = 1.0 / (information + 1.0 / state.crossed[number])
            old = state.effects[number]
            move = np.clip(variance * (pull + information * old) - old, -1.0, 1.0)
            state.effects[number] = old + move
            state.effect_variances[number] = variance
            seen = information > 0
            total = float((state.effects[number][seen] ** 2 + variance[seen]).sum())
            state.crossed[number] = (total + belief.weight * belief.spread**2) / (seen.sum() + belief.weight)
            # What all levels share belongs to the root: said at once, which going round would take many passes to find.
            common = float(state.effects[number][seen].mean()) if seen.any() else 0.0
            state.effects[number][seen] -= common
            state.eta = state.eta + common
            residual -= weight * np.append(move, common)[at]
    _strengths(state, sums(node, by_psi, nodes), sums(node, psi_psi, nodes), by_node, belief)


def _strengths(state: _State, gradient: FloatArray, observed: FloatArray, weight: FloatArray, belief: Belief) -> None:
    """Move log strengths by one step towards their posterior mode."""
    # The likelihood is not concave in psi everywhere. The slope counts in full, as an observation that lies at most four away: cutting the
    # long pulls of the few groups that show scatter would make all cells look more alike than they are.
    precision = np.where(weight > 0, np.maximum(np.maximum(observed, np.abs(gradient) / 4.0), 1e-9), 0.0)
    nodes = len(gradient)
    parent = np.concatenate([[-1], np.zeros(nodes, dtype=np.int64)])
    depth = np.concatenate([[0], np.ones(nodes, dtype=np.int64)])
    value = state.psi + gradient / np.maximum(precision, 1e-9)
    found, variance, squared = smooth(
        parent,
        depth,
        np.append(0.0, np.where(precision > 0, value, 0.0)),
        np.append(0.0, precision),
        state.strengths,
        centre=np.log(belief.strength),
    )
    state.strengths = _variances(squared, depth, state.strengths, belief.strength_spread, 2.0 * belief.weight)
    # Means and strengths pull at each other: where a move turns round, the next ones are shorter.
    move = found[1:] - state.psi
    turned = move * state.last < 0
    state.reach = np.where(turned, np.minimum(state.reach, np.abs(state.last)) / 2.0, np.minimum(1.3 * state.reach, 1.0))
    state.last = np.clip(move, -state.reach, state.reach)
    state.psi = np.clip(state.psi + state.last, *LOG_STRENGTH)
    state.psi_variance = variance[1:]
