"""Records of a model by test item: each sample once for every item that its kind of goods is known to fail, failed in it or not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.dimensions import Tree

__all__ = ["ITEM", "by_item"]

ITEM = "item"
"""Column that :func:`by_item` adds; a stratum then reads "item=lead"."""


def by_item(frame: pd.DataFrame, items: pd.DataFrame, *, numerator: str, product: str, tree: Tree | None) -> pd.DataFrame:
    """Return the records once for each item that goods of their branch of the product tree have failed.

    Only failures name their items, as a rule, so which items a sample was tested for is not known: every item that any sample of the
    branch failed is taken as tested in all of them. An item that is tested more often than before reads as a rise.

    Parameters
    ----------
    frame : pandas.DataFrame
        Records with ``record_id``, ``numerator`` and ``product``.
    items : pandas.DataFrame
        Their test items: ``record_id``, ``item``, ``verdict``; only failures count.
    numerator : str
        Column that becomes the number that failed the item: as many as have it on file, at most those that failed at all.
    product : str
        Column of product codes.
    tree : Tree or None
        The product tree. None: all goods are one branch.

    Returns
    -------
    pandas.DataFrame
        The columns of ``frame`` and :data:`ITEM`; records of branches without a failed item are left out.
    """
    bad = items.loc[(items["verdict"].astype("object") == "fail").to_numpy(), ["record_id", "item"]]
    bad = bad.assign(**{ITEM: bad["item"].astype("object").fillna("").astype(str).str.strip()})
    bad = bad.loc[(bad[ITEM] != "").to_numpy()]
    failed = bad.groupby(["record_id", ITEM], sort=True, observed=True).size().rename("_count").reset_index()
    codes = frame[product].astype("object").fillna("").astype(str)
    unique = sorted(set(codes))
    top = {code: (tree.path(code)[0] if tree is not None and code and code in tree else "") for code in unique}
    branch = codes.map(top)
    known = pd.DataFrame({"record_id": frame["record_id"].to_numpy(), "_branch": branch.to_numpy(dtype=object)})
    pairs = failed.merge(known, on="record_id", how="inner")[["_branch", ITEM]].drop_duplicates().sort_values(["_branch", ITEM])
    if pairs.empty:
        return frame.iloc[:0].assign(**{ITEM: pd.Categorical([])})
    names = sorted(set(pairs[ITEM]))
    number = pd.Index(names)
    by_branch = {name: number.get_indexer(group[ITEM]) for name, group in pairs.groupby("_branch", sort=True)}
    size = branch.map({name: len(found) for name, found in by_branch.items()}).fillna(0).to_numpy(np.int64)
    rows = np.repeat(np.arange(len(frame)), size)
    item = np.concatenate([by_branch[name] for name in branch if name in by_branch])
    held = pd.MultiIndex.from_arrays([failed["record_id"].to_numpy(), number.get_indexer(failed[ITEM])])
    place = held.get_indexer(pd.MultiIndex.from_arrays([frame["record_id"].to_numpy()[rows], item]))
    counted = np.append(failed["_count"].to_numpy(np.float64), 0.0)[place]  # -1 reads the last place: none failed
    out = frame.iloc[rows].reset_index(drop=True)
    return out.assign(
        **{numerator: np.minimum(counted, out[numerator].to_numpy(np.float64)), ITEM: pd.Categorical.from_codes(item, categories=number)}
    )
