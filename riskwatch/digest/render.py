"""Set a digest as HTML, mail, Markdown or JSON.

All four come from the same :class:`~riskwatch.digest.model.Digest`; HTML and Markdown from the same page of plain texts. The HTML
has its styles inlined and no outside resources. Pictures are ``data:`` URIs in a file and ``cid:`` parts in a mail, as many mail
clients refuse ``data:``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import css_inline
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from riskwatch import plots
from riskwatch.digest.blocks import Page
from riskwatch.digest.cluster_model import ClusterMap
from riskwatch.digest.clusters import cluster_text
from riskwatch.digest.model import Chart, Digest, WarningCard
from riskwatch.digest.page import lay_out
from riskwatch.digest.sentences import Speaker

__all__ = [
    "Email",
    "Image",
    "card_pictures",
    "pictures",
    "render_email",
    "render_html",
    "render_json",
    "render_markdown",
    "render_text",
    "set_email",
    "set_html",
    "set_markdown",
]

CHART_INCHES = (7.0, 0.68)
CHART_PIXELS = (680, 66)
MAP_INCHES = (7.0, 1.75)
MAP_PIXELS = (680, 170)
Features = Sequence[Mapping[str, object]]
# Inline marks of Markdown, and what GitHub's dialect makes links of. Escaped everywhere: where a value will stand is not known here.
_MARKS = re.compile(r"([\\`*_\[\]|~#])")


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of a mail; ``cid`` is referred to as ``cid:<cid>`` in the HTML and follows from the content."""

    cid: str
    filename: str
    content: bytes
    subtype: str = "png"


@dataclass(frozen=True, slots=True)
class Email:
    """A mail ready to be sent: subject, HTML with ``cid:`` pictures, the pictures, and its plain text."""

    subject: str
    html: str
    text: str
    images: tuple[Image, ...]


def render_json(digest: Digest) -> str:
    """Return the digest as JSON, keys in the order of the sections, UTF-8 text unescaped; the canonical form."""
    return digest.model_dump_json(indent=2) + "\n"


def render_html(digest: Digest, language: str, *, outlines: Features = ()) -> str:
    """Return the digest as one self-contained HTML file, pictures as ``data:`` URIs.

    Parameters
    ----------
    digest : Digest
    language : {"zh", "en"}
    outlines : sequence of GeoJSON features, optional
        Outlines of counties, their codes in the property ``adcode``: maps of clusters without them show dots.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en".
    """
    return set_html(lay_out(digest, language), pictures(digest, language, outlines))


def render_email(digest: Digest, language: str, *, outlines: Features = ()) -> Email:
    """Return the digest as a mail; the same HTML as :func:`render_html` but for where its pictures are.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en".
    """
    return set_email(lay_out(digest, language), pictures(digest, language, outlines))


def set_html(page: Page, pictures: Sequence[bytes]) -> str:
    """Return a page as one self-contained HTML file; ``pictures`` are PNG, in the order of the page's numbers."""
    return _html(page, [f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}" for content in pictures])


def set_email(page: Page, pictures: Sequence[bytes]) -> Email:
    """Return a page as a mail; ``pictures`` as for :func:`set_html`."""
    images = tuple(
        Image(cid=f"{hashlib.sha256(content).hexdigest()[:24]}@riskwatch", filename=f"chart-{number}.png", content=content)
        for number, content in enumerate(pictures, start=1)
    )
    html = _html(page, [f"cid:{image.cid}" for image in images])
    return Email(subject=page.subject, html=html, text=_markdown(page, escaped=False), images=images)


def set_markdown(page: Page) -> str:
    """Return a page as Markdown."""
    return _markdown(page)


def render_text(digest: Digest, language: str) -> str:
    """Return the digest as plain text: the Markdown without its escapes, for the text part of a mail.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en".
    """
    return _markdown(lay_out(digest, language), escaped=False)


def render_markdown(digest: Digest, language: str) -> str:
    """Return the digest as Markdown; charts become their captions.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en".
    """
    return _markdown(lay_out(digest, language))


def markdown_text(value: object) -> Markup:
    """Return ``value`` with everything escaped that Markdown, or HTML within it, gives a meaning to.

    Besides the inline marks: angle brackets and ampersands become entities; ``://``, ``www.`` and ``@`` are broken up so that no
    dialect makes a link of them; line ends become spaces, so that no value can open a block.
    """
    if isinstance(value, Markup):
        return value
    text = " ".join(str(value).split())
    text = _MARKS.sub(r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(text.replace("://", r":\//").replace("www.", r"www\.").replace("@", r"\@"))  # noqa: S704 - escaped right above


@lru_cache(maxsize=3)
def _environment(kind: str) -> Environment:
    """Return the templates for "html", "markdown" or "text"; they differ in what is done to a value before it is set."""
    return Environment(
        loader=PackageLoader("riskwatch.digest", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize={"html": None, "markdown": markdown_text, "text": _one_line}[kind],
    )


def _html(page: Page, images: list[str]) -> str:
    environment = _environment("html")
    css = Markup(environment.get_template("digest.css.j2").render(running=css_string(page.running)))  # noqa: S704 - escaped right there
    plain = environment.get_template("digest.html.j2").render(
        page=page,
        css=css,
        images=images,
        image_width=CHART_PIXELS[0],
        image_height=CHART_PIXELS[1],
        map_height=MAP_PIXELS[1],
        gap="" if page.language == "zh" else " ",
    )
    inliner = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
    return inliner.inline(plain)


def css_string(text: str) -> Markup:
    """Escape ``text`` for a quoted string of a style sheet: all but letters, digits and spaces become code points."""
    safe = "".join(char if char.isalnum() or char == " " else f"\\{ord(char):06x} " for char in text)
    return Markup(safe)  # noqa: S704 - no markup can be left in it


def _one_line(value: object) -> Markup:
    """Return ``value`` on one line and as it is: plain text knows no markup."""
    return value if isinstance(value, Markup) else Markup(" ".join(str(value).split()))  # noqa: S704 - never read as HTML


def _markdown(page: Page, *, escaped: bool = True) -> str:
    text = _environment("markdown" if escaped else "text").get_template("digest.md.j2").render(page=page)
    if not escaped:
        text = text.replace("**", "").replace("\\_", "_")
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip() + "\n"


def pictures(digest: Digest, language: str, outlines: Features = ()) -> list[bytes]:
    """Return the pictures of the cards shown in full as PNG, in their order: first all charts, then all maps."""
    return card_pictures([card for card in digest.warnings if card.in_full], digest, language, outlines)


def card_pictures(cards: Sequence[WarningCard], digest: Digest, language: str, outlines: Features = ()) -> list[bytes]:
    """Return the pictures of some cards as PNG: first all charts, then all maps."""
    charts = [_draw(card.chart, language) for card in cards if card.chart is not None]
    say = Speaker(digest, language)
    return charts + [_map(card.cluster, say, outlines) for card in cards if card.cluster is not None]


def _map(cluster: ClusterMap, say: Speaker, outlines: Features) -> bytes:
    places = pd.DataFrame(
        [{**place.model_dump(exclude={"code", "name"}), "place": place.code, "name": say.of(place.name)} for place in cluster.places]
    )
    width, height = MAP_INCHES
    title, _ = cluster_text(cluster, say)
    return plots.to_png(plots.cluster_figure(places, outlines, title=title, language=say.language, width=width, height=height))


def _draw(chart: Chart, language: str) -> bytes:
    return _drawn(chart.model_dump_json(), language)


@lru_cache(maxsize=512)
def _drawn(text: str, language: str) -> bytes:
    """Draw a chart from its JSON. A province and its prefectures read of the same concern: it is drawn once for all of them."""
    chart = Chart.model_validate_json(text)
    history = pd.DataFrame([point.model_dump() for point in chart.points])
    width, height = CHART_INCHES
    return plots.to_png(plots.series_figure(history, language=language, rate=chart.rate, width=width, height=height))
