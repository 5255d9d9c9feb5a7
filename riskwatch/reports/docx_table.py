"""A table of a DOCX, made as elements at once: cell by cell through python-docx the list of traces alone takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm

__all__ = ["table_element"]

_SIDES = {"left": "left", "right": "right", "centre": "center"}
_GREY = "8A949E"


def table_element(
    heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], *, widths: Sequence[float], aligns: Sequence[str], size: float
) -> Any:  # noqa: ANN401 - the elements of python-docx have no types
    """Return a table: fixed widths, its first row repeated on every page, no row broken over two pages.

    Parameters
    ----------
    heads : sequence of (str, str)
        Words and the id of the trace, "" without one.
    rows : sequence of sequences of str
        Set as text nodes; nothing in them is read as markup.
    widths : sequence of float
        Millimetres.
    aligns : sequence of str
        ``left``, ``right`` or ``centre``, by column.
    size : float
        Points.
    """
    twips = [round(Mm(width).twips) for width in widths]
    table = _element(
        "w:tbl",
        _element(
            "w:tblPr",
            _element("w:tblStyle", val="TableGrid"),
            _element("w:tblW", type="dxa", w=str(sum(twips))),
            _element("w:jc", val="center"),
            _element("w:tblLayout", type="fixed"),
            _element("w:tblLook", val="04A0"),
        ),
        _element("w:tblGrid", *(_element("w:gridCol", w=str(width)) for width in twips)),
    )
    first = [
        _cell([(text, size, True, ""), *([(trace, 5.5, False, _GREY)] if trace else [])], width, align)
        for (text, trace), width, align in zip(heads, twips, aligns, strict=True)
    ]
    table.append(_element("w:tr", _element("w:trPr", _element("w:cantSplit"), _element("w:tblHeader")), *first))
    for row in rows:
        cells = [_cell([(text, size, False, "")], width, align) for text, width, align in zip(row, twips, aligns, strict=True)]
        table.append(_element("w:tr", _element("w:trPr", _element("w:cantSplit")), *cells))
    return table


def _cell(pieces: Sequence[tuple[str, float, bool, str]], width: int, align: str) -> Any:  # noqa: ANN401
    """Return a cell of one paragraph; a piece is its text, size, whether bold, and colour; each begins a line."""
    paragraph = _element("w:p", _element("w:pPr", _element("w:spacing", after="0"), _element("w:jc", val=_SIDES[align])))
    for place, (text, size, bold, colour) in enumerate(pieces):
        half_points = str(round(2 * size))
        paragraph.append(
            _element(
                "w:r",
                _element(
                    "w:rPr",
                    *([_element("w:b")] if bold else []),
                    *([_element("w:color", val=colour)] if colour else []),
                    _element("w:sz", val=half_points),
                    _element("w:szCs", val=half_points),
                ),
                *([_element("w:br")] if place else []),
                _text(text),
            )
        )
    return _element("w:tc", _element("w:tcPr", _element("w:tcW", type="dxa", w=str(width))), paragraph)


def _text(text: str) -> Any:  # noqa: ANN401
    made = _element("w:t")
    made.text = text
    made.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return made


def _element(tag: str, *children: Any, **attributes: str) -> Any:  # noqa: ANN401
    made = OxmlElement(tag)
    for name, value in attributes.items():
        made.set(qn(f"w:{name}"), value)
    made.extend(children)
    return made
