"""Rates along a tree, with effects that cross it: fitted for all nodes together.

The rate of a cell scatters as Beta(m S, (1 - m) S) around logit(m) = eta(node) + effects. The eta of a node scatters around its parent's
with a variance of its level, root to lowest; crossed effects (region, stratum) scatter around zero; log S of the lowest nodes scatters
around a common value. All variances are fitted. The posterior of every part is taken as normal on these scales.

Source
------
Penalised quasi-likelihood by repeated working responses: Breslow & Clayton (1993), J. Amer. Statist. Assoc. 88(421), 9-25.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.rates.blocks import over_blocks
from riskwatch.rates.likelihood import LOG_STRENGTH, check_counts, derivatives, quasi_information
from riskwatch.rates.smoothing import em_variances, smooth
from riskwatch.rates.sums import sums

__all__ = ["Belief", "Effect", "Hierarchy", "Layout", "fit_hierarchy"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_BLOCK = 16_384
_ROOT_VARIANCE = 4.0  # of logit(rate) and log(strength) before any sample is seen
_SWEEPS = 3
_EM = 8  # steps of the variances for each pass: they take many, and cost little
_PASSES = 60
# Moves are measured by what is not known: a fiftieth of a standard error changes no interval.
_DONE = 0.02
_STILL = 0.01
_SETTLED = 0.05  # relative change of a variance


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


@dataclass(eq=False)
class _Cells:
    """Cells with samples, sorted by node, and the working responses made of them.

    ``crossed`` has the number of the level of each effect, one past the last for none. ``residual`` is the gradient by the linear
    predictor, kept up to date as parts move; ``weight`` and ``twist`` are how fast it falls with the linear predictor and with psi.
    """

    x: FloatArray
    n: FloatArray
    node: IntArray
    crossed: list[IntArray]
    residual: FloatArray
    weight: FloatArray
    twist: FloatArray


@dataclass(eq=False)
class _State:
    """What is fitted. Effects have one entry past the last level, which stays zero."""

    eta: FloatArray
    eta_variance: FloatArray
    psi: FloatArray
    psi_variance: FloatArray
    effects: list[FloatArray]
    effect_variances: list[FloatArray]
    between: FloatArray
    strengths: FloatArray
    crossed: FloatArray
    # Newest moves of psi, and how long they may be.
    last: FloatArray
    reach: FloatArray
    # Slope of each node's likelihood in psi, how fast it falls with psi and eta, and how far the node has moved since its cells were seen.
    slope: FloatArray
    bend: FloatArray
    twist: FloatArray
    drift: FloatArray


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
    Each pass takes gradients of the beta-binomial likelihood, makes working responses of them, and solves the normal model for these by
    going round tree and effects a few times. The fixed point does not depend on the working weights. Most nodes settle within a few
    passes; later ones look anew only at cells of nodes that have moved since, and carry the others on to first order.

    Raises
    ------
    RateError
        If counts are out of range.
    """
    belief = belief or Belief()
    check_counts(x, n)
    order = np.lexsort((x, n, *layout.crossed, layout.node))  # the same sums whatever the order of the cells
    order = order[n[order] > 0]
    levels = [int(part.max(initial=-1)) + 1 for part in layout.crossed]
    crossed = [np.where(part[order] < 0, size, part[order]) for part, size in zip(layout.crossed, levels, strict=True)]
    cells = _Cells(x[order], n[order], layout.node[order], crossed, *(np.zeros(len(order)) for _ in range(3)))
    state = _start(cells, layout, belief, levels)
    converged, passes = False, 0
    while passes < _PASSES and not converged:
        passes += 1
        converged = _advance(state, cells, layout, belief)
    return Hierarchy(
        state.eta, state.eta_variance, state.psi, state.psi_variance,
        tuple(
            Effect(value[:-1], variance[:-1], float(np.sqrt(spread)))
            for value, variance, spread in zip(state.effects, state.effect_variances, state.crossed.tolist(), strict=True)
        ),
        np.sqrt(state.between), passes, converged,
    )  # fmt: skip


def _start(cells: _Cells, layout: Layout, belief: Belief, levels: list[int]) -> _State:
    nodes, depths = len(layout.parent), int(layout.depth.max()) + 1
    overall = (cells.x.sum() + 0.5) / (cells.n.sum() + 1.0) if len(cells.x) else belief.rate
    square = belief.spread**2
    return _State(
        eta=np.full(nodes, special.logit(overall)),
        eta_variance=np.full(nodes, _ROOT_VARIANCE),
        psi=np.full(nodes, np.log(belief.strength)),
        psi_variance=np.full(nodes, _ROOT_VARIANCE),
        effects=[np.zeros(size + 1) for size in levels],
        effect_variances=[np.append(np.full(size, square), 0.0) for size in levels],
        between=np.array([_ROOT_VARIANCE, *[square] * (depths - 1)]),
        strengths=np.array([_ROOT_VARIANCE, belief.strength_spread**2]),
        crossed=np.full(len(levels), square),
        last=np.zeros(nodes),
        reach=np.ones(nodes),
        slope=np.zeros(nodes),
        bend=np.zeros(nodes),
        twist=np.zeros(nodes),
        drift=np.full(nodes, np.inf),
    )


def _advance(state: _State, cells: _Cells, layout: Layout, belief: Belief) -> bool:
    """Make one pass: look at cells, then go round tree, effects and variances; return whether all stand still."""
    eta, psi, effects = state.eta.copy(), state.psi.copy(), [part.copy() for part in state.effects]
    variances = np.concatenate([state.between, state.strengths, state.crossed])
    _look(state, cells)
    by_node = sums(cells.node, cells.weight, len(eta))
    informations = [sums(at, cells.weight, len(value)) for at, value in zip(cells.crossed, state.effects, strict=True)]
    for _ in range(_SWEEPS):
        moved = _move_tree(state, cells, layout, belief, by_node)
        for number in range(len(effects)):
            moved = max(moved, _move_effect(state, cells, belief, number, informations[number]))
        if moved < _STILL / 2.0:
            break
    _move_strengths(state, cells, by_node, belief)
    by_eta = np.abs(state.eta - eta) / np.sqrt(state.eta_variance)
    by_psi = 0.3 * np.abs(state.psi - psi) / np.sqrt(state.psi_variance)
    by_effect = [np.abs(new - old).max(initial=0.0) for new, old in zip(state.effects, effects, strict=True)]
    state.drift += by_eta + by_psi + sum(by_effect) / np.sqrt(state.eta_variance)
    moves = [by_eta, by_psi]
    moves += [np.abs(new - old)[:-1] / np.sqrt(v[:-1]) for new, old, v in zip(state.effects, effects, state.effect_variances, strict=True)]
    still = max(float(part.max(initial=0.0)) for part in moves) < _DONE
    now = np.concatenate([state.between, state.strengths, state.crossed])
    return still and bool(np.abs(np.log(now / variances)).max() < _SETTLED)


def _look(state: _State, cells: _Cells) -> None:
    """Work out gradients and weights of the cells whose nodes have moved."""
    moved = state.drift > _STILL
    rows = np.flatnonzero(moved[cells.node])
    size, nodes = len(rows), len(moved)
    gradient, by_psi, weight, eta_eta, psi_psi, twist = (np.empty(size) for _ in range(6))

    def work(at: slice) -> tuple[FloatArray, ...]:
        here = rows[at]
        x, n, node = cells.x[here], cells.n[here], cells.node[here]
        eta, unsure, psi = state.eta[node], state.eta_variance[node], state.psi[node]
        for level, value, variance in zip(cells.crossed, state.effects, state.effect_variances, strict=True):
            eta += value[level[here]]
            unsure += variance[level[here]]
        found = derivatives(x, n, eta, psi)
        information = quasi_information(n, eta, psi)
        rho = 1.0 / (np.exp(psi) + 1.0)
        scatter = (n - 1.0) * rho
        # Fitted means follow the samples and make them look less scattered than they are: the adjustment for it (as in REML).
        adjusted = found[1] - 0.5 * unsure * information * scatter * (1.0 - rho) / (1.0 + scatter)
        # The mode of a logit lies above its mean where failures are few, and rates at the mode plus its spread would be too high: with the
        # third derivative the fixed point is the mean, and fitted and observed failures agree.
        by_eta = found[0] - 0.5 * np.minimum(unsure, 1.0) * information * (1.0 - 2.0 * special.expit(eta))
        return by_eta, adjusted, information, *found[2:]

    over_blocks(work, size, (gradient, by_psi, weight, eta_eta, psi_psi, twist), _BLOCK)
    node = cells.node[rows]
    # The observed information of a node, shared out over its cells by the expected one, which is positive everywhere.
    ratio = np.clip(sums(node, eta_eta, nodes) / np.maximum(sums(node, weight, nodes), 1e-300), 0.5, 3.0)
    cells.residual[rows], cells.weight[rows], cells.twist[rows] = gradient, weight * ratio[node], twist
    for mine, part in ((state.slope, by_psi), (state.bend, psi_psi), (state.twist, twist)):
        mine[moved] = sums(node, part, nodes)[moved]
    state.drift[moved] = 0.0


def _move_tree(state: _State, cells: _Cells, layout: Layout, belief: Belief, information: FloatArray) -> float:
    """Solve for all nodes given the effects; return the longest move in standard errors."""
    pull = sums(cells.node, cells.residual, len(information))
    value = np.where(information > 0, state.eta + pull / np.maximum(information, 1e-300), 0.0)
    centre = float(special.logit(belief.rate))
    for _ in range(_EM):
        new, state.eta_variance, squared = smooth(layout.parent, layout.depth, value, information, state.between, centre=centre)
        state.between = em_variances(squared, layout.depth, state.between, belief.spread, belief.weight)
    move = np.clip(new - state.eta, -1.0, 1.0)
    state.eta = state.eta + move
    state.slope -= state.twist * move
    cells.residual -= cells.weight * move[cells.node]
    return float((np.abs(move) / np.sqrt(state.eta_variance)).max(initial=0.0))


def _move_effect(state: _State, cells: _Cells, belief: Belief, number: int, information: FloatArray) -> float:
    """Solve for one crossed effect given all else; return the longest move in standard errors."""
    at, old = cells.crossed[number], state.effects[number]
    pull = sums(at, cells.residual, len(old))
    pull[-1], seen = 0.0, np.append(information[:-1] > 0, False)
    variance = 1.0 / (information + 1.0 / state.crossed[number])
    move = np.clip(variance * (pull + information * old) - old, -1.0, 1.0)
    new = old + move
    total = float((new[seen] ** 2 + variance[seen]).sum())
    state.crossed[number] = (total + belief.weight * belief.spread**2) / (seen.sum() + belief.weight)
    # What all levels share belongs to the root: said at once, which going round would take many passes to find.
    common = float(new[seen].mean()) if seen.any() else 0.0
    new[seen] -= common
    state.eta = state.eta + common
    variance[-1], move[-1] = 0.0, common
    state.effects[number], state.effect_variances[number] = new, variance
    cells.residual -= cells.weight * move[at]
    return float((np.abs(move[:-1]) / np.sqrt(variance[:-1])).max(initial=0.0))


def _move_strengths(state: _State, cells: _Cells, information: FloatArray, belief: Belief) -> None:
    """Move log strengths by one step towards their posterior mode."""
    # The likelihood is not concave in psi everywhere. The slope counts in full, as an observation that lies at most four away: cutting the
    # long pulls of the few groups that show scatter would make all cells look more alike than they are.
    known = information > 0
    precision = np.where(known, np.maximum(np.maximum(state.bend, np.abs(state.slope) / 4.0), 1e-9), 0.0)
    value = np.where(known, state.psi + state.slope / np.maximum(precision, 1e-9), 0.0)
    # All nodes hang on one common value, whatever the tree.
    depth = np.append(0, np.ones(len(known), dtype=np.int64))
    centre = float(np.log(belief.strength))
    value, precision = np.append(0.0, value), np.append(0.0, precision)
    for _ in range(_EM):
        found, variance, squared = smooth(depth - 1, depth, value, precision, state.strengths, centre=centre)
        state.strengths = em_variances(squared, depth, state.strengths, belief.strength_spread, 2.0 * belief.weight)
    # Means and strengths pull at each other: where a move turns round, the next ones are shorter.
    move = found[1:] - state.psi
    turned = move * state.last < 0
    state.reach = np.where(turned, np.minimum(state.reach, np.abs(state.last)) / 2.0, np.minimum(1.3 * state.reach, 1.0))
    state.last = np.clip(move, -state.reach, state.reach)
    state.slope -= precision[1:] * state.last
    cells.residual -= cells.twist * state.last[cells.node]
    state.psi = np.clip(state.psi + state.last, *LOG_STRENGTH)
    state.psi_variance = variance[1:]
