"""The report as PDF, set by typst from a fixed page description and the report's data.

The data travel as JSON and pictures beside it, in memory and never as source: whatever a name holds, typst does
not read it as markup. Fonts are those of the package
``pylopdf-fonts-zh-cn`` alone, so the same report gives the same bytes on every machine.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import struct
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pylopdf_fonts_zh_cn
import typst

from riskwatch.errors import RiskwatchError
from riskwatch.reports.model import Block, Note, Paragraph, Picture, Report, Run
from riskwatch.reports.wording import check_language, meta, refs, section_title, trace_rows, word

__all__ = ["fonts", "render_pdf", "wrapped"]

_LONG = re.compile(r"[\w./|:-]{18,}", re.ASCII)


def render_pdf(report: Report, language: str) -> bytes:
    """Return the report as a tagged PDF in one language.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en", its pictures were not drawn, or typst refuses.
    """
    check_language(language)
    images: list[bytes] = []
    header = report.header
    data = {
        "language": language,
        "title": header.title.of(language),
        "project": header.project.of(language),
        "period": header.period,
        "internal": word("internal", language),
        "status": word("status", language),
        "simulated": word("simulated", language) if header.simulated else "",
        "contents": word("contents", language),
        "meta": meta(report, language),
        "sections": [
            {
                "title": section_title(section.number, section.title, language),
                "blocks": [_block(block, language, images) for block in section.blocks],
            }
            for section in report.sections
        ],
        "traces": {
            "title": word("traces", language),
            "note": word("traces_note", language),
            "head": [word(key, language) for key in ("id", "what", "printed", "method", "records")],
            "rows": [[_breakable(text) for text in row] for row in trace_rows(report.traces, language)],
        },
    }
    day = dt.datetime.combine(header.issued, dt.time(), tzinfo=dt.UTC)
    try:
        made = typst.compile(
            _template(),
            sys_inputs={
                "report": json.dumps(data, ensure_ascii=False),
                **{_image_name(place): wrapped(image) for place, image in enumerate(images)},
            },
            font_paths=fonts(),
            ignore_system_fonts=True,
            timestamp=day,
        )
    except typst.TypstError as error:
        raise RiskwatchError(
            f"report PDF: typst refused: {error.message}", hint="please report this: no data should make it fail"
        ) from error
    if not isinstance(made, bytes):
        raise RiskwatchError(f"report PDF: typst must return one document, got {type(made).__name__}")
    return made


def _block(block: Block, language: str, images: list[bytes]) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "style": block.style, **_line(block.line.of(language))}
    if isinstance(block, Note):
        return {"kind": "note", "tone": block.tone, "word": word(block.tone, language), **_line(block.line.of(language))}
    if isinstance(block, Picture):
        if language not in block.png:
            raise RiskwatchError(f"report: pictures must be drawn for {language}, got {', '.join(sorted(block.png))}")
        images.append(block.png[language])
        return {
            "kind": "picture",
            "image": _image_name(len(images) - 1),
            "alt": block.alt.of(language),
            "width": block.width,
            **_line(block.caption.of(language)),
        }
    return {
        "kind": "table",
        "title": block.title.of(language),
        "columns": [
            {"head": column.head.of(language), "align": column.align, "trace": column.trace, "width": column.width}
            for column in block.columns
        ],
        "rows": [[_breakable(cell.text.of(language)) for cell in row] for row in block.rows],
        "note": _line(block.note.of(language)) if block.note is not None else None,
    }


def _image_name(place: int) -> str:
    return f"picture-{place}"


def wrapped(png: bytes) -> str:
    """Return a picture as the text of an SVG that holds it: what typst is given in memory must be text."""
    width, height = struct.unpack(">II", png[16:24])
    held = base64.b64encode(png).decode("ascii")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{held}"/></svg>'
    )


def _breakable(text: str) -> str:
    """Return ``text`` with places to break within long dotted names: typst would let them run into the next column."""
    return _LONG.sub(lambda found: re.sub(r"([._/|:])", "\\1\u200b", found.group(0)), text)


def _line(runs: tuple[Run, ...]) -> dict[str, Any]:
    return {"runs": [[run.text, run.trace] for run in runs], "refs": refs(runs)}


@lru_cache(maxsize=1)
def _template() -> bytes:
    return files("riskwatch.reports").joinpath("templates", "report.typ").read_bytes()


@lru_cache(maxsize=1)
def fonts() -> typst.Fonts:
    """Return the fonts that pages are set in: those of the package, none of the system's."""
    folder = Path(str(pylopdf_fonts_zh_cn.sans_path())).parent
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(folder)])
