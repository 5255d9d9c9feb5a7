"""Where in a tree the records of each term are: the deepest node that holds most of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from riskwatch.dimensions import Tree

__all__ = ["catch_alls", "deepest_nodes", "leading_codes", "uncoded", "within"]

_ASCII_WORD = r"(?<![a-z]){}(?![a-z])"


def catch_alls(tree: Tree, words: Sequence[str]) -> frozenset[str]:
    """Return the codes of a tree of which a name holds one of ``words``: English ones whole and in any case, Chinese ones anywhere."""
    if not words:
        return frozenset()
    parts = [_ASCII_WORD.format(re.escape(word.lower())) if word.isascii() else re.escape(word) for word in words]
    found = re.compile("|".join(parts))
    names = zip(tree.codes, tree.name_zh, tree.name_en, strict=True)
    return frozenset(str(code) for code, zh, en in names if found.search(f"{zh or ''} {en or ''}".lower()))


def uncoded(codes: Sequence[pd.Series], catch_all: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Tell which records name no product, or none but those of a catch-all; ``codes`` are the columns that name products."""
    out = np.ones(len(codes[0]) if codes else 0, dtype=np.bool_)
    for column in codes:
        plain = column.astype("object")
        out &= (plain.isna() | (plain == "") | plain.isin(catch_all)).to_numpy(dtype=np.bool_)
    return out


def within(codes: Sequence[pd.Series], tree: Tree) -> sparse.csr_matrix:
    """Return which nodes each record is within, shape (record, node): itself and all above it, of any of its codes."""
    above = np.stack([tree.positions(tree.ancestor_at(tree.codes, level)) for level in tree.levels])
    size = len(codes[0]) if codes else 0
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for column in codes:
        at = tree.positions(column)
        known = np.flatnonzero(at >= 0)
        nodes = above[:, at[known]]
        for line in nodes:
            some = line >= 0
            rows.append(known[some])
            columns.append(line[some])
    row, node = np.concatenate(rows), np.concatenate(columns)
    made = sparse.csr_matrix((np.ones(len(row), np.int64), (row, node)), shape=(size, len(tree.codes)))
    made.data[:] = 1  # a record with two products of one category is within it once
    return made


def deepest_nodes(matrix: sparse.csr_matrix, inside: sparse.csr_matrix, tree: Tree, share: float) -> npt.NDArray[np.object_]:
    """Return the deepest node that holds at least ``share`` of each term's records; "" where none does.

    Of nodes equally deep the one with most records, then the first by code.

    Parameters
    ----------
    matrix : sparse matrix, shape (record, term)
    inside : sparse matrix, shape (record, node)
    tree : Tree
    share : float
    """
    counts = (matrix.T @ inside).tocoo()
    total = np.asarray(matrix.sum(axis=0)).ravel()
    enough = counts.data >= share * total[counts.row] - 1e-9
    term, node, held = counts.row[enough], counts.col[enough], counts.data[enough]
    codes = tree.codes.to_numpy(dtype=object)
    rank = pd.Index(codes).argsort().argsort()
    order = np.lexsort((rank[node], -held, -tree.depth[node], term))
    first = np.unique(term[order], return_index=True)
    out = np.full(matrix.shape[1], "", dtype=object)
    out[first[0]] = codes[node[order][first[1]]]
    return out


def leading_codes(records: npt.NDArray[np.intp], codes: Sequence[pd.Series], *, most: int, minimum: int) -> list[tuple[str, int]]:
    """Return the codes that most of some records name, with how many do; codes that fewer than ``minimum`` name are left out."""
    frame = pd.concat([pd.DataFrame({"record": records, "code": column.to_numpy(dtype=object)[records]}) for column in codes])
    frame = frame[frame["code"].notna() & (frame["code"] != "")].drop_duplicates()
    counts = frame["code"].astype(str).value_counts()
    pairs = sorted(((str(code), int(count)) for code, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))
    return [pair for pair in pairs if pair[1] >= minimum][:most]
