"""A digest or an alert as PDF, set by typst from the page that HTML and Markdown are set from as well."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import typst

from riskwatch.digest.blocks import Block, CardBlock, Page
from riskwatch.errors import RiskwatchError
from riskwatch.reports.pdf import fonts, wrapped

__all__ = ["digest_pdf"]


def digest_pdf(page: Page, pictures: Sequence[bytes], day: dt.date) -> bytes:
    """Return the page as a tagged PDF; the same page and day give the same bytes.

    Parameters
    ----------
    page : Page
    pictures : sequence of bytes
        PNG, in the order of the page's numbers.
    day : date
        Of the digest; the file's own date.

    Raises
    ------
    RiskwatchError
        If typst refuses.
    """
    data = dataclasses.asdict(dataclasses.replace(page, sections=()))
    data["sections"] = [{"heading": section.heading, "blocks": [_block(block) for block in section.blocks]} for section in page.sections]
    try:
        made = typst.compile(
            _template(),
            sys_inputs={
                "page": json.dumps(data, ensure_ascii=False),
                **{_name(number): wrapped(picture) for number, picture in enumerate(pictures)},
            },
            font_paths=fonts(),
            ignore_system_fonts=True,
            timestamp=dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC),
        )
    except typst.TypstError as error:
        raise RiskwatchError(
            f"digest PDF: typst refused: {error.message}", hint="please report this: no data should make it fail"
        ) from error
    if not isinstance(made, bytes):
        raise RiskwatchError(f"digest PDF: typst must return one document, got {type(made).__name__}")
    return made


def _block(block: Block) -> dict[str, Any]:
    data = dataclasses.asdict(block)
    if isinstance(block, CardBlock):
        data["chart"] = _name(block.chart) if block.chart >= 0 else None
        data["map"] = _name(block.map) if block.map >= 0 else None
    return data


def _name(number: int) -> str:
    return f"picture-{number}"


@lru_cache(maxsize=1)
def _template() -> bytes:
    return files("riskwatch.reports").joinpath("templates", "digest.typ").read_bytes()
