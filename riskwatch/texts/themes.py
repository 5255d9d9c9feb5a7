"""What records are about: themes of terms that come together, and how their shares have changed.

TF-IDF (Spärck Jones 1972) with cosine-normalised records, factorised into non-negative themes (Lee and Seung 1999, Nature 401,
788-791) by coordinate descent from an NNDSVD start (Boutsidis and Gallopoulos 2008), as scikit-learn does.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from riskwatch.texts.corpus import Corpus
from riskwatch.texts.rules import ThemeRules

__all__ = ["THEME_COLUMNS", "themes", "weighted"]

THEME_COLUMNS = ["theme", "terms", "records_now", "records_before", "share_now", "share_before", "growth", "lower", "upper"]


def weighted(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return TF-IDF weights of a matrix of zeros and ones: idf = ln((1 + n) / (1 + df)) + 1, each record of length 1."""
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415 - slow to import

    return TfidfTransformer().fit_transform(matrix.astype(np.float64)).tocsr()


def themes(corpus: Corpus, now: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_], rules: ThemeRules) -> pd.DataFrame:
    """Return the themes of the records, those that grew most first.

    Parameters
    ----------
    corpus : Corpus
    now, before : array of bool, shape (record,)
        Records of the window and of the baseline.
    rules : ThemeRules

    Returns
    -------
    DataFrame
        :data:`THEME_COLUMNS`: ``theme`` the number, 1 the largest of all records; ``terms`` a tuple, the weightiest first; ``share_*`` the
        share of the records whose strongest theme it is; ``growth`` the ratio of the two shares (a half added to each count) and its
        95 % interval (normal on the log scale). Empty where there is too little to factorise.
    """
    from sklearn.decomposition import NMF  # noqa: PLC0415 - slow to import
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    order = np.lexsort((np.arange(len(corpus.terms)), -corpus.records))[: rules.most_terms]
    chosen = np.sort(order)
    # Of like terms that nest ("hover", "hover board") one is enough; the corpus has joined them.
    matrix = corpus.matrix[:, chosen].tocsr()
    filled = np.flatnonzero(np.diff(matrix.indptr) > 0)
    count = min(rules.themes, len(chosen), len(filled))
    if count < 2 or not now.any() or not before.any():
        return pd.DataFrame({name: pd.Series(dtype="object") for name in THEME_COLUMNS})
    # The factorisation must not depend on the order of the records.
    rows = filled[_content_order(matrix[filled])]
    tfidf = weighted(matrix[rows])
    step = max(1, -(-len(rows) // rules.most_records))
    model = NMF(count, init="nndsvda", random_state=rules.seed, max_iter=rules.iterations, tol=1e-4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a theme need not be exact to be named
        model.fit(tfidf[::step])
        weights = model.transform(tfidf)
    strongest = np.full(matrix.shape[0], -1)
    strongest[rows] = np.where(weights.max(axis=1) > 0, weights.argmax(axis=1), -1)
    names = np.asarray(corpus.terms, dtype=object)[chosen]
    table = []
    for theme in range(count):
        loads = model.components_[theme]
        top = [at for at in np.lexsort((names, -np.round(loads, 9))).tolist() if loads[at] > 0][: rules.top_terms]
        mine = strongest == theme
        a, b = int((mine & now).sum()), int((mine & before).sum())
        table.append((int(mine.sum()), tuple(names[top]), a, b))
    frame = pd.DataFrame(table, columns=["size", "terms", "records_now", "records_before"])
    frame = frame.sort_values(["size", "terms"], ascending=[False, True], kind="stable", ignore_index=True)
    frame["theme"] = np.arange(1, count + 1)
    return _growth(frame, int(now.sum()), int(before.sum()))[THEME_COLUMNS]


def _content_order(matrix: sparse.csr_matrix) -> npt.NDArray[np.intp]:
    """Return an order of the rows that depends on what is in them alone."""
    texts = [" ".join(map(str, matrix.indices[matrix.indptr[at] : matrix.indptr[at + 1]])) for at in range(matrix.shape[0])]
    return np.argsort(np.asarray(texts, dtype=object), kind="stable")


def _growth(frame: pd.DataFrame, n_now: int, n_before: int) -> pd.DataFrame:
    a, b = frame["records_now"] + 0.5, frame["records_before"] + 0.5
    frame["share_now"], frame["share_before"] = frame["records_now"] / n_now, frame["records_before"] / n_before
    growth = (a / (n_now + 1.0)) / (b / (n_before + 1.0))
    error = np.sqrt(1.0 / a - 1.0 / (n_now + 1.0) + 1.0 / b - 1.0 / (n_before + 1.0))
    frame["growth"], frame["lower"], frame["upper"] = growth, growth * np.exp(-1.96 * error), growth * np.exp(1.96 * error)
    return frame.sort_values(["lower", "theme"], ascending=[False, True], kind="stable", ignore_index=True)
